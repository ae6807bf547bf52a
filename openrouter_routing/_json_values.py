"""Reading values of somebody else's JSON: what is not of the expected kind counts as not told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return an object; an empty one where there is none."""
    # What JSON holds is told by its type in a tenth of the time.
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def as_text(value: object) -> str | None:
    """Return a text that is not empty."""
    return value if isinstance(value, str) and value else None


def as_number(value: object) -> float | None:
    """Return a finite number, also one that is written as a text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_count(value: object) -> int | None:
    """Return a whole number; what stands behind the point of another one is cut off."""
    if value is None or type(value) is int:
        return value
    number = as_number(value)
    return None if number is None else int(number)
