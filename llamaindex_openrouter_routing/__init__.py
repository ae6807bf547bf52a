"""OpenRouter for LlamaIndex: routing per call, per block of code and per model, and answers that tell their route.

`OpenRouter` is the LLM, `OpenRouterEmbedding` the embedding model, `OpenRouterRerank` the reranker; `RoutedQueryEngine`
and `RoutedChatEngine` wrap the engines of LlamaIndex. All but the LLM is imported when it is asked for. `routing`,
`record_routes` and `Route` are those of `openrouter_routing`, for convenience.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import llama_index.core as _llama_index_core  # noqa: F401 (only to say what to install)
except ImportError as error:
    if error.name is None or not error.name.startswith("llama_index"):
        raise
    raise ImportError(
        "llamaindex_openrouter_routing needs llama-index-core: pip install 'openrouter-routing[llamaindex]'"
    ) from error

from llamaindex_openrouter_routing.llm import OpenRouter
from openrouter_routing import (
    ProviderPreferences,
    Route,
    RoutingPreferences,
    record_routes,
    routing,
)

if TYPE_CHECKING:
    from llamaindex_openrouter_routing.embedding import OpenRouterEmbedding
    from llamaindex_openrouter_routing.engines import RoutedChatEngine, RoutedQueryEngine
    from llamaindex_openrouter_routing.rerank import OpenRouterRerank

_LATER = {
    "OpenRouterEmbedding": "llamaindex_openrouter_routing.embedding",
    "OpenRouterRerank": "llamaindex_openrouter_routing.rerank",
    "RoutedChatEngine": "llamaindex_openrouter_routing.engines",
    "RoutedQueryEngine": "llamaindex_openrouter_routing.engines",
}
__all__ = [
    "OpenRouter",
    "OpenRouterEmbedding",
    "OpenRouterRerank",
    "ProviderPreferences",
    "Route",
    "RoutedChatEngine",
    "RoutedQueryEngine",
    "RoutingPreferences",
    "record_routes",
    "routing",
]


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)
