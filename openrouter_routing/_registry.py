"""One place for HTTP clients: shared by all models of a process, so that models can be copied, pickled and rebuilt.

A client belongs to a process, to the proxies and certificates its environment names, and, for async, to an event loop.
Nothing is opened before the first request.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Hashable, Iterator
from typing import TYPE_CHECKING

from openrouter_routing._failures import redact
from openrouter_routing.errors import APIConnectionError
from openrouter_routing.settings import TIMEOUT

if TYPE_CHECKING:
    import asyncio
    import ssl

    import httpx

    from openrouter_routing._loop_client import LoopClient

MAX_CONNECTIONS = 1000
MAX_IDLE_CONNECTIONS = 100
IDLE_SECONDS = 30.0
"""How long an idle connection is kept: shorter than the servers and load balancers in between do."""

EXIT_SECONDS = 1.0
"""How long the end of the interpreter waits for an event loop in another thread to close its connections."""

_ENVIRONMENT = (
    "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip

# The collector may run while it is held, and close a client of ours in this very thread.
_lock = threading.RLock()
_clients: dict[Hashable, httpx.Client] = {}
_async_clients: dict[Hashable, tuple[asyncio.AbstractEventLoop, LoopClient]] = {}
_ssl_contexts: dict[Hashable, ssl.SSLContext] = {}
# What a fork copied: the parent's. It is kept, because collecting it would close sockets with a complaint.
_inherited: list[object] = []
# Keeps the generators alive that close the clients of a loop when the loop shuts down.
_closers: dict[Hashable, AsyncGenerator[None, None]] = {}


def sync_client() -> httpx.Client:
    """Return the process's client for blocking requests, opening it where it is the first use."""
    key = _configuration()
    client = _clients.get(key)
    if client is not None:
        return client
    import httpx

    with _lock, _opening():
        client = _clients.get(key)
        if client is None:
            client = _clients[key] = httpx.Client(
                verify=_ssl_context(), limits=_limits(), timeout=TIMEOUT, follow_redirects=False
            )
        return client


async def async_client() -> httpx.AsyncClient:
    """Return the running loop's client, opening it where it is the first use in this loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    key = (id(loop), *_configuration())
    held = _async_clients.get(key)
    # An id can be used again by a later loop; the loop itself tells them apart.
    if held is not None and held[0] is loop:
        return held[1]
    from openrouter_routing._loop_client import LoopClient

    with _lock, _opening():
        _purge()
        client = LoopClient(
            verify=_ssl_context(), limits=_limits(), timeout=TIMEOUT, follow_redirects=False
        )
        _async_clients[key] = (loop, client)
    closer = _close_with_loop(key, client)
    await anext(closer)
    _closers[key] = closer
    return client


async def _close_with_loop(key: Hashable, client: LoopClient) -> AsyncGenerator[None, None]:
    """Wait until the loop shuts its generators down (`asyncio.run` does), then close the client on that loop."""
    try:
        yield
    finally:
        _async_clients.pop(key, None)
        _closers.pop(key, None)
        await client.aclose()


def _purge() -> None:
    """Forget the clients of loops that were closed without shutting their generators down."""
    for key, (loop, client) in list(_async_clients.items()):
        if loop.is_closed():
            _async_clients.pop(key, None)
            _closers.pop(key, None)
            client.abandon()


def close_clients() -> None:
    """Close the blocking clients of this process; the next request opens a new one.

    Example:
        >>> close_clients()
    """
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        client.close()


async def aclose_clients() -> None:
    """Close the async clients of the running loop; the next request opens a new one."""
    import asyncio

    loop = asyncio.get_running_loop()
    for key, (owner, _) in list(_async_clients.items()):
        if owner is loop and (closer := _closers.get(key)) is not None:
            await closer.aclose()


def _configuration() -> tuple[Hashable, ...]:
    return (os.getpid(), *map(os.environ.get, _ENVIRONMENT))


@contextlib.contextmanager
def _opening() -> Iterator[None]:
    """Raise our error where the environment names a proxy or certificates that no client can be opened with.

    Raises:
        APIConnectionError: It does.
    """
    import httpx

    try:
        yield
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        raise APIConnectionError(
            f"the HTTP client cannot be opened: {redact(str(error))}\n"
            f"  what to do: check {', '.join(name for name in _ENVIRONMENT if os.environ.get(name))}",
            code="environment",
            retryable=False,
        ) from error


def _limits() -> httpx.Limits:
    import httpx

    return httpx.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE_CONNECTIONS,
        keepalive_expiry=IDLE_SECONDS,
    )


def _ssl_context() -> ssl.SSLContext:
    import httpx

    key = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    if key not in _ssl_contexts:
        _ssl_contexts[key] = httpx.create_ssl_context()
    return _ssl_contexts[key]


def _forget_after_fork() -> None:
    # The parent's connections are the parent's: using or closing them here would break its answers.
    global _lock
    _lock = threading.RLock()
    _inherited.append((dict(_clients), dict(_async_clients), dict(_closers)))
    _clients.clear()
    _async_clients.clear()
    _closers.clear()


def _close_at_exit() -> None:
    for close in (close_clients, _purge):
        with contextlib.suppress(Exception):
            close()
    for loop, client in list(_async_clients.values()):
        with contextlib.suppress(Exception):
            if loop.is_running():
                import asyncio

                # In a thread that the interpreter does not wait for.
                asyncio.run_coroutine_threadsafe(client.aclose(), loop).result(EXIT_SECONDS)
            else:
                loop.run_until_complete(client.aclose())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
atexit.register(_close_at_exit)
