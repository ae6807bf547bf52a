"""After the answer: did a provider serve that the preferences allow?"""

from __future__ import annotations

from openrouter_routing.preferences import RoutingPreferences
from openrouter_routing.providers import provider_slug


def find_violation(provider: str | None, preferences: RoutingPreferences) -> str | None:
    """Say which preference the serving provider breaks, or return None.

    Args:
        provider: The provider's name as the wire has it, a display name.
        preferences: The resolved preferences of the request.

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
    if rules.ignore and _matches(served, [name for name in rules.ignore if "/" not in name]):
        return f"{provider} served, which is in provider.ignore={rules.ignore!r}"
    if rules.order and rules.allow_fallbacks is False and _matches(served, rules.order) is False:
        return (
            f"{provider} served, which is not in provider.order={rules.order!r}, "
            "and provider.allow_fallbacks is False"
        )
    return None


def unjudged(provider: str | None, preferences: RoutingPreferences) -> str | None:
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
    fixed_order = rules.order if rules.allow_fallbacks is False else None
    for names in (rules.only, fixed_order):
        if served and names and _matches(served, names) is None:
            strangers = [name for name in names if provider_slug(name) is None]
            return f"{strangers!r} are not in the table of known providers"
    return None


def _matches(served: str, names: list[str]) -> bool | None:
    """Whether the provider is listed; None where a name that nobody knows could be it."""
    slugs = [provider_slug(name) for name in names]
    if served in slugs:
        return True
    return None if None in slugs else False
