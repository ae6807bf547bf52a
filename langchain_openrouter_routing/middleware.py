"""`RoutingMiddleware`: other preferences for other steps of an agent.

It needs `langchain` itself (`pip install langchain`), which is imported only with this module.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

try:
    from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "RoutingMiddleware is for agents made by langchain: pip install langchain",
        name=missing.name,
    ) from missing
from langchain_core.messages import HumanMessage, ToolMessage

from langchain_openrouter_routing._chat_fields import ChatFields
from langchain_openrouter_routing._connection import plain_settings
from langchain_openrouter_routing.binding import ModelBinding
from langchain_openrouter_routing.errors import langchain_errors
from openrouter_routing.preferences import RoutingPreferences, preferences_of
from openrouter_routing.resolution import merge

Preferences = RoutingPreferences | Mapping[str, Any]
# Where LangChain's runnables keep the one they are around.
_INNER = ("default", "bound", "runnable")
Choose = Callable[[ModelRequest[Any]], Preferences | None]


class RoutingMiddleware(AgentMiddleware[Any, Any, Any]):
    """Sets routing preferences per step of an agent made by `create_agent`.

    They are preferences of the call: they go over those of the model and of `routing()` blocks, field by field, and a
    policy stays above them. They travel with the model, so that a fallback model of another package, which would not
    know them, is not told.

    Args:
        first: For the step that reads what the user said.
        after_tools: For the steps that read what tools returned.
        final: For the step that has used up its tool rounds: after `tool_rounds` of them the answer is expected.
        tool_rounds: How many rounds of tool calls a turn is expected to take, for `final`.
        choose: A function of the request that returns preferences, or None for none; goes over the others.

    Raises:
        PreferencesError: A preference is malformed.

    Example:
        >>> middleware = RoutingMiddleware(
        ...     first={"sort": "throughput"}, after_tools={"sort": "price", "allow_fallbacks": True}
        ... )
        >>> from langchain.agents import create_agent
        >>> from langchain_openrouter_routing import ChatOpenRouter
        >>> llm = ChatOpenRouter(model="openai/gpt-5-mini")
        >>> agent = create_agent(llm, [], middleware=[middleware])

    See https://docs.langchain.com/oss/python/langchain/middleware
    """

    def __init__(
        self,
        *,
        first: Preferences | None = None,
        after_tools: Preferences | None = None,
        final: Preferences | None = None,
        tool_rounds: int = 1,
        choose: Choose | None = None,
    ) -> None:
        super().__init__()
        self.first = _checked(first)
        self.after_tools = _checked(after_tools)
        self.final = _checked(final)
        self.tool_rounds = tool_rounds
        self.choose = choose

    def preferences_for(self, request: ModelRequest[Any]) -> RoutingPreferences | None:
        """Return the preferences of one step, or None.

        Args:
            request: The step, as middleware sees it.

        Example:
            >>> from langchain.agents.middleware import ModelRequest
            >>> from langchain_openrouter_routing import ChatOpenRouter
            >>> llm = ChatOpenRouter(model="openai/gpt-5-mini")
            >>> request = ModelRequest(model=llm, messages=[HumanMessage("Hi")])
            >>> middleware = RoutingMiddleware(first={"sort": "price"})
            >>> middleware.preferences_for(request).to_wire()
            {'provider': {'sort': 'price'}}
        """
        if self.choose is not None and (chosen := self.choose(request)) is not None:
            return _checked(chosen)
        rounds = _tool_rounds(request)
        if rounds == 0:
            return self.first
        if self.final is not None and rounds >= self.tool_rounds:
            return self.final
        return self.after_tools

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> ModelResponse[Any]:
        """Hand the step on with its preferences.

        Args:
            request: The step.
            handler: What comes next.

        Example:
            >>> from langchain.agents.middleware import ModelRequest
            >>> from langchain_openrouter_routing import ChatOpenRouter
            >>> llm = ChatOpenRouter(model="openai/gpt-5-mini")
            >>> request = ModelRequest(model=llm, messages=[HumanMessage("Hi")])
            >>> middleware = RoutingMiddleware(first={"sort": "price"})
            >>> print(middleware.wrap_model_call(request, lambda routed: routed.model.describe()))
            provider.sort  'price'  call
        """
        return handler(self._routed(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Hand the step on with its preferences; the async twin of `wrap_model_call`.

        Args:
            request: The step.
            handler: What comes next.

        Example:
            >>> import asyncio
            >>> from langchain.agents.middleware import ModelRequest
            >>> from langchain_openrouter_routing import ChatOpenRouter
            >>> llm = ChatOpenRouter(model="openai/gpt-5-mini")
            >>> request = ModelRequest(model=llm, messages=[HumanMessage("Hi")])
            >>> middleware = RoutingMiddleware(first={"sort": "price"})
            >>> async def described(routed):
            ...     return routed.model.describe()
            >>> print(asyncio.run(middleware.awrap_model_call(request, described)))
            provider.sort  'price'  call
        """
        return await handler(self._routed(request))

    def _routed(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        preferences = self.preferences_for(request)
        model: Any = request.model
        if preferences is None:
            return request
        if isinstance(model, ChatFields):
            return request.override(model=model._for_step(preferences))  # noqa: SLF001 (this package's)
        if isinstance(model, ModelBinding):
            routed = model.bind(routing=plain_settings(preferences))
            return request.override(model=cast("Any", routed))
        if _leads_to_ours(model):
            # A runnable of LangChain's around a model of ours hands the settings of a call on.
            earlier = preferences_of(request.model_settings.get("routing"))
            routing = plain_settings(merge(earlier, preferences))
            return request.override(model_settings={**request.model_settings, "routing": routing})
        return request


def _leads_to_ours(model: object) -> bool:
    """Whether a configurable model, one with fallbacks, or another wrapper of LangChain's is around a model of ours."""
    if isinstance(model, (ChatFields, ModelBinding)):
        return True
    held = vars(model) if hasattr(model, "__dict__") else {}
    return any(_leads_to_ours(held[name]) for name in _INNER if name in held)


def _checked(preferences: Preferences | None) -> RoutingPreferences | None:
    """Return preferences written as a value, nested or flat, as one checked value."""
    if preferences is None:
        return None
    with langchain_errors():
        if isinstance(preferences, RoutingPreferences):
            return preferences
        return preferences_of(**preferences)


def _tool_rounds(request: ModelRequest[Any]) -> int:
    """Count the rounds of tool results since the user last said something."""
    rounds, inside = 0, False
    for message in reversed(request.messages):
        if isinstance(message, HumanMessage):
            break
        is_result = isinstance(message, ToolMessage)
        rounds += is_result and not inside
        inside = is_result
    return rounds
