"""`OpenRouterEmbeddings`: LangChain's embeddings over OpenRouter, batched, routed and recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict, Field

from langchain_openrouter_routing._connection import Connection, named_once, veil
from langchain_openrouter_routing.errors import langchain_errors
from openrouter_routing.operations import refuse_chat_preferences
from openrouter_routing.preferences import RoutingPreferences
from openrouter_routing.request import merged_bodies

if TYPE_CHECKING:
    from langchain_openrouter_routing.keywords import OpenRouterEmbeddingsFields

_AT_ONCE = 8
"""How many batches an async call has in flight."""


class OpenRouterEmbeddings(Connection, Embeddings):
    """Embeddings of OpenRouter.

    Provider preferences are said at construction, per call, by `with_routing()` or for a block by `routing()`, as for
    `ChatOpenRouter`. `record_routes()` tells where each batch went and what it cost.

    Args:
        model: The model, such as `"openai/text-embedding-3-small"`.
        **fields: Any field below, and those of every class here: key, provider preferences, timeouts in seconds.

    Raises:
        BadRequestError: A field is unknown; the message names the nearest known one.

    Example:
        >>> embeddings = OpenRouterEmbeddings(model="openai/text-embedding-3-small", sort="price")
        >>> embeddings.with_routing(zdr=True).provider
        {'zdr': True, 'sort': 'price'}

    See https://openrouter.ai/docs/api-reference/embeddings
    """

    model_config = ConfigDict(defer_build=False)

    model: str
    """The model; also taken as `model_name=`."""
    dimensions: int | None = None
    """How many numbers a vector has, for models that can be told."""
    encoding_format: Literal["float", "base64"] | None = None
    """How vectors travel; `"base64"` is four times smaller and read just the same."""
    query_input_type: str | None = None
    """The `input_type` of queries, for models that tell them from documents."""
    document_input_type: str | None = None
    """The `input_type` of documents."""
    batch_size: int = Field(default=256, ge=1, le=2048)
    """How many texts one request carries."""
    extra_body: dict[str, Any] | None = None
    """Merged into the body last, unchecked."""

    def __init__(self, **fields: Unpack[OpenRouterEmbeddingsFields]) -> None:
        super().__init__(**veil(fields))

    def _instance_preferences(self) -> RoutingPreferences:
        preferences = super()._instance_preferences()
        refuse_chat_preferences("an embedding model", preferences)
        return preferences

    def embed_documents(self, texts: list[str], **options: Any) -> list[list[float]]:
        """Return a vector for each text, in their order.

        Args:
            texts: The texts, none of them empty.
            **options: Preferences and options of these requests, such as `provider=` or `dimensions=`.

        Raises:
            OpenRouterError: One of its kinds; see `langchain_openrouter_routing.errors`.

        Example:
            >>> from openrouter_routing.emulator import Emulator
            >>> with Emulator() as emulator:
            ...     reach = {"base_url": emulator.base_url, "api_key": "any"}
            ...     embeddings = OpenRouterEmbeddings(model="openai/text-embedding-3-small", **reach)
            ...     vectors = embeddings.embed_documents(["Bern", "Geneva"], dimensions=8)
            >>> [len(vector) for vector in vectors]
            [8, 8]
        """
        with langchain_errors():
            client, asked = self._sync_client(), self._options(self.document_input_type, options)
            batches = [client.embeddings(batch, **asked) for batch in self._batches(texts)]
        return [vector for batch in batches for vector in batch.vectors]

    def embed_query(self, text: str, **options: Any) -> list[float]:
        """Return the vector of a query; takes what `embed_documents` takes.

        Args:
            text: The query.
            **options: Preferences and options of this request.

        Example:
            >>> from openrouter_routing.emulator import Emulator
            >>> with Emulator() as emulator:
            ...     reach = {"base_url": emulator.base_url, "api_key": "any"}
            ...     embeddings = OpenRouterEmbeddings(model="openai/text-embedding-3-small", **reach)
            ...     len(embeddings.embed_query("Bern", dimensions=8))
            8
        """
        with langchain_errors():
            asked = self._options(self.query_input_type, options)
            return self._sync_client().embeddings([text], **asked).vectors[0]

    async def aembed_documents(self, texts: list[str], **options: Any) -> list[list[float]]:
        """Return a vector for each text, in their order; several batches travel at once.

        Args:
            texts: The texts, none of them empty.
            **options: Preferences and options of these requests.

        Example:
            >>> from openrouter_routing.emulator import Emulator
            >>> with Emulator() as emulator:
            ...     reach = {"base_url": emulator.base_url, "api_key": "any"}
            ...     embeddings = OpenRouterEmbeddings(model="openai/text-embedding-3-small", **reach)
            ...     [len(vector) for vector in asyncio.run(embeddings.aembed_documents(["Bern"], dimensions=8))]
            [8]
        """
        with langchain_errors():
            client, asked = self._async_client(), self._options(self.document_input_type, options)
            free = asyncio.Semaphore(_AT_ONCE)

            async def embed(batch: Sequence[str]) -> list[list[float]]:
                async with free:
                    return (await client.embeddings(batch, **asked)).vectors

            batches = [asyncio.ensure_future(embed(batch)) for batch in self._batches(texts)]
            try:
                vectors = await asyncio.gather(*batches)
            finally:
                # What one failed for would be for nothing in the others, and billed.
                for batch in batches:
                    batch.cancel()
        return [vector for batch in vectors for vector in batch]

    async def aembed_query(self, text: str, **options: Any) -> list[float]:
        """Return the vector of a query.

        Args:
            text: The query.
            **options: Preferences and options of this request.

        Example:
            >>> from openrouter_routing.emulator import Emulator
            >>> with Emulator() as emulator:
            ...     reach = {"base_url": emulator.base_url, "api_key": "any"}
            ...     embeddings = OpenRouterEmbeddings(model="openai/text-embedding-3-small", **reach)
            ...     len(asyncio.run(embeddings.aembed_query("Bern", dimensions=8)))
            8
        """
        with langchain_errors():
            asked = self._options(self.query_input_type, options)
            return (await self._async_client().embeddings([text], **asked)).vectors[0]

    def _batches(self, texts: Sequence[str]) -> list[Sequence[str]]:
        return [
            texts[start : start + self.batch_size]
            for start in range(0, len(texts), self.batch_size)
        ]

    def _options(self, input_type: str | None, call: dict[str, Any]) -> dict[str, Any]:
        own = {
            "model": self.model,
            "dimensions": self.dimensions,
            "encoding_format": self.encoding_format,
            "input_type": input_type,
            "extra_body": self.extra_body,
        }
        said = {name: value for name, value in own.items() if value is not None}
        named = named_once(call, self.aliases)
        if self.extra_body and isinstance(named.get("extra_body"), Mapping):
            named["extra_body"] = merged_bodies(self.extra_body, named["extra_body"])
        return said | named
