"""The core's errors as LangChain knows them: each also is the matching model error of `langchain_core.exceptions`.

Code that catches either kind works: `except openrouter_routing.RateLimitError` and
`except langchain_core.exceptions.ModelRateLimitError` both catch the `RateLimitError` here. `is_retryable` tells on
each error whether the same request may succeed when sent again, so retry and fallback middleware need no list.

Example:
    >>> error = RateLimitError("slow down", retry_after=3)
    >>> isinstance(error, core.RateLimitError), isinstance(error, lc.ModelRateLimitError), error.is_retryable
    (True, True, True)

See https://reference.langchain.com/python/langchain_core/exceptions/
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langchain_core import exceptions as lc

from openrouter_routing import errors as core


class OpenRouterError(core.OpenRouterError, lc.ModelError):
    """Something went wrong on the way to an answer, or in it.

    Attributes:
        is_retryable: Whether the same request may succeed when sent again; the same as `retryable`.
    """

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.is_retryable = self.retryable


class BadRequestError(core.BadRequestError, OpenRouterError, lc.ModelInvalidRequestError):
    """The request is malformed: change it."""


class PreferencesError(core.PreferencesError, BadRequestError):
    """Routing preferences are malformed or contradict each other; nothing was sent."""


class ContextLengthError(core.ContextLengthError, BadRequestError, lc.ContextOverflowError):
    """The input is longer than the model takes: shorten it (summarization middleware does)."""


class AuthenticationError(core.AuthenticationError, OpenRouterError, lc.ModelAuthenticationError):
    """There is no key, or OpenRouter does not accept it."""


class InsufficientCreditsError(core.InsufficientCreditsError, OpenRouterError):
    """The account or the key has no credits left."""


class PermissionDeniedError(
    core.PermissionDeniedError, OpenRouterError, lc.ModelPermissionDeniedError
):
    """The request may not be made: moderation, a guardrail, the region, or limits of the key."""


class NoEndpointsError(core.NoEndpointsError, OpenRouterError, lc.ModelNotFoundError):
    """No endpoint is left that may serve the request."""


class ModelNotFoundError(core.ModelNotFoundError, OpenRouterError, lc.ModelNotFoundError):
    """OpenRouter has no model of this name."""


class RateLimitError(core.RateLimitError, OpenRouterError, lc.ModelRateLimitError):
    """Too many requests."""


class ProviderError(core.ProviderError, OpenRouterError, lc.ModelAPIError):
    """The provider that served the request failed."""


class ServiceUnavailableError(core.ServiceUnavailableError, OpenRouterError, lc.ModelAPIError):
    """OpenRouter itself failed or has no capacity."""


class APITimeoutError(core.APITimeoutError, OpenRouterError, lc.ModelTimeoutError):
    """No answer came in time."""


class APIConnectionError(core.APIConnectionError, OpenRouterError, lc.ModelConnectionError):
    """No connection could be made, or it broke before the answer began."""


class ResponseParseError(core.ResponseParseError, OpenRouterError, lc.ModelAPIError):
    """The answer is not what the API promises."""


class EmptyResponseError(core.EmptyResponseError, OpenRouterError, lc.ModelAPIError):
    """A finished answer holds nothing."""


class StreamInterruptedError(core.StreamInterruptedError, OpenRouterError, lc.ModelAPIError):
    """A stream broke off before its end; what had arrived is in `partial`."""


class RoutingViolation(core.RoutingViolation, OpenRouterError):  # noqa: N818 (a fixed name)
    """A provider or model answered that the resolved preferences exclude."""


class BudgetExceeded(core.BudgetExceeded, OpenRouterError):  # noqa: N818 (a fixed name)
    """The spending limit of `record_routes(max_cost=)` is reached; the request was not sent."""


_TWINS: dict[type[core.OpenRouterError], type[OpenRouterError]] = {
    core.OpenRouterError: OpenRouterError,
    core.BadRequestError: BadRequestError,
    core.PreferencesError: PreferencesError,
    core.ContextLengthError: ContextLengthError,
    core.AuthenticationError: AuthenticationError,
    core.InsufficientCreditsError: InsufficientCreditsError,
    core.PermissionDeniedError: PermissionDeniedError,
    core.NoEndpointsError: NoEndpointsError,
    core.ModelNotFoundError: ModelNotFoundError,
    core.RateLimitError: RateLimitError,
    core.ProviderError: ProviderError,
    core.ServiceUnavailableError: ServiceUnavailableError,
    core.APITimeoutError: APITimeoutError,
    core.APIConnectionError: APIConnectionError,
    core.ResponseParseError: ResponseParseError,
    core.EmptyResponseError: EmptyResponseError,
    core.StreamInterruptedError: StreamInterruptedError,
    core.RoutingViolation: RoutingViolation,
    core.BudgetExceeded: BudgetExceeded,
}


def as_langchain_error(error: core.OpenRouterError) -> OpenRouterError:
    """Return the error of this module that says the same.

    Args:
        error: An error of the core; one of this module is returned as it is.

    Example:
        >>> type(as_langchain_error(core.ProviderError("no"))).__mro__[1] is core.ProviderError
        True
    """
    if isinstance(error, OpenRouterError):
        return error
    kind = next(_TWINS[base] for base in type(error).__mro__ if base in _TWINS)
    twin = kind.__new__(kind, *error.args)
    twin.args = error.args
    twin.__dict__.update(error.__dict__)
    twin.is_retryable = error.retryable
    return twin


@contextmanager
def langchain_errors() -> Iterator[None]:
    """Raise every error of the core that leaves the block as the one of this module that says the same."""
    try:
        yield
    except core.OpenRouterError as error:
        if isinstance(error, OpenRouterError):
            raise
        raise as_langchain_error(error).with_traceback(error.__traceback__) from error.__cause__
