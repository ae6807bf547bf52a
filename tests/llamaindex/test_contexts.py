"""Where `with routing(...)` and `record_routes()` reach in LlamaIndex, and where they cannot.

The table of the guide, row by row. The rows that cannot work are asserted too, each with its way out.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import PromptTemplate, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.async_utils import run_jobs
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.evaluation import BatchEvalRunner, RelevancyEvaluator
from llama_index.core.extractors import KeywordExtractor, SummaryExtractor
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from llamaindex_openrouter_routing import (
    OpenRouter,
    OpenRouterEmbedding,
    RoutedQueryEngine,
    record_routes,
    routing,
)
from tests.llamaindex.answers import respond, stream, whole
from tests.scripted_server import Recorded, ScriptedServer

# LlamaIndex's own, of its agents and its evaluation.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:asyncio_module"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step"),
]

MESSAGES = [ChatMessage(content="Hi")]
PROMPT = PromptTemplate("Say {word}.")
SCOPE = {"order": ["openai"]}
TEXTS = ["Bern is the capital of Switzerland.", "The Aare flows around Bern."]


class City(BaseModel):
    name: str


@pytest.fixture
def index(embed_model: OpenRouterEmbedding) -> VectorStoreIndex:
    return VectorStoreIndex([TextNode(text=text) for text in TEXTS], embed_model=embed_model)


def chats(server: ScriptedServer) -> list[dict[str, Any]]:
    return [
        request.json for request in server.requests if request.path.endswith("/chat/completions")
    ]


def seen(server: ScriptedServer) -> list[Any]:
    """Return the provider preferences that each chat request carried."""
    return [body.get("provider") for body in chats(server)]


def all_seen(server: ScriptedServer) -> bool:
    found = seen(server)
    return bool(found) and all(provider == SCOPE for provider in found)


def none_seen(server: ScriptedServer) -> bool:
    found = seen(server)
    return bool(found) and not any(found)


def memory() -> ChatMemoryBuffer:
    """Return a memory without a database: LlamaIndex's default one leaves its connection open."""
    return ChatMemoryBuffer(token_limit=10_000)


def react(request: Recorded) -> Any:
    """Answer as a ReAct agent has to."""
    if not request.path.endswith("/chat/completions"):
        return respond(request)
    message = {"content": "Thought: I can answer without using any more tools.\nAnswer: Bern"}
    return stream(message) if request.json.get("stream") else whole(message)


# Rows that reach.


WITHOUT_LLM = (ResponseMode.NO_TEXT, ResponseMode.CONTEXT_ONLY)


@pytest.mark.parametrize("mode", [mode for mode in ResponseMode if mode not in WITHOUT_LLM])
@pytest.mark.parametrize("use_async", [False, True])
def test_query_with_every_response_mode(
    mode: ResponseMode,
    use_async: bool,
    index: VectorStoreIndex,
    llm: OpenRouter,
    server: ScriptedServer,
) -> None:
    engine = index.as_query_engine(llm=llm, response_mode=mode, use_async=use_async)
    with routing(**SCOPE), record_routes() as log:
        engine.query("Where is Bern?")
    assert all_seen(server)
    assert len(log) == len(chats(server)) + 1


async def test_aquery_and_query_inside_a_loop(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = index.as_query_engine(llm=llm)
    with routing(**SCOPE):
        await engine.aquery("Where is Bern?")
        engine.query("Where is Bern?")
        task = asyncio.create_task(engine.aquery("Where is Bern?"))
    await task
    assert all_seen(server)
    assert len(seen(server)) == 3


async def test_jobs_run_inside(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = index.as_query_engine(llm=llm)
    with routing(**SCOPE), record_routes() as log:
        await run_jobs([engine.aquery("a"), engine.aquery("b")])
    assert all_seen(server)
    assert len(log) == 4


async def test_predict_and_its_kin(llm: OpenRouter, server: ScriptedServer) -> None:
    tool = FunctionTool.from_defaults(lambda city: city, name="echo", description="Echo.")
    with routing(**SCOPE):
        llm.predict(PROMPT, word="hi")
        await llm.apredict(PROMPT, word="hi")
        llm.structured_predict(City, PROMPT, word="hi")
        await llm.astructured_predict(City, PROMPT, word="hi")
        llm.predict_and_call([tool], "hi")
    assert all_seen(server)
    assert len(seen(server)) == 5


def test_extractors_in_a_pipeline(llm: OpenRouter, server: ScriptedServer) -> None:
    pipeline = IngestionPipeline(transformations=[SummaryExtractor(llm=llm, show_progress=False)])
    with routing(**SCOPE), record_routes() as log:
        pipeline.run(nodes=[TextNode(text=text) for text in TEXTS], show_progress=False)
    assert all_seen(server)
    assert len(log) == 2


async def test_batch_evaluation(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = index.as_query_engine(llm=llm)
    runner = BatchEvalRunner({"relevancy": RelevancyEvaluator(llm=llm)}, workers=2)
    with routing(**SCOPE):
        await runner.aevaluate_queries(engine, queries=["Where is Bern?", "What flows there?"])
    assert all_seen(server)
    assert len(seen(server)) == 4


CHAT_MODES = ["context", "condense_question", "condense_plus_context"]


@pytest.mark.parametrize("mode", CHAT_MODES)
async def test_chat_engines(
    mode: Any, index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = index.as_chat_engine(chat_mode=mode, llm=llm, memory=memory())
    with routing(**SCOPE):
        engine.chat("Where is Bern?")
        await engine.achat("And Basel?")
    assert all_seen(server)


@pytest.mark.parametrize("mode", CHAT_MODES)
async def test_streaming_chat_engines_consumed_after(
    mode: Any, index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = index.as_chat_engine(chat_mode=mode, llm=llm, memory=memory())
    with routing(**SCOPE), record_routes() as log:
        response = engine.stream_chat("Where is Bern?")
    assert "".join(response.response_gen).startswith("Echo")
    with routing(**SCOPE):
        aresponse = await engine.astream_chat("And Basel?")
    assert "".join([token async for token in aresponse.async_response_gen()]).startswith("Echo")
    assert all_seen(server) or mode == "condense_question"
    assert len(log) >= 1


async def test_simple_chat_engine(llm: OpenRouter, server: ScriptedServer) -> None:
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory())
    with routing(**SCOPE):
        engine.chat("a")
        await engine.achat("b")
        response = engine.stream_chat("c")
        aresponse = await engine.astream_chat("d")
    "".join(response.response_gen)
    [token async for token in aresponse.async_response_gen()]
    assert all_seen(server)
    assert len(seen(server)) == 4


def lookup(city: str) -> str:
    """Look a city up."""
    return f"{city} is a city"


AGENTS: dict[str, Callable[[OpenRouter, bool], Any]] = {
    "FunctionAgent": lambda llm, streaming: FunctionAgent(
        tools=[lookup], llm=llm, streaming=streaming
    ),
    "ReActAgent": lambda llm, streaming: ReActAgent(tools=[lookup], llm=llm, streaming=streaming),
    "AgentWorkflow": lambda llm, streaming: AgentWorkflow.from_tools_or_functions(
        [lookup], llm=llm
    ),
}


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("streaming", [True, False])
async def test_agents_run_inside(
    name: str, streaming: bool, llm: OpenRouter, server: ScriptedServer
) -> None:
    if name == "ReActAgent":
        server.respond(react)
    agent = AGENTS[name](llm, streaming)
    with routing(**SCOPE), record_routes() as log:
        handler = agent.run("Where is Bern?", memory=memory())
    async for _ in handler.stream_events():
        pass
    await handler
    assert all_seen(server)
    assert len(log) == len(seen(server)) >= (1 if name == "ReActAgent" else 2)


async def test_streams_made_inside_consumed_after(llm: OpenRouter, server: ScriptedServer) -> None:
    with routing(**SCOPE), record_routes() as log:
        made = [
            llm.stream(PROMPT, word="hi"),
            llm.stream_chat(MESSAGES),
            llm.stream_complete("Hi"),
            llm.stream_structured_predict(City, PROMPT, word="hi"),
            llm.as_structured_llm(City).stream_chat(MESSAGES),
        ]
        amade = [
            await llm.astream(PROMPT, word="hi"),
            await llm.astream_chat(MESSAGES),
            await llm.astream_complete("Hi"),
            await llm.astream_structured_predict(City, PROMPT, word="hi"),
            await llm.as_structured_llm(City).astream_chat(MESSAGES),
        ]
    assert server.requests == []
    for generator in made:
        list(generator)
    for agenerator in amade:
        [_ async for _ in agenerator]
    assert all_seen(server)
    assert len(seen(server)) == len(log) == 10


# Rows that cannot reach, and their ways out.


async def test_a_streaming_query_engine_consumed_after_is_lost(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    """The engine calls the model only when the first token is pulled: the block has ended by then."""
    engine = index.as_query_engine(llm=llm, streaming=True)
    with routing(**SCOPE):
        response = engine.query("Where is Bern?")
        aresponse = await engine.aquery("Where is Bern?")
    str(response)
    [token async for token in aresponse.async_response_gen()]
    assert none_seen(server)


async def test_its_way_out_is_the_wrapper(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    engine = RoutedQueryEngine(index.as_query_engine(llm=llm, streaming=True), **SCOPE)
    str(engine.query("Where is Bern?"))
    aresponse = await engine.aquery("Where is Bern?")
    [token async for token in aresponse.async_response_gen()]
    assert all_seen(server)


def test_or_to_consume_inside_or_with_routing(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer
) -> None:
    with routing(**SCOPE):
        str(index.as_query_engine(llm=llm, streaming=True).query("Where is Bern?"))
    str(index.as_query_engine(llm=llm.with_routing(**SCOPE), streaming=True).query("Where?"))
    assert all_seen(server)


async def test_a_run_begun_outside_is_lost(llm: OpenRouter, server: ScriptedServer) -> None:
    handler = FunctionAgent(tools=[lookup], llm=llm).run("Where is Bern?", memory=memory())
    with routing(**SCOPE):
        await handler
    assert none_seen(server)
    server.requests.clear()
    await FunctionAgent(tools=[lookup], llm=llm.with_routing(**SCOPE)).run(
        "Where is Bern?", memory=memory()
    )
    assert all_seen(server)


async def test_a_coroutine_made_inside_and_awaited_outside_is_lost(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    with routing(**SCOPE):
        coroutine = llm.achat(MESSAGES)
    await coroutine
    assert none_seen(server)
    server.requests.clear()
    with routing(**SCOPE):
        task = asyncio.create_task(llm.achat(MESSAGES))
    await task
    assert all_seen(server)


def test_a_bare_thread_is_lost(llm: OpenRouter, server: ScriptedServer) -> None:
    def in_thread(model: OpenRouter) -> None:
        with routing(**SCOPE):
            thread = threading.Thread(target=model.chat, args=(MESSAGES,))
            thread.start()
        thread.join()

    in_thread(llm)
    assert none_seen(server)
    server.requests.clear()
    in_thread(llm.with_routing(**SCOPE))
    assert all_seen(server)


def test_worker_processes_lose_blocks_but_keep_fields(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    # Their processes are spawned: they begin with an empty context, and with a pickle of the model.
    pipeline = IngestionPipeline(
        transformations=[
            SummaryExtractor(llm=llm, show_progress=False),
            KeywordExtractor(llm=llm.with_routing(**SCOPE), show_progress=False),
        ],
        disable_cache=True,
    )
    with routing(ignore=["azure"]):
        nodes = pipeline.run(nodes=[TextNode(text=text) for text in TEXTS], num_workers=2)
    assert all({"section_summary", "excerpt_keywords"} <= set(node.metadata) for node in nodes)
    found = seen(server)
    assert len(found) == 4
    assert [provider for provider in found if provider] == [SCOPE, SCOPE]
    assert {request.headers["authorization"] for request in server.requests} == {
        "Bearer sk-or-v1-secret"
    }


def test_the_ingestion_cache_follows_fields_not_blocks(
    llm: OpenRouter, server: ScriptedServer
) -> None:
    pipeline = IngestionPipeline(transformations=[SummaryExtractor(llm=llm, show_progress=False)])

    def run() -> int:
        before = len(server.requests)
        pipeline.run(nodes=[TextNode(text=TEXTS[0], id_="n")])
        return len(server.requests) - before

    assert run() == 1
    with routing(**SCOPE):
        # Lost: the answer of the first routing comes out of the cache.
        assert run() == 0
    pipeline.transformations = [
        SummaryExtractor(llm=llm.with_routing(**SCOPE), show_progress=False)
    ]
    assert run() == 1
    assert run() == 0
