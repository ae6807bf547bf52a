"""LangChain's messages as OpenRouter's: every role and every block, and what the next turn must replay."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_openrouter_routing._content import (
    content_to_wire,
    is_replayed,
    part_to_wire,
    parts_to_wire,
)
from langchain_openrouter_routing.errors import BadRequestError
from openrouter_routing._tool_calls import replayable_arguments

WireMessage = dict[str, Any]
_ANTHROPIC = "anthropic-claude-v1"


def messages_to_wire(messages: Sequence[BaseMessage]) -> list[WireMessage]:
    """Return the messages as the API takes them.

    Args:
        messages: Messages of any role; content as text, wire parts, standard blocks or Anthropic's blocks.

    Returns:
        Wire messages; one LangChain message can become several (Anthropic's tool results inside a human message).

    Raises:
        BadRequestError: A message or block cannot be sent.

    Example:
        >>> messages_to_wire([HumanMessage("Hi", name="ada")])
        [{'role': 'user', 'name': 'ada', 'content': 'Hi'}]

    See https://openrouter.ai/docs/api-reference/chat-completion
    """
    wire: list[WireMessage] = []
    for message in messages:
        wire.extend(_to_wire(message))
    return wire


def _to_wire(message: BaseMessage) -> list[WireMessage]:
    if isinstance(message, AIMessage):
        return [_assistant(message)]
    if isinstance(message, ToolMessage):
        content = content_to_wire(message.content)
        return [{"role": "tool", "tool_call_id": message.tool_call_id, "content": content}]
    if isinstance(message, HumanMessage):
        return _human(message)
    if isinstance(message, SystemMessage):
        role = message.additional_kwargs.get("__openai_role__", "system")
    elif isinstance(message, FunctionMessage):
        role = "function"
    elif isinstance(message, ChatMessage):
        role = message.role
    else:
        raise BadRequestError(f"a message of type {type(message).__name__} cannot be sent")
    return [{**_head(message, role), "content": content_to_wire(message.content)}]


def _head(message: BaseMessage, role: str) -> WireMessage:
    name = message.name or message.additional_kwargs.get("name")
    return {"role": role, "name": name} if name else {"role": role}


def _human(message: HumanMessage) -> list[WireMessage]:
    """Return a user's message; Anthropic's tool results in it are messages of their own here, and come first."""
    if isinstance(message.content, str):
        return [{**_head(message, "user"), "content": message.content}]
    results: list[WireMessage] = []
    parts: list[dict[str, Any]] = []
    for block in message.content:
        if isinstance(block, Mapping) and block.get("type") == "tool_result":
            results.append(_tool_result(block))
        else:
            parts.extend(parts_to_wire(block))
    if parts or not results:
        return [*results, {**_head(message, "user"), "content": parts}]
    return results


def _tool_result(block: Mapping[str, Any]) -> WireMessage:
    content = content_to_wire(block.get("content") or "")
    if cache_control := block.get("cache_control"):
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        # A whole block is cached up to its last part.
        content = [*parts[:-1], *({**part, "cache_control": cache_control} for part in parts[-1:])]
    return {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content}


def _assistant(message: AIMessage) -> WireMessage:
    kwargs = message.additional_kwargs
    blocks = message.content if isinstance(message.content, list) else []
    dicts = [block for block in blocks if isinstance(block, dict)]
    wire = _head(message, "assistant")
    calls = _tool_calls(message, dicts)
    # What came before tool calls; the function's message that answers it is sent too.
    function_call = None if calls else kwargs.get("function_call")
    wire["content"] = _assistant_content(message.content, has_calls=bool(calls or function_call))
    if calls:
        wire["tool_calls"] = calls
    elif function_call:
        wire["function_call"] = function_call
    if details := kwargs.get("reasoning_details") or _reasoning_details(dicts):
        wire["reasoning_details"] = details
    else:
        # The first is LangChain's name, the second the wire's own.
        for name in ("reasoning_content", "reasoning"):
            if isinstance(text := kwargs.get(name), str) and text:
                wire.setdefault("reasoning", text)
    if refusal := kwargs.get("refusal") or _refusal(dicts):
        wire["refusal"] = refusal
    if images := kwargs.get("images") or _images(dicts):
        wire["images"] = images
    audio = kwargs.get("audio")
    if isinstance(audio, Mapping) and audio.get("id"):
        wire["audio"] = {"id": audio["id"]}
    if files := [
        item for item in kwargs.get("annotations") or _annotations(dicts) if _is_file(item)
    ]:
        wire["annotations"] = files
    return wire


def _assistant_content(
    content: str | list[str | dict[str, Any]], *, has_calls: bool
) -> str | list[dict[str, Any]] | None:
    if isinstance(content, str):
        return content or (None if has_calls else "")
    parts = [
        part
        for block in content
        if isinstance(block, str) or not _travels_elsewhere(block)
        for part in parts_to_wire(block)
    ]
    if all(part.keys() == {"type", "text"} for part in parts):
        return "".join(part["text"] for part in parts) or (None if has_calls else "")
    return parts


def _travels_elsewhere(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "non_standard":
        value = block.get("value")
        return isinstance(value, Mapping) and value.get("type") == "refusal"
    return is_replayed(str(kind)) or kind in ("image", "audio")


def _tool_calls(message: AIMessage, blocks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    calls = [
        _call(call["id"], call["name"], _arguments(call["name"], call["args"]))
        for call in message.tool_calls
    ]
    calls += [
        _call(call["id"], call["name"], replayable_arguments(call["args"] or ""))
        for call in message.invalid_tool_calls
    ]
    known = {call["id"] for call in calls}
    for block in blocks:
        if block.get("type") == "tool_use" and block.get("id") not in known:
            arguments = _arguments(block.get("name"), block.get("input") or {})
            calls.append(_call(block.get("id"), block.get("name"), arguments))
    return calls


def _arguments(name: str | None, arguments: object) -> str:
    try:
        return json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequestError(f"the arguments of tool call {name!r} are no JSON: {error}") from None


def _call(call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name or "", "arguments": arguments},
    }


def _reasoning_details(blocks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the reasoning of content blocks as the wire's details, exactly as they came where the blocks kept them."""
    details: list[dict[str, Any]] = []
    for block in blocks:
        kind = block.get("type")
        if kind == "thinking":
            details.append(
                _detail("text", text=block.get("thinking"), signature=block.get("signature"))
            )
        elif kind == "redacted_thinking":
            details.append(_detail("encrypted", data=block.get("data")))
        elif kind == "reasoning":
            extras = block.get("extras") or {}
            if isinstance(kept := extras.get("reasoning_details"), list):
                details.extend(kept)
            elif block.get("reasoning"):
                described = {"signature": extras.get("signature"), "format": extras.get("format")}
                details.append(
                    {
                        "type": "reasoning.text",
                        "text": block["reasoning"],
                        **{name: value for name, value in described.items() if value},
                    }
                )
    return details


def _detail(kind: str, **fields: Any) -> dict[str, Any]:
    named = {name: value for name, value in fields.items() if value is not None}
    return {"type": f"reasoning.{kind}", **named, "format": _ANTHROPIC}


def _refusal(blocks: Iterable[dict[str, Any]]) -> str | None:
    for block in blocks:
        value = block.get("value") if block.get("type") == "non_standard" else block
        if isinstance(value, Mapping) and value.get("type") == "refusal":
            return str(value.get("refusal") or "")
    return None


def _images(blocks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [part_to_wire(block) for block in blocks if block.get("type") == "image"]


def _annotations(blocks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        annotation["value"]
        for block in blocks
        for annotation in block.get("annotations") or ()
        if annotation.get("type") == "non_standard_annotation"
    ]


def _is_file(annotation: object) -> bool:
    return isinstance(annotation, Mapping) and annotation.get("type") == "file"
