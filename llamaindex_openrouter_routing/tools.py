"""Tools: what is offered to the model, and what of its answer is to be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection

from openrouter_routing._tool_calls import arguments_text, parse_arguments
from openrouter_routing.errors import BadRequestError, ResponseParseError

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool

UNREADABLE = ("arguments_that_are_not_json", "what_is_wrong_with_them")
"""The arguments a call is handed on with when what the model wrote cannot be read: no tool takes them, so that the tool
is not run on half of its arguments and the model is told. They are two because LlamaIndex would hand a single one to a
tool of one parameter, whatever its name."""

_CHOICES = {"any": "required", "required": "required", "auto": "auto", "none": "none"}


def tools_to_wire(tools: Sequence[BaseTool], *, strict: bool = False) -> list[dict[str, Any]]:
    """Describe tools to the model.

    Args:
        tools: LlamaIndex tools.
        strict: Whether the provider has to hold the arguments to the schema.

    See https://openrouter.ai/docs/features/tool-calling
    """
    specs = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
    if strict:
        for spec in specs:
            spec["function"]["strict"] = True
            spec["function"]["parameters"]["additionalProperties"] = False
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
        answer, arguments that are no JSON object come under the names of `UNREADABLE`.
    """
    blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return [
            _selection(block.tool_call_id, block.tool_name, block.tool_kwargs) for block in blocks
        ]
    selections = []
    for call in response.message.additional_kwargs.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            text = arguments_text(function.get("arguments"))
            selections.append(_selection(call.get("id"), function.get("name"), text))
    return selections


def _selection(
    call_id: str | None, name: str | None, arguments: Mapping[str, Any] | str
) -> ToolSelection:
    if isinstance(arguments, str):
        parsed, problem = parse_arguments(arguments)
        if parsed is None:
            parsed = dict(zip(UNREADABLE, (arguments, problem), strict=True))
        arguments = parsed
    return ToolSelection(tool_id=call_id or "", tool_name=name or "", tool_kwargs=dict(arguments))


def no_tool_call(response: ChatResponse) -> ResponseParseError:
    """Build the error for an answer that should have called a tool."""
    metadata = response.additional_kwargs
    return ResponseParseError(
        f"{metadata.get('model_name') or 'the model'} called no tool (finish reason "
        f"{metadata.get('finish_reason')!r}) but answered: {str(response.message.content or '')[:200]!r}; "
        "force a call with tool_required=True, or pass error_on_no_tool_call=False",
        provider=metadata.get("provider"),
        generation_id=metadata.get("id"),
        retryable=True,
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
    """Refuse what is no tool, or two tools of one name.

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
        names.append(metadata.name)
    return tools
