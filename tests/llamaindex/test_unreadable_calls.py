"""Tool calls whose arguments are no JSON object: no tool runs on them, and who can do something about it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llama_index.core import PromptTemplate, SummaryIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool, QueryEngineTool, RetrieverTool
from pydantic import BaseModel

from llamaindex_openrouter_routing import OpenRouter
from openrouter_routing import errors
from openrouter_routing.emulator import Emulator
from tests.llamaindex.wires import calling, wire

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step"),
]

CUT = '{"city": "Bern", "max_price": 12'
UNREADABLE = [CUT, "city=Bern", "[1]", '"Bern"', '{"city": ']


class Filter(BaseModel):
    city: str | None = None
    max_price: int | None = None


def ran(**kwargs: Any) -> str:
    raise AssertionError(f"ran on {kwargs}")


def every_tool(llm: OpenRouter) -> list[Any]:
    """Return tools that take whatever they are given."""
    index = SummaryIndex([TextNode(text="Bern")])
    return [
        FunctionTool.from_defaults(ran, name="book"),
        QueryEngineTool.from_defaults(index.as_query_engine(llm=llm), name="ask"),
        RetrieverTool.from_defaults(index.as_retriever(), name="find", description="Find."),
    ]


async def every_answer(
    llm: OpenRouter, emulator: Emulator, answer: dict[str, Any]
) -> list[ChatResponse]:
    emulator.script([answer] * 4)
    tools = [FunctionTool.from_defaults(ran, name="book")]
    astream = await llm.astream_chat_with_tools(tools, "Hi")
    return [
        llm.chat_with_tools(tools, "Hi"),
        await llm.achat_with_tools(tools, "Hi"),
        list(llm.stream_chat_with_tools(tools, "Hi"))[-1],
        [response async for response in astream][-1],
    ]


@pytest.mark.parametrize("arguments", UNREADABLE)
async def test_the_call_is_named_so_that_nothing_runs(
    arguments: str, emulated: OpenRouter, emulator: Emulator
) -> None:
    for response in await every_answer(emulated, emulator, calling("book", arguments)):
        (found,) = emulated.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        assert found.tool_id == "call_1"
        assert found.tool_name.startswith("book (not called: the arguments are ")
        assert "JSON" in found.tool_name
        assert found.tool_kwargs == {}
        (kept,) = response.message.additional_kwargs["tool_calls"]
        assert kept["function"] == {"name": "book", "arguments": arguments}


@pytest.mark.parametrize("arguments", UNREADABLE)
async def test_who_needs_a_call_gets_an_error_that_tells_all(
    arguments: str, emulated: OpenRouter, emulator: Emulator
) -> None:
    for response in await every_answer(emulated, emulator, calling("book", arguments)):
        with pytest.raises(
            errors.ResponseParseError, match="called 'book' with arguments"
        ) as caught:
            emulated.get_tool_calls_from_response(response)
        assert repr(arguments) in caught.value.message
        assert "gen-1" in caught.value.message
        assert (caught.value.provider, caught.value.generation_id) == ("Azure", "gen-1")
        assert caught.value.retryable
        assert "cut off" not in caught.value.message


async def test_a_cut_answer_is_called_one(emulated: OpenRouter, emulator: Emulator) -> None:
    for response in await every_answer(emulated, emulator, calling("book", CUT, finish="length")):
        with pytest.raises(errors.ResponseParseError, match="cut off: raise max_tokens") as caught:
            emulated.get_tool_calls_from_response(response)
        assert not caught.value.retryable
        (found,) = emulated.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        assert "the answer was cut off" in found.tool_name


async def test_programs_and_predictions_raise(emulated: OpenRouter, emulator: Emulator) -> None:
    emulator.script([calling("Filter", CUT)] * 4)
    program = FunctionCallingProgram.from_defaults(
        Filter, llm=emulated, prompt=PromptTemplate("Find {what}.")
    )
    with pytest.raises(errors.ResponseParseError, match="'Filter'"):
        program(what="rooms")
    with pytest.raises(errors.ResponseParseError, match="'Filter'"):
        await program.acall(what="rooms")
    tools = [FunctionTool.from_defaults(ran, name="Filter")]
    with pytest.raises(errors.ResponseParseError, match="'Filter'"):
        emulated.predict_and_call(tools, "Hi")
    with pytest.raises(errors.ResponseParseError, match="'Filter'"):
        await emulated.apredict_and_call(tools, "Hi")


@pytest.mark.parametrize("tool", ["book", "ask", "find"])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("workflow", [True, False])
async def test_agents_run_nothing_and_tell_the_model(
    tool: str, streaming: bool, workflow: bool, emulated: OpenRouter, emulator: Emulator
) -> None:
    emulator.script([calling(tool, CUT), wire("I cannot.")])
    agent = FunctionAgent(
        name="a", description="b", tools=every_tool(emulated), llm=emulated, streaming=streaming
    )
    runner = AgentWorkflow(agents=[agent]) if workflow else agent
    output = await runner.run("Book.", memory=ChatMemoryBuffer(token_limit=10_000))
    assert str(output) == "I cannot."
    (done,) = output.tool_calls
    assert done.tool_output.is_error
    assert len(emulator.requests) == 2
    said, told = emulator.requests[-1].json["messages"][-2:]
    assert told["role"] == "tool"
    assert told["tool_call_id"] == said["tool_calls"][0]["id"] == "call_1"
    assert f"{tool} (not called: the arguments are not JSON" in told["content"]
    assert "not found" in told["content"]
    # The call itself goes back under its own name, with arguments that providers take.
    assert said["tool_calls"][0]["function"]["name"] == tool
    assert json.loads(said["tool_calls"][0]["function"]["arguments"]) == {"invalid_arguments": CUT}


def test_one_call_of_two_is_still_run(emulated: OpenRouter, emulator: Emulator) -> None:
    both = [
        calling("book", CUT)["choices"][0]["message"]["tool_calls"][0],
        calling("book", '{"city": "Bern"}', "call_2")["choices"][0]["message"]["tool_calls"][0],
    ]
    emulator.script([wire(tool_calls=both)])
    tools = [FunctionTool.from_defaults(ran, name="book")]
    response = emulated.chat_with_tools(tools, "Hi", allow_parallel_tool_calls=True)
    broken, whole = emulated.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    assert (whole.tool_name, whole.tool_kwargs) == ("book", {"city": "Bern"})
    assert broken.tool_name != "book"


def test_no_tool_has_the_name_of_a_call_that_is_not_run(
    emulated: OpenRouter, emulator: Emulator
) -> None:
    emulator.script([calling("book", CUT)])
    response = emulated.chat_with_tools([FunctionTool.from_defaults(ran, name="book")], "Hi")
    (found,) = emulated.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    with pytest.raises(errors.BadRequestError, match="cannot be named"):
        emulated.chat_with_tools([FunctionTool.from_defaults(ran, name=found.tool_name)], "Hi")
