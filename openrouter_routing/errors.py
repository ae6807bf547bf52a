"""Every error a request can end in: one class per thing a caller can do something about.

    OpenRouterError
    ├── BadRequestError             the request is malformed (400, 413, 422): change it
    │   ├── PreferencesError        preferences are malformed or contradict each other: nothing was sent
    │   ├── ContextLengthError      the input is longer than the model takes: shorten it
    │   └── RouteRequestError       in `planning`: the router would refuse the request that is planned
    ├── AuthenticationError         no key, or a wrong one (401)
    ├── InsufficientCreditsError    no credits left (402)
    ├── PermissionDeniedError       moderation, guardrail, region or key limits (403)
    ├── NoEndpointsError            the preferences leave no endpoint (404)
    ├── ModelNotFoundError          no such model
    ├── RateLimitError              too many requests (429)
    ├── ProviderError               the serving provider failed (502, 529, errors inside a 200)
    ├── ServiceUnavailableError     OpenRouter failed or is overloaded (500, 503)
    ├── APITimeoutError             no answer in time (408, 504, 524, or a timeout of this client)
    ├── APIConnectionError          no connection, or it broke before the answer began
    ├── ResponseParseError          the answer is not what the API promises (HTML, half a JSON)
    ├── EmptyResponseError          a finished answer without any content
    ├── StreamInterruptedError      a stream broke off: an error in it, a cut, a stall; keeps what had arrived
    ├── RoutingViolation            a provider answered that the preferences exclude
    ├── BudgetExceeded              the spending limit of `record_routes(max_cost=)` is reached: nothing was sent
    └── CatalogError                in `catalog`: a catalog that cannot be read, or a model that it does not have

None of them is a ValueError or TypeError: LlamaIndex's default response synthesizer turns those into "Empty Response".
See https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from openrouter_routing.completion import Completion
    from openrouter_routing.route import Route


class OpenRouterError(Exception):
    """Something went wrong on the way to an answer, or in it.

    Attributes:
        message: What happened, who, which request, and what to do.
        status: The HTTP status, or None where no HTTP answer was had.
        code: OpenRouter's code: the availability code where there is one (`"no_endpoints"`), else the error's own.
        error_type: OpenRouter's stable name of the error, such as `"rate_limit_exceeded"`.
        provider: The provider it happened at, by its display name.
        generation_id: The id of the generation (`gen-...`), to look it up or report it.
        retryable: Whether the same request may succeed when sent again.
        retry_after: Seconds to wait before that, where the answer says so.
        availability: OpenRouter's `error.availability` object: what excluded the endpoints, which models to try.
        metadata: OpenRouter's `error.metadata` object: the provider's own text in `raw`, earlier errors, reasons.
        openrouter_metadata: How the request was routed, where the answer tells.
        response: The HTTP response, where there was one.
        retries: How many times the request had been sent again before this error was raised.
        partial: What of an answer had arrived before the error, where there was any: text, usage, route.

    See https://openrouter.ai/docs/api-reference/errors
    """

    retryable_by_default = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | int | None = None,
        error_type: str | None = None,
        provider: str | None = None,
        generation_id: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        availability: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        openrouter_metadata: Mapping[str, Any] | None = None,
        response: httpx.Response | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.error_type = error_type
        self.provider = provider
        self.generation_id = generation_id
        self.retryable = self.retryable_by_default if retryable is None else retryable
        self.retry_after = retry_after
        self.availability = availability
        self.metadata = metadata
        self.openrouter_metadata = openrouter_metadata
        self.response = response
        self.retries = 0
        self.partial: Completion | None = None

    @property
    def status_code(self) -> int | None:
        """The HTTP status under the name httpx and the provider SDKs use."""
        return self.status

    @property
    def request_id(self) -> str | None:
        """The generation id under the name tracers look for."""
        return self.generation_id

    def __reduce__(self) -> tuple[Any, ...]:
        # The response holds a live connection and the request's headers: neither belongs into a pickle.
        state = {**self.__dict__, "response": None}
        return _rebuild, (type(self), self.args, state)


def _rebuild(
    cls: type[OpenRouterError], args: tuple[Any, ...], state: dict[str, Any]
) -> OpenRouterError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class BadRequestError(OpenRouterError):
    """The request is malformed (400, 413, 422, or found wrong before it was sent): change it."""


class PreferencesError(BadRequestError):
    """Routing preferences are malformed or contradict each other; nothing was sent."""


class ContextLengthError(BadRequestError):
    """The input, or the input plus `max_tokens`, is longer than the model takes: shorten it."""


class AuthenticationError(OpenRouterError):
    """There is no key, or OpenRouter does not accept it (401)."""


class InsufficientCreditsError(OpenRouterError):
    """The account or the key has no credits left (402)."""


class PermissionDeniedError(OpenRouterError):
    """The request may not be made: moderation, a guardrail, the region, or limits of the key (403)."""


class NoEndpointsError(OpenRouterError):
    """No endpoint is left that may serve the request (404): the message names what excluded them."""


class ModelNotFoundError(OpenRouterError):
    """OpenRouter has no model of this name."""


class RateLimitError(OpenRouterError):
    """Too many requests (429): `retry_after` says how long to wait, where known."""

    retryable_by_default = True


class ProviderError(OpenRouterError):
    """The provider that served the request failed (502, 529, or an error inside a 200 answer)."""

    retryable_by_default = True


class ServiceUnavailableError(OpenRouterError):
    """OpenRouter itself failed or has no capacity (500, 503)."""

    retryable_by_default = True


class APITimeoutError(OpenRouterError):
    """No answer came in time (408, 504, 524, or a timeout set on this client)."""

    retryable_by_default = True


class APIConnectionError(OpenRouterError):
    """No connection could be made, or it broke before the answer began."""

    retryable_by_default = True


class ResponseParseError(OpenRouterError):
    """The answer is not what the API promises: an HTML page, half a JSON document, no `choices`."""

    retryable_by_default = True


class EmptyResponseError(OpenRouterError):
    """A finished answer holds nothing: no text, no tool call, no refusal, no tokens.

    Attributes:
        completion: The empty answer, with its usage and route.
    """

    retryable_by_default = True

    def __init__(self, message: str, *, completion: Completion, **details: Any) -> None:
        super().__init__(message, **details)
        self.completion = completion


class StreamInterruptedError(OpenRouterError):
    """A stream broke off before its end: an error in it, a cut connection, or a stall.

    Attributes:
        partial: What had arrived: text, reasoning, tool calls, usage, route.
    """

    retryable_by_default = True
    partial: Completion

    def __init__(self, message: str, *, partial: Completion, **details: Any) -> None:
        super().__init__(message, **details)
        self.partial = partial


class RoutingViolation(OpenRouterError):  # noqa: N818 (a fixed name)
    """A provider or model answered that the resolved preferences exclude.

    Attributes:
        route: Where the request went.
    """

    def __init__(self, message: str, *, route: Route, **details: Any) -> None:
        super().__init__(message, **details)
        self.route = route


class RoutingWarning(UserWarning):
    """The routing of an answer breaks the preferences (with `on_violation="warn"`), or cannot be checked."""


class BudgetExceeded(OpenRouterError):  # noqa: N818 (a fixed name)
    """The spending limit of `record_routes(max_cost=)` is reached; the request was not sent."""
