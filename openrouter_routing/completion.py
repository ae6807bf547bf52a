"""`Completion`: a whole answer, streamed or not, read with nothing but `choices` taken for granted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openrouter_routing._json_values import as_text
from openrouter_routing._reasoning import reasoning_text
from openrouter_routing._tool_calls import ToolCall, read_tool_calls
from openrouter_routing.route import Route, Usage


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers to a request; there are several only where `n` asked for them.

    Attributes:
        index: Its number.
        text: The text, without reasoning.
        reasoning: The readable reasoning, or "".
        reasoning_details: The reasoning blocks, to be replayed unchanged.
        tool_calls: The tool calls, also those whose arguments cannot be read.
        refusal: The refusal, where the model refused.
        images: Generated images, as they came.
        audio: Generated audio, as it came.
        annotations: Citations and parsed files, as they came.
        finish_reason: Why it stopped; `tool_calls` whenever there are calls and it did not break off.
        native_finish_reason: The provider's own word for it.
        logprobs: Log probabilities, as they came.
        message: The wire message.
    """

    index: int
    text: str
    reasoning: str
    reasoning_details: list[dict[str, Any]]
    tool_calls: list[ToolCall]
    refusal: str | None
    images: list[dict[str, Any]]
    audio: dict[str, Any] | None
    annotations: list[dict[str, Any]]
    finish_reason: str | None
    native_finish_reason: str | None
    logprobs: dict[str, Any] | None
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer.

    Attributes:
        raw: The wire object; for a stream, the same object put together from its chunks.
        choices: The answers.
        route: Where the request went and what it cost.

    Example:
        >>> read_completion({"choices": [{"message": {"content": "Bern."}}]}).text
        'Bern.'
    """

    raw: dict[str, Any]
    choices: list[Choice]
    route: Route

    @property
    def text(self) -> str:
        """The text of the first choice."""
        return self.choices[0].text if self.choices else ""

    @property
    def reasoning(self) -> str:
        """The readable reasoning of the first choice."""
        return self.choices[0].reasoning if self.choices else ""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the first choice."""
        return self.choices[0].tool_calls if self.choices else []

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice stopped."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def usage(self) -> Usage:
        """Token counts."""
        return self.route.usage

    @property
    def is_empty(self) -> bool:
        """Whether nothing was generated: no text, tool call, refusal, image, audio or reasoning in any choice."""
        return not any(
            choice.text
            or choice.tool_calls
            or choice.refusal
            or choice.images
            or choice.audio
            or choice.reasoning
            or choice.reasoning_details
            for choice in self.choices
        )


def read_completion(body: dict[str, Any], **route_details: Any) -> Completion:
    """Read a whole answer. Every field but `choices` may be missing, null, new or of a new value.

    Args:
        body: The wire object; its finish reasons are put in normal form in place.
        **route_details: What the wire does not say, as for `Route.from_wire`.

    Returns:
        The completion; one without usable choices has an empty list of them.
    """
    entries = body.get("choices")
    generation_id = body.get("id") if isinstance(body.get("id"), str) else None
    choices = [
        _read_choice(entry, place, generation_id)
        for place, entry in enumerate(entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    ]
    return Completion(body, choices, Route.from_wire(body, **route_details))


def _read_choice(entry: dict[str, Any], place: int, generation_id: str | None) -> Choice:
    message = entry.get("message")
    message = message if isinstance(message, dict) else {}
    calls = read_tool_calls(message.get("tool_calls"), generation_id)
    normalize_finish(entry, has_tool_calls=bool(calls))
    details = _dicts(message.get("reasoning_details"))
    index = entry.get("index")
    audio, logprobs = message.get("audio"), entry.get("logprobs")
    return Choice(
        index=index if isinstance(index, int) else place,
        text=content_text(message.get("content")),
        reasoning=as_text(message.get("reasoning")) or reasoning_text(details),
        reasoning_details=details,
        tool_calls=calls,
        refusal=as_text(message.get("refusal")),
        images=_dicts(message.get("images")),
        audio=audio if isinstance(audio, dict) else None,
        annotations=_dicts(message.get("annotations")),
        finish_reason=as_text(entry.get("finish_reason")),
        native_finish_reason=as_text(entry.get("native_finish_reason")),
        logprobs=logprobs if isinstance(logprobs, dict) else None,
        message=message,
    )


def normalize_finish(entry: dict[str, Any], *, has_tool_calls: bool) -> None:
    """Make `finish_reason` say `tool_calls` where there are calls, and keep the provider's word beside it.

    `length`, `content_filter` and `error` stay: they say that the calls may be incomplete.
    """
    finish = entry.get("finish_reason")
    if has_tool_calls and finish in (None, "stop", "end_turn", "function_call", ""):
        if finish and not entry.get("native_finish_reason"):
            entry["native_finish_reason"] = finish
        entry["finish_reason"] = "tool_calls"


def content_text(content: object) -> str:
    """Return the text of a message's content, which may be text, a list of parts, or null."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (
        part if isinstance(part, str) else part.get("text") if isinstance(part, Mapping) else None
        for part in content
    )
    return "".join(text for text in texts if isinstance(text, str))


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
