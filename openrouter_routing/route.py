"""`Route`: where one request went, what it cost, and what was tried before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from openrouter_routing._json_values import as_count, as_mapping, as_number, as_text

if TYPE_CHECKING:
    from openrouter_routing._tables import DataTable


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request, as whole numbers; None where the wire did not say.

    Attributes:
        prompt_tokens: Tokens of the input, cached ones included.
        completion_tokens: Tokens of the output, reasoning included.
        total_tokens: Both together.
        cached_tokens: Input tokens read from the prompt cache.
        cache_write_tokens: Input tokens written to it.
        reasoning_tokens: Output tokens spent on reasoning.
        input_audio_tokens: Input tokens of audio.
        output_audio_tokens: Output tokens of audio.
        output_image_tokens: Output tokens of images.
        video_tokens: Input tokens of video.

    See https://openrouter.ai/docs/use-cases/usage-accounting
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    video_tokens: int | None = None

    @classmethod
    def from_wire(cls, usage: Mapping[str, Any]) -> Self:
        """Read the `usage` object of an answer; counts that came as floats become whole."""
        prompt = as_mapping(usage.get("prompt_tokens_details"))
        completion = as_mapping(usage.get("completion_tokens_details"))
        prompt_tokens = as_count(usage.get("prompt_tokens"))
        completion_tokens = as_count(usage.get("completion_tokens"))
        total = as_count(usage.get("total_tokens"))
        if total is None and prompt_tokens is not None and completion_tokens is not None:
            total = prompt_tokens + completion_tokens
        return cls(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=total,
            cached_tokens=as_count(prompt.get("cached_tokens")),
            cache_write_tokens=as_count(prompt.get("cache_write_tokens")),
            reasoning_tokens=as_count(completion.get("reasoning_tokens")),
            input_audio_tokens=as_count(prompt.get("audio_tokens")),
            output_audio_tokens=as_count(completion.get("audio_tokens")),
            output_image_tokens=as_count(completion.get("image_tokens")),
            video_tokens=as_count(prompt.get("video_tokens")),
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One endpoint that the router tried: by which provider, for which model, with which HTTP status."""

    provider: str | None
    model: str | None
    status: int | None


@dataclass(frozen=True, slots=True)
class Route:
    """What one request did.

    Attributes:
        requested_model: The model that was asked for.
        requested_models: The fallback models that were sent along, in order.
        model: The model that served.
        provider: The provider that served, by its display name.
        finish_reason: Why it stopped: `stop`, `length`, `tool_calls`, `content_filter`, `error`, or a newer word.
        native_finish_reason: The provider's own word for it.
        generation_id: The id of the generation (`gen-...`).
        created: When it was made, in seconds since 1970.
        service_tier: The service tier that served.
        system_fingerprint: The provider's fingerprint of its system.
        is_byok: Whether your own provider key paid the provider.
        usage: Token counts.
        cost: What OpenRouter billed, in USD.
        cost_details: The billed parts, as they came.
        strategy: How the router found the endpoint (`direct`, `auto`, `fallback`, ...).
        region: The region that routed.
        attempts: The endpoints that were tried, in order, where the router tells.
        fallback_used: Whether another model than the requested one served.
        cache_status: `HIT` or `MISS` of OpenRouter's response cache, where it was on.
        retries: How often this client sent the request again.
        time_to_first_token: Seconds from sending to the first piece of the answer, for streams.
        elapsed: Seconds from sending to the end of the answer.

    Renders as a table of facts with rich and in notebooks.

    Example:
        >>> Route(model="openai/gpt-5", provider="OpenAI", cost=0.0021).total_cost
        Decimal('0.0021')
    """

    requested_model: str | None = None
    requested_models: tuple[str, ...] = ()
    model: str | None = None
    provider: str | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    generation_id: str | None = None
    created: int | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    is_byok: bool | None = None
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    cost_details: Mapping[str, Any] | None = None
    strategy: str | None = None
    region: str | None = None
    attempts: tuple[Attempt, ...] = ()
    fallback_used: bool = False
    cache_status: str | None = None
    retries: int = 0
    time_to_first_token: float | None = None
    elapsed: float | None = None

    @property
    def total_cost(self) -> Decimal | None:
        """What the request cost in all, in USD: the billed cost, plus the provider's own bill under BYOK.

        Without BYOK the provider's bill is already inside `cost`, so nothing is added.
        """
        if self.cost is None:
            return None
        total = Decimal(str(self.cost))
        if self.is_byok and self.cost_details:
            upstream = self.cost_details.get("upstream_inference_cost")
            if (amount := as_number(upstream)) is not None:
                total += Decimal(str(amount))
        return total

    @classmethod
    def from_wire(
        cls,
        body: Mapping[str, Any],
        *,
        requested_model: str | None = None,
        requested_models: Sequence[str] = (),
        cache_status: str | None = None,
        retries: int = 0,
        time_to_first_token: float | None = None,
        elapsed: float | None = None,
    ) -> Self:
        """Read the route from a whole answer (or an accumulated stream).

        Args:
            body: The answer; every field of it may be missing.
            requested_model: The model that was asked for.
            requested_models: The fallback models that were sent along.
            cache_status: The value of the `X-OpenRouter-Cache-Status` header.
            retries: How often the request was sent again.
            time_to_first_token: Seconds.
            elapsed: Seconds.
        """
        usage = as_mapping(body.get("usage"))
        metadata = as_mapping(body.get("openrouter_metadata"))
        choices = body.get("choices")
        choice = as_mapping(choices[0]) if isinstance(choices, Sequence) and choices else {}
        model = as_text(body.get("model"))
        is_byok = usage.get("is_byok", metadata.get("is_byok"))
        details = usage.get("cost_details")
        return cls(
            requested_model=requested_model,
            requested_models=tuple(requested_models),
            model=model,
            provider=as_text(body.get("provider")),
            finish_reason=as_text(choice.get("finish_reason")),
            native_finish_reason=as_text(choice.get("native_finish_reason")),
            generation_id=as_text(body.get("id")),
            created=as_count(body.get("created")),
            service_tier=as_text(body.get("service_tier")),
            system_fingerprint=as_text(body.get("system_fingerprint")),
            is_byok=is_byok if isinstance(is_byok, bool) else None,
            usage=Usage.from_wire(usage),
            cost=as_number(usage.get("cost")),
            cost_details=details if isinstance(details, Mapping) else None,
            strategy=as_text(metadata.get("strategy")),
            region=as_text(metadata.get("region")),
            attempts=_attempts(metadata.get("attempts")),
            fallback_used=fallback_used(requested_model, requested_models, model),
            cache_status=cache_status,
            retries=retries,
            time_to_first_token=time_to_first_token,
            elapsed=elapsed,
        )

    @classmethod
    def of(cls, answer: Any) -> Self:
        """Read the route from what a framework handed over.

        Args:
            answer: A LangChain `AIMessage`, `AIMessageChunk`, `ChatGeneration`, `ChatResult` or `LLMResult`; a
                LlamaIndex `ChatResponse`, `CompletionResponse` or `AgentOutput`; a `Completion` of this package; a
                metadata dict of one of them, or the wire's own answer (their `raw`).

        Returns:
            The route, as far as the metadata of the answer tells it (`requested_models`, `retries` and the times are
            only known to `record_routes()` and `Completion.route`). An answer out of LangChain's own cache cost 0.

        Raises:
            BadRequestError: The object carries no routing metadata.

        Example:
            >>> Route.of({"model_name": "openai/gpt-5", "provider": "OpenAI"}).provider
            'OpenAI'
        """
        known = getattr(answer, "route", None)
        if isinstance(known, cls):
            return known
        if (wire := _wire_of(answer)) is not None:
            return cls.from_wire(wire)
        metadata, usage = _metadata_of(answer)
        if metadata is None or not ({"model_name", "requested_model", "id"} & set(metadata)):
            from openrouter_routing.errors import BadRequestError

            raise BadRequestError(
                f"{type(answer).__name__} carries no routing metadata: hand over the message, result or response "
                "that a model of openrouter-routing returned (for a stream, its last or merged chunk)"
            )
        routing = as_mapping(metadata.get("openrouter_metadata"))
        paid = not _from_langchains_cache(answer)
        requested = metadata.get("requested_model")
        return cls(
            requested_model=requested,
            model=metadata.get("model_name"),
            provider=metadata.get("provider"),
            finish_reason=metadata.get("finish_reason"),
            native_finish_reason=metadata.get("native_finish_reason"),
            generation_id=metadata.get("id"),
            created=metadata.get("created"),
            service_tier=metadata.get("service_tier"),
            system_fingerprint=metadata.get("system_fingerprint"),
            is_byok=metadata.get("is_byok"),
            usage=usage,
            cost=metadata.get("cost") if paid else 0.0,
            cost_details=metadata.get("cost_details") if paid else None,
            strategy=as_text(routing.get("strategy")),
            region=as_text(routing.get("region")),
            attempts=_attempts(routing.get("attempts")),
            fallback_used=bool(metadata.get("fallback_used")),
            cache_status=metadata.get("cache_status"),
        )

    def __str__(self) -> str:
        usage, cost = self.usage, self.total_cost
        known = (
            f"{self.model or self.requested_model or 'a model not told'} by {self.provider or 'a provider not told'}",
            f"fallback for {self.requested_model}" if self.fallback_used else None,
            self.finish_reason,
            None if usage.total_tokens is None else f"{usage.total_tokens} tokens",
            None if cost is None else f"{cost:f} USD",
        )
        return f"<Route: {', '.join(filter(None, known))}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the route as plain JSON data, without what is not known."""
        plain: dict[str, Any] = {}
        for name in _FIELD_NAMES:
            value = getattr(self, name)
            if value is None or value == ():
                continue
            plain[name] = _plain(value)
        if (total := self.total_cost) is not None:
            plain["total_cost"] = f"{total:f}"
        return plain

    def __rich__(self) -> DataTable:
        from openrouter_routing._route_view import route_table

        return route_table(self)

    def _repr_html_(self) -> str:
        return self.__rich__()._repr_html_()


def route_metadata(body: Mapping[str, Any], route: Route) -> dict[str, Any]:
    """Return the metadata keys that both frameworks carry; a key that the wire did not have is absent.

    Args:
        body: The whole answer (or the accumulated stream).
        route: Its route.
    """
    metadata: dict[str, Any] = {
        "model_name": route.model or route.requested_model,
        "requested_model": route.requested_model,
        "fallback_used": route.fallback_used,
        "provider": route.provider,
        "finish_reason": route.finish_reason,
        "native_finish_reason": route.native_finish_reason,
        "id": route.generation_id,
        "created": route.created,
        "system_fingerprint": route.system_fingerprint,
        "service_tier": route.service_tier,
        "cost": route.cost,
        "cost_details": route.cost_details,
        "is_byok": route.is_byok,
        "cache_status": route.cache_status,
        "openrouter_metadata": body.get("openrouter_metadata"),
    }
    return {key: value for key, value in metadata.items() if value is not None}


def fallback_used(requested: str | None, fallbacks: Sequence[str], served: str | None) -> bool:
    """Say whether another model than the requested one served.

    The wire names models by canonical slugs (`anthropic/claude-4.5-sonnet-20250929` for
    `anthropic/claude-sonnet-4.5`), so names are compared by their words, and the requested or fallback model that
    shares the most with the served one is taken to be it.

    Example:
        >>> fallback_used("openai/gpt-5", ["openai/gpt-5-mini"], "openai/gpt-5-mini-2025-08-07")
        True
    """
    if requested is None and fallbacks:
        # Without a `model` the router tries the first of `models` first.
        requested, *fallbacks = fallbacks
    if requested is None or served is None or served == requested:
        return False
    requested = requested.partition("@preset/")[0]
    words = model_words(served)
    if requested.startswith(("openrouter/", "~")) or not requested:
        # Any model may be meant by it; only one that is listed as a fallback cannot be told from it.
        return any(model_words(name) <= words for name in fallbacks)
    shared = [
        (len(name), -place)
        for place, name in enumerate(map(model_words, (requested, *fallbacks)))
        if name <= words
    ]
    if not shared:
        return bool(fallbacks) or requested.partition("/")[0] != served.partition("/")[0]
    return max(shared)[1] != 0


def names_model(name: str, served: str) -> bool:
    """Whether a requested name can mean the serving model: all its words are in the canonical name.

    Example:
        >>> names_model("anthropic/claude-sonnet-4.5:nitro", "anthropic/claude-4.5-sonnet-20250929")
        True
    """
    return model_words(name) <= model_words(served)


def model_words(model: str) -> frozenset[str]:
    """Return the words of a model's name, without its variant: they stay when their order changes."""
    return frozenset(re.split(r"[/.\-_@]", model.partition(":")[0].lower().lstrip("~")))


def _wire_of(answer: Any) -> Mapping[str, Any] | None:
    """Return the wire's answer, where that is all there is: agents of LlamaIndex keep it as `raw`."""
    if isinstance(answer, Mapping):
        return answer if "choices" in answer else None
    if hasattr(answer, "additional_kwargs"):
        return None
    raw = getattr(answer, "raw", None)
    return raw if isinstance(raw, Mapping) and "choices" in raw else None


def _from_langchains_cache(answer: Any) -> bool:
    """Whether LangChain answered by itself: it notes that as a cost of 0 beside the token counts."""
    generations = getattr(answer, "generations", None)
    while isinstance(generations, list) and generations:
        answer = generations = generations[0]
    usage = getattr(getattr(answer, "message", answer), "usage_metadata", None)
    return isinstance(usage, Mapping) and usage.get("total_cost") == 0


def _metadata_of(answer: Any) -> tuple[Mapping[str, Any] | None, Usage]:
    """Find the routing metadata in a framework's object, by the names its classes use."""
    if isinstance(answer, Mapping):
        return answer, Usage.from_wire(as_mapping(answer.get("usage", answer)))
    generations = getattr(answer, "generations", None)
    while isinstance(generations, list) and generations:
        answer = generations = generations[0]
    message = getattr(answer, "message", None)
    for holder in (answer, message):
        metadata = getattr(holder, "response_metadata", None)
        if isinstance(metadata, Mapping):
            return metadata, _usage_of_langchain(getattr(holder, "usage_metadata", None))
    metadata = getattr(answer, "additional_kwargs", None)
    if isinstance(metadata, Mapping):
        raw = as_mapping(getattr(answer, "raw", None))
        return metadata, Usage.from_wire(as_mapping(raw.get("usage")) or metadata)
    return None, Usage()


def _usage_of_langchain(usage: object) -> Usage:
    counts = as_mapping(usage)
    given, made = (
        as_mapping(counts.get("input_token_details")),
        as_mapping(counts.get("output_token_details")),
    )
    return Usage(
        prompt_tokens=as_count(counts.get("input_tokens")),
        completion_tokens=as_count(counts.get("output_tokens")),
        total_tokens=as_count(counts.get("total_tokens")),
        cached_tokens=as_count(given.get("cache_read")),
        cache_write_tokens=as_count(given.get("cache_creation")),
        reasoning_tokens=as_count(made.get("reasoning")),
        input_audio_tokens=as_count(given.get("audio")),
        output_audio_tokens=as_count(made.get("audio")),
        output_image_tokens=as_count(made.get("image")),
        video_tokens=as_count(given.get("video")),
    )


def _attempts(entries: object) -> tuple[Attempt, ...]:
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        return ()
    return tuple(
        Attempt(
            as_text(entry.get("provider")),
            as_text(entry.get("model")),
            as_count(entry.get("status")),
        )
        for entry in entries
        if isinstance(entry, Mapping)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, (Usage, Attempt)):
        pairs = ((item.name, getattr(value, item.name)) for item in fields(value))
        return {name: item for name, item in pairs if item is not None}
    return dict(value) if isinstance(value, Mapping) else value


_FIELD_NAMES = tuple(item.name for item in fields(Route))
