"""After the answer the serving provider is held against the preferences; what cannot be judged is not an error."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_routing import RoutingPreferences
from openrouter_routing.violations import find_violation, unjudged


@pytest.mark.parametrize(
    ("served", "provider", "broken"),
    [
        ("OpenAI", {"only": ["openai"]}, False),
        ("OpenAI", {"only": ["OpenAI"]}, False),
        ("Google", {"only": ["google-vertex"]}, False),
        ("Google AI Studio", {"only": ["google-vertex"]}, True),
        ("DeepInfra", {"only": ["deepinfra/turbo"]}, False),
        ("Groq", {"only": ["openai", "azure"]}, True),
        ("Groq", {"ignore": ["groq"]}, True),
        ("Groq", {"ignore": ["groq/some-variant"]}, False),
        ("Groq", {"ignore": ["openai"]}, False),
        ("Groq", {"order": ["openai"], "allow_fallbacks": False}, True),
        ("Groq", {"order": ["openai", "groq"], "allow_fallbacks": False}, False),
        ("Groq", {"order": ["openai"]}, False),
        ("Groq", {"order": ["openai"], "allow_fallbacks": True}, False),
        ("Groq", {"sort": "price"}, False),
        ("Brand New Inc", {"only": ["openai"]}, False),
        ("Groq", {"only": ["brand-new-inc"]}, False),
        (None, {"only": ["openai"]}, False),
    ],
)
def test_violations(served: str | None, provider: dict[str, Any], broken: bool) -> None:
    found = find_violation(served, RoutingPreferences(provider=provider))
    assert (found is not None) is broken
    if found is not None:
        assert str(served) in found


@pytest.mark.parametrize(
    ("served", "provider", "says"),
    [
        ("Brand New Inc", {"only": ["openai"]}, "'Brand New Inc' is not in the table"),
        ("Groq", {"only": ["brand-new-inc"]}, "['brand-new-inc'] are not in the table"),
        (None, {"ignore": ["openai"]}, "names no provider"),
        ("Brand New Inc", {"sort": "price"}, None),
        (None, {"order": ["openai"]}, None),
        ("Groq", {"only": ["openai", "groq"]}, None),
        ("Groq", {"only": ["brand-new-inc", "groq"]}, None),
    ],
)
def test_what_cannot_be_judged_is_said(
    served: str | None, provider: dict[str, Any], says: str | None
) -> None:
    doubt = unjudged(served, RoutingPreferences(provider=provider))
    assert (says is None) == (doubt is None)
    assert says is None or says in str(doubt)
