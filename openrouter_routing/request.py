"""From what a caller said to the body and headers of a request: checked, resolved, in one stable order."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
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
from openrouter_routing.resolution import policy_of

PARAMETERS = (
    "temperature", "top_p", "top_k", "top_a", "min_p", "frequency_penalty", "presence_penalty",
    "repetition_penalty", "max_tokens", "max_completion_tokens", "stop", "seed", "n", "logit_bias", "logprobs",
    "top_logprobs", "tools", "tool_choice", "parallel_tool_calls", "response_format", "structured_outputs",
    "reasoning", "reasoning_effort", "include_reasoning", "verbosity", "modalities", "audio", "image_config",
    "prediction", "cache_control", "prompt_cache_key", "prompt_cache_options", "safety_identifier", "store",
    "web_search_options", "stop_server_tools_when", "stream_options", "usage", "debug",
)  # fmt: skip
"""The parameters of the API beside `model`, `messages`, `stream` and the routing fields, in the order they are sent.

See https://openrouter.ai/docs/api-reference/parameters
"""

TRANSPORT_OPTIONS = (
    "timeout", "first_token_timeout", "idle_timeout", "max_retries", "max_retry_wait", "on_violation", "on_empty",
    "coalesce",
)  # fmt: skip
"""What a call can say about how it is sent."""

_OWN_OPTIONS = ("model", "policy", "routing", "extra_body", "extra_headers")
_ROUTING_OPTIONS = (*ROUTING_FIELDS, *PROVIDER_FIELDS)
OPTIONS = (*_OWN_OPTIONS, *_ROUTING_OPTIONS, *PARAMETERS, *TRANSPORT_OPTIONS)
"""Every keyword a call takes."""


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What one call says, sorted by what it is about."""

    model: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    preferences: RoutingPreferences = field(default_factory=RoutingPreferences)
    policy: ProviderPreferences | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    extra_headers: Mapping[str, str] = field(default_factory=dict)
    transport: Mapping[str, Any] = field(default_factory=dict)


def read_options(options: Mapping[str, Any], *, also: Collection[str] = ()) -> CallOptions:
    """Sort the keywords of a call.

    Args:
        options: The keywords. A parameter of None is one that was not set.
        also: What else could have been meant by an unknown keyword.

    Raises:
        BadRequestError: A keyword is unknown; the message names the nearest known one.
        PreferencesError: A routing preference is malformed.

    Example:
        >>> read_options({"sort": "price", "temperature": 0}).preferences.to_wire()
        {'provider': {'sort': 'price'}}
    """
    for name in options:
        if name not in _KNOWN_OPTIONS:
            near = vocabulary.nearest(name, also) or vocabulary.nearest(name, _KNOWN_OPTIONS)
            raise BadRequestError(
                f"unknown argument {name!r}{f'; did you mean {near!r}?' if near else ''} "
                f"(a field of the API that is new goes into extra_body={{{name!r}: ...}})"
            )
    routing = {name: options[name] for name in _ROUTING_OPTIONS if name in options}
    base = options.get("routing")
    extra_body = options.get("extra_body") or {}
    if not isinstance(extra_body, Mapping):
        raise BadRequestError(f"extra_body takes a dict, got {type(extra_body).__name__}")
    parameters = {name: value for name in PARAMETERS if (value := options.get(name)) is not None}
    for name, value in parameters.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadRequestError(f"{name} must be a finite number, got {value!r}")
    if "reasoning" in parameters:
        check_reasoning(parameters["reasoning"])
    return CallOptions(
        model=options.get("model"),
        parameters=parameters,
        preferences=preferences_of(base, **routing),
        policy=policy_of(options.get("policy")),
        extra_body=extra_body,
        extra_headers=options.get("extra_headers") or {},
        transport={
            name: value for name in TRANSPORT_OPTIONS if (value := options.get(name)) is not None
        },
    )


def build_body(
    *,
    model: str | None,
    messages: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, Any],
    preferences: RoutingPreferences,
    extra_body: Mapping[str, Any],
    policy: ProviderPreferences | None = None,
    stream: bool = False,
) -> dict[str, Any]:
    """Build the JSON body of a chat request. The order of its keys is always the same: OpenRouter's cache hashes it.

    Args:
        model: The model; may be missing where `models` or a preset names one.
        messages: Wire messages, at least one.
        parameters: API parameters, by name.
        preferences: The resolved preferences.
        extra_body: Merged last and not checked; a `provider` in it adds to the preferences field by field.
        policy: What `extra_body` may not change.
        stream: Whether to stream.

    Raises:
        BadRequestError: The messages or the model are empty, or `extra_body` changes what the policy holds.
        PreferencesError: A fallback model repeats the primary one.
    """
    if not messages:
        raise BadRequestError("messages is empty: a request needs at least one message")
    body: dict[str, Any] = {}
    if model is not None:
        body["model"] = checked_model(model)
    elif not (
        preferences.models
        or preferences.preset
        or extra_body.get("model")
        or extra_body.get("models")
    ):
        raise BadRequestError("no model: pass model=, such as model='openai/gpt-5-mini'")
    wire = body_fields(preferences)
    check_fallbacks(model, preferences)
    if "models" in wire:
        body["models"] = wire.pop("models")
    body["messages"] = messages
    if stream:
        body["stream"] = True
    for name in PARAMETERS:
        if name in parameters:
            body[name] = parameters[name]
    body.update(wire)
    return merge_extra_body(body, extra_body, policy) if extra_body else body


def body_fields(preferences: RoutingPreferences) -> dict[str, Any]:
    """Return the fields of the preferences that travel in the body; the others are headers."""
    wire = preferences.to_wire()
    for name in ("router_metadata", "response_cache"):
        wire.pop(name, None)
    return wire


def routing_headers(preferences: RoutingPreferences) -> dict[str, str]:
    """Return the fields of the preferences that travel as headers.

    Example:
        >>> routing_headers(RoutingPreferences(response_cache=300))
        {'X-OpenRouter-Metadata': 'enabled', 'X-OpenRouter-Cache': 'true', 'X-OpenRouter-Cache-TTL': '300'}
    """
    headers = {
        "X-OpenRouter-Metadata": "disabled" if preferences.router_metadata is False else "enabled"
    }
    cache = preferences.response_cache
    if cache is not None:
        headers["X-OpenRouter-Cache"] = "false" if cache is False else "true"
        if not isinstance(cache, bool):
            headers["X-OpenRouter-Cache-TTL"] = str(cache)
    return headers


def merge_extra_body(
    body: dict[str, Any], extra_body: Mapping[str, Any], policy: ProviderPreferences | None
) -> dict[str, Any]:
    """Merge what the caller sends past all checks; only a policy stays out of its reach."""
    merged = {**body, **extra_body}
    provider = extra_body.get("provider")
    if isinstance(provider, Mapping):
        merged["provider"] = {**body.get("provider", {}), **provider}
    if policy is not None and "provider" in extra_body:
        after = merged["provider"] if isinstance(merged["provider"], Mapping) else {}
        for name in policy.to_wire():
            held = body.get("provider", {}).get(name)
            if after.get(name) != held:
                raise PreferencesError(
                    f"extra_body may not change provider.{name}: the policy holds it at {held!r}"
                )
    return merged


def merged_bodies(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two `extra_body` values; their `provider` objects merge field by field.

    Raises:
        BadRequestError: One is no mapping.
    """
    for body in (below, above):
        if not isinstance(body, Mapping):
            raise BadRequestError(f"extra_body takes a dict, got {type(body).__name__}")
    merged = {**below, **above}
    providers = [
        body["provider"] for body in (below, above) if isinstance(body.get("provider"), Mapping)
    ]
    if len(providers) == 2:
        merged["provider"] = {**providers[0], **providers[1]}
    return merged


def as_sent(preferences: RoutingPreferences, extra_body: Mapping[str, Any]) -> RoutingPreferences:
    """Return the preferences as `extra_body` left them: what an answer is held against, and what errors tell.

    Args:
        preferences: The resolved preferences.
        extra_body: What was merged over them. A field that only the API understands is left out.

    Example:
        >>> held = RoutingPreferences(provider={"only": ["openai"], "zdr": True})
        >>> as_sent(held, {"provider": {"only": ["azure"]}}).to_wire()
        {'provider': {'only': ['azure'], 'zdr': True}}
    """
    given = {name: extra_body[name] for name in ROUTING_FIELDS if name in extra_body}
    if not given:
        return preferences
    settings, sources = preferences.settings(), preferences.sources()
    if "provider" in given:
        provider = given.pop("provider")
        names = provider if isinstance(provider, Mapping) else dict.fromkeys(PROVIDER_FIELDS)
        given.update((f"provider.{name}", names[name]) for name in PROVIDER_FIELDS if name in names)
    for path, value in given.items():
        try:
            checked = preferences_of(**{path.removeprefix("provider."): value}).settings()[path]
        except PreferencesError:
            checked = None
        settings[path], sources[path] = checked, "extra_body"
    return RoutingPreferences.from_settings(settings, sources)


def check_fallbacks(model: str | None, preferences: RoutingPreferences) -> None:
    """Refuse a fallback model that is the primary one.

    Raises:
        PreferencesError: It is.
    """
    if model is not None and model in (preferences.models or ()):
        raise PreferencesError(
            f"models lists {model!r}, which is the primary model already; list only the fallbacks, in order"
        )


def checked_model(model: object) -> str:
    """Return the model's name.

    Raises:
        BadRequestError: It is empty or no text.
    """
    if not isinstance(model, str) or not model.strip():
        raise BadRequestError(f"model must be a name such as 'openai/gpt-5-mini', got {model!r}")
    return model


_KNOWN_OPTIONS = frozenset(OPTIONS)
