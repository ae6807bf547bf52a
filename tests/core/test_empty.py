"""Finished answers that hold nothing, and those that only thought."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import stamina

from openrouter_routing import EmptyResponseError, record_routes
from tests.asking import WAYS, ask
from tests.scripted_server import DONE, ScriptedServer, answer, chunk, json_answer, stream_answer

NO_TOKENS = {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9, "cost": 0.0}
ALL_THOUGHT = {
    "prompt_tokens": 9,
    "completion_tokens": 64,
    "total_tokens": 73,
    "completion_tokens_details": {"reasoning_tokens": 64},
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with stamina.set_testing(True, attempts=100, cap=True), ScriptedServer() as server:
        yield server


def played(way: str, message: dict[str, Any], finish: str, usage: dict[str, Any]) -> Any:
    if "stream" in way:
        return stream_answer(
            chunk(None, delta=message),
            chunk(finish_reason=finish),
            {**chunk(), "choices": [], "usage": usage},
            DONE,
        )
    body = answer(usage=usage)
    body["choices"][0].update(message=message, finish_reason=finish)
    return json_answer(body)


pytestmark = pytest.mark.parametrize("way", WAYS)


def test_ignored_unless_asked_for(server: ScriptedServer, way: str) -> None:
    server.play(played(way, {"content": ""}, "stop", NO_TOKENS))
    assert ask(way, server).text == ""


@pytest.mark.parametrize("content", ["", None])
@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
def test_raised(server: ScriptedServer, way: str, content: str | None, finish: str) -> None:
    server.play(played(way, {"content": content}, finish, NO_TOKENS))
    error = ask(way, server, on_empty="raise", max_retries=3).failure
    assert isinstance(error, EmptyResponseError)
    assert (error.code, error.retryable, error.generation_id) == ("empty", True, "gen-1")
    assert error.completion.route.cost == 0
    assert len(server.requests) == 1


def test_asked_again(server: ScriptedServer, way: str) -> None:
    server.play(
        played(way, {"content": ""}, "stop", NO_TOKENS),
        played(way, {"content": "Bern."}, "stop", NO_TOKENS),
    )
    outcome = ask(way, server, on_empty="retry", max_retries=1)
    assert outcome.text == "Bern."
    assert outcome.completion.route.retries == 1  # type: ignore[union-attr]


def test_asked_again_in_vain(server: ScriptedServer, way: str) -> None:
    server.play(played(way, {"content": ""}, "stop", NO_TOKENS))
    assert ask(way, server, on_empty="retry", max_retries=2).failure.retries == 2
    assert len(server.requests) == 3


@pytest.mark.parametrize("mode", ["raise", "retry"])
def test_all_tokens_went_into_reasoning(server: ScriptedServer, way: str, mode: str) -> None:
    server.play(played(way, {"content": "", "reasoning": "Hm."}, "length", ALL_THOUGHT))
    error = ask(way, server, on_empty=mode, max_retries=2).failure
    assert isinstance(error, EmptyResponseError)
    assert error.code == "reasoning_exhausted"
    assert "64 tokens" in error.message
    assert "max_tokens" in error.message
    # The same request would end the same way.
    assert (error.retryable, len(server.requests)) == (False, 1)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Bern."},
        {"refusal": "No."},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "now", "arguments": ""}}]},
        {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
        {"audio": {"id": "audio_1", "data": "AA=="}},
    ],
)
def test_what_holds_something_is_not_empty(
    server: ScriptedServer, way: str, message: dict[str, Any]
) -> None:
    server.play(played(way, message, "stop", NO_TOKENS))
    assert ask(way, server, on_empty="raise").completion is not None


def test_tokens_without_text_are_not_nothing(server: ScriptedServer, way: str) -> None:
    server.play(played(way, {"content": ""}, "stop", ALL_THOUGHT))
    assert ask(way, server, on_empty="raise").text == ""


def test_every_answer_that_was_asked_for_is_recorded(server: ScriptedServer, way: str) -> None:
    billed = {**NO_TOKENS, "cost": 0.25}
    message = {"content": "Bern."}
    server.play(played(way, {"content": ""}, "stop", billed), played(way, message, "stop", billed))
    with record_routes() as log:
        assert ask(way, server, on_empty="retry", max_retries=1).text == "Bern."
    assert len(server.requests) == len(log) == 2
    assert log.total_cost == Decimal("0.5")
