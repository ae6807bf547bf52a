"""What the chat model, the embeddings and the reranker share: how requests are sent, and which providers may serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack

import httpx
from langchain_core.utils import from_env, secret_from_env
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from langchain_openrouter_routing.errors import BadRequestError, langchain_errors
from openrouter_routing import _vocabulary as vocabulary
from openrouter_routing.client import AsyncOpenRouterClient, OpenRouterClient
from openrouter_routing.preferences import (
    NO_PREFERENCES,
    PROVIDER_FIELDS,
    ROUTING_FIELDS,
    ProviderPreferences,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.resolution import combine_policies, merge, policy_of
from openrouter_routing.settings import (
    MAX_RETRY_WAIT,
    ClientSettings,
    HiddenHeaders,
    OnViolation,
    checked_base_url,
    merge_headers,
    settings_from,
)

if TYPE_CHECKING:
    from openrouter_routing.keywords import PreferenceFields, ProviderFields
else:
    # LangChain's `with_fallbacks()` evaluates the annotations of methods; they need not be told apart there.
    PreferenceFields = ProviderFields = Mapping[str, Any]

Number = int | float
"""A number that is sent as it was set: pydantic would make 1.0 of a 1 where only `float` is named."""
_PREFERENCES = (*PROVIDER_FIELDS, *ROUTING_FIELDS)
_OF_ANSWERS = ("first_token_timeout", "idle_timeout", "coalesce", "on_empty")
"""Settings that only a chat model has: how its answers are read."""


class Connection(BaseModel):
    """How requests are sent and which providers may serve them; the fields every class of this package has.

    Connections are no part of the object: they live in one registry, so that objects copy, pickle and reconfigure
    freely and work in every event loop.
    """

    # Only what is built from it is made, and switches this off: half of the time of the import.
    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True, defer_build=True)

    aliases: ClassVar[dict[str, str]] = {
        "model_name": "model",
        "openrouter_api_key": "api_key",
        "openrouter_api_base": "base_url",
        "openrouter_provider": "provider",
        "request_timeout": "timeout",
    }
    """Other names that users of LangChain's other integrations write, and the field each means."""

    api_key: SecretStr | None = Field(
        default_factory=secret_from_env("OPENROUTER_API_KEY", default=None)
    )
    """The key; read from `OPENROUTER_API_KEY` unless set. Without one the first call fails, not the construction."""

    base_url: str | None = Field(
        default_factory=from_env(["OPENROUTER_BASE_URL", "OPENROUTER_API_BASE"], default=None)
    )
    """Where the API is, with `http://` or `https://`."""

    app_url: str | None = Field(default_factory=from_env("OPENROUTER_APP_URL", default=None))
    """Your application's address, for OpenRouter's rankings (`HTTP-Referer`)."""

    app_title: str | None = Field(default_factory=from_env("OPENROUTER_APP_TITLE", default=None))
    """Your application's name (`X-OpenRouter-Title`)."""

    app_categories: list[str] | None = None
    """Your application's categories (`X-OpenRouter-Categories`)."""

    timeout: float | httpx.Timeout | None = None
    """Seconds to wait for the next bytes of an answer, or an `httpx.Timeout`; 600 unless set."""

    max_retries: int | None = None
    """How often a failed request is sent again; 0 means never, 2 unless set."""

    max_retry_wait: float = MAX_RETRY_WAIT
    """Seconds; where an answer asks for a longer wait, the error is raised at once."""

    on_violation: OnViolation = "raise"
    """What to do when a provider answers that the preferences exclude."""

    default_headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    """Headers of every request. They may hold secrets, so they are no part of a dump."""

    extra_headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    """The same under the name that calls use; wins over `default_headers`."""

    http_client: httpx.Client | None = Field(default=None, exclude=True, repr=False)
    """An HTTP client of your own for sync calls; used as it is, never closed, shared by copies."""

    http_async_client: httpx.AsyncClient | None = Field(default=None, exclude=True, repr=False)
    """An HTTP client of your own for async calls."""

    # Which providers may serve: https://openrouter.ai/docs/features/provider-routing

    provider: dict[str, Any] | None = None
    """Provider preferences, as `ProviderPreferences` or a dict; also taken as `openrouter_provider=`."""

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

    user: str | None = None
    """A stable identifier of your end user."""

    @model_validator(mode="before")
    @classmethod
    def _name_fields(cls, values: Any) -> Any:
        """Take fields by all their names, and refuse what is none of them."""
        if not isinstance(values, dict):
            return values
        with langchain_errors():
            named = cls._by_field_names(values)
        # None is what these fields are anyway; `configurable_fields` says it of a hundred with every call.
        unset = _none_unless_set(cls)
        return {
            name: value for name, value in named.items() if value is not None or name not in unset
        }

    @classmethod
    def _by_field_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields under their own names.

        Args:
            values: Fields under any of their names.

        Raises:
            BadRequestError: A name is unknown, or a field is given under two names.
        """
        named = named_once(values, cls.aliases)
        for name in named:
            if name not in cls.model_fields:
                known = [*cls.model_fields, *cls.aliases]
                raise BadRequestError(
                    f"{cls.__name__}: {vocabulary.unknown_name('argument', name, known)}"
                    " (a field of the API that is new goes into extra_body)"
                )
        return named

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Refuse at once what would fail with every call: settings out of range, a preference given twice."""
        with langchain_errors():
            self._client_settings()
            if not self.model_fields_set.isdisjoint((*PROVIDER_FIELDS, "routing")):
                self._instance_preferences()
        return self

    def __getattr__(self, name: str) -> Any:
        # Code that moved here from another integration also reads what it set.
        if name in type(self).aliases:
            return getattr(self, type(self).aliases[name])
        return super().__getattr__(name)  # type: ignore[misc]  # pydantic has one, for private attributes

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, url: str | None) -> str | None:
        with langchain_errors():
            return checked_base_url(url) if url else None

    @field_validator("provider", mode="before")
    @classmethod
    def _check_provider(cls, value: Any) -> Any:
        with langchain_errors():
            if value is None:
                return None
            checked = preferences_of(provider=value).provider or ProviderPreferences()
            return plain_settings(checked)

    @field_validator("policy", mode="before")
    @classmethod
    def _check_policy(cls, value: Any) -> Any:
        with langchain_errors():
            policy = policy_of(value)
            return None if policy is None else plain_settings(policy)

    @field_validator("routing", mode="before")
    @classmethod
    def _check_routing(cls, value: Any) -> Any:
        with langchain_errors():
            return None if value is None else plain_settings(preferences_of(value))

    @field_validator(*PROVIDER_FIELDS, "user", mode="before")
    @classmethod
    def _check_preference(cls, value: Any, info: ValidationInfo) -> Any:
        return plain_preference(str(info.field_name), value)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        for client in (self.http_client, self.http_async_client):
            # Connections cannot be copied, and need not be: copies share them.
            memo[id(client)] = client
        return super().__deepcopy__(memo)

    def _client_settings(self) -> ClientSettings:
        """Return how requests are sent, as the core takes it.

        Raises:
            BadRequestError: A setting is malformed.
        """
        headers = HiddenHeaders(merge_headers(self.default_headers or {}, self.extra_headers or {}))
        return settings_from(
            api_key=self.api_key,
            base_url=self.base_url,
            headers=headers or None,
            app_url=self.app_url,
            app_title=self.app_title,
            app_categories=self.app_categories,
            timeout=self.timeout,
            max_retries=self.max_retries,
            max_retry_wait=self.max_retry_wait,
            on_violation=self.on_violation,
            **only_set(self.__dict__, _OF_ANSWERS),
        )

    def _instance_preferences(self) -> RoutingPreferences:
        """Return the preferences this object adds to every request.

        Raises:
            PreferencesError: A field is malformed, or given both flat and inside `provider`.
        """
        return preferences_of(self.routing, **only_set(self.__dict__, self._preference_fields()))

    def _environment_preferences(self) -> RoutingPreferences:
        """Return the preferences that the environment named when the object was made."""
        return NO_PREFERENCES

    @classmethod
    def _preference_fields(cls) -> tuple[str, ...]:
        """Return the names of the fields that are routing preferences."""
        return _preference_fields(cls)

    def with_routing(
        self,
        preferences: RoutingPreferences | Mapping[str, Any] | None = None,
        /,
        *,
        policy: ProviderPreferences | ProviderFields | Mapping[str, Any] | None = None,
        **fields: Unpack[PreferenceFields],
    ) -> Self:
        """Return an object like this one that adds preferences to its own.

        It is of the same class, not a binding, so `bind_tools`, `with_structured_output` and `create_agent` keep them.

        Args:
            preferences: Preferences to add.
            policy: Provider preferences that nothing may loosen; they combine with the policy there is.
            **fields: Fields of `RoutingPreferences`, or of its `provider` written flat; None clears one.

        Raises:
            PreferencesError: A field is unknown or malformed.

        Example:
            >>> from langchain_openrouter_routing import ChatOpenRouter
            >>> base = ChatOpenRouter(model="openai/gpt-5-mini", provider={"zdr": True})
            >>> base.with_routing(sort="price").provider
            {'zdr': True, 'sort': 'price'}
        """
        with langchain_errors():
            merged = merge(self._instance_preferences(), preferences_of(preferences, **fields))
            held = combine_policies(policy_of(self.policy), policy_of(policy))
        # What was cleared is gone: nothing lies below that could come through.
        plain = merged.to_wire()
        own = self._preference_fields()
        update: dict[str, Any] = dict.fromkeys(own)
        update.update({name: plain.pop(name) for name in own if name in plain})
        update["routing"] = plain or None
        update["policy"] = None if held is None else plain_settings(held)
        if "session_id" in own and "session_id" not in merged.model_fields_set:
            # Still the environment's, and below every other layer.
            del update["session_id"]
        routed = self.model_copy(update=update)
        with langchain_errors():
            routed._instance_preferences()  # noqa: SLF001 (its own class)
        return routed

    def _sync_client(self) -> OpenRouterClient:
        """Return a client of the core that sends as this object says."""
        return OpenRouterClient(
            self._client_settings(), http_client=self.http_client, **self._layers()
        )

    def _async_client(self) -> AsyncOpenRouterClient:
        """Return an async client of the core that sends as this object says."""
        return AsyncOpenRouterClient(
            self._client_settings(), http_async_client=self.http_async_client, **self._layers()
        )

    def _layers(self) -> dict[str, Any]:
        return {
            "routing": self._instance_preferences(),
            "environment": self._environment_preferences(),
            "policy": self.policy,
        }


@cache
def _none_unless_set(cls: type[Connection]) -> frozenset[str]:
    fields = cls.model_fields.items()
    return frozenset(
        name for name, field in fields if field.default is None and field.default_factory is None
    )


@cache
def _preference_fields(cls: type[Connection]) -> tuple[str, ...]:
    # LangChain has a `metadata` of its own; the API's is only in `routing`.
    return tuple(name for name in _PREFERENCES if name in cls.model_fields and name != "metadata")


def named_once(values: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    """Return fields or arguments under their own names.

    Args:
        values: The values, each under any of its names.
        aliases: The other names, and the one each means.

    Raises:
        BadRequestError: One is given under two names.
    """
    named: dict[str, Any] = {}
    for written, value in values.items():
        name = aliases.get(written, written)
        if name in named:
            raise BadRequestError(f"{name!r} is given twice, the second time as {written!r}")
        named[name] = value
    return named


def veil(fields: Any) -> dict[str, Any]:
    """Wrap the key and the headers among a constructor's keywords, so that no traceback shows them as locals.

    Args:
        fields: A dict of the keywords, which for a type checker may be any `TypedDict`; changed in place.
    """
    for name in ("api_key", "openrouter_api_key"):
        if isinstance(fields.get(name), str):
            fields[name] = SecretStr(fields[name])
    for name in ("default_headers", "extra_headers"):
        if isinstance(fields.get(name), Mapping):
            fields[name] = HiddenHeaders(fields[name])
    veiled: dict[str, Any] = fields
    return veiled


def plain_preference(name: str, value: Any) -> Any:
    """Return one preference as plain data, checked, so that it dumps, copies and enters cache keys.

    Args:
        name: The field.
        value: Its value, in any form the preferences take; None stays None.

    Raises:
        PreferencesError: It is malformed.
    """
    if value is None:
        return None
    with langchain_errors():
        wire = preferences_of(**{name: value}).to_wire()
    return wire.get("provider", wire).get(name)


def plain_settings(preferences: ProviderPreferences | RoutingPreferences) -> dict[str, Any]:
    """Return what was set, None included: an explicit None clears a field of a lower layer."""
    wire = preferences.to_wire()
    plain: dict[str, Any] = {}
    for name in type(preferences).model_fields:
        if name in preferences.model_fields_set:
            value = getattr(preferences, name)
            plain[name] = (
                plain_settings(value) if isinstance(value, ProviderPreferences) else wire.get(name)
            )
    return plain


def only_set(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the named fields that are not None."""
    return {name: value for name in names if (value := fields.get(name)) is not None}
