"""One route as a table of facts, in a terminal and in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrouter_routing._figures import exact_dollars, finish, seconds
from openrouter_routing._tables import Column, DataTable

if TYPE_CHECKING:
    from openrouter_routing.route import Route


def route_table(route: Route) -> DataTable:
    """Lay out what a route tells; what it does not know is left out."""
    tokens = (route.usage.prompt_tokens, route.usage.completion_tokens)
    cost = route.total_cost
    facts = {
        "requested": ", ".join(filter(None, (route.requested_model, *route.requested_models))),
        "model": f"{route.model or ''}{' (fallback)' if route.fallback_used else ''}",
        "provider": route.provider or "",
        "finish": finish(route.finish_reason, route.native_finish_reason),
        "tokens": "" if None in tokens else f"{tokens[0]} in, {tokens[1]} out",
        "cost": "" if cost is None else f"{exact_dollars(cost)} USD",
        "own key": "yes" if route.is_byok else "",
        "tier": route.service_tier or "",
        "tried": ", ".join(f"{one.provider or '?'} {one.status or '?'}" for one in route.attempts),
        "retries": str(route.retries or ""),
        "cache": route.cache_status or "",
        "first token": seconds(route.time_to_first_token),
        "elapsed": seconds(route.elapsed),
        "generation": route.generation_id or "",
    }
    rows = [(name, fact) for name, fact in facts.items() if fact]
    return DataTable((Column("route", style="dim"), Column("", wraps=True)), rows)
