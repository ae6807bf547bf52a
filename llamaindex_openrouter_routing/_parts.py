"""LlamaIndex content blocks as the content parts of a wire message."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import cache
from mimetypes import MimeTypes
from pathlib import PurePath
from typing import Any

import filetype  # type: ignore[import-untyped]
from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    CitableBlock,
    CitationBlock,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    VideoBlock,
)

from openrouter_routing.errors import BadRequestError

Part = dict[str, Any]

_UNTITLED = "input_document"
"""The title that LlamaIndex gives a document without one."""


def parts_of(blocks: Iterable[ContentBlock]) -> list[Part]:
    """Turn blocks into content parts, in their order.

    Args:
        blocks: Text, image, audio, video, document, citable, citation and thinking blocks, and cache points.

    Returns:
        Wire parts; a cache point becomes `cache_control` of the part before it.

    Raises:
        BadRequestError: A block holds nothing, its file cannot be read, or it has no place in a request.

    Example:
        >>> parts_of([TextBlock(text="Hi"), CachePoint(cache_control={"type": "ephemeral"})])
        [{'type': 'text', 'text': 'Hi', 'cache_control': {'type': 'ephemeral'}}]

    See https://openrouter.ai/docs/features/multimodal/overview
    """
    parts: list[Part] = []
    for block in blocks:
        if isinstance(block, CachePoint):
            if not parts:
                raise BadRequestError(
                    "a CachePoint marks the block before it, but its message has none before it that is sent"
                )
            parts[-1]["cache_control"] = _cache_control(block)
        else:
            parts.extend(_parts_of_block(block))
    return parts


def _parts_of_block(block: ContentBlock) -> list[Part]:
    if isinstance(block, TextBlock):
        return [{"type": "text", "text": block.text}]
    if isinstance(block, ImageBlock):
        return [image_part(block)]
    if isinstance(block, AudioBlock):
        return [_audio_part(block)]
    if isinstance(block, VideoBlock):
        url = _address(block.url) or _data_url(
            block.resolve_video().read(), block.video_mimetype, block.path, "video/mp4"
        )
        return [{"type": "video_url", "video_url": {"url": url}}]
    if isinstance(block, DocumentBlock):
        return [_document_part(block)]
    if isinstance(block, CitableBlock):
        heading = {"type": "text", "text": f"{block.title} ({block.source}):"}
        return [heading, *parts_of(block.content)]
    if isinstance(block, CitationBlock):
        heading = {"type": "text", "text": f"Cited from {block.title} ({block.source}):"}
        return [heading, *parts_of([block.cited_content])]
    if isinstance(block, ThinkingBlock):
        return [{"type": "text", "text": block.content}] if block.content else []
    raise BadRequestError(f"a {type(block).__name__} can only stand in a message of the assistant")


def needs_reading(block: ContentBlock) -> bool:
    """Say whether turning a block into a part reads a file or an address, which takes its time."""
    if isinstance(block, CitableBlock):
        return any(needs_reading(inner) for inner in block.content)
    if getattr(block, "path", None):
        return True
    return isinstance(block, AudioBlock) and bool(block.url)


def image_part(block: ImageBlock) -> Part:
    """Turn an image into its part: by its address where it has one, else with its bytes.

    Example:
        >>> image_part(ImageBlock(url="https://example.com/cat.png"))
        {'type': 'image_url', 'image_url': {'url': 'https://example.com/cat.png'}}
    """
    url = _address(block.url) or _data_url(
        block.resolve_image().read(), block.image_mimetype, block.path, "image/png"
    )
    image: dict[str, Any] = {"url": url}
    if block.detail:
        image["detail"] = block.detail
    return {"type": "image_url", "image_url": image}


def _audio_part(block: AudioBlock) -> Part:
    content = block.resolve_audio().read()
    kind = block.format or _guess(content, "extension") or "wav"
    data = base64.b64encode(content).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": kind}}


def _document_part(block: DocumentBlock) -> Part:
    name = block.title or "document"
    if name == _UNTITLED and block.path:
        name = PurePath(block.path).name
    data = block.url
    if not data:
        content = block.resolve_document().read()
        otherwise = "text/plain" if _is_text(content) else "application/pdf"
        data = _data_url(content, block.document_mimetype, block.path, otherwise)
    return {"type": "file", "file": {"filename": name, "file_data": data}}


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _cache_control(point: CachePoint) -> dict[str, Any]:
    control = point.cache_control
    # Five minutes is what the API does by itself; only some providers take another time to live.
    if control.ttl == "5m":
        return {"type": control.type}
    return {"type": control.type, "ttl": control.ttl}


def _address(url: object) -> str | None:
    return str(url) if url else None


def _data_url(
    content: bytes, mimetype: str | None, path: PurePath | str | None, otherwise: str
) -> str:
    kind = mimetype or _guess(content, "mime") or _guess_by_name(path) or otherwise
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _guess_by_name(path: PurePath | str | None) -> str | None:
    """Guess the type of a text, which its content does not tell."""
    return _types().guess_type(PurePath(path).name)[0] if path else None


@cache
def _types() -> MimeTypes:
    # Its own, for the host's idea of what a .csv is differs from host to host.
    types = MimeTypes()
    types.add_type("text/markdown", ".md")
    return types


def _guess(content: bytes, what: str) -> str | None:
    found = filetype.guess(content)
    return getattr(found, what) if found is not None else None
