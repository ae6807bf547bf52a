"""What the command line prints: tables and text for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# A pipe has no width: lines go out whole, so that grep and awk find each row on a line of its own.
_ENDLESS = 10_000


def console(*, stderr: bool = False) -> Console:
    """Open a console on stdout or stderr as they are now; without a terminal nothing is coloured or wrapped."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, width=_ENDLESS, force_terminal=False)


def show(*parts: RenderableType) -> None:
    """Print for people, on stdout; a pipe gets no blanks at the ends of lines."""
    out = console()
    with out.capture() if not out.is_terminal else nullcontext() as captured:
        for part in parts:
            out.print(part, markup=False)
    if captured is not None:
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    # A long-lived verb such as `emulate` must not keep its lines back from a pipe.
    sys.stdout.flush()


def show_json(document: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str, *, style: str = "") -> None:
    """Print a remark on stderr, so that it never mixes with a result."""
    console(stderr=True).print(text, style=style, markup=False)


def fact_lines(facts: Mapping[str, str]) -> str:
    """Set names and values in two columns; empty values are left out.

    Example:
        >>> print(fact_lines({"model": "openai/gpt-5", "cost": "0.25 USD", "region": ""}))
        model  openai/gpt-5
        cost   0.25 USD
    """
    kept = {name: value for name, value in facts.items() if value}
    width = max(map(len, kept), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in kept.items())
