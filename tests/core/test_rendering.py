"""Tables of endpoints, models and probes: in terminals of any width, and in notebooks."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from openrouter_routing._tables import Column, DataTable
from openrouter_routing.catalog import Catalog
from openrouter_routing.endpoint import Endpoint
from openrouter_routing.pricing import Pricing
from openrouter_routing.probing import Probe, ProbeReport, ProbeRun
from openrouter_routing.route import Attempt, Route, Usage

LLAMA = "meta-llama/llama-3.3-70b-instruct"


def drawn(shown: Any, width: int) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(shown)
    return capture.get()


TABLE = DataTable(
    [
        Column("name"),
        Column("share", right=True, bar=True),
        Column("figure", right=True, rank=1),
        Column("unknown", rank=2),
        Column("remark", wraps=True),
    ],
    [
        ("first", "64%", "1234567", "", "a remark that is longer than its column"),
        ("second", "<1%", "2", "", ""),
        ("third", "", "3", "", ""),
    ],
    "Title",
)


def test_a_wide_place_shows_everything_that_is_known() -> None:
    text = drawn(TABLE, 100)
    lines = text.splitlines()
    assert lines[0] == "Title"
    assert lines[1].split() == ["name", "share", "figure", "remark"]
    assert "64% ━━━━━───" in lines[3]
    assert " <1% ━───────" in lines[4]
    assert "━" not in lines[5]
    assert "Left out" not in text


def test_a_narrow_place_leaves_out_by_rank_and_says_so() -> None:
    text = drawn(TABLE, 36)
    assert max(map(len, text.splitlines())) <= 36
    assert "1234567" not in text
    assert "Left out for width: figure." in text
    assert "64%" in text


def test_a_place_too_narrow_for_anything_folds_and_loses_nothing() -> None:
    narrow = DataTable([Column("word")], [("abcdefghijkl",)])
    assert "".join(drawn(narrow, 5).split()[2:]) == "abcdefghijkl"


@pytest.mark.parametrize(
    "shown", [Catalog.sample(), Catalog.sample().model(LLAMA)], ids=["catalog", "model"]
)
def test_catalogs_and_models_render(shown: Any) -> None:
    html = shown._repr_html_()
    text = drawn(shown, 200)
    for word in (LLAMA, "0.10", "131k", "tools"):
        assert word in html
        assert word in text


def test_what_others_wrote_is_escaped() -> None:
    html = DataTable([Column("<a>")], [("<b>",)], "<c>")._repr_html_()
    for letter in "abc":
        assert f"&lt;{letter}&gt;" in html
        assert f"<{letter}>" not in html


def test_a_report_renders_with_its_problems() -> None:
    def endpoint(tag: str) -> Endpoint:
        prices = Pricing.from_wire({"prompt": "0.000001", "completion": "0.000002"})
        return Endpoint(
            model="a/b",
            provider=tag,
            tag=tag,
            pricing=prices,
            supported_parameters=frozenset({"tools"}),
        )

    good, bad = endpoint("good"), endpoint("<bad>")
    probes = [Probe(good, "text", "Hi"), Probe(bad, "text", "Hi"), Probe(good, "tools", "Hi")]
    usage = Usage(completion_tokens=100)
    route = Route(
        usage=usage, cost=0.0002, finish_reason="stop", time_to_first_token=0.25, elapsed=1.25
    )
    runs = [ProbeRun(probes[0], route), ProbeRun(probes[1], problem="no <answer>")]
    report = ProbeReport.of("a/b", probes, runs)
    html, text = report._repr_html_(), drawn(report, 100)
    assert "2 of 3 planned requests for 0.0002 USD." in text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    assert rows["good"] == ["1/1", "0.25", "s", "100", "0.20", "stop", "-"]
    assert rows["<bad>"] == ["0/1", "-"]
    assert "<bad>: no <answer>" in text
    assert "no &lt;answer&gt;" in html
    assert "<answer>" not in html
    assert report.preferences() == {"provider": {"order": ["good"], "ignore": ["<bad>"]}}


def test_a_route_renders_what_it_knows() -> None:
    route = Route(
        requested_model="openai/gpt-5",
        requested_models=("a/b",),
        model="a/b",
        provider="<Azure>",
        fallback_used=True,
        finish_reason="stop",
        native_finish_reason="end_turn",
        usage=Usage(prompt_tokens=12, completion_tokens=3),
        cost=0.00012,
        attempts=(Attempt("OpenAI", "openai/gpt-5", 429), Attempt("Azure", "a/b", 200)),
        elapsed=1.5,
    )
    facts = dict(line.split(None, 1) for line in drawn(route, 100).splitlines()[2:])
    assert {name: fact.strip() for name, fact in facts.items()} == {
        "requested": "openai/gpt-5, a/b",
        "model": "a/b (fallback)",
        "provider": "<Azure>",
        "finish": "stop (end_turn)",
        "tokens": "12 in, 3 out",
        "cost": "0.00012 USD",
        "tried": "OpenAI 429, Azure 200",
        "elapsed": "1.50 s",
    }
    assert "&lt;Azure&gt;" in route._repr_html_()
    assert len(drawn(Route(), 80).splitlines()) == 2
