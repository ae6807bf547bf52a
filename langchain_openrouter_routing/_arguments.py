"""Arguments of a call over those below them: preferences merge field by field, of all others the later wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_openrouter_routing._connection import Connection, named_once, plain_settings
from langchain_openrouter_routing.errors import PreferencesError, langchain_errors
from openrouter_routing.preferences import (
    PROVIDER_FIELDS,
    ROUTING_FIELDS,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.request import merged_bodies
from openrouter_routing.resolution import combine_policies, merge, policy_of

ALIASES = {**Connection.aliases, "stop_sequences": "stop"}
"""Other names of a chat model's fields and arguments."""
_PREFERENCES = frozenset({*PROVIDER_FIELDS, *ROUTING_FIELDS, "routing"})
MERGED = _PREFERENCES | {"openrouter_provider", "policy", "extra_body"}
"""The arguments that merge with those below them, instead of taking their place."""


def named_arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments under their own names.

    Args:
        call: Arguments under any of their names.

    Raises:
        BadRequestError: One is given under two names.

    Example:
        >>> named_arguments({"openrouter_provider": {"zdr": True}})
        {'provider': {'zdr': True}}
    """
    return named_once(call, ALIASES)


def in_one_routing(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments whose preferences are all in `routing`, so that no parameter of a method takes one for its own.

    Raises:
        PreferencesError: A preference is malformed.

    Example:
        >>> in_one_routing({"require_parameters": True, "seed": 1})
        {'seed': 1, 'routing': {'provider': {'require_parameters': True}}}
    """
    named = named_arguments(arguments)
    if not _PREFERENCES & named.keys():
        return named
    rest = {name: value for name, value in named.items() if name not in _PREFERENCES}
    with langchain_errors():
        return {**rest, "routing": plain_settings(_preferences(named))}


def merged_arguments(bound: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call over bound ones: preferences merge field by field, of all others the later wins.

    Raises:
        PreferencesError: A preference is malformed.

    Example:
        >>> merged_arguments({"zdr": True, "seed": 1}, {"provider": {"sort": "price"}, "seed": 2})
        {'seed': 2, 'routing': {'provider': {'zdr': True, 'sort': 'price'}}}
    """
    below, above = named_arguments(bound), named_arguments(call)
    merged = {**below, **above}
    with langchain_errors():
        if _PREFERENCES & below.keys() and _PREFERENCES & above.keys():
            merged = {name: value for name, value in merged.items() if name not in _PREFERENCES}
            both = merge(_preferences(below), _preferences(above))
            merged["routing"] = plain_settings(both)
        if "policy" in below and "policy" in above:
            first, second = policy_of(below["policy"]), policy_of(above["policy"])
            held = combine_policies(first, second)
            for name in ("only", "quantizations"):
                if held is not None and getattr(held, name) == []:
                    raise PreferencesError(
                        f"nothing is left of provider.{name}: one policy allows {getattr(first, name)!r}, "
                        f"the other {getattr(second, name)!r}"
                    )
            merged["policy"] = None if held is None else plain_settings(held)
    if isinstance(below.get("extra_body"), Mapping) and isinstance(
        above.get("extra_body"), Mapping
    ):
        merged["extra_body"] = merged_bodies(below["extra_body"] or {}, above["extra_body"] or {})
    return merged


def _preferences(said: Mapping[str, Any]) -> RoutingPreferences:
    fields = {name: said[name] for name in _PREFERENCES if name in said}
    return preferences_of(fields.pop("routing", None), **fields)
