"""The fields of `ChatOpenRouter`, and how they become preferences and options of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.utils import from_env
from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from langchain_openrouter_routing._arguments import (
    ALIASES,
    merged_arguments,
    named_arguments,
)
from langchain_openrouter_routing._connection import (
    Connection,
    Number,
    only_set,
    plain_preference,
    plain_settings,
)
from langchain_openrouter_routing.errors import BadRequestError, langchain_errors
from langchain_openrouter_routing.tools import parallel_calls, tool_choice_to_wire, tool_to_wire
from openrouter_routing.preferences import (
    NO_PREFERENCES,
    PROVIDER_FIELDS,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.reasoning_options import Reasoning, check_reasoning
from openrouter_routing.request import OPTIONS, PARAMETERS, check_fallbacks, merged_bodies
from openrouter_routing.resolution import merge
from openrouter_routing.settings import OnEmpty, hide_secrets

_REQUEST_FIELDS = (
    "models", "session_id", "service_tier", "preset", "plugins", "transforms", "route", "trace", "router_metadata",
    "response_cache",
)  # fmt: skip


# What has layers of its own: as an argument of every call it would be replaced by that of a call, not merged with it.
_LAYERED = frozenset(
    {*PROVIDER_FIELDS, *_REQUEST_FIELDS, "provider", "routing", "policy", "user", "extra_body", "extra_headers"}
)  # fmt: skip


class ChatFields(Connection, BaseChatModel):
    """The fields of `ChatOpenRouter`. None means "not set": nothing is sent that was not set."""

    aliases: ClassVar[dict[str, str]] = ALIASES

    model: str
    """The model, such as `"openai/gpt-5-mini"`; also taken as `model_name=`."""

    models: list[str] | None = None
    """Fallback models, tried in this order after `model`."""

    session_id: str | None = Field(default_factory=from_env("OPENROUTER_SESSION_ID", default=None))
    """Groups requests and keeps them on one provider; read from `OPENROUTER_SESSION_ID` unless set."""
    service_tier: str | None = None
    """`"auto"`, `"default"`, `"flex"`, `"priority"`, ..."""
    preset: str | None = None
    """The slug of a preset saved at OpenRouter."""
    plugins: list[dict[str, Any]] | None = None
    """Plugins with their settings, such as `[{"id": "web"}]`."""
    transforms: list[str] | None = None
    """Legacy prompt transforms."""
    route: str | None = None
    """Legacy `"fallback"`."""
    trace: dict[str, Any] | None = None
    """Observability fields, handed on to your broadcast destinations."""
    router_metadata: bool | None = None
    """Whether the answer tells how it was routed; on unless set to False."""
    response_cache: bool | int | None = None
    """Switches OpenRouter's response cache, or says its time to live in seconds."""

    # Parameters: https://openrouter.ai/docs/api-reference/parameters

    temperature: Number | None = None
    top_p: Number | None = None
    top_k: int | None = None
    top_a: Number | None = None
    min_p: Number | None = None
    frequency_penalty: Number | None = None
    presence_penalty: Number | None = None
    repetition_penalty: Number | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: list[str] | str | None = None
    """Where to stop; also taken as `stop_sequences=`."""
    seed: int | None = None
    n: int | None = Field(default=None, ge=1)
    """How many answers to make; a stream carries one."""
    logit_bias: dict[str | int, Number] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    structured_outputs: bool | None = None
    reasoning: Reasoning | dict[str, Any] | None = None
    """`{"effort": "high"}`, `{"max_tokens": 2000}`, `{"exclude": True}`, `{"enabled": True}`, ..."""
    reasoning_effort: str | None = None
    include_reasoning: bool | None = None
    verbosity: str | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None
    image_config: dict[str, Any] | None = None
    prediction: dict[str, Any] | None = None
    cache_control: dict[str, Any] | None = None
    """Top-level prompt caching, such as `{"type": "ephemeral"}`."""
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    safety_identifier: str | None = None
    store: bool | None = None
    web_search_options: dict[str, Any] | None = None
    stop_server_tools_when: Any = None
    debug: dict[str, Any] | None = None

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """More parameters by name; those this package does not know go into the body unchecked."""
    extra_body: dict[str, Any] | None = None
    """Merged into the body last, unchecked; only a policy stays out of its reach."""

    # By a function: pydantic copies a default deeply for every model.
    _step: RoutingPreferences = PrivateAttr(default_factory=lambda: NO_PREFERENCES)

    first_token_timeout: float | None = None
    """Seconds from the request to the first piece of a streamed answer."""

    idle_timeout: float | None = None
    """Seconds between two pieces of a streamed answer; keep-alive comments do not count."""

    coalesce: bool = False
    """Whether pieces of text that arrive in one network read become one chunk; nothing is delayed."""

    on_empty: OnEmpty = "ignore"
    """What to do with a finished answer that holds nothing."""

    streaming: bool | None = None
    """True streams also inside `invoke`; False never streams."""
    stream_usage: bool = True
    """Whether the last chunk of a stream carries token counts."""

    @classmethod
    def _by_field_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields under their own names; preferences among `model_kwargs` become the fields they are."""
        named = super()._by_field_names(values)
        given = named.get("model_kwargs")
        if not isinstance(given, Mapping):
            return named
        left = dict(given)
        for written in given:
            name = cls.aliases.get(written, written)
            if name not in _LAYERED:
                continue
            if named.get(name) is not None:
                raise BadRequestError(f"{name!r} is given twice, the second time in model_kwargs")
            named[name] = left.pop(written)
        return {**named, "model_kwargs": left}

    @field_validator(*_REQUEST_FIELDS, mode="before")
    @classmethod
    def _check_request_field(cls, value: Any, info: ValidationInfo) -> Any:
        return plain_preference(str(info.field_name), value)

    @model_validator(mode="after")
    def _check_fallbacks(self) -> Self:
        if self.models or self.routing:
            with langchain_errors():
                check_fallbacks(self.model, self._instance_preferences())
        return self

    @field_validator("reasoning", mode="plain")
    @classmethod
    def _check_reasoning(cls, value: Any) -> Any:
        if value is None:
            return None
        with langchain_errors():
            check_reasoning(value)
        return dict(value)

    def describe(self, **call: Any) -> str:
        """Say which preferences a call made here and now would send, each with the layer it came from.

        Args:
            **call: The keywords of the call.

        Example:
            >>> from langchain_openrouter_routing import ChatOpenRouter
            >>> print(ChatOpenRouter(model="openai/gpt-5-mini", zdr=True).describe(sort="price"))
            provider.zdr   True     instance
            provider.sort  'price'  call
        """
        with langchain_errors():
            return self._sync_client().describe(**self._call_options(None, call))

    def _instance_preferences(self) -> RoutingPreferences:
        """Return the preferences this model adds to every request.

        Raises:
            PreferencesError: A field is malformed, or given both flat and inside `provider`.
        """
        own = super()._instance_preferences()
        if "session_id" in self.model_fields_set or not self.session_id:
            return own
        settings = own.settings()
        if settings.get("session_id") == self.session_id:
            del settings["session_id"]
        return RoutingPreferences.from_settings(settings)

    def _environment_preferences(self) -> RoutingPreferences:
        """Return the preferences that the environment named when the model was made."""
        if self.session_id and "session_id" not in self.model_fields_set:
            return preferences_of(session_id=self.session_id)
        return NO_PREFERENCES

    def _for_step(self, preferences: RoutingPreferences) -> Self:
        """Return a model whose calls carry preferences, over its fields and `routing()` blocks.

        They go where the model goes, and nowhere else: another model that takes its place is not told of them.
        """
        stepped = self.model_copy()
        stepped._step = merge(self._step, preferences)  # noqa: SLF001 (its own class)
        return stepped

    def _with_step(self, call: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._step.model_fields_set:
            return call
        return merged_arguments({"routing": plain_settings(self._step)}, call)

    def _call_options(self, stop: list[str] | None, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options of one request: the model's own, and over them those of the call.

        Args:
            stop: LangChain's `stop` of the call.
            call: The keywords of the call, under any of their names.
        """
        call = self._with_step(named_arguments(call))
        options = only_set(self.__dict__, ("model", *PARAMETERS))
        body = dict(self.extra_body or {})
        for name, value in self.model_kwargs.items():
            (options if name in OPTIONS else body)[name] = value
        for name, value in call.items():
            if name not in ("stream", "stream_usage", "extra_body") and (
                name != "model" or value is not None
            ):
                options[name] = value
        hide_secrets(options)
        if stop is not None:
            options["stop"] = stop
        if not options.get("stop"):
            options.pop("stop", None)
        if tools := options.pop("tools", None):
            if not isinstance(tools, Sequence):
                raise BadRequestError(f"tools takes a list, got {type(tools).__name__}")
            # A tool's own fields are nobody's business: what it is for the API is its name and schema.
            options["tools"] = wire = [tool_to_wire(tool, strict=None) for tool in tools]
            said = options.pop("tool_choice", None)
            if (choice := tool_choice_to_wire(said, wire)) is not None:
                options["tool_choice"] = choice
            if (parallel := parallel_calls(said)) is not None and "parallel_tool_calls" not in call:
                options["parallel_tool_calls"] = parallel
        body = merged_bodies(body, call.get("extra_body") or {})
        if body:
            options["extra_body"] = body
        return options

    def _stream_options(self, stop: list[str] | None, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options of one streamed request, as `_call_options` does.

        Raises:
            BadRequestError: Several answers are asked for.
        """
        options = self._call_options(stop, call)
        if (options.get("n") or 1) > 1:
            raise BadRequestError(
                f"a stream carries one answer, and n={options['n']} asks for several: use invoke or generate"
            )
        return options
