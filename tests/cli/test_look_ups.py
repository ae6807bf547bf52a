"""`endpoints`, `models`, `providers`, `generation` and `credits`: what the service tells, as tables and JSON."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openrouter_routing.catalog import Catalog
from openrouter_routing.client import OpenRouterClient
from openrouter_routing.emulator import Emulator, Scripted
from tests.cli.conftest import Run

LLAMA = "meta-llama/llama-3.3-70b-instruct"
MINI = "openai/gpt-4o-mini"


def test_endpoints_are_shown_with_all_their_figures(run: Run, emulator: Emulator) -> None:
    ran = run("endpoints", LLAMA)
    title, headings, _, *rows = ran.out.splitlines()
    assert title == f"{LLAMA}: 8 endpoints, by price"
    for heading in ("$/M in", "latency", "tok/s", "uptime", "context", "quant", "data", "can"):
        assert heading in headings
    assert rows[0].split() == [
        "deepinfra/turbo", "0.10", "0.32", "0.61", "s", "44", "99.6%", "131k", "16.4k", "fp8",
        "zdr", "tools",
    ]  # fmt: skip
    assert len(rows) == 8


@pytest.mark.parametrize(
    ("key", "first"),
    [
        ("price", "deepinfra/turbo"),
        ("latency", "cerebras"),
        ("throughput", "cerebras"),
        ("uptime", "together"),
        ("provider", "cerebras"),
    ],
)
def test_endpoints_are_sorted(run: Run, emulator: Emulator, key: str, first: str) -> None:
    listed = run("endpoints", LLAMA, "--sort", key, "--json").json["endpoints"]
    assert listed[0]["tag"] == first


def test_an_unknown_sort_key_is_wrong_usage(run: Run, emulator: Emulator) -> None:
    ran = run("endpoints", LLAMA, "--sort", "prise")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean 'price'" in ran.err


def test_endpoints_of_several_models_name_the_model(run: Run, emulator: Emulator) -> None:
    ran = run("endpoints", LLAMA, MINI)
    assert "13 endpoints" in ran.out
    assert (
        next(line for line in ran.out.splitlines() if line.startswith("groq")).split()[1] == LLAMA
    )


def test_saved_endpoints_are_a_catalog(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    ran = run("endpoints", LLAMA, "--save", str(file), "--json")
    assert f"Saved 8 endpoints to {file}." in ran.err
    saved = Catalog.load(file)
    assert len(saved.model(LLAMA).endpoints) == len(ran.json["endpoints"]) == 8
    assert {endpoint.tag for endpoint in saved.endpoints if endpoint.zdr} >= {"groq", "together"}


def test_a_file_that_cannot_be_written_is_an_error(
    run: Run, emulator: Emulator, tmp_path: Path
) -> None:
    ran = run("endpoints", LLAMA, "--save", str(tmp_path / "no" / "where.json"))
    assert ran.code == 1
    assert "No such file or directory" in ran.err


def test_models_are_searched_filtered_and_limited(run: Run, emulator: Emulator) -> None:
    assert [m["id"] for m in run("models", "LLAMA free", "--json").json["models"]] == [
        f"{LLAMA}:free"
    ]
    cheap = run("models", "--can", "tools,reasoning", "--sort", "price", "--limit", "2", "--json")
    assert cheap.json["count"] > len(cheap.json["models"]) == 2
    assert all("reasoning" in m["supported_parameters"] for m in cheap.json["models"])
    free = run("models", "--free").out.splitlines()
    assert free[0] == "1 model, by created"
    assert free[3].split()[:3] == [f"{LLAMA}:free", "0.00", "0.00"]


def test_no_match_is_exit_code_1(run: Run, emulator: Emulator) -> None:
    for verb, what in (("models", "model"), ("providers", "provider")):
        ran = run(verb, "nothing-like-it", "--json")
        assert (ran.code, ran.json["count"]) == (1, 0)
        assert ran.err == f"No {what} matches.\n"


def test_providers_are_listed_by_slug(run: Run, emulator: Emulator) -> None:
    ran = run("providers", "azure")
    assert ran.out.splitlines()[3].split()[:2] == ["azure", "Azure"]
    slugs = [provider["slug"] for provider in run("providers", "--json").json["providers"]]
    assert slugs == sorted(slugs)
    assert "groq" in slugs


def test_a_generation_is_waited_for_and_shown(run: Run, emulator: Emulator) -> None:
    with OpenRouterClient() as client:
        answer = client.chat([{"role": "user", "content": "Hi"}], model=MINI, only=["azure"])
    name = answer.route.generation_id
    assert name is not None
    facts = dict(
        re.split(" {2,}", line, maxsplit=1) for line in run("generation", name).out.splitlines()
    )
    assert facts["generation"] == name
    assert facts["provider"] == "Azure"
    assert facts["cost"].endswith(" USD")
    assert run("generation", name, "--json").json["provider_name"] == "Azure"


def test_a_generation_that_is_not_there_is_an_error(run: Run, emulator: Emulator) -> None:
    ran = run("generation", "gen-nowhere", "--wait", "0")
    assert (ran.code, ran.out) == (1, "")
    assert "there is no generation 'gen-nowhere'" in ran.err


def test_credits_are_what_is_left(run: Run, emulator: Emulator) -> None:
    facts = run("credits", "--json").json
    assert list(facts) == ["account", "remaining", "key"]
    assert facts["remaining"] == 100
    assert "account left  100.00 USD" in run("credits").out


def test_credits_kept_from_the_key_leave_the_limits_of_the_key(
    run: Run, emulator: Emulator
) -> None:
    body = {"error": {"code": 403, "message": "Only management keys can fetch credits"}}
    emulator.script([Scripted(body, status=403)], path="/credits")
    ran = run("credits")
    assert ran.code == 0
    assert "account left" not in ran.out
    assert "key limit" in ran.out
    assert "management keys" in ran.err


def test_a_refused_key_is_an_error_without_the_key(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Emulator(api_key="sk-or-v1-right") as strict:
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-wrong")
        ran = run("credits", "--base-url", strict.base_url)
    assert (ran.code, ran.out) == (1, "")
    assert "401" in ran.err
    assert "sk-or-v1-wrong" not in ran.err


def test_without_a_key_the_message_says_where_to_get_one(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    ran = run("credits")
    assert ran.code == 1
    assert "https://openrouter.ai/keys" in ran.err
