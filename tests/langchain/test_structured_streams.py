"""Structured output in a stream: it says in the end what invoke says, and with include_raw it never raises."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from pydantic import BaseModel, ValidationError, field_validator

from langchain_openrouter_routing import ChatOpenRouter, StructuredOutputError
from langchain_openrouter_routing.errors import StreamInterruptedError
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.scripted_server import CLOSE, ScriptedServer, answer, chunk, stream_answer


class Pl(BaseModel):
    x: int


class Fussy(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def look_up(cls, value: int) -> int:
        return {1: 1}[value]


def calling(arguments: str, name: str = "Pl") -> dict[str, Any]:
    body = answer(None)
    function = {"name": name, "arguments": arguments}
    body["choices"][0]["message"]["tool_calls"] = [
        {"id": "c", "type": "function", "function": function}
    ]
    return body


def cut(body: dict[str, Any]) -> dict[str, Any]:
    body["choices"][0]["finish_reason"] = "length"
    return body


FAILURES: dict[str, tuple[Any, str, dict[str, Any], type[Exception]]] = {
    "cut off": (Pl, "json_schema", cut(answer('{"x": 1')), StructuredOutputError),
    "prose": (Pl, "json_schema", answer("I would rather talk."), StructuredOutputError),
    "prose in json mode": (Pl, "json_mode", answer("No."), StructuredOutputError),
    "does not fit": (Pl, "json_schema", answer('{"x": "no"}'), OutputParserException),
    "does not fit a call": (Pl, "function_calling", calling('{"x": "no"}'), ValidationError),
    "unreadable call": (Pl, "function_calling", calling('{"x": '), StructuredOutputError),
    "no call": (Pl, "function_calling", answer("No."), StructuredOutputError),
    "own check": (Fussy, "json_schema", answer('{"x": 2}'), KeyError),
    "own check of a call": (Fussy, "function_calling", calling('{"x": 2}', "Fussy"), KeyError),
}


async def collected(structured: Any, way: str) -> list[Any]:
    if way == "stream":
        return list(structured.stream("x"))
    return [piece async for piece in structured.astream("x")]


def merged(pieces: list[Any]) -> dict[str, Any]:
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole + piece
    return whole


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_stream_tells_what_went_wrong(
    emulator: Emulator, make_model: MakeModel, failure: str, way: str
) -> None:
    schema, method, body, kind = FAILURES[failure]
    emulator.script([body, body, body])
    model: Any = make_model()
    with pytest.raises(kind) as caught:
        await collected(model.with_structured_output(schema, method=method), way)
    structured = model.with_structured_output(schema, method=method, include_raw=True)
    pieces = await collected(structured, way)
    assert pieces[-1].keys() == {"parsed", "parsing_error"}
    assert pieces[-1]["parsed"] is None
    assert type(pieces[-1]["parsing_error"]) is type(caught.value)
    assert isinstance(merged(pieces)["raw"], AIMessage)
    invoked = structured.invoke("x") if way == "stream" else await structured.ainvoke("x")
    assert list(invoked) == ["raw", "parsed", "parsing_error"]
    assert invoked["parsed"] is None
    assert type(invoked["parsing_error"]) is type(caught.value)


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("method", ["json_schema", "json_mode", "function_calling"])
@pytest.mark.parametrize("model_streams", [True, False])
async def test_a_stream_ends_in_the_whole_once(
    emulator: Emulator, make_model: MakeModel, method: Any, way: str, model_streams: bool
) -> None:
    body = calling('{"x": 12}') if method == "function_calling" else answer('{"x": 12}')
    emulator.script([body, body])
    model = make_model(streaming=None if model_streams else False)
    pieces = await collected(model.with_structured_output(Pl, method=method), way)
    assert pieces[-1] == Pl(x=12)
    assert pieces.count(Pl(x=12)) == 1
    raw = model.with_structured_output(Pl, method=method, include_raw=True)
    pieces = await collected(raw, way)
    whole = merged(pieces)
    assert (whole["parsed"], whole["parsing_error"]) == (Pl(x=12), None)
    assert [piece["parsed"] for piece in pieces if "parsed" in piece].count(Pl(x=12)) == 1
    assert whole["raw"].response_metadata["provider"] == "OpenAI"


def test_a_broken_stream_is_no_parsing_error(server: ScriptedServer) -> None:
    model = ChatOpenRouter(
        model="openai/gpt-5-mini", base_url=server.base_url, api_key="any", max_retries=0
    )
    server.play(stream_answer(chunk('{"x": '), CLOSE))
    with pytest.raises(StreamInterruptedError):
        list(model.with_structured_output(Pl, include_raw=True).stream("x"))


DICT = {"title": "Pl", "type": "object", "properties": {"x": {"type": "integer"}}}


def calls(*named: tuple[str, str]) -> dict[str, Any]:
    body = answer(None)
    body["choices"][0]["message"]["tool_calls"] = [
        {"id": f"c{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(named)
    ]
    return body


@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize("schema", [Pl, DICT], ids=["class", "dict"])
def test_the_call_of_the_right_tool_is_read(
    emulator: Emulator, make_model: MakeModel, schema: Any, way: str
) -> None:
    structured: Any = make_model().with_structured_output(schema, method="function_calling")

    def ask() -> Any:
        return structured.invoke("x") if way == "invoke" else list(structured.stream("x"))[-1]

    emulator.script([calls(("other", '{"y": 1}'), ("Pl", '{"x": 2}'))])
    assert ask() == (Pl(x=2) if schema is Pl else {"x": 2})
    emulator.script([calls(("other", '{"y": '), ("Pl", '{"x": 2}'))])
    assert ask() == (Pl(x=2) if schema is Pl else {"x": 2})
    emulator.script([calls(("other", '{"x": 1}'))])
    with pytest.raises(
        StructuredOutputError, match=r"called \['other'\] instead of 'Pl'"
    ) as caught:
        ask()
    assert caught.value.reason == "no_tool_call"
    emulator.script([calls(("other", '{"x": 1}'), ("Pl", '{"x": '))])
    with pytest.raises(StructuredOutputError, match="arguments of 'Pl' cannot be read"):
        ask()


def now(zone: str) -> str:
    """Tell the time."""
    return "noon"


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_call_of_another_tool_is_no_broken_answer(
    emulator: Emulator, make_model: MakeModel, bound: bool, way: str
) -> None:
    emulator.script([calls(("now", '{"zone": "CET"}'))] * 4)
    model: Any = make_model().bind_tools([now]) if bound else make_model()
    options: Any = {} if bound else {"tools": [now]}
    structured = model.with_structured_output(Pl, **options)
    for ask in (lambda: structured.invoke("x"), lambda: list(structured.stream("x"))):
        with pytest.raises(StructuredOutputError, match="called tool 'now' instead of") as caught:
            ask()
        assert caught.value.reason == "tool_call"
        assert caught.value.raw.tool_calls[0]["args"] == {"zone": "CET"}
    structured = model.with_structured_output(Pl, include_raw=True, **options)
    for got in (structured.invoke("x"), merged(await collected(structured, way))):
        assert (got["parsed"], got["parsing_error"]) == (None, None)
        assert got["raw"].tool_calls[0]["name"] == "now"
    assert emulator.requests[-1].json["tools"][0]["function"]["name"] == "now"


def test_an_unreadable_call_of_another_tool_is_told(
    emulator: Emulator, make_model: MakeModel
) -> None:
    emulator.script([calls(("now", '{"zone": '))])
    structured: Any = make_model().with_structured_output(Pl, tools=[now], include_raw=True)
    assert structured.invoke("x")["parsing_error"].reason == "invalid_tool_call"
