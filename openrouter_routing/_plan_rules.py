"""The filters of the router: which endpoints are out, and by which rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from openrouter_routing._endpoint_name import EndpointName, name_of
from openrouter_routing._plan_request import Wanted, WantedModel
from openrouter_routing.endpoint import Endpoint

Reason = tuple[str, object, object]


def exclusion(endpoint: Endpoint, wanted: Wanted, model: WantedModel) -> Reason | None:
    """Find the first hard rule that excludes an endpoint.

    Returns:
        The rule, what the endpoint has, and what the request asks for; or None when it may serve.
    """
    tag = name_of(endpoint)
    if not _tier_admitted(tag, wanted, model):
        return "service_tier", tag.tier or "default", wanted.service_tier or "default"
    if wanted.only is not None and not any(name.matches(tag) for name in wanted.only):
        return "only", endpoint.tag, _spelled(wanted.only)
    if wanted.ignore and any(name.matches(tag) for name in wanted.ignore):
        return "ignore", endpoint.tag, _spelled(wanted.ignore)
    if wanted.zdr and endpoint.zdr is False:
        return "zdr", False, True
    if wanted.deny_collection and endpoint.collects_data is True:
        return "data_collection", "allow", "deny"
    if wanted.distillable and endpoint.distillable is False:
        return "enforce_distillable_text", False, True
    if wanted.quantizations is not None:
        quantization = (endpoint.quantization or "unknown").lower()
        if quantization not in wanted.quantizations:
            return "quantizations", quantization, tuple(sorted(wanted.quantizations))
    dear = _too_dear(endpoint, wanted.max_price) if wanted.max_price else None
    return dear or _unable(endpoint, wanted)


def _tier_admitted(tag: EndpointName, wanted: Wanted, model: WantedModel) -> bool:
    if wanted.service_tier == "flex":
        return tag.tier == "flex"
    if tag.tier is None or tag.tier in (wanted.service_tier, model.tier):
        return True
    return any(name.is_exactly(tag) for name in (*wanted.order, *(wanted.only or ())))


def _too_dear(endpoint: Endpoint, limits: Mapping[str, Decimal]) -> Reason | None:
    for name, limit in limits.items():
        per_million = name in ("prompt", "completion")
        pricing = endpoint.pricing
        price = pricing.per_million(name) if per_million else pricing.unit(name)
        if price is not None and price > limit:
            return f"max_price.{name}", price, limit
    return None


def _unable(endpoint: Endpoint, wanted: Wanted) -> Reason | None:
    if wanted.required:
        missing = [name for name in wanted.required if not wanted.supports(name, endpoint)]
        if missing:
            return "require_parameters", f"without {', '.join(missing)}", wanted.required
    allowed = endpoint.max_completion_tokens
    if wanted.max_tokens is not None and allowed is not None and wanted.max_tokens > allowed:
        return "max_tokens", allowed, wanted.max_tokens
    if endpoint.max_prompt_tokens is not None and wanted.prompt_tokens > endpoint.max_prompt_tokens:
        return "context_length", endpoint.max_prompt_tokens, wanted.prompt_tokens
    needed = wanted.prompt_tokens + (wanted.max_tokens or 0)
    if endpoint.context_length is not None and needed > endpoint.context_length:
        return "context_length", endpoint.context_length, needed
    return None


def soft_parameter_losers(
    endpoints: Sequence[Endpoint], wanted: Wanted
) -> tuple[dict[int, Reason], tuple[str, ...]]:
    """Apply the soft parameter preferences within one model.

    Returns:
        The positions that lose against an endpoint which supports a parameter, with the reason;
        and the parameters that no endpoint left supports, which are dropped from the request.
    """
    losers: dict[int, Reason] = {}
    dropped = []
    for parameter in wanted.soft:
        left = [position for position in range(len(endpoints)) if position not in losers]
        able = {p for p in left if wanted.supports(parameter, endpoints[p])}
        if not able:
            dropped.append(parameter)
            continue
        losers |= {p: (parameter, "unsupported", "supported") for p in left if p not in able}
    return losers, tuple(dropped)


def _spelled(names: Sequence[EndpointName]) -> tuple[str, ...]:
    return tuple(str(name) for name in names)
