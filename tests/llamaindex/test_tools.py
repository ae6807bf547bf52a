"""Tools: what is offered and forced on the wire, what comes back whole, streaming and broken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ToolCallBlock,
)
from llama_index.core.tools import FunctionTool

from llamaindex_openrouter_routing import OpenRouter
from llamaindex_openrouter_routing.responses import StreamedResponse
from openrouter_routing import errors
from openrouter_routing._tool_calls import ToolCallDelta
from openrouter_routing.accumulator import Delta
from tests.llamaindex.answers import stream, whole
from tests.scripted_server import Recorded, ScriptedServer


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def population(city: str, year: int = 2026) -> int:
    """Count the people."""
    return year


TOOLS = [FunctionTool.from_defaults(weather), FunctionTool.from_defaults(population)]


def call(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


TWO_CALLS = {
    "content": None,
    "tool_calls": [
        call("weather", '{"city": "Zürich"}'),
        call("population", '{"city":"Bern","year":1999}', "call_2"),
    ],
}


def answering(server: ScriptedServer, message: dict[str, Any]) -> None:
    def respond(request: Recorded) -> Any:
        return stream(message) if request.json.get("stream") else whole(message)

    server.respond(respond)


async def every_answer(llm: OpenRouter, **options: Any) -> list[ChatResponse]:
    options = {"user_msg": "Hi", **options}
    astream = await llm.astream_chat_with_tools(TOOLS, **options)
    return [
        llm.chat_with_tools(TOOLS, **options),
        await llm.achat_with_tools(TOOLS, **options),
        list(llm.stream_chat_with_tools(TOOLS, **options))[-1],
        [response async for response in astream][-1],
    ]


async def test_parallel_calls_come_whole_whichever_way(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    answering(server, TWO_CALLS)
    for response in await every_answer(llm, allow_parallel_tool_calls=True):
        first, second = llm.get_tool_calls_from_response(response)
        assert (first.tool_id, first.tool_name, first.tool_kwargs) == (
            "call_1",
            "weather",
            {"city": "Zürich"},
        )
        assert second.tool_kwargs == {"city": "Bern", "year": 1999}
        assert response.message.additional_kwargs["tool_calls"] == TWO_CALLS["tool_calls"]
        assert response.additional_kwargs["finish_reason"] == "tool_calls"
        assert response.message.content is None
    body = server.requests[0].json
    assert [tool["function"]["name"] for tool in body["tools"]] == ["weather", "population"]
    assert not {"tool_choice", "parallel_tool_calls"} & set(body)
    assert "strict" not in body["tools"][0]["function"]


async def test_without_parallel_calls_the_first_comes_through(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    answering(server, TWO_CALLS)
    for response in await every_answer(llm):
        assert [found.tool_name for found in llm.get_tool_calls_from_response(response)] == [
            "weather"
        ]
        assert response.message.additional_kwargs["tool_calls"] == TWO_CALLS["tool_calls"][:1]


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, None),
        ({"tool_choice": None}, None),
        ({"tool_required": True}, "required"),
        ({"tool_choice": "any"}, "required"),
        ({"tool_choice": "auto", "tool_required": True}, "auto"),
        ({"tool_choice": "none"}, "none"),
        ({"tool_choice": "weather"}, {"type": "function", "function": {"name": "weather"}}),
        ({"tool_choice": {"type": "function"}}, {"type": "function"}),
    ],
)
async def test_forced_tools(
    options: dict[str, Any], sent: Any, llm: OpenRouter, server: ScriptedServer
) -> None:
    await every_answer(llm, **options)
    assert [request.json.get("tool_choice") for request in server.requests] == [sent] * 4


async def test_the_callers_history_stays_as_it_is(llm: OpenRouter, server: ScriptedServer) -> None:
    history = [ChatMessage(content="Earlier")]
    await every_answer(llm, chat_history=history, user_msg=ChatMessage(content="Now"), sort="price")
    assert history == [ChatMessage(content="Earlier")]
    for request in server.requests:
        assert [message["content"] for message in request.json["messages"]] == ["Earlier", "Now"]
        assert request.json["provider"] == {"sort": "price"}


def test_strict_schemas_are_sent_where_asked_for(
    connection: dict[str, Any], server: ScriptedServer
) -> None:
    OpenRouter("openai/gpt-5-mini", strict=True, **connection).chat_with_tools(TOOLS, "Hi")
    function = server.requests[0].json["tools"][0]["function"]
    assert function["strict"]
    assert function["parameters"]["additionalProperties"] is False
    assert "additionalProperties" not in (TOOLS[0].metadata.get_parameters_dict())


def test_no_tools_are_no_tools(llm: OpenRouter, server: ScriptedServer) -> None:
    llm.chat_with_tools([], "Hi", tool_required=True)
    assert not {"tools", "tool_choice"} & set(server.requests[0].json)


def test_what_is_no_tool_is_refused(llm: OpenRouter) -> None:
    with pytest.raises(errors.BadRequestError, match=r"FunctionTool\.from_defaults"):
        llm.chat_with_tools([weather], "Hi")  # type: ignore[list-item]
    with pytest.raises(errors.BadRequestError, match="two tools are named"):
        llm.chat_with_tools([TOOLS[0], TOOLS[0]], "Hi")


def test_an_answer_without_a_call_is_an_error_only_where_one_is_due(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    answering(server, {"content": "No."})
    response = llm.chat_with_tools(TOOLS, "Hi")
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(errors.ResponseParseError, match="called no tool"):
        llm.get_tool_calls_from_response(response)
    with pytest.raises(errors.ResponseParseError, match="called no tool"):
        llm.predict_and_call(TOOLS, "Hi")


async def test_predict_and_call_runs_the_tools(llm: OpenRouter, server: ScriptedServer) -> None:
    answering(server, TWO_CALLS)
    assert llm.predict_and_call(TOOLS, "Hi").response == "sunny in Zürich"
    done = await llm.apredict_and_call(TOOLS, "Hi", allow_parallel_tool_calls=True)
    assert done.response == "sunny in Zürich\n\n1999"


@pytest.mark.parametrize("arguments", ["", "null", " ", '{"a": 1, "b":', "[1]", '{"a":  1}'])
@pytest.mark.parametrize("streamed", [False, True])
def test_calls_go_back_with_arguments_that_are_a_json_object(
    arguments: str, streamed: bool, llm: OpenRouter, server: ScriptedServer
) -> None:
    answering(server, {"content": None, "tool_calls": [call("weather", arguments)]})
    asked = [ChatMessage(content="Hi")]
    said = list(llm.stream_chat(asked))[-1] if streamed else llm.chat(asked)
    result = ChatMessage(role="tool", content="?", additional_kwargs={"tool_call_id": "call_1"})
    answering(server, {"content": "Well."})
    llm.chat([*asked, said.message, result])
    (sent,) = server.requests[-1].json["messages"][1]["tool_calls"]
    parsed = json.loads(sent["function"]["arguments"])
    broken = arguments in ("[1]", '{"a": 1, "b":')
    whole = {"a": 1} if arguments == '{"a":  1}' else {}
    assert parsed == ({"invalid_arguments": arguments} if broken else whole)


@pytest.mark.parametrize("arguments", ["", "null", "{}", " "])
def test_no_arguments_are_none(arguments: str, llm: OpenRouter, server: ScriptedServer) -> None:
    answering(server, {"content": None, "tool_calls": [call("weather", arguments)]})
    (found,) = llm.get_tool_calls_from_response(llm.chat_with_tools(TOOLS, "Hi"))
    assert found.tool_kwargs == {}


def test_every_streamed_chunk_can_be_asked_for_its_calls(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    answering(server, TWO_CALLS)
    seen = []
    for response in llm.stream_chat_with_tools(TOOLS, "Hi", allow_parallel_tool_calls=True):
        calls = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        assert isinstance(response.message.additional_kwargs.get("tool_calls", []), list)
        seen.append([found.tool_kwargs for found in calls])
    assert [{}] in seen
    assert [{"city": "Züric"}] in seen
    assert seen[-1] == [{"city": "Zürich"}, {"city": "Bern", "year": 1999}]


def test_earlier_chunks_are_not_changed_by_later_ones(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    answering(server, TWO_CALLS)
    stream_of = llm.stream_chat_with_tools(TOOLS, "Hi", allow_parallel_tool_calls=True)
    shots = []
    responses = []
    for response in stream_of:
        responses.append(response)
        shots.append(response.model_dump_json())
    assert [response.model_dump_json() for response in responses] == shots


def test_long_arguments_are_parsed_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from llamaindex_openrouter_routing import _partial

    parsed: list[int] = []
    parse = _partial.parse_partial
    monkeypatch.setattr(
        _partial, "parse_partial", lambda text: parsed.append(len(text)) or parse(text)
    )
    arguments = json.dumps({"text": "lorem ipsum " * 16_000})
    streamed = StreamedResponse()
    response = None
    for start in range(0, len(arguments), 20):
        delta = Delta(0)
        name = None if start else "write"
        delta.tool_calls = [ToolCallDelta(0, name, name, arguments[start : start + 20])]
        response = streamed.add(delta)
    assert response is not None
    assert response.message.additional_kwargs["tool_calls"][0]["function"]["arguments"] == arguments
    block = response.message.blocks[-1]
    assert isinstance(block, ToolCallBlock)
    assert len(block.tool_kwargs["text"]) > 0.9 * len(arguments)  # type: ignore[index,call-overload]
    # All characters that were ever parsed: a small multiple of the text, not its square.
    assert sum(parsed) < 25 * len(arguments)
