"""OpenAI's client against the emulator, with OpenRouter's own fields through `extra_body`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openrouter_routing.emulator import Emulator

from .asking import CLAUDE, MODEL, SUM, TRIP, WEATHER
from .foreign import ForeignClient, ForeignError

ASKED = [{"role": "user", "content": SUM}]
LONG = [{"role": "user", "content": "Say exactly: Grüße aus Köln 🎉 und bis bald"}]
FALLBACK = {"models": ["openai/gpt-5-mini"], "provider": {"order": ["azure"]}}


@pytest.mark.parametrize("case", ["chat", "chat_async"])
def test_chats(openai: ForeignClient, case: str) -> None:
    answer = openai.do(case, model=MODEL, messages=ASKED)
    assert answer["choices"][0]["message"]["content"] == "5"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] > 1
    assert answer["provider"] in ("Azure", "OpenAI")


def test_tells_the_generation_in_a_header(openai: ForeignClient) -> None:
    told = openai.do("raw", model=MODEL, messages=ASKED)
    assert told["headers"]["x-generation-id"] == told["answer"]["id"]
    assert "emulator" in told["headers"]["server"]


@pytest.mark.parametrize("case", ["chunks", "chunks_async"])
def test_streams_chunks(openai: ForeignClient, case: str) -> None:
    chunks = openai.do(case, model=MODEL, messages=LONG, stream_options={"include_usage": True})
    text = "".join(c["choices"][0]["delta"]["content"] or "" for c in chunks if c["choices"])
    assert text == "Grüße aus Köln 🎉 und bis bald"
    assert chunks[-1]["usage"]["cost"] > 0
    assert {chunk["model"] for chunk in chunks} == {MODEL}


def test_streams_into_its_own_accumulator(openai: ForeignClient) -> None:
    streamed = openai.do("stream", model=MODEL, messages=LONG)
    assert "content.done" in streamed["kinds"]
    choice = streamed["whole"]["choices"][0]
    assert choice["message"]["content"] == "Grüße aus Köln 🎉 und bis bald"
    assert choice["finish_reason"] == "stop"


def test_streams_survive_writes_cut_anywhere(openai: ForeignClient, guarded: Emulator) -> None:
    chunks = openai.do("chunks", url=guarded.base_url, model=MODEL, messages=LONG)
    text = "".join(c["choices"][0]["delta"]["content"] or "" for c in chunks if c["choices"])
    assert text == "Grüße aus Köln 🎉 und bis bald"


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
def test_calls_tools_and_sends_its_own_objects_back(openai: ForeignClient, model: str) -> None:
    first, second = openai.do("tools", prompt=WEATHER, model=model)
    (call,) = first["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert first["choices"][0]["finish_reason"] == "tool_calls"
    assert second["choices"][0]["message"]["content"] == "17 degrees and rain"
    assert [sent.status for sent in openai.sent] == [200, 200]


def test_streams_tool_calls(openai: ForeignClient) -> None:
    streamed = openai.do("stream_tools", prompt=WEATHER, model=MODEL)
    assert "tool_calls.function.arguments.done" in streamed["kinds"]
    choice = streamed["whole"]["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}


def test_parses_structured_output(openai: ForeignClient) -> None:
    assert openai.do("parsed", prompt=TRIP, model=MODEL) == {"city": "Paris", "days": 2}


def test_routes_by_what_its_extra_body_says(openai: ForeignClient, emulator: Emulator) -> None:
    assert (
        openai.do("chat", model=MODEL, messages=ASKED, extra_body=FALLBACK)["provider"] == "Azure"
    )
    emulator.fault(model=MODEL, kind="down")
    answer = openai.do("chat", model=MODEL, messages=ASKED, extra_body=FALLBACK)
    assert answer["model"] == "openai/gpt-5-mini"


def test_lists_models(openai: ForeignClient, emulator: Emulator) -> None:
    listed = {model["id"] for model in openai.do("models")}
    assert MODEL in listed
    assert listed <= {model.id for model in emulator.catalog.models}


@pytest.mark.parametrize("asked", [{}, {"encoding_format": "float"}, {"dimensions": 64}])
def test_embeds(openai: ForeignClient, asked: dict[str, Any]) -> None:
    texts = ["red wine", "red wine and cheese"]
    answer = openai.do("embeddings", model="openai/text-embedding-3-small", input=texts, **asked)
    assert [entry["index"] for entry in answer["data"]] == [0, 1]
    vector = answer["data"][0]["embedding"]
    assert len(vector) == asked.get("dimensions", 1536)
    assert sum(number * number for number in vector) == pytest.approx(1, abs=1e-5)
    assert answer["model"] == "openai/text-embedding-3-small"


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ({"kind": "rate_limited", "retry_after": 1}, "RateLimitError", 429),
        ({"kind": "down"}, "InternalServerError", 503),
        ({"kind": "moderation"}, "PermissionDeniedError", 403),
        ({"kind": "context_length"}, "BadRequestError", 400),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else str(value),
)
def test_failures_are_the_errors_it_knows(
    openai: ForeignClient, emulator: Emulator, fault: dict[str, Any], kind: str, status: int
) -> None:
    emulator.fault(**fault)
    with pytest.raises(ForeignError) as caught:
        openai.do("chat", model=MODEL, messages=ASKED)
    assert (caught.value.kind, caught.value.status) == (kind, status)


def test_refusals_are_the_errors_it_knows(openai: ForeignClient, guarded: Emulator) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"model": "openai/gpt-4o-mimi"}, "BadRequestError"),
        ({"model": MODEL, "temperature": 3}, "BadRequestError"),
        ({"model": MODEL, "extra_body": {"provider": {"only": ["groq"]}}}, "NotFoundError"),
        ({"model": MODEL, "key": "wrong", "url": guarded.base_url}, "AuthenticationError"),
    ]
    for request, kind in refused:
        with pytest.raises(ForeignError) as caught:
            openai.do("chat", messages=ASKED, **request)
        assert caught.value.kind == kind


def test_its_retries_reach_the_answer(openai: ForeignClient, emulator: Emulator) -> None:
    emulator.fault(kind="availability", code="temporarily_unavailable", times=1)
    answer = openai.do("chat", max_retries=1, model=MODEL, messages=ASKED)
    assert answer["choices"][0]["message"]["content"] == "5"
    assert [sent.status for sent in openai.sent] == [503, 200]


def test_errors_in_a_stream_are_raised(openai: ForeignClient, emulator: Emulator) -> None:
    emulator.fault(kind="mid_stream_error")
    with pytest.raises(ForeignError) as caught:
        openai.do("chunks", model=MODEL, messages=LONG)
    assert caught.value.kind == "APIError"
