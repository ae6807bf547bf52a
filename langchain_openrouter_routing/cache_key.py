"""The key under which LangChain's cache keeps an answer: what was asked for, all of it, and no secret."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from openrouter_routing.client import OpenRouterClient
from openrouter_routing.operations import chat_body, effective_preferences
from openrouter_routing.request import read_options

_NO_MESSAGES = [{"role": "user", "content": ""}]


def request_key(client: OpenRouterClient, options: Mapping[str, Any], **more: Any) -> str:
    """Return a text that is the same for two calls exactly if the same would be sent, whatever the messages.

    Two calls with the same effective preferences share a key, wherever each preference was set: in a field, a call, a
    `routing()` block or a policy. The API key is no part of it; all else, which may hold secrets, enters as a digest.

    Args:
        client: The client the call would be made with.
        options: The options of the call.
        **more: What else the answer depends on.

    Raises:
        OpenRouterError: The options are malformed or contradict each other.
    """
    defaults = client.defaults
    read = read_options(options)
    preferences, policy = effective_preferences(defaults, read)
    body = chat_body(read, _NO_MESSAGES, preferences, policy)
    del body["messages"]
    settings = defaults.settings
    headers = {
        name.lower(): value
        for name, value in {**settings.headers, **read.extra_headers}.items()
        if name.lower() != "authorization"
    }
    asked = {
        "base_url": settings.base_url,
        "body": body,
        "preferences": preferences.to_wire(),
        "on_violation": read.transport.get("on_violation", settings.on_violation),
        "on_empty": read.transport.get("on_empty", settings.on_empty),
        "headers": headers or None,
        **more,
    }
    # A digest: plugins, tools and extra_body may hold keys of other services.
    return f"openrouter-routing {settings.base_url} {read.model} {_digest(asked)}"


def _canonical(value: Any) -> bytes:
    # A value JSON cannot hold would not be sent either; its repr keeps the keys of two such calls apart.
    return to_json(_sorted(value), fallback=repr)


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _sorted(value[name]) for name in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [_sorted(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _digest(value: Any) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()
