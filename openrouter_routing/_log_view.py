"""The routes of a block as a table, a row for each request, in a terminal and in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrouter_routing._figures import exact_dollars, finish
from openrouter_routing._tables import Column, DataTable

if TYPE_CHECKING:
    from openrouter_routing.recording import RouteLog
    from openrouter_routing.route import Route

COLUMNS = (
    Column("requested", rank=3),
    Column("served by model", wraps=True),
    Column("provider"),
    Column("finish", rank=4),
    Column("fallback", rank=1),
    Column("tokens", right=True, rank=2),
    Column("cost USD", right=True),
)


def log_table(log: RouteLog) -> DataTable:
    """Lay out what a log holds, with its sums above."""
    return DataTable(COLUMNS, [route_cells(route) for route in log], log.summary())


def route_cells(route: Route) -> tuple[str, ...]:
    """Return one route as the cells of a table with `COLUMNS`; what is not known is empty, or a question mark."""
    counts = (route.usage.prompt_tokens, route.usage.completion_tokens)
    known = [str(count) for count in counts if count is not None]
    return (
        route.requested_model or "",
        route.model or "?",
        route.provider or "?",
        finish(route.finish_reason, route.native_finish_reason),
        "yes" if route.fallback_used else "",
        " + ".join(known),
        "?" if route.total_cost is None else exact_dollars(route.total_cost),
    )
