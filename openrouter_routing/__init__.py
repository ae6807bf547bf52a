"""Say where an OpenRouter request may go, and see where it went: the core that both frameworks' models share.

Read it in this order: `preferences` (what a request may say), `resolution` and `scope` (how layers of it combine),
`request`, `client` and `streams` (how it is sent), `accumulator` and `completion` (how the answer is read), `route` and
`recording` (where it went), `errors`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from openrouter_routing._registry import aclose_clients, close_clients
from openrouter_routing.client import AsyncOpenRouterClient, OpenRouterClient
from openrouter_routing.completion import Completion
from openrouter_routing.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    BudgetExceeded,
    ContextLengthError,
    EmptyResponseError,
    InsufficientCreditsError,
    ModelNotFoundError,
    NoEndpointsError,
    OpenRouterError,
    PermissionDeniedError,
    PreferencesError,
    ProviderError,
    RateLimitError,
    ResponseParseError,
    RoutingViolation,
    RoutingWarning,
    ServiceUnavailableError,
    StreamInterruptedError,
)
from openrouter_routing.preferences import (
    MaxPrice,
    Percentiles,
    ProviderPreferences,
    ProviderSort,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.recording import RouteLog, record_routes
from openrouter_routing.resolution import merge
from openrouter_routing.route import Attempt, Route, Usage
from openrouter_routing.scope import routing
from openrouter_routing.settings import ClientSettings

if TYPE_CHECKING:
    from openrouter_routing.catalog import Catalog
    from openrouter_routing.planning import RoutePlan, plan_route

__version__ = "0.1.0"

__all__ = [
    "APIConnectionError",
    "APITimeoutError",
    "AsyncOpenRouterClient",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceeded",
    "Catalog",
    "ClientSettings",
    "Completion",
    "ContextLengthError",
    "EmptyResponseError",
    "InsufficientCreditsError",
    "MaxPrice",
    "ModelNotFoundError",
    "NoEndpointsError",
    "OpenRouterClient",
    "OpenRouterError",
    "Percentiles",
    "PermissionDeniedError",
    "PreferencesError",
    "ProviderError",
    "ProviderPreferences",
    "ProviderSort",
    "RateLimitError",
    "ResponseParseError",
    "Route",
    "RouteLog",
    "RoutePlan",
    "RoutingPreferences",
    "RoutingViolation",
    "RoutingWarning",
    "ServiceUnavailableError",
    "StreamInterruptedError",
    "Usage",
    "aclose_clients",
    "close_clients",
    "merge",
    "plan_route",
    "preferences_of",
    "record_routes",
    "routing",
]


def __getattr__(name: str) -> Any:
    # Planning is for those who plan: nobody else waits for its import.
    module = {"Catalog": "catalog", "RoutePlan": "planning", "plan_route": "planning"}.get(name)
    if module is not None:
        return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
