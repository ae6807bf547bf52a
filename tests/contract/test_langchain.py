"""The LangChain model that people use today, with the old SDK below it, against the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_routing.emulator import Emulator

from .asking import CLAUDE, MODEL, SUM, TRIP, WEATHER
from .foreign import ForeignClient, ForeignError

LONG = "Say exactly: Grüße aus Köln 🎉 und bis bald"


@pytest.mark.parametrize("case", ["chat", "chat_async"])
def test_chats(langchain: ForeignClient, case: str) -> None:
    told = langchain.do(case, prompt=SUM, model=MODEL)
    assert told["text"] == "5"
    assert told["metadata"]["model_name"] == MODEL
    assert told["metadata"]["finish_reason"] == "stop"
    assert told["metadata"]["cost"] > 0
    assert told["usage"]["total_tokens"] > 1
    assert [sent.status for sent in langchain.sent] == [200]


@pytest.mark.parametrize("case", ["stream", "stream_async"])
def test_streams(langchain: ForeignClient, case: str) -> None:
    told = langchain.do(case, prompt=LONG, model=MODEL)
    assert told["text"] == "Grüße aus Köln 🎉 und bis bald"
    assert told["parts"] > 2
    assert told["metadata"]["finish_reason"] == "stop"
    assert told["usage"]["output_tokens"] > 1


def test_streams_survive_writes_cut_anywhere(langchain: ForeignClient, guarded: Emulator) -> None:
    told = langchain.do("stream", prompt=LONG, model=MODEL, url=guarded.base_url)
    assert told["text"] == "Grüße aus Köln 🎉 und bis bald"


def test_batches(langchain: ForeignClient) -> None:
    words = [f"word{number}" for number in range(8)]
    assert langchain.do("batch", prompts=[f"Say {word}" for word in words], model=MODEL) == words


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
def test_calls_tools_and_answers_from_them(langchain: ForeignClient, model: str) -> None:
    first, second = langchain.do("tools", prompt=WEATHER, model=model)
    (call,) = first["calls"]
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    assert first["metadata"]["finish_reason"] == "tool_calls"
    assert second["text"] == "17 degrees and rain in Paris"
    assert [sent.status for sent in langchain.sent] == [200, 200]


def test_streams_tool_calls(langchain: ForeignClient) -> None:
    told = langchain.do("stream_tools", prompt=WEATHER, model=MODEL)
    (call,) = told["calls"]
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    assert told["metadata"]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_structured_output(langchain: ForeignClient, method: str) -> None:
    trip = langchain.do("structured", prompt=TRIP, method=method, model=MODEL)
    assert trip == {"city": "Paris", "days": 2}


@pytest.mark.parametrize("case", ["chat", "stream"])
def test_reasons(langchain: ForeignClient, case: str) -> None:
    told = langchain.do(case, prompt=SUM, model=CLAUDE, reasoning={"effort": "low"})
    assert told["text"] == "5"
    assert SUM in told["extra"]["reasoning_content"]
    assert told["usage"]["output_token_details"]["reasoning"] > 0


def test_routes_by_what_it_sends(langchain: ForeignClient, emulator: Emulator) -> None:
    fields: dict[str, Any] = {
        "model": MODEL,
        "openrouter_provider": {"order": ["azure"], "allow_fallbacks": False},
    }
    assert langchain.do("chat", prompt=SUM, **fields)["text"] == "5"
    # Not a 5xx: without a number of retries its SDK tries those again for an hour.
    emulator.fault(provider="azure", kind="moderation")
    with pytest.raises(ForeignError) as caught:
        langchain.do("chat", prompt=SUM, **fields)
    assert caught.value.kind == "ForbiddenResponseError"
    emulator.fault(model=MODEL, kind="rate_limited")
    told = langchain.do("chat", prompt=SUM, model=MODEL, call={"models": [CLAUDE]})
    assert told["metadata"]["model_name"] == CLAUDE


def test_names_the_application(langchain: ForeignClient) -> None:
    named = {
        "app_url": "https://example.com",
        "app_title": "An app",
        "app_categories": ["cli-agent"],
    }
    assert langchain.do("chat", prompt=SUM, model=MODEL, **named)["text"] == "5"
    (sent,) = langchain.sent
    assert sent.headers["http-referer"] == "https://example.com"
    assert sent.headers["x-openrouter-categories"] == "cli-agent"


def test_refusals_are_the_errors_it_knows(langchain: ForeignClient, guarded: Emulator) -> None:
    for fields, kind in (
        ({"model": "openai/gpt-4o-mimi"}, "BadRequestResponseError"),
        ({"model": MODEL, "openrouter_provider": {"only": ["groq"]}}, "NotFoundResponseError"),
        (
            {"model": MODEL, "key": "wrong", "url": guarded.base_url},
            "UnauthorizedResponseError",
        ),
    ):
        with pytest.raises(ForeignError) as caught:
            langchain.do("chat", prompt=SUM, **fields)
        assert caught.value.kind == kind
