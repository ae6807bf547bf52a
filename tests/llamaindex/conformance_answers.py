"""Checks of the conformance suite about answers: methods, metadata, blocks."""

from __future__ import annotations

import base64
from typing import Any

from llama_index.core import PromptTemplate
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
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from tests.llamaindex.answers import stream, whole
from tests.llamaindex.conformance import Subject, check

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
