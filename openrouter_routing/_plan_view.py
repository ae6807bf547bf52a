"""A route plan as plain values, as a table in a terminal, and as a table in a notebook."""

from __future__ import annotations

from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from openrouter_routing._figures import dollars, milliseconds, speed
from openrouter_routing._tables import Column, DataTable

if TYPE_CHECKING:
    from rich.console import Group

    from openrouter_routing.endpoint import Endpoint
    from openrouter_routing.planning import Candidate, RoutePlan

_Row = tuple[str, ...]

_CANDIDATE_COLUMNS = (
    Column("#", right=True, style="dim"),
    Column("provider", style="bold"),
    Column("model"),
    Column("first", right=True, bar=True),
    Column("$/M in", right=True, rank=2),
    Column("$/M out", right=True, rank=1),
    Column("latency", right=True, rank=3),
    Column("tok/s", right=True, rank=3),
    Column("why", wraps=True),
)
_EXCLUDED_COLUMNS = (
    Column("provider", style="bold"),
    Column("model", rank=1),
    Column("rule", style="red"),
    Column("has", wraps=True, rank=2),
    Column("asked", wraps=True),
)


def plan_to_dict(plan: RoutePlan) -> dict[str, object]:
    """Write a plan as values that `json.dumps` takes."""
    return {
        "requested": list(plan.requested),
        "load_balanced": plan.load_balanced,
        "fallbacks": plan.fallbacks,
        "notes": list(plan.notes),
        "candidates": [
            {
                **_identity(candidate.endpoint),
                "probability": candidate.probability,
                "reason": candidate.reason,
                "dropped_parameters": list(candidate.dropped_parameters),
            }
            for candidate in plan.candidates
        ],
        "excluded": [
            {
                **_identity(exclusion.endpoint),
                "rule": exclusion.rule,
                "value": _plain(exclusion.value),
                "limit": _plain(exclusion.limit),
            }
            for exclusion in plan.excluded
        ],
    }


def plan_to_rich(plan: RoutePlan) -> Group:
    """Draw a plan for a terminal."""
    from rich.console import Group
    from rich.text import Text

    parts: list[DataTable | Text] = []
    for table in _tables(plan):
        parts += [table, Text("")]
    parts.insert(1, Text(_headline(plan), style="" if plan.candidates else "bold red"))
    if not plan.candidates:
        parts.pop(0)
    parts += [Text(f"Note: {note}.", style="yellow") for note in plan.notes]
    return Group(*(parts if plan.notes else parts[:-1]))


def plan_to_html(plan: RoutePlan) -> str:
    """Draw a plan for a notebook."""
    parts = [table._repr_html_() for table in _tables(plan)]
    parts.insert(1, f"<p>{escape(_headline(plan))}</p>")
    parts += [f"<p>Note: {escape(note)}.</p>" for note in plan.notes]
    return "<div>" + "".join(parts) + "</div>"


def _tables(plan: RoutePlan) -> list[DataTable]:
    tables = [
        _table(f"Route for {', '.join(plan.requested)}", _CANDIDATE_COLUMNS, _candidate_rows(plan))
    ]
    if excluded := _excluded_rows(plan):
        tables.append(_table("Excluded", _EXCLUDED_COLUMNS, excluded))
    return tables


def _table(title: str, columns: tuple[Column, ...], rows: list[_Row]) -> DataTable:
    """Leave the model out where it would say the same on every row, and its author where none is needed."""
    column = next(place for place, one in enumerate(columns) if one.heading == "model")
    models = {row[column] for row in rows}
    short = {model: model.partition("/")[2] or model for model in models}
    if len(models) <= 1:
        columns = columns[:column] + columns[column + 1 :]
        rows = [row[:column] + row[column + 1 :] for row in rows]
    elif len(set(short.values())) == len(models):
        rows = [(*row[:column], short[row[column]], *row[column + 1 :]) for row in rows]
    return DataTable(columns, rows, title)


def _headline(plan: RoutePlan) -> str:
    if not plan.candidates:
        return "Nobody is left to serve this request."
    if len(plan.candidates) == 1:
        return "Nobody else is tried if it fails."
    if plan.load_balanced and not plan.fallbacks:
        return "One is drawn by these chances; no other provider is tried if it fails."
    if plan.load_balanced:
        return "The first is drawn by these chances; the others are tried in this order."
    return "They are tried in this order."


def _candidate_rows(plan: RoutePlan) -> list[_Row]:
    return [
        (
            str(place),
            candidate.endpoint.tag,
            candidate.model,
            _chance(candidate.probability),
            dollars(candidate.endpoint.pricing.per_million("prompt")),
            dollars(candidate.endpoint.pricing.per_million("completion")),
            milliseconds(candidate.endpoint.latency.p50 if candidate.endpoint.latency else None),
            speed(candidate.endpoint.throughput.p50 if candidate.endpoint.throughput else None),
            _why(candidate),
        )
        for place, candidate in enumerate(plan.candidates, start=1)
    ]


def _chance(probability: float) -> str:
    if probability == 0:
        return ""
    return f"{probability:.0%}" if probability >= 0.005 else "<1%"


def _why(candidate: Candidate) -> str:
    if not candidate.dropped_parameters:
        return candidate.reason
    return f"{candidate.reason}; drops {', '.join(candidate.dropped_parameters)}"


def _excluded_rows(plan: RoutePlan) -> list[_Row]:
    """Leave out other models' endpoints: on a whole catalog they would bury the rest."""
    return [
        (
            exclusion.endpoint.tag,
            exclusion.endpoint.model,
            exclusion.rule,
            "" if exclusion.value == exclusion.endpoint.tag else _words(exclusion.value),
            _words(exclusion.limit),
        )
        for exclusion in plan.excluded
        if exclusion.rule != "model"
    ]


def _identity(endpoint: Endpoint) -> dict[str, object]:
    return {"model": endpoint.model, "provider": endpoint.provider, "tag": endpoint.tag}


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return list(value) if isinstance(value, tuple) else value


def _words(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
