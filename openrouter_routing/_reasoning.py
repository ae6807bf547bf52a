"""Reasoning details out of a stream's fragments, so that they can be replayed exactly as the provider made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# What grows from fragment to fragment; everything else describes the block and stays as it came.
_GROWING = ("text", "summary", "data", "arguments", "result")


def join_reasoning_details(fragments: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Join the fragments of reasoning blocks into whole blocks, in the order they began.

    A fragment continues the newest block of its type and index, unless it contradicts it (another id, another
    signature). Unknown types, formats and keys are kept as they came.

    Args:
        fragments: The `reasoning_details` of all deltas, in order.

    Returns:
        Whole blocks, to be sent back with the next turn unchanged.

    Example:
        >>> join_reasoning_details([
        ...     {"type": "reasoning.text", "index": 0, "text": "Let me "},
        ...     {"type": "reasoning.text", "index": 0, "text": "think."},
        ...     {"type": "reasoning.text", "index": 0, "signature": "c2ln"},
        ... ])
        [{'type': 'reasoning.text', 'index': 0, 'text': 'Let me think.', 'signature': 'c2ln'}]

    See https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
    """
    blocks: list[dict[str, Any]] = []
    grown: list[dict[str, list[str]]] = []
    newest: dict[tuple[Any, Any], int] = {}
    for fragment in fragments:
        key = (_hashable(fragment.get("type")), _hashable(fragment.get("index")))
        place = newest.get(key)
        # Without an index only a direct neighbour can be the same block.
        if place is not None and key[1] is None and place != len(blocks) - 1:
            place = None
        if place is None or _contradicts(fragment, blocks[place]):
            newest[key] = len(blocks)
            blocks.append(dict(fragment))
            grown.append(
                {name: [text] for name in _GROWING if isinstance(text := fragment.get(name), str)}
            )
            continue
        block, pieces = blocks[place], grown[place]
        for name, value in fragment.items():
            if name in _GROWING and isinstance(value, str):
                pieces.setdefault(name, []).append(value)
                block.setdefault(name, "")
            elif block.get(name) is None:
                block[name] = value
    for block, pieces in zip(blocks, grown, strict=True):
        for name, texts in pieces.items():
            block[name] = "".join(texts)
    return blocks


def _hashable(value: object) -> object:
    return value if value is None or isinstance(value, (str, int)) else repr(value)


def _contradicts(fragment: Mapping[str, Any], block: Mapping[str, Any]) -> bool:
    return any(
        value is not None and name not in _GROWING and block.get(name) not in (None, value)
        for name, value in fragment.items()
    )


def reasoning_text(details: Iterable[Mapping[str, Any]]) -> str:
    """Return what a person can read of reasoning details: texts and summaries, not the encrypted parts."""
    readable = (detail.get("text") or detail.get("summary") for detail in details)
    return "".join(text for text in readable if isinstance(text, str))
