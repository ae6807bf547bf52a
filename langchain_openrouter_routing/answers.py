"""OpenRouter's answers as LangChain's messages and chunks, with the same metadata streamed or not.

A stream's chunks are merged by LangChain, which concatenates texts under the same key: so each metadata key is on
exactly one chunk (`model_name` on the first that knows it, the rest on the last), and only `model_provider` on all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    InvalidToolCall,
    ToolCall,
    ToolCallChunk,
)
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from openrouter_routing.accumulator import Delta
from openrouter_routing.completion import Choice, Completion
from openrouter_routing.route import Usage, route_metadata

PROVIDER = "openrouter"
"""The `model_provider` of every message, by which LangChain finds the block translator."""


def chat_result(completion: Completion) -> ChatResult:
    """Return a whole answer as LangChain's result, a generation for each choice."""
    metadata = _metadata(completion)
    usage = usage_metadata(completion.usage)
    generations = []
    for choice in completion.choices:
        calls, invalid = _tool_calls(choice)
        message = AIMessage(
            content=choice.text,
            additional_kwargs=_additional(choice),
            tool_calls=calls,
            invalid_tool_calls=invalid,
            response_metadata={**metadata, **_of_choice(choice), "model_provider": PROVIDER},
            usage_metadata=usage,
        )
        generations.append(ChatGeneration(message=message, generation_info=_finish_info(message)))
        # The tokens are those of the whole request: counted once.
        usage = None
    return ChatResult(generations=generations, llm_output=_llm_output(completion))


def chunk_of(delta: Delta, model: str | None) -> ChatGenerationChunk:
    """Return what a delta added.

    Args:
        delta: The delta.
        model: The serving model, on the first chunk that knows it; else None.
    """
    # Built once for each token: only what the delta holds is handed to LangChain's validation.
    parts: dict[str, Any] = {"response_metadata": {"model_provider": PROVIDER}}
    if model is not None:
        parts["response_metadata"]["model_name"] = model
    if delta.reasoning:
        parts["additional_kwargs"] = {"reasoning_content": delta.reasoning}
    if not delta.tool_calls:
        return ChatGenerationChunk(message=AIMessageChunk(content=delta.content, **parts))
    fragments = [
        tool_call_chunk(name=call.name, args=call.arguments, id=call.id, index=call.index)
        for call in delta.tool_calls
    ]
    if any(fragment["name"] for fragment in fragments):
        parts["tool_call_chunks"] = fragments
    message = AIMessageChunk(content=delta.content, **parts)
    # Validation would parse every fragment by itself, in time that grows with the square of its length, and call it
    # an invalid tool call. What only continues a call is none, so it goes in past it.
    message.tool_call_chunks = fragments
    return ChatGenerationChunk(message=message)


def last_chunk(completion: Completion, *, named: bool, with_usage: bool) -> ChatGenerationChunk:
    """Return the chunk that ends a stream, with all that is known only then.

    Args:
        completion: The whole answer.
        named: Whether an earlier chunk carried `model_name`.
        with_usage: Whether to carry the token counts.
    """
    metadata = _metadata(completion)
    if named:
        metadata.pop("model_name", None)
    additional: dict[str, Any] = {}
    fragments: list[ToolCallChunk] = []
    if completion.choices:
        choice = completion.choices[0]
        metadata.update(_of_choice(choice))
        additional = _additional(choice)
        if choice.message.get("reasoning"):
            # It was streamed. What is told in the details alone is known whole only now.
            additional.pop("reasoning_content", None)
        fragments = [
            tool_call_chunk(name=None, args=unclosable(call.arguments_json), id=None, index=place)
            for place, call in enumerate(choice.tool_calls)
            if call.arguments is None
        ]
    message = AIMessageChunk(
        content="",
        additional_kwargs=additional,
        response_metadata={**metadata, "model_provider": PROVIDER},
        usage_metadata=usage_metadata(completion.usage) if with_usage else None,
        chunk_position="last",
    )
    message.tool_call_chunks = fragments
    return ChatGenerationChunk(message=message, generation_info=_finish_info(message))


def unclosable(arguments: str) -> str:
    """Return what to append to unreadable arguments so that LangChain does not read them either.

    It completes the arguments of a stream that broke off with its best guess, which would then be executed, and looks
    for it in time that grows with the square of their length. Behind a bracket that closes nothing it gives up at once,
    and the call is an invalid one, as it is in an answer that came whole.

    Args:
        arguments: The arguments as they came: no JSON object.

    Example:
        >>> unclosable('{"amount": 12'), unclosable('{"to": ["a", "b')
        (']', '"}')
    """
    open_brackets: list[str] = []
    in_text = escaped = False
    for letter in arguments:
        if in_text:
            in_text = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            in_text = True
        elif letter in "{[":
            open_brackets.append(letter)
        elif letter in "}]" and open_brackets:
            open_brackets.pop()
    end_of_text = '""' if escaped else '"' if in_text else ""
    return end_of_text + ("}" if open_brackets[-1:] == ["["] else "]")


def usage_metadata(usage: Usage) -> UsageMetadata | None:
    """Return token counts as LangChain keeps them: whole numbers only, or None where the wire told none."""
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    given, made = usage.prompt_tokens or 0, usage.completion_tokens or 0
    counts = UsageMetadata(
        input_tokens=given,
        output_tokens=made,
        total_tokens=usage.total_tokens if usage.total_tokens is not None else given + made,
    )
    inputs = _told(
        audio=usage.input_audio_tokens,
        cache_creation=usage.cache_write_tokens,
        cache_read=usage.cached_tokens,
        video=usage.video_tokens,
    )
    outputs = _told(
        audio=usage.output_audio_tokens,
        reasoning=usage.reasoning_tokens,
        image=usage.output_image_tokens,
    )
    if inputs:
        counts["input_token_details"] = cast("InputTokenDetails", inputs)
    if outputs:
        counts["output_token_details"] = cast("OutputTokenDetails", outputs)
    return counts


def _told(**counts: int | None) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count is not None}


def _metadata(completion: Completion) -> dict[str, Any]:
    metadata = route_metadata(completion.raw, completion.route)
    if usage := completion.raw.get("usage"):
        metadata["token_usage"] = usage
    return metadata


def _of_choice(choice: Choice) -> dict[str, Any]:
    """Return what the metadata says of one choice; the route tells only that of the first."""
    told = {
        "finish_reason": choice.finish_reason,
        "native_finish_reason": choice.native_finish_reason,
        "logprobs": choice.logprobs,
    }
    return {name: value for name, value in told.items() if value is not None}


def _finish_info(message: AIMessage) -> dict[str, Any] | None:
    # Merged into the metadata by LangChain, where the same value already is.
    finish = message.response_metadata.get("finish_reason")
    return {"finish_reason": finish} if finish else None


def _llm_output(completion: Completion) -> dict[str, Any]:
    told = {
        "token_usage": completion.raw.get("usage"),
        "model_name": completion.route.model or completion.route.requested_model,
        "cost": completion.route.cost,
    }
    return {name: value for name, value in told.items() if value is not None}


def combined_output(outputs: Iterable[Mapping[str, Any] | None], model: str) -> dict[str, Any]:
    """Add up the outputs of several requests: tokens and cost, and the model where all have the same.

    Args:
        outputs: What `chat_result` put into `llm_output`, for each request.
        model: The model that was asked for.
    """
    told = [output for output in outputs if output]
    usage: dict[str, Any] = {}
    for output in told:
        _add_up(usage, output.get("token_usage") or {})
    models = {output["model_name"] for output in told if "model_name" in output}
    combined = {"token_usage": usage, "model_name": models.pop() if len(models) == 1 else model}
    costs = [output["cost"] for output in told if output.get("cost") is not None]
    return {**combined, "cost": sum(costs)} if costs else combined


def _add_up(total: dict[str, Any], usage: Mapping[str, Any]) -> None:
    for name, value in usage.items():
        if isinstance(value, Mapping):
            _add_up(total.setdefault(name, {}), value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            total[name] = total.get(name, 0) + value


def _additional(choice: Choice) -> dict[str, Any]:
    """Return what the next turn replays and the block translator reads."""
    told: dict[str, Any] = {
        "reasoning_content": choice.reasoning,
        "reasoning_details": choice.reasoning_details,
        "refusal": choice.refusal,
        "images": choice.images,
        "audio": choice.audio,
        "annotations": choice.annotations,
    }
    return {name: value for name, value in told.items() if value}


def _tool_calls(choice: Choice) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    calls: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    for call in choice.tool_calls:
        if call.arguments is not None:
            calls.append(tool_call(name=call.name, args=call.arguments, id=call.id))
        else:
            invalid.append(
                invalid_tool_call(
                    name=call.name, args=call.arguments_json, id=call.id, error=call.error
                )
            )
    return calls, invalid
