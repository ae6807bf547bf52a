"""`record_routes()` counts and sums what happened in a block, and stops it at a budget."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from openrouter_routing import (
    BadRequestError,
    BudgetExceeded,
    OpenRouterClient,
    Route,
    RouteLog,
    Usage,
    record_routes,
)
from openrouter_routing.recording import current_logs
from tests.asking import KEY, MESSAGES
from tests.scripted_server import (
    DONE,
    ScriptedServer,
    answer,
    chunk,
    json_answer,
    stream_answer,
)

FIRST = Route(
    requested_model="a/b",
    model="a/b",
    provider="OpenAI",
    cost=0.1,
    usage=Usage(prompt_tokens=3, completion_tokens=2),
)
SECOND = Route(requested_model="a/b", model="c/d", provider="Groq", cost=0.2, fallback_used=True)


def _log() -> RouteLog:
    log = RouteLog()
    log.add(FIRST)
    log.add(SECOND)
    return log


def test_sums_and_groups() -> None:
    log = _log()
    assert log.total_cost == Decimal("0.3")
    assert log.by_provider() == {"OpenAI": [FIRST], "Groq": [SECOND]}
    assert log.by_model() == {"a/b": [FIRST], "c/d": [SECOND]}
    assert log.fallbacks == [SECOND]
    assert (len(log), list(log), log[0]) == (2, [FIRST, SECOND], FIRST)


def test_blocks_nest_and_each_sees_its_own() -> None:
    with record_routes() as outer:
        with record_routes() as inner:
            assert current_logs() == (outer, inner)
        assert current_logs() == (outer,)
    assert current_logs() == ()


def test_the_same_block_may_be_entered_within_itself_and_counts_once() -> None:
    block = record_routes()
    with ScriptedServer() as server:
        server.respond(lambda _: json_answer(answer("Bern.")))
        client = OpenRouterClient(api_key=KEY, base_url=server.base_url)
        with block as outer, record_routes() as between:
            with block:
                client.chat(MESSAGES, model="a/b")
                assert len(outer) == 1
            client.chat(MESSAGES, model="a/b")
        assert (len(outer), len(between), current_logs()) == (2, 2, ())


def test_a_budget_stops_the_next_request() -> None:
    log = RouteLog(max_cost="0.25")
    log.add(FIRST)
    log.check_budget()
    log.add(SECOND)
    with pytest.raises(BudgetExceeded, match=r"spent 0.3 USD of max_cost=0.25 USD in 2 requests"):
        log.check_budget()


@pytest.mark.parametrize("limit", [-1, "cheap", float("nan")])
def test_a_budget_is_an_amount(limit: float | str) -> None:
    with pytest.raises(BadRequestError, match="max_cost"):
        record_routes(max_cost=limit)


def test_exports(tmp_path: Path) -> None:
    log = _log()
    text = log.to_jsonl(tmp_path / "routes.jsonl")
    assert (tmp_path / "routes.jsonl").read_text() == text
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["provider"] for row in rows] == ["OpenAI", "Groq"]
    frame = log.to_pandas()
    assert list(frame["provider"]) == ["OpenAI", "Groq"]
    assert frame["cost"].sum() == pytest.approx(0.3)
    assert frame["prompt_tokens"].iloc[0] == 3


def test_tables_show_every_request() -> None:
    log = _log()
    console = Console(width=140, file=io.StringIO())
    console.print(log)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    html = log._repr_html_()
    for word in ("c/d", "OpenAI", "Groq", "3 + 2", "2 requests, 1 fallback, 0.3 USD"):
        assert word in shown
        assert word in html
    assert repr(log) == "<RouteLog: 2 requests, 1 fallback, 0.3 USD>"


def test_what_a_broken_stream_cost_is_unknown_and_not_nothing() -> None:
    log = _log()
    log.add(Route(requested_model="a/b", model="a/b", provider="Groq"))
    assert log.unpriced == [log[2]]
    assert repr(log) == "<RouteLog: 3 requests, 1 fallback, 0.3 USD and 1 of unknown cost>"
    frame = log.to_pandas()
    assert frame["total_cost"].sum() == pytest.approx(0.3)
    assert frame["total_cost"].isna().tolist() == [False, False, True]


COSTLY = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost": 1.0}


def test_a_budget_holds_for_streams_that_were_made_before_it_was_spent() -> None:
    with ScriptedServer() as server:
        end = {**chunk(finish_reason="stop"), "usage": COSTLY}
        server.respond(lambda _: stream_answer(chunk("Bern."), end, DONE))
        client = OpenRouterClient(api_key=KEY, base_url=server.base_url)
        with record_routes(max_cost=1) as log:
            streams = [client.stream(MESSAGES, model="a/b") for _ in range(3)]
            assert [delta.content for delta in streams[0]] == ["Bern."]
            for stream in streams[1:]:
                with pytest.raises(BudgetExceeded):
                    list(stream)
        assert (len(server.requests), len(log)) == (1, 1)


def test_a_budget_holds_for_the_retries_of_billed_answers() -> None:
    with ScriptedServer() as server:
        empty = answer("", usage={**COSTLY, "completion_tokens": 0})
        server.respond(lambda _: json_answer(empty))
        settings = {"max_retries": 4, "max_retry_wait": 0.01, "on_empty": "retry"}
        client = OpenRouterClient(api_key=KEY, base_url=server.base_url, **settings)
        with record_routes(max_cost=1.5) as log, pytest.raises(BudgetExceeded):
            client.chat(MESSAGES, model="a/b")
        assert (len(server.requests), log.total_cost) == (2, 2)
