"""Tool calls out of a stream's fragments, which providers number, name and cut in many ways."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json, to_json

_UNREADABLE = "invalid_arguments"
"""The name under which arguments that are no JSON object go back to the provider."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool.

    Attributes:
        id: The call's id; a stable one is made where the provider sent none.
        name: The tool's name.
        arguments: The parsed arguments; None where they are no JSON object.
        arguments_json: The arguments as they came.
        error: Why the arguments could not be parsed, else None.
    """

    id: str
    name: str
    arguments: dict[str, Any] | None
    arguments_json: str
    error: str | None = None


@dataclass(slots=True)
class ToolCallDelta:
    """One fragment: `index` is on all fragments of a call, `id` and `name` on one of them each."""

    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(slots=True)
class _Call:
    index: int | None
    id: str | None = None
    wire_id: str | None = None
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


class ToolCallAssembler:
    """Joins fragments into calls: by index, where that is missing by id, else by order.

    Example:
        >>> assembler = ToolCallAssembler()
        >>> _ = assembler.add({"id": "a", "function": {"name": "now", "arguments": ""}})
        >>> _ = assembler.add({"index": 0, "function": {"arguments": "{}"}})
        >>> assembler.to_wire("gen-1")[0]["function"]
        {'name': 'now', 'arguments': '{}'}
    """

    __slots__ = ("_calls", "_place_of_index")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._place_of_index: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, fragment: Mapping[str, Any]) -> ToolCallDelta:
        """Take one fragment in, and return it in normal form."""
        function = fragment.get("function")
        function = function if isinstance(function, Mapping) else {}
        call_id = fragment.get("id")
        call_id = call_id if isinstance(call_id, str) and call_id else None
        name = function.get("name")
        name = name if isinstance(name, str) and name else None
        arguments = arguments_text(function.get("arguments"))
        index = fragment.get("index")
        index = index if isinstance(index, int) and not isinstance(index, bool) else None

        place = self._find(index, call_id, name, arguments)
        if place is None:
            place = len(self._calls)
            self._calls.append(_Call(index))
            if index is not None:
                self._place_of_index[index] = place
        call = self._calls[place]
        if arguments == "null" and not call.arguments:
            # No object begins so: it is how some say "none".
            arguments = ""
        new_id = new_name = None
        if call_id and call.id is None:
            call.wire_id = call_id
            call.id = new_id = self._unused(call_id, place)
        if name and name != call.name and not call.arguments:
            call.name += name
            new_name = name
        if arguments:
            call.arguments.append(arguments)
        for key, value in fragment.items():
            if key not in ("index", "id", "type", "function") and value is not None:
                call.extra[key] = value
        return ToolCallDelta(place, new_id, new_name, arguments)

    def missing_ids(self, generation_id: str | None) -> list[ToolCallDelta]:
        """Give an id to each call that came without one, and return the fragments that say so."""
        made = []
        for place, call in enumerate(self._calls):
            if call.id is None:
                call.id = stable_id(generation_id, place)
                made.append(ToolCallDelta(place, call.id, None, ""))
        return made

    def to_wire(self, generation_id: str | None) -> list[dict[str, Any]]:
        """Return the whole calls in the shape of an answer that was not streamed."""
        return [
            {
                **call.extra,
                "id": call.id or stable_id(generation_id, place),
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.arguments)},
            }
            for place, call in enumerate(self._calls)
        ]

    def _find(
        self, index: int | None, call_id: str | None, name: str | None, arguments: str
    ) -> int | None:
        if index is not None:
            place = self._place_of_index.get(index)
            if place is None:
                place = self._adopt(index, call_id)
            if place is None or not _starts_another(self._calls[place], call_id, name, arguments):
                return place
            del self._place_of_index[index]
            return None
        if call_id is not None:
            for place in reversed(range(len(self._calls))):
                if self._calls[place].wire_id == call_id:
                    another = _starts_another(self._calls[place], call_id, name, arguments)
                    return None if another else place
            return None if name or not self._calls or self._calls[-1].id else len(self._calls) - 1
        if not self._calls or (name and self._calls[-1].name):
            return None
        return len(self._calls) - 1

    def _adopt(self, index: int, call_id: str | None) -> int | None:
        """Bind a number that comes late to the call that began without one."""
        for place, call in enumerate(self._calls):
            if call.index is None and (call_id is None or call.wire_id in (None, call_id)):
                call.index = index
                self._place_of_index[index] = place
                return place
        return None

    def _unused(self, call_id: str, place: int) -> str:
        taken = {call.id for call in self._calls}
        return f"{call_id}_{place}" if call_id in taken else call_id


def _starts_another(call: _Call, call_id: str | None, name: str | None, arguments: str) -> bool:
    """Whether a fragment that seems to belong to a call begins another one: some providers number all calls 0."""
    if name is None:
        return False
    if call_id is not None and call.wire_id is not None and call_id != call.wire_id:
        return True
    if not call.arguments:
        return False
    if name != call.name:
        return True
    return bool(
        arguments and call_id is None and parse_arguments("".join(call.arguments))[1] is None
    )


def stable_id(generation_id: str | None, place: int) -> str:
    """Make the id of a call that came without one: the same each time the same answer is read."""
    return f"call_{(generation_id or 'unknown').removeprefix('gen-')}_{place}"


def arguments_text(arguments: object) -> str:
    """Return the arguments of a call as text; some providers send an object, or null."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else to_json(arguments).decode()


def read_tool_calls(calls: object, generation_id: str | None) -> list[ToolCall]:
    """Read the `tool_calls` of a whole message; each call comes out, readable or not."""
    read: list[ToolCall] = []
    taken: set[str] = set()
    for place, call in enumerate(calls if isinstance(calls, list) else ()):
        if not isinstance(call, Mapping):
            continue
        function = call.get("function")
        function = function if isinstance(function, Mapping) else {}
        name = function.get("name")
        text = arguments_text(function.get("arguments"))
        call_id = call.get("id")
        if not isinstance(call_id, str) or not call_id:
            call_id = stable_id(generation_id, place)
        if call_id in taken:
            call_id = f"{call_id}_{place}"
        taken.add(call_id)
        arguments, error = parse_arguments(text)
        read.append(
            ToolCall(call_id, name if isinstance(name, str) else "", arguments, text, error)
        )
    return read


def _read_leniently(text: str) -> Any:
    """Read JSON with line breaks inside its texts, which is no JSON, but no riddle either; None where it is one."""
    try:
        parsed = json.loads(text, strict=False)
        # What cannot be written again, such as half a character, could not be sent with the next turn.
        to_json(parsed)
    except (ValueError, RecursionError):
        return None
    return parsed


def replayable_arguments(text: str) -> str:
    r"""Return the arguments of an earlier call as providers take them back: a JSON object, whatever they were.

    Args:
        text: The arguments as they came.

    Example:
        >>> replayable_arguments('{"city": "Bern"}'), replayable_arguments("null"), replayable_arguments('{"ci')
        ('{"city": "Bern"}', '{}', '{"invalid_arguments": "{\\"ci"}')
    """
    parsed, _ = parse_arguments(text)
    if parsed is None:
        return json.dumps({_UNREADABLE: text}, ensure_ascii=False)
    try:
        return text if isinstance(from_json(text), dict) else "{}"
    except ValueError:
        return json.dumps(parsed, ensure_ascii=False) if parsed else "{}"


def parse_arguments(text: str) -> tuple[dict[str, Any] | None, str | None]:
    """Parse the arguments of a call; nothing, blanks and `null` mean "no arguments".

    Returns:
        The arguments and None, or None and what is wrong with them.

    Example:
        >>> parse_arguments('{"city": "Bern"}')
        ({'city': 'Bern'}, None)
        >>> parse_arguments("")
        ({}, None)
    """
    if not text.strip():
        return {}, None
    try:
        parsed = from_json(text)
    except ValueError as error:
        parsed = _read_leniently(text)
        if parsed is None:
            return None, f"the arguments are not JSON: {error}"
    if parsed is None:
        return {}, None
    if isinstance(parsed, dict):
        return parsed, None
    return None, f"the arguments are a JSON {type(parsed).__name__}, not an object"
