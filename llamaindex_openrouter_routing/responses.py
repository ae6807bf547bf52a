"""Answers as LlamaIndex responses: whole, and cumulative while they stream."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ChatResponse,
    CitationBlock,
    CompletionResponse,
    ContentBlock,
    ImageBlock,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from llamaindex_openrouter_routing._partial import PartialJson
from openrouter_routing._failures import compose
from openrouter_routing.accumulator import Delta
from openrouter_routing.completion import Choice, Completion
from openrouter_routing.errors import ResponseParseError
from openrouter_routing.route import route_metadata

Json = dict[str, Any]


def read_response(completion: Completion, delta: str | None = None) -> ChatResponse:
    """Turn a whole answer into a `ChatResponse`.

    Args:
        completion: The answer.
        delta: The text that this response adds to a stream.

    Returns:
        The response: `message` with all blocks, `raw` the wire object with its `usage`, and in `additional_kwargs` the
        routing metadata (`model_name`, `provider`, `finish_reason`, `cost`, ...) and token counts. What the next turn
        must replay is in `message.additional_kwargs`.

    Raises:
        ResponseParseError: The answer holds something that LlamaIndex's types cannot.
    """
    choice = completion.choices[0] if completion.choices else None
    try:
        message = ChatMessage(role=MessageRole.ASSISTANT)
        if choice is not None:
            message.blocks = _blocks(choice, completion.usage.reasoning_tokens)
            message.additional_kwargs = _to_replay(choice)
        response = ChatResponse(
            message=message,
            raw=completion.raw,
            delta=delta,
            logprobs=_logprobs(choice.logprobs) if choice and choice.logprobs else None,
            additional_kwargs=_metadata(completion, choice),
        )
    except (ValueError, TypeError) as error:
        raise _unreadable(completion, f"does not fit LlamaIndex's types: {error}") from error
    media = choice is not None and (choice.images or (choice.audio and choice.audio.get("data")))
    if media and not response.message.blocks:
        raise _unreadable(completion, "is an image or a sound that cannot be read")
    if choice is not None and not response.message.blocks:
        response.message.blocks = [TextBlock(text="")]
    return response


def _unreadable(completion: Completion, what: str) -> ResponseParseError:
    route = completion.route
    error = ResponseParseError(
        compose(
            f"the answer {what}",
            model=route.requested_model,
            provider=route.provider,
            generation_id=route.generation_id,
            advice="send it again; it may have been billed. What came is in .partial",
        ),
        provider=route.provider,
        generation_id=route.generation_id,
        retryable=False,
    )
    error.partial = completion
    return error


def to_completion(response: ChatResponse) -> CompletionResponse:
    """Turn a chat response into a `CompletionResponse` with the same metadata."""
    return CompletionResponse(
        text=response.message.content or "",
        additional_kwargs=response.additional_kwargs,
        raw=response.raw,
        logprobs=response.logprobs,
        delta=response.delta,
    )


def _metadata(completion: Completion, choice: Choice | None) -> Json:
    metadata = route_metadata(completion.raw, completion.route)
    usage = completion.usage
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if (count := getattr(usage, name)) is not None:
            metadata[name] = count
    if choice is not None and choice.refusal:
        metadata["refusal"] = choice.refusal
    return metadata


def _blocks(choice: Choice, reasoning_tokens: int | None) -> list[ContentBlock]:
    blocks: list[ContentBlock] = []
    if choice.reasoning or choice.reasoning_details:
        blocks.append(
            ThinkingBlock(
                content=choice.reasoning or None,
                num_tokens=reasoning_tokens,
                additional_information={"reasoning_details": choice.reasoning_details}
                if choice.reasoning_details
                else {},
            )
        )
    if text := choice.text or choice.refusal or _transcript(choice.audio):
        blocks.append(TextBlock(text=text))
    blocks.extend(_images(choice.images))
    blocks.extend(_audio(choice.audio or {}))
    blocks.extend(_citations(choice.annotations))
    for call in choice.tool_calls:
        arguments = call.arguments if call.arguments is not None else call.arguments_json
        blocks.append(
            ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=arguments)
        )
    return blocks


def _to_replay(choice: Choice) -> Json:
    kept: Json = {}
    if choice.tool_calls:
        # FunctionCallingProgram streams only from here, and the next turn gets the arguments as the model wrote them.
        kept["tool_calls"] = [
            tool_call_to_wire(call.id, call.name, call.arguments_json) for call in choice.tool_calls
        ]
    if choice.annotations:
        kept["annotations"] = choice.annotations
    if choice.audio and choice.audio.get("id"):
        kept["audio"] = {
            name: choice.audio[name] for name in ("id", "transcript") if choice.audio.get(name)
        }
    return kept


def tool_call_to_wire(call_id: str | None, name: str, arguments: str) -> Json:
    """Return one call in the shape of the wire."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _transcript(audio: Mapping[str, Any] | None) -> str:
    """Return what was said in a sound that came without its data."""
    told = audio.get("transcript") if audio and not audio.get("data") else None
    return told if isinstance(told, str) else ""


def _images(images: list[Json]) -> list[ImageBlock]:
    """Return the images that are any; what is no image is still in `raw`, and the text beside it was paid for."""
    blocks = []
    for image in images:
        holder = image.get("image_url")
        url = holder.get("url") if isinstance(holder, Mapping) else image.get("url")
        if isinstance(url, str) and (block := _image(url)) is not None:
            blocks.append(block)
    return blocks


def _image(url: str) -> ImageBlock | None:
    head, comma, data = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        return ImageBlock(url=url)
    mimetype = head.removeprefix("data:").removesuffix(";base64") or None
    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error:
        return None
    return ImageBlock(image=content, image_mimetype=mimetype)


def _audio(audio: Mapping[str, Any]) -> list[AudioBlock]:
    data, kind = audio.get("data"), audio.get("format")
    if not isinstance(data, str) or not data:
        return []
    try:
        # Base64 may come in lines.
        content = base64.b64decode("".join(data.split()), validate=True)
    except binascii.Error:
        return []
    return [AudioBlock(audio=content, format=kind if isinstance(kind, str) else None)]


def _citations(annotations: list[Json]) -> list[CitationBlock]:
    citations = []
    for annotation in annotations:
        cited = annotation.get("url_citation")
        if not isinstance(cited, Mapping) or not isinstance(cited.get("url"), str):
            continue
        where = {
            name: cited[name]
            for name in ("start_index", "end_index")
            if isinstance(cited.get(name), int)
        }
        citations.append(
            CitationBlock(
                cited_content=TextBlock(text=str(cited.get("content") or "")),
                source=cited["url"],
                title=str(cited.get("title") or ""),
                additional_location_info=where,
            )
        )
    return citations


def _logprobs(logprobs: Mapping[str, Any]) -> list[list[LogProb]] | None:
    tokens = logprobs.get("content")
    if not isinstance(tokens, list):
        return None
    return [_likeliest(token) for token in tokens if isinstance(token, Mapping)]


def _likeliest(token: Mapping[str, Any]) -> list[LogProb]:
    """Return the likeliest tokens at one place, as far as the wire tells them in a form that can be read."""
    entries = token.get("top_logprobs")
    listed = entries if isinstance(entries, list) and entries else [token]
    return [
        LogProb(
            token=str(entry.get("token") or ""), logprob=logprob, bytes=_bytes(entry.get("bytes"))
        )
        for entry in listed
        if isinstance(entry, Mapping) and (logprob := _number(entry.get("logprob"))) is not None
    ]


def _number(value: object) -> float | None:
    if value is None:
        return 0.0
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _bytes(value: object) -> list[int]:
    numbers = value if isinstance(value, list) else []
    return [] if any(type(number) is not int for number in numbers) else numbers


class _Call:
    """A tool call as far as it has arrived."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.arguments = PartialJson()


class StreamedResponse:
    """Deltas in, cumulative responses out.

    Each response holds all that has arrived. The arguments of a tool call are parsed anew only when they have grown by
    a part of their length, so that long ones stay linear.
    """

    __slots__ = ("_calls", "_reasoning", "_text")

    def __init__(self) -> None:
        self._text = ""
        self._reasoning = ""
        self._calls: list[_Call] = []

    def add(self, delta: Delta) -> ChatResponse | None:
        """Take a delta in; return the response so far, or None where the delta is of another choice."""
        if delta.index != 0:
            return None
        text = delta.content or delta.refusal
        self._text += text
        self._reasoning += delta.reasoning
        for fragment in delta.tool_calls:
            while len(self._calls) <= fragment.index:
                self._calls.append(_Call())
            call = self._calls[fragment.index]
            call.id = fragment.id or call.id
            call.name += fragment.name or ""
            call.arguments.add(fragment.arguments)
        return ChatResponse(
            message=self._message(),
            delta=text,
            raw=None,
            logprobs=_logprobs(delta.logprobs) if delta.logprobs else None,
            additional_kwargs={"thinking_delta": delta.reasoning} if delta.reasoning else {},
        )

    def finish(self, completion: Completion) -> ChatResponse:
        """Return the last response: the whole answer with its metadata."""
        return read_response(completion, delta="")

    def _message(self) -> ChatMessage:
        blocks: list[ContentBlock] = []
        if self._reasoning:
            blocks.append(ThinkingBlock(content=self._reasoning))
        if self._text or not (self._calls or self._reasoning):
            blocks.append(TextBlock(text=self._text))
        kept: Json = {}
        if self._calls:
            blocks.extend(
                ToolCallBlock(
                    tool_call_id=call.id, tool_name=call.name, tool_kwargs=call.arguments.parsed
                )
                for call in self._calls
            )
            kept["tool_calls"] = [
                tool_call_to_wire(call.id, call.name, call.arguments.text) for call in self._calls
            ]
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=kept)
