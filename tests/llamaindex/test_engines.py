"""The engine wrappers: preferences for each query, routes in each response, streams read in the right context."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.query import QueryStartEvent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine import (
    BaseQueryEngine,
    RouterQueryEngine,
    SubQuestionQueryEngine,
)
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.schema import QueryBundle, TextNode
from llama_index.core.selectors import PydanticSingleSelector
from llama_index.core.tools import QueryEngineTool
from pydantic import BaseModel

from llamaindex_openrouter_routing import (
    OpenRouter,
    OpenRouterEmbedding,
    RoutedChatEngine,
    RoutedQueryEngine,
    record_routes,
    routing,
)
from openrouter_routing import (
    BadRequestError,
    BudgetExceeded,
    PreferencesError,
    StreamInterruptedError,
)
from tests.llamaindex.answers import respond, whole
from tests.scripted_server import CLOSE, HANG, Recorded, ScriptedServer, chunk, stream_answer

SCOPE = {"order": ["openai"]}
TEXTS = ["Bern is the capital of Switzerland.", "The Aare flows around Bern."]


class City(BaseModel):
    name: str


@pytest.fixture
def index(embed_model: OpenRouterEmbedding) -> VectorStoreIndex:
    return VectorStoreIndex([TextNode(text=text) for text in TEXTS], embed_model=embed_model)


@pytest.fixture(autouse=True)
def _only_queries_are_looked_at(index: VectorStoreIndex, server: ScriptedServer) -> None:
    server.requests.clear()


def providers(server: ScriptedServer) -> list[Any]:
    return [request.json.get("provider") for request in server.requests]


MODES = [
    mode for mode in ResponseMode if mode not in (ResponseMode.NO_TEXT, ResponseMode.CONTEXT_ONLY)
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("streaming", [False, True])
async def test_every_response_mode(
    mode: ResponseMode,
    streaming: bool,
    index: VectorStoreIndex,
    llm: OpenRouter,
    server: ScriptedServer,
) -> None:
    if streaming and mode in (ResponseMode.ACCUMULATE, ResponseMode.COMPACT_ACCUMULATE):
        pytest.skip("LlamaIndex cannot stream this mode")
    engine = RoutedQueryEngine(
        index.as_query_engine(llm=llm, response_mode=mode, streaming=streaming), **SCOPE
    )
    response = engine.query("Where is Bern?")
    assert "Echo" in str(response)
    aresponse = await engine.aquery("Where is Bern?")
    if streaming and not hasattr(aresponse, "async_response_gen"):
        text = "".join(aresponse.response_gen)  # type: ignore[union-attr]
    elif streaming:
        text = "".join([token async for token in aresponse.async_response_gen()])
    else:
        text = str(aresponse)
    assert "Echo" in text
    assert providers(server) == [SCOPE] * len(server.requests)
    for answered in (response, aresponse):
        assert answered.metadata is not None
        routes = answered.metadata["routes"]
        assert len(routes) == len(server.requests) / 2
        assert routes[-1]["provider"] == "OpenAI"
        assert routes[-1]["native_finish_reason"] == "done"
        assert routes[-1]["total_cost"] == "0.00025"
        assert (
            routes[0]["model"] == "openai/text-embedding-3-small" or mode is ResponseMode.GENERATION
        )


def test_routes_fill_up_while_a_stream_is_read(index: VectorStoreIndex, llm: OpenRouter) -> None:
    engine = RoutedQueryEngine(index.as_query_engine(llm=llm, streaming=True))
    response = engine.query("Where is Bern?")
    routes = response.metadata["routes"]  # type: ignore[index]
    assert [route["model"] for route in routes] == ["openai/text-embedding-3-small"]
    assert len(list(response.response_gen)) > 3  # type: ignore[union-attr]
    assert [route["model"] for route in routes] == [
        "openai/text-embedding-3-small",
        "openai/gpt-5-mini",
    ]


def test_metadata_of_the_nodes_stays(index: VectorStoreIndex, llm: OpenRouter) -> None:
    plain = index.as_query_engine(llm=llm).query("Where is Bern?")
    routed = RoutedQueryEngine(index.as_query_engine(llm=llm)).query("Where is Bern?")
    assert plain.metadata
    assert set(routed.metadata or ()) == {*plain.metadata, "routes"}
    assert len(routed.source_nodes) == len(plain.source_nodes) == 2


def test_wrappers_nest_with_blocks_and_records(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = RoutedQueryEngine(index.as_query_engine(llm=llm, streaming=True), sort="price")
    with routing(zdr=True, sort="latency"), record_routes() as log:
        response = engine.query("Where is Bern?")
    str(response)
    assert providers(server) == [{"zdr": True, "sort": "price"}] * 2
    assert len(log) == 2


def test_each_query_has_its_own_routes_and_nothing_leaks(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = RoutedQueryEngine(index.as_query_engine(llm=llm), **SCOPE)
    first, second = engine.query("a"), engine.query("b")
    assert len(first.metadata["routes"]) == len(second.metadata["routes"]) == 2  # type: ignore[index]
    llm.complete("Hi")
    assert providers(server)[-1] is None


async def test_a_sub_question_engine(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    tool = QueryEngineTool.from_defaults(
        index.as_query_engine(llm=llm), name="Bern", description="About Bern."
    )
    engine = RoutedQueryEngine(
        SubQuestionQueryEngine.from_defaults(
            [tool],
            llm=llm,
            question_gen=LLMQuestionGenerator.from_defaults(llm=llm),
            response_synthesizer=get_response_synthesizer(llm=llm, streaming=True),
            use_async=True,
            verbose=False,
        ),
        **SCOPE,
    )

    def questions(request: Recorded) -> Any:
        if request.path.endswith("/chat/completions") and "tool_name" in str(request.json):
            content = '{"items": [{"sub_question": "Where?", "tool_name": "Bern"}]}'
            return whole({"content": content})
        return respond(request)

    server.respond(questions)
    response = engine.query("Tell me about Bern.")
    assert "Echo" in str(response)
    assert providers(server) == [SCOPE] * 4
    assert len(response.metadata["routes"]) == 4  # type: ignore[index]
    aresponse = await engine.aquery("Tell me about Bern.")
    assert "Echo" in "".join([token async for token in aresponse.async_response_gen()])  # type: ignore[union-attr]
    assert providers(server) == [SCOPE] * 8


async def test_a_router_engine(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    tools = [
        QueryEngineTool.from_defaults(index.as_query_engine(llm=llm), description=text)
        for text in ("About Bern.", "About Basel.")
    ]
    engine = RoutedQueryEngine(
        RouterQueryEngine.from_defaults(
            tools,
            llm=llm,
            selector=PydanticSingleSelector.from_defaults(llm=llm),
        ),
        **SCOPE,
    )

    def select(request: Recorded) -> Any:
        if request.path.endswith("/chat/completions") and request.json.get("tools"):
            arguments = '{"index": 1, "reason": "Bern"}'
            name = request.json["tools"][0]["function"]["name"]
            function = {"name": name, "arguments": arguments}
            call = {"id": "call_1", "type": "function", "function": function}
            return whole({"content": None, "tool_calls": [call]})
        return respond(request)

    server.respond(select)
    response = engine.query("Where is Bern?")
    assert "Echo" in str(response)
    aresponse = await engine.aquery("Where is Bern?")
    assert providers(server) == [SCOPE] * 6
    for answered in (response, aresponse):
        assert len(answered.metadata["routes"]) == 3  # type: ignore[index]
        assert "selector_result" in answered.metadata  # type: ignore[operator]


def test_a_structured_engine(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    inner = index.as_query_engine(llm=llm, output_cls=City, response_mode="compact")
    response = RoutedQueryEngine(inner, **SCOPE).query("Where is Bern?")
    assert response.response == City(name="Bern")
    assert providers(server) == [SCOPE] * 2
    assert len(response.metadata["routes"]) == 2  # type: ignore[index]


def test_everything_of_the_wrapped_engine_is_there(
    index: VectorStoreIndex, llm: OpenRouter
) -> None:
    inner = index.as_query_engine(llm=llm)
    engine = RoutedQueryEngine(inner, **SCOPE)
    assert engine.retriever is inner.retriever
    assert engine.get_prompts().keys() == inner.get_prompts().keys()
    assert "response_synthesizer:text_qa_template" in engine.get_prompts()
    assert engine.callback_manager is inner.callback_manager
    assert not hasattr(engine, "no_such_thing")
    prompt = engine.get_prompts()["response_synthesizer:refine_template"]
    engine.update_prompts({"response_synthesizer:text_qa_template": prompt})
    updated = inner.get_prompts()["response_synthesizer:text_qa_template"]
    assert updated.get_template() == prompt.get_template()


async def test_retrieve_and_synthesize(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = RoutedQueryEngine(index.as_query_engine(llm=llm), **SCOPE)
    query = QueryBundle("Where is Bern?")
    nodes = engine.retrieve(query)
    assert len(nodes) == len(await engine.aretrieve(QueryBundle("Where is Bern?"))) == 2
    assert len(engine.synthesize(query, nodes).metadata["routes"]) == 1  # type: ignore[index]
    assert len((await engine.asynthesize(query, nodes)).metadata["routes"]) == 1  # type: ignore[index]
    assert providers(server) == [SCOPE] * 4


def test_observers_see_one_query(index: VectorStoreIndex, llm: OpenRouter) -> None:
    class Counter(BaseEventHandler):
        queries: int = 0

        def handle(self, event: Any, **kwargs: Any) -> None:
            self.queries += isinstance(event, QueryStartEvent)

    counter = Counter()
    dispatcher = get_dispatcher()
    dispatcher.add_event_handler(counter)
    try:
        RoutedQueryEngine(index.as_query_engine(llm=llm)).query("Where is Bern?")
    finally:
        dispatcher.event_handlers.remove(counter)
    assert counter.queries == 1


def test_its_budget_holds_for_each_query(index: VectorStoreIndex, llm: OpenRouter) -> None:
    engine = RoutedQueryEngine(index.as_query_engine(llm=llm), max_cost="0.00001")
    with pytest.raises(BudgetExceeded):
        engine.query("Where is Bern?")


def test_mistakes_are_errors_at_once(index: VectorStoreIndex, llm: OpenRouter) -> None:
    with pytest.raises(PreferencesError, match="did you mean 'price'"):
        RoutedQueryEngine(index.as_query_engine(llm=llm), sort="prise")
    with pytest.raises(BadRequestError, match="max_cost"):
        RoutedQueryEngine(index.as_query_engine(llm=llm), max_cost="much")


def test_a_broken_stream_raises_in_the_reader(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    def broken(request: Recorded) -> Any:
        if request.path.endswith("/embeddings"):
            return respond(request)
        return stream_answer(chunk("Be"), CLOSE)

    server.respond(broken)
    response = RoutedQueryEngine(index.as_query_engine(llm=llm, streaming=True)).query("Where?")
    with pytest.raises(StreamInterruptedError):
        str(response)


def chat_engine(index: VectorStoreIndex, llm: OpenRouter, mode: Any) -> Any:
    memory = ChatMemoryBuffer(token_limit=10_000)
    if mode == "simple":
        return SimpleChatEngine.from_defaults(llm=llm, memory=memory)
    return index.as_chat_engine(chat_mode=mode, llm=llm, memory=memory)


@pytest.mark.parametrize(
    "mode", ["simple", "context", "condense_question", "condense_plus_context"]
)
async def test_chat_engines(
    mode: str, index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = RoutedChatEngine(chat_engine(index, llm, mode), **SCOPE)
    response = engine.chat("Where is Bern?")
    aresponse = await engine.achat("And then?")
    for answered in (response, aresponse):
        assert answered.metadata["routes"][-1]["provider"] == "OpenAI"
    streaming = engine.stream_chat("And then?")
    assert "Echo" in "".join(streaming.response_gen)
    assert streaming.metadata["routes"][-1]["finish_reason"] == "stop"
    astreaming = await engine.astream_chat("And then?")
    assert "Echo" in "".join([token async for token in astreaming.async_response_gen()])
    assert astreaming.metadata["routes"][-1]["finish_reason"] == "stop"
    assert providers(server) == [SCOPE] * len(server.requests)
    recorded = [response, aresponse, streaming, astreaming]
    assert sum(len(answered.metadata["routes"]) for answered in recorded) == len(server.requests)
    assert len(engine.chat_history) == 8
    engine.reset()
    assert engine.chat_history == []
    assert not hasattr(engine, "no_such_thing")


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
async def test_a_routed_engine_as_the_tool_of_an_agent(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = RoutedQueryEngine(index.as_query_engine(llm=llm), **SCOPE)
    tool = QueryEngineTool.from_defaults(engine, name="bern", description="About Bern.")
    agent = FunctionAgent(tools=[tool], llm=llm.with_routing(sort="price"))
    with record_routes() as log:
        await agent.run("Where is Bern?", memory=ChatMemoryBuffer(token_limit=10_000))
    assert providers(server) == [{"sort": "price"}, SCOPE, SCOPE, {"sort": "price"}]
    assert len(log) == 4


async def test_leaving_a_streamed_answer_early_closes_its_connection(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    def endless(request: Recorded) -> Any:
        if request.path.endswith("/embeddings"):
            return respond(request)
        return stream_answer(chunk("Be"), HANG)

    server.respond(endless)
    engine = RoutedQueryEngine(index.as_query_engine(llm=llm, streaming=True))
    response = engine.query("Where is Bern?")
    generator: Any = response.response_gen  # type: ignore[union-attr]
    assert next(generator) == "Be"
    generator.close()
    assert server.requests[-1].disconnected.wait(20)
    assert response.metadata["routes"][-1]["provider"] == "OpenAI"  # type: ignore[index]
    aresponse: Any = await engine.aquery("Where is Bern?")
    agenerator = aresponse.response_gen
    assert await anext(agenerator) == "Be"
    await agenerator.aclose()
    assert await asyncio.to_thread(server.requests[-1].disconnected.wait, 20)


class Canned(BaseQueryEngine):
    """An engine whose stream is any iterator: it has nothing to close."""

    def __init__(self) -> None:
        super().__init__(None)

    def _get_prompt_modules(self) -> Any:
        return {}

    def _query(self, query_bundle: QueryBundle) -> Any:
        return StreamingResponse(response_gen=iter(["Be", "rn"]))  # type: ignore[arg-type]

    async def _aquery(self, query_bundle: QueryBundle) -> Any:
        return AsyncStreamingResponse(response_gen=Tokens())  # type: ignore[arg-type]


class Tokens:
    """An async iterator that is no generator."""

    def __init__(self) -> None:
        self.tokens = ["Be", "rn"]

    def __aiter__(self) -> Tokens:
        return self

    async def __anext__(self) -> str:
        if not self.tokens:
            raise StopAsyncIteration
        return self.tokens.pop(0)


async def test_streams_that_cannot_be_closed_are_read_to_their_end() -> None:
    engine = RoutedQueryEngine(Canned(), sort="price")
    response = engine.query("Where?")
    assert "".join(response.response_gen) == "Bern"  # type: ignore[union-attr]
    aresponse = await engine.aquery("Where?")
    assert "".join([token async for token in aresponse.response_gen]) == "Bern"  # type: ignore[union-attr]
    left_early = engine.query("Where?").response_gen  # type: ignore[union-attr]
    next(left_early)
    left_early.close()
