"""`OpenRouterEmbedding`: any embedding model of OpenRouter, in true batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from pydantic import ConfigDict, Field

from llamaindex_openrouter_routing._component import RoutedComponent
from openrouter_routing.operations import described_vectors, refuse_chat_preferences

if TYPE_CHECKING:
    from llamaindex_openrouter_routing.keywords import OpenRouterEmbeddingFields


class OpenRouterEmbedding(RoutedComponent, BaseEmbedding):
    """An embedding model of OpenRouter; a batch of texts is one request.

    Args:
        model: Such as `"openai/text-embedding-3-small"`; `model_name` is the same.
        dimensions: How long the vectors are to be, where the model lets choose.
        encoding_format: `"base64"` makes answers a quarter smaller than `"float"`; the vectors are the same.
        query_input_type: The `input_type` of queries, for models that tell queries from documents.
        text_input_type: The `input_type` of documents.
        embed_batch_size: How many texts go into one request, 1 to 2048.
        **fields: `provider` preferences, nested and flat, `user`, `policy`, and how to send, as for `OpenRouter`.

    Raises:
        BadRequestError: A keyword is unknown or malformed.
        PreferencesError: A routing preference is malformed.

    Example:
        >>> embed_model = OpenRouterEmbedding("openai/text-embedding-3-small", sort="price")
        >>> embed_model.get_text_embedding_batch(["Bern", "Basel"])  # doctest: +SKIP

    See https://openrouter.ai/docs/api-reference/embeddings
    """

    model_config = ConfigDict(defer_build=False)

    model_name: str = Field(description="The model, such as 'openai/text-embedding-3-small'.")
    dimensions: int | None = Field(default=None, description="Length of the vectors.", gt=0)
    encoding_format: str | None = Field(default=None, description="'float' or 'base64'.")
    query_input_type: str | None = Field(default=None, description="input_type of queries.")
    text_input_type: str | None = Field(default=None, description="input_type of documents.")

    def __init__(
        self, model: str | None = None, **fields: Unpack[OpenRouterEmbeddingFields]
    ) -> None:
        if model is not None:
            fields["model_name"] = model
        super().__init__(**fields)

    def _check_preferences(self) -> None:
        refuse_chat_preferences("an embedding model", self.routing)

    def describe(self, **call: Any) -> str:
        """Say which preferences a request made here and now would send, each with the layer it came from."""
        return described_vectors(self._client().defaults, self._with_extra_body(call))

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex stores it."""
        return "OpenRouterEmbedding"

    def to_payload(self) -> dict[str, Any]:
        """Return what observers may see: the model and the preferences, no secrets."""
        return {**super().to_payload(), "routing": self.routing.to_wire()}

    def _options(self, input_type: str | None) -> dict[str, Any]:
        return self._with_extra_body(
            {
                "model": self.model_name,
                "dimensions": self.dimensions,
                "encoding_format": self.encoding_format,
                "input_type": input_type,
            }
        )

    def _get_query_embedding(self, query: str) -> Embedding:
        options = self._options(self.query_input_type)
        return self._client().embeddings([query], **options).vectors[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        options = self._options(self.query_input_type)
        return (await self._async_client().embeddings([query], **options)).vectors[0]

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._client().embeddings(texts, **self._options(self.text_input_type)).vectors

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        options = self._options(self.text_input_type)
        return (await self._async_client().embeddings(texts, **options)).vectors
