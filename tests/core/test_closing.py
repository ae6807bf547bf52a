"""Closing a stream from outside its loop, and that a stream which has ended leaves everybody else alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from openrouter_routing import (
    APITimeoutError,
    AsyncOpenRouterClient,
    OpenRouterClient,
    StreamInterruptedError,
)
from tests.asking import KEY, MESSAGES
from tests.scripted_server import (
    CLOSE,
    DONE,
    HANG,
    ScriptedServer,
    answer,
    chunk,
    error_answer,
    json_answer,
    stream_answer,
)

MODEL = "openai/gpt-5-mini"
END = chunk(finish_reason="tool_calls")
CALL = {"index": 0, "type": "function", "function": {"name": "now", "arguments": "{}"}}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def sync_client(server: ScriptedServer, **options: Any) -> OpenRouterClient:
    return OpenRouterClient(api_key=KEY, base_url=server.base_url, **options)


def async_client(server: ScriptedServer, **options: Any) -> AsyncOpenRouterClient:
    return AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url, **options)


def reading(stream: Any) -> tuple[threading.Thread, list[BaseException]]:
    """Read a stream in a thread."""
    caught: list[BaseException] = []

    def work() -> None:
        try:
            list(stream)
        except StreamInterruptedError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, caught


def test_closing_before_the_headers_are_there_ends_the_wait_with_them(
    server: ScriptedServer,
) -> None:
    stream = sync_client(server).stream(MESSAGES, model=MODEL)
    arrived, closed = threading.Event(), threading.Event()

    def respond(_: Any) -> list[Any]:
        # The headers come when the stream has been closed, and with them the whole answer.
        arrived.set()
        closed.wait(20)
        return stream_answer(chunk("Bern."), END, DONE)

    server.respond(respond)
    thread, caught = reading(stream)
    assert arrived.wait(20)
    stream.close()
    closed.set()
    thread.join(20)
    assert [getattr(error, "code", None) for error in caught] == ["closed"]


def test_closing_while_a_retry_is_waited_for_sends_nothing_more(server: ScriptedServer) -> None:
    server.play(
        error_answer(429, {"code": 429, "message": "busy"}, headers={"retry-after": "0.5"}),
        stream_answer(chunk("Bern."), END, DONE),
    )
    stream = sync_client(server, max_retries=1).stream(MESSAGES, model=MODEL)
    thread, caught = reading(stream)
    assert server.wait_for(
        lambda: server.requests[0].answered.is_set() if server.requests else False
    )
    stream.close()
    thread.join(20)
    assert [getattr(error, "code", None) for error in caught] == ["closed"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("own_client", [False, True])
async def test_another_task_may_close_a_stream(server: ScriptedServer, own_client: bool) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    async with httpx.AsyncClient() as http:
        client = async_client(server, http_async_client=http if own_client else None)
        stream = client.stream(MESSAGES, model=MODEL)
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in stream:
                begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        await asyncio.sleep(0)  # the reader is back at the connection
        await stream.aclose()
        with pytest.raises(StreamInterruptedError) as caught:
            await asyncio.wait_for(task, 20)
        assert (caught.value.code, caught.value.partial.text) == ("closed", "Be")
        assert await asyncio.to_thread(server.wait_for, server.requests[0].disconnected.is_set)


def test_a_request_made_with_the_last_delta_is_left_alone(server: ScriptedServer) -> None:
    """The id of a call that came without one is handed on last, when the connection already serves others."""
    fragment = chunk(delta={"tool_calls": [CALL]})
    server.play(
        stream_answer(chunk("a"), fragment, END, DONE),
        [0.6, *json_answer(answer())],
    )
    client = sync_client(server, max_retries=0)
    answers = []
    for delta in client.stream(MESSAGES, model=MODEL):
        if delta.tool_calls and delta.tool_calls[0].id:
            answers.append(client.chat(MESSAGES, model=MODEL).text)
    assert answers == ["Bern."]
    assert server.connections == 1


def test_the_first_token_limit_is_one_of_the_wait_for_a_connection_too(
    server: ScriptedServer,
) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    with httpx.Client(limits=httpx.Limits(max_connections=1)) as http:
        client = sync_client(
            server, http_client=http, max_retries=0, timeout=60, first_token_timeout=0.2
        )
        with client.stream(MESSAGES, model=MODEL) as holding:
            deltas = iter(holding)
            next(deltas)
            with pytest.raises(APITimeoutError):
                next(iter(client.stream(MESSAGES, model=MODEL)))


def test_the_time_that_a_broken_stream_took_stands_still(server: ScriptedServer) -> None:
    server.play(stream_answer(chunk("Be"), CLOSE))
    stream = sync_client(server, max_retries=0).stream(MESSAGES, model=MODEL)
    with pytest.raises(StreamInterruptedError):
        list(stream)
    took = stream.completion.route.elapsed
    time.sleep(0.01)
    assert stream.completion.route.elapsed == took is not None
