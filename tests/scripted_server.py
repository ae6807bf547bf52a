"""A real HTTP server on loopback that plays answers byte by byte, as a test scripts them.

It is for what a well-behaved server never does: half answers, resets, silence, bytes cut anywhere. An answer is a list
of steps; a step is bytes to send, a number of seconds to wait, `HANG`, `CLOSE` or `RESET`.

Example:
    >>> with ScriptedServer() as server:
    ...     server.play(json_answer({"choices": []}), [b"HTTP/1.1 200 OK", RESET])
    ...     server.base_url.startswith("http://127.0.0.1:")
    True
"""

from __future__ import annotations

import contextlib
import enum
import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


class End(enum.Enum):
    """How a connection can end other than by a complete answer."""

    HANG = "say nothing more until the client goes away"
    CLOSE = "close the connection"
    RESET = "reset the connection"


HANG, CLOSE, RESET = End.HANG, End.CLOSE, End.RESET
Step = bytes | float | End
Answer = Iterable[Step]


@dataclass
class Recorded:
    """One request as it came over the wire.

    Attributes:
        method: The HTTP method.
        path: The path with its query.
        header_lines: All headers as they came, in order, repeated ones included.
        body: The body.
        connection: The number of the connection it came on, counted from 0.
        disconnected: Set once the client has closed the connection before the answer was complete.
        answered: Set once all steps of the answer have been played.
    """

    method: str
    path: str
    header_lines: list[tuple[str, str]]
    body: bytes
    connection: int
    disconnected: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)

    @property
    def headers(self) -> dict[str, str]:
        """The headers by their names in lower case."""
        return {name.lower(): value for name, value in self.header_lines}

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class ScriptedServer:
    """Plays scripted answers to the requests that come, in order; the last one is repeated.

    Attributes:
        base_url: What to give a client as `base_url`.
        requests: The requests, in the order they came.
        connections: How many connections were opened.
        open_connections: How many of them are open now.

    Args:
        tls: The server's side of TLS; answers that wait or hang are for plain connections alone.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.requests: list[Recorded] = []
        self.connections = 0
        self.open_connections = 0
        self._answers: list[Answer] = []
        self._last: Answer = error_answer(500, {"code": 500, "message": "nothing was scripted"})
        self._responder: Callable[[Recorded], Answer] | None = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.base_url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/api/v1"

    def play(self, *answers: Answer) -> None:
        """Queue answers: one for each request to come."""
        with self._changed:
            self._answers.extend(list(answer) for answer in answers)

    def respond(self, responder: Callable[[Recorded], Answer] | None) -> None:
        """Answer every request by what a function makes of it; by what was played after that if None."""
        self._responder = responder

    def wait_for(self, condition: Callable[[], bool], seconds: float = 20.0) -> bool:
        """Wait until something is so on this side; False where it never came."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def wait_for_requests(self, count: int) -> list[Recorded]:
        """Wait until so many requests have come."""
        assert self.wait_for(lambda: len(self.requests) >= count), f"{len(self.requests)} requests"
        return self.requests

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for thread in threads:
            thread.join(10)

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        with self._changed:
            self._threads = [known for known in self._threads if known.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                number = self.connections
                self.connections += 1
                self.open_connections += 1
                self._sockets.add(connection)
                self._changed.notify_all()
            self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as reader:
                while (request := _read_request(reader, connection, number)) is not None:
                    with self._changed:
                        self.requests.append(request)
                        answer = self._next_answer(request)
                        self._changed.notify_all()
                    if not self._play(connection, request, answer):
                        return
        except (OSError, ValueError):
            return
        finally:
            with self._changed:
                self._sockets.discard(connection)
                self.open_connections -= 1
                self._changed.notify_all()

    def _next_answer(self, request: Recorded) -> Answer:
        if self._responder is not None:
            return self._responder(request)
        if self._answers:
            self._last = self._answers.pop(0)
        return self._last

    def _play(self, connection: socket.socket, request: Recorded, answer: Answer) -> bool:
        """Play an answer; say whether the connection can take another request."""
        for step in answer:
            if isinstance(step, bytes):
                try:
                    connection.sendall(step)
                except OSError:
                    self._gone(request)
                    return False
            elif step is RESET:
                # A linger of zero seconds makes the close a reset.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            elif step is CLOSE:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                return False
            elif not self._stay(connection, None if isinstance(step, End) else step):
                self._gone(request)
                return False
        with self._changed:
            request.answered.set()
            self._changed.notify_all()
        return True

    def _gone(self, request: Recorded) -> None:
        with self._changed:
            request.disconnected.set()
            self._changed.notify_all()

    def _stay(self, connection: socket.socket, seconds: float | None) -> bool:
        """Wait; say whether the client is still there."""
        readable, _, _ = select.select([connection], [], [], seconds)
        if not readable:
            return True
        try:
            return bool(connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False


def _read_request(reader: Any, connection: socket.socket, number: int) -> Recorded | None:
    line = reader.readline().decode("latin-1").strip()
    if not line:
        return None
    method, path, _ = line.split(" ", 2)
    headers: list[tuple[str, str]] = []
    while line := reader.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers.append((name.strip(), value.strip()))
    by_name = {name.lower(): value for name, value in headers}
    if by_name.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(reader.readline(), 16):
            body += reader.read(size)
            reader.readline()
        reader.readline()
    else:
        body = reader.read(int(by_name.get("content-length", 0)))
    return Recorded(method, path, headers, body, number)


def http_head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of an answer."""
    lines = [
        f"HTTP/1.1 {status} Scripted",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def raw_answer(
    body: bytes,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> list[Step]:
    """Return a whole answer with a body of any kind."""
    head = {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}
    return [http_head(status, head) + body]


def json_answer(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> list[Step]:
    """Return a whole JSON answer."""
    return raw_answer(json.dumps(body).encode(), status=status, headers=headers)


def error_answer(
    status: int, error: object, *, headers: Mapping[str, str] | None = None, **around: object
) -> list[Step]:
    """Return an error as OpenRouter sends it."""
    return json_answer({"error": error, **around}, status=status, headers=headers)


def event(chunk: object) -> bytes:
    """Return one event of a stream; text is sent as it is, anything else as JSON."""
    data = chunk if isinstance(chunk, str) else json.dumps(chunk)
    return f"data: {data}\n\n".encode()


DONE = b"data: [DONE]\n\n"
COMMENT = b": OPENROUTER PROCESSING\n\n"


def stream_answer(
    *steps: Step | Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    content_type: str = "text/event-stream",
) -> list[Step]:
    """Return a streamed answer: dicts become events, bytes are sent as they are, each as one HTTP chunk.

    It is complete on the level of HTTP unless it ends in `HANG`, `CLOSE` or `RESET`.
    """
    head = {"Content-Type": content_type, "Transfer-Encoding": "chunked", **(headers or {})}
    played: list[Step] = [http_head(200, head)]
    for step in steps:
        piece = event(step) if isinstance(step, Mapping) else step
        if isinstance(piece, bytes):
            piece = b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b""
        played.append(piece)
    if not (steps and isinstance(steps[-1], End)):
        played.append(b"0\r\n\r\n")
    return played


def chunk(content: str | None = None, **choice: Any) -> dict[str, Any]:
    """Return one chunk of a streamed chat answer, with what every chunk of OpenRouter carries."""
    delta = {} if content is None else {"role": "assistant", "content": content}
    return {
        "id": "gen-1",
        "provider": "OpenAI",
        "model": "openai/gpt-5-mini",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}],
    }


def answer(content: str | None = "Bern.", **fields: Any) -> dict[str, Any]:
    """Return a whole chat answer that was not streamed."""
    return {
        "id": "gen-1",
        "provider": "OpenAI",
        "model": "openai/gpt-5-mini",
        "object": "chat.completion",
        "created": 1760000000,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": "stop",
                "native_finish_reason": "completed",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 2,
            "total_tokens": 11,
            "cost": 0.0001,
        },
        **fields,
    }
