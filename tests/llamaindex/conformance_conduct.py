"""Checks of the conformance suite about conduct: tools, structured output, errors, copies and event loops."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
from typing import Any

from llama_index.core import PromptTemplate, SummaryIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import (
    ChatMessage,
)
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from openrouter_routing.errors import ResponseParseError
from tests.llamaindex.answers import stream, whole
from tests.llamaindex.conformance import Subject, check
from tests.scripted_server import (
    CLOSE,
    chunk,
    error_answer,
    json_answer,
    raw_answer,
    stream_answer,
)

HI = [ChatMessage(content="Hi")]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PROMPT = PromptTemplate("Say {word}.")


class City(BaseModel):
    """A city."""

    name: str
    people: int


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def population(city: str) -> int:
    """Count the people."""
    return 7


TOOLS = [FunctionTool.from_defaults(weather), FunctionTool.from_defaults(population)]


def call(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


TWO_CALLS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        call("weather", '{"city": "Bern"}'),
        call("population", '{"city": "Basel"}', "call_2"),
    ],
}


def answer_with(subject: Subject, message: dict[str, Any]) -> None:
    subject.server.respond(
        lambda request: stream(message) if request.json.get("stream") else whole(message)
    )


def fails(expected: str, method: Any, *arguments: Any) -> None:
    """Check that a call raises what LlamaIndex does not take for an empty answer."""
    try:
        given = method(*arguments)
        if hasattr(given, "__next__"):
            list(given)
    except (ValueError, TypeError, AttributeError) as error:
        raise AssertionError(f"raises {type(error).__name__}") from error
    except Exception:
        return
    raise AssertionError(expected)


# Tools.


@check("Tools", "parallel calls come whole, streaming or not")
async def parallel_calls(subject: Subject) -> None:
    answer_with(subject, TWO_CALLS)
    llm, options = subject.make(), {"user_msg": "Hi", "allow_parallel_tool_calls": True}
    astream = await llm.astream_chat_with_tools(TOOLS, **options)
    for response in (
        llm.chat_with_tools(TOOLS, **options),
        list(llm.stream_chat_with_tools(TOOLS, **options))[-1],
        [found async for found in astream][-1],
    ):
        calls = [
            (found.tool_name, found.tool_kwargs)
            for found in llm.get_tool_calls_from_response(response)
        ]
        assert calls == [("weather", {"city": "Bern"}), ("population", {"city": "Basel"})], (
            f"gives {calls}"
        )


@check("Tools", "two calls in one chunk are two calls")
async def two_calls_in_a_chunk(subject: Subject) -> None:
    deltas = [{"index": place, **made} for place, made in enumerate(TWO_CALLS["tool_calls"] or ())]
    subject.server.respond(
        lambda request: stream_answer(
            chunk(delta={"tool_calls": deltas}),
            chunk(delta={}, finish_reason="tool_calls"),
            b"data: [DONE]\n\n",
        )
    )
    llm = subject.make()
    last = list(llm.stream_chat_with_tools(TOOLS, "Hi", allow_parallel_tool_calls=True))[-1]
    assert len(llm.get_tool_calls_from_response(last)) == 2, "one is lost"


@check("Tools", "every chunk of a stream can be asked for its calls")
async def partial_calls(subject: Subject) -> None:
    answer_with(subject, TWO_CALLS)
    llm = subject.make()
    for response in llm.stream_chat_with_tools(TOOLS, "Hi"):
        llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)


@check("Tools", "a tool is not run on half of its arguments")
async def cut_arguments(subject: Subject) -> None:
    answer_with(subject, {"content": None, "tool_calls": [call("weather", '{"city": "Be')]})
    try:
        done = subject.make().predict_and_call(TOOLS, "Hi")
    except ResponseParseError:
        return
    assert all(source.is_error for source in done.sources), f"runs and says {done.response!r}"


@check("Tools", "the caller's history stays as it is")
async def history(subject: Subject) -> None:
    kept = [ChatMessage(content="Earlier")]
    subject.make().chat_with_tools(TOOLS, user_msg="Now", chat_history=kept)
    assert len(kept) == 1, "a message is appended to it"


@check("Tools", "tool schemas and options are sent as they are")
async def plain_tools(subject: Subject) -> None:
    subject.make().chat_with_tools(TOOLS, "Hi")
    extra = set(subject.body) & {"parallel_tool_calls", "tool_choice"}
    function = subject.body["tools"][0]["function"]
    extra |= {"strict"} & set(function)
    extra |= {"additionalProperties"} & set(function["parameters"])
    assert not extra, f"adds {', '.join(sorted(extra))}"


@check("Tools", "a function agent runs, streaming or not, and hands the raw answer on")
async def agents(subject: Subject) -> None:
    for streaming in (True, False):
        agent = FunctionAgent(tools=[weather], llm=subject.make(), streaming=streaming)
        output = await agent.run("Hi", memory=ChatMemoryBuffer(token_limit=10_000))
        assert "sunny in Bern" in str(output), "the tool's answer is lost"
        assert output.raw["provider"] == "OpenAI", "no provider"


# Structured output.


@check("Structured output", "gives objects, streaming or not")
async def structured(subject: Subject) -> None:
    llm, wanted = subject.make(), City(name="Bern", people=7)
    astream = await llm.astream_structured_predict(City, PROMPT, word="hi")
    found = [
        llm.structured_predict(City, PROMPT, word="hi"),
        await llm.astructured_predict(City, PROMPT, word="hi"),
        list(llm.stream_structured_predict(City, PROMPT, word="hi"))[-1],
        [each async for each in astream][-1],
    ]
    assert found == [wanted] * 4, f"gives {found}"


@check("Structured output", "an answer that is no object is no ValueError or TypeError")
async def structured_errors(subject: Subject) -> None:
    answer_with(subject, {"content": "Sorry."})
    llm = subject.make()
    fails("taken for an object", lambda: llm.structured_predict(City, PROMPT, word="hi"))


# Errors.


@check("Errors", "an error inside a 200 answer raises, and not as ValueError or TypeError")
async def error_in_200(subject: Subject) -> None:
    subject.server.respond(
        lambda request: json_answer({"error": {"code": 502, "message": "broke"}})
    )
    fails("taken for an answer", subject.make().chat, HI)


@check(
    "Errors", "half a JSON document or a page of HTML raises, and not as ValueError or TypeError"
)
async def no_json(subject: Subject) -> None:
    for content in (b'{"choices": [', b"<html>oops</html>"):
        subject.server.respond(lambda request, content=content: raw_answer(content))
        fails("taken for an answer", subject.make().chat, HI)


@check("Errors", "a choice that ended in an error raises")
async def error_choice(subject: Subject) -> None:
    choice = {
        "message": {"role": "assistant", "content": "Be"},
        "finish_reason": "error",
        "error": {"code": 502, "message": "broke"},
    }
    subject.server.respond(lambda request: whole({}, choices=[choice]))
    fails("taken for an answer", subject.make().chat, HI)


@check("Errors", "an error inside a stream raises")
async def error_in_stream(subject: Subject) -> None:
    broken = {**chunk(finish_reason="error"), "error": {"code": 502, "message": "broke"}}
    subject.server.respond(lambda request: stream_answer(chunk("Be"), broken, b"data: [DONE]\n\n"))
    fails("taken for its end", subject.make().stream_chat, HI)


@check("Errors", "a stream that was cut off raises")
async def cut_stream(subject: Subject) -> None:
    subject.server.respond(lambda request: stream_answer(chunk("Be"), CLOSE))
    fails("taken for its end", subject.make().stream_chat, HI)
    subject.server.respond(lambda request: stream_answer(chunk("Be")))
    fails("taken for its end", subject.make().stream_chat, HI)


@check("Errors", "a query engine raises what went wrong instead of answering 'Empty Response'")
async def empty_response(subject: Subject) -> None:
    subject.server.respond(
        lambda request: json_answer({"error": {"code": 502, "message": "broke"}})
    )
    engine = SummaryIndex([TextNode(text="Bern")]).as_query_engine(llm=subject.make())
    try:
        response = engine.query("Where is Bern?")
    except Exception:
        return
    raise AssertionError(f"answers {str(response)!r}")


@check("Errors", "sends a failed request as often again as max_retries says")
async def retries(subject: Subject) -> None:
    failure = error_answer(503, {"code": 503, "message": "busy"}, headers={"Retry-After": "0"})
    subject.server.respond(lambda request: failure)
    fails("taken for an answer", subject.make(max_retries=1).chat, HI)
    assert len(subject.server.requests) == 2, f"sends {len(subject.server.requests)} requests"


# Copies and loops.


@check("Copies and loops", "can be deep-copied")
async def deep_copies(subject: Subject) -> None:
    llm = subject.make()
    llm.chat(HI)
    assert copy.deepcopy(llm).chat(HI).message.content == "Echo: Hi"


@check("Copies and loops", "can be pickled")
async def pickles(subject: Subject) -> None:
    llm = subject.make()
    llm.chat(HI)
    assert pickle.loads(pickle.dumps(llm)).chat(HI).message.content == "Echo: Hi"


@check("Copies and loops", "comes back from a dict and from JSON")
async def dumps(subject: Subject) -> None:
    llm = subject.make(temperature=0.25)
    for loaded in (
        subject.llm_class.from_dict({**llm.to_dict(), "api_key": "sk-or-v1-secret"}),
        subject.llm_class.from_dict({**json.loads(llm.to_json()), "api_key": "sk-or-v1-secret"}),
    ):
        loaded.chat(HI)
        assert subject.body["temperature"] == 0.25, "fields are lost"


@check("Copies and loops", "shows its key in no repr and no dump")
async def secrets(subject: Subject) -> None:
    llm = subject.make()
    for name, text in (
        ("to_dict()", str(llm.to_dict())),
        ("repr()", repr(llm)),
        ("to_payload()", str(llm.to_payload())),
        ("pickle", pickle.dumps(llm).decode("latin-1")),
    ):
        assert "sk-or-v1-secret" not in text, f"in {name}"


@check("Copies and loops", "works in a second event loop")
async def second_loop(subject: Subject) -> None:
    llm = subject.make()

    async def ask() -> str:
        return str((await llm.achat(HI)).message.content)

    for _ in range(3):
        assert await asyncio.to_thread(asyncio.run, ask()) == "Echo: Hi"


@check("Copies and loops", "closes the connection when a stream is left early")
async def left_early(subject: Subject) -> None:
    from tests.scripted_server import HANG

    subject.server.respond(lambda request: stream_answer(chunk("Be"), HANG))
    responses = subject.make().stream_chat(HI)
    next(responses)
    responses.close()
    assert subject.server.requests[0].disconnected.wait(5), "stays open"
