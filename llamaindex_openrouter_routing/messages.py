"""LlamaIndex messages as wire messages: every block in every role, and what the assistant said replayed unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

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
from pydantic_core import from_json, to_json

from llamaindex_openrouter_routing._parts import image_part, needs_reading, parts_of
from openrouter_routing._tool_calls import replayable_arguments
from openrouter_routing.errors import BadRequestError, OpenRouterError

Wire = dict[str, Any]

_ONLY_TEXT = "an answer holds text, images and calls, no {}: put it into a message of the user"

_ROLES = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "developer",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}


def messages_to_wire(messages: Sequence[ChatMessage]) -> list[Wire]:
    """Turn messages into wire messages.

    Args:
        messages: The conversation, oldest first; it is not changed.

    Returns:
        Wire messages. A message of one text becomes a string, anything else a list of parts. What an earlier answer
        left for the next turn (reasoning details, tool calls, annotations) goes back as it came.

    Raises:
        BadRequestError: A message cannot be sent: a file of it cannot be read, a tool message
            does not say which call it answers, ...

    Example:
        >>> messages_to_wire([ChatMessage(role="user", content="Where is Bern?")])
        [{'role': 'user', 'content': 'Where is Bern?'}]

    See https://openrouter.ai/docs/api-reference/chat-completion
    """
    wire = []
    for place, message in enumerate(messages):
        try:
            wire.append(_to_wire(message))
        except OpenRouterError:
            raise
        except (ValueError, TypeError, AttributeError, OSError) as error:
            # A ValueError must not leave a call: LlamaIndex's synthesizers turn it into "Empty Response".
            raise BadRequestError(
                f"message {place} ({message.role.value}) cannot be sent: {error}"
            ) from error
    return wire


async def amessages_to_wire(messages: Sequence[ChatMessage]) -> list[Wire]:
    """Do what `messages_to_wire` does without blocking the loop where files or addresses have to be read."""
    slow = any(needs_reading(block) for message in messages for block in message.blocks)
    return (
        await asyncio.to_thread(messages_to_wire, messages) if slow else messages_to_wire(messages)
    )


def _to_wire(message: ChatMessage) -> Wire:
    role = _ROLES[message.role]
    if role == "assistant":
        return _assistant(message)
    wire: Wire = {"role": role, "content": _content(message.blocks)}
    if role == "tool":
        call_id = message.additional_kwargs.get("tool_call_id")
        if not isinstance(call_id, str) or not call_id:
            raise BadRequestError(
                "a tool message names the call it answers in additional_kwargs['tool_call_id']; this one does not"
            )
        wire["tool_call_id"] = call_id
    name = message.additional_kwargs.get("name")
    if isinstance(name, str) and name:
        wire["name"] = name
    return wire


def _content(blocks: Sequence[ContentBlock]) -> str | list[dict[str, Any]]:
    if not blocks:
        return ""
    if len(blocks) == 1 and isinstance(blocks[0], TextBlock):
        return blocks[0].text
    return parts_of(blocks)


def _assistant(message: ChatMessage) -> Wire:
    kept = message.additional_kwargs
    said = _said(message)
    wire: Wire = {"role": "assistant", "content": _content(said) if said else None}
    calls = _tool_calls(message)
    if calls:
        wire["tool_calls"] = calls
    wire.update(_reasoning(message))
    if images := [image_part(block) for block in message.blocks if isinstance(block, ImageBlock)]:
        wire["images"] = images
    if annotations := _annotations(message):
        wire["annotations"] = annotations
    audio = kept.get("audio")
    if isinstance(audio, Mapping) and audio.get("id"):
        wire["audio"] = {"id": audio["id"]}
        if wire["content"] is None and audio.get("transcript"):
            wire["content"] = audio["transcript"]
    elif any(isinstance(block, AudioBlock) for block in message.blocks):
        raise BadRequestError(
            "an answer in audio can only be replayed by its id or transcript (additional_kwargs['audio'])"
        )
    if wire["content"] is None and len(wire) == 2:
        wire["content"] = ""
    if isinstance(kept.get("name"), str):
        wire["name"] = kept["name"]
    return wire


def _said(message: ChatMessage) -> list[ContentBlock]:
    """Return the blocks that are the content of an answer, which is text; what else it has is in fields of its own.

    Raises:
        BadRequestError: One has no place in an answer, or marks what cannot be marked.
    """
    said: list[ContentBlock] = []
    before: ContentBlock | None = None
    for block in message.blocks:
        if isinstance(block, CachePoint):
            if before is not None and (not said or before is not said[-1]):
                raise BadRequestError(
                    f"a CachePoint after a {type(before).__name__} of the assistant cannot be sent: put it after a text"
                )
        elif isinstance(block, (VideoBlock, DocumentBlock)):
            raise BadRequestError(_ONLY_TEXT.format(type(block).__name__))
        if isinstance(block, CitableBlock):
            for inner in block.content:
                if not isinstance(inner, TextBlock):
                    raise BadRequestError(_ONLY_TEXT.format(f"{type(inner).__name__} to cite"))
        if isinstance(block, (TextBlock, CitableBlock, CachePoint)):
            said.append(block)
        before = block
    return said


def _reasoning(message: ChatMessage) -> Wire:
    """Return the reasoning of an answer: the details as they came, else the text that is left of it."""
    thoughts = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
    if any(map(_details, thoughts)):
        # A thought without details, beside one with them, is still one of the same chain.
        return {
            "reasoning_details": [
                detail
                for block in thoughts
                for detail in _details(block)
                or ([{"type": "reasoning.text", "text": block.content}] if block.content else ())
            ]
        }
    if details := list(message.additional_kwargs.get("reasoning_details") or ()):
        return {"reasoning_details": details}
    text = "".join(block.content for block in thoughts if block.content)
    return {"reasoning": text} if text else {}


def _details(block: ThinkingBlock) -> list[Wire]:
    """Return the details of a thought; LlamaIndex's class for Anthropic keeps nothing but the signature."""
    known = block.additional_information
    if details := known.get("reasoning_details"):
        return list(details)
    if not isinstance(signature := known.get("signature"), str) or not signature:
        return []
    return [
        {
            "type": "reasoning.text",
            "text": block.content or "",
            "signature": signature,
            "format": "anthropic-claude-v1",
        }
    ]


def _annotations(message: ChatMessage) -> list[dict[str, Any]]:
    kept = message.additional_kwargs.get("annotations")
    if isinstance(kept, list) and kept:
        return kept
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": block.source,
                "title": block.title,
                "content": getattr(block.cited_content, "text", ""),
                **block.additional_location_info,
            },
        }
        for block in message.blocks
        if isinstance(block, CitationBlock)
    ]


def _tool_calls(message: ChatMessage) -> list[Wire]:
    """Return the tool calls of an answer, with the arguments as the model wrote them where they are still known."""
    kept = [_plain(call) for call in message.additional_kwargs.get("tool_calls") or ()]
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if not blocks:
        return [_replayable(call) for call in kept]
    by_id = {call.get("id"): call for call in kept}
    return [
        _tool_call(block, by_id.get(block.tool_call_id), place)
        for place, block in enumerate(blocks)
    ]


def _tool_call(block: ToolCallBlock, kept: Wire | None, place: int) -> Wire:
    if kept is not None and _same_arguments(kept, block):
        return _replayable(kept)
    arguments = block.tool_kwargs
    text = arguments if isinstance(arguments, str) else to_json(arguments).decode()
    return _replayable(
        {
            "id": block.tool_call_id or f"call_{place}",
            "type": "function",
            "function": {"name": block.tool_name, "arguments": text},
        }
    )


def _replayable(call: Wire) -> Wire:
    """Return a call whose arguments are a JSON object, as providers take it; whatever else it says stays."""
    function = call.get("function")
    text = function.get("arguments") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not (text is None or isinstance(text, str)):
        return call
    return {**call, "function": {**function, "arguments": replayable_arguments(text or "")}}


def _same_arguments(kept: Wire, block: ToolCallBlock) -> bool:
    function = kept.get("function")
    if not isinstance(function, Mapping) or function.get("name") != block.tool_name:
        return False
    text = function.get("arguments")
    if not isinstance(text, str) or text == block.tool_kwargs:
        return isinstance(text, str)
    try:
        return bool((from_json(text) if text.strip() else {}) == block.tool_kwargs)
    except ValueError:
        return False


def _plain(call: Any) -> Wire:
    # Memories written by other integrations hold the objects of their SDK.
    return call.model_dump(exclude_none=True) if hasattr(call, "model_dump") else dict(call)
