"""What broke off is never completed by guessing: no tool runs with half its arguments, no structure is made up."""

from __future__ import annotations

import asyncio
import json
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import add_ai_message_chunks
from pydantic import BaseModel

from langchain_openrouter_routing import ChatOpenRouter, StructuredOutputError
from langchain_openrouter_routing.answers import unclosable
from openrouter_routing.emulator import Emulator

from .conftest import MakeModel


class City(BaseModel):
    """A city."""

    name: str
    people: int


def body(message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    choice = {"message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "gen-1", "model": "openai/gpt-5-mini", "provider": "Azure", "choices": [choice]}


def calling(arguments: str, name: str = "transfer") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


def streamed(model: ChatOpenRouter) -> AIMessage:
    merged: Any = None
    for chunk in model.stream("x"):
        merged = chunk if merged is None else merged + chunk
    return merged  # type: ignore[no-any-return]


async def astreamed(model: ChatOpenRouter) -> AIMessage:
    merged: Any = None
    async for chunk in model.astream("x"):
        merged = chunk if merged is None else merged + chunk
    return merged  # type: ignore[no-any-return]


def v3(model: ChatOpenRouter) -> AIMessage:
    return model.stream_events("x", version="v3").output


WAYS = {
    "invoke": lambda model: model.invoke("x"),
    "stream": streamed,
    "astream": lambda model: asyncio.run(astreamed(model)),
    "v3": v3,
}
BROKEN = (
    '{"account": "CH-1", "amount": 12',
    '{"account": "CH',
    '{"accounts": ["CH-1", "CH',
    '{"accounts": [{"a": 1}',
    '{"a": "ends in \\',
    '{"a": 1} and more',
    "[1]",
    '"text"',
    "7",
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("finish", ["length", "content_filter", "tool_calls", "stop"])
@pytest.mark.parametrize("arguments", BROKEN)
def test_a_call_that_cannot_be_read_is_an_invalid_one_in_every_way(
    emulator: Emulator, make_model: MakeModel, way: str, finish: str, arguments: str
) -> None:
    emulator.script([body(calling(arguments), finish)])
    message = WAYS[way](make_model())
    assert message.tool_calls == []
    (invalid,) = message.invalid_tool_calls
    assert (invalid["name"], invalid["id"]) == ("transfer", "c1")
    assert str(invalid["args"]).startswith(arguments)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("arguments", ["null", ""])
def test_a_call_without_arguments_is_the_same_in_every_way(
    emulator: Emulator, make_model: MakeModel, way: str, arguments: str
) -> None:
    emulator.script([body(calling(arguments), "tool_calls")])
    message = WAYS[way](make_model())
    assert message.invalid_tool_calls == []
    assert [call["args"] for call in message.tool_calls] == [{}]


# LangChain's v3 events read arguments as JSON to the letter, and call this one invalid.
@pytest.mark.parametrize("way", ["invoke", "stream", "astream"])
def test_line_breaks_inside_arguments_are_read(
    emulator: Emulator, make_model: MakeModel, way: str
) -> None:
    emulator.script([body(calling('{"x": "line\nbreak"}'), "tool_calls")])
    message = WAYS[way](make_model())
    assert [call["args"] for call in message.tool_calls] == [{"x": "line\nbreak"}]


@pytest.mark.parametrize("arguments", BROKEN)
def test_langchains_parser_gives_up_on_what_is_appended(arguments: str) -> None:
    from langchain_core.utils.json import parse_partial_json

    text = arguments + unclosable(arguments)
    with pytest.raises(ValueError):
        json.loads(text)
    assert parse_partial_json(text) is None


@pytest.mark.parametrize("mode", ["invoke", "messages"])
def test_an_agent_does_not_run_a_tool_whose_arguments_broke_off(
    emulator: Emulator, make_model: MakeModel, mode: str
) -> None:
    ran: list[Any] = []

    def transfer(account: str, amount: int) -> str:
        """Transfer money."""
        ran.append((account, amount))
        return "done"

    emulator.script(
        [body(calling('{"account": "CH-1", "amount": 12'), "length"), body({"content": "no"})]
    )
    agent = create_agent(make_model(), [transfer])
    asked: Any = {"messages": "Transfer 1250"}
    if mode == "invoke":
        agent.invoke(asked)
    else:
        list(agent.stream(asked, stream_mode="messages"))
    assert ran == []


METHODS = ("json_schema", "json_mode", "function_calling")
HALF = '{"name": "Bern", "people": 134'


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("finish", ["length", "content_filter", "stop"])
@pytest.mark.parametrize("way", ["invoke", "stream", "include_raw"])
def test_half_a_structure_is_none(
    emulator: Emulator, make_model: MakeModel, method: Any, finish: str, way: str
) -> None:
    message = calling(HALF, "City") if method == "function_calling" else {"content": HALF}
    emulator.script([body(message, finish)])
    model = make_model().with_structured_output(
        City, method=method, include_raw=way == "include_raw"
    )
    if way == "include_raw":
        result: Any = model.invoke("x")
        assert result["parsed"] is None
        error = result["parsing_error"]
    else:
        with pytest.raises(StructuredOutputError) as caught:
            model.invoke("x") if way == "invoke" else list(model.stream("x"))
        error = caught.value
    broken = "invalid_tool_call" if method == "function_calling" else "invalid_json"
    assert isinstance(error, StructuredOutputError)
    assert error.reason == (broken if finish == "stop" else finish)
    assert isinstance(error.raw, AIMessage)


@pytest.mark.parametrize(
    "text", ['{"name": "Be\nrn", "people": 1}', '```json\n{"name": "Bern", "people": 1}\n```']
)
def test_what_is_whole_is_read(emulator: Emulator, make_model: MakeModel, text: str) -> None:
    emulator.script([body({"content": text})])
    assert make_model().with_structured_output(City).invoke("x").people == 1  # type: ignore[union-attr]


# With include_raw it is a RunnableParallel of LangChain's, which cannot be pickled.
@pytest.mark.parametrize("method", METHODS)
def test_a_structured_model_can_be_pickled(
    emulator: Emulator, make_model: MakeModel, method: Any
) -> None:
    model = make_model().with_structured_output(
        {"title": "City", "type": "object", "properties": {"name": {"type": "string"}}},
        method=method,
    )
    message = (
        calling('{"name": "Bern"}', "City")
        if method == "function_calling"
        else {"content": '{"name": "Bern"}'}
    )
    emulator.script([body(message)])
    assert pickle.loads(pickle.dumps(model)).invoke("x") == {"name": "Bern"}


def test_chunks_stay_langchains_own(emulator: Emulator, make_model: MakeModel) -> None:
    emulator.script([body(calling(HALF), "length")])
    assert {type(chunk) for chunk in make_model().stream("x")} == {AIMessageChunk}


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Bern", "people": 1} Hope this helps!',
        'Here:\n```json\n{"name": "Bern", "people": 1}\n```\nBye',
    ],
)
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_words_may_follow_a_whole_structure(
    emulator: Emulator, make_model: MakeModel, method: Any, text: str
) -> None:
    emulator.script([body({"content": text})])
    model = make_model().with_structured_output(City, method=method)
    assert model.invoke("x") == City(name="Bern", people=1)


def test_a_long_text_that_is_no_json_is_given_up_at_once(
    emulator: Emulator, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langchain_core.utils import json as theirs

    tried: list[int] = []

    def loads(text: str, **options: Any) -> Any:
        tried.append(len(text))
        return json.loads(text, **options)

    emulator.script([body(calling('{"code": ' + "def f(x): " * 500))])
    chunks = list(make_model().stream("x"))
    monkeypatch.setattr(
        theirs, "json", SimpleNamespace(loads=loads, JSONDecodeError=json.JSONDecodeError)
    )
    merged = add_ai_message_chunks(*chunks)  # type: ignore[arg-type]
    assert merged.tool_calls == []
    assert len(tried) < 10
