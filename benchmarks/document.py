"""Puts fresh numbers into docs/performance.md, between the marks that its text leaves for them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rounds import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN = "<!-- numbers: written by `make bench` -->"
END = "<!-- end of numbers -->"


def write_numbers(text: str, page: Path = PAGE) -> None:
    """Replace what stands between the marks.

    Raises:
        ValueError: The page has no marks.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} has no marks to write the numbers between")
    page.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}", encoding="utf-8")
