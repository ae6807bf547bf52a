from typing import Any

import pytest

from .conftest import KEY, LLAMA, MODEL, Client

USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [USER, {"role": "user"}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"service_tier": "gold"}, "service_tier"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"session_id": "x" * 257}, "session_id"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"function": {"name": "f"}}]}, "tools[0]"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.name"),
        ({"model": None}, "model"),
        ({"models": ["a/b", 5]}, "models"),
        ({"provider": {"oder": ["openai"]}}, "provider"),
        ({"provider": {"sort": "prise"}}, "provider.sort"),
        ({"provider": {"max_price": {"prompt": "x"}}}, "provider.max_price.prompt"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_with_its_field(
    client: Client, fields: dict[str, Any], field: str
) -> None:
    response = client.post("/chat/completions", {"model": MODEL, "messages": [USER], **fields})
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["code"] == 400
    assert error["metadata"]["field"] == field
    assert error["metadata"]["error_type"] == "invalid_request"


@pytest.mark.parametrize("body", [b"{", b"", b"[1]", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(client: Client, body: bytes) -> None:
    assert client.http.post("/chat/completions", content=body, headers=KEY).status_code == 400


@pytest.mark.parametrize(
    ("fields", "status", "code", "excluded_by"),
    [
        ({"model": "openai/gpt4o-mini"}, 400, "model_not_found", None),
        ({"model": "cohere/rerank-v3.5"}, 400, "wrong_endpoint", None),
        ({"model": "openai/gpt-4o-mini:free"}, 404, "free_variant_ended", None),
        ({"provider": {"only": ["groq"]}}, 404, "constraint_filtered", ["allowed_providers"]),
        (
            {"provider": {"max_price": {"prompt": 0.0001}}},
            404,
            "constraint_filtered",
            ["max_price"],
        ),
        ({"provider": {"quantizations": ["fp8"]}}, 404, "constraint_filtered", ["quantization"]),
        ({"max_tokens": 900_000}, 404, "constraint_filtered", ["context_length"]),
        (
            {"top_a": 0.5, "provider": {"require_parameters": True}},
            404,
            "constraint_filtered",
            ["require_parameters"],
        ),
        (
            {"model": "openai/gpt-4o-mini", "provider": {"zdr": True, "only": ["openai"]}},
            404,
            "constraint_filtered",
            None,
        ),
        (
            {
                "model": "moonshotai/kimi-k2-0905",
                "provider": {"data_collection": "deny", "zdr": True, "only": ["moonshotai"]},
            },
            404,
            "constraint_filtered",
            None,
        ),
    ],
)
def test_when_nobody_is_left_the_error_says_which_rules_did_it(
    client: Client, fields: dict[str, Any], status: int, code: str, excluded_by: list[str] | None
) -> None:
    error = client.error(status, **fields)
    availability = error["availability"]
    assert (availability["code"], availability["retryable"]) == (code, False)
    if excluded_by is not None:
        assert [
            reason for reason in availability["excluded_by"] if reason != "service_tier"
        ] == excluded_by


def test_an_unknown_model_is_answered_with_the_nearest(client: Client) -> None:
    error = client.error(400, model="openai/gpt4o-mini")
    assert error["message"] == "openai/gpt4o-mini is not a valid model ID"
    assert MODEL in error["availability"]["fallback_models"]


def test_the_free_variant_that_ended_names_the_paid_one(client: Client) -> None:
    assert client.error(404, model=f"{MODEL}:free")["availability"]["fallback_models"] == [MODEL]


def test_the_data_policy_alone_is_an_error_of_its_own(client: Client) -> None:
    error = client.error(404, model=f"{LLAMA}:free", provider={"zdr": True})
    assert error["availability"]["code"] == "privacy_restricted"
    assert error["availability"]["excluded_by"] == ["data_policy:zdr"]


def test_metadata_is_told_where_nobody_was_left(client: Client) -> None:
    response = client.chat(
        provider={"only": ["groq"]}, headers={"X-OpenRouter-Metadata": "enabled"}
    )
    metadata = response.json()["openrouter_metadata"]
    assert metadata["endpoints"] == {"total": 0, "available": []}
    assert metadata["attempts"] == []
