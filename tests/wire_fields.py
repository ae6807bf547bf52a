"""Every routing field with values a caller may set, and what the wire must then carry: for both adapters' tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openrouter_routing import MaxPrice, Percentiles, ProviderSort


@dataclass(frozen=True)
class WireField:
    """One field set to one value.

    Attributes:
        name: The field, as a keyword of a call or a constructor.
        value: What the caller sets.
        body: What the body must then carry, beside model, messages and stream.
        headers: Which headers it must carry, by lower-case name.
        flat: Whether the field stands inside `provider` on the wire.
    """

    name: str
    value: Any
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    flat: bool = False

    @property
    def label(self) -> str:
        """A name for the test's report."""
        return f"{self.name}={self.value!r}"[:60]


def _provider(name: str, value: Any, sent: Any = None) -> WireField:
    return WireField(name, value, {"provider": {name: value if sent is None else sent}}, flat=True)


def _request(name: str, value: Any) -> WireField:
    return WireField(name, value, {name: value})


PROVIDER_FIELDS = (
    _provider("order", ["openai", "azure"]),
    _provider("order", []),
    _provider("only", ["openai", "google-vertex/europe"]),
    _provider("ignore", ["deepinfra"]),
    _provider("ignore", []),
    _provider("allow_fallbacks", False),
    _provider("allow_fallbacks", True),
    _provider("require_parameters", True),
    _provider("require_parameters", False),
    _provider("data_collection", "deny"),
    _provider("data_collection", "allow"),
    _provider("zdr", True),
    _provider("zdr", False),
    _provider("enforce_distillable_text", True),
    _provider("quantizations", ["fp8", "bf16"]),
    _provider("sort", "price"),
    _provider("sort", {"by": "throughput", "partition": "none"}),
    _provider("sort", ProviderSort(by="latency"), {"by": "latency"}),
    _provider("preferred_min_throughput", 40),
    _provider("preferred_min_throughput", 12.5),
    _provider("preferred_min_throughput", {"p50": 100, "p90": 40}),
    _provider("preferred_max_latency", 2),
    _provider("preferred_max_latency", Percentiles(p75=1.5, p99=4), {"p75": 1.5, "p99": 4}),
    _provider("max_price", {"prompt": 1, "completion": "2.50", "image": 0}),
    _provider("max_price", MaxPrice(request=0.01), {"request": 0.01}),
    _provider("options", {"openai": {"store": False}}),
)
"""The fields of the `provider` object."""

REQUEST_FIELDS = (
    _request("models", ["openai/gpt-4o-mini", "anthropic/claude-haiku-4.5"]),
    _request("session_id", "conversation-7"),
    _request("service_tier", "flex"),
    _request("preset", "careful"),
    _request("plugins", [{"id": "web", "max_results": 3}]),
    _request("plugins", []),
    _request("transforms", ["middle-out"]),
    _request("transforms", []),
    _request("route", "fallback"),
    _request("user", "user-7"),
    _request("trace", {"trace_id": "t-1", "span_name": "ask"}),
    WireField("router_metadata", True, headers={"x-openrouter-metadata": "enabled"}),
    WireField("router_metadata", False, headers={"x-openrouter-metadata": "disabled"}),
    WireField("response_cache", True, headers={"x-openrouter-cache": "true"}),
    WireField("response_cache", False, headers={"x-openrouter-cache": "false"}),
    WireField(
        "response_cache",
        300,
        headers={"x-openrouter-cache": "true", "x-openrouter-cache-ttl": "300"},
    ),
)
"""The fields of the request itself; `metadata` is apart, because LangChain has one of its own."""

METADATA = _request("metadata", {"team": "search", "build": "17"})

PARAMETERS = (
    _request("temperature", 0),
    _request("top_p", 0.9),
    _request("top_k", 40),
    _request("top_a", 0.1),
    _request("min_p", 0.05),
    _request("frequency_penalty", -0.5),
    _request("presence_penalty", 0.0),
    _request("repetition_penalty", 1.1),
    _request("max_tokens", 64),
    _request("max_completion_tokens", 64),
    _request("seed", 0),
    _request("logit_bias", {"50256": -100}),
    _request("logprobs", True),
    _request("top_logprobs", 3),
    _request("parallel_tool_calls", False),
    _request("response_format", {"type": "json_object"}),
    _request("structured_outputs", True),
    _request("reasoning", {"effort": "low", "exclude": True}),
    _request("reasoning_effort", "low"),
    _request("include_reasoning", False),
    _request("verbosity", "low"),
    _request("modalities", ["text", "image"]),
    _request("image_config", {"aspect_ratio": "1:1"}),
    _request("prediction", {"type": "content", "content": "Bern."}),
    _request("cache_control", {"type": "ephemeral"}),
    _request("prompt_cache_key", "key-7"),
    _request("safety_identifier", "user-7"),
    _request("store", False),
    _request("web_search_options", {"search_context_size": "low"}),
    _request("stop", ["END"]),
)
"""Parameters of the API that are no routing."""


def sent_beside_the_prompt(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a body carries beside what every chat request carries."""
    return {key: body[key] for key in body if key not in ("model", "messages", "stream")}
