"""Where in a JSON text a value stands, so that an error can name the line."""

from __future__ import annotations

from collections.abc import Sequence
from json import JSONDecoder

_WHITESPACE = " \t\n\r"
_decoder = JSONDecoder()


def line_of(text: str, path: Sequence[str | int]) -> int:
    r"""Find the line of a value in a valid JSON text.

    Args:
        text: The whole JSON text.
        path: The keys and indexes that lead to the value. Where the text has no such entry, the
            line of the deepest container on the way is given.

    Returns:
        The line, counted from 1.

    Example:
        >>> line_of('{"a": [1,\n2]}', ["a", 1])
        2
    """
    position = _skip(text, 0)
    for step in path:
        found = _child(text, position, step)
        if found is None:
            break
        position = found
    return text.count("\n", 0, position) + 1


def _skip(text: str, position: int) -> int:
    while text[position] in _WHITESPACE:
        position += 1
    return position


def _child(text: str, position: int, step: str | int) -> int | None:
    if text[position] not in "{[":
        return None
    is_object = text[position] == "{"
    position = _skip(text, position + 1)
    index = 0
    while text[position] not in "}]":
        key: str | int = index
        if is_object:
            key, position = _decoder.raw_decode(text, position)
            position = _skip(text, _skip(text, position) + 1)
        if key == step:
            return position
        _, position = _decoder.raw_decode(text, position)
        position = _skip(text, position)
        if text[position] == ",":
            position = _skip(text, position + 1)
        index += 1
    return None
