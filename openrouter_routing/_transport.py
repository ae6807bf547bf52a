"""What sync and async requests share about HTTP: timeouts, bodies, and what a broken connection means."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from openrouter_routing import errors
from openrouter_routing._failures import compose, redact
from openrouter_routing.settings import CONNECT_TIMEOUT, TIMEOUT, ClientSettings

if TYPE_CHECKING:
    import httpx

    from openrouter_routing._call import Call


def read_limit(settings: ClientSettings) -> float | None:
    """Return how many seconds the next piece of an answer may take."""
    timeout = settings.timeout
    if timeout is None:
        return TIMEOUT
    # The Timeout of another httpx (a caller's own client may be of one) has the same fields.
    return float(timeout) if isinstance(timeout, (int, float)) else timeout.read


def request_timeout(settings: ClientSettings, *, at_most: float | None = None) -> httpx.Timeout:
    """Return the timeouts of a request.

    Args:
        settings: How it is sent.
        at_most: Seconds; a lower limit for each of them.
    """
    import httpx

    timeout, read = settings.timeout, read_limit(settings)
    if timeout is None or isinstance(timeout, (int, float)):
        seconds = TIMEOUT if timeout is None else float(timeout)
        connect: float | None = min(CONNECT_TIMEOUT, seconds)
        write: float | None = seconds
        pool: float | None = seconds
    else:
        connect, write, pool = timeout.connect, timeout.write, timeout.pool
    if at_most is not None:
        connect, read, write, pool = (
            at_most if limit is None else min(limit, at_most)
            for limit in (connect, read, write, pool)
        )
    return httpx.Timeout(connect=connect, read=read, write=write, pool=pool)


def request_arguments(call: Call, *, at_most: float | None = None) -> dict[str, Any]:
    """Return the arguments of a request, for `build_request` of either kind of client.

    Args:
        call: The request.
        at_most: Seconds; a lower limit for each of the timeouts.
    """
    return {
        "method": call.method,
        "url": call.url,
        "headers": call.headers.encoded(),
        "content": call.content,
        "timeout": request_timeout(call.settings, at_most=at_most),
    }


@contextlib.contextmanager
def connection_errors(call: Call) -> Iterator[None]:
    """Raise our errors for those of the HTTP library, before anything of the answer has come."""
    try:
        yield
    except Exception as error:
        if is_transport_error(error):
            raise connection_error(error, call) from without_request(error)
        raise


def read_body(call: Call, response: httpx.Response) -> bytes:
    """Read a whole answer.

    Raises:
        ResponseParseError: It broke off; it is not sent again, since the request may have been worked on and billed.
        APIConnectionError: The connection broke before anything of it came.
        APITimeoutError: Nothing but blanks came in time.
    """
    received = bytearray()
    try:
        for piece in response.iter_bytes():
            received += piece
            check_progress(call, received)
    except Exception as error:
        if not is_transport_error(error):
            raise
        body_failed(call, response, bytes(received), error)
    finally:
        response.close()
    return _without_key(call, response, bytes(received))


async def aread_body(call: Call, response: httpx.Response) -> bytes:
    """Read a whole answer: the async twin of `read_body`."""
    received = bytearray()
    try:
        async for piece in response.aiter_bytes():
            received += piece
            check_progress(call, received)
    except Exception as error:
        if not is_transport_error(error):
            raise
        body_failed(call, response, bytes(received), error)
    finally:
        await response.aclose()
    return _without_key(call, response, bytes(received))


def _without_key(call: Call, response: httpx.Response, content: bytes) -> bytes:
    """Take the key out of an error's body: some gateways quote the one they refuse."""
    if response.status_code < 400:
        return content
    for name in call.headers:
        if name.lower() == "authorization":
            token = call.headers[name].rpartition(" ")[2].encode()
            content = content.replace(token, b"(key)") if len(token) >= 8 else content
            del token
    return content


def check_progress(call: Call, received: bytearray) -> None:
    """Refuse to wait forever for an answer that is kept alive with blanks.

    Raises:
        APITimeoutError: The read limit has passed since the request, and nothing but blanks has come.
    """
    limit = read_limit(call.settings)
    if limit is not None and time.monotonic() - call.started_at > limit and not received.strip():
        raise timed_out(call, f"no answer within {limit} s, only keep-alive blanks")


def body_failed(call: Call, response: httpx.Response, received: bytes, error: Exception) -> None:
    """Raise what it means that the body of an answer broke off; an error's body may be read as far as it came."""
    if response.status_code >= 300:
        return
    if received.strip():
        raise call.cut(response, received, error) from without_request(error)
    raise connection_error(error, call) from without_request(error)


def without_request(error: Exception) -> Exception:
    """Take the request out of an exception of the HTTP library: it carries the key, and exceptions get around."""
    request = getattr(error, "_request", None)
    if request is not None:
        error.request = type(request)(request.method, request.url)  # type: ignore[attr-defined]
    return error


def is_transport_error(error: BaseException) -> bool:
    """Whether an exception comes from the HTTP library, whichever one the caller's own client is of."""
    if type(error) is RuntimeError:
        # What httpx and aiohttp say of a client that somebody closed.
        return "closed" in str(error)
    return bool({"HTTPError", "StreamError", "InvalidURL"} & _names(error)) or isinstance(
        error, (OSError, TimeoutError)
    )


def connection_error(error: BaseException, call: Call) -> errors.OpenRouterError:
    """Turn a failure of the connection, before the answer began, into ours."""
    names = _names(error)
    said = redact(str(error)) or type(error).__name__
    base_url = call.settings.base_url
    if {"RemoteProtocolError", "ReadError", "WriteError"} & names or _closed_by_server(error):
        return errors.APIConnectionError(
            compose(
                f"the connection to {base_url} broke before an answer came: {said}",
                model=call.model,
                advice="send it again; if it happens often, look at the proxies in between",
            ),
            code="disconnected",
        )
    slow = "TimeoutException" in names or isinstance(error, TimeoutError)
    if slow and {"ConnectTimeout", "PoolTimeout"} & names and not _refused(error):
        return errors.APITimeoutError(
            compose(
                f"no connection to {base_url} in time: {said}",
                model=call.model,
                advice="check the network and proxy settings, or raise timeout=",
            ),
            code="connect_timeout",
        )
    if slow and not _refused(error):
        return timed_out(
            call, f"no answer in time from {base_url} ({time.monotonic() - call.started_at:.1f} s)"
        )
    return errors.APIConnectionError(
        compose(
            f"no connection to {base_url}: {said}",
            model=call.model,
            advice="check base_url, the network, and the proxy settings (HTTPS_PROXY, NO_PROXY)",
        ),
        code="connect",
    )


def _closed_by_server(error: BaseException) -> bool:
    """Whether aiohttp lost a connection that it had: httpx-aiohttp reports that as a connect timeout."""
    cause = _names(error.__cause__)
    return "ClientConnectionError" in cause and not {"ClientConnectorError", "TimeoutError"} & cause


def _refused(error: BaseException) -> bool:
    """Whether aiohttp could not connect: httpx-aiohttp reports that, too, as a connect timeout."""
    cause = _names(error.__cause__)
    return "ClientConnectorError" in cause and "TimeoutError" not in cause


def timed_out(call: Call, what: str) -> errors.APITimeoutError:
    """Build the error for an answer that did not come in time; the request may still be worked on."""
    settings = call.settings
    limits = [
        f"{name}={value}"
        for name in ("timeout", "first_token_timeout", "idle_timeout")
        if (value := getattr(settings, name)) is not None
    ]
    return errors.APITimeoutError(
        compose(
            what,
            model=call.model,
            advice=f"raise the limit ({', '.join(limits) or f'timeout={TIMEOUT:.0f}'}, in seconds), "
            "or prefer a faster provider (sort='latency', preferred_max_latency=)",
        ),
        code="read_timeout",
    )


def _names(error: BaseException | None) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__}
