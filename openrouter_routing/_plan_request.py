"""Reading a wire body for what matters to the router: models, preferences, parameters, size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from openrouter_routing._endpoint_name import EndpointName, endpoint_name
from openrouter_routing._vocabulary import (
    DATA_COLLECTION,
    ENDPOINT_TIERS,
    PARTITIONS,
    SORTS,
    unknown_name,
)
from openrouter_routing.endpoint import Endpoint
from openrouter_routing.errors import BadRequestError
from openrouter_routing.preferences import PROVIDER_FIELDS, MaxPrice, Percentiles, ProviderSort
from openrouter_routing.pricing import parse_decimal

__all__ = ["RouteRequestError"]

# Suffixes that say how to route; every other suffix is part of a model's own id.
ROUTING_VARIANTS: Mapping[str, tuple[str | None, str | None]] = {
    "nitro": ("throughput", "priority"),
    "floor": ("price", "flex"),
    "exacto": ("exacto", None),
    "online": (None, None),
}
# Parameters that an endpoint may not know, in the order in which the router looks for support.
SOFT_PARAMETERS = ("tools", "response_format", "verbosity")
_PARAMETERS = (
    "frequency_penalty",
    "include_reasoning",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "min_p",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "reasoning",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "seed",
    "stop",
    "temperature",
    "tool_choice",
    "tools",
    "top_a",
    "top_k",
    "top_logprobs",
    "top_p",
    "verbosity",
    "web_search_options",
)
_EITHER: Mapping[str, frozenset[str]] = {
    "max_tokens": frozenset({"max_tokens", "max_completion_tokens"}),
    "max_completion_tokens": frozenset({"max_tokens", "max_completion_tokens"}),
    "reasoning": frozenset({"reasoning", "reasoning_effort"}),
    "reasoning_effort": frozenset({"reasoning", "reasoning_effort"}),
}
CHARACTERS_PER_TOKEN = 4


class RouteRequestError(BadRequestError):
    """A request that the router would refuse, with the field that is wrong.

    Args:
        field: The way to the field, such as `provider.sort`.
        reason: What is wrong with it.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WantedModel:
    """One model of the request: what was asked, the id that serves it, what its suffix adds."""

    asked: str
    served: str
    sort: str | None = None
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything of a request that the router looks at."""

    models: tuple[str, ...]
    order: tuple[EndpointName, ...]
    only: tuple[EndpointName, ...] | None
    ignore: tuple[EndpointName, ...]
    allow_fallbacks: bool
    quantizations: frozenset[str] | None
    max_price: Mapping[str, Decimal]
    deny_collection: bool
    zdr: bool
    distillable: bool
    required: tuple[str, ...]
    soft: tuple[str, ...]
    schema: bool
    parameters: tuple[str, ...]
    sort: str | None
    across_models: bool
    min_throughput: Mapping[str, float]
    max_latency: Mapping[str, float]
    service_tier: str | None
    max_tokens: int | None
    prompt_tokens: int

    def supports(self, parameter: str, endpoint: Endpoint) -> bool:
        """Whether an endpoint knows a parameter in the way this request uses it."""
        known = endpoint.supported_parameters
        if parameter == "response_format":
            return "structured_outputs" in known or (not self.schema and "response_format" in known)
        either = _EITHER.get(parameter)
        return parameter in known if either is None else not either.isdisjoint(known)


def read_request(
    request: Mapping[str, object], presets: Mapping[str, Mapping[str, object]]
) -> Wanted:
    """Read a wire body.

    Raises:
        RouteRequestError: The router would refuse it.
    """
    body = _apply_preset(request, presets)
    provider = _mapping(body.get("provider"), "provider")
    for name in provider:
        _closed(name, PROVIDER_FIELDS, "provider")
    sort, across = _sort(provider.get("sort"))
    parameters = tuple(name for name in _PARAMETERS if _is_set(body.get(name)))
    response_format = _mapping(body.get("response_format"), "response_format")
    if response_format.get("type") in ("text", None):
        parameters = tuple(name for name in parameters if name != "response_format")
    limit = body.get("max_completion_tokens")
    limit = body.get("max_tokens") if limit is None else limit
    quantizations = _texts(provider.get("quantizations"), "provider.quantizations")
    only = _texts(provider.get("only"), "provider.only")
    strict = _flag(provider.get("require_parameters"), "provider.require_parameters")
    tier = body.get("service_tier")
    tier = "priority" if tier == "fast" else tier
    return Wanted(
        models=_models(body),
        order=_names(_texts(provider.get("order"), "provider.order")),
        only=_names(only) if only else None,
        ignore=_names(_texts(provider.get("ignore"), "provider.ignore")),
        allow_fallbacks=_flag(provider.get("allow_fallbacks"), "provider.allow_fallbacks", True),
        quantizations=frozenset(q.lower() for q in quantizations) if quantizations else None,
        max_price=_max_price(provider.get("max_price")),
        deny_collection=_collection(provider.get("data_collection")),
        zdr=_flag(provider.get("zdr"), "provider.zdr"),
        distillable=_flag(
            provider.get("enforce_distillable_text"), "provider.enforce_distillable_text"
        ),
        required=parameters if strict else (),
        soft=() if strict else tuple(name for name in SOFT_PARAMETERS if name in parameters),
        schema=response_format.get("type") == "json_schema",
        parameters=parameters,
        sort=sort,
        across_models=across,
        min_throughput=_cutoffs(provider.get("preferred_min_throughput"), "min_throughput"),
        max_latency=_cutoffs(provider.get("preferred_max_latency"), "max_latency"),
        service_tier=tier if isinstance(tier, str) and tier in ENDPOINT_TIERS else None,
        max_tokens=_whole(limit),
        prompt_tokens=0 if _compresses(body) else estimate_prompt_tokens(body),
    )


def resolve_models(asked: Iterable[str], endpoints: Iterable[Endpoint]) -> list[WantedModel]:
    """Find which models serve the request's models, and what their routing suffixes say.

    Aliases are followed, a router such as `openrouter/auto` stands for every model it may pick,
    and a model that two entries name counts where it is named first.
    """
    served: dict[str, str] = {}
    chat: dict[str, None] = {}
    for endpoint in endpoints:
        if endpoint.model not in served:
            served[endpoint.model] = endpoint.model
            served |= dict.fromkeys(endpoint.model_aliases, endpoint.model)
        if "max_tokens" in endpoint.supported_parameters:
            chat[endpoint.model] = None
    models: dict[str, WantedModel] = {}
    for name in asked:
        picks = {"openrouter/auto": lambda _: True, "openrouter/free": _is_free}.get(name)
        if picks is None or name in served:
            model = _resolve_model(name, served)
            models.setdefault(model.served, model)
        else:
            for pick in filter(picks, chat):
                models.setdefault(pick, WantedModel(name, pick))
    return list(models.values())


def _is_free(model: str) -> bool:
    return model.endswith(":free")


def _resolve_model(asked: str, served: Mapping[str, str]) -> WantedModel:
    model, sort, tier = asked, None, None
    while model not in served:
        stem, _, variant = model.rpartition(":")
        if not stem or variant not in ROUTING_VARIANTS:
            break
        added_sort, added_tier = ROUTING_VARIANTS[variant]
        sort, tier = sort or added_sort, tier or added_tier
        model = stem
    return WantedModel(asked, served.get(model, model), sort, tier)


def estimate_prompt_tokens(body: Mapping[str, object]) -> int:
    """Estimate the size of a request's prompt: one token for each four characters of text."""
    parts = (body.get(name) for name in ("messages", "tools", "input", "query", "documents"))
    characters = sum(_characters(part) for part in parts)
    return -(-characters // CHARACTERS_PER_TOKEN)


def _characters(value: object) -> int:
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, Mapping):
        return sum(_characters(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(_characters(item) for item in value)
    return 0


def _compresses(body: Mapping[str, object]) -> bool:
    """Whether a prompt that is too long would be shortened instead of refused."""
    transforms, plugins = body.get("transforms"), body.get("plugins")
    if isinstance(transforms, list | tuple) and "middle-out" in transforms:
        return True
    return isinstance(plugins, list | tuple) and any(
        isinstance(plugin, Mapping)
        and plugin.get("id") == "context-compression"
        and plugin.get("enabled") is not False
        for plugin in plugins
    )


def _apply_preset(
    request: Mapping[str, object], presets: Mapping[str, Mapping[str, object]]
) -> Mapping[str, object]:
    model, preset = request.get("model"), request.get("preset")
    body = dict(request)
    if isinstance(model, str) and "@preset/" in model:
        model, _, preset = model.partition("@preset/")
        body["model"] = model or None
    if preset is None:
        return body
    if not isinstance(preset, str) or preset not in presets:
        raise RouteRequestError(
            "preset",
            f"{preset!r} is kept in your account, which a plan cannot see; hand its settings over "
            f"as presets={{{preset!r}: {{...}}}}",
        )
    below = dict(presets[preset])
    above = {name: value for name, value in body.items() if value is not None}
    merged = {**below, **above}
    if isinstance(below.get("provider"), Mapping) and isinstance(above.get("provider"), Mapping):
        merged["provider"] = {
            **_mapping(below["provider"], "preset.provider"),
            **_mapping(above["provider"], "provider"),
        }
    return merged


def _models(body: Mapping[str, object]) -> tuple[str, ...]:
    first = body.get("model")
    if first is not None and not isinstance(first, str):
        raise RouteRequestError("model", f"expected a string, got {first!r}")
    models = [first] if first else []
    models += _texts(body.get("models"), "models")
    if not models:
        raise RouteRequestError("model", "no models provided")
    return tuple(dict.fromkeys(models))


def _names(names: Iterable[str]) -> tuple[EndpointName, ...]:
    return tuple(endpoint_name(name) for name in names)


def _is_set(value: object) -> bool:
    return value is not None and value is not False and value not in ([], {}, ())


def _mapping(value: object, field: str) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RouteRequestError(field, f"expected an object, got {value!r}")
    return value


def _texts(value: object, field: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise RouteRequestError(field, f"expected a list of strings, got {value!r}")
    return list(value)


def _flag(value: object, field: str, default: bool = False) -> bool:
    if value is None:
        return default
    if not isinstance(value, bool):
        raise RouteRequestError(field, f"expected true or false, got {value!r}")
    return value


def _closed(value: object, known: Iterable[str], field: str) -> None:
    words = tuple(known)
    if value not in words:
        raise RouteRequestError(field, unknown_name("value", str(value), words))


def _collection(value: object) -> bool:
    if value is not None:
        _closed(value, DATA_COLLECTION, "provider.data_collection")
    return value == "deny"


def _sort(value: object) -> tuple[str | None, bool]:
    by, partition = value, None
    if isinstance(value, Mapping):
        for name in value:
            _closed(name, ProviderSort.model_fields, "provider.sort")
        by, partition = value.get("by"), value.get("partition")
    if partition is not None:
        _closed(partition, PARTITIONS, "provider.sort.partition")
    if by is None:
        return None, partition == "none"
    _closed(by, SORTS, "provider.sort")
    return str(by), partition == "none"


def _max_price(value: object) -> Mapping[str, Decimal]:
    limits: dict[str, Decimal] = {}
    for name, limit in _mapping(value, "provider.max_price").items():
        _closed(name, MaxPrice.model_fields, "provider.max_price")
        if limit is None:
            continue
        try:
            limits[name] = parse_decimal(limit)
        except ValueError as error:
            raise RouteRequestError(f"provider.max_price.{name}", str(error)) from None
    return limits


def _cutoffs(value: object, name: str) -> Mapping[str, float]:
    field = f"provider.preferred_{name}"
    given = value if isinstance(value, Mapping) else {"p50": value}
    cutoffs: dict[str, float] = {}
    for percentile, cutoff in given.items():
        _closed(percentile, Percentiles.model_fields, field)
        if cutoff is None:
            continue
        if isinstance(cutoff, bool) or not isinstance(cutoff, int | float):
            raise RouteRequestError(field, f"expected a number, got {cutoff!r}")
        cutoffs[percentile] = float(cutoff)
    return cutoffs


def _whole(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RouteRequestError("max_tokens", f"expected a whole number, got {value!r}")
    return int(value)
