"""Preferences are checked where they are written: every typo and every wrong type is an error that names the field."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from openrouter_routing import (
    MaxPrice,
    Percentiles,
    PreferencesError,
    ProviderPreferences,
    ProviderSort,
    RoutingPreferences,
    merge,
    preferences_of,
)
from openrouter_routing._vocabulary import QUANTIZATIONS
from openrouter_routing.preferences import explain_validation
from openrouter_routing.providers import known_providers

PROVIDER_FIELDS: dict[str, list[Any]] = {
    "order": [["anthropic"], ["deepinfra/turbo", "Together"], []],
    "only": [["openai", "azure"]],
    "ignore": [["groq"]],
    "allow_fallbacks": [True, False],
    "require_parameters": [True, False],
    "data_collection": ["allow", "deny"],
    "zdr": [True, False],
    "enforce_distillable_text": [True, False],
    "quantizations": [["fp8", "bf16"], ["int12"]],
    "sort": ["price", "throughput", "latency", "exacto", "reputation"],
    "preferred_min_throughput": [100, 12.5],
    "preferred_max_latency": [3, 0.5],
    "options": [{"openai": {"flex": True}}],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in PROVIDER_FIELDS.items() for value in values],
)
def test_what_is_set_is_what_is_sent(field: str, value: Any) -> None:
    assert ProviderPreferences(**{field: value}).to_wire() == {field: value}


def test_nothing_set_sends_nothing() -> None:
    assert ProviderPreferences().to_wire() == {}
    assert RoutingPreferences().to_wire() == {}
    assert ProviderPreferences(zdr=None, order=None).to_wire() == {}


@pytest.mark.parametrize(
    ("written", "wire"),
    [
        ({"by": "price"}, {"by": "price"}),
        ({"by": "latency", "partition": "none"}, {"by": "latency", "partition": "none"}),
        (ProviderSort(partition="model"), {"partition": "model"}),
    ],
)
def test_sort_takes_an_object(written: Any, wire: dict[str, Any]) -> None:
    assert ProviderPreferences(sort=written).to_wire() == {"sort": wire}


@pytest.mark.parametrize("field", ["preferred_min_throughput", "preferred_max_latency"])
def test_thresholds_take_percentiles(field: str) -> None:
    wire = {"p50": 100, "p99": 12.5}
    assert ProviderPreferences(**{field: wire}).to_wire() == {field: wire}
    assert ProviderPreferences(**{field: Percentiles(**wire)}).to_wire() == {field: wire}


def test_prices_keep_the_form_they_were_written_in() -> None:
    written = {"prompt": 1, "completion": 2.5, "request": "0.01", "image": 0, "audio": "3"}
    assert ProviderPreferences(max_price=written).to_wire() == {"max_price": written}
    sent = ProviderPreferences(max_price=MaxPrice(prompt=Decimal("1.10"))).to_wire()
    assert sent == {"max_price": {"prompt": "1.10"}}


ROUTING_FIELDS: dict[str, list[Any]] = {
    "models": [["openai/gpt-5-mini"], ["a/b", "c/d", "e/f"]],
    "session_id": ["s" * 256],
    "service_tier": ["flex", "priority", "ultrafast", "some-new-tier"],
    "preset": ["my-preset"],
    "plugins": [[{"id": "web", "max_results": 3}], [{"id": "brand-new"}], []],
    "transforms": [["middle-out"], []],
    "route": ["fallback", "sort"],
    "user": ["user-1"],
    "trace": [{"trace_id": "t", "mine": 1}],
    "metadata": [{"team": "search"}],
    "router_metadata": [True, False],
    "response_cache": [True, False, 300],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in ROUTING_FIELDS.items() for value in values],
)
def test_request_fields_are_kept(field: str, value: Any) -> None:
    assert RoutingPreferences(**{field: value}).to_wire() == {field: value}


def test_every_field_is_covered_here() -> None:
    assert set(PROVIDER_FIELDS) | {"max_price"} == set(ProviderPreferences.model_fields)
    assert set(ROUTING_FIELDS) | {"provider"} == set(RoutingPreferences.model_fields)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"allow_fallback": True},
            "unknown field 'allow_fallback'; did you mean 'allow_fallbacks'?",
        ),
        ({"oder": ["openai"]}, "unknown field 'oder'; did you mean 'order'?"),
        (
            {"order": "together"},
            "order: takes a list, got the string 'together'; write ['together']",
        ),
        ({"order": ["togehter"]}, "did you mean 'together'?"),
        ({"only": ["antropic"]}, "did you mean 'anthropic'?"),
        ({"ignore": ["openai", ""]}, "entry 1 is empty"),
        ({"order": ["openai", "openai"]}, "'openai' is listed twice"),
        ({"order": ["openai", "OpenAI"]}, "'OpenAI' is the same provider as 'openai'"),
        ({"order": [1]}, "order.0"),
        ({"sort": "prise"}, "sort: unknown sort 'prise'; did you mean 'price'?"),
        (
            {"sort": {"by": "trougput"}},
            "sort.by: unknown sort 'trougput'; did you mean 'throughput'?",
        ),
        ({"sort": {"by": "price", "partition": "all"}}, "unknown partition 'all'"),
        ({"sort": {"per": "price"}}, "unknown field 'per'"),
        ({"sort": ["price"]}, "takes a string or ProviderSort"),
        ({"data_collection": "denyy"}, "unknown data_collection 'denyy'; did you mean 'deny'?"),
        ({"zdr": "yes"}, "zdr"),
        ({"allow_fallbacks": 1}, "allow_fallbacks"),
        ({"quantizations": ["fp-8"]}, "did you mean 'fp8'?"),
        ({"quantizations": ["FP8"]}, "did you mean 'fp8'?"),
        ({"max_price": {"prompt": -1}}, "max_price.prompt"),
        ({"max_price": {"prompt": "cheap"}}, "max_price.prompt"),
        ({"max_price": {"prompt": float("inf")}}, "max_price.prompt"),
        ({"max_price": {"prompt": True}}, "max_price.prompt"),
        ({"max_price": {"promt": 1}}, "unknown field 'promt'; did you mean 'prompt'?"),
        ({"preferred_min_throughput": 0}, "must be greater than 0"),
        ({"preferred_max_latency": -2}, "must be greater than 0"),
        ({"only": []}, "is empty, so that nobody may serve; None clears it"),
        ({"quantizations": []}, "is empty, so that nobody may serve"),
        ({"max_price": {"prompt": "1_000"}}, "takes a price in USD"),
        ({"max_price": {"prompt": " 1 "}}, "takes a price in USD"),
        ({"preferred_max_latency": "fast"}, "takes a number greater than 0"),
        ({"preferred_max_latency": {"p95": 3}}, "unknown field 'p95'"),
        ({"preferred_max_latency": {"p90": 0}}, "must be greater than 0"),
    ],
)
def test_a_wrong_provider_field_says_what_is_wrong(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ProviderPreferences(**fields)
    assert says in explain_validation(caught.value)
    with pytest.raises(PreferencesError) as ours:
        preferences_of(provider=fields)
    assert says.removeprefix("order: ").removeprefix("sort: ") in str(ours.value)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model": ["a/b"]}, "did you mean 'models'?"),
        ({"models": "a/b"}, "takes a list, got the string"),
        ({"models": ["a/b", "a/b"]}, "listed twice"),
        ({"models": ["a/b", " "]}, "entry 1 is empty"),
        ({"models": [1]}, "models.0"),
        ({"models": ["a/1", "a/2", "a/3", "a/4"]}, "at most 3 fallback models, got 4"),
        ({"session_id": "s" * 257}, "256"),
        ({"session_id": ""}, "session_id"),
        ({"service_tier": "prioritty"}, "did you mean 'priority'?"),
        ({"plugins": [{"name": "web"}]}, 'needs an "id"'),
        ({"plugins": ["web"]}, "plugins.0"),
        ({"plugins": [{"id": "web-fetsh"}]}, "did you mean 'web-fetch'?"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "at most 16 pairs"),
        ({"metadata": {"k": "v" * 513}}, "512"),
        ({"response_cache": 0}, "response_cache"),
        ({"response_cache": "yes"}, "response_cache"),
        ({"router_metadata": "enabled"}, "router_metadata"),
        ({"route": "fallbck"}, "did you mean 'fallback'?"),
    ],
)
def test_a_wrong_request_field_says_what_is_wrong(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RoutingPreferences(**fields)
    assert says in explain_validation(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "meant"),
    [
        ("ignore", "opneai", "openai"),
        ("ignore", "bedrock", "amazon-bedrock"),
        ("only", "aws", "amazon-bedrock"),
        ("order", "vertex", "google-vertex"),
        ("order", "gorq", "groq"),
        ("order", "azrue/eu", "azure"),
        ("order", "nebiuss", "nebius"),
        ("ignore", "cohre", "cohere"),
        ("quantizations", "pf8", "fp8"),
        ("quantizations", "itn8", "int8"),
        ("quantizations", "fb16", "bf16"),
    ],
)
def test_a_name_nobody_has_is_an_error_with_the_one_that_was_meant(
    field: str, value: str, meant: str
) -> None:
    with pytest.raises(PreferencesError, match=f"did you mean '{meant}'"):
        preferences_of(**{field: [value]})


@pytest.mark.parametrize(("tier", "meant"), [("felx", "flex"), ("fats", "fast")])
def test_so_is_a_service_tier(tier: str, meant: str) -> None:
    with pytest.raises(PreferencesError, match=f"did you mean '{meant}'"):
        preferences_of(service_tier=tier)


@pytest.mark.parametrize(
    "provider",
    ["a-provider-of-next-year", "deepinfra/new-variant", "xyzzy", "cohere-2", "cloud", "microsoft"],
)
def test_new_providers_pass(provider: str) -> None:
    assert ProviderPreferences(order=[provider]).order == [provider]


@pytest.mark.parametrize("quantization", ["mxint8", "nvint4", "fp12", "awq", "q4_0"])
def test_new_quantizations_pass(quantization: str) -> None:
    assert ProviderPreferences(quantizations=[quantization]).quantizations == [quantization]


def test_no_real_name_is_taken_for_the_misspelling_of_another() -> None:
    names = known_providers()
    for name in (*names, *names.values(), *(f"{slug}/fp8" for slug in names)):
        assert ProviderPreferences(only=[name], ignore=[name]).only == [name]
    every = ProviderPreferences(order=list(names), quantizations=QUANTIZATIONS)
    assert every.to_wire() == {"order": list(names), "quantizations": list(QUANTIZATIONS)}


def test_flat_fields_are_short_for_provider_fields() -> None:
    flat = preferences_of(order=["openai"], zdr=True, models=["a/b"])
    assert flat == RoutingPreferences(models=["a/b"], provider={"order": ["openai"], "zdr": True})


def test_flat_and_nested_fields_add_up() -> None:
    both = preferences_of(sort="price", provider={"zdr": True})
    assert both.to_wire() == {"provider": {"zdr": True, "sort": "price"}}


def test_a_field_given_flat_and_nested_is_an_error() -> None:
    with pytest.raises(PreferencesError, match="'sort' is given both"):
        preferences_of(sort="price", provider={"sort": "latency"})


@pytest.mark.parametrize(
    "value",
    [
        {"sort": "price", "user": "u"},
        {"provider": {"sort": "price"}, "user": "u"},
        RoutingPreferences(provider={"sort": "price"}, user="u"),
    ],
)
def test_a_value_may_be_flat_or_nested(value: Any) -> None:
    assert preferences_of(value).to_wire() == {"provider": {"sort": "price"}, "user": "u"}


def test_provider_preferences_stand_for_routing_preferences() -> None:
    given = preferences_of(ProviderPreferences(zdr=True), sort="price")
    assert given.to_wire() == {"provider": {"zdr": True, "sort": "price"}}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("oder", "order"), ("allow_fallback", "allow_fallbacks"), ("srot", "sort"), ("usr", "user")],
)
def test_a_misspelt_flat_field_names_the_flat_one(name: str, meant: str) -> None:
    for said in ({}, {name: 1}):
        with pytest.raises(
            PreferencesError, match=f"unknown field '{name}'; did you mean '{meant}'"
        ):
            preferences_of(said, **({} if said else {name: 1}))


def test_a_provider_of_none_clears_before_the_flat_fields_are_set() -> None:
    below = RoutingPreferences(provider={"zdr": True, "sort": "latency"})
    assert merge(below, preferences_of(provider=None, sort="price")).to_wire() == {
        "provider": {"sort": "price"}
    }


def test_fields_add_to_a_value() -> None:
    base = RoutingPreferences(provider={"zdr": True}, user="u")
    assert preferences_of(base, provider={"sort": "price"}).to_wire() == {
        "provider": {"zdr": True, "sort": "price"},
        "user": "u",
    }


def test_preferences_are_values() -> None:
    one = RoutingPreferences(models=["a/b"], provider={"order": ["openai"]})
    assert pickle.loads(pickle.dumps(one)) == one
    assert RoutingPreferences.model_validate(one.model_dump(exclude_unset=True)) == one
    with pytest.raises(ValidationError):
        one.user = "somebody"  # type: ignore[misc]


def test_describe_says_what_is_sent_and_nothing_else() -> None:
    assert RoutingPreferences().describe() == (
        "no routing preferences: OpenRouter's defaults apply"
    )
    described = RoutingPreferences(provider={"zdr": True, "sort": None}, models=["a/b"]).describe()
    assert described.splitlines() == [
        "models        ['a/b']  set here",
        "provider.zdr  True     set here",
    ]


def test_diff_says_what_changed() -> None:
    before = RoutingPreferences(models=["a/b"], provider={"max_price": {"prompt": 1}})
    after = RoutingPreferences(models=["a/b"], provider={"max_price": {"prompt": 2}}, user="u")
    assert before.diff(after) == {
        "user": (None, "u"),
        "provider.max_price": ({"prompt": 1}, {"prompt": 2}),
    }
    assert before.diff(before) == {}


def test_a_provider_field_out_of_place_says_where_it_belongs() -> None:
    with pytest.raises(ValidationError, match=r"write provider=\{'sort': ...\}"):
        RoutingPreferences(sort="price")  # type: ignore[call-arg]


def test_preferences_show_what_was_set_and_nothing_else() -> None:
    shown = RoutingPreferences(provider={"order": ["openai"], "zdr": None})
    assert (
        repr(shown)
        == "RoutingPreferences(provider=ProviderPreferences(order=['openai'], zdr=None))"
    )
    assert repr(ProviderPreferences()) == "ProviderPreferences()"


@pytest.mark.parametrize("price", ["1e-05", "1.5E-7", "2.", ".5"])
def test_prices_may_be_written_as_numbers_are(price: str) -> None:
    assert MaxPrice(prompt=price).to_wire() == {"prompt": price}
