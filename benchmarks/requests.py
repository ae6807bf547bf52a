"""What the clients ask: the same for all of them."""

from __future__ import annotations

import base64
import functools

from pydantic import BaseModel, Field

KEY = "sk-or-v1-0000000000000000000000000000000000000000000000000000000000000000"
QUESTION = "What is the capital of Switzerland?"
IN_FLIGHT = 64
THREADS = 8
IMAGE_BYTES = 5_000_000
TURNS = 1000


class Person(BaseModel):
    """A person named in a text."""

    name: str = Field(description="The full name.")
    age: int
    city: str


def write(text: str) -> str:
    """Write a text.

    Args:
        text: The text.
    """
    return f"{len(text)} characters written"


@functools.cache
def turns() -> list[tuple[str, str]]:
    """Return a long conversation as (role, text)."""
    return [
        ("user" if place % 2 == 0 else "assistant", f"Turn {place}: {QUESTION}")
        for place in range(TURNS - 1)
    ] + [("user", QUESTION)]


@functools.cache
def image_url() -> str:
    """Return a large picture as a data URL; nobody looks inside it."""
    return "data:image/png;base64," + base64.b64encode(bytes(IMAGE_BYTES)).decode()
