"""How requests are sent: headers, timeouts, retries, clients of one's own, event loops."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage

from llamaindex_openrouter_routing import OpenRouter, record_routes
from openrouter_routing import errors
from tests.llamaindex.answers import respond, whole
from tests.scripted_server import (
    HANG,
    Recorded,
    ScriptedServer,
    chunk,
    error_answer,
    stream_answer,
)

MESSAGES = [ChatMessage(content="Hi")]


def test_headers(connection: dict[str, Any], server: ScriptedServer) -> None:
    llm = OpenRouter(
        "openai/gpt-5-mini",
        app_url="https://example.com",
        app_title="Mine",
        app_categories=["rag", "agents"],
        default_headers={"X-A": "1"},
        extra_headers={"X-B": "2"},
        **connection,
    )
    llm.complete("Hi", extra_headers={"X-A": "3"})
    sent = server.requests[0].headers
    assert sent["http-referer"] == "https://example.com"
    assert sent["x-openrouter-title"] == "Mine"
    assert sent["x-openrouter-categories"] == "rag,agents"
    assert (sent["x-a"], sent["x-b"]) == ("3", "2")


def fields_or_options(where: str, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return (fields, {}) if where == "instance" else ({}, fields)


@pytest.mark.parametrize("where", ["instance", "call"])
async def test_a_first_token_that_does_not_come(
    where: str, connection: dict[str, Any], server: ScriptedServer
) -> None:
    server.respond(lambda request: stream_answer(b": OPENROUTER PROCESSING\n\n", HANG))
    fields, options = fields_or_options(where, first_token_timeout=0.2)
    llm = OpenRouter("openai/gpt-5-mini", **fields, **connection)
    with pytest.raises(errors.APITimeoutError, match="first token"):
        list(llm.stream_chat(MESSAGES, **options))
    with pytest.raises(errors.APITimeoutError):
        [_ async for _ in await llm.astream_chat(MESSAGES, **options)]


@pytest.mark.parametrize("where", ["instance", "call"])
async def test_a_stream_that_stalls(
    where: str, connection: dict[str, Any], server: ScriptedServer
) -> None:
    server.respond(lambda request: stream_answer(chunk("Be"), HANG))
    fields, options = fields_or_options(where, idle_timeout=0.2)
    llm = OpenRouter("openai/gpt-5-mini", **fields, **connection)
    with pytest.raises(errors.StreamInterruptedError, match="stalled") as caught:
        list(llm.stream_chat(MESSAGES, **options))
    assert caught.value.partial.text == "Be"
    with pytest.raises(errors.StreamInterruptedError, match="stalled"):
        [_ async for _ in await llm.astream_chat(MESSAGES, **options)]


@pytest.mark.parametrize("where", ["instance", "call"])
async def test_an_answer_that_does_not_come(
    where: str, connection: dict[str, Any], server: ScriptedServer
) -> None:
    server.respond(lambda request: [HANG])
    fields, options = fields_or_options(where, timeout=0.2)
    llm = OpenRouter("openai/gpt-5-mini", **fields, **connection)
    with pytest.raises(errors.APITimeoutError):
        llm.chat(MESSAGES, **options)
    with pytest.raises(errors.APITimeoutError):
        await llm.achat(MESSAGES, **options)
    assert len(server.requests) == 2


@pytest.mark.parametrize("where", ["instance", "call"])
async def test_empty_answers(
    where: str, connection: dict[str, Any], server: ScriptedServer
) -> None:
    server.respond(lambda request: whole({"content": ""}, usage={"completion_tokens": 0}))
    fields, options = fields_or_options(where, on_empty="raise")
    llm = OpenRouter("openai/gpt-5-mini", **fields, **connection)
    with pytest.raises(errors.EmptyResponseError):
        llm.chat(MESSAGES, **options)
    lenient = OpenRouter("openai/gpt-5-mini", **connection)
    assert lenient.chat(MESSAGES).message.content == ""


@pytest.mark.parametrize("where", ["instance", "call"])
async def test_retries(where: str, connection: dict[str, Any], server: ScriptedServer) -> None:
    failure = error_answer(429, {"code": 429, "message": "slow"}, headers={"Retry-After": "0"})

    def flaky(request: Recorded) -> Any:
        return failure if len(server.requests) % 2 else respond(request)

    server.respond(flaky)
    del connection["max_retries"]
    fields, options = fields_or_options(where, max_retries=1)
    llm = OpenRouter("openai/gpt-5-mini", **fields, **connection)
    with record_routes() as log:
        assert llm.chat(MESSAGES, **options).message.content == "Echo: Hi"
        assert (await llm.achat(MESSAGES, **options)).message.content == "Echo: Hi"
        assert list(llm.stream_chat(MESSAGES, **options))[-1].message.content == "Echo: Hi"
    assert [route.retries for route in log] == [1, 1, 1]
    assert len(server.requests) == 6


async def test_clients_of_ones_own(connection: dict[str, Any], server: ScriptedServer) -> None:
    mine = {"headers": {"X-Mine": "yes"}}
    with httpx.Client(**mine) as client:
        async with httpx.AsyncClient(**mine) as aclient:
            llm = OpenRouter(
                "openai/gpt-5-mini", http_client=client, async_http_client=aclient, **connection
            )
            llm.chat(MESSAGES)
            list(llm.stream_chat(MESSAGES))
            await llm.achat(MESSAGES)
            [_ async for _ in await llm.astream_chat(MESSAGES)]
    assert [request.headers["x-mine"] for request in server.requests] == ["yes"] * 4


def test_many_event_loops_at_once_and_one_after_the_other(llm: OpenRouter) -> None:
    async def ask() -> str | None:
        answers = await asyncio.gather(*(llm.achat(MESSAGES) for _ in range(3)))
        return answers[-1].message.content

    texts: list[str | None] = [asyncio.run(ask()) for _ in range(2)]
    threads = [threading.Thread(target=lambda: texts.append(asyncio.run(ask()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["Echo: Hi"] * 6


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {"code": 401, "message": "No auth"}, errors.AuthenticationError),
        (402, {"code": 402, "message": "No credits"}, errors.InsufficientCreditsError),
        (429, {"code": 429, "message": "Slow down"}, errors.RateLimitError),
        (404, {"code": 404, "message": "No endpoints found"}, errors.NoEndpointsError),
    ],
)
def test_each_failure_has_its_class(
    status: int,
    error: dict[str, Any],
    kind: type[Exception],
    llm: OpenRouter,
    server: ScriptedServer,
) -> None:
    server.respond(lambda request: error_answer(status, error))
    with pytest.raises(kind) as caught:
        llm.complete("Hi")
    assert caught.value.status == status  # type: ignore[attr-defined]
