"""What a handler answers, down to the bytes, the pauses between them, and how it breaks off."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SERVER = "openrouter-routing-emulator"


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait between two writes; None waits until the emulator stops or the client leaves."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection before the answer is complete, with a TCP reset if asked."""

    reset: bool


Step = bytes | Pause | HangUp


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Args:
        status: The HTTP status.
        steps: What is written, and what happens between; a list, or when chunked any iterable.
        headers: Beside those that every answer has.
        media_type: The content type.
        chunked: Whether the length is left open, as in a stream.
    """

    status: int
    steps: Iterable[Step]
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    chunked: bool = False


def json_bytes(value: object) -> bytes:
    """Write JSON as the service does: compact, in UTF-8, unescaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_reply(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    """Answer with a JSON value."""
    return Reply(status, [json_bytes(value)], headers or {})


class ReplyResponse(Response):
    """Sends a `Reply`.

    Args:
        reply: What to send.
        closing: Set when the emulator stops; ends every pause.
        sockets: The open connections by the client's address.
    """

    def __init__(
        self,
        reply: Reply,
        closing: asyncio.Event,
        sockets: Mapping[tuple[str, int], asyncio.Transport],
    ) -> None:
        super().__init__(status_code=reply.status)
        self._reply = reply
        self._closing = closing
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Write the steps one by one."""
        reply = self._reply
        headers = {"server": SERVER, "content-type": reply.media_type, **reply.headers}
        if not reply.chunked:
            size = sum(len(step) for step in reply.steps if isinstance(step, bytes))
            headers["content-length"] = str(size)
        started = False

        async def start() -> None:
            nonlocal started
            if not started:
                started = True
                raw = [
                    (k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()
                ]
                head = {"type": "http.response.start", "status": reply.status, "headers": raw}
                await send(head)

        for step in reply.steps:
            if self._closing.is_set():
                break
            if isinstance(step, Pause):
                if started or reply.chunked:
                    await start()
                    await send({"type": "http.response.body", "body": b"", "more_body": True})
                await self._pause(step.seconds)
            elif isinstance(step, HangUp):
                await self._hang_up(scope, step)
                return
            else:
                await start()
                await send({"type": "http.response.body", "body": step, "more_body": True})
        await start()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pause(self, seconds: float | None) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return

    async def _hang_up(self, scope: Scope, step: HangUp) -> None:
        # What was written must leave first, or the reset would overtake it.
        await asyncio.sleep(0.01)
        transport = self._sockets.get(tuple(scope["client"]))
        if transport is None:
            return
        if step.reset:
            connection: socket.socket | None = transport.get_extra_info("socket")
            if connection is not None:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        else:
            transport.close()
        # The server learns of the loss in the next round, and then expects no end of the answer.
        await asyncio.sleep(0.01)
