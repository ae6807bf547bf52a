"""Every way to say a preference, through everything that LlamaIndex builds around a model."""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from llama_index.core import PromptTemplate, Settings, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.schema import TextNode
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import StartEvent, StopEvent, Workflow, step
from pydantic import BaseModel

from llamaindex_openrouter_routing import (
    OpenRouter,
    OpenRouterEmbedding,
    ProviderPreferences,
    RoutingPreferences,
    routing,
)
from openrouter_routing import errors
from tests.scripted_server import ScriptedServer

pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")

WANTED = {"order": ["openai"], "zdr": True}
MESSAGES = [ChatMessage(content="Hi")]
PROMPT = PromptTemplate("Say {word}.")

Make = Callable[..., OpenRouter]
Use = Callable[[OpenRouter], Awaitable[Any]]

WAYS: dict[str, Callable[[Make], OpenRouter]] = {
    "nested": lambda make: make(provider=WANTED),
    "typed": lambda make: make(provider=ProviderPreferences(**WANTED)),
    "flat": lambda make: make(**WANTED),
    "flat and nested": lambda make: make(order=["openai"], provider={"zdr": True}),
    "routing": lambda make: make(routing=RoutingPreferences(provider=WANTED)),
    "routing and flat": lambda make: make(routing={"provider": {"zdr": True}}, order=["openai"]),
    "as the peer has it": lambda make: make(
        additional_kwargs={"extra_body": {"provider": {"zdr": True}}}, order=["openai"]
    ),
    "extra body": lambda make: make(extra_body={"provider": WANTED}),
    "with_routing": lambda make: make().with_routing(**WANTED),
    "with_routing twice": lambda make: (
        make(sort="price")
        .with_routing(zdr=True)
        .with_routing({"provider": {"order": ["openai"]}}, sort=None)
    ),
    "a policy": lambda make: make(order=["openai"], policy={"zdr": True}),
    "with_routing and a policy": lambda make: make(order=["openai"]).with_routing(
        zdr=False, policy={"zdr": True}
    ),
}


class City(BaseModel):
    name: str


class Asking(Workflow):
    """A workflow of one step that holds a model."""

    llm: Any = None

    @step
    async def ask(self, event: StartEvent) -> StopEvent:
        return StopEvent(result=str(await self.llm.acomplete("Hi")))


def memory() -> ChatMemoryBuffer:
    return ChatMemoryBuffer(token_limit=10_000)


def lookup(city: str) -> str:
    """Look a city up."""
    return city


def index_of(llm: OpenRouter) -> VectorStoreIndex:
    embed_model = OpenRouterEmbedding(
        "openai/text-embedding-3-small", api_base=llm.api_base, api_key=llm.api_key
    )
    return VectorStoreIndex([TextNode(text="Bern is a city.")], embed_model=embed_model)


async def call(llm: OpenRouter) -> None:
    llm.chat(MESSAGES)


async def stream(llm: OpenRouter) -> None:
    [_ async for _ in await llm.astream_complete("Hi")]


async def tools(llm: OpenRouter) -> None:
    await llm.achat_with_tools([FunctionTool.from_defaults(lookup)], "Hi")


async def structured_llm(llm: OpenRouter) -> None:
    llm.as_structured_llm(City).chat(MESSAGES)
    [_ async for _ in await llm.as_structured_llm(City).astream_chat(MESSAGES)]


async def structured_predict(llm: OpenRouter) -> None:
    await llm.astructured_predict(City, PROMPT, word="hi")
    list(llm.stream_structured_predict(City, PROMPT, word="hi"))


async def chat_engine(llm: OpenRouter) -> None:
    SimpleChatEngine.from_defaults(llm=llm, memory=memory()).chat("Hi")


async def query_engine(llm: OpenRouter) -> None:
    await index_of(llm).as_query_engine(llm=llm).aquery("Hi")
    str(index_of(llm).as_query_engine(llm=llm, streaming=True).query("Hi"))


async def through_settings(llm: OpenRouter) -> None:
    Settings.llm = llm
    try:
        index_of(llm).as_query_engine().query("Hi")
    finally:
        Settings._llm = None


async def agent(llm: OpenRouter) -> None:
    await FunctionAgent(tools=[lookup], llm=llm).run("Hi", memory=memory())


async def agent_workflow(llm: OpenRouter) -> None:
    await AgentWorkflow.from_tools_or_functions([lookup], llm=llm).run("Hi", memory=memory())


async def workflow(llm: OpenRouter) -> None:
    asking = Asking()
    asking.llm = llm
    await asking.run()


async def copies(llm: OpenRouter) -> None:
    for made in (
        copy.copy(llm),
        copy.deepcopy(llm),
        llm.model_copy(deep=True),
        pickle.loads(pickle.dumps(llm)),
        OpenRouter.from_dict(llm.to_dict(), api_key=llm.api_key),
        OpenRouter.from_json(llm.to_json(), api_key=llm.api_key),
    ):
        made.chat(MESSAGES)


USES: dict[str, Use] = {
    use.__name__: use
    for use in (
        call, stream, tools, structured_llm, structured_predict, chat_engine, query_engine,
        through_settings, agent, agent_workflow, workflow, copies,
    )
}  # fmt: skip


def sent(server: ScriptedServer) -> list[Any]:
    return [
        request.json.get("provider")
        for request in server.requests
        if request.path.endswith("/chat/completions")
    ]


@pytest.fixture
def make(connection: dict[str, Any]) -> Make:
    return lambda **fields: OpenRouter("openai/gpt-5-mini", **fields, **connection)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("use", USES)
async def test_every_way_through_everything(
    way: str, use: str, make: Make, server: ScriptedServer
) -> None:
    await USES[use](WAYS[way](make))
    found = sent(server)
    assert found
    assert found == [WANTED] * len(found)


@pytest.mark.parametrize("use", USES)
async def test_a_block_adds_to_the_instance_everywhere(
    use: str, make: Make, server: ScriptedServer
) -> None:
    llm = make(order=["openai"], sort="price")
    with routing(zdr=True, sort=None):
        await USES[use](llm)
    assert sent(server) == [WANTED] * len(sent(server))


@pytest.mark.parametrize("use", USES)
async def test_no_layer_loosens_a_policy(use: str, make: Make, server: ScriptedServer) -> None:
    llm = make(order=["openai"], policy={"zdr": True})
    with routing(zdr=False):
        await USES[use](llm)
    assert sent(server) == [WANTED] * len(sent(server))


async def test_call_arguments_reach_where_the_framework_takes_them(
    make: Make, server: ScriptedServer
) -> None:
    llm = make(order=["azure"])
    options: dict[str, Any] = {"provider": {"order": ["openai"]}, "zdr": True}
    llm.chat(MESSAGES, **options)
    llm.predict_and_call([FunctionTool.from_defaults(lookup)], "Hi", **options)
    llm.structured_predict(City, PROMPT, llm_kwargs=options, word="hi")
    await llm.astructured_predict(City, PROMPT, llm_kwargs=options, word="hi")
    list(llm.stream_structured_predict(City, PROMPT, llm_kwargs=options, word="hi"))
    llm.as_structured_llm(City).chat(MESSAGES, **options)
    assert sent(server) == [WANTED] * 6


def test_call_over_block_over_instance_over_environment(
    make: Make, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_SESSION_ID", "environment")
    llm = make()
    named = make(session_id="instance")

    def session_of(model: OpenRouter, **options: Any) -> Any:
        model.complete("Hi", **options)
        return server.requests[-1].json.get("session_id")

    assert session_of(llm) == "environment"
    assert session_of(named) == "instance"
    assert session_of(make(session_id=None)) is None
    with routing(session_id="block"):
        assert session_of(named) == "block"
        assert session_of(named, session_id="call") == "call"
        assert session_of(named, session_id=None) is None


@pytest.mark.parametrize("where", ["instance", "block"])
def test_contradictions_are_found_before_anything_is_sent(
    where: str, make: Make, server: ScriptedServer
) -> None:
    contradiction = {"policy": {"only": ["azure"]}}
    llm = make(only=["openai"], **(contradiction if where == "instance" else {}))
    block = routing(**contradiction) if where == "block" else contextlib.nullcontext()
    with block, pytest.raises(errors.PreferencesError, match=r"provider\.only"):
        llm.complete("Hi")
    assert server.requests == []


def test_a_violation_is_an_error_also_in_a_query_engine(make: Make, server: ScriptedServer) -> None:
    llm = make(only=["anthropic"])
    with pytest.raises(errors.RoutingViolation):
        index_of(llm).as_query_engine(llm=llm).query("Hi")
    with pytest.raises(errors.RoutingViolation):
        str(index_of(llm).as_query_engine(llm=llm, streaming=True).query("Hi"))
    with pytest.warns(UserWarning, match="OpenAI served"):
        make(only=["anthropic"], on_violation="warn").complete("Hi")
    assert make(only=["anthropic"], on_violation="ignore").complete("Hi").text
