"""Cutting a finished wire body into the chunks of a stream, and chunks into event-stream lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openrouter_routing.emulator._replies import json_bytes
from openrouter_routing.emulator._tokens import split_tokens

COMMENT = b": OPENROUTER PROCESSING\n\n"
DONE = b"data: [DONE]\n\n"

_ARGUMENT_PIECE = 8


def event(chunk: object) -> bytes:
    """Write one data event."""
    return b"data: " + json_bytes(chunk) + b"\n\n"


def chunks_of(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Cut a completion into chunks: reasoning, text, tool calls in fragments, finish, usage.

    Args:
        body: A body as a request without streaming gets it.

    Yields:
        The chunks, each with the body's id, model and provider.
    """
    shared = {k: v for k, v in body.items() if k not in ("choices", "usage", "openrouter_metadata")}
    shared["object"] = "chat.completion.chunk"
    choices: Sequence[Mapping[str, Any]] = body.get("choices") or []
    for choice in choices:
        for delta in _deltas(choice.get("message") or {}, choice.get("logprobs") or {}):
            yield {**shared, "choices": [_choice(choice, delta, finished=False)]}
    for choice in choices:
        delta = {"role": "assistant", "content": ""}
        yield {**shared, "choices": [_choice(choice, delta, finished=True)]}
    last = {name: body[name] for name in ("usage", "openrouter_metadata") if name in body}
    if last:
        index = choices[0].get("index", 0) if choices else 0
        delta = {"role": "assistant", "content": ""}
        # As seen in traffic: the usage chunk comes after the finish, with its own empty choice.
        closing = {"index": index, "delta": delta, "finish_reason": None}
        closing["native_finish_reason"] = None
        yield {**shared, "choices": [closing], **last}


def _choice(choice: Mapping[str, Any], delta: dict[str, Any], *, finished: bool) -> dict[str, Any]:
    piece = {"index": choice.get("index", 0), "delta": delta}
    piece["finish_reason"] = choice.get("finish_reason") if finished else None
    piece["native_finish_reason"] = choice.get("native_finish_reason") if finished else None
    logprobs = delta.pop("logprobs", None)
    piece["logprobs"] = None if logprobs is None else {"content": [logprobs], "refusal": None}
    if finished and "error" in choice:
        piece["error"] = choice["error"]
    return piece


def _deltas(message: Mapping[str, Any], logs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    details = message.get("reasoning_details") or []
    pieces = split_tokens(message.get("reasoning") or "")
    cut = bool(details) and details[0].get("type") in ("reasoning.text", "reasoning.summary")
    for piece in pieces:
        delta: dict[str, Any] = {"role": "assistant", "content": "", "reasoning": piece}
        if cut:
            key = "text" if details[0]["type"] == "reasoning.text" else "summary"
            kept = {k: v for k, v in details[0].items() if k in ("type", "index", "format")}
            delta["reasoning_details"] = [{**kept, key: piece}]
        yield delta
    for detail in details:
        # What was not cut comes whole, and a signature in a fragment without text.
        rest = dict(detail)
        if cut and pieces and detail is details[0]:
            rest = {k: v for k, v in detail.items() if k not in ("text", "summary")}
            if not rest.keys() & {"signature", "data"}:
                continue
        yield {"role": "assistant", "content": "", "reasoning_details": [rest]}
    content = message.get("content") or ""
    tokens = split_tokens(content) if isinstance(content, str) else []
    logprobs = logs.get("content") or []
    for position, piece in enumerate(tokens):
        delta = {"role": "assistant", "content": piece}
        if position < len(logprobs):
            delta["logprobs"] = logprobs[position]
        yield delta
    for index, call in enumerate(message.get("tool_calls") or []):
        yield from _call_fragments(call, index)
    for name in ("images", "annotations", "audio", "refusal"):
        if message.get(name):
            yield {"role": "assistant", "content": "", name: message[name]}


def _call_fragments(call: Mapping[str, Any], index: int) -> Iterator[dict[str, Any]]:
    function = call.get("function") or {}
    arguments: str = function.get("arguments") or ""
    head = {"index": index, "id": call.get("id"), "type": "function"}
    opening = {**head, "function": {"name": function.get("name"), "arguments": ""}}
    yield {"role": "assistant", "content": None, "tool_calls": [opening]}
    for start in range(0, len(arguments), _ARGUMENT_PIECE):
        piece = arguments[start : start + _ARGUMENT_PIECE]
        fragment = {"index": index, "type": "function", "function": {"arguments": piece}}
        yield {"role": "assistant", "content": None, "tool_calls": [fragment]}
