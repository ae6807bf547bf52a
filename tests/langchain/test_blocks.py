"""The standard view of an answer: the same in v0, v1 and v3, streamed or not; and what is replayed of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain_core.load import dumpd, load
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    messages_from_dict,
    messages_to_dict,
)
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

from langchain_openrouter_routing.blocks import translate_content
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel

PNG = "iVBORw0KGgo="
DETAILS: list[dict[str, Any]] = [
    {
        "type": "reasoning.text",
        "index": 0,
        "format": "anthropic-claude-v1",
        "text": "The capital of Switzerland.",
        "signature": "c2lnbmF0dXJl",
    },
    {
        "type": "reasoning.encrypted",
        "data": "b3BhcXVl+/==",
        "id": "rs_1",
        "format": "openai-responses-v1",
        "index": 1,
    },
    {"type": "reasoning.summary", "summary": "Thought about it.", "format": None, "index": 2},
    {
        "type": "reasoning.server_tool_call",
        "tool_name": "openrouter:web_search",
        "tool_call_id": "srv-1",
        "arguments": '{"query": "capital"}',
        "result": '{"found": 1}',
        "index": 3,
    },
    {"type": "reasoning.novel", "format": "novel-v9", "index": 4, "weights": [1.5, {"a": None}]},
]
ANNOTATIONS = [
    {
        "type": "url_citation",
        "url_citation": {
            "url": "https://x.example/bern",
            "title": "Bern",
            "content": "Bern is ...",
            "start_index": 0,
            "end_index": 5,
            "score": 0.5,
        },
    },
    {"type": "file", "file": {"hash": "h1", "name": "a.pdf", "content": [{"type": "text"}]}},
]
CALLS = [
    {
        "id": f"call_{name}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps({"city": city}, ensure_ascii=False)},
    }
    for name, city in (("weather", "Zürich"), ("news", "Bern"))
]
MESSAGE: dict[str, Any] = {
    "role": "assistant",
    "content": "Bern.",
    "reasoning": "The capital of Switzerland.",
    "reasoning_details": DETAILS,
    "tool_calls": CALLS,
    "images": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
    "audio": {"id": "audio-1", "data": "UklGRg==", "transcript": "Bern.", "expires_at": 9},
    "annotations": ANNOTATIONS,
    "refusal": "Not more.",
}


def body(message: dict[str, Any], finish: str = "tool_calls") -> dict[str, Any]:
    return {
        "id": "gen-1",
        "model": "openai/gpt-5-mini",
        "provider": "OpenAI",
        "created": 1760000000,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16, "cost": 0.0001},
    }


def chunks(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Cut an answer as providers do: small pieces, calls in fragments that interleave."""
    deltas: list[dict[str, Any]] = []
    reasoning = message.get("reasoning", "")
    deltas += [{"reasoning": reasoning[i : i + 6]} for i in range(0, len(reasoning), 6)]
    for detail in message.get("reasoning_details", ()):
        text = detail.get("text")
        if text is None:
            deltas.append({"reasoning_details": [detail]})
            continue
        head = {key: detail[key] for key in ("type", "index", "format")}
        deltas += [
            {"reasoning_details": [{**head, "text": text[i : i + 8]}]}
            for i in range(0, len(text), 8)
        ]
        deltas.append({"reasoning_details": [{**head, "signature": detail["signature"]}]})
    deltas += [{"content": letter} for letter in message.get("content") or ""]
    calls = message.get("tool_calls", ())
    for index, call in enumerate(calls):
        function = {**call["function"], "arguments": ""}
        deltas.append({"tool_calls": [{**call, "index": index, "function": function}]})
    for index, call in enumerate(calls):
        text = call["function"]["arguments"]
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": text[i : i + 5]}}]}
            for i in range(0, len(text), 5)
        ]
    deltas += [
        {key: message[key]}
        for key in ("images", "audio", "annotations", "refusal")
        if key in message
    ]
    whole = body(message)
    head = {key: whole[key] for key in ("id", "model", "provider", "created")}
    made = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    return [*made, end, {**head, "choices": [], "usage": whole["usage"]}]


def merged(stream: list[AIMessageChunk]) -> AIMessageChunk:
    whole = stream[0]
    for chunk in stream[1:]:
        whole = whole + chunk
    return whole


def answer_of(
    emulator: Emulator, make_model: MakeModel, how: str, message: dict[str, Any], **fields: Any
) -> AIMessage:
    llm = make_model(**fields)
    emulator.script([chunks(message) if how != "invoke" else body(message)])
    if how == "invoke":
        return llm.invoke("Where?")
    if how == "stream":
        return merged(list(llm.stream("Where?")))
    if how == "astream":

        async def collect() -> list[AIMessageChunk]:
            return [chunk async for chunk in llm.astream("Where?")]

        return merged(asyncio.run(collect()))
    if how == "invoke over a stream":
        return llm.invoke("Where?", stream=True)
    events = llm.stream_events("Where?", version="v3")
    collected = list(events)
    assert_valid_event_stream(collected)
    return events.output


def without_indices(blocks: list[Any]) -> list[Any]:
    return [{key: block[key] for key in block if key != "index"} for block in blocks]


def expected() -> list[dict[str, Any]]:
    return [
        {
            "type": "reasoning",
            "reasoning": "The capital of Switzerland.",
            "extras": {
                "reasoning_details": DETAILS,
                "signature": "c2lnbmF0dXJl",
                "encrypted": "b3BhcXVl+/==",
            },
        },
        {
            "type": "server_tool_call",
            "id": "srv-1",
            "name": "openrouter:web_search",
            "args": {"query": "capital"},
        },
        {
            "type": "server_tool_result",
            "tool_call_id": "srv-1",
            "status": "success",
            "output": '{"found": 1}',
        },
        {
            "type": "text",
            "text": "Bern.",
            "annotations": [
                {
                    "type": "citation",
                    "url": "https://x.example/bern",
                    "title": "Bern",
                    "cited_text": "Bern is ...",
                    "start_index": 0,
                    "end_index": 5,
                    "extras": {"score": 0.5},
                },
                {"type": "non_standard_annotation", "value": ANNOTATIONS[1]},
            ],
        },
        {"type": "non_standard", "value": {"type": "refusal", "refusal": "Not more."}},
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
        {
            "type": "audio",
            "base64": "UklGRg==",
            "mime_type": "audio/wav",
            "id": "audio-1",
            "extras": {"transcript": "Bern.", "expires_at": 9},
        },
        {"type": "tool_call", "id": "call_weather", "name": "weather", "args": {"city": "Zürich"}},
        {"type": "tool_call", "id": "call_news", "name": "news", "args": {"city": "Bern"}},
    ]


def by_type(blocks: list[Any]) -> list[Any]:
    """Order blocks by kind: a stream shows them in the order they came."""
    return sorted(without_indices(blocks), key=lambda block: (block["type"], str(block.get("id"))))


HOW = ("invoke", "stream", "astream", "invoke over a stream", "v3")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_an_answer_looks_the_same_however_it_came(
    emulator: Emulator, make_model: MakeModel, how: str, version: str
) -> None:
    got = answer_of(emulator, make_model, how, MESSAGE, output_version=version)
    assert by_type(list(got.content_blocks)) == by_type(expected())
    assert got.text == "Bern."
    assert [call["args"] for call in got.tool_calls] == [{"city": "Zürich"}, {"city": "Bern"}]
    assert got.response_metadata["provider"] == "OpenAI"
    assert got.response_metadata["model_name"] == "openai/gpt-5-mini"
    if version == "v0" and how != "v3":
        assert got.content == "Bern."
    else:
        assert isinstance(got.content, list)


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_reasoning_is_replayed_exactly(
    emulator: Emulator, make_model: MakeModel, how: str, version: str
) -> None:
    got = answer_of(emulator, make_model, how, MESSAGE, output_version=version)
    assert "Switzerland" not in got.text
    stored = [
        got,
        messages_from_dict(json.loads(json.dumps(messages_to_dict([got]))))[0],
        load(dumpd(got), allowed_objects="core"),
    ]
    for message in stored:
        make_model(output_version=version).invoke(
            [HumanMessage("Where?"), message, HumanMessage("Hm?")]
        )
        request: Any = emulator.requests[-1].json
        replayed = request["messages"][1]
        assert json.dumps(replayed["reasoning_details"]) == json.dumps(DETAILS)
        assert replayed["content"] == "Bern."
        assert replayed["tool_calls"] == CALLS
        assert replayed["annotations"] == ANNOTATIONS[1:]
        assert replayed["images"] == MESSAGE["images"]
        assert replayed["refusal"] == "Not more."
        assert replayed["audio"] == {"id": "audio-1"}


def test_the_blocks_alone_are_enough_to_replay(emulator: Emulator, make_model: MakeModel) -> None:
    got = answer_of(emulator, make_model, "invoke", MESSAGE, output_version="v1")
    bare = AIMessage(got.content, tool_calls=got.tool_calls)
    make_model().invoke([HumanMessage("Where?"), bare, HumanMessage("Hm?")])
    request: Any = emulator.requests[-1].json
    replayed = request["messages"][1]
    assert json.dumps(replayed["reasoning_details"]) == json.dumps(DETAILS)
    assert (replayed["content"], replayed["tool_calls"]) == ("Bern.", CALLS)
    assert replayed["annotations"] == ANNOTATIONS[1:]
    assert replayed["refusal"] == "Not more."


@pytest.mark.parametrize("detail", DETAILS, ids=lambda detail: detail["type"])
@pytest.mark.parametrize("how", ["invoke", "stream", "v3"])
def test_each_kind_of_reasoning_survives_alone(
    emulator: Emulator, make_model: MakeModel, how: str, detail: dict[str, Any]
) -> None:
    got = answer_of(emulator, make_model, how, {"content": "Bern.", "reasoning_details": [detail]})
    assert got.additional_kwargs["reasoning_details"] == [detail]
    assert got.text == "Bern."


def test_fragments_with_the_same_index_stay_apart(
    emulator: Emulator, make_model: MakeModel
) -> None:
    both = [
        {"type": "reasoning.summary", "summary": "a", "index": 0, "format": "openai-responses-v1"},
        {"type": "reasoning.encrypted", "data": "b", "index": 0, "format": "openai-responses-v1"},
    ]
    got = answer_of(emulator, make_model, "stream", {"content": "x", "reasoning_details": both})
    assert got.additional_kwargs["reasoning_details"] == both


def test_each_chunk_shows_what_it_brought(emulator: Emulator, make_model: MakeModel) -> None:
    emulator.script([chunks(MESSAGE)])
    stream = list(make_model().stream("Where?"))
    shown = [block for chunk in stream[:-1] for block in chunk.content_blocks]
    text = "".join(block["text"] for block in shown if block["type"] == "text")
    reasoning = "".join(block["reasoning"] for block in shown if block["type"] == "reasoning")
    assert (text, reasoning) == ("Bern.", "The capital of Switzerland.")
    fragments: dict[Any, str] = {}
    for block in shown:
        if block["type"] == "tool_call_chunk":
            key = block["index"]
            fragments[key] = fragments.get(key, "") + (block["args"] or "")
    assert fragments == {
        "lc_tc_0": '{"city": "Zürich"}',
        "lc_tc_1": '{"city": "Bern"}',
    }


def test_broken_arguments_are_told_as_such(emulator: Emulator, make_model: MakeModel) -> None:
    broken = [{**CALLS[0], "function": {"name": "weather", "arguments": "no json"}}]
    got = answer_of(emulator, make_model, "invoke", {"content": None, "tool_calls": broken})
    assert got.tool_calls == []
    (call,) = got.invalid_tool_calls
    assert (call["args"], call["id"]) == ("no json", "call_weather")
    assert "not JSON" in str(call["error"])
    streamed = answer_of(emulator, make_model, "stream", {"content": None, "tool_calls": broken})
    # With a bracket that closes nothing, so that LangChain does not guess.
    assert streamed.invalid_tool_calls[0]["args"] == "no json]"


def test_content_of_other_shapes_has_blocks_too() -> None:
    message = AIMessage(
        [
            "Be",
            {"type": "text", "text": "rn."},
            {"type": "tool_use", "id": "c-1", "name": "weather", "input": {}},
            {"type": "novel", "x": 1},
        ],
        tool_calls=[{"name": "weather", "args": {}, "id": "c-1"}],
        response_metadata={"model_provider": "openrouter"},
    )
    assert message.content_blocks == translate_content(message)
    assert [block["type"] for block in message.content_blocks] == [
        "text",
        "text",
        "non_standard",
        "tool_call",
    ]


def test_reasoning_told_in_details_alone_is_the_same_streamed(
    emulator: Emulator, make_model: MakeModel
) -> None:
    def detail(**fields: Any) -> dict[str, Any]:
        return {
            "choices": [{"delta": {"reasoning_details": [{"type": "reasoning.text", **fields}]}}]
        }

    stream = [
        detail(text="Swiss, ", index=0),
        detail(text="so Bern.", index=0),
        detail(signature="sig", index=0),
        {"choices": [{"delta": {"content": "Bern."}, "finish_reason": "stop"}]},
    ]
    emulator.script([stream])
    whole = merged(list(make_model().stream("x")))
    assert whole.additional_kwargs["reasoning_content"] == "Swiss, so Bern."
    assert whole.content_blocks[0]["reasoning"] == "Swiss, so Bern."  # type: ignore[typeddict-item]
    assert whole.text == "Bern."
