"""Earlier reasoning that a provider does not take back: OpenAI's items, which only the server that made them knows.

Reasoning is replayed exactly as it came. Where that is refused because the id of an item leads nowhere, as happens when
another server answers the next turn, the request is worth sending again without those ids: the text, the encrypted
reasoning and the signatures beside them are what counts.

See https://github.com/langchain-ai/langchain/issues/37777
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from openrouter_routing.errors import OpenRouterError

UNKNOWN_ITEM = re.compile(r"Item with id '?rs_[^ ]* not found", re.IGNORECASE)


def is_unknown_item(error: Exception) -> bool:
    """Whether a provider refused a request because it does not know the id of an earlier reasoning item."""
    if not isinstance(error, OpenRouterError):
        return False
    raw = (error.metadata or {}).get("raw")
    return any(UNKNOWN_ITEM.search(str(text)) for text in (error.message, raw))


def without_item_ids(content: bytes) -> bytes | None:
    """Return a request's body without the ids of reasoning items, or None where it has none.

    Args:
        content: The body, as JSON.

    Example:
        >>> without_item_ids(b'{"messages":[{"reasoning_details":[{"id":"rs_1","data":"x"}]}]}')
        b'{"messages":[{"reasoning_details":[{"data":"x"}]}]}'
    """
    body = from_json(content)
    found = [detail for detail in _details(body) if str(detail.get("id")).startswith("rs_")]
    for detail in found:
        del detail["id"]
    return to_json(body) if found else None


def _details(body: Any) -> list[dict[str, Any]]:
    messages = body.get("messages") if isinstance(body, Mapping) else None
    return [
        detail
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, Mapping)
        for detail in message.get("reasoning_details") or ()
        if isinstance(detail, dict)
    ]
