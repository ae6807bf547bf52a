"""Refusing what the service refuses, before anything is routed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from openrouter_routing._vocabulary import SERVICE_TIERS
from openrouter_routing.emulator._errors import ServiceError
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._service import Settings

_ROLES = ("system", "developer", "user", "assistant", "tool")
_TIERS = tuple(sorted(SERVICE_TIERS))
_EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal", "none")
_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "top_a": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "repetition_penalty": (0, 2),
    "top_logprobs": (0, 20),
    "max_tokens": (1, 10_000_000),
    "max_completion_tokens": (1, 10_000_000),
    "n": (1, 128),
}
_LONGEST_SESSION = 256
_MOST_STOPS = 4


def check_key(record: RecordedRequest, settings: Settings) -> None:
    """Refuse a request without a key, or with another than the emulator was given.

    Raises:
        ServiceError: 401.
    """
    scheme, _, key = record.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise ServiceError(401, "Missing Authentication header")
    if settings.api_key is not None and key.strip() != settings.api_key:
        raise ServiceError(401, "User not found.")


def read_body(record: RecordedRequest) -> dict[str, object]:
    """Read the JSON object of a request.

    Raises:
        ServiceError: 400, it is none.
    """
    try:
        value = json.loads(record.body)
    except ValueError:
        raise ServiceError(400, "Invalid JSON in the request body") from None
    if not isinstance(value, dict):
        raise _refused("body", "expected an object", value)
    return cast("dict[str, object]", value)


def check_chat(body: Mapping[str, object]) -> None:
    """Refuse a chat request that does not fit the API.

    Raises:
        ServiceError: 400, with the field in `metadata`.
    """
    _check_messages(body.get("messages"))
    for name, (low, high) in _RANGES.items():
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refused(name, "expected a number", value)
        if not low <= value <= high:
            raise _refused(name, f"must be between {low:g} and {high:g}", value)
    for name in ("stream", "logprobs", "parallel_tool_calls"):
        if body.get(name) is not None and not isinstance(body[name], bool):
            raise _refused(name, "expected true or false", body[name])
    _check_choice("service_tier", body.get("service_tier"), _TIERS)
    _check_choice("reasoning_effort", body.get("reasoning_effort"), _EFFORTS)
    reasoning = body.get("reasoning")
    if reasoning is not None and not isinstance(reasoning, Mapping):
        raise _refused("reasoning", "expected an object", reasoning)
    if isinstance(reasoning, Mapping):
        _check_choice("reasoning.effort", reasoning.get("effort"), _EFFORTS)
    session = body.get("session_id")
    if session is not None and (not isinstance(session, str) or len(session) > _LONGEST_SESSION):
        raise _refused("session_id", f"expected up to {_LONGEST_SESSION} characters", session)
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > _MOST_STOPS:
        raise _refused("stop", f"expected up to {_MOST_STOPS} sequences", stop)
    _check_tools(body.get("tools"))
    _check_format(body.get("response_format"))


def check_texts(body: Mapping[str, object], name: str) -> list[str]:
    """Read one text or a list of texts, as embeddings and rerank take them.

    Raises:
        ServiceError: 400, it is neither or empty.
    """
    value = body.get(name)
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and texts:
        if all(isinstance(item, int | float) for item in texts):
            return [" ".join(str(item) for item in texts)]
        read = [_text(item) for item in texts]
        kept = [text for text in read if text]
        if len(kept) == len(texts):
            return kept
    raise _refused(name, "expected a non-empty text or list of non-empty texts", value)


def _text(item: object) -> str | None:
    """Read one input: a text, a list of token numbers, or an object with text in it."""
    if isinstance(item, str):
        return item
    if isinstance(item, list) and all(isinstance(number, int | float) for number in item):
        return " ".join(str(number) for number in item)
    if isinstance(item, Mapping):
        if isinstance(item.get("text"), str):
            return cast("str", item["text"])
        parts = item.get("content")
        if isinstance(parts, list):
            return " ".join(str(part.get("text") or part.get("type")) for part in parts)
    return None


def _check_messages(messages: object) -> None:
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise _refused("messages", "expected a non-empty list", messages)
    for index, message in enumerate(messages):
        field = f"messages[{index}]"
        if not isinstance(message, Mapping):
            raise _refused(field, "expected an object", message)
        role = message.get("role")
        if role not in _ROLES:
            raise _refused(f"{field}.role", f"expected one of {', '.join(_ROLES)}", role)
        content = message.get("content")
        empty_allowed = role == "assistant"
        if content is None and not empty_allowed:
            raise _refused(f"{field}.content", "missing", content)
        if content is not None and not isinstance(content, str | list):
            raise _refused(f"{field}.content", "expected a text or a list of parts", content)
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
                raise _refused(f"{field}.content", "expected parts with a type", part)
        if role == "tool" and not isinstance(message.get("tool_call_id"), str):
            raise _refused(f"{field}.tool_call_id", "missing", message.get("tool_call_id"))


def _check_tools(tools: object) -> None:
    if tools is None:
        return
    if not isinstance(tools, list):
        raise _refused("tools", "expected a list", tools)
    for index, tool in enumerate(tools):
        field = f"tools[{index}]"
        if not isinstance(tool, Mapping) or not isinstance(tool.get("type"), str):
            raise _refused(field, "expected an object with a type", tool)
        function = tool.get("function")
        if tool["type"] == "function" and (
            not isinstance(function, Mapping) or not isinstance(function.get("name"), str)
        ):
            raise _refused(f"{field}.function.name", "missing", function)


def _check_format(wanted: object) -> None:
    if wanted is None:
        return
    if not isinstance(wanted, Mapping):
        raise _refused("response_format", "expected an object", wanted)
    known = ("text", "json_object", "json_schema", "grammar", "python")
    _check_choice("response_format.type", wanted.get("type"), known)
    schema = wanted.get("json_schema")
    if wanted.get("type") == "json_schema" and (
        not isinstance(schema, Mapping) or not isinstance(schema.get("name"), str)
    ):
        raise _refused("response_format.json_schema.name", "missing", schema)


def _check_choice(field: str, value: object, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        raise _refused(field, f"expected one of {', '.join(known)}", value)


def _refused(field: str, reason: str, value: object) -> ServiceError:
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}..."
    return ServiceError(400, f"{field}: {reason}, got {shown}", metadata={"field": field})
