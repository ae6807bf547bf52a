"""The eight methods of the LLM over real HTTP: answers, metadata, options, errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
)
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from llamaindex_openrouter_routing import OpenRouter, Route, record_routes, routing
from openrouter_routing import errors
from tests.llamaindex.answers import METADATA, USAGE
from tests.scripted_server import (
    CLOSE,
    HANG,
    ScriptedServer,
    answer,
    chunk,
    error_answer,
    json_answer,
    raw_answer,
    stream_answer,
)

Ask = Callable[..., Awaitable[ChatResponse | CompletionResponse]]


async def chat(llm: OpenRouter, **options: Any) -> ChatResponse:
    return llm.chat([ChatMessage(content="Hi")], **options)


async def achat(llm: OpenRouter, **options: Any) -> ChatResponse:
    return await llm.achat([ChatMessage(content="Hi")], **options)


async def stream_chat(llm: OpenRouter, **options: Any) -> ChatResponse:
    return list(llm.stream_chat([ChatMessage(content="Hi")], **options))[-1]


async def astream_chat(llm: OpenRouter, **options: Any) -> ChatResponse:
    stream = await llm.astream_chat([ChatMessage(content="Hi")], **options)
    return [response async for response in stream][-1]


async def complete(llm: OpenRouter, **options: Any) -> CompletionResponse:
    return llm.complete("Hi", **options)


async def acomplete(llm: OpenRouter, **options: Any) -> CompletionResponse:
    return await llm.acomplete("Hi", **options)


async def stream_complete(llm: OpenRouter, **options: Any) -> CompletionResponse:
    return list(llm.stream_complete("Hi", **options))[-1]


async def astream_complete(llm: OpenRouter, **options: Any) -> CompletionResponse:
    stream = await llm.astream_complete("Hi", **options)
    return [response async for response in stream][-1]


METHODS = [
    chat, achat, stream_chat, astream_chat, complete, acomplete, stream_complete, astream_complete,
]  # fmt: skip


@pytest.mark.parametrize("ask", METHODS)
async def test_every_method_answers_with_the_same_metadata(
    ask: Ask, llm: OpenRouter, server: ScriptedServer
) -> None:
    response = await ask(llm)
    text = response.text if isinstance(response, CompletionResponse) else response.message.content
    assert text == "Echo: Hi"
    assert response.additional_kwargs == {
        "model_name": "openai/gpt-5-mini",
        "requested_model": "openai/gpt-5-mini",
        "fallback_used": False,
        "provider": "OpenAI",
        "finish_reason": "stop",
        "native_finish_reason": "done",
        "id": "gen-1",
        "created": 1760000000,
        "cost": 0.00025,
        "cost_details": {"upstream_inference_cost": 0.00025},
        "is_byok": False,
        "openrouter_metadata": METADATA,
        "prompt_tokens": 9,
        "completion_tokens": 3,
        "total_tokens": 12,
    }
    assert response.raw["usage"] == USAGE
    assert response.raw["choices"][0]["message"]["content"] == "Echo: Hi"
    route = Route.of(response)
    assert (route.provider, route.usage.cached_tokens) == ("OpenAI", 4)
    body = server.requests[0].json
    expected = {"model": "openai/gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
    if "stream" in ask.__name__:
        expected["stream"] = True
    assert body == expected


@pytest.mark.parametrize("ask", METHODS)
async def test_what_a_call_says_wins(
    ask: Ask, connection: dict[str, Any], server: ScriptedServer
) -> None:
    llm = OpenRouter(
        "openai/gpt-5-mini",
        temperature=0.5,
        max_tokens=10,
        seed=1,
        zdr=True,
        sort="latency",
        models=["qwen/qwen3-8b"],
        on_violation="ignore",
        extra_body={"new": 1, "provider": {"newer": 2}},
        **connection,
    )
    await ask(
        llm,
        temperature=0,
        seed=2,
        max_tokens=None,
        provider={"sort": "price"},
        order=["openai"],
        models=["deepseek/deepseek-chat"],
        extra_body={"newest": 3},
        extra_headers={"X-Trace": "abc"},
    )
    request = server.requests[0]
    body = request.json
    assert body["provider"] == {"order": ["openai"], "zdr": True, "sort": "price", "newer": 2}
    assert body["models"] == ["deepseek/deepseek-chat"]
    assert (body["temperature"], body["seed"]) == (0, 2)
    assert "max_tokens" not in body
    assert (body["new"], body["newest"]) == (1, 3)
    assert request.headers["x-trace"] == "abc"


@pytest.mark.parametrize("ask", METHODS)
async def test_unknown_options_are_errors_that_name_the_nearest(
    ask: Ask, llm: OpenRouter, server: ScriptedServer
) -> None:
    with pytest.raises(errors.BadRequestError, match="did you mean 'temperature'"):
        await ask(llm, temprature=1)
    with pytest.raises(errors.PreferencesError, match="did you mean 'allow_fallbacks'"):
        await ask(llm, provider={"allow_fallback": False})
    assert server.requests == []


@pytest.mark.parametrize("ask", METHODS)
@pytest.mark.parametrize(
    "wire",
    [
        json_answer({"error": {"code": 502, "message": "provider broke"}}),
        raw_answer(b"<html>oops</html>", content_type="text/html"),
        raw_answer(b'{"choices": [', content_type="application/json"),
        json_answer({"id": "gen-1", "choices": []}),
        json_answer({"choices": None}),
        error_answer(404, {"code": 404, "message": "No endpoints found"}),
        stream_answer(b"data: {broken\n\n"),
        stream_answer(chunk("Ber"), CLOSE),
        stream_answer(chunk("Ber"), {**chunk(), "error": {"code": 502, "message": "broke"}}),
    ],
)
async def test_no_failure_is_a_value_error_or_type_error(
    ask: Ask, wire: Any, llm: OpenRouter, server: ScriptedServer
) -> None:
    server.respond(lambda request: wire)
    with pytest.raises(errors.OpenRouterError) as caught:
        await ask(llm)
    assert not isinstance(caught.value, (ValueError, TypeError))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("ask", METHODS)
async def test_a_missing_key_is_an_error_of_the_call(
    ask: Ask, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = OpenRouter("openai/gpt-5-mini", api_base=server.base_url)
    with pytest.raises(errors.AuthenticationError, match="OPENROUTER_API_KEY"):
        await ask(llm)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-from-environment")
    monkeypatch.setenv("OPENROUTER_SESSION_ID", "from-environment")
    await ask(llm)
    request = server.requests[0]
    assert request.headers["authorization"] == "Bearer sk-or-v1-from-environment"
    assert request.json["session_id"] == "from-environment"


@pytest.mark.parametrize(
    "messages", [[], "Hi", None, [{"role": "user"}], ChatMessage(content="Hi")]
)
async def test_conversations_of_another_kind_are_refused(
    messages: Any, llm: OpenRouter, server: ScriptedServer
) -> None:
    for method in (llm.chat, llm.stream_chat):
        with pytest.raises(errors.BadRequestError):
            method(messages)
    for amethod in (llm.achat, llm.astream_chat):
        with pytest.raises(errors.BadRequestError):
            await amethod(messages)
    assert server.requests == []


def test_streamed_responses_are_cumulative(llm: OpenRouter) -> None:
    responses = list(llm.stream_chat([ChatMessage(content="Hello there")]))
    so_far = ""
    for response in responses:
        so_far += response.delta or ""
        assert response.message.content == so_far
    assert len(responses) > 3
    assert [response.raw is not None for response in responses] == [False] * (
        len(responses) - 1
    ) + [True]


def test_a_stream_keeps_the_preferences_of_the_block_it_was_made_in(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    with routing(sort="price"), record_routes() as log:
        stream = llm.stream_chat([ChatMessage(content="Hi")])
    list(stream)
    assert server.requests[0].json["provider"] == {"sort": "price"}
    assert len(log) == 1


async def test_streams_that_are_left_early_close_their_connections(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    server.respond(lambda request: stream_answer(chunk("Be"), HANG))
    stream = llm.stream_chat([ChatMessage(content="Hi")])
    assert next(stream).delta == "Be"
    stream.close()
    assert server.requests[0].disconnected.wait(20)
    astream = await llm.astream_complete("Hi")
    assert (await anext(astream)).delta == "Be"
    await astream.aclose()
    assert await asyncio.to_thread(server.requests[1].disconnected.wait, 20)


def test_the_native_finish_reason_and_a_fallback_are_told(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    served = answer("Bern.", model="qwen/qwen3-8b", provider="DeepInfra")
    server.respond(lambda request: json_answer(served))
    response = llm.complete("Hi", models=["qwen/qwen3-8b"])
    kept = response.additional_kwargs
    assert (kept["model_name"], kept["requested_model"]) == ("qwen/qwen3-8b", "openai/gpt-5-mini")
    assert (kept["fallback_used"], kept["provider"]) == (True, "DeepInfra")
    assert kept["native_finish_reason"] == "completed"


def test_keys_that_the_wire_did_not_carry_are_absent(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    bare = {"choices": [{"message": {"content": "Bern."}}]}
    server.respond(lambda request: json_answer(bare))
    response = llm.complete("Hi")
    assert response.text == "Bern."
    assert response.additional_kwargs == {
        "model_name": "openai/gpt-5-mini",
        "requested_model": "openai/gpt-5-mini",
        "fallback_used": False,
    }


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ({"tools": [FunctionTool.from_defaults(lambda: 1, name="one")]}, "chat_with_tools"),
        ({"response_format": BaseModel}, r"structured_predict\(BaseModel"),
    ],
)
async def test_objects_where_the_wire_has_its_own_name_the_method_that_takes_them(
    option: dict[str, Any], instead: str, llm: OpenRouter, server: ScriptedServer
) -> None:
    messages = [ChatMessage(content="Hi")]
    with pytest.raises(errors.BadRequestError, match=instead):
        llm.chat(messages, **option)
    with pytest.raises(errors.BadRequestError, match=instead):
        await llm.acomplete("Hi", **option)
    with pytest.raises(errors.BadRequestError, match=instead):
        llm.stream_chat(messages, **option)
    with pytest.raises(errors.BadRequestError, match=instead):
        llm.model_copy(update=option).chat(messages)
    assert server.requests == []


def test_nothing_far_off_is_recommended(llm: OpenRouter) -> None:
    # It is as like "quantizations" as "functions" is, which means tools elsewhere.
    with pytest.raises(errors.BadRequestError, match="unknown argument 'citations'") as caught:
        llm.complete("Hi", citations=[])
    assert "did you mean" not in caught.value.message
    with pytest.raises(errors.BadRequestError, match="did you mean 'tools'"):
        llm.complete("Hi", functions=[])
