"""A comparison of providers as a table, in a terminal and in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from openrouter_routing._figures import dollars, seconds, speed
from openrouter_routing._tables import Column, DataTable

if TYPE_CHECKING:
    from rich.console import Group

    from openrouter_routing.probing import ProbeReport, ProviderResult

_COLUMNS = (
    Column("provider", style="bold"),
    Column("answered", right=True, rank=2),
    Column("latency", right=True),
    Column("tok/s", right=True),
    Column("$/1000 req", right=True),
    Column("finish", rank=4),
    Column("tools", rank=1),
    Column("schema", rank=1),
)
_MARKS = {"works": "yes", "fails": "NO", "not offered": "-", "not tried": ""}
_THOUSAND = 1000
_MOST_PROBLEMS = 12


def report_to_rich(report: ProbeReport) -> Group:
    """Draw a report for a terminal."""
    from rich.console import Group
    from rich.text import Text

    parts: list[DataTable | Text] = [_table(report), Text(_summary(report))]
    problems = _problems(report)
    if problems:
        parts.append(Text(""))
        parts += [
            Text.assemble((f"{tag}: ", "bold"), (problem, "red")) for tag, problem in problems
        ]
    return Group(*parts)


def report_to_html(report: ProbeReport) -> str:
    """Draw a report for a notebook."""
    problems = "".join(
        f"<p><b>{escape(tag)}</b>: {escape(problem)}</p>" for tag, problem in _problems(report)
    )
    table = _table(report)._repr_html_()
    return f"<div>{table}<p>{escape(_summary(report))}</p>{problems}</div>"


def _table(report: ProbeReport) -> DataTable:
    words = {"cost": "the cheapest", "speed": "the fastest", "latency": "the quickest to begin"}
    return DataTable(
        _COLUMNS,
        [_row(result) for result in report.ranking()],
        f"{report.model}: {words[report.best]} first",
    )


def _row(result: ProviderResult) -> tuple[str, ...]:
    cost = result.cost
    return (
        result.endpoint.tag,
        f"{result.answered}/{len(result.texts)}",
        seconds(result.time_to_first_token),
        speed(result.throughput),
        "" if cost is None else dollars(round(cost * _THOUSAND, 4)),
        " ".join(result.finish_reasons),
        _MARKS[result.verdict("tools")],
        _MARKS[result.verdict("schema")],
    )


def _summary(report: ProbeReport) -> str:
    cut = "" if report.sent == report.planned else f" of {report.planned} planned"
    return f"{report.sent}{cut} requests for {dollars(report.total_cost)} USD."


def _problems(report: ProbeReport) -> list[tuple[str, str]]:
    return [
        (result.endpoint.tag, problem) for result in report.ranking() for problem in result.problems
    ][:_MOST_PROBLEMS]
