"""`ChatStream` and `AsyncChatStream`: a streamed answer, delta by delta, and at its end the whole of it.

The two differ only where bytes move. A stream is sent again only while nothing of its answer has been handed on,
and its connection is closed as soon as nobody reads it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
)
from types import TracebackType
from typing import TYPE_CHECKING, Self

from openrouter_routing import errors
from openrouter_routing._attempts import aretried, retried
from openrouter_routing._call import Call
from openrouter_routing._stream_reader import StreamReader
from openrouter_routing._transport import (
    aread_body,
    connection_error,
    is_transport_error,
    read_body,
    request_arguments,
    request_timeout,
    without_request,
)
from openrouter_routing._watchdog import NEVER, Watchdog
from openrouter_routing.accumulator import Delta
from openrouter_routing.completion import Completion
from openrouter_routing.errors import OpenRouterError

if TYPE_CHECKING:
    import httpx

REST_SECONDS = 0.25
"""How long to wait for the end of a response after the end of its stream, so that its connection can be used again."""


class _Stream:
    """What both streams share: the call, the reader of the current attempt, and how an answer ends."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._begun = self._closed = False
        self._reader: StreamReader | None = None
        self._completion: Completion | None = None
        self._response: httpx.Response | None = None

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

    def _begin(self) -> None:
        if self._begun:
            raise errors.BadRequestError(
                "a stream can be iterated over once, and leaving the loop ends it: ask for another one"
            )
        self._begun = True

    def _refuse_closed(self) -> None:
        """End an attempt that somebody closed while it was prepared, sent, or waited for.

        Raises:
            StreamInterruptedError: Somebody did.
        """
        if self._closed:
            reader = self._reader or StreamReader(self._call, {})
            raise reader.interrupted("the stream was closed while it was read", code="closed")

    def _new_reader(self, response: httpx.Response) -> StreamReader:
        self._call.status = response.status_code
        self._reader = StreamReader(self._call, response.headers)
        return self._reader

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

    def _first_failed(self, error: BaseException) -> None:
        """Raise our error for one of the HTTP library, where nothing of the answer has been handed on."""
        if isinstance(error, Exception) and is_transport_error(error):
            raise connection_error(error, self._call) from without_request(error)

    def _expired(self, reader: StreamReader) -> OpenRouterError | None:
        if self._closed and not reader.complete:
            return reader.interrupted("the stream was closed while it was read", code="closed")
        return reader.stalled()

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
    return response.status_code < 300 and response.headers.get(
        "content-type", ""
    ).lower().startswith("text/event-stream")


class ChatStream(_Stream):
    """A streamed answer; iterate over it once. Leaving the loop closes the connection.

    Example:
        >>> with client.stream(model="openai/gpt-5-mini", messages=messages) as stream:  # doctest: +SKIP
        ...     for delta in stream:
        ...         print(delta.content, end="")
        ...     print(stream.completion.route.provider)
    """

    def __init__(self, call: Call, http: Callable[[], httpx.Client]) -> None:
        super().__init__(call)
        self._http = http
        self._watchdog: Watchdog | None = None
        # Weak, so that the loop over the deltas owns them: leaving it ends them, and that closes the connection.
        self._deltas: Callable[[], Generator[Delta, None, None] | None] = lambda: None

    def __iter__(self) -> Iterator[Delta]:
        self._begin()
        deltas = self._run()
        self._deltas = weakref.ref(deltas)
        return deltas

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
        """Close the connection; at most providers that ends the generation, and its bill.

        From another thread than the one that reads, this ends the read, or the wait for the answer as soon as its
        headers are there: in that thread it raises StreamInterruptedError. Between two deltas it ends the loop.
        """
        self._begun = self._closed = True
        try:
            if (deltas := self._deltas()) is not None:
                deltas.close()
        except ValueError:
            # A generator that is running cannot be closed; its read can be ended.
            if (watchdog := self._watchdog) is not None:
                watchdog.bite()

    def _run(self) -> Generator[Delta, None, None]:
        try:
            yield from retried(self._call, self._attempt)
            if self._reader is not None:
                self._ended(self._reader)
        except OpenRouterError as error:
            error.retries = self._call.retries
            raise
        finally:
            self._release()
            self._abandoned()

    def _attempt(self) -> Iterator[Delta]:
        """Send the request and wait for the first piece of its answer: up to here it may be sent again."""
        self._refuse_closed()
        deltas = self._answer()
        try:
            first = next(deltas, None)
            if first is None and self._reader is not None:
                self._call.check_content(self._reader.partial())
        except BaseException as error:
            self._release()
            self._abandoned()
            self._first_failed(error)
            raise
        return deltas if first is None else _together(first, deltas)

    def _answer(self) -> Generator[Delta, None, None]:
        """Yield all deltas of one attempt."""
        self._reader = None
        response = self._open()
        reader = self._new_reader(response)
        self._refuse_closed()
        if not _is_event_stream(response):
            yield from self._read_whole(reader, response, read_body(self._call, response))
        else:
            for data in self._read(response, reader):
                yield from reader.feed(data)
        yield from reader.finish()

    def _open(self) -> httpx.Response:
        call, http = self._call, self._http()
        limit = call.settings.first_token_timeout
        request = http.build_request(**request_arguments(call, at_most=limit))
        self._response = http.send(request, stream=True, follow_redirects=False)
        if limit is not None and (timeout := request.extensions.get("timeout")) is not None:
            # From here on the watchdog counts, and the wait for single bytes has its usual limit again.
            timeout.update(request_timeout(call.settings).as_dict())
        return self._response

    def _read(self, response: httpx.Response, reader: StreamReader) -> Iterator[bytes]:
        watchdog = self._watchdog = Watchdog(response)
        pieces = response.iter_bytes()
        try:
            while True:
                watchdog.deadline = reader.deadline()
                data = next(pieces, None)
                watchdog.deadline = NEVER
                if data is None:
                    break
                handed_on = time.monotonic()
                yield data
                if reader.done:
                    self._read_rest(pieces, watchdog)
                    return
                reader.resume(handed_on)
        except Exception as error:
            if not (watchdog.expired or is_transport_error(error)):
                raise
            failure = self._expired(reader) if watchdog.expired else reader.broken(error)
            if failure is not None:
                raise failure from without_request(error)
        if watchdog.expired and (failure := self._expired(reader)) is not None:
            raise failure

    @staticmethod
    def _read_rest(pieces: Iterator[bytes], watchdog: Watchdog) -> None:
        """Read the end of the response, so that its connection can be used again: nothing of the answer is in it."""
        if not watchdog.can_act:
            return
        watchdog.deadline = time.monotonic() + REST_SECONDS
        try:
            for _ in pieces:
                if time.monotonic() > watchdog.deadline:
                    return
        finally:
            # At its end the connection goes back to the pool, and may serve somebody else from then on.
            watchdog.stop()

    def _release(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None
        if self._response is not None:
            self._response.close()
            self._response = None


def _together(first: Delta, deltas: Generator[Delta, None, None]) -> Iterator[Delta]:
    yield first
    yield from deltas


class AsyncChatStream(_Stream):
    """The async twin of `ChatStream`: `async for`, `async with`, `aclose()`."""

    def __init__(self, call: Call, http: Callable[[], Awaitable[httpx.AsyncClient]]) -> None:
        super().__init__(call)
        self._http = http
        self._deltas: Callable[[], AsyncGenerator[Delta, None] | None] = lambda: None

    def __aiter__(self) -> AsyncIterator[Delta]:
        self._begin()
        deltas = self._run()
        self._deltas = weakref.ref(deltas)
        return deltas

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
        """Close the connection; at most providers that ends the generation, and its bill.

        From another task than the one that reads it does what `ChatStream.close` does from another thread.
        """
        self._begun = self._closed = True
        if (deltas := self._deltas()) is None:
            return
        try:
            await deltas.aclose()
        except RuntimeError:
            # A generator that is running cannot be closed; its read can be ended.
            await self._release()

    async def _run(self) -> AsyncGenerator[Delta, None]:
        try:
            first, rest = await aretried(self._call, self._attempt)
            async with contextlib.aclosing(rest):
                if first is not None:
                    yield first
                async for delta in rest:
                    yield delta
            if self._reader is not None:
                self._ended(self._reader)
        except OpenRouterError as error:
            error.retries = self._call.retries
            raise
        finally:
            await self._release()
            self._abandoned()

    async def _attempt(self) -> tuple[Delta | None, AsyncGenerator[Delta, None]]:
        """Send the request and wait for the first piece of its answer: up to here it may be sent again."""
        self._refuse_closed()
        deltas = self._answer()
        try:
            first = await anext(deltas, None)
            if first is None and self._reader is not None:
                self._call.check_content(self._reader.partial())
        except BaseException as error:
            await self._release()
            self._abandoned()
            self._first_failed(error)
            raise
        return first, deltas

    async def _answer(self) -> AsyncGenerator[Delta, None]:
        """Yield all deltas of one attempt."""
        self._reader = None
        response = await self._open()
        reader = self._new_reader(response)
        self._refuse_closed()
        if not _is_event_stream(response):
            for delta in self._read_whole(reader, response, await aread_body(self._call, response)):
                yield delta
        else:
            async with contextlib.aclosing(self._read(response, reader)) as pieces:
                async for data in pieces:
                    for delta in reader.feed(data):
                        yield delta
                    if reader.done:
                        await self._read_rest(pieces)
                        break
        for delta in reader.finish():
            yield delta

    async def _open(self) -> httpx.Response:
        call, http = self._call, await self._http()
        request = http.build_request(**request_arguments(call))
        async with asyncio.timeout(call.settings.first_token_timeout):
            self._response = await http.send(request, stream=True, follow_redirects=False)
        return self._response

    async def _read(
        self, response: httpx.Response, reader: StreamReader
    ) -> AsyncGenerator[bytes, None]:
        settings = self._call.settings
        watched = settings.first_token_timeout is not None or settings.idle_timeout is not None
        pieces = response.aiter_bytes()
        try:
            while True:
                if watched:
                    async with asyncio.timeout_at(_loop_time(reader.deadline())):
                        data = await anext(pieces, None)
                else:
                    data = await anext(pieces, None)
                if data is None:
                    break
                handed_on = time.monotonic()
                yield data
                reader.resume(handed_on)
        except Exception as error:
            if not (self._closed or is_transport_error(error)):
                raise
            failure = self._expired(reader) if self._closed else reader.broken(error)
            if failure is not None:
                raise failure from without_request(error)
        if self._closed and (failure := self._expired(reader)) is not None:
            raise failure

    @staticmethod
    async def _read_rest(pieces: AsyncGenerator[bytes, None]) -> None:
        """Read the end of the response, so that its connection can be used again: nothing of the answer is in it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REST_SECONDS):
                async for _ in pieces:
                    pass

    async def _release(self) -> None:
        if self._response is not None:
            response, self._response = self._response, None
            await response.aclose()


def _loop_time(deadline: float) -> float | None:
    """Turn a time of `time.monotonic()` into one of the running loop, whose clock may be another."""
    if deadline == NEVER:
        return None
    return asyncio.get_running_loop().time() + deadline - time.monotonic()
