"""JSON schemas as OpenAI's strict mode takes them: each object lists all of its properties, and holds no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMED = ("properties", "$defs", "definitions")
_LISTED = ("anyOf", "allOf")


def strict_schema(schema: Any) -> Any:
    """Return a schema with `required` and `additionalProperties` as strict mode wants them, at every level.

    It is LangChain's conversion, by a copy.

    Example:
        >>> strict_schema({"type": "object", "properties": {"x": {"type": "integer"}}})["required"]
        ['x']
    """
    if not isinstance(schema, Mapping):
        return schema
    strict = {key: _inside(key, value) for key, value in schema.items()}
    properties = strict.get("properties")
    if isinstance(properties, dict) and properties:
        strict["required"] = list(properties)
    if (
        "required" in strict
        or ("properties" in strict and not properties)
        or "additionalProperties" in strict
    ):
        strict["additionalProperties"] = False
    return strict


def _inside(key: str, value: Any) -> Any:
    if key in _NAMED and isinstance(value, Mapping):
        return {name: strict_schema(inner) for name, inner in value.items()}
    if key in _LISTED and isinstance(value, list):
        return [strict_schema(inner) for inner in value]
    return strict_schema(value) if key == "items" else value
