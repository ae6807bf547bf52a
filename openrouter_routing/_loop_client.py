"""`LoopClient`: the async HTTP client of one event loop, which can also be let go of once its loop is gone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
import weakref
from typing import Any

import httpx
from aiohttp import ClientSession, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient


class _Connector(TCPConnector):
    """A pool that cuts a TLS connection it gives up, instead of waiting half a minute for the server's farewell.

    Until then the server would go on generating, and a loop that ends meanwhile would leave the socket open.
    """

    def _release(
        self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False
    ) -> None:
        given_up = should_close or protocol.should_close
        if given_up and key.is_ssl and protocol.transport is not None:
            protocol.transport.abort()
        super()._release(key, protocol, should_close=should_close)


class _Transport(AiohttpTransport):
    def get_client(self) -> ClientSession:
        if isinstance(self.client, ClientSession):
            return self.client
        limits = self.limits
        return ClientSession(
            connector=_Connector(
                limit=limits.max_connections or 0,
                keepalive_timeout=limits.keepalive_expiry,
                ssl=self.ssl_context,
            )
        )


class LoopClient(HttpxAiohttpClient):
    """An `httpx.AsyncClient` on aiohttp that knows its transports: the direct one and those of the proxies."""

    def __init__(self, **arguments: Any) -> None:
        self._own: list[AiohttpTransport] = []
        super().__init__(**arguments)

    def _init_transport(self, *arguments: Any, **options: Any) -> httpx.AsyncBaseTransport:
        options.pop("transport", None)
        self._own.append(_Transport(*arguments, **options))
        return self._own[-1]

    def _init_proxy_transport(
        self, proxy: httpx.Proxy, *arguments: Any, **options: Any
    ) -> httpx.AsyncBaseTransport:
        options["proxy"] = proxy
        self._own.append(_Transport(*arguments, **options))
        return self._own[-1]

    def abandon(self) -> None:
        """Let go of all connections without the event loop, which is closed: their sockets are closed by the collector.

        Closing them in order takes the loop they were opened in. What is left is to mark the session and its pool as
        closed, so that they do not complain, and to take the sockets' own complaints back.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            sockets = [known for own in self._own for known in _take_apart(own)]
            if any(is_tls or alive() is not None for alive, is_tls in sockets):
                # TLS connections, and those of other loops than asyncio's own, hold on to themselves.
                gc.collect()


def _take_apart(own: AiohttpTransport) -> list[tuple[weakref.ref[asyncio.Transport], bool]]:
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
            is_tls = transport.get_extra_info("sslcontext") is not None
            if not is_tls:
                transport.set_protocol(asyncio.Protocol())
            watched.append((weakref.ref(transport), is_tls))
    closing = connector.close().__await__()
    # The loop is closed, so that there is nothing to wait for.
    with contextlib.suppress(StopIteration):
        next(closing)
    return watched
