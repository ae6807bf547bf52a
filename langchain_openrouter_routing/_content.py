"""Content parts on the way out: what users write, in any of the shapes they know, as OpenRouter takes it.

Read are the wire's own parts, LangChain's standard blocks (v1, and the older v0), and Anthropic's.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any

from langchain_openrouter_routing.errors import BadRequestError

Part = dict[str, Any]

_REPLAYED = frozenset(
    (
        "tool_use", "tool_call", "tool_call_chunk", "invalid_tool_call", "input_json_delta", "reasoning", "thinking",
        "redacted_thinking", "reasoning_content", "server_tool_call_chunk", "server_tool_result", "refusal",
    )
)  # fmt: skip
# What other vendors' servers did by themselves, as their integrations keep it: of no use to another vendor's model.
_OF_OTHER_SERVERS = re.compile(
    r".*_(call|call_output|tool_use|tool_result)|mcp_.*|executable_code|code_execution_result|container_upload"
)

_AUDIO_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "x-m4a": "m4a", "mp4": "m4a"}


def is_replayed(kind: str) -> bool:
    """Whether blocks of an assistant's message travel in fields of their own, or not at all, but never as content."""
    return kind in _REPLAYED or _OF_OTHER_SERVERS.fullmatch(kind) is not None


def content_to_wire(content: str | Iterable[str | Mapping[str, Any]]) -> str | list[Part]:
    """Return a message's content as the wire takes it: text stays text, blocks become parts."""
    if isinstance(content, str):
        return content
    return [part for block in content for part in parts_to_wire(block)]


def parts_to_wire(block: str | Mapping[str, Any]) -> list[Part]:
    """Return one block as the parts it becomes: a document of Anthropic's can hold texts and images.

    Args:
        block: Text, or a block of any shape that `part_to_wire` takes.

    Raises:
        BadRequestError: A media block holds neither data nor an address.

    Example:
        >>> image = {"type": "image", "url": "https://x.example/a.png"}
        >>> source = {"type": "content", "content": [{"type": "text", "text": "See:"}, image]}
        >>> [part["type"] for part in parts_to_wire({"type": "document", "source": source})]
        ['text', 'image_url']
    """
    source = _mapping(block.get("source")) if isinstance(block, Mapping) else {}
    inner = source.get("content") if source.get("type") == "content" else None
    if isinstance(block, str) or block.get("type") != "document" or not isinstance(inner, list):
        return [part_to_wire(block)]
    parts = [part_to_wire(item) for item in inner]
    if all(part.keys() == {"type", "text"} for part in parts):
        return [part_to_wire(block)]
    cache_control = block.get("cache_control")
    # A whole block is cached up to its last part.
    last = {**parts[-1], "cache_control": cache_control} if cache_control else parts[-1]
    return [*parts[:-1], last]


def part_to_wire(block: str | Mapping[str, Any]) -> Part:
    """Return one block as a wire part.

    Args:
        block: Text, or a block of any known shape; a block of another type is sent as it is.

    Raises:
        BadRequestError: A media block holds neither data nor an address.

    Example:
        >>> part_to_wire({"type": "image", "base64": "iVBO", "mime_type": "image/png"})
        {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,iVBO'}}

    See https://openrouter.ai/docs/features/multimodal/overview
    """
    if isinstance(block, str):
        return {"type": "text", "text": block}
    convert = _CONVERSIONS.get(str(block.get("type")))
    part = convert(block) if convert else dict(block)
    cache_control = block.get("cache_control") or _extras(block).get("cache_control")
    if cache_control:
        part["cache_control"] = cache_control
    return part


def _text(block: Mapping[str, Any]) -> Part:
    part = {"type": "text", "text": block.get("text", "")}
    if "prompt_cache_breakpoint" in block:
        part["prompt_cache_breakpoint"] = block["prompt_cache_breakpoint"]
    return part


def _image_url(block: Mapping[str, Any]) -> Part:
    image = block.get("image_url")
    return {
        "type": "image_url",
        "image_url": {"url": image} if isinstance(image, str) else dict(image or {}),
    }


def _image(block: Mapping[str, Any]) -> Part:
    image: Part = {"url": _address(block, "image/jpeg")}
    if detail := block.get("detail") or _extras(block).get("detail"):
        image["detail"] = detail
    return {"type": "image_url", "image_url": image}


def _audio(block: Mapping[str, Any]) -> Part:
    mime_type, data = _inline(block, "audio/wav")
    if data is None:
        raise BadRequestError(
            "OpenRouter takes audio inline only: pass base64= and mime_type= instead of url=; "
            "see https://openrouter.ai/docs/features/multimodal/audio"
        )
    kind = mime_type.partition("/")[2].partition(";")[0]
    return {
        "type": "input_audio",
        "input_audio": {"data": data, "format": _AUDIO_FORMATS.get(kind, kind)},
    }


def _video(block: Mapping[str, Any]) -> Part:
    return {"type": "video_url", "video_url": {"url": _address(block, "video/mp4")}}


def _file(block: Mapping[str, Any]) -> Part:
    if isinstance(block.get("file"), Mapping):
        return {"type": "file", "file": dict(block["file"])}
    extras = _extras(block)
    name = block.get("filename") or block.get("title") or extras.get("filename")
    file: Part = {"filename": name} if name else {}
    if file_id := block.get("file_id") or (
        block.get("id") if block.get("source_type") == "id" else None
    ):
        return {"type": "file", "file": {**file, "file_id": file_id}}
    file["file_data"] = _address(block, "application/pdf")
    # Providers refuse inline files without a name.
    if not name and file["file_data"].startswith("data:"):
        file = {"filename": "document.pdf", **file}
    return {"type": "file", "file": file}


def _document(block: Mapping[str, Any]) -> Part:
    source = _mapping(block.get("source"))
    if source.get("type") == "text":
        return {"type": "text", "text": source.get("data", "")}
    if source.get("type") == "content":
        inner = source.get("content")
        return {"type": "text", "text": inner if isinstance(inner, str) else joined_text(inner)}
    return _file(block)


def _plain_text(block: Mapping[str, Any]) -> Part:
    text = block.get("text")
    if isinstance(text, str):
        return {"type": "text", "text": text}
    _, data = _inline(block, "text/plain")
    if data is None:
        return _file(block)
    try:
        return {"type": "text", "text": base64.b64decode(data, validate=True).decode()}
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadRequestError(f"a block of type 'text-plain' holds no text: {error}") from None


def _non_standard(block: Mapping[str, Any]) -> Part:
    return dict(_mapping(block.get("value")))


_CONVERSIONS = {
    "text": _text,
    "image_url": _image_url,
    "image": _image,
    "audio": _audio,
    "video": _video,
    "file": _file,
    "document": _document,
    "text-plain": _plain_text,
    "non_standard": _non_standard,
}


def _address(block: Mapping[str, Any], default_mime_type: str) -> str:
    """Return where a block's media is: its address, or its data as a data URL."""
    source = _mapping(block.get("source"))
    url = block.get("url") or source.get("url")
    if isinstance(url, str) and url:
        return url
    mime_type, data = _inline(block, default_mime_type)
    if data is None:
        raise BadRequestError(
            f"a block of type {block.get('type')!r} holds neither url nor base64 data: {sorted(block)}"
        )
    return f"data:{mime_type};base64,{data}"


def _inline(block: Mapping[str, Any], default_mime_type: str) -> tuple[str, str | None]:
    source = _mapping(block.get("source"))
    data = block.get("base64") or block.get("data") or source.get("data")
    mime_type = block.get("mime_type") or source.get("media_type") or default_mime_type
    return str(mime_type), data if isinstance(data, str) and data else None


def joined_text(content: object) -> str:
    """Return the text of content, without anything else in it."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Iterable):
        return ""
    texts = (
        item if isinstance(item, str) else item.get("text") if isinstance(item, Mapping) else None
        for item in content
    )
    return "".join(text for text in texts if isinstance(text, str))


def _extras(block: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(block.get("extras"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
