"""The embedding model over real HTTP: one request a batch, order kept, routed, recorded."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from llamaindex_openrouter_routing import (
    OpenRouter,
    OpenRouterEmbedding,
    OpenRouterRerank,
    record_routes,
    routing,
)
from openrouter_routing import errors
from tests.scripted_server import ScriptedServer, error_answer, json_answer

TEXTS = ["a", "bbb", "cc", "dddd", "eeeee"]
VECTORS = [[1.0, 0.0, 1.0], [3.0, 1.0, 1.0], [2.0, 0.0, 1.0], [4.0, 1.0, 1.0], [5.0, 0.0, 1.0]]


def batched(connection: dict[str, Any], **fields: Any) -> OpenRouterEmbedding:
    return OpenRouterEmbedding(
        "openai/text-embedding-3-small", embed_batch_size=2, **{**connection, **fields}
    )


async def test_batches_are_true_batches_in_order(
    connection: dict[str, Any], server: ScriptedServer
) -> None:
    embed_model = batched(connection)
    assert embed_model.get_text_embedding_batch(TEXTS) == VECTORS
    assert [request.json["input"] for request in server.requests] == [
        TEXTS[:2],
        TEXTS[2:4],
        TEXTS[4:],
    ]
    assert await embed_model.aget_text_embedding_batch(TEXTS) == VECTORS
    embed_model.num_workers = 2
    assert await embed_model.aget_text_embedding_batch(TEXTS) == VECTORS
    assert len(server.requests) == 9


async def test_single_texts_and_queries(connection: dict[str, Any], server: ScriptedServer) -> None:
    embed_model = batched(
        connection,
        dimensions=3,
        encoding_format="float",
        query_input_type="search_query",
        text_input_type="search_document",
        provider={"order": ["openai"]},
        user="u1",
        extra_body={"new": 1},
    )
    assert embed_model.get_query_embedding("bbb") == [3.0, 0.0, 1.0]
    assert await embed_model.aget_query_embedding("bbb") == [3.0, 0.0, 1.0]
    assert embed_model.get_text_embedding("bbb") == [3.0, 0.0, 1.0]
    assert await embed_model.aget_text_embedding("bbb") == [3.0, 0.0, 1.0]
    bodies = [request.json for request in server.requests]
    assert [body["input_type"] for body in bodies] == ["search_query"] * 2 + ["search_document"] * 2
    assert bodies[0] == {
        "model": "openai/text-embedding-3-small",
        "input": ["bbb"],
        "dimensions": 3,
        "encoding_format": "float",
        "input_type": "search_query",
        "provider": {"order": ["openai"]},
        "user": "u1",
        "new": 1,
    }


def test_scopes_reach_it_and_routes_come_out(
    embed_model: OpenRouterEmbedding, server: ScriptedServer
) -> None:
    with routing(sort="price"), record_routes() as log:
        VectorStoreIndex([TextNode(text=text) for text in TEXTS], embed_model=embed_model)
    assert server.requests[0].json["provider"] == {"sort": "price"}
    assert len(server.requests) == 1
    (route,) = log
    assert (route.provider, route.cost, route.usage.prompt_tokens) == ("OpenAI", 0.00001, 5)


def test_failed_requests_are_sent_again(connection: dict[str, Any], server: ScriptedServer) -> None:
    retrying = batched(connection, max_retries=1, max_retry_wait=0.01)
    served = server._responder
    assert served is not None
    failure = error_answer(503, {"code": 503, "message": "busy"})
    server.respond(lambda request: failure if len(server.requests) == 1 else served(request))
    assert retrying.get_text_embedding("bbb") == [3.0, 0.0, 1.0]
    assert len(server.requests) == 2


def test_its_errors_are_ours(embed_model: OpenRouterEmbedding, server: ScriptedServer) -> None:
    with pytest.raises(errors.BadRequestError, match="empty"):
        embed_model.get_text_embedding("")
    server.respond(lambda request: json_answer({"data": []}))
    with pytest.raises(errors.ResponseParseError, match="0 vectors for 1 texts"):
        embed_model.get_text_embedding("a")
    with pytest.raises(errors.BadRequestError, match="did you mean 'dimensions'"):
        OpenRouterEmbedding("a/b", dimension=3)


def test_an_embeddings_cache_is_asked_first(
    connection: dict[str, Any], server: ScriptedServer
) -> None:
    embed_model = batched(connection, embeddings_cache=SimpleKVStore())
    first = embed_model.get_text_embedding_batch(["a", "bbb"])
    assert embed_model.get_text_embedding_batch(["a", "bbb"]) == first
    assert len(server.requests) == 1


def test_copies_and_dumps(connection: dict[str, Any], server: ScriptedServer) -> None:
    embed_model = batched(connection, sort="price")
    loaded = OpenRouterEmbedding.from_dict(embed_model.to_dict(), api_key=connection["api_key"])
    for made in (copy.deepcopy(embed_model), pickle.loads(pickle.dumps(embed_model)), loaded):
        assert made.get_text_embedding("bbb") == [3.0, 0.0, 1.0]
    assert len({request.body for request in server.requests}) == 1
    assert "secret" not in f"{embed_model!r} {embed_model.to_json()} {embed_model.to_payload()}"


@pytest.mark.parametrize("make", [OpenRouterEmbedding, OpenRouterRerank])
def test_what_only_chat_can_carry_is_refused_however_it_is_said(
    connection: dict[str, Any], server: ScriptedServer, make: Any
) -> None:
    component = make("cohere/some-model", **connection)
    with pytest.raises(errors.PreferencesError, match="does not take models"):
        component.with_routing(models=["a/b"])
    with pytest.raises(errors.PreferencesError, match="does not take session_id"):
        component.model_copy(update={"session_id": "s"})
    component.routing = {"service_tier": "flex"}
    with pytest.raises(errors.PreferencesError, match="does not take service_tier"):
        component.describe()
    assert server.requests == []


@pytest.mark.parametrize("make", [OpenRouterEmbedding, OpenRouterRerank, OpenRouter])
def test_it_describes_what_it_would_send(connection: dict[str, Any], make: Any) -> None:
    body = {"provider": {"zdr": True}}
    component = make("cohere/some-model", extra_body=body, sort="price", **connection)
    with routing(models=["a/b"], order=["cohere"]):
        told = component.describe()
    assert "provider.zdr" in told
    assert "provider.sort" in told
    assert ("models" in told) == (make is OpenRouter)
