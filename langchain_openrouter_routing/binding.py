"""What `bind()` on a model returns: LangChain's binding, but one that keeps what was bound.

LangChain's own binding hands `bind_tools` and `with_structured_output` on to the bare model, and `create_agent` calls
them, so that a bound `provider=` is silently gone. This one takes its arguments along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.base import RunnableBinding

from openrouter_routing.preferences import ProviderPreferences, RoutingPreferences

# What a new set of tools, or a new schema, takes the place of.
_TOOLS = ("tools", "tool_choice")
_SCHEMA = ("response_format", "ls_structured_output_format")


class ModelBinding(RunnableBinding[LanguageModelInput, AIMessage]):  # type: ignore[no-redef]  # as LangChain's
    """A model with bound arguments or config, which stay whatever is bound next.

    Example:
        >>> from langchain_openrouter_routing import ChatOpenRouter
        >>> bound = ChatOpenRouter(model="openai/gpt-5-mini").bind(provider={"sort": "price"})
        >>> bound.bind_tools([{"name": "now", "input_schema": {"type": "object"}}]).kwargs["provider"]
        {'sort': 'price'}
    """

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
        kept = self._without(_TOOLS)
        bound = cast("Any", self.bound).bind_tools(tools, **{**kept, **kwargs})
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
        calls_a_function = kwargs.get("method") == "function_calling"
        kept = self._without((*_SCHEMA, *_TOOLS) if calls_a_function else _SCHEMA)
        structured = cast("Any", self.bound).with_structured_output(schema, **{**kept, **kwargs})
        return cast("Runnable[LanguageModelInput, Any]", self._with_own_config(structured))

    def with_routing(
        self,
        preferences: RoutingPreferences | Mapping[str, Any] | None = None,
        /,
        *,
        policy: ProviderPreferences | Mapping[str, Any] | None = None,
        **fields: Any,
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

    def _without(self, names: Sequence[str]) -> dict[str, Any]:
        return {name: value for name, value in self.kwargs.items() if name not in names}

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
