"""LlamaIndex's LLMs: ours, the peer, and the least that a LlamaIndex LLM can do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    ImageBlock,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.llms.llm import LLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import PrivateAttr

from benchmarks.answers import MODEL
from benchmarks.clients.raw import Json, Raw, delta_of
from benchmarks.requests import IN_FLIGHT, KEY, QUESTION, THREADS, Person, image_url, turns, write

ASK = [ChatMessage(role="user", content=QUESTION)]


class FloorLLM(LLM):
    """The least a LlamaIndex LLM can do: HTTP, JSON, the response classes and the events of the framework."""

    url: str
    _raw: Raw = PrivateAttr(default_factory=Raw)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True, model_name=MODEL)

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        return _response(self._raw.chat(self.url, _wire(messages)))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        return _response(await self._raw.achat(self.url, _wire(messages)))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **_: Any) -> Iterator[ChatResponse]:
        def responses() -> Iterator[ChatResponse]:
            text = ""
            for chunk in self._raw.stream(self.url, _wire(messages)):
                delta = delta_of(chunk)["content"] or ""
                text += delta
                yield _so_far(text, delta)

        return responses()

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **_: Any
    ) -> AsyncIterator[ChatResponse]:
        async def responses() -> AsyncIterator[ChatResponse]:
            text = ""
            async for chunk in self._raw.astream(self.url, _wire(messages)):
                delta = delta_of(chunk)["content"] or ""
                text += delta
                yield _so_far(text, delta)

        return responses()

    def complete(self, *_: Any, **__: Any) -> CompletionResponse:
        raise NotImplementedError

    stream_complete = acomplete = astream_complete = complete


def _wire(messages: Sequence[ChatMessage]) -> list[Json]:
    return [{"role": message.role.value, "content": message.content} for message in messages]


def _response(message: Json) -> ChatResponse:
    said = ChatMessage(role=MessageRole.ASSISTANT, content=message["content"])
    return ChatResponse(message=said)


def _so_far(text: str, delta: str) -> ChatResponse:
    said = ChatMessage(role=MessageRole.ASSISTANT, content=text)
    return ChatResponse(message=said, delta=delta)


class LlamaIndex:
    """The work of all LlamaIndex clients; a subclass makes the LLM."""

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
            self._model("text").chat(ASK)

    async def ainvoke(self, repeat: int) -> None:
        for _ in range(repeat):
            await self._model("text").achat(ASK)

    async def in_flight(self, repeat: int) -> None:
        model = self._model("text")
        for _ in range(repeat // IN_FLIGHT):
            await asyncio.gather(*(model.achat(ASK) for _ in range(IN_FLIGHT)))

    def threads(self, repeat: int) -> None:
        model = self._model("text")
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda _: model.chat(ASK), range(repeat)))

    def stream(self, repeat: int) -> None:
        for _ in self._model(f"stream-{repeat}").stream_chat(ASK):
            pass

    def single_stream(self, repeat: int) -> None:
        for _ in self._model(f"stream-{repeat}-single").stream_chat(ASK):
            pass

    async def astream(self, repeat: int) -> None:
        async for _ in await self._model(f"stream-{repeat}").astream_chat(ASK):
            pass

    def history(self, repeat: int) -> None:
        messages = [ChatMessage(role=role, content=text) for role, text in turns()]
        for _ in range(repeat):
            self._model("text").chat(messages)


class Floor(LlamaIndex):
    """The floor."""

    def _make(self, url: str) -> Any:
        return FloorLLM(url=f"{url}/chat/completions")

    # The floor has no such option: what it costs without is what the option is to beat.

    def long_stream(self, repeat: int) -> None:
        self.stream(repeat)

    def coalesced_stream(self, repeat: int) -> None:
        self.stream(repeat)

    async def coalesced_astream(self, repeat: int) -> None:
        await self.astream(repeat)


class _Full(LlamaIndex):
    """What the floor cannot do."""

    def image(self, repeat: int) -> None:
        for _ in range(repeat):
            self._model("text").chat(
                [ChatMessage(role="user", blocks=[ImageBlock(url=image_url())])]
            )

    def structured(self, repeat: int) -> None:
        prompt = PromptTemplate(QUESTION)
        for _ in range(repeat):
            self._model(self._person).structured_predict(Person, prompt)

    _person = "personcall"

    def tool_stream(self, repeat: int) -> None:
        self._drain_tools(f"tool-{repeat}")

    def argument_stream(self, repeat: int) -> None:
        self._drain_tools(f"argument-{repeat}")

    def reasoning_stream(self, repeat: int) -> None:
        for _ in self._model(f"reasoning-{repeat}").stream_chat(ASK):
            pass

    async def agent(self, repeat: int) -> None:
        """A `FunctionAgent` whose tool call has one large argument in `repeat` fragments."""
        from llama_index.core.agent.workflow import FunctionAgent

        agent = FunctionAgent(llm=self._model(f"agent-{repeat}"), tools=[write])
        await agent.run(QUESTION)

    def _drain_tools(self, answer: str) -> None:
        tools = [FunctionTool.from_defaults(write)]
        for _ in self._model(answer).stream_chat_with_tools(tools, QUESTION):
            pass


class Ours(_Full):
    """This package."""

    _person = "person"

    def _make(self, url: str) -> Any:
        from llamaindex_openrouter_routing import OpenRouter

        return OpenRouter(MODEL, api_key=KEY, api_base=url)

    def long_stream(self, repeat: int) -> None:
        self.stream(repeat)

    def coalesced_stream(self, repeat: int) -> None:
        for _ in self._model(f"stream-{repeat}").stream_chat(ASK, coalesce=True):
            pass

    async def coalesced_astream(self, repeat: int) -> None:
        stream = await self._model(f"stream-{repeat}").astream_chat(ASK, coalesce=True)
        async for _ in stream:
            pass


class OpenRouterPeer(_Full):
    """llama-index-llms-openrouter."""

    def _make(self, url: str) -> Any:
        from llama_index.llms.openrouter import OpenRouter

        return OpenRouter(model=MODEL, api_key=KEY, api_base=url, is_function_calling_model=True)
