"""The checks of the conformance suite; `conformance` runs them."""

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
    AudioBlock,
    CachePoint,
    ChatMessage,
    CitableBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    VideoBlock,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

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


# The eight methods.


@check("Methods", "all eight methods answer")
async def eight_methods(subject: Subject) -> None:
    llm = subject.make()
    texts = [
        llm.chat(HI).message.content,
        (await llm.achat(HI)).message.content,
        list(llm.stream_chat(HI))[-1].message.content,
        [found async for found in await llm.astream_chat(HI)][-1].message.content,
        llm.complete("Hi").text,
        (await llm.acomplete("Hi")).text,
        list(llm.stream_complete("Hi"))[-1].text,
        [found async for found in await llm.astream_complete("Hi")][-1].text,
    ]
    assert texts == ["Echo: Hi"] * 8, "not all of them"


@check("Methods", "sends nothing that was not set")
async def nothing_unset(subject: Subject) -> None:
    subject.make().chat(HI)
    extra = set(subject.body) - {"model", "messages", "stream"}
    assert not extra, f"sends {', '.join(sorted(extra))}"


@check("Methods", "what a call says wins over the constructor")
async def call_wins(subject: Subject) -> None:
    subject.make(max_tokens=5, temperature=0.5).chat(HI, max_tokens=99, temperature=0.0)
    found = (subject.body["max_tokens"], subject.body["temperature"])
    assert found == (99, 0.0), f"sends {found}"


@check("Methods", "provider preferences can be given by call")
async def preferences_by_call(subject: Subject) -> None:
    llm = subject.make(additional_kwargs={"extra_body": {"provider": {"order": ["azure"]}}})
    llm.chat(HI, extra_body={"provider": {"order": ["openai"]}})
    assert subject.body["provider"]["order"] == ["openai"], "the constructor's are sent"


@check("Methods", "unknown arguments of the constructor are errors")
async def unknown_arguments(subject: Subject) -> None:
    try:
        subject.make(temprature=1)
    except Exception:
        return
    raise AssertionError("ignored")


@check("Methods", "knows the context window of common models")
async def context_window(subject: Subject) -> None:
    window = subject.bare().metadata.context_window
    assert window >= 128_000, f"takes it for {window}"


@check("Methods", "agents take it without being told that it calls tools")
async def function_calling(subject: Subject) -> None:
    assert subject.bare().metadata.is_function_calling_model, "LLM must be a FunctionCallingLLM"


# Metadata.


@check("Metadata", "the answer tells the serving provider, the cost and the native finish reason")
async def route_of_chat(subject: Subject) -> None:
    kept = subject.make().chat(HI).additional_kwargs
    wanted = {"provider": "OpenAI", "cost": 0.00025, "native_finish_reason": "done"}
    assert {name: kept.get(name) for name in wanted} == wanted, "not in additional_kwargs"


@check("Metadata", "so does the last chunk of a stream")
async def route_of_stream(subject: Subject) -> None:
    kept = list(subject.make().stream_chat(HI))[-1].additional_kwargs
    wanted = {"provider": "OpenAI", "cost": 0.00025, "native_finish_reason": "done"}
    assert {name: kept.get(name) for name in wanted} == wanted, "not in additional_kwargs"


@check("Metadata", "raw of the last chunk is the whole answer, with usage and finish reason")
async def raw_of_stream(subject: Subject) -> None:
    raw = list(subject.make().stream_chat(HI))[-1].raw
    raw = raw.model_dump() if isinstance(raw, BaseModel) else raw
    assert raw["usage"]["total_tokens"] == 12, "no usage"
    choices = raw["choices"]
    assert choices, "no choices"
    assert choices[0]["finish_reason"] == "stop", "no finish reason"


@check("Metadata", "token counters see true numbers, streaming included")
async def token_counts(subject: Subject) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = subject.make(callback_manager=CallbackManager([counter]))
    llm.chat(HI)
    list(llm.stream_chat(HI))
    found = [
        (event.prompt_token_count, event.completion_token_count)
        for event in counter.llm_token_counts
    ]
    assert found == [(9, 3)] * 2, f"counts {found}"


@check("Metadata", "a structured LLM keeps the metadata of its answers")
async def structured_metadata(subject: Subject) -> None:
    response = subject.make().as_structured_llm(City).chat(HI)
    assert response.additional_kwargs.get("provider") == "OpenAI", "lost"


class _Events(BaseEventHandler):
    names: list[str] = []  # noqa: RUF012 (a field of a pydantic class)

    def handle(self, event: Any, **kwargs: Any) -> None:
        self.names.append(type(event).__name__)


@check("Metadata", "a completion is told to observers once, as a completion")
async def one_event(subject: Subject) -> None:
    llm, events, dispatcher = subject.make(), _Events(names=[]), get_dispatcher()
    dispatcher.add_event_handler(events)
    try:
        llm.complete("Hi")
    finally:
        dispatcher.event_handlers.remove(events)
    assert events.names.count("LLMCompletionEndEvent") == 1, "not told"
    assert "LLMChatStartEvent" not in events.names, "told as a chat too"


# Blocks.


def content_sent(subject: Subject, *blocks: Any, role: str = "user", **kept: Any) -> Any:
    subject.make().chat([ChatMessage(role=role, blocks=list(blocks), additional_kwargs=kept)])
    return subject.body["messages"][0]["content"]


@check("Blocks", "sends images, audio, documents and video")
async def media(subject: Subject) -> None:
    for block, kind in (
        (ImageBlock(image=PNG), "image_url"),
        (AudioBlock(audio=b"\x00\x01\x02", format="wav"), "input_audio"),
        (DocumentBlock(data=b"%PDF-1.4", title="a.pdf"), "file"),
        (VideoBlock(url="https://example.com/a.mp4"), "video_url"),
    ):
        parts = content_sent(subject, TextBlock(text="Look:"), block)
        assert [part["type"] for part in parts] == ["text", kind], f"not {kind}"


@check("Blocks", "sends cache points as cache_control")
async def cache_points(subject: Subject) -> None:
    point = CachePoint(cache_control={"type": "ephemeral"})
    parts = content_sent(subject, TextBlock(text="Long."), point)
    assert parts[0]["cache_control"] == {"type": "ephemeral"}, "dropped"


@check("Blocks", "sends citable blocks")
async def citable(subject: Subject) -> None:
    block = CitableBlock(title="Guide", source="guide.md", content="Bern is a city.")
    assert "Bern is a city." in str(content_sent(subject, block)), "dropped"


@check("Blocks", "sends images in tool results")
async def images_of_tools(subject: Subject) -> None:
    parts = content_sent(
        subject, TextBlock(text="A map:"), ImageBlock(image=PNG), role="tool", tool_call_id="c"
    )
    assert "image_url" in str(parts), "dropped"


@check("Blocks", "replays reasoning details unchanged")
async def reasoning_replayed(subject: Subject) -> None:
    details = [{"type": "reasoning.text", "text": "Hm.", "signature": "abc=", "index": 0}]
    message = {"content": "Yes.", "reasoning": "Hm.", "reasoning_details": details}
    answer_with(subject, message)
    llm = subject.make()
    for answered in (llm.chat(HI).message, list(llm.stream_chat(HI))[-1].message):
        loaded = ChatMessage.model_validate_json(answered.model_dump_json())
        llm.chat([*HI, loaded, *HI])
        assert subject.body["messages"][1].get("reasoning_details") == details, "lost"


@check("Blocks", "reasoning becomes a thinking block")
async def thinking(subject: Subject) -> None:
    answer_with(subject, {"content": "Yes.", "reasoning": "Hm."})
    for answered in (subject.make().chat(HI), list(subject.make().stream_chat(HI))[-1]):
        thoughts = [
            block.content for block in answered.message.blocks if isinstance(block, ThinkingBlock)
        ]
        assert thoughts == ["Hm."], "lost"


@check("Blocks", "generated images become image blocks")
async def images_of_answers(subject: Subject) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    answer_with(
        subject, {"content": "", "images": [{"type": "image_url", "image_url": {"url": url}}]}
    )
    blocks = subject.make().chat(HI).message.blocks
    assert [block.resolve_image().read() for block in blocks if isinstance(block, ImageBlock)] == [
        PNG
    ], "lost"


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
    done = subject.make().predict_and_call(TOOLS, "Hi")
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
