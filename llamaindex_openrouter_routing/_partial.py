"""JSON objects while they arrive, piece by piece."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

ALWAYS = 2048
"""Characters up to which an object is parsed anew with each piece."""
GROWTH = 16
"""A longer one is parsed anew when it has grown by one part in this many: the work stays linear in its length."""


class PartialJson:
    """A JSON object that is still arriving.

    Attributes:
        text: What has arrived.
        parsed: The object as far as it could be read when it was last parsed; a text that is cut is in it cut.

    Example:
        >>> partial = PartialJson()
        >>> partial.add('{"city": "Be')
        >>> partial.parsed
        {'city': 'Be'}
    """

    __slots__ = ("_parsed_length", "parsed", "text")

    def __init__(self) -> None:
        self.text = ""
        self.parsed: dict[str, Any] = {}
        self._parsed_length = 0

    def add(self, piece: str) -> None:
        """Take the next piece in."""
        if not piece:
            return
        self.text += piece
        length = len(self.text)
        if length > ALWAYS and length < self._parsed_length * (GROWTH + 1) // GROWTH:
            return
        self._parsed_length = length
        self.parsed = parse_partial(self.text) or self.parsed


def parse_partial(text: str) -> dict[str, Any]:
    """Parse as much of a JSON object as there is; what is no object gives an empty one.

    Example:
        >>> parse_partial('{"cities": ["Bern", "Ba')
        {'cities': ['Bern', 'Ba']}
    """
    try:
        parsed = from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
