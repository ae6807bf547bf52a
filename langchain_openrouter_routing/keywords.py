"""What the constructors take as `TypedDict`s, so that editors complete it and type checkers know it.

What a field means stands at the class; the core's `openrouter_routing.keywords` has what calls take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from openrouter_routing.keywords import (
    AccountFields,
    AnswerFields,
    ChatPreferences,
    CommonPreferences,
    HeaderPreferences,
    LayerFields,
    ModelParameters,
    ProviderFields,
    RequestFields,
    SecretText,
)

if TYPE_CHECKING:
    import httpx
    from langchain_core.caches import BaseCache
    from langchain_core.callbacks import Callbacks
    from langchain_core.language_models import ModelProfile
    from langchain_core.rate_limiters import BaseRateLimiter

    from openrouter_routing.preferences import ProviderPreferences


class ConnectionFields(
    ProviderFields,
    CommonPreferences,
    LayerFields,
    RequestFields,
    AccountFields,
    total=False,
):
    """What every class of this package takes, under all its names."""

    model: str
    model_name: str
    openrouter_api_key: str | SecretText | None
    openrouter_api_base: str | None
    openrouter_provider: ProviderPreferences | ProviderFields | Mapping[str, Any] | None
    request_timeout: float | httpx.Timeout | None
    default_headers: Mapping[str, str] | None
    extra_headers: Mapping[str, str] | None
    http_client: httpx.Client | None
    http_async_client: httpx.AsyncClient | None


class ChatOpenRouterFields(
    ConnectionFields,
    HeaderPreferences,
    ChatPreferences,
    ModelParameters,
    AnswerFields,
    total=False,
):
    """What `ChatOpenRouter` takes."""

    stop_sequences: str | list[str] | None
    model_kwargs: Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None
    streaming: bool | None
    stream_usage: bool
    name: str | None
    cache: BaseCache | bool | None
    verbose: bool
    callbacks: Callbacks
    tags: list[str] | None
    metadata: dict[str, Any] | None
    custom_get_token_ids: Callable[[str], list[int]] | None
    rate_limiter: BaseRateLimiter | None
    disable_streaming: bool | Literal["tool_calling"]
    output_version: str | None
    profile: ModelProfile | None


class OpenRouterEmbeddingsFields(ConnectionFields, total=False):
    """What `OpenRouterEmbeddings` takes."""

    dimensions: int | None
    encoding_format: Literal["float", "base64"] | None
    query_input_type: str | None
    document_input_type: str | None
    batch_size: int
    extra_body: Mapping[str, Any] | None


class OpenRouterRerankFields(ConnectionFields, total=False):
    """What `OpenRouterRerank` takes."""

    top_n: int | None
