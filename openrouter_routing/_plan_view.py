"""A route plan as plain values, as a table in a terminal, and as a table in a notebook."""

from __future__ import annotations

from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Group

    from openrouter_routing.endpoint import Endpoint
    from openrouter_routing.planning import RoutePlan

_Row = tuple[str, ...]

_NUMBERS = ("#", "$/M in", "$/M out", "first")
_CANDIDATE_HEADINGS = ("#", "provider", "model", "$/M in", "$/M out", "first", "why")
_EXCLUDED_HEADINGS = ("provider", "model", "rule", "has", "asked")


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
    from rich.table import Table
    from rich.text import Text

    parts: list[Table | Text] = []
    for title, rows in _tables(plan):
        table = Table(title=title, title_justify="left")
        for heading in rows[0]:
            table.add_column(
                heading, justify="right" if heading in _NUMBERS else "left", overflow="fold"
            )
        for row in rows[1:]:
            table.add_row(*(Text(cell) for cell in row))
        parts.append(table)
    parts.insert(1, Text(_headline(plan)))
    parts += [Text(f"Note: {note}.") for note in plan.notes]
    return Group(*parts)


def plan_to_html(plan: RoutePlan) -> str:
    """Draw a plan for a notebook."""
    parts = [f"<p><b>{escape(title)}</b></p>{_html_table(rows)}" for title, rows in _tables(plan)]
    parts.insert(1, f"<p>{escape(_headline(plan))}</p>")
    parts += [f"<p>Note: {escape(note)}.</p>" for note in plan.notes]
    return "<div>" + "".join(parts) + "</div>"


def _tables(plan: RoutePlan) -> list[tuple[str, list[_Row]]]:
    """Lay out the tables with their titles; the first row of each holds the headings."""
    candidates = [_CANDIDATE_HEADINGS, *_candidate_rows(plan)]
    tables = [(f"Route for {', '.join(plan.requested)}", _without_sole_model(candidates))]
    if excluded := _excluded_rows(plan):
        tables.append(("Excluded", _without_sole_model([_EXCLUDED_HEADINGS, *excluded])))
    return tables


def _without_sole_model(rows: list[_Row]) -> list[_Row]:
    """Leave the column out that would say the same on every row."""
    column = rows[0].index("model")
    if len({row[column] for row in rows[1:]}) > 1:
        return rows
    return [row[:column] + row[column + 1 :] for row in rows]


def _headline(plan: RoutePlan) -> str:
    if not plan.candidates:
        return "Nobody is left to serve this request."
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
            _dollars(candidate.endpoint.pricing.per_million("prompt")),
            _dollars(candidate.endpoint.pricing.per_million("completion")),
            f"{candidate.probability:.0%}",
            candidate.reason,
        )
        for place, candidate in enumerate(plan.candidates, start=1)
    ]


def _excluded_rows(plan: RoutePlan) -> list[_Row]:
    """Leave out other models' endpoints: on a whole catalog they would bury the rest."""
    return [
        (
            exclusion.endpoint.tag,
            exclusion.endpoint.model,
            exclusion.rule,
            _words(exclusion.value),
            _words(exclusion.limit),
        )
        for exclusion in plan.excluded
        if exclusion.rule != "model"
    ]


def _html_table(rows: list[_Row]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:]
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


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


def _dollars(price: Decimal | None) -> str:
    return "" if price is None else format(price.normalize(), "f")
