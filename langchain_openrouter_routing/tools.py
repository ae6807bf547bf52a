"""Tools on the way out: what LangChain's users write, as the API takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_openrouter_routing._functions import function_of
from langchain_openrouter_routing.errors import BadRequestError

Method = Literal["json_schema", "function_calling", "json_mode"]
"""How a structured answer is asked for."""
_DESCRIBED = frozenset(("name", "title", "function", "$ref"))
_JSON_TYPES = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
Tool = Mapping[str, Any] | type | Callable[..., Any] | Runnable[Any, Any]
"""A tool as users write it; LangChain's own, `BaseTool`, are runnables."""
ToolChoice = str | bool | Tool | None
"""Which tool the model must or may call, as users write it."""


def tool_to_wire(tool: Tool, *, strict: bool | None) -> dict[str, Any]:
    """Return a tool as the API takes it.

    Args:
        tool: A function, class or LangChain tool; a dict of OpenAI's or Anthropic's shape; or a server tool's dict,
            which is handed on as it is.
        strict: Whether arguments must follow the schema exactly.

    Raises:
        BadRequestError: It is no tool.

    Example:
        >>> tool_to_wire({"type": "openrouter:web_search"}, strict=None)
        {'type': 'openrouter:web_search'}
    """
    if isinstance(tool, Mapping):
        # In the wire's form already; nothing to do, and done with every call.
        if strict is None and tool.get("type") == "function" and "function" in tool:
            return dict(tool)
        # Tools of the server's own, and whatever the API will know next.
        if not _is_function(tool):
            return dict(tool)
    wire = _custom(tool) or {"type": "function", "function": _named_function(tool, strict)}
    holder = tool if isinstance(tool, Mapping) else getattr(tool, "extras", None)
    cache_control = holder.get("cache_control") if isinstance(holder, Mapping) else None
    return {**wire, "cache_control": cache_control} if cache_control else wire


def _custom(tool: Tool) -> dict[str, Any] | None:
    """Return a tool of OpenAI's that takes free text: LangChain marks it in its metadata."""
    metadata = getattr(tool, "metadata", None)
    if isinstance(metadata, Mapping) and metadata.get("type") == "custom_tool":
        wire = convert_to_openai_tool(tool)  # type: ignore[arg-type]
        return wire if wire["type"] == "custom" else None
    return None


def _named_function(tool: Tool, strict: bool | None) -> dict[str, Any]:
    function = function_of(tool, strict=strict)
    if not function.get("name"):
        raise BadRequestError(f"{tool!r:.200} is no tool: it has no name")
    parameters = function.get("parameters")
    kind = parameters.get("type", "object") if isinstance(parameters, Mapping) else "object"
    if kind != "object":
        raise BadRequestError(f"{tool!r:.200} is no tool: its arguments are of type {kind!r}")
    return function


def _is_function(tool: Mapping[str, Any]) -> bool:
    """Say whether a mapping describes a function; one with a type of JSON's is a bare schema."""
    kind = tool.get("type")
    if "input_schema" in tool or kind in _JSON_TYPES:
        return True
    return kind in (None, "function") and bool(_DESCRIBED & tool.keys())


def tool_choice_to_wire(
    choice: ToolChoice, tools: Sequence[Mapping[str, Any]]
) -> str | dict[str, Any] | None:
    """Return which tool the model must or may call, as the API takes it; None where nothing was said.

    Args:
        choice: What was said: a word, a tool or its name, or an object of OpenAI's or Anthropic's form.
        tools: The tools as the API takes them.

    Raises:
        BadRequestError: It names a tool that is not there.

    Example:
        >>> tool_choice_to_wire("any", [{"type": "function", "function": {"name": "now"}}])
        'required'
    """
    if choice is None or choice is False or not tools:
        return None
    if choice is True or choice == "any":
        return "required"
    if isinstance(choice, Mapping):
        # Anthropic's form, and that of OpenAI's Responses API.
        if choice.get("type") in ("tool", "function") and "name" in choice:
            return _named(choice["name"])
        return {"any": "required", "auto": "auto", "none": "none"}.get(
            str(choice.get("type")), dict(choice)
        )
    if isinstance(choice, str) and choice in ("auto", "none", "required"):
        return choice
    named = choice if isinstance(choice, str) else _named_function(choice, None)["name"]
    names = [
        function.get("name")
        for tool in tools
        if isinstance(function := tool.get("function"), Mapping)
    ]
    if named not in names:
        raise BadRequestError(f"tool_choice={named!r} names no tool; there are {names!r}")
    return _named(named)


def parallel_calls(choice: ToolChoice) -> bool | None:
    """Return what a tool choice of Anthropic's form says about several calls at once; None where it says nothing.

    Example:
        >>> parallel_calls({"type": "auto", "disable_parallel_tool_use": True})
        False
    """
    disabled = isinstance(choice, Mapping) and choice.get("disable_parallel_tool_use") is True
    return False if disabled else None


def _named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def structured_method(profile: Mapping[str, Any] | None, method: Method | None) -> Method:
    """Return how a model is asked for a structured answer.

    Args:
        profile: What the model can do.
        method: What the caller said about it.

    Example:
        >>> structured_method({"structured_output": False}, None)
        'function_calling'
    """
    without_schemas = (profile or {}).get("structured_output") is False
    return method or ("function_calling" if without_schemas else "json_schema")


def is_structured(response_format: object) -> bool:
    """Say whether a response format is one that a provider may not ignore."""
    return isinstance(response_format, Mapping) and response_format.get("type") in (
        "json_schema",
        "json_object",
    )


def is_forced(choice: str | Mapping[str, Any] | None) -> bool:
    """Say whether a tool choice leaves the model no other way than to call a tool."""
    if not isinstance(choice, Mapping):
        return choice == "required"
    if choice.get("type") != "allowed_tools":
        return True
    # In one of OpenAI's APIs the tools stand inside, in the other beside the type.
    inner = choice.get("allowed_tools")
    allowed = inner if isinstance(inner, Mapping) else choice
    return allowed.get("mode") == "required"
