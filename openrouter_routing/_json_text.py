"""JSON for people to read and compare: short objects and lists on one line, long ones broken."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

_WIDTH = 100


def readable_json(value: object, indent: str = "") -> str:
    """Write a value as JSON, breaking only what does not fit on a line.

    Args:
        value: Anything that `json.dumps` takes.
        indent: What the line it goes on already starts with.

    Example:
        >>> readable_json({"a": [1, 2]})
        '{"a": [1, 2]}'
    """
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= _WIDTH:
        return flat
    inner = indent + "  "
    if isinstance(value, Mapping):
        lines = [
            f"{inner}{json.dumps(str(key), ensure_ascii=False)}: {readable_json(item, inner)}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        lines = [f"{inner}{readable_json(item, inner)}" for item in value]
        return "[\n" + ",\n".join(lines) + f"\n{indent}]"
    return flat
