"""Blocks both ways: what each becomes on the wire, what answers become, and what survives memory and replay."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.memory import ChatMemoryBuffer
from openrouter.components import ChatRequest

from llamaindex_openrouter_routing import OpenRouter
from llamaindex_openrouter_routing.messages import messages_to_wire
from openrouter_routing import errors
from tests.llamaindex.answers import stream, whole
from tests.scripted_server import (
    DONE,
    Recorded,
    ScriptedServer,
    answer,
    chunk,
    json_answer,
    stream_answer,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = b"RIFF$\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"
PDF = b"%PDF-1.4\n%%EOF\n"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def image_part(url: str, **more: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


PARTS: list[tuple[ContentBlock, list[dict[str, Any]]]] = [
    (ImageBlock(image=PNG), [image_part(f"data:image/png;base64,{encoded(PNG)}")]),
    (
        ImageBlock(url="https://example.com/cat.jpg", detail="low"),
        [image_part("https://example.com/cat.jpg", detail="low")],
    ),
    (
        ImageBlock(url=f"data:image/png;base64,{encoded(PNG)}"),
        [image_part(f"data:image/png;base64,{encoded(PNG)}")],
    ),
    (
        AudioBlock(audio=WAV),
        [{"type": "input_audio", "input_audio": {"data": encoded(WAV), "format": "wav"}}],
    ),
    (
        AudioBlock(audio=b"\x00\x01\x02", format="pcm16"),
        [
            {
                "type": "input_audio",
                "input_audio": {"data": encoded(b"\x00\x01\x02"), "format": "pcm16"},
            }
        ],
    ),
    (
        VideoBlock(url="https://example.com/film.mp4"),
        [{"type": "video_url", "video_url": {"url": "https://example.com/film.mp4"}}],
    ),
    (
        VideoBlock(video=MP4),
        [{"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{encoded(MP4)}"}}],
    ),
    (
        DocumentBlock(data=PDF, title="a.pdf"),
        [
            {
                "type": "file",
                "file": {
                    "filename": "a.pdf",
                    "file_data": f"data:application/pdf;base64,{encoded(PDF)}",
                },
            }
        ],
    ),
    (
        DocumentBlock(url="https://example.com/a.pdf", title="a.pdf"),
        [{"type": "file", "file": {"filename": "a.pdf", "file_data": "https://example.com/a.pdf"}}],
    ),
    (
        CitableBlock(title="Guide", source="guide.md", content="Bern is a city."),
        [text_part("Guide (guide.md):"), text_part("Bern is a city.")],
    ),
    (
        CitationBlock(
            cited_content="Bern", source="guide.md", title="Guide", additional_location_info={}
        ),
        [text_part("Cited from Guide (guide.md):"), text_part("Bern")],
    ),
    (ThinkingBlock(content="Hm."), [text_part("Hm.")]),
]


@pytest.mark.parametrize(("block", "parts"), PARTS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("role", [MessageRole.USER, MessageRole.TOOL, MessageRole.SYSTEM])
async def test_every_block_in_every_input_role(
    block: ContentBlock,
    parts: list[dict[str, Any]],
    role: MessageRole,
    llm: OpenRouter,
    server: ScriptedServer,
) -> None:
    kept = {"tool_call_id": "call_1"} if role is MessageRole.TOOL else {}
    message = ChatMessage(
        role=role, blocks=[TextBlock(text="Look:"), block], additional_kwargs=kept
    )
    before = message.model_dump_json()
    llm.chat([message])
    await llm.achat([message])
    for request in server.requests:
        assert request.json["messages"] == [
            {"role": role.value, "content": [text_part("Look:"), *parts], **kept}
        ]
    assert message.model_dump_json() == before


@pytest.mark.parametrize(
    ("name", "content", "block", "expected"),
    [
        ("a.png", PNG, lambda path: ImageBlock(path=path), f"data:image/png;base64,{encoded(PNG)}"),
        (
            "nameless",
            PNG,
            lambda path: ImageBlock(path=path),
            f"data:image/png;base64,{encoded(PNG)}",
        ),
        ("a.wav", WAV, lambda path: AudioBlock(path=path), encoded(WAV)),
        ("a.mp4", MP4, lambda path: VideoBlock(path=path), f"data:video/mp4;base64,{encoded(MP4)}"),
        (
            "a.pdf",
            PDF,
            lambda path: DocumentBlock(path=path),
            f"data:application/pdf;base64,{encoded(PDF)}",
        ),
    ],
)
async def test_files_are_read(
    name: str,
    content: bytes,
    block: Any,
    expected: str,
    tmp_path: Path,
    llm: OpenRouter,
    server: ScriptedServer,
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = ChatMessage(blocks=[block(path)])
    llm.chat([message])
    await llm.achat([message])
    assert all(expected in request.body.decode() for request in server.requests)
    path.unlink()
    with pytest.raises(errors.BadRequestError, match="cannot be sent"):
        llm.chat([message])


def test_cache_points_mark_the_part_before_them(llm: OpenRouter, server: ScriptedServer) -> None:
    short = CachePoint(cache_control={"type": "ephemeral"})
    long = CachePoint(cache_control={"type": "ephemeral", "ttl": "1h"})
    llm.chat(
        [
            ChatMessage(role="system", blocks=[TextBlock(text="Long rules."), long]),
            ChatMessage(role="assistant", blocks=[TextBlock(text="Yes."), short]),
            ChatMessage(blocks=[TextBlock(text="a"), short, TextBlock(text="b")]),
        ]
    )
    system, assistant, user = [
        message["content"] for message in server.requests[0].json["messages"]
    ]
    assert system == [
        {**text_part("Long rules."), "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    assert assistant == [{**text_part("Yes."), "cache_control": {"type": "ephemeral"}}]
    assert user == [{**text_part("a"), "cache_control": {"type": "ephemeral"}}, text_part("b")]


@pytest.mark.parametrize(
    "message",
    [
        ChatMessage(blocks=[CachePoint(cache_control={"type": "ephemeral"})]),
        ChatMessage(blocks=[ToolCallBlock(tool_name="f")]),
        ChatMessage(role="tool", content="42"),
        ChatMessage(blocks=[ImageBlock()]),
        ChatMessage(blocks=[AudioBlock()]),
        ChatMessage(blocks=[VideoBlock()]),
        ChatMessage(blocks=[DocumentBlock()]),
        ChatMessage(role="assistant", blocks=[AudioBlock(audio=WAV)]),
    ],
)
def test_what_cannot_be_sent_is_our_error(
    message: ChatMessage, llm: OpenRouter, server: ScriptedServer
) -> None:
    with pytest.raises(errors.BadRequestError):
        llm.chat([message])
    assert server.requests == []


ANSWER = {
    "role": "assistant",
    "content": "Bern is the capital.",
    "reasoning": "The user asks. I know.",
    "reasoning_details": [
        {"type": "reasoning.text", "text": "The user asks. I know.", "index": 0,
         "format": "anthropic-claude-v1", "signature": "abc="},
        {"type": "reasoning.encrypted", "data": "xyz", "id": "rs_1", "format": "openai-responses-v1", "index": 1},
    ],
    "images": [image_part(f"data:image/png;base64,{encoded(PNG)}")],
    "audio": {"id": "audio_1", "data": encoded(WAV), "transcript": "Bern", "format": "wav"},
    "annotations": [
        {
            "type": "url_citation",
            "url_citation": {"url": "https://bern.ch/", "title": "Bern", "content": "capital",
                             "start_index": 0, "end_index": 4},
        },
        {"type": "file", "file": {"hash": "h", "name": "a.pdf", "content": [text_part("parsed")]}},
    ],
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{ "city":"Zürich" }'}}
    ],
}  # fmt: skip


def answering(request: Recorded) -> Any:
    return stream(ANSWER) if request.json.get("stream") else whole(ANSWER)


async def answers_of(llm: OpenRouter, server: ScriptedServer) -> list[ChatMessage]:
    server.respond(answering)
    question = [ChatMessage(content="Where?")]
    astream = await llm.astream_chat(question)
    return [
        llm.chat(question).message,
        (await llm.achat(question)).message,
        list(llm.stream_chat(question))[-1].message,
        [response async for response in astream][-1].message,
    ]


async def test_answers_become_blocks(llm: OpenRouter, server: ScriptedServer) -> None:
    for message in await answers_of(llm, server):
        kinds = {type(block): block for block in message.blocks}
        assert list(kinds) == [
            ThinkingBlock, TextBlock, ImageBlock, AudioBlock, CitationBlock, ToolCallBlock,
        ]  # fmt: skip
        thinking, text, image, audio, citation, call = kinds.values()
        assert thinking.content == "The user asks. I know."
        assert thinking.num_tokens == 1
        assert thinking.additional_information == {"reasoning_details": ANSWER["reasoning_details"]}
        assert (text.text, message.content) == ("Bern is the capital.",) * 2
        assert image.resolve_image().read() == PNG
        assert image.image_mimetype == "image/png"
        assert audio.resolve_audio().read() == WAV
        assert (citation.source, citation.title) == ("https://bern.ch/", "Bern")
        assert citation.cited_content.text == "capital"
        assert citation.additional_location_info == {"start_index": 0, "end_index": 4}
        assert (call.tool_call_id, call.tool_name) == ("call_1", "look")
        assert call.tool_kwargs == {"city": "Zürich"}


async def test_answers_survive_memory_and_json_and_are_replayed_unchanged(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    for message in await answers_of(llm, server):
        memory = ChatMemoryBuffer(token_limit=100_000)
        memory.put(message)
        loaded = ChatMessage.model_validate_json(message.model_dump_json())
        for kept in (message, loaded, *memory.get_all()):
            (wire,) = messages_to_wire([kept])
            expected = {name: ANSWER[name] for name in wire if name not in ("audio", "reasoning")}
            assert wire == {**expected, "audio": {"id": "audio_1"}}
            assert set(ANSWER) - set(wire) == {"reasoning"}


def test_reasoning_without_details_goes_back_as_text() -> None:
    message = ChatMessage(
        role="assistant", blocks=[ThinkingBlock(content="Hm."), TextBlock(text="Yes.")]
    )
    assert messages_to_wire([message]) == [
        {"role": "assistant", "content": "Yes.", "reasoning": "Hm."}
    ]


def test_details_in_additional_kwargs_go_back_too() -> None:
    details = [{"type": "reasoning.text", "text": "Hm."}]
    message = ChatMessage(
        role="assistant", content="Yes.", additional_kwargs={"reasoning_details": details}
    )
    assert messages_to_wire([message])[0]["reasoning_details"] == details


def test_edited_tool_calls_are_sent_as_edited() -> None:
    original = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{ "a": 1 }'}}
    block = ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs={"a": 2, "b": "ü"})
    message = ChatMessage(
        role="assistant", blocks=[block], additional_kwargs={"tool_calls": [original]}
    )
    assert (
        messages_to_wire([message])[0]["tool_calls"][0]["function"]["arguments"]
        == '{"a":2,"b":"ü"}'
    )
    message.blocks = [ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs={"a": 1})]
    assert messages_to_wire([message])[0]["tool_calls"] == [original]
    message.blocks = []
    assert messages_to_wire([message])[0] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [original],
    }


def test_citations_without_annotations_are_made_into_them() -> None:
    block = CitationBlock(
        cited_content="x",
        source="https://a/",
        title="A",
        additional_location_info={"start_index": 1},
    )
    message = ChatMessage(role="assistant", blocks=[TextBlock(text="Yes."), block])
    assert messages_to_wire([message])[0]["annotations"] == [
        {
            "type": "url_citation",
            "url_citation": {"url": "https://a/", "title": "A", "content": "x", "start_index": 1},
        }
    ]


@pytest.mark.parametrize(
    ("role", "wire"),
    [
        ("system", "system"), ("developer", "developer"), ("user", "user"),
        ("assistant", "assistant"), ("model", "assistant"), ("chatbot", "assistant"),
    ],
)  # fmt: skip
def test_roles_and_names(role: str, wire: str) -> None:
    message = ChatMessage(role=role, content="Hi", additional_kwargs={"name": "ann"})
    assert messages_to_wire([message]) == [{"role": wire, "content": "Hi", "name": "ann"}]


def test_a_refusal_is_text_and_is_named(llm: OpenRouter, server: ScriptedServer) -> None:
    server.respond(lambda request: whole({"content": None, "refusal": "I will not."}))
    response = llm.chat([ChatMessage(content="Hi")])
    assert response.message.content == "I will not."
    assert response.additional_kwargs["refusal"] == "I will not."


def test_logprobs(llm: OpenRouter, server: ScriptedServer) -> None:
    tokens = [
        {"token": "Be", "logprob": -0.1, "bytes": [66, 101], "top_logprobs": []},
        {"token": "rn", "logprob": -0.2,
         "top_logprobs": [{"token": "rn", "logprob": -0.2}, {"token": "x", "logprob": -3}]},
    ]  # fmt: skip
    choice = {
        "message": {"content": "Bern"},
        "finish_reason": "stop",
        "logprobs": {"content": tokens},
    }
    server.respond(lambda request: whole({}, choices=[choice]))
    response = llm.complete("Hi", logprobs=True)
    assert response.logprobs is not None
    assert [[entry.token for entry in entries] for entries in response.logprobs] == [
        ["Be"],
        ["rn", "x"],
    ]
    assert response.logprobs[0][0].bytes == [66, 101]


@pytest.mark.parametrize("image", [{"type": "image_url"}, image_part("data:image/png;base64,%%%")])
def test_an_unreadable_image_is_our_error(
    image: Any, llm: OpenRouter, server: ScriptedServer
) -> None:
    server.respond(lambda request: whole({"content": "", "images": [image]}))
    with pytest.raises(errors.ResponseParseError, match="image"):
        llm.complete("Hi")


@pytest.mark.parametrize(
    "unreadable",
    [
        {"images": [{"type": "image_url", "image_url": None}]},
        {"images": [{}, image_part("data:image/png;base64,%%%")]},
        {"audio": {"data": 5}},
        {"audio": {"data": "%%%"}},
    ],
)
def test_a_text_survives_what_cannot_be_read_beside_it(
    unreadable: Any, llm: OpenRouter, server: ScriptedServer
) -> None:
    server.respond(lambda request: whole({"content": "paid text", **unreadable}))
    response = llm.chat([ChatMessage(content="Hi")])
    assert response.message.blocks == [TextBlock(text="paid text")]
    assert response.raw["choices"][0]["message"].items() >= unreadable.items()


def test_a_sound_may_come_in_lines_or_as_its_transcript_alone(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    lines = base64.encodebytes(b"sound" * 40).decode()
    server.respond(lambda _: whole({"content": None, "audio": {"data": lines, "format": "wav"}}))
    (block,) = llm.chat([ChatMessage(content="Hi")]).message.blocks
    assert isinstance(block, AudioBlock)
    server.respond(lambda _: whole({"content": None, "audio": {"id": "a", "transcript": "Bern."}}))
    assert llm.chat([ChatMessage(content="Hi")]).message.content == "Bern."


@pytest.mark.parametrize(
    "content",
    [
        [{"token": "a", "logprob": "x"}],
        [{"token": "a", "logprob": -1, "bytes": [None]}],
        [{"token": "a", "logprob": -1, "top_logprobs": 5}],
        [{"token": "a", "logprob": -1, "top_logprobs": [None]}],
        [None, 7],
        5,
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_log_probabilities_of_another_shape_lose_no_answer(
    content: Any, streamed: bool, llm: OpenRouter, server: ScriptedServer
) -> None:
    choice = {"finish_reason": "stop", "logprobs": {"content": content}}
    if streamed:
        server.respond(lambda _: stream_answer(chunk("Bern.", **choice), DONE))
        assert [r.message.content for r in llm.stream_chat([ChatMessage(content="Hi")])][
            -1
        ] == "Bern."
    else:
        body = answer("Bern.")
        body["choices"][0].update(choice)
        server.respond(lambda _: json_answer(body))
        assert llm.chat([ChatMessage(content="Hi")]).message.content == "Bern."


def test_thinking_deltas(llm: OpenRouter, server: ScriptedServer) -> None:
    server.respond(answering)
    responses = list(llm.stream_chat([ChatMessage(content="Where?")]))
    thought = "".join(
        response.additional_kwargs.get("thinking_delta", "") for response in responses
    )
    assert thought == ANSWER["reasoning"]


@pytest.mark.parametrize(("block", "parts"), PARTS, ids=lambda value: type(value).__name__)
def test_the_official_sdk_describes_these_parts(
    block: ContentBlock, parts: list[dict[str, Any]]
) -> None:
    messages = messages_to_wire([ChatMessage(blocks=[TextBlock(text="Look:"), block])])
    described = ChatRequest.model_validate({"model": "openai/gpt-5-mini", "messages": messages})
    kept = described.model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert kept["messages"][0]["content"][1:] == parts


def test_the_official_sdk_describes_replayed_answers(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    server.respond(answering)
    message = llm.chat([ChatMessage(content="Where?")]).message
    result = ChatMessage(role="tool", content="42", additional_kwargs={"tool_call_id": "call_1"})
    messages = messages_to_wire([ChatMessage(content="Where?"), message, result])
    described = ChatRequest.model_validate({"model": "openai/gpt-5-mini", "messages": messages})
    kept = described.model_dump(by_alias=True, exclude_unset=True, mode="json")["messages"]
    assert kept[1]["tool_calls"] == messages[1]["tool_calls"]
    assert kept[1]["reasoning_details"] == messages[1]["reasoning_details"]
    assert kept[1]["images"] == [
        {"image_url": image["image_url"]} for image in messages[1]["images"]
    ]
    assert kept[2] == messages[2]
