"""True numbers for LlamaIndex's observers: events, callbacks, token counters, agents' raw answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.agent.workflow import AgentOutput, AgentStream, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import BaseModel, Field

from llamaindex_openrouter_routing import (
    OpenRouter,
    OpenRouterEmbedding,
    OpenRouterRerank,
    Route,
    record_routes,
    routing,
)
from openrouter_routing import errors
from tests.scripted_server import CLOSE, ScriptedServer, chunk, stream_answer

MESSAGES = [ChatMessage(content="Hi")]


class Events(BaseEventHandler):
    """Keeps the events that were told."""

    seen: list[Any] = Field(default_factory=list)

    def handle(self, event: Any, **kwargs: Any) -> None:
        self.seen.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.seen if type(event) is kind]


@pytest.fixture
def events() -> Iterator[Events]:
    handler = Events()
    dispatcher = get_dispatcher()
    dispatcher.add_event_handler(handler)
    yield handler
    dispatcher.event_handlers.remove(handler)


def secretless(events: Events) -> bool:
    return "sk-or-v1" not in str([event.model_dump() for event in events.seen])


async def test_chat_events(llm: OpenRouter, events: Events) -> None:
    llm.chat(MESSAGES)
    await llm.achat(MESSAGES)
    list(llm.stream_chat(MESSAGES))
    [_ async for _ in await llm.astream_chat(MESSAGES)]
    assert len(events.of(LLMChatStartEvent)) == len(events.of(LLMChatEndEvent)) == 4
    assert len(events.of(LLMChatInProgressEvent)) > 4
    for event in events.of(LLMChatEndEvent):
        assert Route.of(event.response).cost == 0.00025
        assert event.response.raw["usage"]["total_tokens"] == 12
    start = events.of(LLMChatStartEvent)[0]
    assert start.model_dict["model_name"] == "openai/gpt-5-mini"
    assert secretless(events)


async def test_completion_events_come_without_chat_events(llm: OpenRouter, events: Events) -> None:
    llm.complete("Hi")
    await llm.acomplete("Hi")
    list(llm.stream_complete("Hi"))
    [_ async for _ in await llm.astream_complete("Hi")]
    assert len(events.of(LLMCompletionStartEvent)) == len(events.of(LLMCompletionEndEvent)) == 4
    assert events.of(LLMChatStartEvent) == []
    for event in events.of(LLMCompletionEndEvent):
        assert event.response.raw["provider"] == "OpenAI"


async def test_no_observer_sees_the_value_of_a_header(
    connection: dict[str, Any], server: ScriptedServer, events: Events
) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    headers = {"X-Own": "own-secret"}
    llm = OpenRouter(
        "openai/gpt-5-mini",
        callback_manager=CallbackManager([debug]),
        default_headers=headers,
        **connection,
    )
    given: dict[str, Any] = {"extra_headers": {"X-Other": "other-secret"}}
    llm.chat(MESSAGES, **given)
    await llm.achat(MESSAGES, **given)
    list(llm.stream_chat(MESSAGES, **given))
    [_ async for _ in await llm.astream_chat(MESSAGES, **given)]
    llm.complete("Hi", **given)
    await llm.acomplete(prompt="Hi", **given)
    list(llm.stream_complete("Hi", **given))
    [_ async for _ in await llm.astream_complete("Hi", **given)]
    assert [request.headers["x-other"] for request in server.requests] == ["other-secret"] * 8
    assert server.requests[0].headers["x-own"] == "own-secret"
    seen = str([event.model_dump() for event in events.seen]) + str(debug.get_events())
    assert "X-Other" in seen
    assert "-secret" not in seen


def test_structured_events(llm: OpenRouter, events: Events) -> None:
    class City(BaseModel):
        name: str

    prompt = PromptTemplate("Say {word}.")
    llm.structured_predict(City, prompt, word="hi")
    list(llm.stream_structured_predict(City, prompt, word="hi"))
    assert len(events.of(LLMStructuredPredictStartEvent)) == 2
    assert [event.output for event in events.of(LLMStructuredPredictEndEvent)] == [
        City(name="Bern")
    ] * 2
    assert len(events.of(LLMStructuredPredictInProgressEvent)) > 1
    assert len(events.of(LLMChatEndEvent)) == 2


def test_a_broken_stream_is_told(llm: OpenRouter, server: ScriptedServer, events: Events) -> None:
    server.respond(lambda request: stream_answer(chunk("Be"), CLOSE))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(llm.stream_chat(MESSAGES))
    assert caught.value.partial.text == "Be"
    assert events.of(ExceptionEvent)[0].exception is caught.value


async def test_token_counters_see_what_the_wire_said(
    connection: dict[str, Any], server: ScriptedServer
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = OpenRouter("openai/gpt-5-mini", callback_manager=CallbackManager([counter]), **connection)
    llm.chat(MESSAGES)
    await llm.achat(MESSAGES)
    list(llm.stream_chat(MESSAGES))
    [_ async for _ in await llm.astream_chat(MESSAGES)]
    llm.complete("Hi")
    list(llm.stream_complete("Hi"))
    assert [event.prompt_token_count for event in counter.llm_token_counts] == [9] * 6
    assert [event.completion_token_count for event in counter.llm_token_counts] == [3] * 6


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.parametrize("streaming", [True, False])
async def test_agents_hand_the_raw_answer_on(streaming: bool, llm: OpenRouter) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"sunny in {city}"

    agent = FunctionAgent(tools=[weather], llm=llm, streaming=streaming)
    handler = agent.run("Hi", memory=ChatMemoryBuffer(token_limit=10_000))
    streamed = [event async for event in handler.stream_events() if type(event) is AgentStream]
    output = await handler
    assert isinstance(output, AgentOutput)
    assert output.raw["provider"] == "OpenAI"
    assert output.raw["usage"]["cost"] == 0.00025
    assert "sunny in Bern" in str(output)
    assert [call.tool_name for call in output.tool_calls] == ["weather"]
    if streaming:
        assert any(event.tool_calls and event.tool_calls[0].tool_kwargs for event in streamed)


# Reranking.

TEXTS = ["short", "a much longer text", "middle text"]


@pytest.fixture
def rerank(connection: dict[str, Any]) -> OpenRouterRerank:
    return OpenRouterRerank("cohere/rerank-v3.5", top_n=2, **connection)


def nodes() -> list[NodeWithScore]:
    return [
        NodeWithScore(node=TextNode(text=text, metadata={"file": "a.md"}), score=0.5)
        for text in TEXTS
    ]


async def test_reranking(rerank: OpenRouterRerank, server: ScriptedServer, events: Events) -> None:
    with routing(order=["cohere"]), record_routes() as log:
        ranked = rerank.postprocess_nodes(nodes(), query_str="q")
        aranked = await rerank.apostprocess_nodes(nodes(), QueryBundle("q"))
    for found in (ranked, aranked):
        assert [node.node.get_content() for node in found] == [TEXTS[1], TEXTS[2]]
        assert [node.score for node in found] == [1.0, 0.9]
    first, second = server.requests
    assert (
        first.json
        == second.json
        == {
            "model": "cohere/rerank-v3.5",
            "query": "q",
            "documents": [f"file: a.md\n\n{text}" for text in TEXTS],
            "top_n": 2,
            "provider": {"order": ["cohere"]},
        }
    )
    assert [route.cost for route in log] == [0.002, 0.002]
    assert len(events.of(ReRankStartEvent)) == len(events.of(ReRankEndEvent)) == 2
    start = events.of(ReRankStartEvent)[0]
    assert (start.top_n, start.model_name) == (2, "cohere/rerank-v3.5")
    assert secretless(events)


def test_reranking_keeps_scores_where_asked_and_needs_a_query(
    connection: dict[str, Any], rerank: OpenRouterRerank, server: ScriptedServer
) -> None:
    keeping = OpenRouterRerank(
        "cohere/rerank-v3.5", top_n=5, keep_retrieval_score=True, metadata_mode="none", **connection
    )
    retrieved = nodes()
    ranked = keeping.postprocess_nodes(retrieved, query_str="q")
    assert [node.node.metadata["retrieval_score"] for node in ranked] == [0.5] * 3
    assert [node.node.metadata for node in retrieved] == [{"file": "a.md"}] * 3
    assert server.requests[0].json["documents"] == TEXTS
    assert rerank.postprocess_nodes([], query_str="q") == []
    with pytest.raises(errors.BadRequestError, match="query"):
        rerank.postprocess_nodes(nodes())
    assert len(server.requests) == 1


async def test_what_cannot_be_reranked_is_told_and_ended(
    rerank: OpenRouterRerank, server: ScriptedServer, events: Events
) -> None:
    assert rerank.postprocess_nodes([], query_str="q") == []
    assert await rerank.apostprocess_nodes([], query_str="q") == []
    assert len(events.of(ReRankStartEvent)) == len(events.of(ReRankEndEvent)) == 2
    empty = NodeWithScore(node=TextNode(text="", id_="node-7"))
    for given in (nodes(), [*nodes(), empty]):
        query = {} if empty not in given else {"query_str": "q"}
        said = "node-7" if query else "query"
        with pytest.raises(errors.BadRequestError, match=said):
            rerank.postprocess_nodes(given, **query)
        with pytest.raises(errors.BadRequestError, match=said):
            await rerank.apostprocess_nodes(given, **query)
    assert len(events.of(ReRankStartEvent)) == len(events.of(ReRankEndEvent)) == 2
    assert server.requests == []


def test_reranking_in_a_query_engine_and_over_a_dump(
    rerank: OpenRouterRerank,
    embed_model: OpenRouterEmbedding,
    llm: OpenRouter,
    connection: dict[str, Any],
) -> None:
    index = VectorStoreIndex([TextNode(text=text) for text in TEXTS], embed_model=embed_model)
    loaded = OpenRouterRerank.from_dict(rerank.to_dict(), api_key=connection["api_key"])
    engine = index.as_query_engine(llm=llm, node_postprocessors=[loaded], similarity_top_k=3)
    response = engine.query("q")
    assert [node.score for node in response.source_nodes] == [1.0, 0.9]
    assert "secret" not in f"{rerank!r} {rerank.to_json()}"
