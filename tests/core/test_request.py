"""Bodies and headers: what was set is in them, in one order, and the official SDK's description agrees."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openrouter.components import ChatRequest

from openrouter_routing import (
    BadRequestError,
    OpenRouterClient,
    PreferencesError,
    RoutingPreferences,
    routing,
)
from openrouter_routing.request import (
    OPTIONS,
    PARAMETERS,
    build_body,
    read_options,
    routing_headers,
)
from openrouter_routing.resolution import policy_of
from tests.strategies import routing_preferences

MESSAGES = [{"role": "user", "content": "Hi"}]


def _body(**options: Any) -> dict[str, Any]:
    read = read_options({"model": "openai/gpt-5", **options})
    return build_body(
        model=read.model,
        messages=MESSAGES,
        parameters=read.parameters,
        preferences=read.preferences,
        extra_body=read.extra_body,
        policy=read.policy,
    )


@given(routing_preferences)
def test_every_body_is_one_the_official_sdk_describes(preferences: RoutingPreferences) -> None:
    body = build_body(
        model="openai/gpt-5",
        messages=MESSAGES,
        parameters={},
        preferences=preferences,
        extra_body={},
    )
    described = ChatRequest.model_validate(_as_the_sdk_writes_it(body))
    assert described.model_dump(by_alias=True, exclude_unset=True)["model"] == "openai/gpt-5"


def _as_the_sdk_writes_it(body: dict[str, Any]) -> dict[str, Any]:
    """Prices: the API takes numbers and strings, the description knows strings alone; `options` it does not know."""
    body = json.loads(json.dumps(body))
    provider = body.get("provider", {})
    provider.pop("options", None)
    for kind, price in provider.get("max_price", {}).items():
        provider["max_price"][kind] = str(price)
    return body


@given(routing_preferences, st.randoms())
def test_the_order_of_keys_does_not_depend_on_the_order_of_writing(
    preferences: RoutingPreferences, random: Any
) -> None:
    settings = list(preferences.settings().items())
    random.shuffle(settings)
    shuffled = RoutingPreferences.from_settings(dict(settings))
    bodies = [
        build_body(model="x/y", messages=MESSAGES, parameters={}, preferences=each, extra_body={})
        for each in (preferences, shuffled)
    ]
    assert json.dumps(bodies[0]) == json.dumps(bodies[1])


def test_the_whole_body_in_its_order() -> None:
    body = _body(
        zdr=True, models=["a/b"], max_tokens=5, temperature=0, user="u", extra_body={"new": 1}
    )
    assert list(body) == [
        "model", "models", "messages", "temperature", "max_tokens", "provider", "user", "new",
    ]  # fmt: skip
    assert body["temperature"] == 0


def test_nothing_is_sent_that_was_not_set() -> None:
    assert _body() == {"model": "openai/gpt-5", "messages": MESSAGES}
    assert _body(temperature=None, tools=None) == _body()


def test_falsy_values_are_set() -> None:
    body = _body(
        temperature=0, logprobs=False, stop=[], zdr=False, order=[], parallel_tool_calls=False
    )
    assert (body["temperature"], body["logprobs"], body["stop"]) == (0, False, [])
    assert body["provider"] == {"order": [], "zdr": False}
    assert body["parallel_tool_calls"] is False


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_reaches_the_body(name: str) -> None:
    assert _body(**{name: {"any": "value"}})[name] == {"any": "value"}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("temprature", "did you mean 'temperature'?"),
        ("allow_fallback", "did you mean 'allow_fallbacks'?"),
        ("fallbacks", "extra_body={'fallbacks': ...}"),
        ("max_token", "did you mean 'max_tokens'?"),
        ("brand_new_param", "extra_body={'brand_new_param': ...}"),
    ],
)
def test_an_unknown_argument_names_the_nearest_one(name: str, says: str) -> None:
    with pytest.raises(BadRequestError, match="unknown argument") as caught:
        read_options({name: 1})
    assert says in str(caught.value)


def test_options_are_listed_once() -> None:
    assert len(OPTIONS) == len(set(OPTIONS))


def test_extra_body_is_merged_last_and_not_checked() -> None:
    body = _body(
        sort="price", zdr=True, extra_body={"provider": {"sort": "new", "x": 1}, "top_k": "?"}
    )
    assert body["provider"] == {"sort": "new", "zdr": True, "x": 1}
    assert body["top_k"] == "?"


def test_extra_body_cannot_loosen_a_policy() -> None:
    policy = policy_of({"zdr": True})
    assert policy is not None
    preferences = RoutingPreferences(provider=policy)
    for extra in ({"provider": {"zdr": False}}, {"provider": None}):
        with pytest.raises(PreferencesError, match=r"may not change provider\.zdr"):
            build_body(
                model="x/y", messages=MESSAGES, parameters={}, preferences=preferences,
                extra_body=extra, policy=policy,
            )  # fmt: skip


@pytest.mark.parametrize("model", ["", "  ", 5])
def test_an_empty_model_is_an_error(model: Any) -> None:
    with pytest.raises(BadRequestError, match="model must be a name"):
        _body(model=model)


def test_no_model_at_all_is_an_error_unless_something_names_one() -> None:
    with pytest.raises(BadRequestError, match="no model"):
        _body(model=None)
    assert _body(model=None, models=["a/b"]) == {"models": ["a/b"], "messages": MESSAGES}
    assert _body(model=None, preset="mine")["preset"] == "mine"


def test_no_messages_is_an_error() -> None:
    with pytest.raises(BadRequestError, match="messages is empty"):
        build_body(
            model="x/y", messages=[], parameters={}, preferences=RoutingPreferences(), extra_body={}
        )


def test_a_fallback_that_is_the_primary_is_an_error() -> None:
    with pytest.raises(
        PreferencesError, match="'openai/gpt-5', which is the primary model already"
    ):
        _body(models=["a/b", "openai/gpt-5"])


@pytest.mark.parametrize(
    ("preferences", "headers"),
    [
        ({}, {"X-OpenRouter-Metadata": "enabled"}),
        ({"router_metadata": True}, {"X-OpenRouter-Metadata": "enabled"}),
        ({"router_metadata": False}, {"X-OpenRouter-Metadata": "disabled"}),
        (
            {"response_cache": True},
            {"X-OpenRouter-Metadata": "enabled", "X-OpenRouter-Cache": "true"},
        ),
        (
            {"response_cache": False},
            {"X-OpenRouter-Metadata": "enabled", "X-OpenRouter-Cache": "false"},
        ),
        (
            {"response_cache": 60},
            {
                "X-OpenRouter-Metadata": "enabled",
                "X-OpenRouter-Cache": "true",
                "X-OpenRouter-Cache-TTL": "60",
            },
        ),
    ],
)
def test_what_travels_as_headers(preferences: dict[str, Any], headers: dict[str, str]) -> None:
    assert routing_headers(RoutingPreferences(**preferences)) == headers
    assert "router_metadata" not in _body(**preferences)
    assert "response_cache" not in _body(**preferences)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"temperature": float("nan")}, "temperature must be a finite number"),
        ({"top_p": float("inf")}, "top_p must be a finite number"),
        ({"extra_body": "x"}, "extra_body takes a dict, got str"),
        ({"extra_body": [1]}, "extra_body takes a dict, got list"),
        ({"policy": "zdr"}, "policy takes ProviderPreferences or a dict of its fields, got 'zdr'"),
        ({"policy": ["zdr"]}, "policy takes ProviderPreferences"),
        ({"routing": "price"}, "takes RoutingPreferences, or a dict"),
        ({"max_price": 3}, "max_price: takes prices by kind, such as {'prompt': 1"),
        ({"zdr": "yes"}, "zdr: takes True or False"),
        ({"provider": "azure"}, "provider: takes provider preferences, such as {'sort': 'price'}"),
        ({"reasoning": {"effrt": "high"}}, "did you mean 'effort'?"),
    ],
)
def test_mistakes_of_a_call_are_errors_in_plain_words(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read_options(options)
    assert says in caught.value.message
    with pytest.raises(BadRequestError, match="policy takes"), routing(policy="zdr"):  # type: ignore[arg-type]
        pass


def test_the_name_of_a_header_is_a_text() -> None:
    client = OpenRouterClient(api_key="k")
    with pytest.raises(BadRequestError, match="the name of a header is a text, got 1"):
        client.chat([{"role": "user", "content": "Hi"}], model="a/b", extra_headers={1: "x"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("functions", "unknown argument 'functions'; did you mean 'tools'? (a field"),
        ("thinking", "did you mean 'reasoning'?"),
        ("foobarbaz", "unknown argument 'foobarbaz' (a field of the API that is new goes into"),
    ],
)
def test_an_unknown_argument_leads_on(name: str, said: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        read_options({name: 1})
    assert said in str(caught.value)


@pytest.mark.parametrize("value", [-1, 0, "yes", 1.5])
def test_a_response_cache_is_a_switch_or_seconds(value: object) -> None:
    with pytest.raises(PreferencesError) as caught:
        read_options({"response_cache": value})
    assert str(caught.value) == (
        f"response_cache: takes True, False or a whole number of seconds greater than 0, got {value!r}"
    )
