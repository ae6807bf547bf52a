"""The router's own account of a request: `openrouter_metadata`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openrouter_routing.planning import Candidate, RoutePlan

_HEADERS = ("x-openrouter-metadata", "x-openrouter-experimental-metadata")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one endpoint."""

    candidate: Candidate
    status: int
    error_type: str = ""
    message: str = ""


def wants_metadata(headers: Mapping[str, str]) -> bool:
    """Whether a request asked for the metadata."""
    return any(headers.get(name, "").lower() == "enabled" for name in _HEADERS)


def router_metadata(
    plan: RoutePlan,
    attempts: Sequence[Attempt],
    *,
    region: str,
    byok: bool,
    served: Candidate | None,
) -> dict[str, object]:
    """Write the metadata of a request that was routed.

    Args:
        plan: The plan it followed.
        attempts: What was tried, in order.
        region: Where the router runs.
        byok: Whether the user's own key paid.
        served: Who answered, None when nobody did.
    """
    available = [
        {"provider": c.endpoint.provider, "model": c.model, "selected": c is served}
        for c in plan.candidates
    ]
    summary = f"available={len(available)}"
    if served is not None:
        summary += f", selected={served.endpoint.provider}"
    return {
        "requested": plan.requested[0],
        "strategy": _strategy(plan, served),
        "region": region,
        "summary": summary,
        "attempt": max(1, len(attempts)),
        "is_byok": byok,
        "endpoints": {"total": len(available), "available": available},
        "attempts": [
            {
                "provider": attempt.candidate.endpoint.provider,
                "model": attempt.candidate.model,
                "status": attempt.status,
            }
            for attempt in attempts
        ],
    }


def _strategy(plan: RoutePlan, served: Candidate | None) -> str:
    first = plan.requested[0]
    if first.startswith("~"):
        return "latest"
    if first in ("openrouter/auto", "openrouter/free"):
        return first.rpartition("/")[2]
    names = () if served is None else (served.model, *served.endpoint.model_aliases)
    stems = [first.rpartition(":")[0], first]
    if len(plan.requested) > 1 and names and not set(stems) & set(names):
        return "fallback"
    return "direct"
