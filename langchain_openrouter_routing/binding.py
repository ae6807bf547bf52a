"""What `bind()` on a model returns: LangChain's binding, but one that keeps what was bound.

LangChain's own binding hands `bind_tools` and `with_structured_output` on to the bare model, and `create_agent` calls
them, so that a bound `provider=` is silently gone. This one takes its arguments along.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.base import RunnableBinding

from langchain_openrouter_routing._arguments import MERGED, in_one_routing, merged_arguments
from langchain_openrouter_routing.errors import BadRequestError
from langchain_openrouter_routing.tools import structured_method
from openrouter_routing.preferences import ProviderPreferences, RoutingPreferences
from openrouter_routing.settings import merge_headers

if TYPE_CHECKING:
    from openrouter_routing.keywords import PreferenceFields, ProviderFields
else:
    # LangChain's `with_fallbacks()` evaluates the annotations of methods; they need not be told apart there.
    PreferenceFields = ProviderFields = Mapping[str, Any]

# What a new set of tools, or a new schema, takes the place of.
_TOOLS = ("tools", "tool_choice")
_SCHEMA = ("response_format", "ls_structured_output_format")


def _merging(name: str) -> Callable[..., Any]:
    """Return one of LangChain's methods with the preferences of its call merged into the bound ones."""
    theirs = getattr(RunnableBinding, name)

    @functools.wraps(theirs)
    def method(self: ModelBinding, *arguments: Any, **options: Any) -> Any:
        said = {option: options.pop(option) for option in MERGED & options.keys()}
        return theirs(self.bind(**said) if said else self, *arguments, **options)

    return method


class ModelBinding(RunnableBinding[LanguageModelInput, AIMessage]):  # type: ignore[no-redef]  # as LangChain's
    """A model with bound arguments or config, which stay whatever is bound next.

    Example:
        >>> from langchain_openrouter_routing import ChatOpenRouter
        >>> bound = ChatOpenRouter(model="openai/gpt-5-mini").bind(provider={"sort": "price"})
        >>> bound.bind_tools([{"name": "now", "input_schema": {"type": "object"}}]).kwargs["routing"]
        {'provider': {'sort': 'price'}}
    """

    if not TYPE_CHECKING:
        invoke, ainvoke = _merging("invoke"), _merging("ainvoke")
        batch, abatch = _merging("batch"), _merging("abatch")
        batch_as_completed = _merging("batch_as_completed")
        abatch_as_completed = _merging("abatch_as_completed")
        stream, astream = _merging("stream"), _merging("astream")
        stream_events, astream_events = _merging("stream_events"), _merging("astream_events")
        transform, atransform = _merging("transform"), _merging("atransform")

    def bind(self, **kwargs: Any) -> ModelBinding:
        """Return a binding with more arguments; preferences merge with the bound ones, field by field.

        Args:
            **kwargs: Keywords of a call.

        Example:
            >>> from langchain_openrouter_routing import ChatOpenRouter
            >>> bound = ChatOpenRouter(model="openai/gpt-5-mini").bind(zdr=True)
            >>> bound.bind(sort="price").kwargs
            {'routing': {'provider': {'zdr': True, 'sort': 'price'}}}
        """
        merged = merged_arguments(self.kwargs, kwargs)
        headers = merged.pop("extra_headers", None)
        if headers is not None and not isinstance(headers, Mapping):
            raise BadRequestError(f"extra_headers takes a mapping, got {type(headers).__name__}")
        if not headers:
            return self.model_copy(update={"kwargs": merged})
        # They may hold secrets, and a binding's arguments are dumped and shown; a model's headers are not.
        model = cast("Any", self.bound)
        held = merge_headers(model.extra_headers or {}, headers)
        bound = model.model_copy(update={"extra_headers": held})
        return self.model_copy(update={"bound": bound, "kwargs": merged})

    def bind_tools(
        self, tools: Sequence[Any], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return a runnable that offers tools, with what was bound; see `ChatOpenRouter.bind_tools`.

        Args:
            tools: The tools; they take the place of bound ones.
            **kwargs: Arguments of `ChatOpenRouter.bind_tools`.

        Example:
            >>> from langchain_openrouter_routing import ChatOpenRouter
            >>> bound = ChatOpenRouter(model="openai/gpt-5-mini").bind(seed=1)
            >>> bound.bind_tools([], response_format={"type": "json_object"}).kwargs["seed"]
            1
        """
        kept = _without(in_one_routing(self.kwargs), _TOOLS)
        own = _taken_out(kwargs, "require_parameters")
        bound = cast("Any", self.bound).bind_tools(tools, **merged_arguments(kept, kwargs), **own)
        return cast("Runnable[LanguageModelInput, AIMessage]", self._with_own_config(bound))

    def with_structured_output(
        self, schema: Mapping[str, Any] | type | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable that answers in a shape, with what was bound; see `ChatOpenRouter`.

        Args:
            schema: The schema; it takes the place of a bound one.
            **kwargs: Arguments of `ChatOpenRouter.with_structured_output`.

        Example:
            >>> from langchain_openrouter_routing import ChatOpenRouter
            >>> bound = ChatOpenRouter(model="openai/gpt-5-mini").bind(seed=1)
            >>> bound.with_structured_output({"title": "city", "type": "object"}).first.kwargs["seed"]
            1
        """
        model = cast("Any", self.bound)
        if name := _taken_out(bound := in_one_routing(self.kwargs), "model"):
            # What a model can do decides how it is asked.
            model = model.model_copy(update=name)
        method = structured_method(model.profile, kwargs.get("method"))
        replaced = (*_SCHEMA, *_TOOLS) if method == "function_calling" else _SCHEMA
        kept = _without(bound, replaced)
        own = _taken_out(kwargs, "require_parameters")
        told = merged_arguments(kept, kwargs)
        structured = model.with_structured_output(schema, **told, **own)
        return cast("Runnable[LanguageModelInput, Any]", self._with_own_config(structured))

    def with_routing(
        self,
        preferences: RoutingPreferences | Mapping[str, Any] | None = None,
        /,
        *,
        policy: ProviderPreferences | ProviderFields | Mapping[str, Any] | None = None,
        **fields: Unpack[PreferenceFields],
    ) -> ModelBinding:
        """Return the same binding of a model with more preferences; see `ChatOpenRouter.with_routing`.

        Args:
            preferences: Preferences to add.
            policy: Provider preferences that nothing may loosen.
            **fields: Fields of `RoutingPreferences`, or of its `provider` written flat.

        Example:
            >>> from langchain_openrouter_routing import ChatOpenRouter
            >>> bound = ChatOpenRouter(model="openai/gpt-5-mini").bind(seed=1).with_routing(sort="price")
            >>> bound.kwargs, bound.bound.provider
            ({'seed': 1}, {'sort': 'price'})
        """
        routed = cast("Any", self.bound).with_routing(preferences, policy=policy, **fields)
        return self.model_copy(update={"bound": routed})

    def _with_own_config(self, runnable: Runnable[Any, Any]) -> Runnable[Any, Any]:
        return runnable.with_config(self.config) if self.config else runnable

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return the id of LangChain's own binding, as which it dumps and loads.

        Example:
            >>> ModelBinding.lc_id()[-1]
            'RunnableBinding'
        """
        return RunnableBinding.lc_id()


def _taken_out(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    return {name: arguments.pop(name)} if name in arguments else {}


def _without(arguments: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in names}
