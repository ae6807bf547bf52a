"""Where a request may go: `ProviderPreferences` and `RoutingPreferences`, typed and checked at construction.

Each field is one line here and nowhere else; request building, both adapters, error messages and the emulator read this
list. What a field means to the router: https://openrouter.ai/docs/features/provider-routing
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Unpack

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    StrictBool,
    ValidationError,
    field_validator,
)

from openrouter_routing import _vocabulary as vocabulary
from openrouter_routing._fields import (
    LegacyRoute,
    Names,
    Positive,
    Price,
    ProviderNames,
    Quantizations,
    ServiceTier,
    SomeProviderNames,
    SortKey,
    StrictModel,
    check_sort,
    closed_vocabulary,
    positive,
    to_json,
)
from openrouter_routing.errors import PreferencesError

if TYPE_CHECKING:
    from openrouter_routing.keywords import PreferenceFields, ProviderFields, RoutingFields

MAX_MODELS = 3
"""How many entries the API takes in `models`."""
MAX_SESSION_ID = 256
"""How many characters the API takes in `session_id`."""
MAX_METADATA = (16, 64, 512)
"""How many `metadata` pairs the API takes, how long a key, how long a value."""


class ProviderSort(StrictModel):
    """How to sort the endpoints of a request.

    Args:
        by: `"price"`, `"throughput"`, `"latency"`, `"exacto"`, or a newer key of the API.
        partition: `"model"` sorts within each model (fallback models stay fallbacks), `"none"` sorts the endpoints of
            all models together.

    Example:
        >>> ProviderSort(by="price", partition="none").to_wire()
        {'by': 'price', 'partition': 'none'}

    See https://openrouter.ai/docs/features/provider-routing#provider-sorting
    """

    by: SortKey | None = None
    partition: (
        Annotated[Literal["model", "none"], closed_vocabulary("partition", vocabulary.PARTITIONS)]
        | None
    ) = None


class Percentiles(StrictModel):
    """Thresholds by percentile: tokens per second for throughput, seconds for latency.

    Args:
        p50: What half of the requests keep to: the median.
        p75: What three quarters of them keep to.
        p90: What nine in ten keep to.
        p99: What all but one in a hundred keep to.

    Example:
        >>> Percentiles(p50=100, p90=40).to_wire()
        {'p50': 100, 'p90': 40}
    """

    p50: Positive | None = None
    p75: Positive | None = None
    p90: Positive | None = None
    p99: Positive | None = None


class MaxPrice(StrictModel):
    """The most a request may cost, in USD: numbers or numeric strings, sent as they were set.

    Args:
        prompt: USD per million prompt tokens.
        completion: USD per million completion tokens.
        request: USD per request.
        image: USD per image.
        audio: USD per audio unit.

    Example:
        >>> MaxPrice(prompt=1, completion="2.50").to_wire()
        {'prompt': 1, 'completion': '2.50'}

    See https://openrouter.ai/docs/features/provider-routing#maximum-price
    """

    prompt: Price | None = None
    completion: Price | None = None
    request: Price | None = None
    image: Price | None = None
    audio: Price | None = None


def _threshold(value: object) -> object:
    if isinstance(value, Mapping):
        return Percentiles.model_validate(value)
    return value if isinstance(value, Percentiles) else positive(value)


def _sort(value: object) -> object:
    if isinstance(value, Mapping):
        return ProviderSort.model_validate(value)
    if isinstance(value, str):
        return check_sort(value)
    if value is None or isinstance(value, ProviderSort):
        return value
    raise ValueError(f"takes a string or ProviderSort(by=, partition=), got {value!r}")


def _cache(value: object) -> object:
    if value is None or isinstance(value, bool) or (isinstance(value, int) and value > 0):
        return value
    raise ValueError(
        f"takes True, False or a whole number of seconds greater than 0, got {value!r}"
    )


Threshold = Annotated[Percentiles | int | float, BeforeValidator(_threshold)]


class ProviderPreferences(StrictModel):
    """The `provider` object of a request: which providers may serve it, in which order, on which terms.

    A field that was not set is not sent. A field set to None clears what a lower layer set (see `merge`).

    Args:
        order: Provider slugs to try first, in this order (`"anthropic"`, or `"deepinfra/turbo"` for one endpoint).
        only: The only provider slugs that may serve the request.
        ignore: Provider slugs that may not.
        allow_fallbacks: False: nobody but `order` (or the top endpoint) may serve the request.
        require_parameters: True: only endpoints that support every parameter of the request.
        data_collection: `"deny"`: only providers that neither keep prompts for more than a moment nor train on them.
        zdr: True: only zero-data-retention endpoints.
        enforce_distillable_text: True: only models whose authors allow distillation.
        quantizations: Quantizations that may serve the request, such as `"fp8"` or `"bf16"`.
        sort: What the best is first in: `"price"`, `"throughput"`, `"latency"`; switches load balancing off.
        preferred_min_throughput: Tokens per second, at the median unless by percentile; slower endpoints go last.
        preferred_max_latency: Seconds to the first token, at the median unless by percentile; slower ones go last.
        max_price: USD per million tokens, per request or per image, by kind; dearer endpoints are out.
        options: Settings handed to one provider, keyed by provider slug.

    Raises:
        pydantic.ValidationError: A field is unknown, misspelt, of the wrong type or out of range.

    Example:
        >>> ProviderPreferences(order=["anthropic"], allow_fallbacks=False).to_wire()
        {'order': ['anthropic'], 'allow_fallbacks': False}

    See https://openrouter.ai/docs/features/provider-routing
    """

    order: ProviderNames | None = None
    only: SomeProviderNames | None = None
    ignore: ProviderNames | None = None
    allow_fallbacks: StrictBool | None = None
    require_parameters: StrictBool | None = None
    data_collection: (
        Annotated[
            Literal["allow", "deny"],
            closed_vocabulary("data_collection", vocabulary.DATA_COLLECTION),
        ]
        | None
    ) = None
    zdr: StrictBool | None = None
    enforce_distillable_text: StrictBool | None = None
    quantizations: Quantizations | None = None
    sort: Annotated[str | ProviderSort | None, BeforeValidator(_sort)] = None
    preferred_min_throughput: Threshold | None = None
    preferred_max_latency: Threshold | None = None
    max_price: MaxPrice | None = None
    options: dict[str, dict[str, Any]] | None = None

    if TYPE_CHECKING:

        def __init__(self, **fields: Unpack[ProviderFields]) -> None: ...


class RoutingPreferences(StrictModel):
    """Everything one request may say about where it goes; one value for both frameworks.

    A field that was not set is not sent. A field set to None clears what a lower layer set (see `merge`).

    Args:
        models: Fallback models, tried in this order after the primary one; at most 3.
        provider: Which providers may serve the request: `ProviderPreferences` or the same as a dict.
        session_id: Groups requests and keeps them on one provider, for prompt cache hits; at most 256 characters.
        service_tier: `"auto"`, `"default"`, `"flex"`, `"priority"`, ...
        preset: The slug of a preset saved at OpenRouter.
        plugins: Plugins with their settings, such as `[{"id": "web", "max_results": 3}]`.
        transforms: Legacy prompt transforms (`["middle-out"]`); today the plugin `context-compression`.
        route: Legacy `"fallback"` or `"sort"`; today `provider.sort.partition`.
        user: A stable identifier of your end user.
        trace: Observability fields (`trace_id`, `trace_name`, `span_name`, ...) and any of your own.
        metadata: Up to 16 string pairs kept with the generation.
        router_metadata: Whether the answer tells how it was routed (`openrouter_metadata`); on unless set to False.
        response_cache: True or False switches OpenRouter's response cache; a number is its time to live in seconds.

    Raises:
        pydantic.ValidationError: A field is unknown, misspelt, of the wrong type or out of range.

    Example:
        >>> prefs = RoutingPreferences(models=["openai/gpt-5-mini"], provider={"sort": "price"})
        >>> prefs.to_wire()
        {'models': ['openai/gpt-5-mini'], 'provider': {'sort': 'price'}}

    See https://openrouter.ai/docs/features/model-routing
    """

    models: Names | None = None
    provider: ProviderPreferences | None = None
    session_id: Annotated[str, Field(min_length=1, max_length=MAX_SESSION_ID)] | None = None
    service_tier: ServiceTier | None = None
    preset: Annotated[str, Field(min_length=1)] | None = None
    plugins: list[dict[str, Any]] | None = None
    transforms: Names | None = None
    route: LegacyRoute | None = None
    user: Annotated[str, Field(min_length=1)] | None = None
    trace: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    router_metadata: StrictBool | None = None
    response_cache: Annotated[bool | int | None, BeforeValidator(_cache)] = None

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(self, **fields: Unpack[RoutingFields]) -> None: ...

    @field_validator("models")
    @classmethod
    def _as_many_as_the_api_takes(cls, models: list[str] | None) -> list[str] | None:
        if models is not None and len(models) > MAX_MODELS:
            raise ValueError(
                f"the API takes at most {MAX_MODELS} fallback models, got {len(models)}"
            )
        return models

    @field_validator("plugins")
    @classmethod
    def _plugins_have_ids(cls, plugins: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        for position, plugin in enumerate(plugins or ()):
            name = plugin.get("id")
            if not isinstance(name, str) or not name:
                raise ValueError(f'entry {position} needs an "id", such as {{"id": "web"}}')
            if near := vocabulary.misspelling_of(name, vocabulary.PLUGINS):
                raise ValueError(f"unknown plugin {name!r}; did you mean {near!r}?")
        return plugins

    @field_validator("metadata")
    @classmethod
    def _metadata_fits(cls, metadata: dict[str, str] | None) -> dict[str, str] | None:
        pairs, key_length, value_length = MAX_METADATA
        if metadata is None:
            return None
        if len(metadata) > pairs:
            raise ValueError(f"the API takes at most {pairs} pairs, got {len(metadata)}")
        for key, value in metadata.items():
            if len(key) > key_length or len(value) > value_length:
                raise ValueError(
                    f"the API takes keys of {key_length} and values of {value_length} characters; "
                    f"{key[:key_length]!r} is longer"
                )
        return metadata

    @classmethod
    def unknown_field(cls, name: str) -> str:
        """Say that there is no such field, or that it is one of the `provider` object."""
        if name in ProviderPreferences.model_fields:
            return f"{name!r} is a field of provider: write provider={{{name!r}: ...}}, or preferences_of({name}=...)"
        return super().unknown_field(name)

    def to_wire(self) -> dict[str, Any]:
        """Return what was set and is not None; a `provider` of which nothing is left is absent."""
        wire = super().to_wire()
        if wire.get("provider") == {}:
            del wire["provider"]
        return wire

    def settings(self) -> dict[str, Any]:
        """Return what was set, as one flat dict: `{"models": [...], "provider.sort": "price", ...}`.

        A `provider` of None stands for every provider field set to None, since that is what it clears.
        """
        flat: dict[str, Any] = {}
        if not self.model_fields_set:
            return flat
        for name in type(self).model_fields:
            if name not in self.model_fields_set:
                continue
            value = getattr(self, name)
            if name != "provider":
                flat[name] = value
            elif value is None:
                flat.update(dict.fromkeys(PROVIDER_PATHS))
            else:
                for field in PROVIDER_FIELDS:
                    if field in value.model_fields_set:
                        flat[f"provider.{field}"] = getattr(value, field)
        return flat

    @staticmethod
    def from_settings(
        settings: Mapping[str, Any], sources: Mapping[str, str] | None = None
    ) -> RoutingPreferences:
        """Build preferences from the flat dict of `settings()`; its values are already checked.

        Args:
            settings: A flat dict as `settings()` returns it.
            sources: For each of its keys the name of the layer it came from, for `describe()`.
        """
        top = {name: value for name, value in settings.items() if "." not in name}
        provider = {
            name.partition(".")[2]: value for name, value in settings.items() if "." in name
        }
        if provider:
            top["provider"] = ProviderPreferences.model_construct(set(provider), **provider)
        built = RoutingPreferences.model_construct(set(top), **top)
        built._sources.update(sources or {})  # noqa: SLF001 (its own class)
        return built

    def sources(self) -> dict[str, str]:
        """Return for each path of `settings()` the layer it came from, where that is known."""
        return dict(self._sources)

    def describe(self) -> str:
        """Say what will be sent, a line for each value, with the layer it came from.

        Example:
            >>> print(RoutingPreferences(provider={"sort": "price", "zdr": True}).describe())
            provider.zdr   True     set here
            provider.sort  'price'  set here
        """
        rows = [
            (path, repr(to_json(value)), self._sources.get(path, "set here"))
            for path, value in _in_wire_order(self.settings())
            if value is not None
        ]
        if not rows:
            return "no routing preferences: OpenRouter's defaults apply"
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "\n".join(
            f"{path:<{widths[0]}}  {value:<{widths[1]}}  {source}" for path, value, source in rows
        )

    def diff(self, other: RoutingPreferences) -> dict[str, tuple[Any, Any]]:
        """Return what changes from these preferences to `other`: `{path: (here, there)}`, None for "not set".

        Example:
            >>> cheap = RoutingPreferences(provider={"sort": "price"})
            >>> cheap.diff(RoutingPreferences(provider={"sort": "latency", "zdr": True}))
            {'provider.zdr': (None, True), 'provider.sort': ('price', 'latency')}
        """
        here, there = self.settings(), other.settings()
        changes: dict[str, tuple[Any, Any]] = {}
        for path, _ in _in_wire_order({**here, **there}):
            before, after = to_json(here.get(path)), to_json(there.get(path))
            if before != after:
                changes[path] = (before, after)
        return changes


NO_PREFERENCES = RoutingPreferences.model_construct()
"""Preferences that say nothing."""
PROVIDER_FIELDS = tuple(ProviderPreferences.model_fields)
"""The names of all fields of the `provider` object, in wire order."""
PROVIDER_PATHS = tuple(f"provider.{name}" for name in PROVIDER_FIELDS)
ROUTING_FIELDS = tuple(RoutingPreferences.model_fields)
"""The names of all fields of `RoutingPreferences`, in wire order."""


def _in_wire_order(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    order = {path: place for place, path in enumerate((*ROUTING_FIELDS, *PROVIDER_PATHS))}
    return sorted(settings.items(), key=lambda item: order[item[0]])


def preferences_of(
    value: RoutingPreferences | ProviderPreferences | Mapping[str, Any] | None = None,
    /,
    **fields: Unpack[PreferenceFields],
) -> RoutingPreferences:
    """Gather routing preferences however they were written: as a value, as fields, and flat.

    The fields of the `provider` object may stand beside those of `RoutingPreferences`, so that `order=["anthropic"]` is
    short for `provider={"order": ["anthropic"]}`.

    Args:
        value: Preferences to start from; a mapping may be flat, as the fields may.
        **fields: Fields of `RoutingPreferences` or of `ProviderPreferences`; they add to `value` field by field.

    Raises:
        PreferencesError: A field is unknown, malformed, or given both flat and inside `provider`.

    Example:
        >>> preferences_of(sort="price", models=["openai/gpt-5-mini"]).to_wire()
        {'models': ['openai/gpt-5-mini'], 'provider': {'sort': 'price'}}
    """
    if not fields and (value is None or isinstance(value, RoutingPreferences)):
        return NO_PREFERENCES if value is None else value
    given: dict[str, Any] = {**fields}
    flat = {name: given.pop(name) for name in PROVIDER_FIELDS if name in given}
    for name in given:
        if name not in ROUTING_FIELDS:
            known = (*ROUTING_FIELDS, *PROVIDER_FIELDS)
            raise PreferencesError(vocabulary.unknown_name("field", name, known))
    try:
        if flat:
            nested = given.get("provider", {})
            # A provider of None clears what lies below; the flat fields are set after that.
            cleared = dict.fromkeys(PROVIDER_FIELDS) if nested is None else {}
            given["provider"] = _join_provider({**cleared, **flat}, nested or {})
        above = RoutingPreferences.model_validate(given)
        if value is None:
            return above
        if isinstance(value, ProviderPreferences):
            base = RoutingPreferences(provider=value)
        elif isinstance(value, Mapping):
            base = preferences_of(**{str(name): value[name] for name in value})
        else:
            base = RoutingPreferences.model_validate(value)
    except ValidationError as error:
        raise PreferencesError(explain_validation(error)) from None
    return RoutingPreferences.from_settings({**base.settings(), **above.settings()})


def _join_provider(flat: dict[str, Any], nested: object) -> ProviderPreferences:
    joined = ProviderPreferences.model_validate(flat)
    given = ProviderPreferences.model_validate(nested)
    for name in sorted(joined.model_fields_set & given.model_fields_set):
        raise PreferencesError(
            f"{name!r} is given both by itself and inside 'provider'; give it once"
        )
    fields = {name: getattr(given, name) for name in given.model_fields_set}
    return joined.model_copy(update=fields)


# What pydantic says in words of its own, in ours.
_WANTED = {
    "bool_type": "takes True or False",
    "bool_parsing": "takes True or False",
    "list_type": "takes a list",
    "dict_type": "takes a dict",
    "string_type": "takes a text",
    "int_type": "takes a whole number",
}
_FORMS = {
    "MaxPrice": "prices by kind, such as {'prompt': 1, 'completion': 3}, in USD per million tokens",
    "Percentiles": "a number, or thresholds by percentile such as {'p50': 100}",
    "ProviderPreferences": "provider preferences, such as {'sort': 'price'}",
    "ProviderSort": "a sort, such as 'price' or {'by': 'price', 'partition': 'none'}",
    "RoutingPreferences": "RoutingPreferences, or a dict of its fields such as {'provider': {'sort': 'price'}}",
}


def explain_validation(error: ValidationError) -> str:
    """Say in one line per field what pydantic found wrong, without echoing values it was told to hide.

    Example:
        >>> try:
        ...     RoutingPreferences(provider={"sort": "prise"})
        ... except ValidationError as error:
        ...     print(explain_validation(error))
        provider.sort: unknown sort 'prise'; did you mean 'price'?
    """
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in problem["loc"])
        text = _WANTED.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        wanted = _FORMS.get(str(problem.get("ctx", {}).get("class_name")))
        text = f"takes {wanted}" if wanted else text
        lines.append(f"{path}: {text}" if path else text)
    return "; ".join(dict.fromkeys(lines))
