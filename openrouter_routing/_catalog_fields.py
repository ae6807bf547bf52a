"""Reading the fields of a catalog entry, with an error that says which field is wrong and how."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

__all__ = ["Entry", "FieldError"]


class FieldError(Exception):
    """A field that is missing or of the wrong type, with the way to it."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


class Entry:
    """One JSON object of a catalog and the way to it.

    Args:
        value: What should be an object.
        path: The keys and indexes that led to it.

    Raises:
        FieldError: It is no object.
    """

    def __init__(self, value: object, path: tuple[str | int, ...]) -> None:
        if not isinstance(value, Mapping):
            raise FieldError(path, f"expected an object, got {value!r}")
        self.value: Mapping[str, object] = value
        self.path = path

    def wrong(self, name: str, expected: str) -> FieldError:
        """Build the error for one field of this entry."""
        if name not in self.value:
            return FieldError((*self.path, name), f"missing; expected {expected}")
        return FieldError((*self.path, name), f"expected {expected}, got {self.value[name]!r}")

    def text(self, name: str) -> str:
        """Read a required, non-empty string."""
        value = self.value.get(name)
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """Read a string that may be null or absent."""
        value = self.value.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(name, "a string or null")

    def optional_integer(self, name: str) -> int | None:
        """Read a whole number that may be null or absent; 8192.0 counts as one."""
        value = self.value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise self.wrong(name, "a whole number or null")
        return int(value)

    def optional_number(self, name: str) -> float | None:
        """Read a number that may be null or absent."""
        value = self.value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "a number or null")
        return float(value)

    def optional_flag(self, name: str) -> bool | None:
        """Read a boolean that may be null or absent."""
        value = self.value.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong(name, "true, false or null")

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a list of strings; absent is empty."""
        value = self.value.get(name, [])
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self.wrong(name, "a list of strings")
        return tuple(value)

    def entries(self, name: str) -> list[Entry]:
        """Read a required list of objects."""
        value = self.value.get(name)
        if not isinstance(value, list | tuple):
            raise self.wrong(name, "a list of objects")
        return [Entry(item, (*self.path, name, index)) for index, item in enumerate(value)]

    def optional_entry(self, name: str) -> Entry | None:
        """Read an object that may be null or absent."""
        value = self.value.get(name)
        return None if value is None else Entry(value, (*self.path, name))

    def rest(self, known: Collection[str]) -> Mapping[str, object]:
        """Keep what no typed field took, so that saving loses nothing."""
        return MappingProxyType({k: v for k, v in self.value.items() if k not in known})
