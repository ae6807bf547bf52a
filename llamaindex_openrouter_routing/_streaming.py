"""Streams as generators: of responses, and in a context of their own; closing the generator closes the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

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


def read_in(context: Context, items: Iterable[R]) -> Generator[R, None, None]:
    """Read an iterable, such as a generator that asks for an answer only when it is read, in a context."""
    iterator = iter(items)
    try:
        while True:
            try:
                item = context.run(next, iterator)
            except StopIteration:
                return
            yield item
    finally:
        # Not every iterator has a connection to close.
        if (close := getattr(iterator, "close", None)) is not None:
            context.run(close)


async def aread_in(context: Context, items: AsyncIterable[R]) -> AsyncGenerator[R, None]:
    """Read an iterable in a context; see `read_in`."""
    iterator = aiter(items)
    try:
        while True:
            try:
                item: R = await run_in(context, iterator.__anext__)
            except StopAsyncIteration:
                return
            yield item
    finally:
        if (close := getattr(iterator, "aclose", None)) is not None:
            await run_in(context, close)


async def run_in(context: Context, work: Callable[[], Any]) -> Any:
    """Await what a function returns in a context."""

    async def await_it() -> Any:
        return await work()

    return await asyncio.create_task(await_it(), context=context)
