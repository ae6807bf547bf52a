"""LangChain models for OpenRouter: `ChatOpenRouter`, `OpenRouterEmbeddings`, `OpenRouterRerank`.

    from langchain_openrouter_routing import ChatOpenRouter

    llm = ChatOpenRouter(model="openai/gpt-5-mini", provider={"sort": "price"})

`init_chat_model("openrouter_routing:openai/gpt-5-mini")` works after one line; LangChain's table of providers is not
public, so it is yours to write:

    from langchain.chat_models import base

    base._BUILTIN_PROVIDERS["openrouter_routing"] = (
        "langchain_openrouter_routing", "ChatOpenRouter", lambda cls, **fields: cls(**fields)
    )

Importing the package registers its block translator with LangChain. All but the chat model is imported when it is
needed; `RoutingMiddleware` needs `langchain` itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import langchain_core as _langchain_core  # noqa: F401  # tells early what is missing
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "langchain_openrouter_routing needs langchain-core: pip install 'openrouter-routing[langchain]'",
        name=missing.name,
    ) from missing

from langchain_openrouter_routing import blocks as _blocks  # noqa: F401  # registers the translator
from langchain_openrouter_routing.chat_model import ChatOpenRouter
from openrouter_routing import (
    ProviderPreferences,
    Route,
    RoutingPreferences,
    __version__,
    record_routes,
    routing,
)

if TYPE_CHECKING:
    from langchain_openrouter_routing.embeddings import OpenRouterEmbeddings
    from langchain_openrouter_routing.middleware import RoutingMiddleware
    from langchain_openrouter_routing.rerank import OpenRouterRerank
    from langchain_openrouter_routing.structured import StructuredOutputError
    from langchain_openrouter_routing.tracing import OpenRouterTracer

_LATER = {
    "OpenRouterEmbeddings": "langchain_openrouter_routing.embeddings",
    "OpenRouterRerank": "langchain_openrouter_routing.rerank",
    "OpenRouterTracer": "langchain_openrouter_routing.tracing",
    "RoutingMiddleware": "langchain_openrouter_routing.middleware",
    "StructuredOutputError": "langchain_openrouter_routing.structured",
}
__all__ = [
    "ChatOpenRouter",
    "OpenRouterEmbeddings",
    "OpenRouterRerank",
    "OpenRouterTracer",
    "ProviderPreferences",
    "Route",
    "RoutingMiddleware",
    "RoutingPreferences",
    "StructuredOutputError",
    "__version__",
    "record_routes",
    "routing",
]


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)
