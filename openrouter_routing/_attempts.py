"""When a request is sent again, and after which wait.

The first attempt runs by itself; stamina, which counts, waits and backs off, takes over where that one failed in a
way that may pass. So a request that succeeds at once pays nothing for the retries, not even the import.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol, TypeVar

from openrouter_routing import errors
from openrouter_routing._failures import NOT_RECORDED
from openrouter_routing._replay import is_unknown_item, without_item_ids
from openrouter_routing.settings import ClientSettings

if TYPE_CHECKING:
    import stamina

    from openrouter_routing._call import Call

BACKOFF_START = 0.5
BACKOFF_CAP = 8.0
"""Seconds: the exponential backoff between attempts, where the answer names no wait of its own."""

_logger = logging.getLogger("openrouter_routing")
_sending_again: ContextVar[bool] = ContextVar("openrouter_routing_sending_again", default=False)

_AUTOMATIC = (
    errors.RateLimitError,
    errors.ProviderError,
    errors.ServiceUnavailableError,
    errors.APIConnectionError,
    errors.APITimeoutError,
)
_CUT_OFF = ("cut", "disconnected")

T = TypeVar("T")


class _Retries(Protocol):
    def __iter__(self) -> Iterator[stamina.Attempt]: ...

    def __aiter__(self) -> AsyncIterator[stamina.Attempt]: ...


def retried(call: Call, send: Callable[[], T]) -> T:
    """Send a request, and again where that may help.

    Args:
        call: The request.
        send: Sends it once and reads the answer.

    Raises:
        OpenRouterError: What the last attempt ended with.
    """
    try:
        call.begin(1)
        return send()
    except Exception as error:
        if not _may_pass(error, call):
            raise
        failure = error
    try:
        with _one_line_each():
            for attempt in _retries(call):
                with attempt:
                    if attempt.num == 1:
                        raise failure
                    call.begin(attempt.num)
                    return send()
        raise failure
    finally:
        # An error that a frame of its own traceback holds on to stays in memory, and so does all that is in it.
        del failure


async def aretried(call: Call, send: Callable[[], Awaitable[T]]) -> T:
    """Send a request, and again where that may help: the async twin of `retried`."""
    try:
        call.begin(1)
        return await send()
    except Exception as error:
        if not _may_pass(error, call):
            raise
        failure = error
    try:
        with _one_line_each():
            async for attempt in _retries(call):
                with attempt:
                    if attempt.num == 1:
                        raise failure
                    call.begin(attempt.num)
                    return await send()
        raise failure
    finally:
        del failure


@contextlib.contextmanager
def _one_line_each() -> Iterator[None]:
    """Keep stamina's own line about a retry out of the logs: ours says the same, and which request it was."""
    stamina_logger = logging.getLogger("stamina")
    if _is_not_ours not in stamina_logger.filters:
        stamina_logger.addFilter(_is_not_ours)
    _sending_again.set(True)
    try:
        yield
    finally:
        _sending_again.set(False)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _sending_again.get()


def _may_pass(error: Exception, call: Call) -> bool:
    return call.settings.max_retries > 0 and (
        is_unknown_item(error) or wait_before_retry(error, call.settings) is not False
    )


def _retries(call: Call) -> _Retries:
    import stamina

    settings = call.settings
    return stamina.retry_context(
        on=lambda error: _again(error, call),
        attempts=settings.max_retries + 1,
        timeout=None,
        wait_initial=min(BACKOFF_START, settings.max_retry_wait),
        wait_max=min(BACKOFF_CAP, settings.max_retry_wait),
        wait_jitter=min(BACKOFF_START, settings.max_retry_wait),
    )


def _again(error: Exception, call: Call) -> bool | float:
    """Decide on a retry, and tell the log of one."""
    if is_unknown_item(error):
        return _again_without_item_ids(call)
    wait = wait_before_retry(error, call.settings)
    limit = call.settings.max_retries
    if wait is not False and call.retries < limit and _logger.isEnabledFor(logging.WARNING):
        _logger.warning(
            "retry %d of %d of %s (%s) %s: %s",
            call.retries + 1,
            limit,
            call.url,
            call.model or call.method,
            "after a backoff" if wait is True else f"in {wait:.1f} s, as the answer asks",
            str(error).partition("\n")[0],
        )
    return wait


def _again_without_item_ids(call: Call) -> bool | float:
    shorter = without_item_ids(call.content)
    if shorter is None or call.retries >= call.settings.max_retries:
        return False
    call.content = shorter
    _logger.warning(
        "retry %d of %d of %s (%s) without the ids of earlier reasoning, which this provider does not know",
        call.retries + 1,
        call.settings.max_retries,
        call.url,
        call.model,
    )
    return 0.0


def wait_before_retry(error: Exception, settings: ClientSettings) -> bool | float:
    """Say whether to send a request again: False, True (after the usual backoff), or the seconds the answer asks for.

    A request whose answer had begun is never sent again, nor one that may still be worked on (a read timeout).
    """
    if isinstance(error, errors.EmptyResponseError):
        return error.retryable and settings.on_empty == "retry"
    if isinstance(error, errors.StreamInterruptedError):
        # Cut off before its first piece: nothing has been handed on, and nothing of an answer had arrived.
        return error.code in _CUT_OFF and error.partial.is_empty
    if not isinstance(error, errors.OpenRouterError) or not error.retryable:
        return False
    told = error.code == NOT_RECORDED or (
        error.availability is not None and error.availability.get("retryable") is True
    )
    if error.code == "read_timeout" or not (told or isinstance(error, _AUTOMATIC)):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= settings.max_retry_wait else False
