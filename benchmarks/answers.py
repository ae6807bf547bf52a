"""The bytes the benchmark server answers with, built once before anything is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MODEL = "openai/gpt-4o-mini"
ARGUMENT_BYTES = 200_000
"""How long the one large tool argument is, however many fragments it is cut into."""

_COMMON = {
    "id": "gen-1760000000-AbCdEfGhIjKlMnOpQrSt",
    "provider": "OpenAI",
    "model": MODEL,
    "created": 1760000000,
    "system_fingerprint": "fp_0123456789",
}
_USAGE = {
    "prompt_tokens": 24,
    "completion_tokens": 180,
    "total_tokens": 204,
    "cost": 0.00012,
    "is_byok": False,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "cost_details": {"upstream_inference_cost": None},
    "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
}
_TEXT = "The capital of Switzerland is Bern. " * 20


PACKED = 10
"""How many events share one HTTP chunk, unless the answer's name ends in `-single`: servers flush what is ready."""


def answer(name: str) -> bytes:
    """Return the whole HTTP answer of that name: `text`, `person`, `stream-2000`, `stream-2000-single`, ...

    Raises:
        KeyError: There is none of that name.
    """
    kind, *rest = name.split("-")
    if kind in _MESSAGES:
        return _whole(_MESSAGES[kind])
    finish = "tool_calls" if kind in ("tool", "argument") else "stop"
    return _stream(_DELTAS[kind](int(rest[0])), finish, 1 if "single" in rest else PACKED)


def _whole(message: dict[str, Any]) -> bytes:
    calls = "tool_calls" in message
    finish = "tool_calls" if calls else "stop"
    choice = {"index": 0, "logprobs": None, "finish_reason": finish, "native_finish_reason": finish}
    body = {
        **_COMMON,
        "object": "chat.completion",
        "choices": [{**choice, "message": {"role": "assistant", "refusal": None, **message}}],
        "usage": _USAGE,
    }
    content = json.dumps(body, separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"X-Generation-Id: {_COMMON['id']}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _stream(deltas: Iterator[dict[str, Any]], finish: str, packed: int) -> bytes:
    events = [b": OPENROUTER PROCESSING\n\n"]
    events.extend(_event(delta, None) for delta in deltas)
    events.append(_event({"content": ""}, finish))
    events.append(_event({"content": ""}, None, usage=_USAGE))
    events.append(b"data: [DONE]\n\n")
    pieces = (b"".join(events[place : place + packed]) for place in range(0, len(events), packed))
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return b"".join([head.encode(), *map(_http_chunk, pieces), b"0\r\n\r\n"])


def _event(delta: dict[str, Any], finish: str | None, **more: Any) -> bytes:
    choice = {
        "index": 0,
        "delta": {"role": "assistant", **delta},
        "finish_reason": finish,
        "native_finish_reason": finish,
        "logprobs": None,
    }
    chunk = {**_COMMON, "object": "chat.completion.chunk", "choices": [choice], **more}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _http_chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _texts(count: int) -> Iterator[dict[str, Any]]:
    for place in range(count):
        yield {"content": f" word{place % 10}"}


def _reasoning(count: int) -> Iterator[dict[str, Any]]:
    for place in range(count - 1):
        text = f" thought{place % 10}"
        detail = {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}
        yield {"content": "", "reasoning": text, "reasoning_details": [detail]}
    yield {"content": "Bern."}


def _tool_argument(count: int) -> Iterator[dict[str, Any]]:
    """One call whose argument has `ARGUMENT_BYTES` characters, in `count` fragments."""
    text = json.dumps({"text": "x" * (ARGUMENT_BYTES - 12)})
    yield _call("write", "")
    size = -(-len(text) // (count - 1))
    for place in range(count - 1):
        yield _fragment(text[place * size : (place + 1) * size])


def _small_calls(count: int) -> Iterator[dict[str, Any]]:
    """One call whose short fragments are as long as words."""
    yield _call("write", '{"text": "')
    for place in range(count - 2):
        yield _fragment(f" word{place % 10}")
    yield _fragment('"}')


def _call(name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    return {"content": None, "tool_calls": [call]}


def _fragment(arguments: str) -> dict[str, Any]:
    call = {"index": 0, "type": "function", "function": {"arguments": arguments}}
    return {"content": None, "tool_calls": [call]}


_MESSAGES: dict[str, dict[str, Any]] = {
    "text": {"content": _TEXT},
    "person": {"content": '{"name": "Ada Lovelace", "age": 36, "city": "London"}'},
    "personcall": {
        "content": None,
        "tool_calls": [
            {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {
                    "name": "Person",
                    "arguments": '{"name": "Ada Lovelace", "age": 36, "city": "London"}',
                },
            }
        ],
    },
}
_DELTAS = {
    "stream": _texts,
    "reasoning": _reasoning,
    "argument": _tool_argument,
    "tool": _small_calls,
}
