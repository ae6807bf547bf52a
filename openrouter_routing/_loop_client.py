"""`LoopClient`: the async HTTP client of one event loop, which can also be let go of once its loop is gone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
import weakref
from typing import Any

import httpx
from aiohttp import ClientSession
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient


class LoopClient(HttpxAiohttpClient):
    """An `httpx.AsyncClient` on aiohttp that knows its transports: the direct one and those of the proxies."""

    def __init__(self, **arguments: Any) -> None:
        self._own: list[AiohttpTransport] = []
        super().__init__(**arguments)

    def _init_transport(self, *arguments: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return self._known(super()._init_transport(*arguments, **options))

    def _init_proxy_transport(self, *arguments: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return self._known(super()._init_proxy_transport(*arguments, **options))

    def _known(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        if isinstance(transport, AiohttpTransport):
            self._own.append(transport)
        return transport

    def abandon(self) -> None:
        """Let go of all connections without the event loop, which is closed: their sockets are closed by the collector.

        Closing them in order takes the loop they were opened in. What is left is to mark the session and its pool as
        closed, so that they do not complain, and to take the sockets' own complaints back.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            sockets = [known for own in self._own for known in _take_apart(own)]
            if any(alive() is not None for alive in sockets):
                # TLS connections, and those of other loops than asyncio's own, hold on to themselves.
                gc.collect()


def _take_apart(own: AiohttpTransport) -> list[weakref.ref[asyncio.Transport]]:
    """Close a session and its pool, and undo what keeps its connections alive; return what to watch."""
    session, own.client = own.client, None
    if not isinstance(session, ClientSession) or (connector := session.connector) is None:
        return []
    session.detach()
    protocols = [
        *(protocol for held in connector._conns.values() for protocol, _ in held),  # noqa: SLF001
        *connector._acquired,  # noqa: SLF001
    ]
    watched = []
    for protocol in protocols:
        if (transport := protocol.transport) is not None:
            transport.set_protocol(asyncio.Protocol())
            watched.append(weakref.ref(transport))
    closing = connector.close().__await__()
    # The loop is closed, so that there is nothing to wait for.
    with contextlib.suppress(StopIteration):
        next(closing)
    return watched
