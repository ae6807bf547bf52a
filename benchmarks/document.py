"""Puts fresh numbers into docs/performance.md, between the marks that its text leaves for them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rounds import ROOT

PAGE = ROOT / "docs" / "performance.md"
WRITERS = {"numbers": "make bench", "instructions": "python -m benchmarks --guard --write"}


def write_numbers(text: str, page: Path = PAGE, *, name: str = "numbers") -> None:
    """Replace what stands between the marks of a name.

    Args:
        text: What to put there.
        page: The page.
        name: Whose marks, one of `WRITERS`.

    Raises:
        ValueError: The page has no marks.
    """
    first, last = f"<!-- {name}: written by `{WRITERS[name]}` -->", f"<!-- end of {name} -->"
    before, begin, rest = page.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"{page} has no marks to write the numbers between")
    page.write_text(f"{before}{first}\n\n{text.strip()}\n\n{last}{after}", encoding="utf-8")
