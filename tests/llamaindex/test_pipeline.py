"""The whole of it on the emulator: ingestion with workers, an index, reranking, engines, agents, workflows, memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, CodeActAgent, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import MarkdownNodeParser
from pydantic import BaseModel, Field

from llamaindex_openrouter_routing import (
    OpenRouter,
    OpenRouterEmbedding,
    OpenRouterRerank,
    Route,
    RoutedChatEngine,
    RoutedQueryEngine,
    record_routes,
    routing,
)
from openrouter_routing.emulator import Emulator
from tests.scripted_server import answer

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step"),
]

GUIDE = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def access(emulator: Emulator) -> dict[str, Any]:
    return {"api_base": emulator.base_url, "api_key": "sk-or-v1-secret"}


@pytest.fixture
def llm(access: dict[str, Any]) -> OpenRouter:
    return OpenRouter("openai/gpt-4o-mini", **access)


def memory() -> ChatMemoryBuffer:
    return ChatMemoryBuffer(token_limit=10_000)


def test_a_rag_pipeline(emulator: Emulator, access: dict[str, Any], llm: OpenRouter) -> None:
    embed_model = OpenRouterEmbedding(
        "openai/text-embedding-3-small", embed_batch_size=50, **access
    )
    pipeline = IngestionPipeline(transformations=[MarkdownNodeParser(), embed_model])
    document = Document(text=GUIDE.read_text(encoding="utf-8"))
    nodes = pipeline.run(documents=[document, Document(text="# Bern\n\nA city.")], num_workers=2)
    assert all(node.embedding for node in nodes)
    assert {request.path.rpartition("/")[2] for request in emulator.requests} == {"embeddings"}
    emulator.clear()

    index = VectorStoreIndex(nodes, embed_model=embed_model)
    rerank = OpenRouterRerank("cohere/rerank-v3.5", top_n=2, **access)
    engine = RoutedQueryEngine(
        index.as_query_engine(
            llm=llm, streaming=True, similarity_top_k=4, node_postprocessors=[rerank]
        ),
        models=["anthropic/claude-haiku-4.5"],
    )
    emulator.fault(model="openai/gpt-4o-mini", kind="down")
    with record_routes() as log:
        response = engine.query("How is a fallback model named?")
        text = "".join(response.response_gen)  # type: ignore[union-attr]
    assert text
    assert len(response.source_nodes) == 2
    routes = response.metadata["routes"]  # type: ignore[index]
    assert [route["requested_model"] for route in routes] == [
        "openai/text-embedding-3-small",
        "cohere/rerank-v3.5",
        "openai/gpt-4o-mini",
    ]
    assert routes[-1]["fallback_used"]
    assert "claude" in routes[-1]["model"]
    assert log.to_dicts() == routes
    assert log.total_cost > 0


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"sunny in {city}"


def population(city: str) -> int:
    """Count the population of a city."""
    return 144_000


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_function_agent_with_two_tools(streaming: bool, llm: OpenRouter) -> None:
    agent = FunctionAgent(tools=[weather, population], llm=llm, streaming=streaming)
    with record_routes() as log, routing(sort="price"):
        output = await agent.run(
            "Tell the weather in Bern and the population of Bern.", memory=memory()
        )
    assert {call.tool_name for call in output.tool_calls} == {"weather", "population"}
    assert len(log) == 2
    assert [route.finish_reason for route in log] == ["tool_calls", "stop"]
    assert output.raw["provider"] == log[-1].provider


async def test_an_agent_workflow_and_its_memory_as_json(llm: OpenRouter) -> None:
    workflow = AgentWorkflow.from_tools_or_functions([weather, population], llm=llm)
    kept = memory()
    with record_routes() as log:
        await workflow.run("Tell the weather in Bern.", memory=kept)
    assert len(log) == 2
    replayed = [message.role.value for message in kept.get_all()]
    assert replayed == ["user", "assistant", "tool", "assistant"]
    loaded = [ChatMessage.model_validate_json(m.model_dump_json()) for m in kept.get_all()]
    again = ChatMemoryBuffer.from_defaults(chat_history=loaded, token_limit=10_000)
    output = await workflow.run("And the population of Bern?", memory=again)
    assert [call.tool_name for call in output.tool_calls] == ["population"]


class Report(BaseModel):
    """A report."""

    city: str = Field(description="the city")


async def test_an_agent_with_an_output_class(llm: OpenRouter) -> None:
    agent = FunctionAgent(tools=[weather], llm=llm, output_cls=Report)
    with record_routes() as log:
        output = await agent.run("Tell the weather in Bern.", memory=memory())
    assert isinstance(output.get_pydantic_model(Report), Report)
    assert len(log) == 3


async def test_a_code_act_agent(emulator: Emulator, llm: OpenRouter) -> None:
    ran: list[str] = []

    def execute(code: str) -> str:
        ran.append(code)
        return "4"

    texts = ["<execute>print(2 + 2)</execute>", "It is 4."]
    emulator.script([answer(text) for text in texts])
    agent = CodeActAgent(code_execute_fn=execute, llm=llm, tools=[])
    with record_routes() as log:
        output = await agent.run("What is 2 + 2?", memory=memory())
    assert [code.strip() for code in ran] == ["print(2 + 2)"]
    assert str(output) == "It is 4."
    assert len(log) == 2


async def test_a_chat_engine_with_memory(
    emulator: Emulator, access: dict[str, Any], llm: OpenRouter
) -> None:
    index = VectorStoreIndex.from_documents(
        [Document(text="The Aare flows around Bern.")],
        embed_model=OpenRouterEmbedding("openai/text-embedding-3-small", **access),
    )
    engine = RoutedChatEngine(
        index.as_chat_engine(chat_mode="context", llm=llm, memory=memory()), sort="price"
    )
    first = engine.chat("What flows around Bern?")
    assert [route["requested_model"] for route in first.metadata["routes"]] == [
        "openai/text-embedding-3-small",
        "openai/gpt-4o-mini",
    ]
    streaming = await engine.astream_chat("And then?")
    assert [token async for token in streaming.async_response_gen()]
    assert len(streaming.metadata["routes"]) == 2
    sent = emulator.requests[-1].json
    assert [message["role"] for message in sent["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert sent["provider"] == {"sort": "price"}


def test_images_and_reasoning_come_back(emulator: Emulator, access: dict[str, Any]) -> None:
    response = OpenRouter("google/gemini-2.5-flash-image", **access).complete(
        "Draw a cat", modalities=["text", "image"]
    )
    assert Route.of(response).model is not None
