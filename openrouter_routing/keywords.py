"""The keywords of constructors and calls as `TypedDict`s, so that editors complete them and type checkers know them.

A preference is read in one form and taken in several: a dict for a model, a tuple for a list, a text for a price. What
is taken stands here; what it becomes, and what a field means, at the class it belongs to.

Example:
    >>> from openrouter_routing import preferences_of
    >>> cheap: PreferenceFields = {"sort": "price", "models": ["openai/gpt-5-mini"]}
    >>> preferences_of(**cheap).to_wire()
    {'models': ['openai/gpt-5-mini'], 'provider': {'sort': 'price'}}

See https://typing.python.org/en/latest/spec/callables.html#unpack-for-keyword-arguments
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol

from typing_extensions import TypedDict

if TYPE_CHECKING:
    import httpx

    from openrouter_routing.preferences import (
        MaxPrice,
        Percentiles,
        ProviderPreferences,
        ProviderSort,
        RoutingPreferences,
    )
    from openrouter_routing.reasoning_options import Reasoning
    from openrouter_routing.settings import OnEmpty, OnViolation

Texts = list[str] | tuple[str, ...]
"""Some texts; not one text, which is a sequence of texts too."""
Price = float | str | Decimal
"""USD."""


class SecretText(Protocol):
    """A text that does not show, such as pydantic's `SecretStr`."""

    def get_secret_value(self) -> str:
        """Return the text itself."""
        ...


class SortFields(TypedDict, total=False):
    """`ProviderSort` as a dict."""

    by: str | None
    partition: Literal["model", "none"] | None


class PercentileFields(TypedDict, total=False):
    """`Percentiles` as a dict: tokens per second, or seconds."""

    p50: float | None
    p75: float | None
    p90: float | None
    p99: float | None


class PriceFields(TypedDict, total=False):
    """`MaxPrice` as a dict: USD per million tokens, per request, per image, per audio unit."""

    prompt: Price | None
    completion: Price | None
    request: Price | None
    image: Price | None
    audio: Price | None


class ProviderFields(TypedDict, total=False):
    """The fields of `ProviderPreferences`."""

    order: Texts | None
    only: Texts | None
    ignore: Texts | None
    allow_fallbacks: bool | None
    require_parameters: bool | None
    data_collection: Literal["allow", "deny"] | None
    zdr: bool | None
    enforce_distillable_text: bool | None
    quantizations: Texts | None
    sort: str | ProviderSort | SortFields | None
    preferred_min_throughput: float | Percentiles | PercentileFields | None
    preferred_max_latency: float | Percentiles | PercentileFields | None
    max_price: MaxPrice | PriceFields | None
    options: dict[str, dict[str, Any]] | None


class CommonPreferences(TypedDict, total=False):
    """The preferences that every request can carry in its body."""

    provider: ProviderPreferences | ProviderFields | Mapping[str, Any] | None
    user: str | None


class HeaderPreferences(TypedDict, total=False):
    """The preferences that are headers, and go with every request."""

    router_metadata: bool | None
    response_cache: bool | int | None


class ChatPreferences(TypedDict, total=False):
    """The preferences that only chat requests can carry."""

    models: Texts | None
    session_id: str | None
    service_tier: str | None
    preset: str | None
    plugins: list[dict[str, Any]] | None
    transforms: Texts | None
    route: str | None
    trace: dict[str, Any] | None


class RoutingFields(CommonPreferences, HeaderPreferences, ChatPreferences, total=False):
    """The fields of `RoutingPreferences`."""

    metadata: dict[str, str] | None


class PreferenceFields(ProviderFields, RoutingFields, total=False):
    """The fields of `RoutingPreferences`, and beside them those of its `provider`."""


class ModelParameters(TypedDict, total=False):
    """The parameters of the API that a model can hold for all of its calls.

    See https://openrouter.ai/docs/api-reference/parameters
    """

    temperature: float | None
    top_p: float | None
    top_k: int | None
    top_a: float | None
    min_p: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    repetition_penalty: float | None
    max_tokens: int | None
    max_completion_tokens: int | None
    stop: str | list[str] | None
    seed: int | None
    n: int | None
    logit_bias: Mapping[str, float] | Mapping[int, float] | None
    logprobs: bool | None
    top_logprobs: int | None
    parallel_tool_calls: bool | None
    response_format: Mapping[str, Any] | None
    structured_outputs: bool | None
    reasoning: Reasoning | Mapping[str, Any] | None
    reasoning_effort: str | None
    include_reasoning: bool | None
    verbosity: str | None
    modalities: Texts | None
    audio: Mapping[str, Any] | None
    image_config: Mapping[str, Any] | None
    prediction: Mapping[str, Any] | None
    cache_control: Mapping[str, Any] | None
    prompt_cache_key: str | None
    prompt_cache_options: Mapping[str, Any] | None
    safety_identifier: str | None
    store: bool | None
    web_search_options: Mapping[str, Any] | None
    stop_server_tools_when: Any
    debug: Mapping[str, Any] | None


class ParameterFields(ModelParameters, total=False):
    """The parameters of the API."""

    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    stream_options: Mapping[str, Any] | None
    usage: Mapping[str, Any] | None


class RequestFields(TypedDict, total=False):
    """How any request is sent; see `ClientSettings`. Times are seconds."""

    timeout: float | httpx.Timeout | None
    max_retries: int | None
    max_retry_wait: float | None
    on_violation: OnViolation | None


class AnswerFields(TypedDict, total=False):
    """How the answers of a chat are read; see `ClientSettings`. Times are seconds."""

    first_token_timeout: float | None
    idle_timeout: float | None
    on_empty: OnEmpty | None
    coalesce: bool | None


class AccountFields(TypedDict, total=False):
    """Where requests go to, and who sends them; see `ClientSettings`."""

    api_key: str | SecretText | None
    base_url: str | None
    app_url: str | None
    app_title: str | None
    app_categories: Texts | None


class LayerFields(TypedDict, total=False):
    """Preferences as one value, and those that nothing may loosen."""

    routing: RoutingPreferences | PreferenceFields | Mapping[str, Any] | None
    policy: ProviderPreferences | ProviderFields | Mapping[str, Any] | None


class SettingsFields(RequestFields, AnswerFields, AccountFields, total=False):
    """The fields of `ClientSettings`."""

    headers: Mapping[str, str] | None


class ClientFields(SettingsFields, LayerFields, total=False):
    """What the clients take: settings, and the preferences of all their requests."""

    environment: RoutingPreferences


class _EveryCall(RequestFields, AnswerFields, LayerFields, total=False):
    model: str | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


class ChatOptions(PreferenceFields, ParameterFields, _EveryCall, total=False):
    """What a chat call takes: the model, parameters, preferences nested and flat, and how to send it."""


class _VectorOptions(
    ProviderFields, CommonPreferences, HeaderPreferences, _EveryCall, total=False
): ...


class EmbeddingOptions(_VectorOptions, total=False):
    """What a call for embeddings takes."""

    dimensions: int | None
    encoding_format: Literal["float", "base64"] | None
    input_type: str | None


class RerankOptions(_VectorOptions, total=False):
    """What a call for a ranking takes."""

    top_n: int | None
