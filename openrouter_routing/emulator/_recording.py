"""What the emulator remembers of each request, and how it notices that a client hung up."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(eq=False)
class RecordedRequest:
    """One request as it arrived.

    Args:
        method: Such as `"POST"`.
        path: Below the base URL, such as `"/chat/completions"`.
        query: The raw query string.
        headers: With lower-case names; a name that came twice holds both values, comma separated.
        body: The bytes.
        status: The HTTP status of the answer; None until it has begun.
        disconnected: Whether the client hung up before the answer was complete.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None = None
    disconnected: bool = False
    _left: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def note_disconnected(self) -> None:
        """Note that the client has hung up, and tell who waits for it."""
        self.disconnected = True
        self._left.set()

    def wait_disconnected(self, timeout: float = 5.0) -> bool:
        """Wait until the client has hung up.

        Args:
            timeout: At most this many seconds.

        Returns:
            Whether it has.
        """
        return self._left.wait(timeout)

    @property
    def json(self) -> dict[str, object]:
        """The body as a JSON object.

        Raises:
            ValueError: It is no JSON object.
        """
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError(f"the body is not a JSON object: {self.body[:80]!r}")  # noqa: TRY004
        return cast("dict[str, object]", value)


class Recorder:
    """ASGI middleware that records each request and cancels the answer when the client leaves.

    Args:
        app: The application.
        requests: Where to append.
        prefix: The start of every path, left out of the record.
    """

    def __init__(self, app: ASGIApp, requests: list[RecordedRequest], prefix: str) -> None:
        self._app = app
        self._requests = requests
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = await _read_body(receive)
        if scope["type"] != "http" or body is None:
            return
        record = RecordedRequest(
            method=scope["method"],
            path=scope["path"].removeprefix(self._prefix) or "/",
            query=scope["query_string"].decode("latin-1"),
            headers=_headers(scope["headers"]),
            body=body,
        )
        self._requests.append(record)
        scope["record"] = record
        complete = False

        async def sending(message: Message) -> None:
            nonlocal complete
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)
            complete = message["type"] == "http.response.body" and not message.get("more_body")

        answering = asyncio.ensure_future(self._app(scope, _replay(body), sending))
        leaving = asyncio.ensure_future(_until_disconnect(receive))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done() and not complete:
            record.note_disconnected()
            answering.cancel()
        leaving.cancel()
        await asyncio.wait({answering, leaving})
        if not answering.cancelled() and (error := answering.exception()) is not None:
            raise error


async def _read_body(receive: Receive) -> bytes | None:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _replay(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        # Leaving is watched for outside; the application is cancelled, never told.
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never

    return receive


def _headers(raw: list[tuple[bytes, bytes]]) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
