"""JSON schemas as OpenAI's strict mode takes them: each object lists all of its properties, and holds no others.

LangChain's own conversion closes objects of any keys too, so that they can only be empty, and leaves the members of a
discriminated union open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMED = ("properties", "$defs", "definitions")
_LISTED = ("anyOf", "allOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties")


def strict_schema(schema: Any) -> Any:
    """Return a schema with `required` and `additionalProperties` as strict mode wants them, at every level.

    Args:
        schema: A JSON schema; of an object of any keys, which strict mode has no place for, what it says about them
            stays, so that a provider refuses it instead of answering with an empty one.

    Example:
        >>> strict_schema({"type": "object", "properties": {"x": {"type": "integer"}}})["required"]
        ['x']
    """
    if not isinstance(schema, Mapping):
        return schema
    union = "oneOf" in schema and "anyOf" not in schema
    strict = {
        "anyOf" if union and key == "oneOf" else key: _inside(key, value)
        for key, value in schema.items()
        # Strict mode knows no discriminators, and what one refers to may stand elsewhere by now.
        if not (union and key == "discriminator")
    }
    properties = strict.get("properties")
    if isinstance(properties, dict) and properties:
        strict["required"] = list(properties)
    if not _takes_any_keys(strict) and (
        "required" in strict or properties == {} or "additionalProperties" in strict
    ):
        strict["additionalProperties"] = False
    return strict


def _takes_any_keys(schema: Mapping[str, Any]) -> bool:
    others = schema.get("additionalProperties")
    return isinstance(others, Mapping) or (others is True and not schema.get("properties"))


def _inside(key: str, value: Any) -> Any:
    if key in _NAMED and isinstance(value, Mapping):
        return {name: strict_schema(inner) for name, inner in value.items()}
    if key in _LISTED and isinstance(value, list):
        return [strict_schema(inner) for inner in value]
    return strict_schema(value) if key in _SINGLE else value
