"""What a constructor takes, sorted into the fields of a model: ours, the API's, and what users of the peer write."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import Any

from openrouter_routing import _vocabulary as vocabulary
from openrouter_routing.errors import BadRequestError, PreferencesError
from openrouter_routing.preferences import (
    PROVIDER_FIELDS,
    ROUTING_FIELDS,
    ProviderPreferences,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.reasoning_options import check_reasoning
from openrouter_routing.request import PARAMETERS, TRANSPORT_OPTIONS, read_options
from openrouter_routing.resolution import combine_policies, policy_of
from openrouter_routing.settings import ClientSettings, Secret, settings_from

ALIASES = {
    "base_url": "api_base",
    "headers": "default_headers",
    "extra_headers": "default_headers",
    "async_http_client": "http_async_client",
    "audio_config": "audio",
}
"""Other names of the same thing."""

WITHOUT_EFFECT = {
    "reuse_client": "connections are shared by all models and closed with their event loop",
    "api_version": "OpenRouter has no versions",
    "tokenizer": "max_tokens is never guessed",
}
"""What the peer takes and this model has no use for."""

SETTINGS = (
    "app_url", "app_title", "app_categories", "timeout", "first_token_timeout", "idle_timeout", "max_retries",
    "max_retry_wait", "on_violation", "on_empty", "coalesce",
)  # fmt: skip
"""The fields that say how requests are sent, under the names of `ClientSettings`."""

_ROUTING = (*ROUTING_FIELDS, *PROVIDER_FIELDS)
_DICTS = ("default_headers", "extra_body", "additional_kwargs")


def sort_fields(given: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    """Sort the keywords of a constructor into fields.

    Args:
        given: The keywords.
        own: The names of the class's fields.

    Returns:
        The fields. Routing preferences, nested and flat, are in `routing`; API parameters without a field of their own
        are in `additional_kwargs`.

    Raises:
        BadRequestError: A keyword is unknown; the message names the nearest known one.
        PreferencesError: A routing preference is malformed.
    """
    fields: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    routing: dict[str, Any] = {}
    for written, value in given.items():
        name = ALIASES.get(written, written)
        if name in own:
            if name in _DICTS and not (value is None or isinstance(value, Mapping)):
                raise BadRequestError(f"{written} takes a dict, got {type(value).__name__}")
            if name == "default_headers":
                value = {**(fields.get(name) or {}), **(value or {})}
            elif name in fields:
                raise BadRequestError(f"{written!r} is another name of {name!r}; give it once")
            fields[name] = value
        elif name in _ROUTING:
            routing[name] = value
        elif name in PARAMETERS and "additional_kwargs" in own:
            if value is not None:
                parameters[name] = value
        elif name in WITHOUT_EFFECT:
            if value is not None:
                warnings.warn(f"{name}= has no effect: {WITHOUT_EFFECT[name]}", stacklevel=4)
        else:
            known = {*own, *_ROUTING, *PARAMETERS, *ALIASES}
            raise BadRequestError(
                f"{vocabulary.unknown_name('argument', name, known)} "
                f"(a field of the API that is new goes into extra_body={{{name!r}: ...}})"
            )
    if "additional_kwargs" in own:
        _sort_additional(fields, parameters)
        if (reasoning := fields["additional_kwargs"].get("reasoning")) is not None:
            check_reasoning(reasoning)
    fields["routing"] = preferences_of(fields.get("routing"), **routing)
    fields["default_headers"] = secret_headers(fields.get("default_headers"))
    return fields


def secret_headers(headers: Mapping[str, Any] | None) -> dict[str, Secret]:
    """Return headers with values that do not show.

    Raises:
        BadRequestError: They are no dict.
    """
    if not (headers is None or isinstance(headers, Mapping)):
        raise BadRequestError(f"default_headers takes a dict, got {type(headers).__name__}")
    return {
        name: value if isinstance(value, Secret) else Secret(str(value))
        for name, value in (headers or {}).items()
    }


def _sort_additional(fields: dict[str, Any], parameters: dict[str, Any]) -> None:
    """Sort out `additional_kwargs`, which hold parameters, preferences, transport options and extra bodies alike."""
    given = dict(fields.get("additional_kwargs") or {})
    read_options(given)
    routing: dict[str, Any] = {name: given.pop(name) for name in _ROUTING if name in given}
    extra = dict(given.pop("extra_body", None) or {})
    for name in ROUTING_FIELDS:
        if name not in extra:
            continue
        try:
            preferences_of(**{name: extra[name]})
        except PreferencesError:
            # It stays what extra_body is for: something this version does not know, sent unchecked.
            continue
        routing.setdefault(name, extra.pop(name))
    nested = given.pop("routing", None)
    if routing or nested is not None:
        # As a layer below what was said by name, so that a call can override it.
        base = preferences_of(nested, **routing)
        above = preferences_of(fields.get("routing"))
        fields["routing"] = RoutingPreferences.from_settings(
            {**base.settings(), **above.settings()}
        )
    if extra:
        fields["extra_body"] = {**extra, **(fields.get("extra_body") or {})}
    if headers := given.pop("extra_headers", None):
        fields["default_headers"] = {**headers, **(fields.get("default_headers") or {})}
    if (policy := given.pop("policy", None)) is not None:
        fields["policy"] = combine_policies(policy_of(fields.get("policy")), policy_of(policy))
    for name in ("model", *TRANSPORT_OPTIONS):
        if name in given:
            value = given.pop(name)
            if fields.get(name) is None:
                fields[name] = value
    fields["additional_kwargs"] = {**parameters, **given}


def client_settings(model: Any) -> ClientSettings:
    """Build the settings of a model's requests from its fields.

    Args:
        model: Anything with the fields `api_key`, `api_base`, `default_headers` and those of `SETTINGS`.

    Raises:
        BadRequestError: A setting is malformed.
    """
    return settings_from(
        api_key=model.api_key,
        base_url=model.api_base,
        # Some write into the dict, past the class that would have hidden the value.
        headers={
            name: value.get_secret_value()
            for name, value in secret_headers(model.default_headers).items()
        },
        **{name: model.__dict__.get(name) for name in SETTINGS},
    )


def plain(
    preferences: RoutingPreferences | ProviderPreferences | None,
) -> dict[str, Any] | None:
    """Return preferences as JSON data: what was set, cleared fields included."""
    return None if preferences is None else preferences.model_dump(exclude_unset=True, mode="json")
