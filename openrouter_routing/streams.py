"""`ChatStream` and `AsyncChatStream`: a streamed answer, delta by delta, and at its end the whole of it.

The two differ only where bytes move. A stream is sent again only while nothing of its answer has been handed on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from openrouter_routing import errors
from openrouter_routing._call import Call
from openrouter_routing._stream_reader import StreamReader
from openrouter_routing._transport import (
    Watchdog,
    attempts,
    connection_error,
    is_transport_error,
    no_attempt,
    request_timeout,
)
from openrouter_routing.accumulator import Delta
from openrouter_routing.completion import Completion
from openrouter_routing.errors import OpenRouterError

if TYPE_CHECKING:
    import httpx


class _Stream:
    """What both streams share: the call, the reader of the current attempt, and how an answer ends."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._reader: StreamReader | None = None
        self._completion: Completion | None = None

    @property
    def completion(self) -> Completion:
        """The answer: whole once the stream has ended, before that what has arrived.

        Raises:
            BadRequestError: Nothing has arrived yet.
        """
        if self._completion is not None:
            return self._completion
        if self._reader is None:
            raise errors.BadRequestError("the stream has not begun: iterate over it first")
        return self._reader.partial()

    @property
    def model(self) -> str | None:
        """The serving model, as soon as the stream has told it."""
        return self._reader.accumulator.model if self._reader else None

    @property
    def generation_id(self) -> str | None:
        """The generation's id, as soon as the stream has told it."""
        return self._reader.accumulator.generation_id if self._reader else None

    def _read_whole(
        self, reader: StreamReader, response: httpx.Response, content: bytes
    ) -> list[Delta]:
        """Take in an answer that came in one piece although a stream was asked for: most often an error."""
        body = self._call.read_json(response, content)
        if not isinstance(body, dict) or not body.get("choices"):
            raise self._call.unreadable(response, content, "an event stream")
        deltas = reader.take_chunk(body)
        reader.done = True
        return deltas

    def _ended(self, reader: StreamReader) -> None:
        completion = reader.partial()
        self._call.record(completion.route)
        self._call.check_content(completion)
        self._completion = completion

    def _abandoned(self) -> None:
        """Record the route of an answer that nobody read to its end: it was billed all the same."""
        if self._reader is not None and self._reader.accumulator.generation_id:
            self._call.record(self._reader.partial().route)


def _is_event_stream(response: httpx.Response) -> bool:
    return response.status_code < 300 and response.headers.get("content-type", "").startswith(
        "text/event-stream"
    )


class ChatStream(_Stream):
    """A streamed answer; iterate over it, or use it as a context manager to close it early.

    Example:
        >>> with client.stream(model="openai/gpt-5-mini", messages=messages) as stream:  # doctest: +SKIP
        ...     for delta in stream:
        ...         print(delta.content, end="")
        ...     print(stream.completion.route.provider)
    """

    def __init__(self, call: Call, http: Callable[[], httpx.Client]) -> None:
        super().__init__(call)
        self._http = http
        self._response: httpx.Response | None = None
        self._watchdog: Watchdog | None = None
        self._bytes: Iterator[bytes] = iter(())
        self._deltas = self._run()

    def __iter__(self) -> Iterator[Delta]:
        return self._deltas

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; at most providers that ends the generation, and its bill."""
        self._deltas.close()

    def _run(self) -> Generator[Delta, None, None]:
        try:
            reader, deltas = self._attempt()
            yield from deltas
            if not reader.is_done():
                for data in self._bytes:
                    yield from reader.feed(data)
                    if reader.is_done():
                        break
                yield from reader.finish()
            self._ended(reader)
        except OpenRouterError as error:
            error.retries = self._call.retries
            raise
        finally:
            self._release()
            self._abandoned()

    def _attempt(self) -> tuple[StreamReader, list[Delta]]:
        for attempt in attempts(self._call):
            with attempt:
                self._call.begin(attempt.num)
                return self._first()
        raise no_attempt(self._call)

    def _first(self) -> tuple[StreamReader, list[Delta]]:
        """Send the request and read up to the first piece of the answer."""
        try:
            response = self._open()
            reader = self._reader = StreamReader(self._call, response.headers)
            if not _is_event_stream(response):
                deltas = self._read_whole(reader, response, response.read())
            else:
                self._call.status = response.status_code
                self._bytes = self._read(response, reader)
                deltas = []
                for data in self._bytes:
                    deltas = reader.feed(data)
                    if deltas or reader.is_done():
                        break
                else:
                    deltas = reader.finish()
            if reader.is_done():
                deltas = [*deltas, *reader.finish()]
                self._call.check_content(reader.partial())
        except Exception as error:
            self._release()
            if is_transport_error(error):
                raise connection_error(error, self._call) from error
            raise
        return reader, deltas

    def _open(self) -> httpx.Response:
        call, http = self._call, self._http()
        limit = call.settings.first_token_timeout
        request = http.build_request(
            "POST",
            call.url,
            headers=call.headers,
            content=call.content,
            timeout=request_timeout(call.settings, read_at_most=limit),
        )
        response = self._response = http.send(request, stream=True, follow_redirects=False)
        if limit is not None or call.settings.idle_timeout is not None:
            # From here on the watchdog counts, and the wait for single bytes has its usual limit again.
            request.extensions["timeout"].update(request_timeout(call.settings).as_dict())
        return response

    def _read(self, response: httpx.Response, reader: StreamReader) -> Iterator[bytes]:
        settings = self._call.settings
        watched = settings.first_token_timeout is not None or settings.idle_timeout is not None
        try:
            if watched and (deadline := reader.deadline()) is not None:
                limits = (settings.first_token_timeout, settings.idle_timeout)
                step = min(limit for limit in limits if limit is not None) / 10
                self._watchdog = Watchdog(response, deadline, step)
            for data in response.iter_bytes():
                yield data
                if self._watchdog is not None:
                    self._watchdog.deadline = reader.deadline() or self._watchdog.deadline
        except Exception as error:
            if not is_transport_error(error):
                raise
            if self._watchdog is not None and self._watchdog.expired:
                raise reader.stalled() from error
            if (known := reader.broken(error)) is not None:
                raise known from error
        if self._watchdog is not None and self._watchdog.expired:
            raise reader.stalled()

    def _release(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None
        if self._response is not None:
            self._response.close()
            self._response = None


class AsyncChatStream(_Stream):
    """The async twin of `ChatStream`: `async for`, `async with`, `aclose()`."""

    def __init__(self, call: Call, http: Callable[[], Awaitable[httpx.AsyncClient]]) -> None:
        super().__init__(call)
        self._http = http
        self._response: httpx.Response | None = None
        self._bytes: AsyncGenerator[bytes, None] | None = None
        self._deltas = self._run()

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self._deltas

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; at most providers that ends the generation, and its bill."""
        await self._deltas.aclose()

    async def _run(self) -> AsyncGenerator[Delta, None]:
        try:
            reader, deltas = await self._attempt()
            for delta in deltas:
                yield delta
            if not reader.is_done() and self._bytes is not None:
                async for data in self._bytes:
                    for delta in reader.feed(data):
                        yield delta
                    if reader.is_done():
                        break
                for delta in reader.finish():
                    yield delta
            self._ended(reader)
        except OpenRouterError as error:
            error.retries = self._call.retries
            raise
        finally:
            await self._release()
            self._abandoned()

    async def _attempt(self) -> tuple[StreamReader, list[Delta]]:
        async for attempt in attempts(self._call):
            with attempt:
                self._call.begin(attempt.num)
                return await self._first()
        raise no_attempt(self._call)

    async def _first(self) -> tuple[StreamReader, list[Delta]]:
        """Send the request and read up to the first piece of the answer."""
        try:
            response = await self._open()
            reader = self._reader = StreamReader(self._call, response.headers)
            if not _is_event_stream(response):
                deltas = self._read_whole(reader, response, await response.aread())
            else:
                self._call.status = response.status_code
                self._bytes = self._read(response, reader)
                deltas = []
                async for data in self._bytes:
                    deltas = reader.feed(data)
                    if deltas or reader.is_done():
                        break
                else:
                    deltas = reader.finish()
            if reader.is_done():
                deltas = [*deltas, *reader.finish()]
                self._call.check_content(reader.partial())
        except BaseException as error:
            await self._release()
            if is_transport_error(error):
                raise connection_error(error, self._call) from error
            raise
        return reader, deltas

    async def _open(self) -> httpx.Response:
        call, http = self._call, await self._http()
        request = http.build_request(
            "POST",
            call.url,
            headers=call.headers,
            content=call.content,
            timeout=request_timeout(call.settings),
        )
        async with asyncio.timeout(call.settings.first_token_timeout):
            self._response = await http.send(request, stream=True, follow_redirects=False)
        return self._response

    async def _read(
        self, response: httpx.Response, reader: StreamReader
    ) -> AsyncGenerator[bytes, None]:
        settings = self._call.settings
        watched = settings.first_token_timeout is not None or settings.idle_timeout is not None
        chunks = response.aiter_bytes()
        try:
            if not watched:
                async for data in chunks:
                    yield data
                return
            while True:
                try:
                    async with asyncio.timeout_at(_loop_time(reader.deadline())):
                        data = await anext(chunks)
                except StopAsyncIteration:
                    return
                yield data
        except Exception as error:
            if not is_transport_error(error):
                raise
            if (known := reader.broken(error)) is not None:
                raise known from error

    async def _release(self) -> None:
        if self._bytes is not None:
            await self._bytes.aclose()
        if self._response is not None:
            response, self._response = self._response, None
            await response.aclose()


def _loop_time(deadline: float | None) -> float | None:
    """Turn a time of `time.monotonic()` into one of the running loop, whose clock may be another."""
    if deadline is None:
        return None
    return asyncio.get_running_loop().time() + deadline - time.monotonic()
