"""`RoutedQueryEngine` and `RoutedChatEngine`: preferences for each query, and the routes it took in the response.

LlamaIndex's engines take no call arguments, lose the metadata of the answers they are made of, and ask for a streamed
answer only when its first token is read, long after a `with routing(...)` block has ended. These wrappers run an engine
in a context of its own and read its streams in that same context.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, closing
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.base.response.schema import (
    RESPONSE_TYPE,
    AsyncStreamingResponse,
    StreamingResponse,
)
from llama_index.core.chat_engine.types import (
    AGENT_CHAT_RESPONSE_TYPE,
    AgentChatResponse,
    BaseChatEngine,
    StreamingAgentChatResponse,
)
from llama_index.core.prompts.mixin import PromptDictType, PromptMixinType
from llama_index.core.schema import NodeWithScore, QueryBundle, QueryType

from llamaindex_openrouter_routing._streaming import aread_in, read_in, run_in
from openrouter_routing.preferences import (
    ProviderPreferences,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.recording import RouteLog, record_routes
from openrouter_routing.resolution import policy_of
from openrouter_routing.scope import routing

if TYPE_CHECKING:
    from openrouter_routing.keywords import PreferenceFields, ProviderFields

T = TypeVar("T")
Metadata = dict[str, Any]


class _Run:
    """One query: the context it runs in, and the routes it took."""

    def __init__(
        self,
        preferences: RoutingPreferences,
        policy: ProviderPreferences | None,
        max_cost: float | str | None,
    ) -> None:
        self.context: Context = copy_context()
        self.log: RouteLog = self.context.run(record_routes(max_cost=max_cost).__enter__)
        self.context.run(routing(preferences, policy=policy).__enter__)
        self.routes: list[dict[str, Any]] = []

    async def task(self, work: Callable[[], Any]) -> Any:
        """Await what a function returns in the context of the run."""
        return await run_in(self.context, work)

    def note(self, metadata: Metadata | None) -> Metadata:
        """Return the metadata of a response with the routes of the run, which grow while it streams."""
        self.refresh()
        return {**(metadata or {}), "routes": self.routes}

    def refresh(self) -> None:
        """Take in the routes of the requests that have ended since."""
        self.routes[:] = self.log.to_dicts()

    def tokens(self, tokens: Iterable[T]) -> Generator[T, None, None]:
        """Read a stream in the context of the run."""
        try:
            with closing(read_in(self.context, tokens)) as reading:
                yield from reading
        finally:
            self.refresh()

    async def atokens(self, tokens: AsyncIterable[T]) -> AsyncGenerator[T, None]:
        """Read an async stream in the context of the run."""
        try:
            async with aclosing(aread_in(self.context, tokens)) as reading:
                async for token in reading:
                    yield token
        finally:
            self.refresh()


class _Routed:
    """What both wrappers share: the preferences, and the way through to the wrapped engine."""

    def __init__(
        self,
        engine: Any,
        preferences: RoutingPreferences | Mapping[str, Any] | None,
        policy: ProviderPreferences | Mapping[str, Any] | None,
        max_cost: float | str | None,
        fields: Mapping[str, Any],
    ) -> None:
        self._engine = engine
        self._routing = preferences_of(preferences, **fields)
        self._policy = policy_of(policy)
        self._max_cost = max_cost
        # A malformed limit is found here, not at the first message.
        record_routes(max_cost=max_cost)

    def _run(self) -> _Run:
        return _Run(self._routing, self._policy, self._max_cost)

    def __getattr__(self, name: str) -> Any:
        # Only asked for what this class does not have: everything else is the wrapped engine's.
        if name.startswith("__") or name == "_engine":
            raise AttributeError(name)
        return getattr(self._engine, name)


class RoutedQueryEngine(_Routed, BaseQueryEngine):
    """A query engine with preferences for each query, and with the routes of each query in its response.

    `response.metadata["routes"]` lists a dict for each request of the query, embeddings and reranking included: model,
    provider, finish reasons, tokens, cost. For a streaming response it is complete when the stream has been read.
    Everything else the wrapped engine offers is still there.

    The preferences hold for every request of the query, embeddings and reranking included. For providers that only
    chat, give them to the LLM alone: `llm.with_routing(...)`.

    Args:
        query_engine: Any query engine.
        preferences: Preferences to start from.
        policy: Provider preferences that nothing in the query may loosen.
        max_cost: USD; once a query has cost that much, its next request raises `BudgetExceeded`.
        **fields: Fields of `RoutingPreferences`, or of its `provider` written flat (`order=`, `zdr=`, ...).

    Raises:
        PreferencesError: A preference is malformed.
        BadRequestError: `max_cost` is.

    Example:
        >>> engine = RoutedQueryEngine(index.as_query_engine(streaming=True), sort="price")  # doctest: +SKIP
        >>> response = engine.query("Where is Bern?")  # doctest: +SKIP
        >>> print(response, response.metadata["routes"][-1]["provider"])  # doctest: +SKIP

    See https://docs.llamaindex.ai/en/stable/module_guides/deploying/query_engine/
    """

    def __init__(
        self,
        query_engine: BaseQueryEngine,
        preferences: RoutingPreferences | Mapping[str, Any] | None = None,
        /,
        *,
        policy: ProviderPreferences | ProviderFields | Mapping[str, Any] | None = None,
        max_cost: float | str | None = None,
        **fields: Unpack[PreferenceFields],
    ) -> None:
        _Routed.__init__(self, query_engine, preferences, policy, max_cost, fields)
        BaseQueryEngine.__init__(self, query_engine.callback_manager)

    # `query` and not `_query`: the wrapped engine tells LlamaIndex's observers of the query, and once is enough.

    def query(self, str_or_query_bundle: QueryType) -> RESPONSE_TYPE:
        """Answer a query."""
        run = self._run()
        return _noted(run, run.context.run(self._engine.query, str_or_query_bundle))

    async def aquery(self, str_or_query_bundle: QueryType) -> RESPONSE_TYPE:
        """Answer a query; see `query`."""
        run = self._run()
        return _noted(run, await run.task(lambda: self._engine.aquery(str_or_query_bundle)))

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return self.query(query_bundle)

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return await self.aquery(query_bundle)

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return the nodes for a query, with the preferences of this engine."""
        nodes: list[NodeWithScore] = self._run().context.run(self._engine.retrieve, query_bundle)
        return nodes

    async def aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return the nodes for a query; see `retrieve`."""
        nodes: list[NodeWithScore] = await self._run().task(
            lambda: self._engine.aretrieve(query_bundle)
        )
        return nodes

    def synthesize(
        self,
        query_bundle: QueryBundle,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
    ) -> RESPONSE_TYPE:
        """Answer from nodes, with the preferences of this engine."""
        run = self._run()
        response = run.context.run(
            self._engine.synthesize, query_bundle, nodes, additional_source_nodes
        )
        return _noted(run, response)

    async def asynthesize(
        self,
        query_bundle: QueryBundle,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
    ) -> RESPONSE_TYPE:
        """Answer from nodes; see `synthesize`."""
        run = self._run()
        response = await run.task(
            lambda: self._engine.asynthesize(query_bundle, nodes, additional_source_nodes)
        )
        return _noted(run, response)

    def _get_prompts(self) -> PromptDictType:
        return self._engine._get_prompts()  # type: ignore[no-any-return]  # noqa: SLF001

    def _get_prompt_modules(self) -> PromptMixinType:
        return self._engine._get_prompt_modules()  # type: ignore[no-any-return]  # noqa: SLF001

    def _update_prompts(self, prompts_dict: PromptDictType) -> None:
        self._engine._update_prompts(prompts_dict)  # noqa: SLF001


def _noted(run: _Run, response: RESPONSE_TYPE) -> RESPONSE_TYPE:
    response.metadata = run.note(response.metadata)
    if isinstance(response, StreamingResponse) and response.response_gen is not None:
        response.response_gen = run.tokens(response.response_gen)
    elif isinstance(response, AsyncStreamingResponse) and response.response_gen is not None:
        response.response_gen = run.atokens(response.response_gen)
    return response


class RoutedChatEngine(_Routed, BaseChatEngine):
    """A chat engine with preferences for each message, and with the routes of each in its response.

    `response.metadata["routes"]` lists a dict for each request that the message led to. For a streaming response it is
    complete when the stream has been read. Everything else the wrapped engine offers is still there.

    Args:
        chat_engine: Any chat engine.
        preferences: Preferences to start from.
        policy: Provider preferences that nothing in the conversation may loosen.
        max_cost: USD; once a message has cost that much, its next request raises `BudgetExceeded`.
        **fields: Fields of `RoutingPreferences`, or of its `provider` written flat.

    Raises:
        PreferencesError: A preference is malformed.
        BadRequestError: `max_cost` is.

    Example:
        >>> engine = RoutedChatEngine(index.as_chat_engine(), zdr=True)  # doctest: +SKIP
        >>> engine.chat("Where is Bern?").metadata["routes"]  # doctest: +SKIP

    See https://docs.llamaindex.ai/en/stable/module_guides/deploying/chat_engines/
    """

    def __init__(
        self,
        chat_engine: BaseChatEngine,
        preferences: RoutingPreferences | Mapping[str, Any] | None = None,
        /,
        *,
        policy: ProviderPreferences | ProviderFields | Mapping[str, Any] | None = None,
        max_cost: float | str | None = None,
        **fields: Unpack[PreferenceFields],
    ) -> None:
        super().__init__(chat_engine, preferences, policy, max_cost, fields)

    def chat(
        self, message: str, chat_history: list[ChatMessage] | None = None
    ) -> AGENT_CHAT_RESPONSE_TYPE:
        """Answer a message."""
        run = self._run()
        return _noted_chat(run, run.context.run(self._engine.chat, message, chat_history))

    async def achat(
        self, message: str, chat_history: list[ChatMessage] | None = None
    ) -> AGENT_CHAT_RESPONSE_TYPE:
        """Answer a message; see `chat`."""
        run = self._run()
        response = await run.task(lambda: self._engine.achat(message, chat_history))
        return _noted_chat(run, response)

    def stream_chat(
        self, message: str, chat_history: list[ChatMessage] | None = None
    ) -> StreamingAgentChatResponse:
        """Answer a message piece by piece."""
        run = self._run()
        response = run.context.run(self._engine.stream_chat, message, chat_history)
        return _RoutedStreamingResponse.of(run, response)

    async def astream_chat(
        self, message: str, chat_history: list[ChatMessage] | None = None
    ) -> StreamingAgentChatResponse:
        """Answer a message piece by piece; see `stream_chat`."""
        run = self._run()
        response = await run.task(lambda: self._engine.astream_chat(message, chat_history))
        return _RoutedStreamingResponse.of(run, response)

    def reset(self) -> None:
        """Forget the conversation."""
        self._engine.reset()

    @property
    def chat_history(self) -> list[ChatMessage]:
        """The conversation so far."""
        history: list[ChatMessage] = self._engine.chat_history
        return history


def _noted_chat(run: _Run, response: AGENT_CHAT_RESPONSE_TYPE) -> AGENT_CHAT_RESPONSE_TYPE:
    if isinstance(response, AgentChatResponse):
        response.metadata = run.note(response.metadata)
    return response


class _RoutedStreamingResponse(StreamingAgentChatResponse):
    """A streaming chat response that has metadata; LlamaIndex's own has none."""

    _run: _Run

    @classmethod
    def of(cls, run: _Run, response: StreamingAgentChatResponse) -> StreamingAgentChatResponse:
        """Give a response of an engine its metadata; it stays the object that the engine's own thread fills."""
        if type(response) is StreamingAgentChatResponse:
            response.__class__ = cls
            response._run = run  # type: ignore[attr-defined]  # noqa: SLF001
        return response

    @property
    def metadata(self) -> Metadata:
        """The routes so far, under `"routes"`."""
        return self._run.note(None)
