"""`OpenRouterEmbeddings` and `OpenRouterRerank`: LangChain's suites, order, batches, routing and routes."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from langchain_openrouter_routing import ChatOpenRouter, OpenRouterEmbeddings, OpenRouterRerank
from langchain_openrouter_routing.errors import (
    AuthenticationError,
    BadRequestError,
    InsufficientCreditsError,
    PreferencesError,
)
from openrouter_routing import record_routes, routing
from openrouter_routing.emulator import Emulator

EMBEDDING_MODEL = "openai/text-embedding-3-small"
TEXTS = ["Bern is the capital.", "Geneva has a lake.", "Basel has a rhine.", "Chur is old.", "Zug."]


class TestEmbeddingsUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return OpenRouterEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": EMBEDDING_MODEL, "api_key": "sk-or-v1-secret"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {"OPENROUTER_API_KEY": "api_key", "OPENROUTER_BASE_URL": "http://127.0.0.1:9/v1"},
            {"model": EMBEDDING_MODEL},
            {"api_key": "api_key", "base_url": "http://127.0.0.1:9/v1"},
        )


class TestEmbeddingsIntegration(EmbeddingsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _on_the_emulator(
        self, _clean_environment: None, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-secret")

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return OpenRouterEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": EMBEDDING_MODEL}


@pytest.fixture
def embeddings(emulator: Emulator) -> OpenRouterEmbeddings:
    return OpenRouterEmbeddings(
        model=EMBEDDING_MODEL,
        api_key="sk-or-v1-secret",
        base_url=emulator.base_url,
        batch_size=2,
        max_retries=0,
    )


@pytest.fixture
def rerank(emulator: Emulator) -> OpenRouterRerank:
    return OpenRouterRerank(
        model="cohere/rerank-v3.5",
        api_key="sk-or-v1-secret",
        base_url=emulator.base_url,
        max_retries=0,
    )


def bodies(emulator: Emulator) -> list[Any]:
    return [request.json for request in emulator.requests]


async def test_batches_keep_the_order_and_record_their_routes(
    emulator: Emulator, embeddings: OpenRouterEmbeddings
) -> None:
    with record_routes() as log:
        vectors = embeddings.embed_documents(TEXTS)
        again = await embeddings.aembed_documents(TEXTS)
    assert len(vectors) == len(TEXTS)
    assert vectors == again == [embeddings.embed_query(text) for text in TEXTS]
    assert sorted(len(body["input"]) for body in bodies(emulator)[:6]) == [1, 1, 2, 2, 2, 2]
    assert [route.model for route in log] == [EMBEDDING_MODEL] * 6
    assert log.total_cost > 0
    assert embeddings.embed_documents([]) == []


async def test_options_of_the_model_and_of_the_call(
    emulator: Emulator, embeddings: OpenRouterEmbeddings
) -> None:
    llm = embeddings.model_copy(
        update={
            "dimensions": 8,
            "encoding_format": "base64",
            "query_input_type": "search_query",
            "document_input_type": "search_document",
        }
    )
    exact = embeddings.embed_query("Bern", dimensions=8)
    assert llm.embed_query("Bern") == pytest.approx(exact, abs=1e-6)
    assert len(await llm.aembed_query("Bern", dimensions=16)) == 16
    llm.embed_documents(["Bern"])
    sent = [
        (b.get("dimensions"), b.get("encoding_format"), b.get("input_type"))
        for b in bodies(emulator)
    ]
    assert sent == [
        (8, None, None),
        (8, "base64", "search_query"),
        (16, "base64", "search_query"),
        (8, "base64", "search_document"),
    ]


async def test_preferences_reach_embeddings_from_every_layer(
    emulator: Emulator, embeddings: OpenRouterEmbeddings
) -> None:
    routed = embeddings.with_routing(zdr=False, user="ada", policy={"data_collection": "deny"})
    assert type(routed) is OpenRouterEmbeddings
    with routing(sort="price", models=["openai/gpt-5-mini"]):
        routed.embed_query("Bern", provider={"allow_fallbacks": False})
        await routed.aembed_documents(["Bern"], allow_fallbacks=False)
    for body in bodies(emulator):
        assert body["provider"] == {
            "allow_fallbacks": False,
            "data_collection": "deny",
            "zdr": False,
            "sort": "price",
        }
        assert body["user"] == "ada"
        assert "models" not in body
    for duplicate in (copy.deepcopy(routed), pickle.loads(pickle.dumps(routed))):
        duplicate.embed_query("Bern")
        assert bodies(emulator)[-1]["provider"]["zdr"] is False
    assert "sk-or-v1-secret" not in repr(routed)


async def test_mistakes_are_errors_of_langchain_too(
    embeddings: OpenRouterEmbeddings, rerank: OpenRouterRerank
) -> None:
    with pytest.raises(PreferencesError, match="does not take models"):
        OpenRouterEmbeddings(model=EMBEDDING_MODEL, routing={"models": ["z/w"]})
    with pytest.raises(PreferencesError, match="does not take service_tier"):
        OpenRouterRerank(model="cohere/rerank-v3.5", routing={"service_tier": "flex"})
    with pytest.raises(BadRequestError, match="'provider' is given twice"):
        embeddings.embed_query("a", provider={"zdr": True}, openrouter_provider={"sort": "price"})
    with pytest.raises(BadRequestError, match="did you mean 'dimensions'"):
        OpenRouterEmbeddings(model=EMBEDDING_MODEL, dimension=3)
    with pytest.raises(PreferencesError, match="did you mean 'price'"):
        OpenRouterRerank(model="a/b", sort="prise")
    with pytest.raises(BadRequestError, match="empty"):
        embeddings.embed_documents(["Bern", ""])
    with pytest.raises(BadRequestError, match="empty"):
        await embeddings.aembed_documents(["Bern", ""])
    with pytest.raises(AuthenticationError, match="OPENROUTER_API_KEY"):
        embeddings.model_copy(update={"api_key": None}).embed_query("Bern")


async def test_documents_come_back_best_first(emulator: Emulator, rerank: OpenRouterRerank) -> None:
    documents = [Document(text, metadata={"place": place}) for place, text in enumerate(TEXTS)]
    question = "Which is the capital?"
    with record_routes() as log:
        best = rerank.compress_documents(documents, question, order=["cohere"])
        same = await rerank.acompress_documents(documents, question, top_n=2)
        capped = rerank.model_copy(update={"top_n": 1}).compress_documents(documents, question)
    assert best[0].page_content == TEXTS[0]
    assert best[0].metadata["place"] == 0
    scores = [document.metadata["relevance_score"] for document in best]
    assert scores == sorted(scores, reverse=True)
    assert len(best) == len(TEXTS)
    assert [document.page_content for document in same] == [d.page_content for d in best[:2]]
    assert len(capped) == 1
    assert all("relevance_score" not in document.metadata for document in documents)
    assert bodies(emulator)[0]["provider"] == {"order": ["cohere"]}
    assert [route.model for route in log] == ["cohere/rerank-v3.5"] * 3
    assert rerank.compress_documents([], question) == []
    assert await rerank.acompress_documents([], question) == []


async def test_a_failed_batch_ends_the_others(emulator: Emulator) -> None:
    failing = OpenRouterEmbeddings(
        model=EMBEDDING_MODEL, base_url=emulator.base_url, api_key="k", batch_size=1, max_retries=0
    )
    emulator.script([{"error": {"code": 402, "message": "no credits"}}], path="/embeddings")
    with pytest.raises(InsufficientCreditsError):
        await failing.aembed_documents([f"text {place}" for place in range(100)])
    sent = len(emulator.requests)
    await asyncio.sleep(0.2)
    assert len(emulator.requests) <= sent + 8 < 100


async def test_what_only_chat_can_carry_is_an_error(
    emulator: Emulator, embeddings: OpenRouterEmbeddings, rerank: OpenRouterRerank
) -> None:
    with pytest.raises(PreferencesError, match="does not take models"):
        embeddings.embed_documents(["a"], models=["z/w"])
    with pytest.raises(PreferencesError, match="does not take session_id"):
        embeddings.with_routing(session_id="s")
    with pytest.raises(PreferencesError, match="does not take models"):
        rerank.with_routing(models=["z/w"])
    with pytest.raises(PreferencesError, match="does not take models"):
        OpenRouterEmbeddings(model=EMBEDDING_MODEL, routing={"models": ["z/w"]})
    with pytest.raises(PreferencesError, match="does not take service_tier"):
        OpenRouterRerank(model="cohere/rerank-v3.5", routing={"service_tier": "flex"})
    with pytest.raises(BadRequestError, match="'provider' is given twice"):
        embeddings.embed_query("a", provider={"zdr": True}, openrouter_provider={"sort": "price"})
    with pytest.raises(BadRequestError, match="did you mean 'dimensions'"):
        embeddings.embed_documents(["a"], dimension=10)
    with pytest.raises(BadRequestError, match="did you mean 'top_n'"):
        rerank.compress_documents([Document("a")], "q", topn=2)
    assert emulator.requests == []


def test_what_only_streams_and_chats_have_is_no_field_here() -> None:
    for name in ("coalesce", "first_token_timeout", "idle_timeout", "on_empty"):
        assert name in ChatOpenRouter.model_fields
        for kind in (OpenRouterEmbeddings, OpenRouterRerank):
            with pytest.raises(BadRequestError, match=name):
                kind(model="x/y", **{name: None})


async def test_extra_bodies_of_model_and_call_merge(
    emulator: Emulator, embeddings: OpenRouterEmbeddings
) -> None:
    both = embeddings.model_copy(update={"extra_body": {"a": {"x": 1}, "provider": {"zdr": True}}})
    both.embed_query("a", extra_body={"a": {"x": 2}, "provider": {"sort": "price"}})
    assert bodies(emulator)[0]["provider"] == {"zdr": True, "sort": "price"}
    assert bodies(emulator)[0]["a"] == {"x": 2}
