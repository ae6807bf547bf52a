"""Streams of deltas as generators of responses; closing the generator closes the connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, TypeVar

from llama_index.core.base.llms.types import ChatResponse, ChatResponseAsyncGen, ChatResponseGen

from llamaindex_openrouter_routing.responses import StreamedResponse

if TYPE_CHECKING:
    from openrouter_routing.streams import AsyncChatStream, ChatStream

R = TypeVar("R")


def responses_of(stream: ChatStream) -> ChatResponseGen:
    """Yield a cumulative response for each delta, and a last one with the whole answer and its metadata."""
    with stream:
        streamed = StreamedResponse()
        for delta in stream:
            if (response := streamed.add(delta)) is not None:
                yield response
        yield streamed.finish(stream.completion)


async def aresponses_of(stream: AsyncChatStream) -> ChatResponseAsyncGen:
    """Yield what `responses_of` yields."""
    async with stream:
        streamed = StreamedResponse()
        async for delta in stream:
            if (response := streamed.add(delta)) is not None:
                yield response
        yield streamed.finish(stream.completion)


def mapped(
    responses: ChatResponseGen, change: Callable[[ChatResponse], R]
) -> Generator[R, None, None]:
    """Yield what a function makes of each response."""
    try:
        for response in responses:
            yield change(response)
    finally:
        responses.close()


async def amapped(
    responses: ChatResponseAsyncGen, change: Callable[[ChatResponse], R]
) -> AsyncGenerator[R, None]:
    """Yield what a function makes of each response."""
    try:
        async for response in responses:
            yield change(response)
    finally:
        await responses.aclose()
