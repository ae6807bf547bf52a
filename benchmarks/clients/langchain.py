"""LangChain's models: ours, the peers, and the least that a LangChain model can do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import ConfigurableField
from pydantic import PrivateAttr

from benchmarks.answers import MODEL
from benchmarks.clients.raw import Json, Raw, delta_of
from benchmarks.requests import (
    IN_FLIGHT,
    KEY,
    QUESTION,
    THREADS,
    Person,
    image_url,
    turns,
    write,
)

_ROLES = {"human": "user", "ai": "assistant", "system": "system"}


class FloorModel(BaseChatModel):
    """The least a LangChain model can do: HTTP, JSON, and the message classes of the framework."""

    url: str
    _raw: Raw = PrivateAttr(default_factory=Raw)

    @property
    def _llm_type(self) -> str:
        return "floor"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        message = self._raw.chat(self.url, _wire(messages))
        return ChatResult(
            generations=[ChatGeneration(message=AIMessage(content=message["content"]))]
        )

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        message = await self._raw.achat(self.url, _wire(messages))
        return ChatResult(
            generations=[ChatGeneration(message=AIMessage(content=message["content"]))]
        )

    def _stream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._raw.stream(self.url, _wire(messages)):
            yield _chunk(delta_of(chunk))

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **__: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in self._raw.astream(self.url, _wire(messages)):
            yield _chunk(delta_of(chunk))


def _wire(messages: list[BaseMessage]) -> list[Json]:
    return [{"role": _ROLES[message.type], "content": message.content} for message in messages]


def _chunk(delta: Json) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=delta["content"] or ""))


class LangChain:
    """The work of all LangChain clients; a subclass makes the model."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._models: dict[str, Any] = {}

    def _make(self, url: str) -> Any:
        raise NotImplementedError

    def _model(self, answer: str) -> Any:
        if answer not in self._models:
            self._models[answer] = self._make(f"{self._server}/{answer}")
        return self._models[answer]

    def invoke(self, repeat: int) -> None:
        for _ in range(repeat):
            self._model("text").invoke(QUESTION)

    async def ainvoke(self, repeat: int) -> None:
        for _ in range(repeat):
            await self._model("text").ainvoke(QUESTION)

    async def in_flight(self, repeat: int) -> None:
        model = self._model("text")
        for _ in range(repeat // IN_FLIGHT):
            await asyncio.gather(*(model.ainvoke(QUESTION) for _ in range(IN_FLIGHT)))

    def threads(self, repeat: int) -> None:
        self._model("text").batch([QUESTION] * repeat, {"max_concurrency": THREADS})

    def stream(self, repeat: int) -> None:
        for _ in self._model(f"stream-{repeat}").stream(QUESTION):
            pass

    def single_stream(self, repeat: int) -> None:
        for _ in self._model(f"stream-{repeat}-single").stream(QUESTION):
            pass

    async def astream(self, repeat: int) -> None:
        async for _ in self._model(f"stream-{repeat}").astream(QUESTION):
            pass

    def history(self, repeat: int) -> None:
        messages = turns()
        for _ in range(repeat):
            self._model("text").invoke(messages)

    def image(self, repeat: int) -> None:
        part = {"type": "image_url", "image_url": {"url": image_url()}}
        for _ in range(repeat):
            self._model("text").invoke([("user", [part])])


class Floor(LangChain):
    """The floor."""

    def _make(self, url: str) -> Any:
        return FloorModel(url=f"{url}/chat/completions")

    # The floor has no such option: what it costs without is what the option is to beat.

    def long_stream(self, repeat: int) -> None:
        self.stream(repeat)

    def coalesced_stream(self, repeat: int) -> None:
        self.stream(repeat)

    async def coalesced_astream(self, repeat: int) -> None:
        await self.astream(repeat)


class _Full(LangChain):
    """What the floor cannot do."""

    def structured(self, repeat: int) -> None:
        model = self._model("person").with_structured_output(Person, method="json_schema")
        for _ in range(repeat):
            model.invoke(QUESTION)

    def tool_stream(self, repeat: int) -> None:
        self._drain_tools(f"tool-{repeat}")

    def argument_stream(self, repeat: int) -> None:
        self._drain_tools(f"argument-{repeat}")

    def reasoning_stream(self, repeat: int) -> None:
        for _ in self._model(f"reasoning-{repeat}").stream(QUESTION):
            pass

    def _drain_tools(self, answer: str) -> None:
        for _ in self._model(answer).bind_tools([write]).stream(QUESTION):
            pass


class Ours(_Full):
    """This package."""

    def _make(self, url: str, **fields: Any) -> Any:
        from langchain_openrouter_routing import ChatOpenRouter

        return ChatOpenRouter(model=MODEL, api_key=KEY, base_url=url, **fields)

    def long_stream(self, repeat: int) -> None:
        self.stream(repeat)

    def coalesced_stream(self, repeat: int) -> None:
        for _ in self._model(f"stream-{repeat}").stream(QUESTION, coalesce=True):
            pass

    async def coalesced_astream(self, repeat: int) -> None:
        async for _ in self._model(f"stream-{repeat}").astream(QUESTION, coalesce=True):
            pass

    def reconfigure(self, repeat: int) -> None:
        _reconfigure(self._model("text"), repeat)

    def routed_invoke(self, repeat: int) -> None:
        """Like `invoke`, with preferences of the model and of the call."""
        model = self._model("text").with_routing(zdr=True, sort="price")
        for _ in range(repeat):
            model.invoke(QUESTION, allow_fallbacks=False)


class OpenRouterPeer(_Full):
    """langchain-openrouter."""

    def _make(self, url: str) -> Any:
        from langchain_openrouter import ChatOpenRouter

        return ChatOpenRouter(model=MODEL, api_key=KEY, base_url=url)

    def reconfigure(self, repeat: int) -> None:
        _reconfigure(self._model("text"), repeat)


class OpenAIPeer(_Full):
    """langchain-openai, pointed at OpenRouter."""

    def _make(self, url: str) -> Any:
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(model=MODEL, api_key=KEY, base_url=url)

    def reconfigure(self, repeat: int) -> None:
        _reconfigure(self._model("text"), repeat)


def _reconfigure(model: Any, repeat: int) -> None:
    """Build the model that a call with other fields builds (`configurable_fields` makes one for each call)."""
    runnable = model.configurable_fields(temperature=ConfigurableField(id="temperature"))
    for place in range(repeat):
        runnable.prepare({"configurable": {"temperature": 0.5 + place / 10_000}})
