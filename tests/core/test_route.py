"""A route tells where a request went and what it cost, whatever the wire left out."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_routing import BadRequestError, Route, Usage
from openrouter_routing.route import fallback_used, route_metadata

BODY: dict[str, Any] = {
    "id": "gen-1",
    "model": "openai/gpt-5-mini",
    "provider": "Azure",
    "created": 1763800000,
    "system_fingerprint": "fp_1",
    "service_tier": "default",
    "choices": [{"finish_reason": "stop", "native_finish_reason": "completed"}],
    "usage": {
        "prompt_tokens": 10.0,
        "completion_tokens": 5,
        "cost": 0.003,
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": 0.003},
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 3, "image_tokens": 1},
    },
    "openrouter_metadata": {
        "strategy": "direct",
        "region": "iad",
        "attempts": [
            {"provider": "OpenAI", "model": "openai/gpt-5", "status": 429},
            {"provider": "Azure", "model": "openai/gpt-5-mini", "status": 200},
        ],
    },
}


def test_a_whole_answer_gives_a_whole_route() -> None:
    route = Route.from_wire(
        BODY, requested_model="openai/gpt-5", requested_models=["openai/gpt-5-mini"], retries=1
    )
    assert route.fallback_used
    assert (route.provider, route.strategy, route.region) == ("Azure", "direct", "iad")
    assert [attempt.status for attempt in route.attempts] == [429, 200]
    assert route.usage.total_tokens == 15
    assert (route.usage.cached_tokens, route.usage.cache_write_tokens) == (4, 2)
    assert route.usage.prompt_tokens == 10
    assert isinstance(route.usage.prompt_tokens, int)
    assert route.total_cost == Decimal("0.003")


@pytest.mark.parametrize(
    ("is_byok", "total"), [(True, "0.0125"), (False, "0.0025"), (None, "0.0025")]
)
def test_the_providers_own_bill_counts_under_byok_alone(is_byok: bool | None, total: str) -> None:
    route = Route(cost=0.0025, cost_details={"upstream_inference_cost": 0.01}, is_byok=is_byok)
    assert route.total_cost == Decimal(total)


def test_amounts_may_come_as_texts() -> None:
    usage = {
        "cost": "0.5",
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": "0.25"},
    }
    assert Route.from_wire({"usage": usage}).total_cost == Decimal("0.75")


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), 10**400, "nan", True, "free", None])
def test_a_cost_that_is_no_amount_is_no_cost(cost: Any) -> None:
    assert Route.from_wire({"usage": {"cost": cost}}).total_cost is None


def test_no_cost_on_the_wire_is_no_cost_and_not_zero() -> None:
    assert Route().total_cost is None
    assert Route(cost=0).total_cost == Decimal(0)


@pytest.mark.parametrize(
    ("requested", "fallbacks", "served", "used"),
    [
        ("openai/gpt-5", [], "openai/gpt-5", False),
        ("openai/gpt-5", [], "openai/gpt-5-2025-08-07", False),
        ("openai/gpt-5:nitro", [], "openai/gpt-5", False),
        ("anthropic/claude-sonnet-4.5", [], "anthropic/claude-4.5-sonnet-20250929", False),
        ("openai/gpt-5", ["openai/gpt-5-mini"], "openai/gpt-5-mini-2025-08-07", True),
        ("openai/gpt-5", ["openai/gpt-5-mini"], "openai/gpt-5-2025-08-07", False),
        ("openai/gpt-5-mini", ["openai/gpt-5"], "openai/gpt-5-mini", False),
        (
            "openai/gpt-5",
            ["a/b", "anthropic/claude-sonnet-4.5"],
            "anthropic/claude-4.5-sonnet-20250929",
            True,
        ),
        ("openrouter/auto", [], "mistralai/mistral-small", False),
        ("~anthropic/claude-sonnet-latest", [], "anthropic/claude-4.5-sonnet", False),
        ("openai/gpt-5", ["a/b"], "x/something-else", True),
        ("~openai/gpt-latest", ["z-ai/glm-4.6"], "openai/gpt-5.2", False),
        ("~openai/gpt-latest", ["z-ai/glm-4.6"], "z-ai/glm-4.6-20250930", True),
        ("openai/gpt-5.2@preset/mine", ["z-ai/glm-4.6"], "openai/gpt-5.2", False),
        ("@preset/mine", ["z-ai/glm-4.6"], "openai/gpt-5.2", False),
        ("openrouter/auto", ["anthropic/claude-sonnet-4.5"], "openai/gpt-4o-mini", False),
        (None, ["a/b"], "a/b", False),
        (None, ["a/b", "c/d"], "c/d", True),
        ("openai/gpt-5", ["a/b"], None, False),
    ],
)
def test_fallbacks_are_told_from_canonical_names(
    requested: str | None, fallbacks: list[str], served: str | None, used: bool
) -> None:
    assert fallback_used(requested, fallbacks, served) is used


def test_metadata_has_the_keys_the_wire_had_and_no_others() -> None:
    full = route_metadata(BODY, Route.from_wire(BODY, requested_model="openai/gpt-5-mini"))
    assert set(full) == {
        "model_name", "requested_model", "fallback_used", "provider", "finish_reason", "native_finish_reason",
        "id", "created", "system_fingerprint", "service_tier", "cost", "cost_details", "is_byok",
        "openrouter_metadata",
    }  # fmt: skip
    bare = route_metadata({}, Route.from_wire({}, requested_model="a/b"))
    assert bare == {"model_name": "a/b", "requested_model": "a/b", "fallback_used": False}


def test_a_route_comes_back_out_of_the_metadata() -> None:
    route = Route.from_wire(
        BODY, requested_model="openai/gpt-5", requested_models=["openai/gpt-5-mini"]
    )
    message = SimpleNamespace(
        response_metadata=route_metadata(BODY, route),
        usage_metadata={
            "input_tokens": 10, "output_tokens": 5, "total_tokens": 15,
            "input_token_details": {"cache_read": 4, "cache_creation": 2, "audio": 1},
            "output_token_details": {"reasoning": 3, "image": 1},
        },
    )  # fmt: skip
    result = SimpleNamespace(generations=[[SimpleNamespace(message=message)]])
    response = SimpleNamespace(additional_kwargs=route_metadata(BODY, route), raw=BODY)
    for answer in (message, result, response):
        read = Route.of(answer)
        assert read.to_dict() == {
            name: value for name, value in route.to_dict().items() if name != "requested_models"
        }


def test_the_wires_own_answer_tells_its_route() -> None:
    body = {**BODY, "choices": [{"finish_reason": "stop", "native_finish_reason": "end_turn"}]}
    for answer in (body, SimpleNamespace(raw=body)):
        route = Route.of(answer)
        assert (route.model, route.cost) == (BODY["model"], BODY["usage"]["cost"])
        assert route.native_finish_reason == "end_turn"


def test_a_route_prints_as_one_short_line() -> None:
    route = Route(
        requested_model="a/b", model="c/d", provider="Groq", fallback_used=True, finish_reason="stop",
        usage=Usage(total_tokens=12), cost=0.00000012,
    )  # fmt: skip
    assert str(route) == "<Route: c/d by Groq, fallback for a/b, stop, 12 tokens, 0.00000012 USD>"
    assert str(Route()) == "<Route: a model not told by a provider not told>"


@pytest.mark.parametrize("stranger", ["text", object(), {}, SimpleNamespace(response_metadata={})])
def test_reading_a_route_from_a_stranger_says_what_to_hand_over(stranger: object) -> None:
    with pytest.raises(BadRequestError, match="carries no routing metadata"):
        Route.of(stranger)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(BODY, json_values)))
def test_any_wire_gives_a_route(body: dict[str, Any]) -> None:
    route = Route.from_wire(body, requested_model="a/b")
    route.to_dict()
    assert route_metadata(body, route)["requested_model"] == "a/b"
