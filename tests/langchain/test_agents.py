"""Agents and graphs: tools, checkpoints, interrupts, stream modes, middleware, and the route of every step."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
)
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import tool
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from langchain_openrouter_routing import (
    OpenRouterEmbeddings,
    OpenRouterRerank,
    RoutingMiddleware,
    RoutingPreferences,
)
from langchain_openrouter_routing.errors import AuthenticationError, PreferencesError
from openrouter_routing import Route, record_routes, routing
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.scripted_server import answer

QUESTION = "What is the weather and the population of Bern?"
REASONING = [
    {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "anthropic-claude-v1"},
    {"type": "reasoning.encrypted", "data": "b3BhcXVl", "id": "rs_1", "format": "novel-v2"},
]


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Sun over {city}."


@tool
def population(city: str) -> str:
    """Tell the population of a city."""
    return f"134000 people live in {city}."


class Report(BaseModel):
    """A report about a city."""

    city: str
    people: int


def bodies(emulator: Emulator) -> list[Any]:
    return [request.json for request in emulator.requests]


def graph_of(llm: Any, **compile_with: Any) -> Any:
    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [llm.invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_node("tools", ToolNode([weather, population]))
    builder.add_edge(START, "ask")
    builder.add_conditional_edges("ask", tools_condition)
    builder.add_edge("tools", "ask")
    return builder.compile(**compile_with)


def test_a_graph_with_two_tools_records_its_routes(
    emulator: Emulator, make_model: MakeModel
) -> None:
    graph = graph_of(make_model(order=["azure"]).bind_tools([weather, population]))
    with record_routes() as log:
        done = graph.invoke({"messages": [HumanMessage(QUESTION)]})
    kinds = [type(message) for message in done["messages"]]
    assert kinds == [HumanMessage, AIMessage, ToolMessage, ToolMessage, AIMessage]
    assert "Sun over Bern." in done["messages"][-1].text
    assert "134000" in done["messages"][-1].text
    assert [route.provider for route in log] == ["Azure", "Azure"]
    assert [route.finish_reason for route in log] == ["tool_calls", "stop"]
    assert Route.of(done["messages"][-1]).provider == "Azure"
    replayed = bodies(emulator)[1]["messages"]
    assert [message["role"] for message in replayed] == ["user", "assistant", "tool", "tool"]
    calls = [call["id"] for call in replayed[1]["tool_calls"]]
    assert calls == [message["tool_call_id"] for message in replayed[2:]]


@pytest.mark.parametrize("mode", ["messages", "updates", "values"])
def test_each_stream_mode_tells_the_whole_route(make_model: MakeModel, mode: str) -> None:
    graph = graph_of(make_model().bind_tools([weather, population]))
    found: list[dict[str, Any]] = []
    for item in graph.stream({"messages": [HumanMessage(QUESTION)]}, stream_mode=mode):
        if mode == "messages":
            found.append(item[0].response_metadata)
        elif mode == "updates":
            found += [m.response_metadata for part in item.values() for m in part["messages"]]
        else:
            found.append(item["messages"][-1].response_metadata)
    ends = [metadata for metadata in found if metadata.get("finish_reason")]
    assert [metadata["finish_reason"] for metadata in ends] == ["tool_calls", "stop"]
    assert all(metadata["provider"] and metadata["cost"] > 0 for metadata in ends)
    if mode == "messages":
        assert sum("model_name" in metadata for metadata in found) == 2


def test_reasoning_survives_a_checkpoint(emulator: Emulator, make_model: MakeModel) -> None:
    message: dict[str, Any] = {"role": "assistant", "content": "Hm.", "reasoning": "Hm."}
    message["reasoning_details"] = REASONING
    emulator.script([answer(choices=[{"message": message, "finish_reason": "stop"}])])
    graph = graph_of(make_model(streaming=True), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    graph.invoke({"messages": [HumanMessage("Hi")]}, config)
    graph.invoke({"messages": [HumanMessage("And?")]}, config)
    replayed = bodies(emulator)[-1]["messages"][1]
    assert replayed["reasoning_details"] == REASONING
    assert replayed["content"] == "Hm."


def test_an_interrupted_graph_goes_on_where_it_was(
    emulator: Emulator, make_model: MakeModel
) -> None:
    @tool
    def transfer(amount: int) -> str:
        """Transfer an amount of money."""
        return "done" if interrupt("really?") == "yes" else "refused"

    agent = create_agent(make_model(), [transfer], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    stopped = agent.invoke({"messages": [HumanMessage("Transfer 20 francs")]}, config)
    assert stopped["__interrupt__"][0].value == "really?"
    assert len(emulator.requests) == 1
    done = agent.invoke(Command(resume="yes"), config)
    assert done["messages"][-1].text == "done"
    assert len(emulator.requests) == 2


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Report, "response_format"),
        (ProviderStrategy(Report), "response_format"),
        (ToolStrategy(Report), "tools"),
    ],
    ids=["automatic", "provider", "tool"],
)
def test_an_agent_answers_in_a_structure(
    emulator: Emulator, make_model: MakeModel, wanted: Any, expected: str
) -> None:
    agent = create_agent(make_model(), [weather], response_format=wanted)
    done = agent.invoke({"messages": [("user", 'The weather report: "Bern" has 134000 people.')]})
    assert done["structured_response"] == Report(city="Bern", people=134000)
    last = bodies(emulator)[-1]
    if expected == "tools":
        assert last["tool_choice"] == "required"
        assert last["provider"] == {"require_parameters": True}
    else:
        assert last["response_format"]["type"] == "json_schema"


def test_an_agent_without_tools_can_have_a_structure(
    emulator: Emulator, make_model: MakeModel
) -> None:
    agent = create_agent(make_model(), [], response_format=Report)
    done = agent.invoke({"messages": [("user", '"Bern" has 134000 people.')]})
    assert done["structured_response"] == Report(city="Bern", people=134000)
    assert "tools" not in bodies(emulator)[0]


# Routing per step


async def test_middleware_routes_each_step(emulator: Emulator, make_model: MakeModel) -> None:
    middleware = RoutingMiddleware(
        first={"sort": "throughput"},
        after_tools=RoutingPreferences(provider={"sort": "price"}, models=["openai/gpt-4o-mini"]),
    )
    agent = create_agent(make_model(zdr=False), [weather, population], middleware=[middleware])
    agent.invoke({"messages": [("user", QUESTION)]})
    await agent.ainvoke({"messages": [("user", QUESTION)]})
    for first, second in (bodies(emulator)[:2], bodies(emulator)[2:]):
        assert first["provider"] == {"zdr": False, "sort": "throughput"}
        assert "models" not in first
        assert second["provider"] == {"zdr": False, "sort": "price"}
        assert second["models"] == ["openai/gpt-4o-mini"]


def test_middleware_knows_the_last_round_and_can_choose(
    emulator: Emulator, make_model: MakeModel
) -> None:
    def say(state: Any) -> list[str]:
        agent = create_agent(make_model(), [weather], middleware=[state])
        agent.invoke({"messages": [("user", "What is the weather in Bern?")]})
        sorts = [body.get("provider", {}).get("sort") for body in bodies(emulator)]
        emulator.clear()
        return sorts

    assert say(RoutingMiddleware(after_tools={"sort": "price"}, final={"sort": "latency"})) == [
        None,
        "latency",
    ]
    later = RoutingMiddleware(
        after_tools={"sort": "price"}, final={"sort": "latency"}, tool_rounds=2
    )
    assert say(later) == [None, "price"]
    chosen = RoutingMiddleware(
        first={"sort": "price"},
        choose=lambda request: {"sort": "latency"} if len(request.messages) > 1 else None,
    )
    assert say(chosen) == ["price", "latency"]
    assert say(RoutingMiddleware()) == [None, None]
    with pytest.raises(PreferencesError, match="did you mean 'price'"):
        RoutingMiddleware(first={"sort": "prise"})


def test_a_policy_stays_above_middleware(emulator: Emulator, make_model: MakeModel) -> None:
    middleware = RoutingMiddleware(first={"zdr": False, "data_collection": "allow"})
    llm = make_model(policy={"data_collection": "deny"})
    create_agent(llm, [weather], middleware=[middleware]).invoke({"messages": [("user", "Hi")]})
    assert bodies(emulator)[0]["provider"] == {"zdr": False, "data_collection": "deny"}


def test_retry_middleware_retries_only_what_can_succeed(
    emulator: Emulator, make_model: MakeModel
) -> None:
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0.0, jitter=False, on_failure="error")
    agent = create_agent(make_model(), [weather], middleware=[retry])
    busy: Any = {"error": {"code": 503, "message": "busy"}}
    emulator.script([busy])
    agent.invoke({"messages": [("user", "Hi")]})
    assert len(emulator.requests) == 2
    emulator.clear()
    wrong: Any = {"error": {"code": 401, "message": "wrong key"}}
    emulator.script([wrong])
    with pytest.raises(AuthenticationError):
        agent.invoke({"messages": [("user", "Hi")]})
    assert len(emulator.requests) == 1


def test_fallback_middleware_takes_the_next_model(
    emulator: Emulator, make_model: MakeModel
) -> None:
    backup = make_model(model="anthropic/claude-haiku-4.5")
    agent = create_agent(make_model(), [weather], middleware=[ModelFallbackMiddleware(backup)])
    busy: Any = {"error": {"code": 503, "message": "busy"}}
    emulator.script([busy])
    done = agent.invoke({"messages": [("user", "Hi")]})
    assert done["messages"][-1].response_metadata["requested_model"] == "anthropic/claude-haiku-4.5"


def test_summarization_trusts_the_usage_and_the_limits(
    emulator: Emulator, make_model: MakeModel
) -> None:
    small = make_model(profile={"max_input_tokens": 200})
    middleware: Any = SummarizationMiddleware(
        model=make_model(), trigger=("fraction", 0.5), keep=("messages", 1)
    )
    middleware.model = small
    agent = create_agent(small, [], middleware=[middleware])
    history = [HumanMessage("Bern " * 120), AIMessage("Zug " * 60), HumanMessage("Hi")]
    agent.invoke({"messages": history})
    assert len(emulator.requests) == 2
    assert len(bodies(emulator)[1]["messages"]) < len(history) + 1


# The other main use: retrieval


def test_a_chain_with_retrieval_rerank_and_structure(
    emulator: Emulator, make_model: MakeModel
) -> None:
    reach: dict[str, Any] = {"api_key": "sk-or-v1-secret", "base_url": emulator.base_url}
    store = InMemoryVectorStore(
        OpenRouterEmbeddings(model="openai/text-embedding-3-small", **reach)
    )
    rerank = OpenRouterRerank(model="cohere/rerank-v3.5", top_n=1, **reach)
    prompt = ChatPromptTemplate.from_template("Context:\n{context}\n\nQuestion: {question}")

    def retrieve(question: str) -> str:
        found = store.similarity_search(question, k=2)
        return "\n".join(d.page_content for d in rerank.compress_documents(found, question))

    with record_routes() as log:
        store.add_documents(
            [
                Document("Bern is the capital of Switzerland."),
                Document("Geneva lies at a lake."),
                Document("Basel lies at the Rhine."),
            ]
        )
        start = {"context": retrieve, "question": RunnablePassthrough()}
        text = (start | prompt | make_model() | StrOutputParser()).invoke("What is the capital?")
        report = (start | prompt | make_model().with_structured_output(Report)).invoke(
            "Which city is the capital?"
        )
    assert "Bern" in text
    assert isinstance(report, Report)
    served = [route.model for route in log]
    assert served.count("openai/text-embedding-3-small") == 3
    assert served.count("cohere/rerank-v3.5") == 2
    assert len(served) == len(emulator.requests) == 7
    assert log.total_cost > 0


def test_a_streaming_graph_streams_from_inside_a_node(make_model: MakeModel) -> None:
    graph = graph_of(make_model())
    chunks = [
        chunk
        for chunk, _ in graph.stream(
            {"messages": [HumanMessage("Say one two three")]}, stream_mode="messages"
        )
        if isinstance(chunk, AIMessageChunk)
    ]
    assert len(chunks) > 2
    assert "".join(str(chunk.text) for chunk in chunks) == "one two three"


class Foreign(BaseChatModel):
    """A model of another vendor, which knows no routing."""

    @property
    def _llm_type(self) -> str:
        return "foreign"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(**kwargs)

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        assert not {"routing", "provider", "sort"} & kwargs.keys()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("From elsewhere."))])


@pytest.mark.parametrize("routing_first", [True, False])
def test_a_fallback_model_of_another_vendor_is_not_told_of_preferences(
    emulator: Emulator, make_model: MakeModel, routing_first: bool
) -> None:
    emulator.fault(kind="down")
    middleware: list[Any] = [
        RoutingMiddleware(first={"sort": "price"}),
        ModelFallbackMiddleware(Foreign()),
    ]
    agent = create_agent(
        make_model(), [weather], middleware=middleware if routing_first else middleware[::-1]
    )
    result = agent.invoke({"messages": [HumanMessage("Hi")]})
    assert result["messages"][-1].content == "From elsewhere."
    assert emulator.requests[0].json["provider"] == {"sort": "price"}
    emulator.clear_faults()


def test_preferences_of_a_step_go_over_blocks_and_bindings(
    emulator: Emulator, make_model: MakeModel
) -> None:
    middleware: Any = [RoutingMiddleware(first={"sort": "latency", "zdr": True})]
    for model in (make_model(), make_model().bind(sort="throughput")):
        agent = create_agent(model, [], middleware=middleware)
        with routing(sort="throughput", data_collection="deny"):
            agent.invoke({"messages": [HumanMessage("Hi")]})
        sent = emulator.requests[-1].json["provider"]
        assert sent == {"data_collection": "deny", "zdr": True, "sort": "latency"}


def test_an_agents_native_structure_requires_its_parameters(
    emulator: Emulator, make_model: MakeModel
) -> None:
    agent = create_agent(make_model(), [], response_format=ProviderStrategy(Report))
    agent.invoke({"messages": [HumanMessage('"Bern", 5')]})
    assert emulator.requests[0].json["provider"] == {"require_parameters": True}
    bound: Any = make_model().bind_tools(
        [], response_format={"type": "json_object"}, require_parameters=False
    )
    assert "require_parameters" not in bound.bound.describe()
