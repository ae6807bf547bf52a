"""`OpenRouterRerank`: a document compressor for LangChain's retrievers that ranks by OpenRouter's rerank models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from langchain_core.callbacks import Callbacks
from langchain_core.documents import Document
from langchain_core.documents.compressor import BaseDocumentCompressor
from pydantic import ConfigDict, Field

from langchain_openrouter_routing._connection import Connection, named_once, veil
from langchain_openrouter_routing.errors import langchain_errors
from openrouter_routing.operations import refuse_chat_preferences
from openrouter_routing.preferences import RoutingPreferences
from openrouter_routing.vectors import Ranking

if TYPE_CHECKING:
    from langchain_openrouter_routing.keywords import OpenRouterRerankFields


class OpenRouterRerank(Connection, BaseDocumentCompressor):
    """Ranks retrieved documents by how well they answer the query, best first.

    Args:
        model: The model, such as `"cohere/rerank-v3.5"`.
        top_n: How many documents to keep; all unless set.
        **fields: Those of every class here: key, provider preferences, timeouts in seconds.

    Raises:
        BadRequestError: A field is unknown; the message names the nearest known one.

    Example:
        >>> OpenRouterRerank(model="cohere/rerank-v3.5", top_n=3).with_routing(order=["cohere"]).provider
        {'order': ['cohere']}

    See https://openrouter.ai/docs/api-reference/rerank
    """

    model_config = ConfigDict(defer_build=False)

    model: str
    """The model; also taken as `model_name=`."""
    top_n: int | None = Field(default=None, ge=1)
    """How many documents to keep."""

    def __init__(self, **fields: Unpack[OpenRouterRerankFields]) -> None:
        super().__init__(**veil(fields))

    def _instance_preferences(self) -> RoutingPreferences:
        preferences = super()._instance_preferences()
        refuse_chat_preferences("a rerank model", preferences)
        return preferences

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002
        **options: Any,
    ) -> Sequence[Document]:
        """Return the documents best first, each a copy with `relevance_score` in its metadata.

        Args:
            documents: The documents; without any, nothing is sent.
            query: The query.
            callbacks: LangChain's; nothing here runs them.
            **options: Preferences and options of this request, such as `provider=` or `top_n=`.

        Raises:
            OpenRouterError: One of its kinds; see `langchain_openrouter_routing.errors`.

        Example:
            >>> from openrouter_routing.emulator import Emulator
            >>> documents = [Document("Zug is small."), Document("Bern is the capital.")]
            >>> with Emulator() as emulator:
            ...     reach = {"base_url": emulator.base_url, "api_key": "any"}
            ...     rerank = OpenRouterRerank(model="cohere/rerank-v3.5", top_n=1, **reach)
            ...     best = rerank.compress_documents(documents, "Which is the capital?")
            >>> [document.page_content for document in best]
            ['Bern is the capital.']
        """
        if not documents:
            return []
        with langchain_errors():
            texts = [document.page_content for document in documents]
            ranking = self._sync_client().rerank(query, texts, **self._options(options))
        return _ranked(documents, ranking)

    async def acompress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002
        **options: Any,
    ) -> Sequence[Document]:
        """Return the documents best first; the async twin of `compress_documents`.

        Args:
            documents: The documents; without any, nothing is sent.
            query: The query.
            callbacks: LangChain's; nothing here runs them.
            **options: Preferences and options of this request.

        Example:
            >>> import asyncio
            >>> from openrouter_routing.emulator import Emulator
            >>> documents = [Document("Zug is small."), Document("Bern is the capital.")]
            >>> with Emulator() as emulator:
            ...     reach = {"base_url": emulator.base_url, "api_key": "any"}
            ...     rerank = OpenRouterRerank(model="cohere/rerank-v3.5", top_n=1, **reach)
            ...     best = asyncio.run(rerank.acompress_documents(documents, "Which capital?"))
            >>> [document.page_content for document in best]
            ['Bern is the capital.']
        """
        if not documents:
            return []
        with langchain_errors():
            texts = [document.page_content for document in documents]
            ranking = await self._async_client().rerank(query, texts, **self._options(options))
        return _ranked(documents, ranking)

    def _options(self, call: dict[str, Any]) -> dict[str, Any]:
        own: dict[str, Any] = {"model": self.model}
        if self.top_n is not None:
            own["top_n"] = self.top_n
        return own | named_once(call, self.aliases)


def _ranked(documents: Sequence[Document], ranking: Ranking) -> list[Document]:
    return [
        documents[result.index].model_copy(
            update={
                "metadata": {
                    **documents[result.index].metadata,
                    "relevance_score": result.score,
                }
            }
        )
        for result in ranking.results
    ]
