"""Filling a JSON schema from a prompt: always valid, always the same for the same prompt."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from openrouter_routing.emulator._finding import (
    after_label,
    expression,
    names,
    number_text,
    numbers,
    quoted,
    stems,
    words,
)

Schema = Mapping[str, Any]

_DEEPEST = 12
# Properties that ask for the whole request in words rather than for one thing in it.
_WHOLE_WORDS = """
query question text input prompt content message request instruction instructions task
description summary response answer statement topic search reason reasoning explanation
"""
_WHOLE = frozenset(_WHOLE_WORDS.split())
# Properties that ask for a name, which is seldom what stands in quotation marks.
_NAMED = frozenset({"name", "person", "author", "city", "country", "town", "place", "location"})
_FORMATS: Mapping[str, tuple[str, str]] = {
    "date-time": (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?",
        "2026-01-01T00:00:00Z",
    ),
    "date": (r"\d{4}-\d\d-\d\d", "2026-01-01"),
    "time": (r"\b\d\d:\d\d(?::\d\d)?\b", "00:00:00Z"),
    "email": (r"[\w.+-]+@[\w-]+\.[\w.-]*\w", "user@example.com"),
    "uri": (r"https?://[^\s\"'<>)]+", "https://example.com"),
    "uuid": (
        r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        f"{'0' * 8}-0000-4000-8000-{'0' * 12}",
    ),
    "ipv4": (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "127.0.0.1"),
}


def fill_schema(schema: Schema, prompt: str, *, focus: str = "") -> Any:
    """Make a value that a schema allows, out of what a prompt says.

    Args:
        schema: A JSON schema, with local references.
        prompt: The text to take numbers, names, quoted words and choices from.
        focus: The part of it to look at first.

    Returns:
        The value.

    Example:
        >>> fill_schema(
        ...     {
        ...         "type": "object",
        ...         "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        ...         "required": ["city", "days"],
        ...     },
        ...     "What will the weather in Paris be for 3 days?",
        ... )
        {'city': 'Paris', 'days': 3}
    """
    return _Filling(schema, prompt, focus).value(schema, ())


class _Filling:
    """One pass over a schema; what was found once is not used a second time."""

    def __init__(self, root: Schema, prompt: str, focus: str) -> None:
        self._root = root
        self._prompt = prompt
        near = f"{focus}\n{prompt.replace(focus, ' ', 1)}" if focus else prompt
        self._numbers = numbers(near)
        self._quoted = quoted(near)
        self._names = [name for name in names(near) if name not in self._quoted]

    def value(self, schema: Schema | bool, path: tuple[str, ...]) -> Any:
        """Fill one schema; the path holds the property names that lead to it."""
        if isinstance(schema, bool):
            return self._prompt
        schema = self._resolved(schema, len(path))
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choice(schema["enum"])
        kind = _type_of(schema)
        if kind == "object":
            return self._object(schema, path)
        if kind == "array":
            return self._array(schema, path)
        if kind in ("number", "integer"):
            return self._number(schema, path, whole=kind == "integer")
        if kind == "boolean":
            return bool(path) and self._mentions(path[-1])
        if kind == "null":
            return None
        return self._text(schema, path)

    def _resolved(self, schema: Schema, depth: int) -> Schema:
        for _ in range(_DEEPEST):
            if "$ref" in schema:
                schema = {**self._target(schema["$ref"]), **_without(schema, "$ref")}
            elif schema.get("allOf"):
                merged: dict[str, Any] = dict(_without(schema, "allOf"))
                for part in schema["allOf"]:
                    merged = _merge(merged, self._resolved(part, depth))
                schema = merged
            elif schema.get("anyOf") or schema.get("oneOf"):
                name = "anyOf" if schema.get("anyOf") else "oneOf"
                option = self._option(schema[name], depth)
                schema = {**_without(schema, name), **option}
            else:
                return schema
        return {"type": "null"}

    def _target(self, reference: str) -> Schema:
        target: Any = self._root
        for step in reference.lstrip("#/").split("/") if reference != "#" else ():
            target = target[step.replace("~1", "/").replace("~0", "~")]
        return target if isinstance(target, Mapping) else {}

    def _option(self, options: list[Schema], depth: int) -> Schema:
        """Take the first option that is not null; deep down, null, so that recursion ends."""
        nulls = [option for option in options if option.get("type") == "null"]
        if nulls and depth >= _DEEPEST // 2:
            return nulls[0]
        others = [option for option in options if option.get("type") != "null"]
        return (others or nulls)[0]

    def _choice(self, options: list[Any]) -> Any:
        said = f" {' '.join(re.findall(r'[a-z0-9]+', self._prompt.lower()))} "
        for option in options:
            spelled = " ".join(re.findall(r"[a-z0-9]+", str(option).lower()))
            if spelled and f" {spelled} " in said:
                return option
        return options[0]

    def _mentions(self, name: str) -> bool:
        return not stems(name).isdisjoint(stems(self._prompt))

    def _object(self, schema: Schema, path: tuple[str, ...]) -> dict[str, Any]:
        properties: Mapping[str, Schema] = schema.get("properties") or {}
        required = list(schema.get("required") or [])
        filled: dict[str, Any] = {}
        for name, inner in properties.items():
            # What need not be there and is not spoken of stays out, and so ends any recursion.
            if name in required or (len(path) < _DEEPEST and self._mentions(name)):
                filled[name] = self.value(inner, (*path, name))
        others = schema.get("additionalProperties", True)
        for name in required:
            if name not in filled:
                inner = others if isinstance(others, Mapping) else {"type": "string"}
                filled[name] = self.value(inner, (*path, name))
        return filled

    def _array(self, schema: Schema, path: tuple[str, ...]) -> list[Any]:
        leading: list[Schema] = schema.get("prefixItems") or []
        items = schema.get("items", {"type": "string"})
        filled = [self.value(inner, path) for inner in leading]
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        if items is not False:
            supply = self._supply(items, path)
            wanted = min(most, max(least, len(filled) + supply))
            while len(filled) < wanted:
                filled.append(self.value(items, (*path, f"item {len(filled) + 1}")))
        if schema.get("uniqueItems"):
            filled = _distinct(filled, least)
        return filled

    def _supply(self, items: Schema | bool, path: tuple[str, ...]) -> int:
        """Say how many items the prompt has something for."""
        inner = self._resolved(items, len(path)) if isinstance(items, Mapping) else {}
        if len(path) >= _DEEPEST // 2:
            return 0
        kind = _type_of(inner)
        if kind in ("number", "integer"):
            return len(self._numbers)
        if kind == "string" and not inner.get("enum"):
            return len(self._quoted) or len(self._names) or 1
        return 1

    def _number(self, schema: Schema, path: tuple[str, ...], *, whole: bool) -> float | int:
        labelled = after_label(self._prompt, words(path[-1])) if path and words(path[-1]) else None
        found = numbers(labelled or "")
        if found and found[0] in self._numbers:
            number = found[0]
            self._numbers.remove(number)
        else:
            number = self._numbers.pop(0) if self._numbers else 0
        return _fitted(number, schema, whole=whole)

    def _text(self, schema: Schema, path: tuple[str, ...]) -> str:
        pattern, usual = _FORMATS.get(schema.get("format", ""), ("", ""))
        if pattern:
            match = re.search(pattern, self._prompt)
            return match.group() if match else usual
        return _sized(self._found(path), schema)

    def _found(self, path: tuple[str, ...]) -> str:
        name = next((step for step in reversed(path) if not step.startswith("item ")), "")
        label = words(name)
        if "expression" in label and (found := expression(self._prompt)):
            return found
        if (
            label
            and label[-1] in ("email", "mail")
            and (m := re.search(_FORMATS["email"][0], self._prompt))
        ):
            return m.group()
        if (
            label
            and label[-1] in ("url", "link")
            and (m := re.search(_FORMATS["uri"][0], self._prompt))
        ):
            return m.group()
        if (
            label
            and label[-1] in ("date", "day")
            and (m := re.search(_FORMATS["date"][0], self._prompt))
        ):
            return m.group()
        if label and (found := after_label(self._prompt, label)) and found not in _WHOLE:
            self._use(found)
            return self._longer(found)
        if label and label[-1] in _NAMED and self._names:
            return self._names.pop(0)
        if self._quoted:
            return self._quoted.pop(0)
        if not label or label[-1] not in _WHOLE:
            if self._names:
                return self._names.pop(0)
            if self._numbers and label and label[-1] in ("id", "number", "code"):
                return number_text(self._numbers.pop(0))
        return self._prompt.strip()

    def _longer(self, found: str) -> str:
        """Give the whole of a name of which a label was followed by the first word only."""
        return next((name for name in names(self._prompt) if name.startswith(f"{found} ")), found)

    def _use(self, found: str) -> None:
        self._names = [name for name in self._names if not name.startswith(found)]
        self._quoted = [text for text in self._quoted if text != found]


def _type_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((k for k in kind if k != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _fitted(number: float, schema: Schema, *, whole: bool) -> float | int:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    step = schema.get("multipleOf") or (1 if whole else None)
    if "exclusiveMinimum" in schema:
        low = max(low, schema["exclusiveMinimum"] + (step or 1e-6))
    if "exclusiveMaximum" in schema:
        high = min(high, schema["exclusiveMaximum"] - (step or 1e-6))
    number = min(max(number, low), high)
    if step:
        number = math.floor(number / step + 1e-9) * step
        if number < low:
            number += step
    return int(number) if whole or number == int(number) else number


def _sized(text: str, schema: Schema) -> str:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not re.search(pattern, text):
        text = next((w for w in re.findall(r"\S+", text) if re.search(pattern, w)), text)
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    text = text.ljust(least, ".")
    return text if most is None else text[:most]


def _distinct(items: list[Any], least: int) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    number = 1
    while len(kept) < least:
        last = kept[-1] if kept else ""
        more = last + number if isinstance(last, int | float) else f"{last} {number + 1}"
        if more not in kept:
            kept.append(more)
        number += 1
    return kept


def _merge(one: Mapping[str, Any], other: Schema) -> dict[str, Any]:
    merged = {**one, **other}
    if one.get("properties") and other.get("properties"):
        merged["properties"] = {**one["properties"], **other["properties"]}
    if one.get("required") and other.get("required"):
        merged["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    return merged


def _without(schema: Schema, name: str) -> Schema:
    return {key: value for key, value in schema.items() if key != name}
