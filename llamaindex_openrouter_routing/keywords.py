"""What the constructors take as `TypedDict`s, so that editors complete it and type checkers know it.

What a field means stands at the class; the core's `openrouter_routing.keywords` has what calls take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
)

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.prompts import BasePromptTemplate
    from llama_index.core.schema import MetadataMode
    from llama_index.core.types import BaseOutputParser, PydanticProgramMode


class ComponentFields(
    ProviderFields,
    CommonPreferences,
    HeaderPreferences,
    LayerFields,
    RequestFields,
    AccountFields,
    total=False,
):
    """What every class of this package takes, under all its names."""

    api_base: str | None
    default_headers: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    extra_headers: Mapping[str, str] | None
    extra_body: Mapping[str, Any] | None
    http_client: Any
    http_async_client: Any
    async_http_client: Any
    callback_manager: CallbackManager | None


class OpenRouterFields(
    ComponentFields, ChatPreferences, ModelParameters, AnswerFields, total=False
):
    """What `OpenRouter` takes beside `model`."""

    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    stream_options: Mapping[str, Any] | None
    usage: Mapping[str, Any] | None
    metadata: dict[str, str] | None
    audio_config: Mapping[str, Any] | None
    additional_kwargs: Mapping[str, Any] | None
    context_window: int | None
    is_chat_model: bool
    is_function_calling_model: bool | None
    should_use_structured_outputs: bool | None
    strict: bool
    rate_limiter: Any
    system_prompt: str | None
    messages_to_prompt: Callable[[Sequence[ChatMessage]], str] | None
    completion_to_prompt: Callable[[str], str] | None
    output_parser: BaseOutputParser | None
    pydantic_program_mode: PydanticProgramMode
    query_wrapper_prompt: BasePromptTemplate | None
    reuse_client: bool | None
    api_version: str | None
    tokenizer: Any


class OpenRouterEmbeddingFields(ComponentFields, total=False):
    """What `OpenRouterEmbedding` takes beside `model`."""

    model_name: str
    dimensions: int | None
    encoding_format: str | None
    query_input_type: str | None
    text_input_type: str | None
    embed_batch_size: int
    num_workers: int | None
    embeddings_cache: Any
    rate_limiter: Any


class OpenRouterRerankFields(ComponentFields, total=False):
    """What `OpenRouterRerank` takes beside `model`."""

    top_n: int
    metadata_mode: MetadataMode
    keep_retrieval_score: bool
