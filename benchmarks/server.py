"""A server that does as little as one can: it reads a request to its end and writes bytes that were built before.

Run as a process of its own (`python -m benchmarks.server`); it prints its port. The first part of the path names the
answer: `/stream-2000/chat/completions` streams 2,000 chunks. `agent` answers with a tool call first and text once the
request holds a tool result.
"""

from __future__ import annotations

import asyncio
import functools

from benchmarks.answers import answer

_LENGTH = b"content-length:"


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._body: list[bytes] = []
        self._missing = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        # One write is one answer; without this limit a long answer would be written in pieces of the reader's pace.
        transport.set_write_buffer_limits(high=1 << 30)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = head
            self._missing = _content_length(head)
        self._missing -= len(data)
        self._body.append(data)
        if self._missing <= 0:
            self._answer()

    def _answer(self) -> None:
        name = self._head.split(b" ", 2)[1].split(b"/", 2)[1].decode()
        if name.startswith("agent"):
            done = any(b'"role":"tool"' in part for part in (b"".join(self._body),))
            name = "stream-3" if done else name.replace("agent", "argument")
        self._head, self._missing = b"", -1
        self._body.clear()
        if self._transport is not None:
            self._transport.write(_prebuilt(name))


@functools.cache
def _prebuilt(name: str) -> bytes:
    return answer(name)


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    place = lowered.find(_LENGTH)
    if place < 0:
        return 0
    return int(lowered[place + len(_LENGTH) :].split(b"\r\n", 1)[0])


async def serve() -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
