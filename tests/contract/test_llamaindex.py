"""The LlamaIndex model that people use today, against the emulator."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_routing.emulator import Emulator

from .asking import CLAUDE, MODEL, SUM, TRIP, WEATHER
from .foreign import ForeignClient, ForeignError

LONG = "Say exactly: Grüße aus Köln 🎉 und bis bald"


@pytest.mark.parametrize("case", ["chat", "chat_async"])
def test_chats(llamaindex: ForeignClient, case: str) -> None:
    told = llamaindex.do(case, prompt=SUM, model=MODEL)
    assert told["text"] == "5"
    assert told["raw"]["provider"] in ("Azure", "OpenAI")
    # The limit and the temperature that it adds by itself are taken.
    (sent,) = llamaindex.sent
    assert sent.status == 200
    assert {"max_tokens", "temperature"} <= set(sent.body)


@pytest.mark.parametrize("case", ["stream", "stream_async"])
def test_streams(llamaindex: ForeignClient, case: str) -> None:
    told = llamaindex.do(case, prompt=LONG, model=MODEL)
    assert told["text"] == "".join(told["deltas"]) == "Grüße aus Köln 🎉 und bis bald"
    assert len(told["deltas"]) > 2


def test_streams_survive_writes_cut_anywhere(llamaindex: ForeignClient, guarded: Emulator) -> None:
    told = llamaindex.do("stream", prompt=LONG, model=MODEL, url=guarded.base_url)
    assert told["text"] == "Grüße aus Köln 🎉 und bis bald"


@pytest.mark.parametrize("case", ["complete", "stream_complete"])
def test_completes(llamaindex: ForeignClient, case: str) -> None:
    assert llamaindex.do(case, prompt=SUM, model=MODEL) == "5"


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
@pytest.mark.parametrize("case", ["tools", "stream_tools"])
def test_calls_tools(llamaindex: ForeignClient, case: str, model: str) -> None:
    (call,) = llamaindex.do(case, prompt=WEATHER, model=model)
    assert call["name"] == "get_weather"
    assert call["city"] == "Paris"
    assert call["id"].startswith("call_")


def test_agents_finish(llamaindex: ForeignClient) -> None:
    assert "17 degrees and rain in Paris" in llamaindex.do("agent", prompt=WEATHER, model=MODEL)
    assert [sent.status for sent in llamaindex.sent] == [200, 200]


def test_structured_output(llamaindex: ForeignClient) -> None:
    trip = llamaindex.do("structured", prompt=TRIP, model=MODEL)
    assert trip == {"city": "Paris", "days": 2}


def test_routes_by_what_it_sends(llamaindex: ForeignClient, emulator: Emulator) -> None:
    fields: dict[str, Any] = {"model": MODEL, "order": ["azure"], "allow_fallbacks": False}
    assert llamaindex.do("chat", prompt=SUM, **fields)["raw"]["provider"] == "Azure"
    emulator.fault(provider="azure", kind="down")
    with pytest.raises(ForeignError) as caught:
        llamaindex.do("chat", prompt=SUM, **fields)
    assert (caught.value.kind, caught.value.status) == ("InternalServerError", 503)
    call = {"extra_body": {"models": [CLAUDE], "provider": {"order": ["azure"]}}}
    emulator.fault(model=MODEL, kind="rate_limited")
    told = llamaindex.do("chat", prompt=SUM, model=MODEL, call=call)
    assert told["raw"]["model"] == CLAUDE


def test_refusals_are_the_errors_it_knows(llamaindex: ForeignClient, guarded: Emulator) -> None:
    for fields, kind in (
        ({"model": "openai/gpt-4o-mimi"}, "BadRequestError"),
        ({"model": MODEL, "order": ["groq"], "allow_fallbacks": False}, "NotFoundError"),
        ({"model": MODEL, "key": "wrong", "url": guarded.base_url}, "AuthenticationError"),
    ):
        with pytest.raises(ForeignError) as caught:
            llamaindex.do("chat", prompt=SUM, **fields)
        assert caught.value.kind == kind
