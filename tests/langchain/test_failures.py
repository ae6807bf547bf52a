"""What fails is what LangChain's own means of trying again and falling back know how to take."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core import exceptions as lc
from langchain_core.messages import AIMessage, HumanMessage

from langchain_openrouter_routing import ChatOpenRouter
from openrouter_routing import StreamInterruptedError
from tests.scripted_server import (
    CLOSE,
    DONE,
    ScriptedServer,
    answer,
    chunk,
    error_answer,
    json_answer,
    stream_answer,
)

OVERFLOW = error_answer(
    400,
    {"code": 400, "message": "Too long", "metadata": {"error_type": "context_length_exceeded"}},
)
LIMITED = error_answer(429, {"code": 429, "message": "Slow down"})
REFUSED = error_answer(401, {"code": 401, "message": "No such key"})
OK = json_answer(answer())


@pytest.fixture
def model(server: ScriptedServer) -> ChatOpenRouter:
    return ChatOpenRouter(
        model="openai/gpt-5-mini",
        api_key="sk-or-v1-secret",
        base_url=server.base_url,
        max_retries=0,
    )


@pytest.mark.parametrize(
    ("played", "kind", "retryable"),
    [
        (OVERFLOW, lc.ContextOverflowError, False),
        (LIMITED, lc.ModelRateLimitError, True),
        (REFUSED, lc.ModelAuthenticationError, False),
        ([CLOSE], lc.ModelConnectionError, True),
        (stream_answer(chunk("Be"), CLOSE), lc.ModelAPIError, True),
    ],
)
def test_each_failure_is_a_model_error(
    server: ScriptedServer, model: ChatOpenRouter, played: Any, kind: Any, retryable: bool
) -> None:
    server.play(played)
    with pytest.raises(kind) as caught:
        list(model.stream("Hi"))
    assert isinstance(caught.value, lc.ModelError)
    assert caught.value.is_retryable is retryable


def test_with_retry_takes_langchains_own_classes(
    server: ScriptedServer, model: ChatOpenRouter
) -> None:
    again = model.with_retry(
        retry_if_exception_type=(lc.ModelRateLimitError,),
        wait_exponential_jitter=False,
        stop_after_attempt=2,
    )
    server.play(LIMITED, OK)
    assert again.invoke("Hi").text == "Bern."
    server.play(REFUSED)
    with pytest.raises(lc.ModelAuthenticationError):
        again.invoke("Hi")
    assert len(server.requests) == 3


async def test_with_fallbacks_goes_on_where_a_model_failed(
    server: ScriptedServer, model: ChatOpenRouter
) -> None:
    backup = model.model_copy(update={"temperature": 0.5})
    both = model.with_fallbacks([backup], exceptions_to_handle=(lc.ModelAPIError,))
    busy = error_answer(502, {"code": 502, "message": "gone"})
    server.play(busy, OK, busy, stream_answer(chunk("Bern.", finish_reason="stop"), DONE))
    assert (await both.ainvoke("Hi")).text == "Bern."
    assert "".join([str(part.text) async for part in both.astream("Hi")]) == "Bern."
    assert [request.json.get("temperature") for request in server.requests] == [None, 0.5] * 2


def test_a_stream_that_broke_off_is_not_begun_anew_by_fallbacks(
    server: ScriptedServer, model: ChatOpenRouter
) -> None:
    """A fallback after the first piece would glue two answers together."""
    both = model.with_fallbacks([model])
    server.play(stream_answer(chunk("Be"), CLOSE))
    with pytest.raises(StreamInterruptedError) as caught:
        list(both.stream("Hi"))
    assert caught.value.partial.text == "Be"
    assert len(server.requests) == 1


async def test_summarization_shortens_what_overflowed(
    server: ScriptedServer, model: ChatOpenRouter
) -> None:
    middleware: Any = SummarizationMiddleware(
        model=model, trigger=("messages", 3), keep=("messages", 1)
    )
    history = [HumanMessage("Bern " * 400), AIMessage("Zug " * 400), HumanMessage("Basel " * 400)]
    server.play(OVERFLOW, OK)
    assert await middleware._acreate_summary(history) == "Bern."
    first, second = (len(request.body) for request in server.requests)
    assert second < first
