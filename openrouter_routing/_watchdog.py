"""`Watchdog`: ends a blocking read at a deadline that can be moved while it runs."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

LINGER = 5.0
"""Seconds: how long the thread that looks after all deadlines stays when there is none."""

NEVER = math.inf


class Watchdog:
    """Ends a blocking read by shutting its socket down.

    A blocking socket can only be given a limit for one read, and each keep-alive comment ends a read. One thread of the
    process looks after the deadlines of all streams; moving a deadline further away does not wake it.

    Args:
        response: The open response.
    """

    __slots__ = ("_deadline", "_socket", "expired")

    def __init__(self, response: httpx.Response) -> None:
        extensions = response.extensions
        # A connection of HTTP/2 carries the streams of others too.
        is_shared = extensions.get("http_version") == b"HTTP/2"
        stream = None if is_shared else extensions.get("network_stream")
        self._socket: socket.socket | None = stream and stream.get_extra_info("socket")
        self._deadline = NEVER
        self.expired = False
        if self._socket is not None:
            _keeper.add(self)

    @property
    def can_act(self) -> bool:
        """Whether there is a socket to shut down: a client of the caller's own may have none, or speak HTTP/2."""
        return self._socket is not None

    @property
    def deadline(self) -> float:
        """When to end the read, by `time.monotonic()`; `NEVER` while nobody reads."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._deadline = deadline
        if deadline < _keeper.wakes_at and self._socket is not None:
            _keeper.wake()

    def stop(self) -> None:
        """Let the read be."""
        self._deadline = NEVER
        self._socket = None
        _keeper.remove(self)

    def bite(self) -> None:
        """End the read that is going on."""
        self.expired = True
        if (known := self._socket) is not None:
            # Of the plain socket, also under TLS: the reading thread is still inside the TLS one.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(known, socket.SHUT_RDWR)


class _Keeper:
    """The thread that looks after all watchdogs of a process; it starts with the first and ends after the last."""

    def __init__(self) -> None:
        self._watched: set[Watchdog] = set()
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self.wakes_at = NEVER

    def add(self, watchdog: Watchdog) -> None:
        with self._condition:
            self._watched.add(watchdog)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._keep, name="openrouter-routing-watchdog", daemon=True
                )
                self._thread.start()

    def remove(self, watchdog: Watchdog) -> None:
        # Without the lock: at the end of the interpreter this thread may have been stopped while it held it.
        self._watched.discard(watchdog)

    def wake(self) -> None:
        with self._condition:
            self._condition.notify()

    def _keep(self) -> None:
        with self._condition:
            idle_since = time.monotonic()
            while self._watched or time.monotonic() - idle_since < LINGER:
                now = time.monotonic()
                # Said before the deadlines are read: who moves one meanwhile either is seen here or wakes this thread.
                self.wakes_at = NEVER
                soonest = now + LINGER
                for watchdog in tuple(self._watched):
                    if watchdog.deadline <= now:
                        self._watched.discard(watchdog)
                        watchdog.bite()
                    else:
                        soonest = min(soonest, watchdog.deadline)
                if self._watched:
                    idle_since = now
                self.wakes_at = soonest
                self._condition.wait(soonest - now)
            self._thread = None


_keeper = _Keeper()


def _start_anew_after_fork() -> None:
    global _keeper
    _keeper = _Keeper()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew_after_fork)
