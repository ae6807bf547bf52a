"""The fields of `ChatOpenRouter`, and how they become preferences and options of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.utils import from_env
from pydantic import Field, field_validator

from langchain_openrouter_routing._connection import (
    Connection,
    only_set,
    plain_policy,
    plain_provider,
    plain_settings,
)
from langchain_openrouter_routing.errors import langchain_errors
from openrouter_routing.preferences import (
    PROVIDER_FIELDS,
    ROUTING_FIELDS,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.request import OPTIONS, PARAMETERS

Number = int | float
"""A number that is sent as it was set: pydantic would make 1.0 of a 1 where only `float` is named."""

_PREFERENCE_FIELDS = (*PROVIDER_FIELDS, *(name for name in ROUTING_FIELDS if name != "metadata"))
"""The routing preferences that are fields of the model; `metadata` is LangChain's own, so the API's is in `routing`."""


class ChatFields(Connection, BaseChatModel):
    """The fields of `ChatOpenRouter`. None means "not set": nothing is sent that was not set."""

    aliases: ClassVar[dict[str, str]] = {**Connection.aliases, "stop_sequences": "stop"}

    model: str
    """The model, such as `"openai/gpt-5-mini"`; also taken as `model_name=`."""

    # Where a request may go: https://openrouter.ai/docs/features/provider-routing

    provider: dict[str, Any] | None = None
    """Provider preferences, as `ProviderPreferences` or a dict; also taken as `openrouter_provider=`."""

    models: list[str] | None = None
    """Fallback models, tried in this order after `model`."""

    routing: dict[str, Any] | None = None
    """Routing preferences as one value: `RoutingPreferences`, or a dict of its fields."""

    policy: dict[str, Any] | None = None
    """Provider preferences that no call, scope or field may loosen."""

    order: list[str] | None = None
    """Short for `provider={"order": ...}`, like the fields down to `options`."""
    only: list[str] | None = None
    ignore: list[str] | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    data_collection: str | None = None
    zdr: bool | None = None
    enforce_distillable_text: bool | None = None
    quantizations: list[str] | None = None
    sort: str | dict[str, Any] | None = None
    preferred_min_throughput: Number | dict[str, Any] | None = None
    preferred_max_latency: Number | dict[str, Any] | None = None
    max_price: dict[str, Any] | None = None
    options: dict[str, Any] | None = None

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
    user: str | None = None
    """A stable identifier of your end user."""
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
    logit_bias: dict[str, Number] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    structured_outputs: bool | None = None
    reasoning: dict[str, Any] | None = None
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

    streaming: bool | None = None
    """True streams also inside `invoke`; False never streams."""
    stream_usage: bool = True
    """Whether the last chunk of a stream carries token counts."""

    @field_validator("provider", mode="before")
    @classmethod
    def _check_provider(cls, value: Any) -> Any:
        with langchain_errors():
            return plain_provider(value)

    @field_validator("policy", mode="before")
    @classmethod
    def _check_policy(cls, value: Any) -> Any:
        with langchain_errors():
            return plain_policy(value)

    @field_validator("routing", mode="before")
    @classmethod
    def _check_routing(cls, value: Any) -> Any:
        with langchain_errors():
            return None if value is None else plain_settings(preferences_of(value))

    @field_validator(*_PREFERENCE_FIELDS, mode="before")
    @classmethod
    def _check_field(cls, value: Any, info: Any) -> Any:
        """Refuse a malformed preference at construction, and keep it as plain data."""
        if value is None or info.field_name == "provider":
            return value
        with langchain_errors():
            wire = preferences_of(**{info.field_name: value}).to_wire()
        return wire.get("provider", wire).get(info.field_name)

    def instance_preferences(self) -> RoutingPreferences:
        """Return the preferences this model adds to every request.

        Raises:
            PreferencesError: A field is malformed, or given both flat and inside `provider`.
        """
        fields = only_set(self.__dict__, _PREFERENCE_FIELDS)
        if "session_id" not in self.model_fields_set:
            fields.pop("session_id", None)
        return preferences_of(self.routing, **fields)

    def environment_preferences(self) -> RoutingPreferences:
        """Return the preferences that the environment named when the model was made."""
        if self.session_id and "session_id" not in self.model_fields_set:
            return preferences_of(session_id=self.session_id)
        return RoutingPreferences()

    def layers(self) -> dict[str, Any]:
        """Return the preferences below a call, as the core's clients take them."""
        return {
            "routing": self.instance_preferences(),
            "environment": self.environment_preferences(),
            "policy": self.policy,
        }

    def call_options(self, stop: list[str] | None, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options of one request: the model's own, and over them those of the call.

        Args:
            stop: LangChain's `stop` of the call.
            call: The keywords of the call, under any of their names.
        """
        options = only_set(self.__dict__, ("model", *PARAMETERS))
        body = dict(self.extra_body or {})
        for name, value in self.model_kwargs.items():
            (options if name in OPTIONS else body)[name] = value
        for name, value in call.items():
            if name not in ("stream", "stream_usage", "extra_body"):
                options[self.aliases.get(name, name)] = value
        if stop is not None:
            options["stop"] = stop
        if not options.get("stop"):
            options.pop("stop", None)
        if not options.get("tools"):
            options.pop("tools", None)
        body = merged_bodies(body, call.get("extra_body") or {})
        if body:
            options["extra_body"] = body
        return options


def merged_bodies(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two `extra_body` values; their `provider` objects merge field by field."""
    merged = {**below, **above}
    providers = [
        body["provider"] for body in (below, above) if isinstance(body.get("provider"), Mapping)
    ]
    if len(providers) == 2:
        merged["provider"] = {**providers[0], **providers[1]}
    return merged
