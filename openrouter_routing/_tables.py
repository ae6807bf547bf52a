"""Tables that fit where they are shown: a terminal of any width, a pipe, or a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table
    from rich.text import Text

__all__ = ["Column", "DataTable"]

# Between columns stands a space of padding and one that rich draws as their border.
_GAP = 2
# How narrow a column that wraps should stay, and how narrow it may get before others wrap, too.
_NARROWEST = 17
_SQUEEZED = 8
_BAR = 8


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Args:
        heading: Its heading.
        right: Whether its cells are set to the right, as numbers are.
        rank: Where room is short, columns of the highest rank are left out first; 0 always stays.
        wraps: Whether its cells may take several lines.
        bar: Whether its cells are percentages (`"64%"`, `"<1%"`), to be drawn as bars too where there is room.
        style: How its cells look in a terminal, such as `"bold"`.
    """

    heading: str
    right: bool = False
    rank: int = 0
    wraps: bool = False
    bar: bool = False
    style: str = ""


@dataclass(frozen=True, slots=True)
class DataTable:
    """Rows of text under headings, rendered by rich and by notebooks.

    Args:
        columns: The columns; one whose cells are all empty is not shown.
        rows: The rows, each with one cell per column.
        title: Stands above.
        faint: Whether the table is of less weight than its neighbours.

    Example:
        >>> table = DataTable([Column("provider"), Column("tok/s", right=True)], [("groq", "280")])
        >>> table._repr_html_()[-57:]
        '<tbody><tr><td>groq</td><td>280</td></tr></tbody></table>'
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    title: str = ""
    faint: bool = False

    def filled(self) -> list[int]:
        """Return the positions of the columns that have something to show."""
        return [
            place
            for place, column in enumerate(self.columns)
            if column.rank == 0 or any(row[place] for row in self.rows)
        ]

    def fitting(self, width: int, measure: Callable[[str], int] = len) -> list[int]:
        """Return the positions of the columns that fit into a width, in characters."""
        places = self.filled()
        while self._needs(places, measure) > width:
            rank = max((self.columns[place].rank for place in places), default=0)
            if rank == 0:
                break
            places = [place for place in places if self.columns[place].rank != rank]
        return places

    def _needs(
        self, places: Iterable[int], measure: Callable[[str], int], narrowest: int = _NARROWEST
    ) -> int:
        widths = []
        for place in places:
            column = self.columns[place]
            widest = max((measure(row[place]) for row in self.rows), default=0)
            if column.wraps:
                widest = min(widest, narrowest)
            widths.append(max(widest, measure(column.heading)))
        return sum(widths) + _GAP * (len(widths) - 1)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.cells import cell_len
        from rich.text import Text

        if self.title:
            yield Text(self.title, style="dim" if self.faint else "bold")
        places = self.fitting(options.max_width, cell_len)
        bars = not options.ascii_only and (
            self._needs(places, cell_len) + _BAR + 1 <= options.max_width
        )
        fits = self._needs(places, cell_len, _SQUEEZED) <= options.max_width
        yield self._drawn(places, bars=bars, fits=fits)
        if left_out := [
            self.columns[place].heading for place in self.filled() if place not in places
        ]:
            yield Text(f"Left out for width: {', '.join(left_out)}.", style="dim")

    def _drawn(self, places: Sequence[int], *, bars: bool, fits: bool) -> Table:
        from rich import box
        from rich.table import Table

        table = Table(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, _GAP - 1, 0, 0),
            header_style="dim",
            style="dim" if self.faint else "",
        )
        for place in places:
            column = self.columns[place]
            table.add_column(
                column.heading,
                justify="right" if column.right and not (column.bar and bars) else "left",
                overflow="fold",
                # What does not fit is folded, never cut off.
                no_wrap=fits and not column.wraps,
                style=column.style,
            )
        for row in self.rows:
            table.add_row(*(_cell(self.columns[place], row[place], bars=bars) for place in places))
        return table

    def _repr_html_(self) -> str:
        places = self.filled()
        head = "".join(f"<th>{escape(self.columns[place].heading)}</th>" for place in places)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(row[place])}</td>" for place in places) + "</tr>"
            for row in self.rows
        )
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(column: Column, text: str, *, bars: bool) -> Text:
    from rich.text import Text

    if not (column.bar and bars):
        return Text(text)
    if not text:
        return Text("")
    share = float(text.lstrip("<").rstrip("%")) / 100
    length = round(share * _BAR) or (1 if share > 0 else 0)
    return Text.assemble(
        f"{text:>4} ", ("━" * length, "green"), ("─" * (_BAR - length), "bright_black")
    )
