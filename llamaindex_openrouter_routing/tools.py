"""Tools: what is offered to the model, and what of its answer is to be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection

from llamaindex_openrouter_routing._strict_schema import strict_schema
from openrouter_routing._failures import compose
from openrouter_routing._tool_calls import arguments_text, parse_arguments
from openrouter_routing.errors import BadRequestError, ResponseParseError

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool

NOT_CALLED = " (not called: "
"""What follows the tool's name in a call whose arguments cannot be read. No tool is named so, whatever arguments it
takes: LlamaIndex runs none, and tells the model that there is none of this name, which says why."""

_CHOICES = {"any": "required", "required": "required", "auto": "auto", "none": "none"}


def tools_to_wire(tools: Sequence[BaseTool], *, strict: bool = False) -> list[dict[str, Any]]:
    """Describe tools to the model.

    Args:
        tools: LlamaIndex tools.
        strict: Whether the provider has to hold the arguments to the schema, of each tool whose schema it can enforce.
            The model then has to give every argument, also one that has a default; it may give null where the tool
            takes it.

    See https://openrouter.ai/docs/features/tool-calling
    """
    specs = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
    if strict:
        for spec in specs:
            function = spec["function"]
            if (parameters := strict_schema(function["parameters"])) is not None:
                function.update(strict=True, parameters=parameters)
    return specs


def tool_choice_to_wire(
    choice: str | Mapping[str, Any] | None, *, required: bool
) -> str | Mapping[str, Any] | None:
    """Say whether, and which, tool the model has to call.

    Args:
        choice: `"auto"`, `"none"`, `"required"` (or `"any"`), the name of a tool, or the wire's own object.
        required: Whether some tool has to be called where `choice` is None.

    Returns:
        The value of `tool_choice`, or None where nothing was asked for.

    Example:
        >>> tool_choice_to_wire("weather", required=False)
        {'type': 'function', 'function': {'name': 'weather'}}
    """
    if choice is None:
        return "required" if required else None
    if isinstance(choice, str):
        return _CHOICES.get(choice) or {"type": "function", "function": {"name": choice}}
    return choice


def wire_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a plain call, which sends them as they are.

    Raises:
        BadRequestError: Tools or a class are among them, which other methods describe to the model.
    """
    tools = options.get("tools")
    for tool in tools if isinstance(tools, (list, tuple)) else ():
        if not isinstance(tool, Mapping):
            raise BadRequestError(
                f"tools takes the wire's own objects here, got a {type(tool).__name__}: "
                "call chat_with_tools(tools, ...), or one of its kin"
            )
    wanted = options.get("response_format")
    if isinstance(wanted, type):
        raise BadRequestError(
            f"response_format takes the wire's own object, got the class {wanted.__name__}: "
            f"call structured_predict({wanted.__name__}, ...), or as_structured_llm({wanted.__name__})"
        )
    return dict(options)


def with_user_message(
    history: Sequence[ChatMessage] | None, user_msg: str | ChatMessage | None
) -> list[ChatMessage]:
    """Return the history with the user's message at its end; the caller's list stays as it is."""
    messages = list(history or ())
    if isinstance(user_msg, str):
        user_msg = ChatMessage(role=MessageRole.USER, content=user_msg)
    if user_msg is not None:
        messages.append(user_msg)
    return messages


def tool_selections(response: ChatResponse) -> list[ToolSelection]:
    """Return the calls of a response, whole or still arriving; nothing in it raises.

    Args:
        response: A response of ours, or any other whose message holds `ToolCallBlock`s or wire calls.

    Returns:
        A selection for each call. While an answer streams, `tool_kwargs` holds what could be read so far. In a whole
        answer, a call whose arguments are no JSON object has none, and a name that no tool has (see `NOT_CALLED`).
    """
    selections = []
    for call_id, name, arguments in _calls(response):
        parsed, problem = _read(arguments)
        if parsed is None:
            name = f"{name}{NOT_CALLED}{problem}{_cut(response, '; the answer was cut off')})"
        selections.append(
            ToolSelection(tool_id=call_id, tool_name=name, tool_kwargs=dict(parsed or {}))
        )
    return selections


def readable_selections(response: ChatResponse) -> list[ToolSelection]:
    """Return the calls of a response for a caller that cannot do without, nor tell the model what is wrong with them.

    Raises:
        ResponseParseError: There is no call, or one whose arguments are no JSON object.
    """
    for _, name, arguments in _calls(response):
        parsed, problem = _read(arguments)
        if parsed is None:
            raise _no_calls(
                response,
                f"called {name!r} with arguments that cannot be read: {problem}; they are {str(arguments)[:200]!r}",
                "ask again, or pass error_on_no_tool_call=False",
            )
    selections = tool_selections(response)
    if not selections:
        said = str(response.message.content or "")[:200]
        raise _no_calls(
            response,
            f"called no tool but answered: {said!r}",
            "force a call with tool_required=True, or pass error_on_no_tool_call=False",
        )
    return selections


def _calls(response: ChatResponse) -> list[tuple[str, str, Mapping[str, Any] | str]]:
    """Return the id, the tool and the arguments of each call, read or as the model wrote them."""
    blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return [(block.tool_call_id or "", block.tool_name, block.tool_kwargs) for block in blocks]
    calls: list[tuple[str, str, Mapping[str, Any] | str]] = []
    for call in response.message.additional_kwargs.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            text = arguments_text(function.get("arguments"))
            calls.append((call.get("id") or "", function.get("name") or "", text))
    return calls


def _read(arguments: Mapping[str, Any] | str) -> tuple[Mapping[str, Any] | None, str | None]:
    return parse_arguments(arguments) if isinstance(arguments, str) else (arguments, None)


def _cut(response: ChatResponse, text: str) -> str:
    return text if response.additional_kwargs.get("finish_reason") == "length" else ""


def _no_calls(response: ChatResponse, what: str, advice: str) -> ResponseParseError:
    metadata = response.additional_kwargs
    cut = _cut(response, "; the answer was cut off: raise max_tokens")
    return ResponseParseError(
        compose(
            f"the model {what} (finish reason {metadata.get('finish_reason')!r}{cut})",
            model=metadata.get("model_name"),
            provider=metadata.get("provider"),
            generation_id=metadata.get("id"),
            advice=advice,
        ),
        provider=metadata.get("provider"),
        generation_id=metadata.get("id"),
        retryable=not cut,
    )


def keep_first_call(response: ChatResponse) -> ChatResponse:
    """Take all but the first tool call out of a response, for a caller that takes no parallel ones."""
    message = response.message
    calls = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if len(calls) > 1:
        message.blocks = [
            block
            for block in message.blocks
            if not isinstance(block, ToolCallBlock) or block is calls[0]
        ]
    kept = message.additional_kwargs.get("tool_calls")
    if isinstance(kept, list) and len(kept) > 1:
        message.additional_kwargs["tool_calls"] = kept[:1]
    return response


def checked_tools(tools: Sequence[BaseTool]) -> Sequence[BaseTool]:
    """Refuse what is no tool, two tools of one name, and the name of a call that is not to be run.

    Raises:
        BadRequestError: It is.
    """
    names: list[str | None] = []
    for tool in tools:
        metadata = getattr(tool, "metadata", None)
        if metadata is None:
            raise BadRequestError(
                f"{tool!r} is no tool; wrap it with FunctionTool.from_defaults(...)"
            )
        if metadata.name in names:
            raise BadRequestError(
                f"two tools are named {metadata.name!r}; the model cannot tell them apart"
            )
        if NOT_CALLED in (metadata.name or ""):
            raise BadRequestError(
                f"a tool cannot be named {metadata.name!r}: calls whose arguments cannot be read are"
            )
        names.append(metadata.name)
    return tools
