"""How requests are sent, as the model's fields say: time limits, retries, own clients, streams left early."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from langchain_core import exceptions as lc

from langchain_openrouter_routing import ChatOpenRouter
from langchain_openrouter_routing.errors import APITimeoutError, StreamInterruptedError
from tests.langchain.conftest import MakeModel
from tests.scripted_server import HANG, ScriptedServer, answer, chunk, json_answer, stream_answer

SETTINGS: dict[str, Any] = {
    "base_url": "https://eu.openrouter.ai/api/v1",
    "app_url": "https://app.example",
    "app_title": "App",
    "timeout": 12.5,
    "first_token_timeout": 3.0,
    "idle_timeout": 4.0,
    "max_retries": 7,
    "max_retry_wait": 5.0,
    "on_violation": "warn",
    "on_empty": "raise",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_field_says_how_to_send(name: str) -> None:
    llm = ChatOpenRouter(model="openai/gpt-5-mini", **{name: SETTINGS[name]})
    assert getattr(llm._client_settings(), name) == SETTINGS[name]


def test_an_httpx_timeout_is_taken_as_it_is() -> None:
    limits = httpx.Timeout(1, connect=2)
    assert ChatOpenRouter(model="a/b", timeout=limits)._client_settings().timeout == limits


def model(server: ScriptedServer, **fields: Any) -> ChatOpenRouter:
    return ChatOpenRouter(
        model="openai/gpt-5-mini",
        api_key="k",
        base_url=server.base_url,
        **{"max_retries": 0, **fields},
    )


async def drain(llm: ChatOpenRouter, call: dict[str, Any]) -> None:
    async for _ in llm.astream("Hi", **call):
        pass


@pytest.mark.parametrize("where", ["field", "call"])
async def test_time_limits_of_a_stream_hold(server: ScriptedServer, where: str) -> None:
    limits: dict[str, Any] = {"first_token_timeout": 0.2}
    server.respond(lambda request: [HANG])
    llm = model(server, **(limits if where == "field" else {}))
    call = limits if where == "call" else {}
    with pytest.raises(APITimeoutError):
        list(llm.stream("Hi", **call))
    with pytest.raises(APITimeoutError):
        await drain(llm, call)


@pytest.mark.parametrize("where", ["field", "call"])
async def test_time_limits_of_an_answer_hold(server: ScriptedServer, where: str) -> None:
    limits: dict[str, Any] = {"timeout": 0.2}
    server.respond(lambda request: [HANG])
    llm = model(server, **(limits if where == "field" else {}))
    call = limits if where == "call" else {}
    with pytest.raises(APITimeoutError) as caught:
        llm.invoke("Hi", **call)
    assert isinstance(caught.value, lc.ModelTimeoutError)
    with pytest.raises(APITimeoutError):
        await llm.ainvoke("Hi", **call)


def test_a_stall_in_a_stream_keeps_what_came(server: ScriptedServer) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    with pytest.raises(StreamInterruptedError) as caught:
        list(model(server, idle_timeout=0.3).stream("Hi"))
    assert caught.value.partial.text == "Be"


def test_retries_are_counted_by_us_alone(server: ScriptedServer) -> None:
    busy = json_answer({"error": {"code": 503, "message": "busy"}}, status=503)
    server.play(busy, busy, json_answer(answer()))
    got = model(server, max_retries=2, max_retry_wait=0.01).invoke("Hi")
    assert (got.content, len(server.requests)) == ("Bern.", 3)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_leaving_a_stream_early_ends_the_request(
    server: ScriptedServer, asynchronous: bool
) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    llm = model(server)

    async def leave() -> None:
        async for _ in llm.astream("Hi"):
            break
        await asyncio.sleep(0)

    if asynchronous:
        asyncio.run(leave())
    else:
        for _ in llm.stream("Hi"):
            break
    assert server.requests[0].disconnected.wait(20)


async def test_a_client_of_the_callers_own_is_used_and_left_open(make_model: MakeModel) -> None:
    async with httpx.AsyncClient() as own:
        with httpx.Client() as blocking:
            llm = make_model(http_client=blocking, http_async_client=own)
            assert llm.invoke("Say one").text == "one"
            assert (await llm.ainvoke("Say two")).text == "two"
            assert not blocking.is_closed
        assert not own.is_closed
