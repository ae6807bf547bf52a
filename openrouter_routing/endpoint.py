"""One endpoint: one model at one provider, with everything the router looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from openrouter_routing._catalog_fields import Entry, FieldError
from openrouter_routing._vocabulary import ENDPOINT_TIERS
from openrouter_routing.pricing import Pricing

__all__ = ["Endpoint", "PercentileStats"]

_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PercentileStats:
    """Percentiles of the last half hour: latency in milliseconds, or throughput in tokens/s.

    Example:
        >>> PercentileStats(p50=310.0, p75=420.0, p90=800.0, p99=2100.0).p50
        310.0
    """

    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p99: float | None = None

    @classmethod
    def read(cls, entry: Entry | None) -> PercentileStats | None:
        """Read the wire's object; None stays None."""
        if entry is None:
            return None
        return cls(*(entry.optional_number(name) for name in ("p50", "p75", "p90", "p99")))

    def to_wire(self) -> dict[str, float | None]:
        """Write the wire's object."""
        return {"p50": self.p50, "p75": self.p75, "p90": self.p90, "p99": self.p99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model at one provider.

    Args:
        model: The id of the model it serves, such as `"openai/gpt-4o-mini"`.
        provider: The provider's display name, such as `"Google"`.
        tag: Its slug, such as `"google-vertex/us-east5"`; what preferences name it by.
        pricing: What it charges.
        context_length: Prompt and completion together, in tokens; None when not stated.
        max_completion_tokens: None when not stated.
        max_prompt_tokens: None when not stated.
        quantization: Such as `"fp8"`; None when not stated, which preferences call `"unknown"`.
        supported_parameters: Such as `"tools"`, `"structured_outputs"`.
        status: 0 is healthy, below 0 is degraded.
        uptime_last_5m: Percent of requests that succeeded; None without enough traffic.
        uptime_last_30m: The same over half an hour.
        uptime_last_1d: The same over a day.
        latency: Time to first token, in milliseconds.
        throughput: Tokens per second.
        zdr: Whether it retains no data; None when not known.
        collects_data: Whether it may store or train on prompts; None when not known.
        distillable: Whether the author allows distillation of its text; None when not known.
        tool_success_rate: The fraction of tool calls that were well formed, if measured.
        model_aliases: Further ids of the model: its dated slug, `~author/family-latest`.
        supports_implicit_caching: Whether repeated prompts are cached unasked.
        declared_tier: The service tier it says it sells; None where only the tag tells.
        extra: Fields of the wire that have no name here.

    Example:
        >>> endpoint = Endpoint(
        ...     model="openai/gpt-4o-mini",
        ...     provider="OpenAI",
        ...     tag="openai/flex",
        ...     pricing=Pricing.from_wire({"prompt": "0.00000008", "completion": "0.0000003"}),
        ... )
        >>> endpoint.service_tier
        'flex'

    See https://openrouter.ai/docs/api-reference/endpoints/list-endpoints.
    """

    model: str
    provider: str
    tag: str
    pricing: Pricing
    context_length: int | None = None
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    quantization: str | None = None
    supported_parameters: frozenset[str] = frozenset()
    status: int = 0
    uptime_last_5m: float | None = None
    uptime_last_30m: float | None = None
    uptime_last_1d: float | None = None
    latency: PercentileStats | None = None
    throughput: PercentileStats | None = None
    zdr: bool | None = None
    collects_data: bool | None = None
    distillable: bool | None = None
    tool_success_rate: float | None = None
    model_aliases: tuple[str, ...] = ()
    supports_implicit_caching: bool = False
    declared_tier: str | None = None
    name: str = ""
    model_name: str = ""
    extra: Mapping[str, object] = field(default_factory=lambda: _NOTHING, hash=False)

    @property
    def service_tier(self) -> str | None:
        """The tier that this endpoint sells, or None for the standard service."""
        if self.declared_tier is not None:
            return self.declared_tier
        last = self.tag.rpartition("/")[2].lower()
        return last if "/" in self.tag and last in ENDPOINT_TIERS else None

    @classmethod
    def read(cls, entry: Entry, *, model: str, aliases: tuple[str, ...] = ()) -> Endpoint:
        """Read one element of the wire's `endpoints` list.

        Args:
            entry: The object and the way to it.
            model: The id of the model whose list it is.
            aliases: Further ids of that model.

        Raises:
            FieldError: A field is missing or of the wrong type.
        """
        pricing = entry.optional_entry("pricing")
        if pricing is None:
            raise entry.wrong("pricing", "an object")
        try:
            prices = Pricing.from_wire(pricing.value)
        except ValueError as error:
            name, _, reason = str(error).partition(": ")
            raise FieldError((*pricing.path, name), reason) from None
        return cls(
            model=model,
            provider=entry.text("provider_name"),
            tag=entry.text("tag"),
            pricing=prices,
            context_length=entry.optional_integer("context_length"),
            max_completion_tokens=entry.optional_integer("max_completion_tokens"),
            max_prompt_tokens=entry.optional_integer("max_prompt_tokens"),
            quantization=entry.optional_text("quantization"),
            supported_parameters=frozenset(entry.texts("supported_parameters")),
            status=entry.optional_integer("status") or 0,
            uptime_last_5m=entry.optional_number("uptime_last_5m"),
            uptime_last_30m=entry.optional_number("uptime_last_30m"),
            uptime_last_1d=entry.optional_number("uptime_last_1d"),
            latency=PercentileStats.read(entry.optional_entry("latency_last_30m")),
            throughput=PercentileStats.read(entry.optional_entry("throughput_last_30m")),
            zdr=entry.optional_flag("zdr"),
            collects_data=entry.optional_flag("collects_data"),
            distillable=entry.optional_flag("distillable"),
            tool_success_rate=entry.optional_number("tool_success_rate"),
            model_aliases=aliases,
            supports_implicit_caching=entry.optional_flag("supports_implicit_caching") or False,
            declared_tier=entry.optional_text("service_tier"),
            name=entry.optional_text("name") or "",
            model_name=entry.optional_text("model_name") or "",
            extra=entry.rest(_WIRE_FIELDS),
        )

    def to_wire(self) -> dict[str, object]:
        """Write the endpoint as `/models/{author}/{slug}/endpoints` lists it."""
        return {
            "name": self.name,
            "model_id": self.model,
            "model_name": self.model_name,
            "provider_name": self.provider,
            "tag": self.tag,
            "context_length": self.context_length,
            "max_completion_tokens": self.max_completion_tokens,
            "max_prompt_tokens": self.max_prompt_tokens,
            "quantization": self.quantization,
            "pricing": self.pricing.to_wire(),
            "supported_parameters": sorted(self.supported_parameters),
            "status": self.status,
            "uptime_last_5m": self.uptime_last_5m,
            "uptime_last_30m": self.uptime_last_30m,
            "uptime_last_1d": self.uptime_last_1d,
            "latency_last_30m": self.latency and self.latency.to_wire(),
            "throughput_last_30m": self.throughput and self.throughput.to_wire(),
            "supports_implicit_caching": self.supports_implicit_caching,
            "service_tier": self.service_tier,
            **self.extra,
        }

    def to_snapshot(self) -> dict[str, object]:
        """Write the endpoint for a catalog file: the wire's fields and what it does not tell."""
        known = {
            "zdr": self.zdr,
            "collects_data": self.collects_data,
            "distillable": self.distillable,
            "tool_success_rate": self.tool_success_rate,
        }
        return self.to_wire() | {name: fact for name, fact in known.items() if fact is not None}

    def __reduce__(self) -> tuple[object, ...]:
        # Mapping proxies do not pickle; the snapshot does.
        return (_restore, (self.to_snapshot(), self.model, self.model_aliases))


_WIRE_FIELDS = frozenset(
    {
        "name",
        "model_id",
        "model_name",
        "provider_name",
        "tag",
        "context_length",
        "max_completion_tokens",
        "max_prompt_tokens",
        "quantization",
        "pricing",
        "supported_parameters",
        "status",
        "uptime_last_5m",
        "uptime_last_30m",
        "uptime_last_1d",
        "latency_last_30m",
        "throughput_last_30m",
        "supports_implicit_caching",
        "service_tier",
        "zdr",
        "collects_data",
        "distillable",
        "tool_success_rate",
    }
)


def _restore(snapshot: Mapping[str, object], model: str, aliases: tuple[str, ...]) -> Endpoint:
    return Endpoint.read(Entry(snapshot, ()), model=model, aliases=aliases)
