"""After the answer the serving provider is held against the preferences; what cannot be judged is not an error."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_routing import RoutingPreferences
from openrouter_routing.violations import (
    find_model_violation,
    find_violation,
    unjudged,
    unjudged_model,
)


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
        ("Claude Platform on AWS", {"only": ["amazon-bedrock"]}, False),
        ("Amazon Bedrock", {"only": ["claude-on-aws"]}, False),
        ("Amazon Bedrock", {"ignore": ["claude-on-aws"]}, False),
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
        ("Claude Platform on AWS", {"only": ["amazon-bedrock"]}, "may be Claude Platform on AWS"),
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


@pytest.mark.parametrize(
    ("served", "requested", "fallbacks", "broken", "doubted"),
    [
        ("openai/gpt-5", "openai/gpt-5", ["a/b"], False, False),
        ("openai/gpt-5-2025-08-07", "openai/gpt-5:nitro", ["a/b"], False, False),
        (
            "anthropic/claude-4.5-sonnet-20250929",
            "a/b",
            ["anthropic/claude-sonnet-4.5"],
            False,
            False,
        ),
        ("meta-llama/llama-4", "openai/gpt-5", ["a/b"], True, False),
        ("meta-llama/llama-4", "openai/gpt-5", [], False, False),
        ("openai/gpt-6", "openai/gpt-5", ["a/b"], False, True),
        ("some-gateway-name", "openai/gpt-5", ["a/b"], False, True),
        ("meta-llama/llama-4", "openrouter/auto", ["a/b"], False, False),
        ("meta-llama/llama-4", "~openai/gpt-latest", ["a/b"], False, False),
        ("meta-llama/llama-4", "openai/gpt-5@preset/mine", ["a/b"], False, False),
        (None, "openai/gpt-5", ["a/b"], False, False),
    ],
)
def test_a_model_outside_the_list(
    served: str | None, requested: str, fallbacks: list[str], broken: bool, doubted: bool
) -> None:
    preferences = RoutingPreferences(models=fallbacks)
    assert (find_model_violation(served, requested, preferences) is not None) is broken
    assert (unjudged_model(served, requested, preferences) is not None) is doubted
    preset = RoutingPreferences(models=fallbacks, preset="mine")
    assert find_model_violation(served, requested, preset) is None
