"""`OpenRouterRerank`: any rerank model of OpenRouter as a node postprocessor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import llama_index.core.instrumentation as instrument
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.callbacks.base import EventContext
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from pydantic import ConfigDict, Field

from llamaindex_openrouter_routing._component import RoutedComponent
from openrouter_routing.errors import BadRequestError
from openrouter_routing.operations import described_vectors, refuse_chat_preferences
from openrouter_routing.vectors import Ranking

if TYPE_CHECKING:
    from llamaindex_openrouter_routing.keywords import OpenRouterRerankFields

dispatcher = instrument.get_dispatcher(__name__)  # type: ignore[attr-defined]  # public by their docs


class OpenRouterRerank(RoutedComponent, BaseNodePostprocessor):
    """Reranks the nodes of a retrieval with a model of OpenRouter; the best come first, with the model's scores.

    Args:
        model: Such as `"cohere/rerank-v3.5"`.
        top_n: How many nodes to keep.
        metadata_mode: Which metadata of a node the model sees with its text.
        keep_retrieval_score: Whether the score of the retriever is kept in the node's metadata.
        **fields: `provider` preferences, nested and flat, `user`, `policy`, and how to send, as for `OpenRouter`.

    Raises:
        BadRequestError: A keyword is unknown or malformed.
        PreferencesError: A routing preference is malformed.

    Example:
        >>> rerank = OpenRouterRerank("cohere/rerank-v3.5", top_n=3)
        >>> engine = index.as_query_engine(node_postprocessors=[rerank])  # doctest: +SKIP

    See https://docs.llamaindex.ai/en/stable/module_guides/querying/node_postprocessors/
    """

    model_config = ConfigDict(defer_build=False)

    model: str = Field(description="The model, such as 'cohere/rerank-v3.5'.")
    top_n: int = Field(default=2, description="How many nodes to keep.", gt=0)
    metadata_mode: MetadataMode = Field(
        default=MetadataMode.EMBED, description="Which metadata the model sees."
    )
    keep_retrieval_score: bool = Field(
        default=False, description="Whether the retriever's score is kept in the metadata."
    )

    def __init__(self, model: str, **fields: Unpack[OpenRouterRerankFields]) -> None:
        super().__init__(model=model, **fields)

    def _check_preferences(self) -> None:
        refuse_chat_preferences("a rerank model", self.routing)

    def describe(self, **call: Any) -> str:
        """Say which preferences a request made here and now would send, each with the layer it came from."""
        return described_vectors(self._client().defaults, self._with_extra_body(call))

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex stores it."""
        return "OpenRouterRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query, texts = self._begin(nodes, query_bundle)
        if not nodes:
            return _told([])
        with self._event(nodes, query) as event:
            ranking = self._client().rerank(query, texts, **self._options())
            return self._end(nodes, ranking, event)

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query, texts = self._begin(nodes, query_bundle)
        if not nodes:
            return _told([])
        with self._event(nodes, query) as event:
            ranking = await self._async_client().rerank(query, texts, **self._options())
            return self._end(nodes, ranking, event)

    def _begin(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None
    ) -> tuple[str, list[str]]:
        # Observers are told of what can begin, and then of its end.
        if query_bundle is None:
            raise BadRequestError("reranking needs a query: pass query_bundle= or query_str=")
        texts = [self._text(node) for node in nodes]
        dispatcher.event(
            ReRankStartEvent(
                query=query_bundle, nodes=nodes, top_n=self.top_n, model_name=self.model
            )
        )
        return query_bundle.query_str, texts

    def _event(self, nodes: list[NodeWithScore], query: str) -> Any:
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query,
            EventPayload.TOP_K: self.top_n,
        }
        return self.callback_manager.event(CBEventType.RERANKING, payload=payload)

    def _text(self, node: NodeWithScore) -> str:
        text = node.node.get_content(metadata_mode=self.metadata_mode)
        if not text:
            raise BadRequestError(
                f"node {node.node.node_id} has no text to rank; leave it out, or let metadata_mode= show its metadata"
            )
        return text

    def _options(self) -> dict[str, Any]:
        return self._with_extra_body({"model": self.model, "top_n": self.top_n})

    def _end(
        self, nodes: list[NodeWithScore], ranking: Ranking, event: EventContext
    ) -> list[NodeWithScore]:
        ranked = []
        for result in ranking.results[: self.top_n]:
            found = nodes[result.index]
            node = found.node
            if self.keep_retrieval_score:
                # The index may hold this very node: its own metadata stay as they are.
                node = node.model_copy(
                    update={"metadata": {**node.metadata, "retrieval_score": found.score}}
                )
            ranked.append(NodeWithScore(node=node, score=result.score))
        event.on_end(payload={EventPayload.NODES: ranked})
        return _told(ranked)


def _told(ranked: list[NodeWithScore]) -> list[NodeWithScore]:
    dispatcher.event(ReRankEndEvent(nodes=ranked))
    return ranked
