"""The emulator as a value: starts in a background thread, stops with its block."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Self, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from openrouter_routing.catalog import Catalog
from openrouter_routing.emulator._app import PREFIX, build_app
from openrouter_routing.emulator._faults import Fault
from openrouter_routing.emulator._recording import RecordedRequest, Recorder
from openrouter_routing.emulator._scripts import Item, Script
from openrouter_routing.emulator._service import Service, Settings

_log = logging.getLogger("openrouter_routing.emulator")
_HOST = "127.0.0.1"
_STOP_SECONDS = 5.0
_BACKLOG = 2048
_IDLE_SECONDS = 120
"""Longer than any client keeps a connection that it does not use: who closes it first must not be the server,
or a request that is just being sent is lost with it."""


class PortInUseError(OSError):
    """The wanted port is taken.

    Args:
        port: The wanted port.
        free: One that is not.
    """

    def __init__(self, port: int, free: int) -> None:
        message = f"port {port} is in use; {free} is free, or port=0 takes any free one"
        super().__init__(errno.EADDRINUSE, message)
        self.port = port
        self.free = free


class Emulator:
    """OpenRouter's API on loopback, in a thread of its own.

    Use it as a context manager, or call `start` and `stop`.

    Args:
        catalog: The models and endpoints; the bundled sample when None.
        port: The port on 127.0.0.1; 0 for any free one.
        seed: Makes load balancing, chances of faults, and ids repeatable.
        api_key: The only key that is accepted; any key is when None.
        byok: Slugs of providers that the user's own key pays for.
        presets: The settings of presets by slug.
        chunk_delay: Seconds between the chunks of a stream.
        paced: Whether an endpoint takes the time to its first token, and between the chunks of a
            stream, that its catalog entry says.
        comments: Whether streams begin with the service's keep-alive comment.
        split_bytes: Cuts the writes of streams to this many bytes, in the middle of lines and
            characters.
        generation_lookups: How often `/generation` answers 404 before it knows an answer.

    Raises:
        PortInUseError: The port is taken; names a free one.

    Example:
        >>> with Emulator() as emulator:
        ...     down = emulator.fault(provider="azure", kind="down")
        ...     emulator.base_url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(
        self,
        catalog: Catalog | None = None,
        *,
        port: int = 0,
        seed: int = 0,
        api_key: str | None = None,
        byok: Collection[str] = (),
        presets: Mapping[str, Mapping[str, object]] | None = None,
        chunk_delay: float = 0.0,
        paced: bool = False,
        comments: bool = True,
        split_bytes: int | None = None,
        generation_lookups: int = 1,
    ) -> None:
        settings = Settings(
            api_key=api_key,
            byok=frozenset(byok),
            presets=presets or {},
            chunk_delay=chunk_delay,
            paced=paced,
            comments=comments,
            split_bytes=split_bytes,
            generation_lookups=generation_lookups,
        )
        self._service = Service(catalog or Catalog.sample(), settings, seed)
        self._port = port
        self._running: _Running | None = None

    @property
    def base_url(self) -> str:
        """Where it listens, ending in `/api/v1`.

        Raises:
            RuntimeError: It is not running.
        """
        return f"http://{_HOST}:{self.port}{PREFIX}"

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            RuntimeError: It is not running.
        """
        if self._running is None:
            raise RuntimeError("the emulator is not running: use it in a with block, or start() it")
        return self._running.port

    @property
    def catalog(self) -> Catalog:
        """The models and endpoints it serves."""
        return self._service.catalog

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, in the order of arrival."""
        return self._service.requests

    def clear(self) -> None:
        """Forget the requests, faults, scripts, sessions, cached answers and what was spent."""
        self._service.clear()

    def fault(
        self,
        provider: str | None = None,
        model: str | None = None,
        kind: str = "down",
        *,
        status: int | None = None,
        times: int | None = None,
        probability: float = 1.0,
        retry_after: int | None = None,
        after_chunks: int = 2,
        delay: float | None = None,
        path: str | None = None,
        **details: object,
    ) -> Fault:
        """Make something fail.

        A kind that answers for the provider lets the router try the next endpoint: `down` (503),
        `rate_limited` (429), `overloaded` (529), `timeout` (524), `moderation` (403),
        `context_length` (400), `error` (500). A kind that spoils the answer reaches the client:
        `slow`, `stall`, `cut`, `reset`, `mid_stream_error`, `choice_error`, `error_in_200`,
        `empty`, `empty_body`, `html`, `half_json`, `bad_data_line`, `invalid_utf8`, `no_done`,
        `no_finish`, `duplicate_finish`, `availability` (with `code=`).

        Args:
            provider: Whose endpoints: a slug, a display name, or `slug/variant`; everyone's if None.
            model: Of which model; of all if None.
            kind: What happens.
            status: The HTTP status instead of the usual one.
            times: How often it hits; without end if None.
            probability: How likely it hits, from 0 to 1.
            retry_after: The Retry-After header, in seconds.
            after_chunks: How many chunks of a stream come before it.
            delay: Seconds, for `slow` and `stall`; a stall without it lasts until somebody leaves.
            path: Only requests to this path, such as `"/embeddings"`; the only way to hit a path
                that has no provider, such as `"/models"`.
            details: Further parts of the error: `message`, `error_type`, `raw`, `provider_code`;
                `code` and more for `availability`; `comments=True` for a stall with signs of life;
                `abrupt=True` for a cut that closes the connection.

        Returns:
            The fault; `.clear()` ends it, `.fired` counts its hits.

        Raises:
            ValueError: The kind is not known, its parts do not fit, or no endpoint of the catalog is of that
                provider and model, so that it could never hit.
        """
        fault = Fault(
            kind=kind,
            provider=provider,
            model=model,
            path=path,
            status=status,
            times=times,
            probability=probability,
            retry_after=retry_after,
            after_chunks=after_chunks,
            delay=delay,
            details=details,
        )
        fault.check_target(self.catalog.endpoints)
        return self._service.faults.add(fault)

    def clear_faults(self) -> None:
        """End all faults."""
        self._service.faults.clear()

    def script(self, items: Iterable[Item], *, path: str = "/chat/completions") -> Script:
        """Answer the next requests exactly so, whatever faults there are; afterwards the emulated model answers again.

        Args:
            items: One for each request: a wire body as a dict, which is cut into chunks if the
                request streams; a list of chunks; raw bytes; a `Scripted` for status, headers and
                timing; or a function of the recorded request that gives one of those.
            path: Which requests.

        Returns:
            The script; `.remaining` counts what is left, `.clear()` ends it.
        """
        script = Script(path, items)
        self._service.scripts.append(script)
        return script

    def start(self) -> Self:
        """Start listening.

        Raises:
            PortInUseError: The port is taken; names a free one.
            OSError: It cannot listen for another reason.
        """
        if self._running is None:
            self._running = _Running(self._service, _listen(self._port))
            notice = "emulating OpenRouter at %s with %s; this is not the real service"
            _log.info(notice, self.base_url, self.catalog.note or "a catalog")
        return self

    def stop(self) -> None:
        """Stop listening and end what is still being answered."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        where = self.base_url if self._running is not None else "not running"
        return f"<Emulator {where}, {len(self.catalog.models)} models>"


class _Running:
    """One listening server and its thread."""

    def __init__(self, service: Service, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._closing = asyncio.Event()
        self._started: Future[None] = Future()
        sockets: dict[tuple[str, int], asyncio.Transport] = {}
        app = Recorder(build_app(service, self._closing, sockets), service.requests, PREFIX)
        config = uvicorn.Config(
            app,
            http=_protocol(sockets),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=_IDLE_SECONDS,
        )
        self._server = _Server(config, self._started)
        self._loop: asyncio.AbstractEventLoop | None = None
        name = f"openrouter-emulator-{self.port}"
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            listener.close()
            raise

    def _serve(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            if self._started.done():
                raise
            # Whoever waits for the start is told; nobody reads what a thread dies of.
            self._started.set_exception(error)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._listener])

    def stop(self) -> None:
        """End every pause, then the server, then the thread."""
        self._server.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(_STOP_SECONDS)


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, started: Future[None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._started.set_result(None)


def _protocol(sockets: dict[tuple[str, int], asyncio.Transport]) -> type[asyncio.Protocol]:
    """Make a protocol that lists its open connections, so that a fault can break one."""

    class Listed(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            sockets[transport.get_extra_info("peername")[:2]] = transport
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                sockets.pop(self.client, None)
            super().connection_lost(exc)

    return Listed


def _listen(port: int) -> socket.socket:
    # asyncio sends small writes at once only where the protocol is named; else each waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
        # By the address alone two may hold a port; who listens has it.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            raise PortInUseError(port, cast("int", probe.getsockname()[1])) from None
    return listener
