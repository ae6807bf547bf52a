"""What sync and async requests share about HTTP: timeouts, retries, and what a broken connection means."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from openrouter_routing import errors
from openrouter_routing._failures import compose, redact
from openrouter_routing.settings import CONNECT_TIMEOUT, TIMEOUT, ClientSettings

if TYPE_CHECKING:
    import httpx
    import stamina

    from openrouter_routing._call import Call

BACKOFF_START = 0.5
BACKOFF_CAP = 8.0
"""Seconds: the exponential backoff between attempts, where the answer names no wait of its own."""

_AUTOMATIC = (
    errors.RateLimitError,
    errors.ProviderError,
    errors.ServiceUnavailableError,
    errors.APIConnectionError,
    errors.APITimeoutError,
)


class Attempts(Protocol):
    """The attempts at one request, for `for` and `async for`."""

    def __iter__(self) -> Iterator[stamina.Attempt]: ...

    def __aiter__(self) -> AsyncIterator[stamina.Attempt]: ...


def attempts(call: Call) -> Attempts:
    """Return the attempts at a request: the first one and its retries, with the waits between them."""
    import stamina

    settings = call.settings
    return stamina.retry_context(
        on=lambda error: wait_before_retry(error, settings),
        attempts=settings.max_retries + 1,
        timeout=None,
        wait_initial=min(BACKOFF_START, settings.max_retry_wait),
        wait_max=min(BACKOFF_CAP, settings.max_retry_wait),
        wait_jitter=min(BACKOFF_START, settings.max_retry_wait),
    )


def no_attempt(call: Call) -> errors.OpenRouterError:
    """Build the error for retries that were configured away from the outside, so that nothing was sent."""
    return errors.APIConnectionError(f"nothing was sent to {call.url}: stamina made no attempt")


def wait_before_retry(error: Exception, settings: ClientSettings) -> bool | float:
    """Say whether to send a request again: False, True (after the usual backoff), or the seconds the answer asks for.

    A request whose answer had begun is never sent again, nor one that may still be worked on (a read timeout).
    """
    if isinstance(error, errors.EmptyResponseError):
        return error.retryable and settings.on_empty == "retry"
    if not isinstance(error, _AUTOMATIC) or not error.retryable or error.code == "read_timeout":
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= settings.max_retry_wait else False


def read_limit(settings: ClientSettings) -> float | None:
    """Return how many seconds the next piece of an answer may take."""
    timeout = settings.timeout
    if timeout is None:
        return TIMEOUT
    # The Timeout of another httpx (a caller's own client may be of one) has the same fields.
    return float(timeout) if isinstance(timeout, (int, float)) else timeout.read


def request_timeout(
    settings: ClientSettings, *, read_at_most: float | None = None
) -> httpx.Timeout:
    """Return the timeouts of a request.

    Args:
        settings: How it is sent.
        read_at_most: Seconds; a lower limit for the wait for bytes.
    """
    import httpx

    timeout, read = settings.timeout, read_limit(settings)
    if read_at_most is not None:
        read = read_at_most if read is None else min(read, read_at_most)
    if timeout is None or isinstance(timeout, (int, float)):
        seconds = TIMEOUT if timeout is None else float(timeout)
        return httpx.Timeout(seconds, connect=min(CONNECT_TIMEOUT, seconds), read=read)
    return httpx.Timeout(connect=timeout.connect, read=read, write=timeout.write, pool=timeout.pool)


def request_arguments(call: Call) -> dict[str, Any]:
    """Return the arguments of a request that is not streamed, for either kind of client."""
    return {
        "method": call.method,
        "url": call.url,
        "headers": call.headers,
        "content": call.content,
        "timeout": request_timeout(call.settings),
        "follow_redirects": False,
    }


@contextlib.contextmanager
def connection_errors(call: Call) -> Iterator[None]:
    """Raise our errors for those of the HTTP library."""
    try:
        yield
    except Exception as error:
        if is_transport_error(error):
            raise connection_error(error, call) from error
        raise


def is_transport_error(error: BaseException) -> bool:
    """Whether an exception comes from the HTTP library, whichever one the caller's own client is of."""
    return bool({"HTTPError", "StreamError", "InvalidURL"} & _names(error)) or isinstance(
        error, (OSError, TimeoutError)
    )


def connection_error(error: BaseException, call: Call) -> errors.OpenRouterError:
    """Turn a failure of the connection, before the answer began, into ours."""
    names = _names(error)
    cause = type(error.__cause__).__name__
    said = redact(str(error)) or type(error).__name__
    base_url = call.settings.base_url
    # httpx-aiohttp reports a connection that the server closed as a connect timeout.
    if (
        cause == "ServerDisconnectedError"
        or {"RemoteProtocolError", "ReadError", "WriteError"} & names
    ):
        return errors.APIConnectionError(
            compose(
                f"the connection to {base_url} broke before an answer came: {said}",
                advice="send it again; if it happens often, look at the proxies in between",
            ),
            code="disconnected",
        )
    if {"ConnectTimeout", "PoolTimeout"} & names:
        return errors.APITimeoutError(
            compose(
                f"no connection to {base_url} in time: {said}",
                advice="check the network and proxy settings, or raise timeout=",
            ),
            code="connect_timeout",
        )
    if "TimeoutException" in names or isinstance(error, TimeoutError):
        return timed_out(
            call, f"no answer in time from {base_url} ({time.monotonic() - call.started_at:.1f} s)"
        )
    return errors.APIConnectionError(
        compose(
            f"no connection to {base_url}: {said}",
            advice="check base_url, the network, and the proxy settings (HTTPS_PROXY, NO_PROXY)",
        ),
        code="connect",
    )


def timed_out(call: Call, what: str) -> errors.APITimeoutError:
    """Build the error for an answer that did not come in time; the request may still be worked on."""
    settings = call.settings
    limits = [
        f"{name}={value}"
        for name in ("timeout", "first_token_timeout", "idle_timeout")
        if (value := getattr(settings, name)) is not None
    ]
    return errors.APITimeoutError(
        compose(what, advice=f"raise the limit ({', '.join(limits) or f'timeout={TIMEOUT:.0f}'}, in seconds), "
                             "or prefer a faster provider (sort='latency', preferred_max_latency=)"),
        code="read_timeout",
    )  # fmt: skip


class Watchdog:
    """Ends a blocking read at a deadline that can be moved while it runs, by shutting the socket down.

    A blocking socket can only be given a limit for one read, which each keep-alive comment starts anew; this one counts
    from the last event.

    Args:
        response: The open response.
        deadline: When to end it, by `time.monotonic()`.
        step: Seconds after which a moved deadline is seen at the latest.
    """

    def __init__(self, response: Any, deadline: float, step: float) -> None:
        stream = response.extensions.get("network_stream")
        self._socket = stream.get_extra_info("socket") if stream is not None else None
        self.deadline = deadline
        self.expired = False
        self._step = step
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="openrouter-routing-watchdog", daemon=True
        )
        self._thread.start()

    def _watch(self) -> None:
        while (left := self.deadline - time.monotonic()) > 0:
            if self._stop.wait(min(left, self._step)):
                return
        self.expired = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Let the read be."""
        self._stop.set()
        self._thread.join()


def _names(error: BaseException) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__}
