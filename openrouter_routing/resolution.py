"""From layers of preferences to the one that is sent: `merge`, `apply_policy`, `resolve`.

Layers combine field by field, the upper one winning: environment < instance < scope < call. A list replaces a list;
None clears a field. A policy is no layer: it combines with the result as OpenRouter combines account settings with a
request, and nothing below can loosen it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from openrouter_routing import _vocabulary as vocabulary
from openrouter_routing.errors import PreferencesError
from openrouter_routing.preferences import (
    NO_PREFERENCES,
    MaxPrice,
    ProviderPreferences,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.providers import provider_slug

POLICY_FIELDS = (
    "only",
    "ignore",
    "allow_fallbacks",
    "require_parameters",
    "data_collection",
    "zdr",
    "enforce_distillable_text",
    "quantizations",
    "max_price",
)
"""The provider fields a policy can hold: those that have a stricter side."""

# The one value of a field that restricts; a policy keeps it, whatever lower layers say.
_STICKY = {
    "allow_fallbacks": False,
    "require_parameters": True,
    "data_collection": "deny",
    "zdr": True,
    "enforce_distillable_text": True,
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One place where preferences were set, and its name in `describe()` and in errors."""

    name: str
    preferences: RoutingPreferences


def merge(*layers: RoutingPreferences) -> RoutingPreferences:
    """Combine preferences field by field; a later layer wins.

    Args:
        *layers: Preferences from the lowest layer to the highest.

    Returns:
        Preferences in which every field has the value of the highest layer that set it. A list replaces a list. None
        clears a field, and a `provider` of None clears every provider field.

    Example:
        >>> base = RoutingPreferences(provider={"zdr": True, "sort": "latency"})
        >>> merge(base, RoutingPreferences(provider={"sort": "price"})).to_wire()
        {'provider': {'zdr': True, 'sort': 'price'}}
    """
    settings: dict[str, Any] = {}
    for layer in layers:
        settings.update(layer.settings())
    return RoutingPreferences.from_settings(settings)


def policy_of(
    value: ProviderPreferences | RoutingPreferences | Mapping[str, Any] | None,
) -> ProviderPreferences | None:
    """Check that a value can be a policy, and return it as provider preferences.

    Args:
        value: Provider preferences or a dict of them; `{"provider": {...}}` is taken too.

    Raises:
        PreferencesError: The value is malformed, or sets a field that has no stricter side (`order`, `sort`, ...).

    Example:
        >>> policy_of({"zdr": True, "max_price": {"completion": 5}}).to_wire()
        {'zdr': True, 'max_price': {'completion': 5}}
    """
    if value is None:
        return None
    if isinstance(value, ProviderPreferences):
        held = preferences_of(provider=value)
    elif isinstance(value, RoutingPreferences):
        held = value
    elif isinstance(value, Mapping):
        held = preferences_of(value)
    else:
        raise PreferencesError(
            f"policy takes ProviderPreferences or a dict of its fields, got {value!r}"
        )
    unfit = [
        path
        for path, set_to in held.settings().items()
        if set_to is not None and path.removeprefix("provider.") not in POLICY_FIELDS
    ]
    if unfit:
        raise PreferencesError(
            f"a policy cannot hold {', '.join(unfit)}: only fields with a stricter side combine "
            f"({', '.join(POLICY_FIELDS)}); set the others as ordinary preferences"
        )
    return held.provider or ProviderPreferences()


def combine_policies(
    first: ProviderPreferences | None, second: ProviderPreferences | None
) -> ProviderPreferences | None:
    """Return the policy that is as strict as both; the order of the two does not matter.

    Example:
        >>> combine_policies(policy_of({"only": ["openai", "azure"]}), policy_of({"only": ["azure"]})).to_wire()
        {'only': ['azure']}
    """
    if first is None or second is None:
        return first or second
    combined = _restrict(_fields_of(first), _fields_of(second))
    for name in ("only", "ignore", "quantizations"):
        if name in combined:
            combined[name] = sorted(combined[name])
    return ProviderPreferences.model_construct(set(combined), **combined)


def resolve(
    layers: Sequence[Layer], policy: ProviderPreferences | None = None
) -> RoutingPreferences:
    """Return the preferences of one request, with the layer each value came from.

    Args:
        layers: From the lowest (environment) to the highest (call).
        policy: What none of them may loosen.

    Returns:
        The resolved preferences; `describe()` names the layer of each value.

    Raises:
        PreferencesError: The layers and the policy contradict each other; the message names both.

    Example:
        >>> instance = Layer("instance", RoutingPreferences(provider={"only": ["openai", "azure"]}))
        >>> print(resolve([instance], policy_of({"only": ["azure"], "zdr": True})).describe())
        provider.only  ['azure']  instance + policy
        provider.zdr   True       policy
    """
    if policy is None and not any(layer.preferences.model_fields_set for layer in layers):
        return NO_PREFERENCES
    settings: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer in layers:
        for path, value in layer.preferences.settings().items():
            settings[path] = value
            sources[path] = layer.name
    if policy is not None:
        _apply_policy(settings, sources, policy)
    _refuse_contradictions(settings, sources)
    return RoutingPreferences.from_settings(settings, sources)


def _apply_policy(
    settings: dict[str, Any], sources: dict[str, str], policy: ProviderPreferences
) -> None:
    below = {
        name: value
        for name in POLICY_FIELDS
        if (value := settings.get(f"provider.{name}")) is not None
    }
    held = _fields_of(policy)
    for name, value in _restrict(below, held).items():
        path = f"provider.{name}"
        if name in ("only", "quantizations") and name in held and not value:
            allowed = f"the {sources[path]} allows {below[name]!r}, " if name in below else ""
            raise PreferencesError(
                f"nothing is left of {path}: {allowed}the policy allows {held[name]!r}"
            )
        if value == below.get(name):
            continue
        joined = name in below and name not in _STICKY
        sources[path] = f"{sources[path]} + policy" if joined else "policy"
        settings[path] = value


def _restrict(below: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    """Combine two sets of provider fields into the stricter of both; `below` gives the order."""
    combined = dict(below)
    for name, strict in _STICKY.items():
        if policy.get(name) == strict:
            combined[name] = strict
        elif name in policy:
            combined.setdefault(name, policy[name])
    if "only" in policy:
        combined["only"] = (
            _intersection(below["only"], policy["only"]) if "only" in below else policy["only"]
        )
    if "ignore" in policy:
        listed = below.get("ignore", [])
        combined["ignore"] = [
            *listed,
            *(name for name in policy["ignore"] if not _covered(name, listed)),
        ]
    if "quantizations" in policy:
        combined["quantizations"] = (
            [name for name in below["quantizations"] if name in policy["quantizations"]]
            if "quantizations" in below
            else policy["quantizations"]
        )
    if "max_price" in policy:
        combined["max_price"] = (
            _cheaper(below["max_price"], policy["max_price"])
            if "max_price" in below
            else policy["max_price"]
        )
    return combined


def _fields_of(preferences: ProviderPreferences) -> dict[str, Any]:
    return {
        name: value
        for name in POLICY_FIELDS
        if name in preferences.model_fields_set
        and (value := getattr(preferences, name)) is not None
    }


def _intersection(below: list[str], above: list[str]) -> list[str]:
    kept = [name for name in below if _covered(name, above)]
    narrower = [name for name in above if _covered(name, below) and not _covered(name, kept)]
    return [*kept, *narrower]


def _covered(name: str, names: list[str]) -> bool:
    """Whether one of `names` means `name` too: the same endpoint, or its provider, which means all but its tiers."""
    base, variant = _identity(name)
    is_tier = variant.rpartition("/")[2] in vocabulary.ENDPOINT_TIERS
    return any(
        (base, variant) == other or (other == (base, "") and not is_tier)
        for other in map(_identity, names)
    )


def _identity(name: str) -> tuple[str, str]:
    base, _, variant = name.partition("/")
    return provider_slug(base) or base.lower(), variant.lower()


def _cheaper(below: MaxPrice, above: MaxPrice) -> MaxPrice:
    limits = {**above.to_wire(), **below.to_wire()}
    for kind, limit in above.to_wire().items():
        if Decimal(str(limit)) < Decimal(str(limits[kind])):
            limits[kind] = limit
    return MaxPrice.model_construct(set(limits), **limits)


def _refuse_contradictions(settings: Mapping[str, Any], sources: Mapping[str, str]) -> None:
    only, ignore, order = (settings.get(f"provider.{name}") for name in ("only", "ignore", "order"))
    if only and ignore and all(_covered(name, ignore) for name in only):
        raise PreferencesError(
            f"no provider is left: provider.only={only!r} ({sources['provider.only']}) is all inside "
            f"provider.ignore={ignore!r} ({sources['provider.ignore']})"
        )
    if not order:
        return
    for name, allowed in (("only", only), ("ignore", ignore)):
        path = f"provider.{name}"
        if not allowed or "policy" not in sources[path]:
            continue
        # An order names a provider, of which an endpoint may be forbidden, or an endpoint of an allowed provider.
        left = [
            entry
            for entry in order
            if (_overlaps(entry, allowed) if name == "only" else not _covered(entry, allowed))
        ]
        if not left:
            raise PreferencesError(
                f"the policy forbids every provider of provider.order={order!r} "
                f"({sources['provider.order']}): {path}={allowed!r} ({sources[path]})"
            )


def _overlaps(name: str, names: list[str]) -> bool:
    return _covered(name, names) or any(_covered(other, [name]) for other in names)
