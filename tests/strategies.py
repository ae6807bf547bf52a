"""Hypothesis strategies for preferences: every field, set, set to None, or not set at all."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from openrouter_routing import ProviderPreferences, RoutingPreferences

slugs = st.sampled_from(
    [
        "openai",
        "azure",
        "anthropic",
        "google-vertex",
        "groq",
        "deepinfra",
        "deepinfra/turbo",
        "openai/priority",
        "new-one",
    ]
)
slug_lists = st.lists(slugs, max_size=4, unique=True)
filled_slug_lists = st.lists(slugs, min_size=1, max_size=4, unique=True)
prices = st.integers(0, 50) | st.decimals(0, 50, places=2).map(str) | st.floats(0, 50, width=16)
max_prices = st.dictionaries(
    st.sampled_from(["prompt", "completion", "request", "image", "audio"]), prices, min_size=1
)
positive = st.integers(1, 500) | st.floats(0.125, 500, width=16)
thresholds = positive | st.dictionaries(
    st.sampled_from(["p50", "p75", "p90", "p99"]), positive, min_size=1
)
quantizations = st.lists(
    st.sampled_from(["fp8", "bf16", "int4", "fp4"]), min_size=1, max_size=3, unique=True
)
texts = st.text("abc123", min_size=1, max_size=5)

PROVIDER_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "order": slug_lists,
    "only": filled_slug_lists,
    "ignore": slug_lists,
    "allow_fallbacks": st.booleans(),
    "require_parameters": st.booleans(),
    "data_collection": st.sampled_from(["allow", "deny"]),
    "zdr": st.booleans(),
    "enforce_distillable_text": st.booleans(),
    "quantizations": quantizations,
    "sort": st.sampled_from(["price", "latency", {"by": "throughput", "partition": "none"}]),
    "preferred_min_throughput": thresholds,
    "preferred_max_latency": thresholds,
    "max_price": max_prices,
    "options": st.dictionaries(slugs, st.dictionaries(texts, st.booleans()), max_size=2),
}

ROUTING_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "models": st.lists(st.sampled_from(["a/b", "c/d", "e/f"]), max_size=3, unique=True),
    "session_id": texts,
    "service_tier": st.sampled_from(["flex", "priority"]),
    "preset": texts,
    "plugins": st.lists(
        st.sampled_from([{"id": "web", "max_results": 3}, {"id": "moderation"}]), max_size=2
    ),
    "transforms": st.sampled_from([["middle-out"], []]),
    "route": st.sampled_from(["fallback", "sort"]),
    "user": texts,
    "trace": st.dictionaries(texts, texts, max_size=2),
    "metadata": st.dictionaries(texts, texts, max_size=2),
    "router_metadata": st.booleans(),
    "response_cache": st.booleans() | st.integers(1, 1000),
}


def _optional(values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.none() | value for name, value in values.items()}
    )


provider_fields = _optional(PROVIDER_VALUES)
provider_preferences = provider_fields.map(lambda fields: ProviderPreferences(**fields))


@st.composite
def _routing_preferences(draw: st.DrawFn) -> RoutingPreferences:
    fields = draw(_optional(ROUTING_VALUES))
    if draw(st.booleans()):
        fields["provider"] = draw(st.none() | provider_preferences)
    return RoutingPreferences(**fields)


routing_preferences = _routing_preferences()

POLICY_VALUES = {
    "only": filled_slug_lists,
    "ignore": filled_slug_lists,
    "allow_fallbacks": st.booleans(),
    "require_parameters": st.booleans(),
    "data_collection": st.sampled_from(["allow", "deny"]),
    "zdr": st.booleans(),
    "enforce_distillable_text": st.booleans(),
    "quantizations": quantizations,
    "max_price": max_prices,
}
policies = st.fixed_dictionaries({}, optional=POLICY_VALUES).map(
    lambda fields: ProviderPreferences(**fields)
)
