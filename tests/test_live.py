"""The same promises, kept against OpenRouter itself: needs OPENROUTER_API_KEY, costs a fraction of a cent."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessageChunk
from llama_index.core.llms import ChatMessage

from langchain_openrouter_routing import ChatOpenRouter
from llamaindex_openrouter_routing import OpenRouter, OpenRouterEmbedding
from openrouter_routing import NoEndpointsError, OpenRouterClient, Route, record_routes, routing

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

MODEL = "openai/gpt-4o-mini"
QUESTION = "Answer with one word: what is the capital of Switzerland?"


def test_a_langchain_answer_tells_its_route() -> None:
    answer = ChatOpenRouter(model=MODEL, max_tokens=20).invoke(
        QUESTION, provider={"order": ["azure"]}
    )
    route = Route.of(answer)
    assert "Bern" in answer.text
    assert route.provider
    assert route.native_finish_reason
    assert route.cost is not None


def test_a_langchain_stream_ends_with_the_same_metadata() -> None:
    whole: AIMessageChunk | None = None
    for chunk in ChatOpenRouter(model=MODEL, max_tokens=20).stream(QUESTION):
        whole = chunk if whole is None else whole + chunk  # type: ignore[assignment, operator]
    assert whole is not None
    assert {"model_name", "provider", "finish_reason", "cost", "id"} <= set(whole.response_metadata)


def test_a_fallback_model_serves_where_no_provider_of_the_first_may() -> None:
    model = ChatOpenRouter(model="anthropic/claude-haiku-4.5", models=[MODEL], max_tokens=20)
    answer = model.invoke(QUESTION, provider={"only": ["openai", "azure"]})
    assert answer.response_metadata["fallback_used"]


def test_preferences_that_leave_nobody_are_an_error() -> None:
    with pytest.raises(NoEndpointsError, match=r"provider\.only"):
        ChatOpenRouter(model=MODEL).invoke(QUESTION, provider={"only": ["groq"]})


def test_a_llamaindex_answer_inside_a_block() -> None:
    with routing(provider={"data_collection": "deny"}), record_routes() as log:
        answer = OpenRouter(model=MODEL, max_tokens=20).chat([ChatMessage(QUESTION)])
    assert "Bern" in str(answer.message.content)
    assert answer.additional_kwargs["provider"] == log[0].provider


def test_embeddings_come_in_order() -> None:
    embedding = OpenRouterEmbedding(model="openai/text-embedding-3-small")
    vectors = embedding.get_text_embedding_batch(["cat", "dog", "cat"])
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-3)
    assert vectors[0] != pytest.approx(vectors[1], abs=1e-3)


def test_the_look_ups() -> None:
    client = OpenRouterClient()
    assert any(model["id"] == MODEL for model in client.models())
    assert client.endpoints(MODEL)["endpoints"]
    assert client.providers()
