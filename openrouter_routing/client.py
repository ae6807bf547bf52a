"""`OpenRouterClient` and `AsyncOpenRouterClient`: OpenRouter's API, thin and typed, with preferences that are kept.

Both frameworks' models use these. A client holds no connection of its own: connections live in one registry, so
making a client costs nothing. The two differ only in how bytes move; what is sent and how it is read is `operations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from openrouter_routing import errors, operations
from openrouter_routing._registry import aclose_clients, async_client, close_clients, sync_client
from openrouter_routing.completion import Completion
from openrouter_routing.operations import Defaults, Operation
from openrouter_routing.preferences import (
    NO_PREFERENCES,
    ProviderPreferences,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.resolution import policy_of
from openrouter_routing.settings import ClientSettings, hide_secrets, settings_from
from openrouter_routing.vectors import Embeddings, Ranking

if TYPE_CHECKING:
    import httpx

    from openrouter_routing.keywords import (
        ChatOptions,
        ClientFields,
        EmbeddingOptions,
        PreferenceFields,
        ProviderFields,
        RerankOptions,
        SettingsFields,
    )
    from openrouter_routing.streams import AsyncChatStream, ChatStream

Json = dict[str, Any]
T = TypeVar("T")


class _Client:
    """What both clients share: settings and preferences."""

    def __init__(
        self,
        settings: ClientSettings | None = None,
        *,
        routing: RoutingPreferences | PreferenceFields | Mapping[str, Any] | None = None,
        policy: ProviderPreferences | ProviderFields | Mapping[str, Any] | None = None,
        environment: RoutingPreferences = NO_PREFERENCES,
        **fields: Unpack[SettingsFields],
    ) -> None:
        hide_secrets(fields)
        self.defaults = Defaults(
            settings=settings_from(settings, **fields),
            instance=preferences_of(routing),
            policy=policy_of(policy),
            environment=environment,
        )

    @property
    def settings(self) -> ClientSettings:
        """How this client sends requests."""
        return self.defaults.settings

    def describe(self, **options: Unpack[ChatOptions]) -> str:
        """Say which preferences a call made here and now would send, each with the layer it came from.

        Args:
            **options: The keywords of the call.

        Example:
            >>> client = OpenRouterClient(routing={"provider": {"zdr": True}})
            >>> print(client.describe(sort="price"))
            provider.zdr   True     instance
            provider.sort  'price'  call
        """
        return operations.described(self.defaults, options)

    def __repr__(self) -> str:
        # A traceback may show one that is only half made.
        base_url = self.settings.base_url if hasattr(self, "defaults") else None
        return f"{type(self).__name__}(base_url={base_url!r})"


def _check_kind(client: object, name: str, kind: str, *, is_async: bool) -> None:
    """Refuse a client of the other kind; anything that behaves like one of the right kind will do."""
    if client is not None and (
        not callable(getattr(client, "send", None)) or hasattr(client, "aclose") != is_async
    ):
        raise errors.BadRequestError(
            f"{name} takes an {kind} or what behaves like one, got {type(client).__name__}"
        )


class OpenRouterClient(_Client):
    """OpenRouter's API, blocking.

    Args:
        settings: How requests are sent, as one value; the keywords below change single fields of it.
        http_client: An `httpx.Client` of your own to send with; it is used as it is and never closed.
        routing: The client's routing preferences.
        policy: Provider preferences that no call may loosen.
        environment: Preferences below all others, such as a session id named by the environment.
        **fields: Fields of `ClientSettings` (`api_key`, `base_url`, `headers`, `timeout`, `max_retries`, ...).

    Raises:
        BadRequestError: A setting is malformed.
        PreferencesError: A preference is malformed.

    Example:
        >>> client = OpenRouterClient(routing={"provider": {"zdr": True}})
        >>> answer = client.chat(
        ...     [{"role": "user", "content": "Hi"}], model="openai/gpt-5-mini", sort="price"
        ... )  # doctest: +SKIP
        >>> answer.text, answer.route.provider, answer.route.total_cost  # doctest: +SKIP

    See https://openrouter.ai/docs/api-reference/overview
    """

    def __init__(
        self,
        settings: ClientSettings | None = None,
        *,
        http_client: httpx.Client | None = None,
        **fields: Unpack[ClientFields],
    ) -> None:
        hide_secrets(fields)
        _check_kind(http_client, "http_client", "httpx.Client", is_async=False)
        super().__init__(settings, **fields)
        self._http_client = http_client

    def chat(
        self, messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]
    ) -> Completion:
        """Ask for a whole answer.

        Args:
            messages: Wire messages, at least one.
            **options: `model`, API parameters, routing preferences (also flat: `order=`, `zdr=`), `extra_body`,
                `extra_headers`, and how to send it (`timeout`, `max_retries`, ...).

        Raises:
            OpenRouterError: One of its kinds, see `errors`.
        """
        hide_secrets(options)
        return self._run(operations.chat(self.defaults, messages, options))

    def stream(
        self, messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]
    ) -> ChatStream:
        """Ask for a streamed answer; it is sent when the first delta is asked for.

        The enclosing `routing()` and `record_routes()` blocks are read now. Takes what `chat` takes.
        """
        from openrouter_routing.streams import ChatStream

        hide_secrets(options)
        call = operations.chat_call(self.defaults, messages, options, stream=True)
        return ChatStream(call, self._http)

    def embeddings(self, texts: Sequence[str], **options: Unpack[EmbeddingOptions]) -> Embeddings:
        """Embed a batch of texts in one request; the vectors come in the order of the texts.

        Args:
            texts: The texts, none of them empty.
            **options: `model`; `dimensions`, `encoding_format` (`"float"`, `"base64"`), `input_type`; of the routing
                preferences `provider` and `user`; and how to send it.

        Raises:
            OpenRouterError: One of its kinds, see `errors`.

        See https://openrouter.ai/docs/api-reference/embeddings
        """
        hide_secrets(options)
        return self._run(operations.embeddings(self.defaults, texts, options))

    def rerank(
        self,
        query: str,
        documents: Sequence[str | Mapping[str, Any]],
        **options: Unpack[RerankOptions],
    ) -> Ranking:
        """Rank documents by how well they answer a query, best first.

        Args:
            query: The query.
            documents: Texts, or objects with `text` and `image`.
            **options: `model`; `top_n`; of the routing preferences `provider` and `user`; and how to send it.

        Raises:
            OpenRouterError: One of its kinds, see `errors`.
        """
        hide_secrets(options)
        return self._run(operations.rerank(self.defaults, query, documents, options))

    def models(self) -> list[Json]:
        """Return all models; see https://openrouter.ai/docs/api-reference/list-available-models ."""
        return self._run(operations.models(self.defaults))

    def embedding_models(self) -> list[Json]:
        """Return the embedding models."""
        return self._run(operations.embedding_models(self.defaults))

    def model(self, model: str) -> Json:
        """Return one model by its name."""
        return self._run(operations.model(self.defaults, model))

    def endpoints(self, model: str) -> Json:
        """Return a model with its `endpoints`: who serves it, at what price, how fast."""
        return self._run(operations.endpoints(self.defaults, model))

    def zdr_endpoints(self) -> list[Json]:
        """Return all endpoints with zero data retention."""
        return self._run(operations.zdr_endpoints(self.defaults))

    def providers(self) -> list[Json]:
        """Return all providers, and teach this process their names."""
        return self._run(operations.providers(self.defaults))

    def generation(self, generation_id: str, *, max_retries: int | None = None) -> Json:
        """Return what OpenRouter recorded of a generation: tokens, cost in USD, latency in milliseconds, provider.

        It is there a moment after the answer; until then it is asked for again, after longer and longer waits.

        Args:
            generation_id: The `generation_id` of a `Route`, such as `"gen-1764090000-abc"`.
            max_retries: How often at the most; that of the client when None.

        Raises:
            BadRequestError: There is none of that id, or not yet (`retryable` is True).

        See https://openrouter.ai/docs/api-reference/get-a-generation
        """
        return self._run(operations.generation(self.defaults, generation_id, max_retries))

    def key(self) -> Json:
        """Return the limits and the use of the key."""
        return self._run(operations.key(self.defaults))

    def credits(self) -> Json:
        """Return the credits of the account, in USD."""
        return self._run(operations.credit(self.defaults))

    def close(self) -> None:
        """Close the process's shared connections; the next request opens new ones. A client of yours stays open."""
        if self._http_client is None:
            close_clients()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the shared connections to the other users in this process; `close` closes them."""

    def _http(self) -> httpx.Client:
        return self._http_client if self._http_client is not None else sync_client()

    def _run(self, operation: Operation[T]) -> T:
        from openrouter_routing._attempts import retried

        try:
            return retried(operation.call, lambda: self._send(operation))
        except errors.OpenRouterError as error:
            error.retries = operation.call.retries
            raise

    def _send(self, operation: Operation[T]) -> T:
        from openrouter_routing import _transport as transport

        call, http = operation.call, self._http()
        with transport.connection_errors(call):
            request = http.build_request(**transport.request_arguments(call))
            response = http.send(request, stream=True, follow_redirects=False)
        return operation.read(response, transport.read_body(call, response))


class AsyncOpenRouterClient(_Client):
    """OpenRouter's API for asyncio: the twin of `OpenRouterClient`, method for method.

    Args:
        settings: As for `OpenRouterClient`, like all other arguments.
        http_async_client: An `httpx.AsyncClient` of your own to send with; it is used as it is and never closed.

    Example:
        >>> client = AsyncOpenRouterClient()
        >>> answer = await client.chat([{"role": "user", "content": "Hi"}], model="openai/gpt-5-mini")  # doctest: +SKIP
    """

    def __init__(
        self,
        settings: ClientSettings | None = None,
        *,
        http_async_client: httpx.AsyncClient | None = None,
        **fields: Unpack[ClientFields],
    ) -> None:
        hide_secrets(fields)
        _check_kind(http_async_client, "http_async_client", "httpx.AsyncClient", is_async=True)
        super().__init__(settings, **fields)
        self._http_client = http_async_client

    async def chat(
        self, messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]
    ) -> Completion:
        """Ask for a whole answer; see `OpenRouterClient.chat`."""
        hide_secrets(options)
        return await self._run(operations.chat(self.defaults, messages, options))

    def stream(
        self, messages: Sequence[Mapping[str, Any]], **options: Unpack[ChatOptions]
    ) -> AsyncChatStream:
        """Ask for a streamed answer; see `OpenRouterClient.stream`."""
        from openrouter_routing.streams import AsyncChatStream

        hide_secrets(options)
        call = operations.chat_call(self.defaults, messages, options, stream=True)
        return AsyncChatStream(call, self._http)

    async def embeddings(
        self, texts: Sequence[str], **options: Unpack[EmbeddingOptions]
    ) -> Embeddings:
        """Embed a batch of texts in one request; see `OpenRouterClient.embeddings`."""
        hide_secrets(options)
        return await self._run(operations.embeddings(self.defaults, texts, options))

    async def rerank(
        self,
        query: str,
        documents: Sequence[str | Mapping[str, Any]],
        **options: Unpack[RerankOptions],
    ) -> Ranking:
        """Rank documents by how well they answer a query; see `OpenRouterClient.rerank`."""
        hide_secrets(options)
        return await self._run(operations.rerank(self.defaults, query, documents, options))

    async def models(self) -> list[Json]:
        """Return all models."""
        return await self._run(operations.models(self.defaults))

    async def embedding_models(self) -> list[Json]:
        """Return the embedding models."""
        return await self._run(operations.embedding_models(self.defaults))

    async def model(self, model: str) -> Json:
        """Return one model by its name."""
        return await self._run(operations.model(self.defaults, model))

    async def endpoints(self, model: str) -> Json:
        """Return a model with its `endpoints`: who serves it, at what price, how fast."""
        return await self._run(operations.endpoints(self.defaults, model))

    async def zdr_endpoints(self) -> list[Json]:
        """Return all endpoints with zero data retention."""
        return await self._run(operations.zdr_endpoints(self.defaults))

    async def providers(self) -> list[Json]:
        """Return all providers, and teach this process their names."""
        return await self._run(operations.providers(self.defaults))

    async def generation(self, generation_id: str, *, max_retries: int | None = None) -> Json:
        """Return what OpenRouter recorded of a generation, as `OpenRouterClient.generation` does."""
        return await self._run(operations.generation(self.defaults, generation_id, max_retries))

    async def key(self) -> Json:
        """Return the limits and the use of the key."""
        return await self._run(operations.key(self.defaults))

    async def credits(self) -> Json:
        """Return the credits of the account, in USD."""
        return await self._run(operations.credit(self.defaults))

    async def aclose(self) -> None:
        """Close the running loop's shared connections; the next request opens new ones."""
        if self._http_client is None:
            await aclose_clients()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the shared connections to the other users in this loop; `aclose` closes them."""

    async def _http(self) -> httpx.AsyncClient:
        return self._http_client if self._http_client is not None else await async_client()

    async def _run(self, operation: Operation[T]) -> T:
        from openrouter_routing._attempts import aretried

        try:
            return await aretried(operation.call, lambda: self._send(operation))
        except errors.OpenRouterError as error:
            error.retries = operation.call.retries
            raise

    async def _send(self, operation: Operation[T]) -> T:
        from openrouter_routing import _transport as transport

        call, http = operation.call, await self._http()
        with transport.connection_errors(call):
            request = http.build_request(**transport.request_arguments(call))
            response = await http.send(request, stream=True, follow_redirects=False)
        return operation.read(response, await transport.aread_body(call, response))
