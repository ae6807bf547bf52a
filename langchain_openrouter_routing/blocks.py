"""The block translator for `model_provider` "openrouter": LangChain's standard view of an answer, streamed or not.

Importing the package registers it. A chunk's blocks carry string indices that stay the same through a stream, so that
LangChain merges fragments of one block and keeps different blocks apart.

See https://docs.langchain.com/oss/python/langchain/messages#standard-content-blocks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages import content as types
from langchain_core.messages.block_translators import register_translator

from langchain_openrouter_routing.answers import PROVIDER
from openrouter_routing._tool_calls import parse_arguments

Block = dict[str, Any]

_STANDARD = types.KNOWN_BLOCK_TYPES
_CITATION_FIELDS = {"url": "url", "title": "title", "content": "cited_text"}
_CITATION_PLACES = ("start_index", "end_index")


def translate_content(message: AIMessage) -> list[types.ContentBlock]:
    """Return the standard blocks of a whole message.

    Args:
        message: A message of this package's models.

    Example:
        >>> translate_content(AIMessage("Bern.", additional_kwargs={"reasoning_content": "Swiss."}))
        [{'type': 'reasoning', 'reasoning': 'Swiss.'}, {'type': 'text', 'text': 'Bern.'}]
    """
    blocks = [block for _, block in _blocks(message)]
    return cast("list[types.ContentBlock]", [*blocks, *_finished_calls(message)])


def translate_content_chunk(message: AIMessageChunk) -> list[types.ContentBlock]:
    """Return the standard blocks of a chunk, or of several merged ones.

    Args:
        message: A chunk; the last one (and all merged with it) has finished tool calls, others have fragments.
    """
    blocks = [{**block, "index": f"lc_{key}"} for key, block in _blocks(message)]
    fragments = list(enumerate(message.tool_call_chunks))
    if message.chunk_position == "last":
        blocks += _finished_calls(message)
        # What has no name only continues a call: the last chunk by itself holds that, the merged ones do not.
        fragments = [(place, chunk) for place, chunk in fragments if not chunk["name"]]
    blocks += [
        {
            "type": "tool_call_chunk",
            "id": chunk["id"],
            "name": chunk["name"],
            "args": chunk["args"],
            "index": f"lc_tc_{place if chunk['index'] is None else chunk['index']}",
        }
        for place, chunk in fragments
    ]
    return cast("list[types.ContentBlock]", blocks)


def _blocks(message: AIMessage) -> list[tuple[str, Block]]:
    """Return all blocks but tool calls, each with a key that is the same in every chunk of a stream."""
    kwargs = message.additional_kwargs
    keyed: list[tuple[str, Block]] = []
    details = [item for item in kwargs.get("reasoning_details") or () if isinstance(item, Mapping)]
    if (reasoning := _reasoning(kwargs.get("reasoning_content"), details)) is not None:
        keyed.append(("r0", reasoning))
    keyed += _server_tools(details)
    annotations = [_annotation(item) for item in kwargs.get("annotations") or ()]
    if isinstance(message.content, str):
        if message.content or annotations:
            text: Block = {"type": "text", "text": message.content}
            if annotations:
                text["annotations"] = annotations
            keyed.append(("t0", text))
    else:
        keyed += [
            (f"c{place}", block)
            for place, item in enumerate(message.content)
            if (block := _own_block(item)) is not None
        ]
    if refusal := kwargs.get("refusal"):
        value = {"type": "refusal", "refusal": refusal}
        keyed.append(("f0", {"type": "non_standard", "value": value}))
    keyed += [(f"i{place}", _image(item)) for place, item in enumerate(kwargs.get("images") or ())]
    if isinstance(audio := kwargs.get("audio"), Mapping):
        keyed.append(("a0", _audio(audio)))
    return keyed


def _reasoning(text: object, details: list[Mapping[str, Any]]) -> Block | None:
    if not details and not (isinstance(text, str) and text):
        return None
    block: Block = {"type": "reasoning", "reasoning": text if isinstance(text, str) else ""}
    if details:
        # The details as they came travel along, so that the block alone can be replayed exactly.
        extras: Block = {"reasoning_details": [dict(detail) for detail in details]}
        for name, field in (
            ("signature", "signature"),
            ("format", "format"),
            ("encrypted", "data"),
        ):
            told = [value for detail in details if isinstance(value := detail.get(field), str)]
            if told and len(set(told)) == 1:
                extras[name] = told[0]
        block["extras"] = extras
    return block


def _server_tools(details: list[Mapping[str, Any]]) -> list[tuple[str, Block]]:
    """Return the tools OpenRouter ran by itself; the wire tells them among the reasoning."""
    blocks: list[tuple[str, Block]] = []
    for place, detail in enumerate(details):
        if detail.get("type") != "reasoning.server_tool_call":
            continue
        call_id = detail.get("tool_call_id") or detail.get("id") or f"server_tool_{place}"
        arguments, error = parse_arguments(str(detail.get("arguments") or ""))
        call: Block = {
            "type": "server_tool_call",
            "id": call_id,
            "name": detail.get("tool_name") or "",
            "args": arguments or {},
        }
        if error is not None:
            call["extras"] = {"arguments": detail.get("arguments")}
        blocks.append((f"s{place}", call))
        if (result := detail.get("result")) is not None:
            output: Block = {
                "type": "server_tool_result",
                "tool_call_id": call_id,
                "status": "success",
                "output": result,
            }
            blocks.append((f"sr{place}", output))
    return blocks


def _annotation(annotation: Mapping[str, Any]) -> Block:
    told = annotation.get("url_citation")
    if annotation.get("type") != "url_citation" or not isinstance(told, Mapping):
        return {"type": "non_standard_annotation", "value": dict(annotation)}
    citation: Block = {"type": "citation"}
    extras: Block = {}
    for name, value in told.items():
        if name in _CITATION_FIELDS:
            citation[_CITATION_FIELDS[name]] = value
        elif name in _CITATION_PLACES:
            citation[name] = value
        else:
            extras[name] = value
    return {**citation, "extras": extras} if extras else citation


def _own_block(item: str | Mapping[str, Any]) -> Block | None:
    """Return a block that the content itself holds; tool calls are read from the message's own field."""
    if isinstance(item, str):
        return {"type": "text", "text": item}
    kind = item.get("type")
    if kind in ("tool_call", "tool_use", "tool_call_chunk", "function_call"):
        return None
    return dict(item) if kind in _STANDARD else {"type": "non_standard", "value": dict(item)}


def _image(image: Mapping[str, Any]) -> Block:
    inner = image.get("image_url")
    url = inner.get("url") if isinstance(inner, Mapping) else inner
    block: Block = {"type": "image", **_media(str(url or ""), "image/png")}
    if image.get("id"):
        block["id"] = image["id"]
    return block


def _media(url: str, default_mime_type: str) -> Block:
    head, comma, data = url.partition(",")
    if not (url.startswith("data:") and comma):
        return {"url": url}
    mime_type = head.removeprefix("data:").partition(";")[0]
    return {"base64": data, "mime_type": mime_type or default_mime_type}


def _audio(audio: Mapping[str, Any]) -> Block:
    block: Block = {
        "type": "audio",
        "base64": audio.get("data") or "",
        "mime_type": f"audio/{audio.get('format') or 'wav'}",
    }
    if audio.get("id"):
        block["id"] = audio["id"]
    extras = {name: audio[name] for name in ("transcript", "expires_at") if name in audio}
    return {**block, "extras": extras} if extras else block


def _finished_calls(message: AIMessage) -> list[Block]:
    read: list[Block] = [
        {"type": "tool_call", "id": call["id"], "name": call["name"], "args": call["args"]}
        for call in message.tool_calls
    ]
    unread: list[Block] = [
        {
            "type": "invalid_tool_call",
            "id": call["id"],
            "name": call["name"],
            "args": call["args"],
            "error": call["error"],
        }
        for call in message.invalid_tool_calls
    ]
    return [*read, *unread]


register_translator(PROVIDER, translate_content, translate_content_chunk)
