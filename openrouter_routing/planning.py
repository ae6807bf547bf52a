"""Seeing a route before paying for it: who would be tried, in which order, and who is out and why.

`plan_route` follows the documented rules of OpenRouter's router over a list of endpoints. It is a
pure function: it asks nobody, draws no lots and looks at no clock.

See https://openrouter.ai/docs/features/provider-routing and
https://openrouter.ai/docs/features/model-routing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from random import Random
from typing import TYPE_CHECKING

from openrouter_routing._endpoint_name import endpoint_name
from openrouter_routing._plan_order import Ranked, rank_endpoints, without_fallbacks
from openrouter_routing._plan_request import (
    RouteRequestError,
    Wanted,
    WantedModel,
    read_request,
    resolve_models,
)
from openrouter_routing._plan_rules import Reason, exclusion, soft_parameter_losers
from openrouter_routing.endpoint import Endpoint

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Candidate", "Exclusion", "RoutePlan", "RouteRequestError", "plan_route"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An endpoint that may be tried.

    Args:
        endpoint: The endpoint.
        model: The id of the model it serves.
        probability: The chance that it is tried first, 0 to 1; over all candidates they sum to 1.
        reason: Why it stands where it stands, in words.
        share: Its chance to lead when the router draws lots within the model; None where the order
            is fixed.
        dropped_parameters: What the request asks for that this endpoint would ignore.
    """

    endpoint: Endpoint
    model: str
    probability: float
    reason: str
    share: float | None = None
    dropped_parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An endpoint that will not be tried.

    Args:
        endpoint: The endpoint.
        rule: What excludes it: `only`, `ignore`, `zdr`, `max_price.prompt`, `context_length`, ...
        value: What the endpoint has.
        limit: What the request asks for.
    """

    endpoint: Endpoint
    rule: str
    value: object
    limit: object


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """What the router would do with one request.

    Args:
        requested: The models of the request, in order.
        candidates: Who may be tried, in the order of trying; where lots are drawn, likeliest first.
        excluded: Who will not be tried, in the order of the input.
        load_balanced: Whether the first try is drawn by lot.
        fallbacks: Whether another provider is tried when one fails.
        notes: What the plan cannot know or does silently, in words.

    Renders as a table with rich and in notebooks.
    """

    requested: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    excluded: tuple[Exclusion, ...]
    load_balanced: bool
    fallbacks: bool
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        left, out = len(self.candidates), len(self.excluded)
        first = f", {self.candidates[0].endpoint.tag} first" if self.candidates else ""
        return (
            f"<RoutePlan of {', '.join(self.requested)}: {left} of {left + out} endpoints{first}>"
        )

    def attempts(self, random: Random) -> tuple[Candidate, ...]:
        """Draw the lots: the endpoints in the order in which one request would try them.

        Args:
            random: A seeded generator makes the draw repeatable.

        Returns:
            All candidates, or without fallbacks the drawn one of each model.
        """
        attempts: list[Candidate] = []
        for (_, by_lot), run in groupby(
            self.candidates, key=lambda one: (one.model, one.share is not None)
        ):
            pool = list(run)
            if by_lot:
                shares = [candidate.share or 0.0 for candidate in pool]
                first = random.choices(range(len(pool)), weights=shares)[0]
                pool.insert(0, pool.pop(first))
                if not self.fallbacks:
                    pool = pool[:1]
            attempts += pool
        return tuple(attempts)

    def to_dict(self) -> dict[str, object]:
        """Write the plan as plain values that `json.dumps` takes."""
        from openrouter_routing._plan_view import plan_to_dict

        return plan_to_dict(self)

    def __rich__(self) -> RenderableType:
        from openrouter_routing._plan_view import plan_to_rich

        return plan_to_rich(self)

    def _repr_html_(self) -> str:
        from openrouter_routing._plan_view import plan_to_html

        return plan_to_html(self)


def plan_route(
    request: Mapping[str, object],
    endpoints: Iterable[Endpoint],
    *,
    presets: Mapping[str, Mapping[str, object]] | None = None,
    outages: Collection[str] = (),
) -> RoutePlan:
    """Plan the route of one request.

    Args:
        request: The wire body: `model`, `models`, `provider`, `max_tokens`, `tools`, `messages`,
            `service_tier`, ...
        endpoints: The endpoints to choose from; each knows the model it serves. Those of models
            that the request does not name are excluded by the rule `model`.
        presets: The settings of presets by slug, for a request that names one.
        outages: Slugs of providers or endpoints known to have failed recently, beside those whose
            figures show it.

    Returns:
        The plan; its candidates and exclusions together are the endpoints.

    Raises:
        RouteRequestError: The router would refuse the request; names the field.

    Example:
        >>> from openrouter_routing.catalog import Catalog
        >>> body = {"model": "openai/gpt-4o-mini", "provider": {"order": ["azure"], "zdr": True}}
        >>> plan = plan_route(body, Catalog.sample().endpoints)
        >>> [candidate.endpoint.tag for candidate in plan.candidates]
        ['azure', 'azure/eu']

    See https://openrouter.ai/docs/features/provider-routing.
    """
    everything = list(endpoints)
    wanted = read_request(request, presets or {})
    models = resolve_models(wanted.models, everything)
    ranks = {model.served: rank for rank, model in enumerate(models)}
    failed = frozenset(endpoint_name(name) for name in outages)
    out: dict[int, Reason] = {}
    left: dict[int, list[int]] = {}
    for position, endpoint in enumerate(everything):
        rank = ranks.get(endpoint.model)
        if rank is None:
            out[position] = ("model", endpoint.model, wanted.models)
        elif (reason := exclusion(endpoint, wanted, models[rank])) is not None:
            out[position] = reason
        else:
            left.setdefault(rank, []).append(position)
    notes = _unknown_models(models, everything)
    ranked: list[Ranked] = []
    for rank, positions in sorted(left.items()):
        model = models[rank]
        losers, dropped = soft_parameter_losers([everything[p] for p in positions], wanted)
        out |= {positions[index]: reason for index, reason in losers.items()}
        if dropped:
            notes.append(f"no endpoint left of {model.served} supports {', '.join(dropped)}")
        ranked += rank_endpoints(
            {p: everything[p] for i, p in enumerate(positions) if i not in losers},
            wanted,
            model,
            rank,
            failed,
        )
    if len(left) > 1:
        ranked.sort(key=attrgetter("key"))
    if not wanted.allow_fallbacks:
        ranked, cut = without_fallbacks(ranked, wanted)
        out |= cut
    notes += _unverified(wanted, ranked)
    candidates = _candidates(ranked, wanted)
    return RoutePlan(
        requested=wanted.models,
        candidates=candidates,
        excluded=tuple(Exclusion(everything[p], *out[p]) for p in sorted(out)),
        load_balanced=bool(candidates) and candidates[0].share is not None,
        fallbacks=wanted.allow_fallbacks,
        notes=tuple(notes),
    )


def _candidates(ranked: Sequence[Ranked], wanted: Wanted) -> tuple[Candidate, ...]:
    drawn = ranked[0].model if ranked and ranked[0].share is not None else None
    candidates = []
    for place, one in enumerate(ranked):
        endpoint, share = one.endpoint, one.share
        probability = 1.0 if place == 0 and drawn is None else 0.0
        if share is not None and one.model == drawn:
            probability = share
        ignored = [name for name in wanted.parameters if not wanted.supports(name, endpoint)]
        candidates.append(
            Candidate(endpoint, endpoint.model, probability, one.reason, share, tuple(ignored))
        )
    return tuple(candidates)


def _unknown_models(models: Iterable[WantedModel], endpoints: Iterable[Endpoint]) -> list[str]:
    served = {endpoint.model for endpoint in endpoints}
    return [f"no endpoint of {m.asked} is known" for m in models if m.served not in served]


def _unverified(wanted: Wanted, ranked: Iterable[Ranked]) -> list[str]:
    """Say which rules a candidate passed only because its figure is not known."""
    endpoints = [one.endpoint for one in ranked]
    checks = {
        "zdr": wanted.zdr and any(e.zdr is None for e in endpoints),
        "data_collection": wanted.deny_collection
        and any(e.collects_data is None for e in endpoints),
        "enforce_distillable_text": wanted.distillable
        and any(e.distillable is None for e in endpoints),
    }
    return [
        f"{rule} could not be checked for every candidate: the figures do not tell"
        for rule, unknown in checks.items()
        if unknown
    ]
