"""OpenRouter for LlamaIndex: routing per call, per block of code and per model, and answers that tell their route.

`OpenRouter` is the LLM, `OpenRouterEmbedding` the embedding model, `OpenRouterRerank` the reranker; `RoutedQueryEngine`
and `RoutedChatEngine` wrap the engines of LlamaIndex. `routing`, `record_routes` and `Route` are those of
`openrouter_routing`, for convenience.
"""

try:
    import llama_index.core as _llama_index_core  # noqa: F401 (only to say what to install)
except ImportError as error:
    if error.name is None or not error.name.startswith("llama_index"):
        raise
    raise ImportError(
        "llamaindex_openrouter_routing needs llama-index-core: pip install 'openrouter-routing[llamaindex]'"
    ) from error

from llamaindex_openrouter_routing.embedding import OpenRouterEmbedding
from llamaindex_openrouter_routing.engines import RoutedChatEngine, RoutedQueryEngine
from llamaindex_openrouter_routing.llm import OpenRouter
from llamaindex_openrouter_routing.rerank import OpenRouterRerank
from openrouter_routing import (
    ProviderPreferences,
    Route,
    RoutingPreferences,
    record_routes,
    routing,
)

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
