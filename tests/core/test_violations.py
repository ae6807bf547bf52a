"""After the answer the serving provider is held against the preferences; what cannot be judged is not an error."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_routing import (
    OpenRouterClient,
    RoutingPreferences,
    RoutingWarning,
    preferences_of,
)
from openrouter_routing.emulator import Emulator
from openrouter_routing.violations import (
    find_model_violation,
    find_violation,
    unjudged,
    unjudged_model,
)

ANSWER = {
    "id": "gen-1",
    "model": "openai/gpt-5",
    "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
}


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


@pytest.mark.parametrize(
    ("model", "preferences", "judged"),
    [
        ("openai/gpt-5-mini", {"service_tier": "priority"}, False),
        ("openai/gpt-5-mini:nitro", {}, False),
        ("openai/gpt-5-mini", {"order": ["openai/flex"]}, False),
        ("openai/gpt-5-mini", {"service_tier": "auto"}, True),
        ("openai/gpt-5-mini", {}, True),
    ],
)
def test_ignoring_a_provider_does_not_mean_its_service_tiers(
    model: str, preferences: dict[str, Any], judged: bool
) -> None:
    asked = preferences_of(preferences, ignore=["openai"])
    assert (find_violation("OpenAI", asked, model) is not None) is judged
    assert (unjudged("OpenAI", asked, model) is not None) is not judged
    assert find_violation("Azure", asked, model) is unjudged("Azure", asked, model) is None


def test_a_warning_points_at_the_line_that_made_the_request() -> None:
    with Emulator() as emulator:
        client = OpenRouterClient(base_url=emulator.base_url, api_key="k", on_violation="warn")
        emulator.script([{**ANSWER, "provider": "Groq"}])
        with pytest.warns(RoutingWarning, match="Groq served") as caught:
            client.chat([{"role": "user", "content": "Hi"}], model="openai/gpt-5", only=["azure"])
    assert [warning.filename for warning in caught] == [__file__]
