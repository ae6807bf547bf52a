"""Layers combine field by field, and nothing loosens a policy: as properties, and as examples one can read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from openrouter_routing import PreferencesError, ProviderPreferences, RoutingPreferences, merge
from openrouter_routing.preferences import PROVIDER_PATHS, preferences_of
from openrouter_routing.providers import provider_slug
from openrouter_routing.resolution import Layer, combine_policies, policy_of, resolve
from tests.strategies import policies, routing_preferences


@given(routing_preferences, routing_preferences, routing_preferences)
def test_merging_is_associative(
    low: RoutingPreferences, middle: RoutingPreferences, high: RoutingPreferences
) -> None:
    left = merge(merge(low, middle), high)
    right = merge(low, merge(middle, high))
    assert left.settings() == right.settings() == merge(low, middle, high).settings()


@given(routing_preferences)
def test_the_empty_preference_is_neutral(preferences: RoutingPreferences) -> None:
    nothing = RoutingPreferences()
    for merged in (merge(nothing, preferences), merge(preferences, nothing), merge(preferences)):
        assert merged.settings() == preferences.settings()
        assert merged.to_wire() == {
            name: value
            for name, value in preferences.to_wire().items()
            if name != "provider" or value
        }


@given(routing_preferences, routing_preferences)
def test_nothing_set_is_ever_lost(low: RoutingPreferences, high: RoutingPreferences) -> None:
    merged = merge(low, high).settings()
    for path, value in high.settings().items():
        assert merged[path] == value
    for path, value in low.settings().items():
        assert merged[path] == high.settings().get(path, value)
    assert set(merged) == set(low.settings()) | set(high.settings())


@given(routing_preferences)
def test_none_clears_and_a_provider_of_none_clears_all_of_it(low: RoutingPreferences) -> None:
    cleared = RoutingPreferences(**dict.fromkeys(RoutingPreferences.model_fields))
    assert merge(low, cleared).to_wire() == {}
    provider_cleared = merge(low, RoutingPreferences(provider=None))
    assert "provider" not in provider_cleared.to_wire()
    assert all(provider_cleared.settings()[path] is None for path in PROVIDER_PATHS)


def test_a_call_that_sorts_keeps_the_instances_zdr() -> None:
    instance = RoutingPreferences(provider={"zdr": True, "order": ["openai"]})
    call = RoutingPreferences(provider={"sort": "price"})
    assert merge(instance, call).to_wire() == {
        "provider": {"order": ["openai"], "zdr": True, "sort": "price"}
    }


def test_a_list_replaces_a_list() -> None:
    low = RoutingPreferences(provider={"order": ["openai", "azure"]})
    assert merge(low, RoutingPreferences(provider={"order": ["groq"]})).to_wire() == {
        "provider": {"order": ["groq"]}
    }


@given(policies)
def test_a_policy_is_idempotent(policy: ProviderPreferences) -> None:
    once = combine_policies(policy, policy)
    assert once is not None
    assert _strictness(once) == _strictness(policy)
    assert _wire(combine_policies(once, once)) == _wire(once)


@given(policies, policies)
def test_policies_commute(first: ProviderPreferences, second: ProviderPreferences) -> None:
    there, back = combine_policies(first, second), combine_policies(second, first)
    assert there is not None
    assert back is not None
    assert _strictness(there) == _strictness(back)


@given(policies, policies, policies)
def test_policies_are_associative(
    first: ProviderPreferences, second: ProviderPreferences, third: ProviderPreferences
) -> None:
    left = combine_policies(combine_policies(first, second), third)
    right = combine_policies(first, combine_policies(second, third))
    assert left is not None
    assert right is not None
    assert _strictness(left) == _strictness(right)


@given(routing_preferences, routing_preferences, policies)
def test_no_layer_loosens_a_policy(
    instance: RoutingPreferences, call: RoutingPreferences, policy: ProviderPreferences
) -> None:
    try:
        resolved = resolve([Layer("instance", instance), Layer("call", call)], policy)
    except PreferencesError:
        return  # A contradiction is an error, never a loosened policy.
    sent = resolved.provider or ProviderPreferences()
    if policy.only is not None:
        assert sent.only
        assert all(_admits(policy.only, name) for name in sent.only)
    for name in policy.ignore or ():
        assert _admits(sent.ignore or [], name)
    if policy.quantizations is not None:
        assert sent.quantizations
        assert set(sent.quantizations) <= set(policy.quantizations)
    for field in ("zdr", "require_parameters", "enforce_distillable_text"):
        assert getattr(policy, field) is not True or getattr(sent, field) is True
    assert policy.data_collection != "deny" or sent.data_collection == "deny"
    assert policy.allow_fallbacks is not False or sent.allow_fallbacks is False
    if policy.max_price is not None:
        assert sent.max_price is not None
        for kind, limit in policy.max_price.to_wire().items():
            assert Decimal(str(getattr(sent.max_price, kind))) <= Decimal(str(limit))


@given(routing_preferences, policies)
def test_a_policy_touches_nothing_else(
    instance: RoutingPreferences, policy: ProviderPreferences
) -> None:
    try:
        resolved = resolve([Layer("instance", instance)], policy)
    except PreferencesError:
        return
    untouched = {
        path: value
        for path, value in instance.settings().items()
        if path.removeprefix("provider.") not in policy.model_fields_set
    }
    assert {path: resolved.settings()[path] for path in untouched} == untouched


@pytest.mark.parametrize("loose", [{"zdr": False}, {"zdr": None}, None])
def test_the_strict_side_of_a_policy_stays(loose: Any) -> None:
    call = Layer("call", RoutingPreferences(provider=loose))
    assert resolve([call], policy_of({"zdr": True})).to_wire() == {"provider": {"zdr": True}}


def test_policies_narrow_a_provider_to_its_endpoint() -> None:
    instance = Layer("instance", RoutingPreferences(provider={"only": ["deepinfra", "openai"]}))
    resolved = resolve([instance], policy_of({"only": ["deepinfra/turbo"]}))
    assert resolved.to_wire() == {"provider": {"only": ["deepinfra/turbo"]}}


@pytest.mark.parametrize("ignored", ["openai", "OpenAI", "openai/priority"])
def test_a_provider_does_not_stand_for_its_service_tiers(ignored: str) -> None:
    call = Layer("call", RoutingPreferences(provider={"ignore": [ignored]}))
    sent = resolve([call], policy_of({"ignore": ["openai/priority"]})).to_wire()
    assert "openai/priority" in sent["provider"]["ignore"]
    instance = Layer("instance", RoutingPreferences(provider={"only": ["openai/flex"]}))
    with pytest.raises(PreferencesError, match=r"nothing is left of provider\.only"):
        resolve([instance], policy_of({"only": ["openai"]}))


def test_variants_are_compared_whatever_their_case() -> None:
    instance = Layer("instance", RoutingPreferences(provider={"only": ["DeepInfra/FP8"]}))
    resolved = resolve([instance], policy_of({"only": ["deepinfra/fp8"]}))
    assert resolved.to_wire() == {"provider": {"only": ["DeepInfra/FP8"]}}


def test_display_names_and_slugs_are_the_same_provider() -> None:
    instance = Layer("instance", RoutingPreferences(provider={"only": ["Google", "OpenAI"]}))
    resolved = resolve([instance], policy_of({"only": ["google-vertex"]}))
    assert resolved.to_wire() == {"provider": {"only": ["Google"]}}


@pytest.mark.parametrize(
    ("provider", "policy", "names"),
    [
        ({"only": ["openai"]}, {"only": ["azure"]}, ["instance", "policy", "openai", "azure"]),
        ({"quantizations": ["fp8"]}, {"quantizations": ["bf16"]}, ["instance", "policy", "fp8"]),
        ({"order": ["groq"]}, {"only": ["azure"]}, ["instance", "policy", "groq", "provider.only"]),
        ({"order": ["groq"]}, {"ignore": ["groq"]}, ["instance", "policy", "provider.ignore"]),
        ({"only": ["groq"]}, {"ignore": ["groq"]}, ["instance", "policy", "no provider is left"]),
        ({"only": ["groq"], "ignore": ["groq"]}, {}, ["instance", "no provider is left"]),
    ],
)
def test_a_contradiction_names_both_layers(
    provider: dict[str, Any], policy: dict[str, Any], names: list[str]
) -> None:
    layer = Layer("instance", RoutingPreferences(provider=provider))
    with pytest.raises(PreferencesError) as caught:
        resolve([layer], policy_of(policy))
    for name in names:
        assert name in str(caught.value)


def test_two_policies_that_leave_nothing_contradict_each_other() -> None:
    both = combine_policies(policy_of({"only": ["openai"]}), policy_of({"only": ["azure"]}))
    with pytest.raises(PreferencesError, match=r"provider\.only"):
        resolve([], both)


def test_an_order_stays_where_a_policy_forbids_but_a_part_of_it() -> None:
    for policy in ({"ignore": ["azure/eu"]}, {"only": ["azure/eu"]}):
        layers = [Layer("call", preferences_of(order=["azure"]))]
        resolved = resolve(layers, policy_of(policy)).to_wire()
        assert resolved == {"provider": {"order": ["azure"], **policy}}
    with pytest.raises(PreferencesError, match="the policy forbids every provider"):
        resolve(
            [Layer("call", preferences_of(order=["azure/eu"]))], policy_of({"ignore": ["azure"]})
        )


@pytest.mark.parametrize("field", ["order", "sort", "options"])
def test_a_policy_holds_only_what_has_a_stricter_side(field: str) -> None:
    value: dict[str, Any] = {"order": ["openai"], "sort": "price", "options": {"openai": {}}}
    with pytest.raises(PreferencesError, match=f"a policy cannot hold provider.{field}"):
        policy_of({field: value[field]})
    with pytest.raises(PreferencesError, match="a policy cannot hold models"):
        policy_of({"models": ["a/b"]})


def test_describe_names_the_layer_of_each_value() -> None:
    layers = [
        Layer("environment", RoutingPreferences(session_id="s-1")),
        Layer("instance", RoutingPreferences(provider={"zdr": False, "only": ["openai", "azure"]})),
        Layer("scope", RoutingPreferences(models=["a/b"])),
        Layer("call", RoutingPreferences(provider={"sort": "price"})),
    ]
    described = resolve(layers, policy_of({"zdr": True, "only": ["azure"]})).describe()
    assert described.splitlines() == [
        "models         ['a/b']    scope",
        "session_id     's-1'      environment",
        "provider.only  ['azure']  instance + policy",
        "provider.zdr   True       policy",
        "provider.sort  'price'    call",
    ]


def _admits(names: list[str], name: str) -> bool:
    base, _, variant = name.partition("/")
    slug = provider_slug(base) or base
    # A bare provider means all of its endpoints but those of a service tier.
    admitting = {variant} if variant in ("priority", "flex") else {"", variant}
    for other in names:
        other_base, _, other_variant = other.partition("/")
        if (provider_slug(other_base) or other_base) == slug and other_variant in admitting:
            return True
    return False


def _strictness(policy: ProviderPreferences) -> dict[str, Any]:
    """What a policy demands, whatever the order or the form it is written in."""
    wire: dict[str, Any] = policy.to_wire()
    for name in ("only", "ignore"):
        if name in wire:
            listed = wire[name]
            wire[name] = {
                entry
                for entry in listed
                if not any(other != entry and _admits([other], entry) for other in listed)
            }
    if "quantizations" in wire:
        wire["quantizations"] = set(wire["quantizations"])
    for kind, price in wire.get("max_price", {}).items():
        wire["max_price"][kind] = Decimal(str(price))
    neutral = {
        "zdr": False,
        "require_parameters": False,
        "enforce_distillable_text": False,
        "allow_fallbacks": True,
        "data_collection": "allow",
    }
    return {name: value for name, value in wire.items() if neutral.get(name, ...) != value}


def _wire(policy: ProviderPreferences | None) -> dict[str, Any]:
    assert policy is not None
    return policy.to_wire()
