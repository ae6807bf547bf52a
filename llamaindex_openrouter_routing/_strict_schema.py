"""JSON schemas in the form that providers enforce: the subset of OpenAI's strict mode, or none at all.

A provider in strict mode refuses a schema outside its subset with 400. What is not known to be in it is therefore never
sent as strict: the answer is validated here in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

FORMATS = frozenset(
    ("date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid")
)
"""The formats of texts that are enforced."""
MOST_PROPERTIES = 5000
"""How many properties a schema may have in all."""
MOST_CHOICES = 1000
"""How many values its enums may have in all."""

_NOTES = frozenset(("title", "description"))
_PLAIN = _NOTES | {
    "type", "enum", "const", "pattern", "format",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
}  # fmt: skip
_OBJECT = _NOTES | {"type", "properties", "required", "additionalProperties"}
_ARRAY = _NOTES | {"type", "items", "minItems", "maxItems"}
_TYPES = ("string", "number", "integer", "boolean", "null")
# A default says what a missing property is, and none can be missing; a discriminator only how to read the answer.
_DROPPED = ("default", "discriminator")
_AROUND = ("(?=", "(?!", "(?<")
_DEFINITIONS = "#/$defs/"


class _NotStrictError(Exception):
    """The schema has something that the subset does not."""


def strict_schema(schema: Mapping[str, Any]) -> Schema | None:
    """Put a schema into the form that providers enforce.

    Every property becomes required, so that a model has to name those with a default too, and no other may be added.
    What a reference says beside its `$ref` moves into a copy of what it refers to, a recursive root is written out,
    the alternatives of a tagged union lose their tag, and defaults go.

    Args:
        schema: A JSON schema as pydantic makes it; it is not changed.

    Returns:
        The schema, or None where it says something that cannot be enforced.

    Example:
        >>> strict_schema({"type": "object", "properties": {"city": {"type": "string"}}})["required"]
        ['city']
        >>> strict_schema({"type": "object", "properties": {"anything": {}}}) is None
        True

    See https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    definitions = schema.get("$defs", {})
    root = {name: value for name, value in schema.items() if name != "$defs"}
    strict = _Strict(definitions)
    try:
        for _ in definitions:
            root = strict.unfolded(root)
        if root.get("type") != "object":
            return None
        made = strict.node(root, ())
        if definitions:
            made["$defs"] = {name: strict.node(node, ()) for name, node in definitions.items()}
    except (_NotStrictError, RecursionError):
        return None
    return made


class _Strict:
    """One schema on its way into the strict form: its definitions, and how much more it may hold."""

    __slots__ = ("_choices", "_definitions", "_properties")

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._properties = MOST_PROPERTIES
        self._choices = MOST_CHOICES

    def node(self, node: Any, within: tuple[str, ...]) -> Schema:
        """Return the strict form of a node.

        Args:
            node: Any part of the schema.
            within: The references whose copies it is in.
        """
        if not isinstance(node, Mapping):
            raise _NotStrictError
        node = {name: value for name, value in node.items() if name not in _DROPPED}
        if "$ref" in node:
            return self._reference(node, within)
        if "oneOf" in node or "anyOf" in node:
            return self._union(node, within)
        if node.get("type") == "object":
            return self._object(node, within)
        if node.get("type") == "array":
            _only(node, _ARRAY)
            return {**node, "items": self.node(node.get("items"), within)}
        return self._value(node)

    def unfolded(self, node: Schema) -> Schema:
        """Return what a reference refers to, with what it says beside; any other node as it is."""
        if "$ref" not in node:
            return node
        beside = {name: value for name, value in node.items() if name != "$ref"}
        return {**self._definitions[self._name(node)], **beside}

    def _name(self, node: Schema) -> str:
        name = str(node["$ref"]).removeprefix(_DEFINITIONS)
        if node["$ref"] != f"{_DEFINITIONS}{name}" or name not in self._definitions:
            raise _NotStrictError
        return name

    def _reference(self, node: Schema, within: tuple[str, ...]) -> Schema:
        name = self._name(node)
        if len(node) == 1 or name in within:
            # A copy inside its own copy would have no end: the inner one loses what its reference says beside.
            return {"$ref": node["$ref"]}
        return self.node(self.unfolded(node), (*within, name))

    def _union(self, node: Schema, within: tuple[str, ...]) -> Schema:
        kind = "oneOf" if "oneOf" in node else "anyOf"
        _only(node, _NOTES | {kind})
        if not isinstance(node[kind], list) or not node[kind]:
            raise _NotStrictError
        branches = [self.node(branch, within) for branch in node[kind]]
        return {**{k: v for k, v in node.items() if k != kind}, "anyOf": branches}

    def _object(self, node: Schema, within: tuple[str, ...]) -> Schema:
        _only(node, _OBJECT)
        properties = node.get("properties")
        free = node.get("additionalProperties", False) is not False
        # An object without properties is a free one, such as the arguments of a tool that takes whatever it is given.
        if free or not properties or not isinstance(properties, Mapping):
            raise _NotStrictError
        self._properties -= len(properties)
        if self._properties < 0:
            raise _NotStrictError
        return {
            **node,
            "properties": {name: self.node(value, within) for name, value in properties.items()},
            "required": list(properties),
            "additionalProperties": False,
        }

    def _value(self, node: Schema) -> Schema:
        _only(node, _PLAIN)
        kind = node.get("type")
        if kind is None and not ({"enum", "const"} & set(node)):
            raise _NotStrictError
        if kind is not None and kind not in _TYPES:
            raise _NotStrictError
        if node.get("format", "date") not in FORMATS:
            raise _NotStrictError
        # Looking around is no part of the expressions that providers know.
        if any(token in str(node.get("pattern", "")) for token in _AROUND):
            raise _NotStrictError
        self._choices -= len(node.get("enum", ()))
        if self._choices < 0:
            raise _NotStrictError
        return dict(node)


def _only(node: Schema, known: frozenset[str]) -> None:
    if not set(node) <= known:
        raise _NotStrictError
