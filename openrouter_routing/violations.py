"""After the answer: did a provider and a model serve that the preferences allow?

What cannot be judged is never a violation: providers have display names, models have canonical names, and both grow.
"""

from __future__ import annotations

from openrouter_routing._vocabulary import ENDPOINT_TIERS
from openrouter_routing.preferences import RoutingPreferences
from openrouter_routing.providers import provider_slug, same_provider
from openrouter_routing.route import names_model


def find_violation(
    provider: str | None, preferences: RoutingPreferences, model: str | None = None
) -> str | None:
    """Say which preference the serving provider breaks, or return None.

    Args:
        provider: The provider's name as the wire has it, a display name.
        preferences: The resolved preferences of the request.
        model: The model that was asked for: a variant of it can admit service tiers.

    Returns:
        One sentence, or None where nothing is broken or nothing can be judged (see `unjudged`).

    Example:
        >>> find_violation("Groq", RoutingPreferences(provider={"only": ["anthropic"]}))
        "Groq served, which is not in provider.only=['anthropic']"
    """
    rules = preferences.provider
    served = provider_slug(provider) if provider else None
    if rules is None or served is None:
        return None
    if rules.only and _matches(served, rules.only) is False:
        return f"{provider} served, which is not in provider.only={rules.only!r}"
    if _is_ignored(served, rules.ignore) and not _admits_tiers(preferences, model):
        return f"{provider} served, which is in provider.ignore={rules.ignore!r}"
    if rules.order and rules.allow_fallbacks is False and _matches(served, rules.order) is False:
        return (
            f"{provider} served, which is not in provider.order={rules.order!r}, "
            "and provider.allow_fallbacks is False"
        )
    return None


def unjudged(
    provider: str | None, preferences: RoutingPreferences, model: str | None = None
) -> str | None:
    """Say why the serving provider cannot be judged, where the preferences ask for it; else None."""
    rules = preferences.provider
    if rules is None or not (
        rules.only or rules.ignore or (rules.order and rules.allow_fallbacks is False)
    ):
        return None
    if provider is None:
        return "the answer names no provider"
    if provider_slug(provider) is None:
        return f"the provider {provider!r} is not in the table of known ones"
    served = provider_slug(provider)
    if served and _is_ignored(served, rules.ignore) and _admits_tiers(preferences, model):
        return f"{provider} is in provider.ignore={rules.ignore!r}, but that does not mean its service tiers"
    fixed_order = rules.order if rules.allow_fallbacks is False else None
    for names in (rules.only, fixed_order):
        if served and names and _matches(served, names) is None:
            strangers = [name for name in names if same_provider(served, name) is None]
            return f"{strangers!r} are not in the table of known providers, or may be {provider}"
    return None


def find_model_violation(
    served: str | None, requested: str | None, preferences: RoutingPreferences
) -> str | None:
    """Say that a model served which is neither the requested one nor one of its fallbacks, or return None.

    It is only judged where the preferences list `models`; without them `Route.fallback_used` tells of another model.

    Args:
        served: The serving model, as the wire has it.
        requested: The model that was asked for.
        preferences: The resolved preferences of the request, with its fallback models.

    Returns:
        One sentence where the serving model is of an author that was not asked for; None where it was asked for, or
        where it cannot be judged (see `unjudged_model`).

    Example:
        >>> find_model_violation("meta-llama/llama-4", "openai/gpt-5", RoutingPreferences(models=["a/b"]))
        "meta-llama/llama-4 served, which is none of the requested models ['openai/gpt-5', 'a/b']"
    """
    asked = _asked_models(requested, preferences)
    if served is None or not asked or any(names_model(model, served) for model in asked):
        return None
    if _author(served) in {None, *map(_author, asked)}:
        return None
    return f"{served} served, which is none of the requested models {asked!r}"


def unjudged_model(
    served: str | None, requested: str | None, preferences: RoutingPreferences
) -> str | None:
    """Say why the serving model cannot be judged; None where it can, or where any model may serve."""
    asked = _asked_models(requested, preferences)
    if served is None or not asked or any(names_model(model, served) for model in asked):
        return None
    if _author(served) in {None, *map(_author, asked)}:
        return f"{served!r} may or may not be one of the requested models {asked!r}"
    return None


def _is_ignored(served: str, ignored: list[str] | None) -> bool:
    # One endpoint is not its whole provider, and the answer does not tell which one served.
    whole = [name for name in ignored or () if "/" not in name]
    return _matches(served, whole) is True


def _admits_tiers(preferences: RoutingPreferences, model: str | None) -> bool:
    """Whether endpoints of a service tier take part; a provider's bare name does not mean those."""
    rules = preferences.provider
    named = (*(rules.order or ()), *(rules.only or ())) if rules else ()
    models = (model or "", *(preferences.models or ()))
    return (
        preferences.service_tier in ENDPOINT_TIERS
        or any(name.rpartition("/")[2] in ENDPOINT_TIERS for name in named)
        or any(name.endswith((":nitro", ":floor")) for name in models)
    )


def _asked_models(requested: str | None, preferences: RoutingPreferences) -> list[str]:
    """Return the models that may serve; nothing where the preferences, a router, an alias or a preset leave it open."""
    if not preferences.models:
        return []
    asked = [model for model in (requested, *preferences.models) if model]
    open_ended = preferences.preset or any(
        model.startswith(("openrouter/", "~", "@")) or "@preset" in model for model in asked
    )
    return [] if open_ended else asked


def _author(model: str) -> str | None:
    author, slash, _ = model.lower().partition("/")
    return author if slash else None


def _matches(served: str, names: list[str]) -> bool | None:
    """Whether the provider is listed; None where a name that nobody knows, or an undecided one, could be it."""
    same = [same_provider(served, name) for name in names]
    if True in same:
        return True
    return None if None in same else False
