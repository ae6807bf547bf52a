"""Scripted answers: exactly what a test says, in the order it says it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from openrouter_routing.emulator._chunks import chunks_of, event
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._replies import HangUp, Pause, Reply, Step, json_reply

Plain = Mapping[str, object] | list[object] | bytes


@dataclass(frozen=True, slots=True)
class Scripted:
    """One exact answer.

    Args:
        body: A wire body, which is cut into chunks when the request streams; a list for a stream:
            chunks, raw `bytes` or `str` to write as they are, numbers for pauses in seconds; or
            the raw bytes of the whole answer.
        status: The HTTP status.
        headers: Beside the usual ones; `content-type` replaces the usual one.
        delay: Seconds before the first byte.
        done: Whether a stream ends with `[DONE]`.
        hang_up: Whether the connection is closed before the answer is complete.
    """

    body: Plain
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float | None = None
    done: bool = True
    hang_up: bool = False

    def reply(self, *, stream: bool) -> Reply:
        """Turn the script into an answer to a request that streams or does not."""
        wait: list[Step] = [] if self.delay is None else [Pause(self.delay)]
        end: list[Step] = [HangUp(reset=False)] if self.hang_up else []
        headers = {k: v for k, v in self.headers.items() if k.lower() != "content-type"}
        if (identity := _identity(self.body)) is not None:
            headers = {"X-Generation-Id": identity, **headers}
        media = {k.lower(): v for k, v in self.headers.items()}.get("content-type")
        body = self.body
        if isinstance(body, Mapping) and stream and "choices" in body:
            body = list(chunks_of(body))
        if isinstance(body, list):
            done: list[Step] = [b"data: [DONE]\n\n"] if self.done else []
            steps = [*wait, *(_step(item) for item in body), *done, *end]
            return Reply(self.status, steps, headers, media or "text/event-stream", chunked=True)
        if isinstance(body, bytes):
            open_end = self.hang_up
            kind = media or "application/json"
            return Reply(self.status, [*wait, body, *end], headers, kind, chunked=open_end)
        plain = json_reply(body, status=self.status, headers=headers)
        kind = media or plain.media_type
        return Reply(self.status, [*wait, *plain.steps, *end], headers, kind, chunked=self.hang_up)


def _identity(body: Plain) -> str | None:
    first = (
        next((i for i in body if isinstance(i, Mapping)), {}) if isinstance(body, list) else body
    )
    identity = first.get("id") if isinstance(first, Mapping) else None
    return identity if isinstance(identity, str) else None


def _step(item: object) -> Step:
    if isinstance(item, Mapping):
        return event(item)
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, bytes):
        return item
    if isinstance(item, int | float):
        return Pause(float(item))
    raise TypeError(f"a scripted stream holds chunks, text, bytes and pauses, not {item!r}")


Item = Scripted | Plain | Callable[[RecordedRequest], "Scripted | Plain"]


class Script:
    """A queue of answers for one path.

    Args:
        path: Such as `"/chat/completions"`.
        items: The answers, each used once.
    """

    def __init__(self, path: str, items: Iterable[Item]) -> None:
        self.path = path
        self._items = deque(items)
        self._lock = threading.Lock()

    @property
    def remaining(self) -> int:
        """How many answers have not been used."""
        return len(self._items)

    def clear(self) -> None:
        """Drop the rest of the script."""
        with self._lock:
            self._items.clear()

    def answer(self, request: RecordedRequest, *, stream: bool) -> Reply | None:
        """Use the next answer, or give None when the script is over."""
        with self._lock:
            if not self._items:
                return None
            item = self._items.popleft()
        scripted = item(request) if callable(item) else item
        if not isinstance(scripted, Scripted):
            status = _error_status(scripted)
            scripted = Scripted(scripted, status=status)
        return scripted.reply(stream=stream)


def _error_status(body: Plain) -> int:
    """Give an error body its own code as the HTTP status, as the service does."""
    error = body.get("error") if isinstance(body, Mapping) and "choices" not in body else None
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else 200
