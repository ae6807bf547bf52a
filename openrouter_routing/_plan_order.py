"""The order of the router: thresholds, `order`, tiers, `sort`, outages, and weights by price."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from openrouter_routing._endpoint_name import EndpointName, name_of
from openrouter_routing._plan_request import Wanted, WantedModel
from openrouter_routing._plan_rules import Reason
from openrouter_routing.endpoint import Endpoint, PercentileStats

# The share of requests, in percent, that must have succeeded in the last minutes for an endpoint
# to count as free of a recent outage. OpenRouter does not publish its own figure.
HEALTHY_UPTIME = 95.0

_MILLISECONDS = 1000
_FREE = Decimal(0)

Key = tuple[Any, ...]
# How much of a key, without `sort`, comes before the price.
_GROUP = 5


class Ranked(NamedTuple):
    """An endpoint and what decides its place.

    Args:
        key: Sorts all endpoints of the plan.
        position: Where it stood in the input.
        endpoint: The endpoint.
        model: The rank of its model in the request.
        listed: Whether `order` names it.
        reason: The place in words.
        share: Its chance in the lots of its model, None where none are drawn.
    """

    key: Key
    position: int
    endpoint: Endpoint
    model: int
    listed: bool
    reason: str
    share: float | None = None


def rank_endpoints(
    endpoints: Mapping[int, Endpoint],
    wanted: Wanted,
    model: WantedModel,
    rank: int,
    outages: Collection[EndpointName],
) -> list[Ranked]:
    """Place the endpoints of one model, best first.

    Args:
        endpoints: The ones that passed all filters, by their position in the input.
        wanted: The request.
        model: The model they serve.
        rank: Its rank among the models of the request.
        outages: Providers or endpoints known to have failed recently.
    """
    sort = wanted.sort or model.sort
    across = wanted.across_models and wanted.sort is not None
    thresholds = bool(wanted.min_throughput or wanted.max_latency)
    tiered = wanted.service_tier is not None
    unlisted = len(wanted.order)
    default_reason = "weighted by price" if sort is None else f"sorted by {sort}"
    ranked: list[Ranked] = []
    for position, endpoint in endpoints.items():
        missed = threshold_missed(endpoint, wanted) if thresholds else None
        place = _place(endpoint, wanted.order) if unlisted else 0
        other_tier = tiered and name_of(endpoint).tier != wanted.service_tier
        reason = default_reason
        if sort is None:
            figure: Key = (recent_outage(endpoint, outages), price_of(endpoint))
            if figure[0]:
                reason = "recent outage"
        else:
            figure = _SORT_KEYS[sort](endpoint)
        if missed is not None:
            reason = f"moved back: {missed}"
        elif place < unlisted:
            reason = f"order: {wanted.order[place]}"
        if across:
            key: Key = (missed is not None, place, other_tier, *figure, rank, position)
        else:
            key = (missed is not None, rank, place, other_tier, *figure, position)
        ranked.append(Ranked(key, position, endpoint, rank, place < unlisted, reason))
    # Positions differ, so the comparison never gets past the keys.
    ranked.sort()
    if sort is None and ranked and not any(one.listed for one in ranked):
        _share_out(ranked)
    return ranked


def _place(endpoint: Endpoint, order: Sequence[EndpointName]) -> int:
    tag = name_of(endpoint)
    return next((index for index, name in enumerate(order) if name.matches(tag)), len(order))


def _share_out(ranked: list[Ranked]) -> None:
    """Give the best group of a model, which differs by price alone, its chances to be drawn."""
    group = ranked[0].key[:_GROUP]
    size = next((i for i, one in enumerate(ranked) if one.key[:_GROUP] != group), len(ranked))
    shares = first_pick_shares([price_of(one.endpoint) for one in ranked[:size]])
    for index, share in enumerate(shares):
        ranked[index] = Ranked(*ranked[index][:-1], share)


def without_fallbacks(
    ranked: Sequence[Ranked], wanted: Wanted
) -> tuple[list[Ranked], dict[int, Reason]]:
    """Keep what `allow_fallbacks: false` leaves of each model.

    That is what `order` lists; without `order` the top endpoint, or all that may be drawn as such.
    """
    kept: list[Ranked] = []
    cut: dict[int, Reason] = {}
    topped: set[int] = set()
    for one in ranked:
        group = 0 if wanted.across_models and wanted.sort is not None else one.model
        if wanted.order:
            stays = one.listed
        else:
            stays = one.share is not None or group not in topped
            topped.add(group)
        if stays:
            kept.append(one)
        else:
            limit = tuple(str(name) for name in wanted.order) or "the top endpoint"
            cut[one.position] = ("allow_fallbacks", one.endpoint.tag, limit)
    return kept, cut


def recent_outage(endpoint: Endpoint, outages: Collection[EndpointName]) -> bool:
    """Whether an endpoint was degraded in the last minutes, by its figures or as told."""
    uptime = endpoint.uptime_last_5m
    if endpoint.status < 0 or (uptime is not None and uptime < HEALTHY_UPTIME):
        return True
    return bool(outages) and any(o.matches(name_of(endpoint)) for o in outages)


def threshold_missed(endpoint: Endpoint, wanted: Wanted) -> str | None:
    """Name the preferred threshold that an endpoint misses, or None. No figure is a miss."""
    if wanted.min_throughput:
        for percentile, cutoff in wanted.min_throughput.items():
            speed = _figure(endpoint.throughput, percentile)
            if speed is None or speed < cutoff:
                return f"throughput {percentile} {_shown(speed)} < {cutoff:g} tokens/s"
    if wanted.max_latency:
        for percentile, cutoff in wanted.max_latency.items():
            delay = _figure(endpoint.latency, percentile)
            seconds = None if delay is None else delay / _MILLISECONDS
            if seconds is None or seconds > cutoff:
                return f"latency {percentile} {_shown(seconds)} > {cutoff:g} s"
    return None


def price_of(endpoint: Endpoint) -> Decimal:
    """The figure that price sorting and balancing compare: prompt plus completion per token.

    An endpoint that charges by request only, as rerankers do, is compared by that.
    """
    return endpoint.pricing.combined or endpoint.pricing.unit("request") or _FREE


def first_pick_shares(prices: Sequence[Decimal]) -> list[float]:
    """Share out the first pick with weight 1/price²; free endpoints take all, evenly."""
    cheapest = min(prices)
    if cheapest == 0:
        free = [price == 0 for price in prices]
        return [is_free / sum(free) for is_free in free]
    base = float(cheapest)
    weights = [(base / float(price)) ** 2 for price in prices]
    total = sum(weights)
    return [weight / total for weight in weights]


def _figure(stats: PercentileStats | None, percentile: str) -> float | None:
    return None if stats is None else getattr(stats, percentile)


def _shown(figure: float | None) -> str:
    return "not known" if figure is None else f"{figure:g}"


def _by_throughput(endpoint: Endpoint) -> tuple[bool, float]:
    speed = _figure(endpoint.throughput, "p50")
    return speed is None, -(speed or 0.0)


def _by_latency(endpoint: Endpoint) -> tuple[bool, float]:
    delay = _figure(endpoint.latency, "p50")
    return delay is None, delay or 0.0


def _by_tool_success(endpoint: Endpoint) -> tuple[bool, float]:
    rate = endpoint.tool_success_rate
    return rate is None, -(rate or 0.0)


def _by_price(endpoint: Endpoint) -> tuple[bool, Decimal]:
    return False, price_of(endpoint)


_SORT_KEYS: Mapping[str, Callable[[Endpoint], tuple[bool, float | Decimal]]] = {
    "price": _by_price,
    "throughput": _by_throughput,
    "latency": _by_latency,
    "exacto": _by_tool_success,
}
