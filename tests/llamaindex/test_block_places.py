"""Blocks where they are seldom: in answers that go back, and files that only their names describe."""

from __future__ import annotations

from pathlib import Path

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    ChatMessage,
    CitableBlock,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from llamaindex_openrouter_routing.messages import messages_to_wire
from openrouter_routing import errors
from tests.llamaindex.test_blocks import MP4, PDF, PNG, WAV, encoded, image_part, text_part

MARK = CachePoint(cache_control={"type": "ephemeral"})
CALL = ToolCallBlock(tool_call_id="call_1", tool_name="f", tool_kwargs={})


@pytest.mark.parametrize(
    ("blocks", "after"),
    [
        ([CALL, MARK], "ToolCallBlock"),
        ([ThinkingBlock(content="Hm."), MARK], "ThinkingBlock"),
        ([TextBlock(text="Yes."), CALL, MARK], "ToolCallBlock"),
        ([TextBlock(text="Yes."), ImageBlock(image=PNG), MARK], "ImageBlock"),
    ],
)
def test_a_cache_point_marks_no_call_and_moves_to_no_other_block(
    blocks: list[ContentBlock], after: str
) -> None:
    with pytest.raises(errors.BadRequestError, match=f"after a {after} .* put it after a text"):
        messages_to_wire([ChatMessage(role="assistant", blocks=blocks)])


def test_a_cache_point_of_an_answer_stands_after_its_text() -> None:
    message = ChatMessage(
        role="assistant", blocks=[ThinkingBlock(content="Hm."), TextBlock(text="Yes."), MARK, CALL]
    )
    (wire,) = messages_to_wire([message])
    assert wire["content"] == [{**text_part("Yes."), "cache_control": {"type": "ephemeral"}}]
    assert wire["tool_calls"][0]["id"] == "call_1"
    with pytest.raises(errors.BadRequestError, match="none before it"):
        messages_to_wire([ChatMessage(role="assistant", blocks=[MARK])])


def test_what_an_answer_has_to_cite_is_sent() -> None:
    block = CitableBlock(title="Guide", source="guide.md", content="Bern is a city.")
    (wire,) = messages_to_wire([ChatMessage(role="assistant", blocks=[block, MARK])])
    assert wire["content"] == [
        text_part("Guide (guide.md):"),
        {**text_part("Bern is a city."), "cache_control": {"type": "ephemeral"}},
    ]


@pytest.mark.parametrize(
    "block",
    [
        AudioBlock(audio=WAV),
        VideoBlock(video=MP4),
        DocumentBlock(data=PDF),
        CitableBlock(title="a", source="b", content=[ImageBlock(image=PNG)]),
    ],
    ids=lambda block: type(block).__name__,
)
@pytest.mark.parametrize("text", [[], [TextBlock(text="Yes.")]])
def test_what_an_answer_cannot_carry_is_refused(
    block: ContentBlock, text: list[ContentBlock]
) -> None:
    with pytest.raises(errors.BadRequestError, match="answer"):
        messages_to_wire([ChatMessage(role="assistant", blocks=[*text, block])])


@pytest.mark.parametrize("text", [[], [TextBlock(text="Yes.")]])
def test_a_sound_is_replayed_by_its_id(text: list[ContentBlock]) -> None:
    message = ChatMessage(
        role="assistant",
        blocks=[*text, AudioBlock(audio=WAV)],
        additional_kwargs={"audio": {"id": "audio_1", "transcript": "Bern"}},
    )
    (wire,) = messages_to_wire([message])
    assert wire == {
        "role": "assistant",
        "content": "Yes." if text else "Bern",
        "audio": {"id": "audio_1"},
    }


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.md", b"# Bern", "text/markdown"),
        ("a.csv", b"city,people", "text/csv"),
        ("a.txt", b"Bern", "text/plain"),
        ("a.json", b"{}", "application/json"),
        ("a.conf", b"city = Bern", "text/plain"),
        ("a.bin", b"\x00\x01\xff", "application/octet-stream"),
        ("a.unheard-of", b"\x00\x01\xff", "application/pdf"),
        ("a.md", PDF, "application/pdf"),
    ],
)
async def test_a_document_is_named_and_described_after_its_path(
    name: str, content: bytes, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for given in (path, str(path)):
        (wire,) = messages_to_wire([ChatMessage(blocks=[DocumentBlock(path=given)])])
        assert wire["content"] == [
            {
                "type": "file",
                "file": {"filename": name, "file_data": f"data:{kind};base64,{encoded(content)}"},
            }
        ]
    (wire,) = messages_to_wire([ChatMessage(blocks=[DocumentBlock(path=path, title="Guide")])])
    assert wire["content"][0]["file"]["filename"] == "Guide"


def test_a_drawing_is_no_photograph(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_bytes(b"<svg/>")
    (wire,) = messages_to_wire([ChatMessage(blocks=[ImageBlock(path=path)])])
    assert wire["content"] == [image_part(f"data:image/svg+xml;base64,{encoded(b'<svg/>')}")]


def test_the_signature_of_a_thought_goes_back() -> None:
    """`llama_index.llms.anthropic` keeps nothing else of a thought."""
    signed = ThinkingBlock(content="Hm.", additional_information={"signature": "abc="})
    detail = {
        "type": "reasoning.text",
        "text": "Hm.",
        "signature": "abc=",
        "format": "anthropic-claude-v1",
    }
    plain = ThinkingBlock(content="So?")
    message = ChatMessage(role="assistant", blocks=[signed, plain, TextBlock(text="Yes.")])
    assert messages_to_wire([message]) == [
        {
            "role": "assistant",
            "content": "Yes.",
            "reasoning_details": [detail, {"type": "reasoning.text", "text": "So?"}],
        }
    ]
