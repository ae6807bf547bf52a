import base64
import json
import math
import struct
from typing import Any

import httpx
import pytest

from openrouter_routing.catalog import Catalog
from openrouter_routing.emulator import Emulator
from openrouter_routing.planning import plan_route

from .conftest import CLAUDE, LLAMA, MODEL, Client

EMBEDDING = "openai/text-embedding-3-small"
RERANK = "cohere/rerank-v3.5"


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def chunks(response: httpx.Response) -> list[Any]:
    events = (line.removeprefix("data: ") for line in response.text.splitlines() if "{" in line)
    return [json.loads(event) for event in events]


def test_models_are_listed_by_what_they_write_and_in_pages(client: Client) -> None:
    listed = client.get("/models")
    ids = [model["id"] for model in listed["data"]]
    assert MODEL in ids
    assert EMBEDDING not in ids
    assert listed["total_count"] == len(ids)
    everything = [m["id"] for m in client.get("/models", output_modalities="all")["data"]]
    assert {EMBEDDING, RERANK} <= set(everything)
    first = client.get("/models", limit=4)
    assert [m["id"] for m in first["data"]] == ids[:4]
    assert "offset=4" in first["links"]["next"]
    assert client.get("/models", limit=4, offset=len(ids) - 1)["links"]["next"] is None
    images = client.get("/models", output_modalities="image")["data"]
    assert [m["id"] for m in images] == ["google/gemini-2.5-flash-image"]
    with_verbosity = client.get("/models", supported_parameters="verbosity")["data"]
    assert [m["id"] for m in with_verbosity] == ["openai/gpt-5-mini", "~openai/gpt-mini-latest"][
        : len(with_verbosity)
    ]
    assert client.http.get("/models", params={"limit": "x"}).status_code == 400
    assert [m["id"] for m in client.get("/embeddings/models")["data"]] == [
        EMBEDDING,
        "qwen/qwen3-embedding-8b",
    ]


def test_one_model_and_its_endpoints(client: Client) -> None:
    assert client.get(f"/model/{LLAMA}:free")["data"]["id"] == f"{LLAMA}:free"
    assert client.get("/model/~anthropic/claude-sonnet-latest")["data"]["id"] == CLAUDE
    answer = client.get(f"/models/{MODEL}/endpoints")["data"]
    assert (answer["id"], answer["name"]) == (MODEL, "OpenAI: GPT-4o-mini")
    assert [e["tag"] for e in answer["endpoints"]] == [
        e.tag for e in Catalog.sample().model(MODEL).endpoints
    ]
    response = client.http.get("/models/openai/gpt-4o-mimi/endpoints")
    assert response.status_code == 404
    assert MODEL in response.json()["error"]["message"]


def test_a_snapshot_taken_from_the_emulator_plans_like_its_catalog(client: Client) -> None:
    class Api:
        def models(self) -> Any:
            return client.get("/models", output_modalities="all")

        def endpoints(self, model: str, /) -> Any:
            return client.get(f"/models/{model}/endpoints")

        def zdr_endpoints(self) -> Any:
            return client.get("/endpoints/zdr")

    snapshot = Catalog.from_api(Api())
    for request in (
        {"model": CLAUDE, "provider": {"zdr": True}},
        {"model": LLAMA, "provider": {"sort": "price"}},
    ):
        plans = [plan_route(request, catalog.endpoints) for catalog in (snapshot, Catalog.sample())]
        first, second = [
            [(c.endpoint.tag, c.probability) for c in plan.candidates] for plan in plans
        ]
        assert first == second


def test_providers_key_and_credits(emulator: Emulator, client: Client) -> None:
    providers = {entry["slug"]: entry["name"] for entry in client.get("/providers")["data"]}
    assert providers["google-vertex"] == "Google"
    assert client.get("/credits")["data"]["total_usage"] == 0
    spent = sum(client.say("Hi")["usage"]["cost"] for _ in range(3))
    assert client.get("/credits")["data"]["total_usage"] == pytest.approx(spent)
    assert client.get("/key")["data"]["usage"] == pytest.approx(spent)


def test_a_generation_is_known_a_moment_later(emulator: Emulator, client: Client) -> None:
    emulator.fault(provider="openai")
    answer = client.say(
        "Hi", provider={"order": ["openai", "azure"]}, headers={"HTTP-Referer": "https://a.example"}
    )
    identity = answer["id"]
    assert client.http.get("/generation", params={"id": identity}).status_code == 404
    generation = client.get("/generation", id=identity)["data"]
    assert generation["provider_name"] == "Azure"
    assert generation["total_cost"] == answer["usage"]["cost"]
    assert generation["native_finish_reason"] == "stop"
    assert [(r["provider_name"], r["status"]) for r in generation["provider_responses"]] == [
        ("OpenAI", 503),
        ("Azure", 200),
    ]
    assert generation["http_referer"] == "https://a.example"
    assert generation["cancelled"] is False
    assert client.http.get("/generation", params={"id": "gen-no"}).status_code == 404
    assert client.http.get("/generation").status_code == 400


def test_keys_are_asked_for_everywhere(client: Client) -> None:
    for method, path in (
        ("POST", "/chat/completions"),
        ("POST", "/embeddings"),
        ("GET", "/key"),
        ("GET", "/models"),
    ):
        response = client.http.request(method, path, headers={"Authorization": ""}, json={})
        assert response.status_code == 401
        assert response.json()["error"]["metadata"]["error_type"] == "authentication"
    with Emulator(api_key="sk-right") as emulator, Client(emulator).http as http:
        assert http.get("/key").status_code == 401
        assert http.get("/key", headers={"Authorization": "Bearer sk-right"}).status_code == 200


def test_models_are_counted_as_they_are_listed(client: Client) -> None:
    for query in ({}, {"output_modalities": "all"}, {"output_modalities": "embeddings,rerank"}):
        listed = client.get("/models", **query)["data"]
        assert client.get("/models/count", **query) == {"data": {"count": len(listed)}}


def test_what_is_not_there_is_a_404_in_json(client: Client) -> None:
    assert client.http.get("/nowhere").json()["error"]["code"] == 404
    assert client.http.get("/chat/completions").status_code == 405


def test_texts_that_share_words_have_similar_vectors(client: Client) -> None:
    texts = ["The heron waits for fish", "A heron eats fish", "Foxes hunt at night"]
    answer = client.post("/embeddings", {"model": EMBEDDING, "input": texts}).json()
    heron, eats, fox = (entry["embedding"] for entry in answer["data"])
    assert len(heron) == 1536
    assert math.isclose(cosine(heron, heron), 1)
    assert cosine(heron, eats) > cosine(heron, fox) + 0.3
    assert answer["usage"]["cost"] == pytest.approx(
        answer["usage"]["prompt_tokens"] * 0.02e-6, rel=0.2
    )
    assert (answer["provider"] in {"OpenAI", "Azure"}, answer["id"][:4]) == (True, "gen-")


def test_vectors_come_in_base64_and_in_any_size(client: Client) -> None:
    body = {"model": EMBEDDING, "input": "some words here", "dimensions": 16}
    plain = client.post("/embeddings", body).json()["data"][0]["embedding"]
    packed = client.post("/embeddings", {**body, "encoding_format": "base64"}).json()["data"][0][
        "embedding"
    ]
    assert struct.unpack("<16f", base64.b64decode(packed)) == pytest.approx(plain)
    tokens = client.post("/embeddings", {**body, "input": [[1, 2], [3]]}).json()
    assert len(tokens["data"]) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": ""},
        {"input": []},
        {"input": [""]},
        {"input": None},
        {"dimensions": 0},
        {"encoding_format": "hex"},
    ],
)
def test_embeddings_of_nothing_are_refused(client: Client, wrong: dict[str, object]) -> None:
    assert (
        client.post("/embeddings", {"model": EMBEDDING, "input": "x", **wrong}).status_code == 400
    )


def test_embeddings_are_routed_like_everything_else(client: Client) -> None:
    body = {"model": EMBEDDING, "input": "x", "provider": {"only": ["azure/eu"]}}
    answer = client.post("/embeddings", body, headers={"X-OpenRouter-Metadata": "enabled"}).json()
    assert answer["provider"] == "Azure"
    assert answer["openrouter_metadata"]["endpoints"]["total"] == 1
    wrong = client.post("/embeddings", {"model": MODEL, "input": "x"})
    assert wrong.json()["error"]["availability"]["code"] == "wrong_endpoint"
    body["provider"] = {"only": ["cohere"]}
    assert (
        client.post("/embeddings", body).json()["error"]["availability"]["code"]
        == "constraint_filtered"
    )


def test_documents_are_ranked_by_the_words_of_the_query(client: Client) -> None:
    documents: list[Any] = [
        "Nothing here",
        "A fox",
        {"text": "The heron eats fish in the river"},
        "heron fish",
    ]
    body = {"model": RERANK, "query": "heron fish", "documents": documents}
    answer = client.post("/rerank", body).json()
    assert [result["index"] for result in answer["results"]] == [3, 2, 0, 1]
    scores = [result["relevance_score"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert answer["usage"]["cost"] > 0
    assert len(client.post("/rerank", {**body, "top_n": 2}).json()["results"]) == 2
    refused: list[dict[str, object]] = [{"documents": []}, {"query": ""}, {"top_n": 0}]
    for wrong in refused:
        assert client.post("/rerank", {**body, **wrong}).status_code == 400


def test_a_session_sticks_to_its_provider(client: Client) -> None:
    first = client.say("Hi", model=LLAMA, session_id="s1")
    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    for _ in range(6):
        again = client.say("Hi", model=LLAMA, session_id="s1")
        assert again["provider"] == first["provider"]
        assert again["usage"]["prompt_tokens_details"]["cached_tokens"] > 0
    others = {
        client.say("Hi", model=LLAMA, headers={"x-session-id": f"s{number}"})["provider"]
        for number in range(2, 30)
    }
    assert len(others) > 1
    moved = client.say("Hi", model=LLAMA, session_id="s1", provider={"only": ["cerebras"]})
    assert moved["provider"] == "Cerebras"


def test_the_response_cache_tells_hits_from_misses(emulator: Emulator, client: Client) -> None:
    cached = {"X-OpenRouter-Cache": "true", "X-OpenRouter-Cache-TTL": "60"}
    first = client.chat(headers=cached)
    assert (
        first.headers["x-openrouter-cache-status"],
        first.headers["x-openrouter-cache-ttl"],
    ) == ("MISS", "60")
    second = client.chat(headers=cached)
    assert second.headers["x-openrouter-cache-status"] == "HIT"
    assert second.headers["x-openrouter-cache-source-id"] == first.json()["id"]
    assert int(second.headers["x-openrouter-cache-age"]) >= 0
    hit, miss = second.json(), first.json()
    assert hit["choices"] == miss["choices"]
    assert hit["id"] == second.headers["x-generation-id"] != miss["id"]
    assert hit["usage"]["cost"] == hit["usage"]["total_tokens"] == 0 < miss["usage"]["cost"]
    assert hit["usage"].keys() == miss["usage"].keys()
    spent = client.get("/credits")["data"]["total_usage"]
    assert spent == pytest.approx(miss["usage"]["cost"])
    assert "x-openrouter-cache-status" not in client.chat().headers
    assert client.chat("Other", headers=cached).headers["x-openrouter-cache-status"] == "MISS"
    reordered = {"messages": [{"role": "user", "content": "Hello there"}], "model": MODEL}
    assert (
        client.post("/chat/completions", reordered, headers=cached).headers[
            "x-openrouter-cache-status"
        ]
        == "MISS"
    )
    cleared = client.chat(headers={**cached, "X-OpenRouter-Cache-Clear": "true"})
    assert cleared.headers["x-openrouter-cache-status"] == "MISS"
    streamed = [client.chat(stream=True, headers=cached) for _ in range(2)]
    assert [r.headers["x-openrouter-cache-status"] for r in streamed] == ["MISS", "HIT"]
    deltas = [[chunk["choices"][0]["delta"] for chunk in chunks(r)] for r in streamed]
    assert deltas[0] == deltas[1]
    emulator.fault(kind="error", status=400)
    assert client.chat("Fails", headers=cached).status_code == 400


def test_service_tiers_variants_aliases_and_presets(client: Client) -> None:
    flex = client.say("Hi", service_tier="flex")
    assert (flex["provider"], flex["service_tier"]) == ("OpenAI", "flex")
    assert client.say("Hi", service_tier="priority")["service_tier"] == "priority"
    assert client.say("Hi", model=f"{MODEL}:floor")["service_tier"] == "flex"
    assert client.say("Hi", model=f"{LLAMA}:nitro")["provider"] == "Cerebras"
    assert client.say("Hi", model=f"{LLAMA}:free")["usage"]["cost"] == 0
    latest = client.say(
        "Hi", model="~anthropic/claude-sonnet-latest", headers={"X-OpenRouter-Metadata": "enabled"}
    )
    assert (latest["model"], latest["openrouter_metadata"]["strategy"]) == (CLAUDE, "latest")
    auto = client.say("Hi", model="openrouter/auto", headers={"X-OpenRouter-Metadata": "enabled"})
    assert auto["openrouter_metadata"]["strategy"] == "auto"
    preset = {"cheap": {"model": LLAMA, "provider": {"sort": "price"}}}
    with Emulator(presets=preset) as emulator:
        other = Client(emulator)
        with other.http:
            assert other.say("Hi", model="@preset/cheap")["provider"] == "DeepInfra"
            assert other.error(400, model="@preset/other")["metadata"]["field"] == "preset"
