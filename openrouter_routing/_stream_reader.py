"""`StreamReader`: the bytes of a stream in, deltas out; everything about a stream that is neither sync nor async.

A stream ends in exactly one way: finished (a finish reason or `[DONE]` was seen), or a typed error that keeps what had
arrived. The grammar of event streams is httpx-sse's: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

# The package's public face reads whole responses only; these two decoders are what it is made of. The dependency's
# range ends below the next minor version for their sake.
from httpx_sse._decoders import SSEDecoder, SSELineDecoder
from pydantic_core import from_json

from openrouter_routing import errors
from openrouter_routing._coalescing import coalesced
from openrouter_routing._failures import (
    compose,
    error_from_wire,
    error_in,
    interruption,
    redact,
    shorten,
)
from openrouter_routing._transport import read_limit, timed_out
from openrouter_routing._watchdog import NEVER
from openrouter_routing.accumulator import Accumulator, Delta
from openrouter_routing.completion import Completion

if TYPE_CHECKING:
    from openrouter_routing._call import Call


class StreamReader:
    """Reads one attempt at one stream.

    Args:
        call: The request.
        headers: The headers of the answer.
    """

    def __init__(self, call: Call, headers: Mapping[str, str]) -> None:
        self.call = call
        self.headers = headers
        self.accumulator = Accumulator()
        self.done = False
        self.last_event = time.monotonic()
        self._text = codecs.getincrementaldecoder("utf-8")()
        self._lines = SSELineDecoder()
        self._events = SSEDecoder()
        self._checked = self._model_checked = False
        self._first = True

    @property
    def complete(self) -> bool:
        """Whether the answer is whole, whatever still comes: `[DONE]`, or a finish reason for each choice, was seen."""
        return self.done or self.accumulator.finished_choices >= max(1, self.call.choices)

    def feed(self, data: bytes) -> Iterator[Delta]:
        """Take the next bytes in and yield what they add.

        Raises:
            OpenRouterError: The stream holds an error, or something that no event stream holds.
        """
        if self.done:
            return
        broken = None
        try:
            text = self._text.decode(data)
        except UnicodeDecodeError as error:
            # What stands before the broken bytes in this piece is as good as if it had come in one of its own.
            text, broken = error.object[: error.start].decode(), error.reason
        deltas = self._feed_text(text)
        yield from coalesced(deltas) if self.call.settings.coalesce else deltas
        if broken is not None and not self.complete:
            raise self.interrupted(
                f"the stream holds bytes that are no UTF-8 ({broken})", code="bad_data"
            )

    def _feed_text(self, text: str) -> Iterator[Delta]:
        if self._first and text:
            self._first = False
            text = text.removeprefix("\ufeff")
        if text:
            for line in self._lines.decode(text):
                event = self._events.decode(line)
                if event is not None:
                    yield from self._take(event.data)
                    if self.done:
                        return
        # Keep-alive comments are a sign of life, but not of an answer.
        if time.monotonic() > self.deadline() and (failure := self.stalled()) is not None:
            raise failure

    def finish(self) -> Iterator[Delta]:
        """Take the end of the stream in and yield what is still to be handed on; a second time that is nothing.

        Raises:
            StreamInterruptedError: The stream ended without a finish reason and without `[DONE]`, or without an answer.
        """
        if not self.done:
            try:
                for line in (*self._lines.flush(), ""):
                    event = self._events.decode(line)
                    if event is not None:
                        yield from self._take(event.data)
            except errors.StreamInterruptedError as error:
                # Half an event: the cut is the error, not the JSON.
                if error.code != "bad_data":
                    raise
        if not self.complete:
            raise self.interrupted(
                "the stream was cut off: it ended without a finish reason", code="cut"
            )
        if not self.accumulator.has_begun:
            raise self.interrupted("the stream ended before an answer began", code="cut")
        for index, fragment in self.accumulator.missing_tool_call_ids():
            delta = Delta(index)
            delta.tool_calls = [fragment]
            yield delta
        self.done = True

    def resume(self, handed_on: float) -> None:
        """Go on after the reader's user has been at work: that time is not one of waiting for the server.

        Args:
            handed_on: When the last bytes were handed on, by `time.monotonic()`.
        """
        now = time.monotonic()
        self.last_event += now - max(handed_on, self.last_event)

    def _take(self, data: str) -> Iterable[Delta]:
        if data[:1] in ("", ":"):
            # Some gateways send the keep-alive comment as data.
            return ()
        if data.strip() == "[DONE]":
            self.done = True
            return ()
        try:
            chunk = from_json(data)
        except ValueError:
            if "\n" in data:
                return self._take_lines(data)
            raise self.interrupted(
                f"the stream holds a line that is no JSON: {shorten(data)}", code="bad_data"
            ) from None
        return self.take_chunk(chunk) if isinstance(chunk, dict) else ()

    def _take_lines(self, data: str) -> Iterator[Delta]:
        """Take in what some gateways send: several chunks without the empty line between two events."""
        for line in data.split("\n"):
            if not self.done:
                yield from self._take(line)

    def take_chunk(self, chunk: dict[str, Any]) -> list[Delta]:
        """Take one chunk in and return what it added.

        Raises:
            OpenRouterError: The chunk holds an error, or names a provider that the preferences exclude.
        """
        self.last_event = time.monotonic()
        added = self.accumulator.add(chunk)
        if not self._checked and self.accumulator.provider is not None:
            self._checked = True
            self.call.check_provider(self.accumulator.provider, self.partial)
        if not self._model_checked and self.accumulator.model is not None:
            self._model_checked = True
            self.call.check_model(self.accumulator.model, self.partial)
        if error := error_in(chunk):
            raise self.failed(error, chunk)
        if added and self.call.first_token_at is None:
            self.call.first_token_at = self.last_event
        return added

    def deadline(self) -> float:
        """When the next piece has to be there, by `time.monotonic()`: keep-alive comments do not move it."""
        settings = self.call.settings
        if self.call.first_token_at is None and settings.first_token_timeout is not None:
            return self.call.started_at + settings.first_token_timeout
        limit = self._limit()
        return NEVER if limit is None else self.last_event + limit

    def _limit(self) -> float | None:
        settings = self.call.settings
        if self.call.first_token_at is not None and settings.idle_timeout is not None:
            return settings.idle_timeout
        return read_limit(settings)

    def partial(self) -> Completion:
        """Return what has arrived so far, as a completion."""
        return self.call.completion(self.accumulator.to_wire(), self.headers, until=self.last_event)

    def failed(self, error: Mapping[str, Any], chunk: Mapping[str, Any]) -> errors.OpenRouterError:
        """Build the error for an error inside the stream: an interruption once content had arrived."""
        known = error_from_wire(
            error,
            status=self.call.status,
            headers=self.headers,
            body={**self.accumulator.to_wire(), **chunk},
            sent=self.call.sent,
        )
        known.partial = self.partial()
        if not self.accumulator.has_content:
            return known
        return interruption(known, known.partial, "the stream broke off")

    def interrupted(self, what: str, *, code: str | None = None) -> errors.StreamInterruptedError:
        """Build the error for a stream that broke off by itself."""
        generation_id = self.accumulator.generation_id or self.headers.get("x-generation-id")
        return errors.StreamInterruptedError(
            compose(
                f"{what}{self._how_much()}",
                model=self.call.model,
                provider=self.accumulator.provider,
                generation_id=generation_id,
                advice="send it again; what had arrived is in .partial",
            ),
            partial=self.partial(),
            status=self.call.status,
            code=code,
            provider=self.accumulator.provider,
            generation_id=generation_id,
        )

    def _how_much(self) -> str:
        if not self.accumulator.has_content:
            return ", before anything of the answer"
        length = sum(map(len, (choice.text for choice in self.partial().choices)))
        return f", after {length} characters of text"

    def stalled(self) -> errors.OpenRouterError | None:
        """Build the error for a stream from which nothing more comes; None where the answer was complete already."""
        if self.complete:
            return None
        settings = self.call.settings
        if self.call.first_token_at is None and settings.first_token_timeout is not None:
            failure = timed_out(
                self.call, f"no first token within {settings.first_token_timeout} s"
            )
        elif self.accumulator.has_content:
            return self.interrupted(
                f"the stream stalled: nothing new for {self._limit()} s", code="stalled"
            )
        else:
            failure = timed_out(self.call, f"no first token: nothing for {self._limit()} s")
        failure.partial = self.partial()
        failure.generation_id = self.accumulator.generation_id or self.headers.get(
            "x-generation-id"
        )
        return failure

    def broken(self, error: BaseException) -> errors.OpenRouterError | None:
        """Say what a failure of the connection means; None where the answer was complete already."""
        if self.complete:
            return None
        if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
            return self.stalled()
        said = redact(str(error)) or type(error).__name__
        return self.interrupted(
            f"the connection broke in the middle of the stream: {said}", code="disconnected"
        )
