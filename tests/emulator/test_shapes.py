"""Every answer of the emulator fits the types of OpenRouter's own SDK, which follow its API description."""

import json
from typing import Any

import pytest
from openrouter import components, operations

from openrouter_routing.emulator import Emulator

from .conftest import CLAUDE, MODEL, Client
from .test_faults import events
from .test_streams import WEATHER

METADATA = {"X-OpenRouter-Metadata": "enabled"}
CHATS: list[dict[str, Any]] = [
    {"model": MODEL, "logprobs": True, "top_logprobs": 2, "n": 2},
    {"model": CLAUDE, "tools": [WEATHER], "reasoning": {"effort": "low"}},
    {"model": "openai/gpt-5-mini", "reasoning": {"effort": "low"}, "service_tier": "flex"},
    {"model": "google/gemini-2.5-flash", "reasoning": {"enabled": True}},
    {"model": "google/gemini-2.5-flash-image", "modalities": ["image", "text"]},
    {"model": "deepseek/deepseek-chat-v3.1", "reasoning": {"enabled": True}},
    {"model": f"{MODEL}:online"},
]


@pytest.mark.parametrize("fields", CHATS, ids=lambda fields: fields["model"])
def test_chats_fit(client: Client, fields: dict[str, Any]) -> None:
    prompt = "The weather in Paris for 2 days"
    answer = client.say(prompt, headers=METADATA, **fields)
    read = components.ChatResult.model_validate(answer)
    assert read.choices[0].finish_reason == answer["choices"][0]["finish_reason"]
    assert read.usage is not None
    assert read.usage.cost == answer["usage"]["cost"]
    assert read.openrouter_metadata is not None
    for chunk in events(client.chat(prompt, stream=True, headers=METADATA, **fields))[:-1]:
        components.ChatStreamChunk.model_validate(chunk)


def test_errors_in_streams_fit(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="mid_stream_error", provider_code="lost")
    chunks = [
        components.ChatStreamChunk.model_validate(c) for c in events(client.chat(stream=True))[:-1]
    ]
    assert chunks[-1].error is not None
    assert chunks[-1].error.code == 502


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("/models", components.ModelsListResponse),
        ("/models?output_modalities=all", components.ModelsListResponse),
        ("/embeddings/models", components.ModelsListResponse),
        (f"/model/{MODEL}", components.ModelResponse),
        ("/model/meta-llama/llama-3.3-70b-instruct:free", components.ModelResponse),
        (f"/models/{MODEL}/endpoints", operations.ListEndpointsResponse),
        ("/models/cohere/rerank-v3.5/endpoints", operations.ListEndpointsResponse),
        ("/endpoints/zdr", operations.ListEndpointsZdrResponse),
        ("/providers", operations.ListProvidersResponse),
        pytest.param(
            "/key",
            operations.GetCurrentKeyResponse,
            marks=pytest.mark.filterwarnings("ignore:warning. .. DEPRECATED"),
        ),
        ("/credits", operations.GetCreditsResponse),
    ],
)
def test_listings_fit(client: Client, path: str, type_: Any) -> None:
    response = client.http.get(path)
    assert response.status_code == 200
    type_.model_validate(response.json())


def test_generations_fit(client: Client) -> None:
    identity = client.say("Hi")["id"]
    client.http.get("/generation", params={"id": identity})
    generation = components.GenerationResponse.model_validate(
        client.get("/generation", id=identity)
    )
    assert generation.data.id == identity


def test_embeddings_and_rankings_fit(client: Client) -> None:
    body = {"model": "openai/text-embedding-3-small", "input": ["a", "b"]}
    embedded = client.post("/embeddings", body).json()
    operations.CreateEmbeddingsResponseBody.model_validate(embedded)
    ranked = client.post(
        "/rerank", {"model": "cohere/rerank-v3.5", "query": "a", "documents": ["a"]}
    ).json()
    operations.CreateRerankResponseBody.model_validate(ranked)


def test_every_answer_is_json_without_surprises(client: Client) -> None:
    text = client.chat("Grüße 🎉").text
    assert "🎉" in text
    assert json.loads(text)["choices"][0]["message"]["content"] == "Grüße 🎉"
