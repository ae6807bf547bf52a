"""What each method of the clients sends and how it reads the answer: pure, for the sync and the async client alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from openrouter_routing import errors
from openrouter_routing._call import Call, prepare, prepare_lookup
from openrouter_routing._failures import NOT_RECORDED, compose
from openrouter_routing.completion import Completion
from openrouter_routing.preferences import NO_PREFERENCES, ProviderPreferences, RoutingPreferences
from openrouter_routing.providers import learn_providers
from openrouter_routing.request import (
    CallOptions,
    as_sent,
    body_fields,
    build_body,
    merge_extra_body,
    read_options,
    routing_headers,
)
from openrouter_routing.resolution import Layer, combine_policies, resolve
from openrouter_routing.scope import current_scope
from openrouter_routing.settings import ClientSettings, merge_headers
from openrouter_routing.vectors import (
    Embeddings,
    Ranking,
    embeddings_body,
    read_embeddings,
    read_ranking,
    rerank_body,
)

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]
T = TypeVar("T")

EMBEDDING_OPTIONS = ("dimensions", "encoding_format", "input_type")
RERANK_OPTIONS = ("top_n",)
# The last two are headers, which go with every request.
_VECTOR_PREFERENCES = ("provider", "user", "router_metadata", "response_cache")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a client says for all of its requests."""

    settings: ClientSettings
    instance: RoutingPreferences = NO_PREFERENCES
    policy: ProviderPreferences | None = None
    environment: RoutingPreferences = NO_PREFERENCES


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """One request and how its answer is read."""

    call: Call
    read: Callable[[httpx.Response, bytes], T]


def chat(
    defaults: Defaults, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
) -> Operation[Completion]:
    """Prepare a chat request whose answer comes whole."""
    call = chat_call(defaults, messages, options)
    return Operation(call, call.read_answer)


def chat_call(
    defaults: Defaults,
    messages: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    *,
    stream: bool = False,
) -> Call:
    """Check, resolve and encode a chat request. The enclosing scopes and logs are read here, once.

    Args:
        defaults: What the client says for all of its requests.
        messages: Wire messages.
        options: The keywords of the call.
        stream: Whether the answer is streamed.

    Raises:
        BadRequestError: Something in it is malformed; nothing is sent.
        AuthenticationError: There is no key.
    """
    read = read_options(options)
    preferences, policy = effective_preferences(defaults, read)
    body = chat_body(read, messages, preferences, policy, stream=stream)
    return _prepare(defaults, read, "/chat/completions", body, preferences)


def chat_body(
    read: CallOptions,
    messages: Sequence[Mapping[str, Any]],
    preferences: RoutingPreferences,
    policy: ProviderPreferences | None,
    *,
    stream: bool = False,
) -> Json:
    """Build the body of a chat request from what a call says and what that resolves to."""
    return build_body(
        model=read.model,
        messages=messages,
        parameters=read.parameters,
        preferences=preferences,
        extra_body=read.extra_body,
        policy=policy,
        stream=stream,
    )


def effective_preferences(
    defaults: Defaults, read: CallOptions
) -> tuple[RoutingPreferences, ProviderPreferences | None]:
    """Resolve what one call would send, with the enclosing `routing()` blocks as they are now.

    Args:
        defaults: What the client says.
        read: What the call says.

    Returns:
        The resolved preferences, and the policy they were held to.

    Raises:
        PreferencesError: They contradict each other.
    """
    scope = current_scope()
    policy = combine_policies(combine_policies(defaults.policy, scope.policy), read.policy)
    layers = (
        Layer("environment", defaults.environment),
        Layer("instance", defaults.instance),
        Layer("scope", scope.preferences),
        Layer("call", read.preferences),
    )
    return resolve(layers, policy), policy


def _prepare(
    defaults: Defaults,
    read: CallOptions,
    path: str,
    body: Json,
    preferences: RoutingPreferences,
) -> Call:
    settings = defaults.settings
    return prepare(
        replace(settings, **read.transport) if read.transport else settings,
        path,
        body,
        preferences=as_sent(preferences, read.extra_body),
        extra_headers=merge_headers(routing_headers(preferences), read.extra_headers),
    )


def described(defaults: Defaults, options: Mapping[str, Any]) -> str:
    """Say which preferences a call would send, each with the layer it came from."""
    read = read_options(options)
    effective, _ = effective_preferences(defaults, read)
    return as_sent(effective, read.extra_body).describe()


def described_vectors(defaults: Defaults, options: Mapping[str, Any]) -> str:
    """Say which preferences a request that is no chat would send, each with the layer it came from."""
    read = read_options(options)
    effective, _ = effective_preferences(defaults, read)
    return as_sent(vector_preferences(effective), read.extra_body).describe()


def embeddings(
    defaults: Defaults, texts: Sequence[str], options: Mapping[str, Any]
) -> Operation[Embeddings]:
    """Prepare an embeddings request."""
    own, rest = _split(options, EMBEDDING_OPTIONS)
    body = embeddings_body(options.get("model"), texts, **own)
    call = _vector_call(defaults, "/embeddings", body, rest, EMBEDDING_OPTIONS)
    return Operation(
        call,
        lambda response, content: read_embeddings(
            call, call.read_json(response, content), response.headers, len(texts)
        ),
    )


def rerank(
    defaults: Defaults,
    query: str,
    documents: Sequence[str | Mapping[str, Any]],
    options: Mapping[str, Any],
) -> Operation[Ranking]:
    """Prepare a rerank request."""
    own, rest = _split(options, RERANK_OPTIONS)
    body = rerank_body(options.get("model"), query, documents, **own)
    call = _vector_call(defaults, "/rerank", body, rest, RERANK_OPTIONS)
    return Operation(
        call,
        lambda response, content: read_ranking(
            call, call.read_json(response, content), response.headers, len(documents)
        ),
    )


def _split(
    options: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {name: options[name] for name in names if name in options}
    return own, {name: value for name, value in options.items() if name not in own}


def _vector_call(
    defaults: Defaults, path: str, body: Json, options: Mapping[str, Any], also: tuple[str, ...]
) -> Call:
    """Prepare a request to an API that takes, of the preferences, `provider` and `user` alone."""
    read = read_options(options, also=also)
    refuse_chat_preferences(path, read.preferences)
    if read.parameters:
        raise errors.BadRequestError(f"{path} does not take {', '.join(read.parameters)}")
    resolved, policy = effective_preferences(defaults, read)
    preferences = vector_preferences(resolved)
    sent = merge_extra_body({**body, **body_fields(preferences)}, read.extra_body, policy)
    return _prepare(defaults, read, path, sent, preferences)


def vector_preferences(preferences: RoutingPreferences) -> RoutingPreferences:
    """Return what of resolved preferences a request that is no chat carries.

    A block, and a client, is there for chat too: what such a request cannot use of theirs is not meant for it.
    """
    held = {path: value for path, value in preferences.settings().items() if _fits_vectors(path)}
    return RoutingPreferences.from_settings(held, preferences.sources())


def _fits_vectors(path: str) -> bool:
    return path.partition(".")[0] in _VECTOR_PREFERENCES


def refuse_chat_preferences(what: str, preferences: RoutingPreferences) -> None:
    """Refuse preferences that only chat requests can carry, where they were said of another request itself.

    Args:
        what: The request, for the message.
        preferences: What was said of it.

    Raises:
        PreferencesError: One of them is set.
    """
    unfit = [
        path
        for path, value in preferences.settings().items()
        if value is not None and not _fits_vectors(path)
    ]
    if unfit:
        raise errors.PreferencesError(
            f"{what} does not take {', '.join(unfit)}: of the preferences it knows provider and user"
        )


def models(defaults: Defaults) -> Operation[list[Json]]:
    """Prepare the look-up of all models."""
    return _look_up(defaults, "/models", _list)


def embedding_models(defaults: Defaults) -> Operation[list[Json]]:
    """Prepare the look-up of the embedding models."""
    return _look_up(defaults, "/embeddings/models", _list)


def model(defaults: Defaults, name: str) -> Operation[Json]:
    """Prepare the look-up of one model."""
    return _look_up(defaults, f"/model/{_model_path(name)}", _object, model=name)


def endpoints(defaults: Defaults, name: str) -> Operation[Json]:
    """Prepare the look-up of a model's endpoints."""
    return _look_up(defaults, f"/models/{_model_path(name)}/endpoints", _object, model=name)


def zdr_endpoints(defaults: Defaults) -> Operation[list[Json]]:
    """Prepare the look-up of the endpoints with zero data retention."""
    return _look_up(defaults, "/endpoints/zdr", _list)


def providers(defaults: Defaults) -> Operation[list[Json]]:
    """Prepare the look-up of the providers; reading it teaches this process their names."""

    def read(body: Any) -> list[Json]:
        entries = _list(body)
        learn_providers(entries)
        return entries

    return _look_up(defaults, "/providers", read)


def generation(
    defaults: Defaults, generation_id: str, max_retries: int | None = None
) -> Operation[Json]:
    """Prepare the look-up of a generation, which is asked for again where it is not there yet."""
    if max_retries is not None:
        said = read_options({"max_retries": max_retries}).transport
        defaults = replace(defaults, settings=replace(defaults.settings, **said))
    found = _look_up(defaults, f"/generation?id={quote(generation_id, safe='')}", _object)

    def read(response: httpx.Response, content: bytes) -> Json:
        try:
            return found.read(response, content)
        except errors.OpenRouterError as error:
            if error.status != 404:
                raise
            raise errors.BadRequestError(
                compose(
                    f"OpenRouter knows no generation {generation_id!r}, or not yet",
                    advice="check the id; what was answered just now is recorded some seconds later",
                ),
                status=404,
                code=NOT_RECORDED,
                retryable=True,
                response=error.response,
            ) from None

    return Operation(found.call, read)


def key(defaults: Defaults) -> Operation[Json]:
    """Prepare the look-up of the key's limits."""
    return _look_up(defaults, "/key", _object)


def credit(defaults: Defaults) -> Operation[Json]:
    """Prepare the look-up of the account's credits."""
    return _look_up(defaults, "/credits", _object)


def _look_up(
    defaults: Defaults, path: str, read: Callable[[Any], T], *, model: str | None = None
) -> Operation[T]:
    call = prepare_lookup(defaults.settings, path, model=model)
    return Operation(call, lambda response, content: read(call.read_json(response, content)))


def _model_path(name: str) -> str:
    author, slash, slug = name.partition("/")
    if not (author and slash and slug):
        raise errors.BadRequestError(
            f"a model is named 'author/slug', such as 'openai/gpt-5-mini'; got {name!r}"
        )
    return f"{quote(author, safe='~')}/{quote(slug, safe=':')}"


def _data(body: Any) -> Any:
    return body.get("data") if isinstance(body, dict) else None


def _list(body: Any) -> list[Json]:
    data = _data(body)
    if not isinstance(data, list):
        raise errors.ResponseParseError("the answer holds no list under 'data'", retryable=False)
    return [entry for entry in data if isinstance(entry, dict)]


def _object(body: Any) -> Json:
    data = _data(body)
    if not isinstance(data, dict):
        raise errors.ResponseParseError("the answer holds no object under 'data'", retryable=False)
    return data
