"""What the LLM, the embedding and the reranker share: how requests are sent, and where they may go."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Self, Unpack

from llama_index.core.schema import BaseComponent
from pydantic import ConfigDict, Field, field_serializer

from llamaindex_openrouter_routing._fields import (
    ALIASES,
    client_settings,
    plain,
    secret_headers,
    sort_fields,
)
from openrouter_routing.client import AsyncOpenRouterClient, OpenRouterClient
from openrouter_routing.environment import environment_preferences
from openrouter_routing.preferences import (
    ProviderPreferences,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.request import merged_bodies
from openrouter_routing.resolution import combine_policies, merge, policy_of
from openrouter_routing.settings import OnViolation, Secret, as_secret

if TYPE_CHECKING:
    import httpx

    from openrouter_routing.keywords import PreferenceFields, ProviderFields

    Timeout = float | httpx.Timeout
else:
    # Naming it would import httpx, and its command line with it, before there is anything to send. The core checks it.
    Timeout = Any


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    """Turn what a caller may write for a field into what the field holds."""
    if fields.get("api_key") is not None:
        fields["api_key"] = as_secret(fields["api_key"])
    if "default_headers" in fields:
        fields["default_headers"] = secret_headers(fields["default_headers"])
    if isinstance(fields.get("timeout"), dict):
        import httpx

        fields["timeout"] = httpx.Timeout(**fields["timeout"])
    if isinstance(fields.get("app_categories"), tuple):
        fields["app_categories"] = list(fields["app_categories"])
    if "policy" in fields:
        fields["policy"] = policy_of(fields["policy"])
    if "extra_body" in fields:
        fields["extra_body"] = dict(fields["extra_body"] or {})
    return fields


class RoutedComponent(BaseComponent):
    """A component that sends requests to OpenRouter.

    It holds plain values only. Connections are shared by the whole process and kept outside, so that components copy,
    pickle and move to other event loops freely.
    """

    # Only what is built from it is made, and switches this off: a good part of the time of the import.
    model_config = ConfigDict(arbitrary_types_allowed=True, defer_build=True)

    api_key: Secret | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="The key; without it OPENROUTER_API_KEY is read at the first call.",
    )
    api_base: str | None = Field(
        default=None,
        description="Where the API is; without it OPENROUTER_BASE_URL or OPENROUTER_API_BASE, or OpenRouter.",
    )
    default_headers: dict[str, Secret] = Field(
        default_factory=dict,
        exclude=True,
        repr=False,
        description="Headers of every request; their values are secrets.",
    )
    app_url: str | None = Field(default=None, description="Your application's address.")
    app_title: str | None = Field(default=None, description="Your application's name.")
    app_categories: list[str] | None = Field(
        default=None, description="Your application's categories."
    )
    timeout: Timeout | None = Field(
        default=None, description="Seconds to wait for the next bytes; 600 unless set."
    )
    max_retries: int | None = Field(
        default=None, description="How often a failed request is sent again; 2 unless set."
    )
    max_retry_wait: float | None = Field(
        default=None, description="Seconds; the longest wait before sending again."
    )
    on_violation: OnViolation | None = Field(
        default=None, description="What to do when a provider answers that is excluded."
    )
    routing: RoutingPreferences = Field(
        default_factory=RoutingPreferences, description="Where requests may go."
    )
    policy: ProviderPreferences | None = Field(
        default=None, description="Preferences that no call may loosen."
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict, description="Merged into every body last, unchecked."
    )
    http_client: Any = Field(
        default=None, exclude=True, repr=False, description="A client of yours, of any httpx."
    )
    http_async_client: Any = Field(
        default=None, exclude=True, repr=False, description="An async client of yours."
    )

    def __init__(self, **fields: Any) -> None:
        if fields.get("class_name") == type(self).class_name():
            # It is in every dump, so that a dump can be validated, but it is no field.
            del fields["class_name"]
        fields = _typed(sort_fields(fields, type(self).model_fields))
        super().__init__(**fields)
        # A malformed address or duration is found here, not at the first call.
        client_settings(self)
        self._check_preferences()

    def _check_preferences(self) -> None:
        """Refuse preferences that this component cannot honour; asked whenever they change."""

    def __setattr__(self, name: str, value: Any) -> None:
        value = preferences_of(value) if name == "routing" else _typed({name: value})[name]
        super().__setattr__(name, value)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with fields changed. Preferences may be written as in the constructor; they merge.

        Args:
            update: What to change, under the names the constructor takes; `routing` replaces all preferences.
            deep: Whether to copy the values too.

        Raises:
            BadRequestError: A name is unknown.
            PreferencesError: A routing preference is malformed.

        Example:
            >>> from llamaindex_openrouter_routing import OpenRouter
            >>> OpenRouter("openai/gpt-5-mini", zdr=True).model_copy(update={"sort": "price"}).routing.to_wire()
            {'provider': {'zdr': True, 'sort': 'price'}}
        """
        if not update:
            return super().model_copy(deep=deep)
        own = type(self).model_fields
        changes = _typed(sort_fields(update, own))
        named = {ALIASES.get(name, name) for name in update}
        if "routing" not in named:
            changes["routing"] = merge(self.routing, changes["routing"])
        if "default_headers" not in named:
            del changes["default_headers"]
        if "additional_kwargs" in own and "additional_kwargs" not in named:
            held: dict[str, Any] = getattr(self, "additional_kwargs")  # noqa: B009 (only the LLM has it)
            changes["additional_kwargs"] = {**held, **changes["additional_kwargs"]}
        copied = super().model_copy(update=changes, deep=deep)
        client_settings(copied)
        copied._check_preferences()  # noqa: SLF001 (its own class)
        return copied

    @field_serializer("routing", "policy")
    def _dump_preferences(
        self, preferences: RoutingPreferences | ProviderPreferences | None
    ) -> dict[str, Any] | None:
        return plain(preferences)

    @field_serializer("timeout", return_type=Any)
    def _dump_timeout(self, timeout: Timeout | None) -> float | dict[str, float | None] | None:
        return (
            timeout if timeout is None or isinstance(timeout, (int, float)) else timeout.as_dict()
        )

    def with_routing(
        self,
        preferences: RoutingPreferences | Mapping[str, Any] | None = None,
        /,
        *,
        policy: ProviderPreferences | ProviderFields | Mapping[str, Any] | None = None,
        **fields: Unpack[PreferenceFields],
    ) -> Self:
        """Return a copy with more preferences; it does not depend on where or when it is called.

        Args:
            preferences: Preferences, merged field by field over those of this component.
            policy: Preferences that no call may loosen, combined with those already held.
            **fields: Fields of `RoutingPreferences`, or of its `provider` written flat (`order=`, `zdr=`, ...).

        Raises:
            PreferencesError: A field is unknown or malformed.

        Example:
            >>> from llamaindex_openrouter_routing import OpenRouter
            >>> llm = OpenRouter("openai/gpt-5-mini", zdr=True).with_routing(sort="price")
            >>> llm.routing.to_wire()
            {'provider': {'zdr': True, 'sort': 'price'}}
        """
        return self.model_copy(
            update={
                "routing": merge(self.routing, preferences_of(preferences, **fields)),
                "policy": combine_policies(self.policy, policy_of(policy)),
            }
        )

    def describe(self, **call: Any) -> str:
        """Say which preferences a call made here and now would send, each with the layer it came from.

        Args:
            **call: The keywords of the call.

        Raises:
            BadRequestError: A keyword is unknown.
            PreferencesError: A preference is malformed, or contradicts the policy.

        Example:
            >>> from llamaindex_openrouter_routing import OpenRouter
            >>> print(OpenRouter("openai/gpt-5-mini", zdr=True).describe(sort="price"))
            provider.zdr   True     instance
            provider.sort  'price'  call
        """
        return self._client().describe(**self._with_extra_body(call))

    def _client(self) -> OpenRouterClient:
        return OpenRouterClient(
            client_settings(self), http_client=self.http_client, **self._preferences()
        )

    def _async_client(self) -> AsyncOpenRouterClient:
        return AsyncOpenRouterClient(
            client_settings(self), http_async_client=self.http_async_client, **self._preferences()
        )

    def _preferences(self) -> dict[str, Any]:
        # Assigning to a field does not check it.
        self._check_preferences()
        return {
            "routing": self.routing,
            "policy": self.policy,
            "environment": environment_preferences(),
        }

    def _with_extra_body(self, options: dict[str, Any]) -> dict[str, Any]:
        """Add this component's extra body below the one of the call."""
        if not self.extra_body:
            return options
        return {
            **options,
            "extra_body": merged_bodies(self.extra_body, options.get("extra_body") or {}),
        }

    def __getstate__(self) -> dict[str, Any]:
        # LlamaIndex takes what cannot be pickled out of the state, which is the object's own dict: a copy's, here. A
        # caller's HTTP client holds locks and sockets, so that the pickle has none.
        copied = copy(self)
        copied.__dict__.update(http_client=None, http_async_client=None)
        return super(RoutedComponent, copied).__getstate__()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # A caller's own HTTP client holds locks and sockets: copies share it.
        memo = {} if memo is None else memo
        for client in (self.http_client, self.http_async_client):
            if client is not None:
                memo[id(client)] = client
        return super().__deepcopy__(memo)
