"""Messages of other times and places: what cannot be sent is refused, and nothing of the rest is lost."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from langchain_core.messages import AIMessage, FunctionMessage, HumanMessage, ToolMessage

from langchain_openrouter_routing.errors import BadRequestError
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.scripted_server import answer


@pytest.mark.parametrize("value", [date(2020, 1, 1), float("nan")], ids=["date", "nan"])
@pytest.mark.parametrize("form", ["tool_calls", "tool_use"])
def test_arguments_that_are_no_json_are_refused(
    emulator: Emulator, make_model: MakeModel, value: Any, form: str
) -> None:
    arguments = {"d": value}
    if form == "tool_calls":
        message = AIMessage("", tool_calls=[{"name": "n", "args": arguments, "id": "1"}])
    else:
        message = AIMessage([{"type": "tool_use", "id": "1", "name": "n", "input": arguments}])
    with pytest.raises(BadRequestError, match="the arguments of tool call 'n' are no JSON"):
        make_model().invoke([message])
    assert emulator.requests == []


IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
}
SEEN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
EPHEMERAL = {"type": "ephemeral"}


def document(*blocks: dict[str, Any]) -> dict[str, Any]:
    source = {"type": "content", "content": list(blocks)}
    return {"type": "document", "source": source, "cache_control": EPHEMERAL}


def test_a_document_of_several_parts_is_sent_whole(
    emulator: Emulator, make_model: MakeModel
) -> None:
    text = {"type": "text", "text": "See:"}
    result = {"type": "tool_result", "tool_use_id": "1", "content": [document(text, IMAGE)]}
    make_model().invoke([HumanMessage([document(text, IMAGE), text]), HumanMessage([result])])
    asked, told = emulator.requests[-1].json["messages"]
    whole = [text, {**SEEN, "cache_control": EPHEMERAL}]
    assert asked["content"] == [*whole, text]
    assert told["content"] == whole
    make_model().invoke([HumanMessage([document(text, text)])])
    (joined,) = emulator.requests[-1].json["messages"][0]["content"]
    assert joined == {"type": "text", "text": "See:See:", "cache_control": EPHEMERAL}


def test_a_legacy_call_of_a_function_is_sent_with_its_result(
    emulator: Emulator, make_model: MakeModel
) -> None:
    emulator.script([answer(), answer()])
    call = {"name": "now", "arguments": '{"zone": "CET"}'}
    asked = AIMessage("", additional_kwargs={"function_call": call})
    make_model().invoke([HumanMessage("Time?"), asked, FunctionMessage("noon", name="now")])
    _, replayed, result = emulator.requests[-1].json["messages"]
    assert replayed == {"role": "assistant", "content": None, "function_call": call}
    assert result == {"role": "function", "name": "now", "content": "noon"}
    called = AIMessage(
        "",
        additional_kwargs={"function_call": call},
        tool_calls=[{"name": "now", "args": {}, "id": "1"}],
    )
    make_model().invoke([called, ToolMessage("noon", tool_call_id="1")])
    replayed, _ = emulator.requests[-1].json["messages"]
    assert "function_call" not in replayed
