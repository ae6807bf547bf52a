"""What `extra_body` says goes past all checks: it is sent, judged as it was sent, and held back by a policy alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from openrouter_routing import (
    OpenRouterClient,
    PreferencesError,
    RoutingPreferences,
    RoutingViolation,
    errors,
    record_routes,
)
from openrouter_routing.emulator import Emulator
from openrouter_routing.request import as_sent

MODEL = "openai/gpt-5-mini"
MESSAGES = [{"role": "user", "content": "Hi"}]

Ask = Callable[..., Any]
ASKS: dict[str, Ask] = {
    "chat": lambda client, **options: client.chat(MESSAGES, model=MODEL, **options),
    "stream": lambda client, **options: list(client.stream(MESSAGES, model=MODEL, **options)),
    "embeddings": lambda client, **options: client.embeddings(
        ["Bern"], model="openai/text-embedding-3-small", **options
    ),
    "rerank": lambda client, **options: client.rerank(
        "Bern?", ["Bern", "Zug"], model="cohere/rerank-v3.5", **options
    ),
}


@pytest.fixture(params=ASKS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return ASKS[request.param]


def client_of(emulator: Emulator, **fields: Any) -> OpenRouterClient:
    return OpenRouterClient(api_key="any", base_url=emulator.base_url, max_retries=0, **fields)


@pytest.mark.parametrize("provider", [{"ignore": []}, {"ignore": ["groq"]}, None, "azure"])
def test_nothing_loosens_a_policy(ask: Ask, provider: Any) -> None:
    with Emulator() as emulator:
        client = client_of(emulator, policy={"ignore": ["groq", "azure"]})
        with pytest.raises(PreferencesError, match=r"may not change provider\.ignore"):
            ask(client, extra_body={"provider": provider})
        assert emulator.requests == []


def test_a_provider_adds_to_the_preferences_field_by_field(ask: Ask) -> None:
    with Emulator() as emulator:
        client = client_of(emulator, routing={"provider": {"ignore": ["groq"], "sort": "price"}})
        ask(client, extra_body={"provider": {"sort": "latency"}})
        sent = emulator.requests[-1].json["provider"]
        assert sent == {"ignore": ["groq"], "sort": "latency"}


def test_an_answer_is_held_against_what_was_sent() -> None:
    with Emulator() as emulator:
        client = client_of(emulator, routing={"provider": {"only": ["openai"]}})
        answer = client.chat(MESSAGES, model=MODEL, extra_body={"provider": {"only": ["azure"]}})
        assert answer.route.provider == "Azure"
        emulator.script([{"choices": [{"message": {"content": "Hi"}}], "provider": "Groq"}])
        with pytest.raises(RoutingViolation, match=r"not in provider\.only=\['azure'\]"):
            client.chat(MESSAGES, model=MODEL, extra_body={"provider": {"only": ["azure"]}})


def test_what_cannot_be_read_is_not_judged() -> None:
    held = RoutingPreferences(provider={"only": ["openai"], "zdr": True}, models=["a/b"])
    left = as_sent(held, {"provider": {"only": "a new form"}, "models": "a new form"})
    assert left.to_wire() == {"provider": {"zdr": True}}
    assert as_sent(held, {"provider": "a new form"}).to_wire() == {"models": ["a/b"]}
    assert as_sent(held, {"new": 1}) == held


def test_errors_tell_what_was_sent() -> None:
    with Emulator() as emulator:
        client = client_of(emulator, routing={"provider": {"only": ["openai"]}})
        with pytest.raises(errors.NoEndpointsError) as caught:
            client.chat(MESSAGES, model=MODEL, extra_body={"provider": {"only": ["groq"]}})
    assert "provider.only  ['groq']  extra_body" in str(caught.value)


def test_fallback_models_count_as_requested() -> None:
    with Emulator() as emulator, record_routes() as log:
        emulator.script(
            [{"choices": [{"message": {"content": "Hi"}}], "model": "openai/gpt-5-nano"}]
        )
        client_of(emulator).chat(
            MESSAGES, model="openai/gpt-5", extra_body={"models": ["openai/gpt-5-nano"]}
        )
    assert log.fallbacks == [log[0]]
    assert log[0].requested_models == ("openai/gpt-5-nano",)


def test_describe_tells_what_extra_body_sends() -> None:
    client = OpenRouterClient(api_key="k", routing={"sort": "price", "zdr": True})
    told = client.describe(extra_body={"provider": {"sort": "latency", "only": ["azure"]}})
    assert told.splitlines() == [
        "provider.only  ['azure']  extra_body",
        "provider.zdr   True       instance",
        "provider.sort  'latency'  extra_body",
    ]
