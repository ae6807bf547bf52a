"""References inside JSON schemas: which of them recurse, and what a schema's own root refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from langchain_openrouter_routing.errors import BadRequestError

_HOLDERS = ("$defs", "definitions")


def with_own_root(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema whose root is written out: the definition it refers to stands in the place of the reference.

    Args:
        schema: A JSON schema; its definitions stay where they are.

    Raises:
        BadRequestError: The root refers to nothing that is in the schema.

    Example:
        >>> with_own_root({"$ref": "#/$defs/N", "$defs": {"N": {"type": "object"}}})
        {'type': 'object', '$defs': {'N': {'type': 'object'}}}
    """
    root, followed = dict(schema), set[str]()
    while isinstance(reference := root.get("$ref"), str):
        if reference in followed:
            raise BadRequestError(f"the schema's root refers to itself by {reference!r}")
        followed.add(reference)
        beside = {key: value for key, value in root.items() if key != "$ref"}
        root = {**_definition(reference, schema), **beside}
    return root


def recurses(schema: Mapping[str, Any]) -> bool:
    """Say whether a definition of a schema holds itself, be it by way of others.

    Example:
        >>> recurses({"$ref": "#/$defs/N", "$defs": {"N": {"items": {"$ref": "#/$defs/N"}}}})
        True
    """
    held = {
        f"#/{holder}/{name}": set(_references(definition))
        for holder in _HOLDERS
        if isinstance(definitions := schema.get(holder), Mapping)
        for name, definition in definitions.items()
    }
    return any(_reaches(name, name, held) for name in held)


def _reaches(start: str, target: str, held: Mapping[str, set[str]]) -> bool:
    seen: set[str] = set()
    waiting = list(held[start])
    while waiting:
        name = waiting.pop()
        if name == target:
            return True
        if name not in seen:
            seen.add(name)
            waiting.extend(held.get(name, ()))
    return False


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)


def _definition(reference: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    start, *steps = reference.split("/")
    found: Any = schema if start == "#" and steps else None
    for step in steps:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise BadRequestError(f"the schema's root refers to {reference!r}, which it does not hold")
    return found
