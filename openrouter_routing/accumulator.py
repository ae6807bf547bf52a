"""`Accumulator`: the chunks of a stream in, deltas out, and at the end the same answer as without streaming.

This is the hot path: one dict a chunk, nothing validated, nothing copied that has already arrived.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from openrouter_routing._reasoning import join_reasoning_details
from openrouter_routing._tool_calls import ToolCallAssembler, ToolCallDelta

_CHOICE_KEYS = frozenset(
    ("index", "delta", "message", "finish_reason", "native_finish_reason", "logprobs", "error")
)
_TEXT_KEYS = frozenset(("content", "role"))
_NOT_TOP_LEVEL = frozenset(("usage", "error", "object"))
_WORDS_OF_TEXTS = frozenset(
    ("content", "reasoning", "refusal", "summary", "text", "thinking", "thought", "transcript")
)


class Delta:
    """What one chunk added to one choice; what it did not add is empty.

    Attributes:
        index: The number of the choice.
        content: New text.
        reasoning: New readable reasoning.
        reasoning_details: New fragments of reasoning blocks, as they came.
        tool_calls: New fragments of tool calls, in normal form.
        refusal: New text of a refusal.
        images: New images.
        audio: New audio, as it came.
        annotations: New annotations.
        logprobs: New log probabilities.
    """

    # On the class, so that a delta of plain text, which most are, has two fields to set and not ten.
    reasoning: str = ""
    reasoning_details: Sequence[dict[str, Any]] = ()
    tool_calls: Sequence[ToolCallDelta] = ()
    refusal: str = ""
    images: Sequence[dict[str, Any]] = ()
    audio: dict[str, Any] | None = None
    annotations: Sequence[dict[str, Any]] = ()
    logprobs: dict[str, Any] | None = None

    def __init__(self, index: int, content: str = "") -> None:
        self.index = index
        self.content = content


class _Choice:
    """What has arrived of one choice."""

    __slots__ = (
        "annotations", "audio", "extra", "extra_texts", "finish_reason", "images", "index", "logprobs",
        "native_finish_reason", "parts", "reasoning", "reasoning_details", "refusal", "text", "tool_calls", "unknown",
    )  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.text: list[str] = []
        self.parts: list[tuple[int, Any]] = []
        self.reasoning: list[str] = []
        self.reasoning_details: list[dict[str, Any]] = []
        self.tool_calls = ToolCallAssembler()
        self.refusal: list[str] = []
        self.images: list[dict[str, Any]] = []
        self.audio: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.logprobs: list[dict[str, Any]] = []
        self.finish_reason: str | None = None
        self.native_finish_reason: str | None = None
        self.extra: dict[str, Any] = {}
        self.extra_texts: dict[str, list[str]] = {}
        self.unknown: dict[str, Any] = {}

    def take_parts(self, content: object) -> str:
        """Take in a content that is a list of parts; return its text, and keep what is none with its place."""
        if not isinstance(content, list):
            return ""
        began = len(self.text)
        for part in content:
            text = part.get("text") if isinstance(part, Mapping) else part
            if not isinstance(text, str):
                self.parts.append((len(self.text), part))
            elif text:
                self.text.append(text)
        return "".join(self.text[began:])

    def content(self) -> str | list[Any] | None:
        """Return the content as a whole answer has it: a text, or a list where there was more than text."""
        if not self.parts:
            return "".join(self.text) if self.text else None
        content: list[Any] = []
        began = 0
        for place, part in (*self.parts, (len(self.text), None)):
            if place > began:
                content.append({"type": "text", "text": "".join(self.text[began:place])})
                began = place
            if part is not None:
                content.append(part)
        return content

    def keep_unknown(self, entry: Mapping[str, Any]) -> None:
        """Keep the fields of a choice that this package does not know, as they were told last."""
        for key, value in entry.items():
            if key not in _CHOICE_KEYS and value is not None:
                self.unknown[key] = value


class Accumulator:
    """Takes the chunks of one stream.

    Example:
        >>> accumulator = Accumulator()
        >>> [delta.content for delta in accumulator.add({"choices": [{"delta": {"content": "Be"}}]})]
        ['Be']
        >>> _ = accumulator.add({"choices": [{"delta": {"content": "rn."}, "finish_reason": "stop"}]})
        >>> accumulator.to_wire()["choices"][0]["message"]["content"]
        'Bern.'
    """

    __slots__ = ("_choices", "_latest", "_top", "_usage")

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._latest: dict[str, Any] = {}
        self._top: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}

    @property
    def has_content(self) -> bool:
        """Whether anything of an answer has arrived."""
        return any(
            choice.text or choice.parts or choice.reasoning or choice.reasoning_details
            or len(choice.tool_calls) or choice.refusal or choice.images or choice.audio
            for choice in self._choices.values()
        )  # fmt: skip

    @property
    def finished_choices(self) -> int:
        """How many choices have their finish reason; 0 as long as one that began has none."""
        if all(choice.finish_reason for choice in self._choices.values()):
            return len(self._choices)
        return 0

    @property
    def has_begun(self) -> bool:
        """Whether any choice has arrived, be it an empty one."""
        return bool(self._choices)

    @property
    def generation_id(self) -> str | None:
        """The generation's id, once a chunk told it."""
        return self._named("id")

    @property
    def provider(self) -> str | None:
        """The serving provider, once a chunk told it."""
        return self._named("provider")

    @property
    def model(self) -> str | None:
        """The serving model, once a chunk told it."""
        return self._named("model")

    def _named(self, key: str) -> str | None:
        value = self._top.get(key)
        return value if isinstance(value, str) and value else None

    def add(self, chunk: Mapping[str, Any]) -> list[Delta]:
        """Take one chunk in, and return what it added, a delta for each choice it added to."""
        around = {**chunk}
        entries = around.pop("choices", None)
        # Most chunks of a stream differ in their choices only.
        if around != self._latest:
            self._latest = around
            self._add_around(around)
        deltas: list[Delta] = []
        if not isinstance(entries, list):
            return deltas
        for place, entry in enumerate(entries):
            if isinstance(entry, dict):
                delta = self._add_choice(entry, place)
                if delta is not None:
                    deltas.append(delta)
        return deltas

    def _add_around(self, around: Mapping[str, Any]) -> None:
        """Take in what a chunk says beside its choices."""
        for key, value in around.items():
            if value is not None and key not in _NOT_TOP_LEVEL:
                self._top[key] = value
        usage = around.get("usage")
        if usage and isinstance(usage, dict):
            self._usage.update({key: value for key, value in usage.items() if value is not None})

    def _add_choice(self, entry: dict[str, Any], place: int) -> Delta | None:
        index = entry.get("index")
        if not isinstance(index, int):
            index = place
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        if finish := entry.get("finish_reason"):
            choice.finish_reason = str(finish)
        if native := entry.get("native_finish_reason"):
            choice.native_finish_reason = str(native)
        logprobs = entry.get("logprobs")
        if isinstance(logprobs, dict):
            choice.logprobs.append(logprobs)
        if not entry.keys() <= _CHOICE_KEYS:
            choice.keep_unknown(entry)
        body = entry.get("delta")
        if not isinstance(body, dict):
            # Some gateways answer a streamed request with whole messages.
            body = entry.get("message")
            if not isinstance(body, dict):
                return None
        content = body.get("content")
        if type(content) is not str:
            content = choice.take_parts(content)
        elif content:
            choice.text.append(content)
        delta = Delta(index, content)
        added = bool(content)
        if not body.keys() <= _TEXT_KEYS:
            for key, value in body.items():
                if value and key not in _TEXT_KEYS:
                    added = _add_part(choice, delta, key, value) or added
        if isinstance(logprobs, dict):
            delta.logprobs = logprobs
            added = True
        return delta if added else None

    def missing_tool_call_ids(self) -> list[tuple[int, ToolCallDelta]]:
        """Make ids for the tool calls that came without one; `(choice index, fragment)` for each."""
        return [
            (choice.index, fragment)
            for choice in self._choices.values()
            for fragment in choice.tool_calls.missing_ids(self.generation_id)
        ]

    def to_wire(self) -> dict[str, Any]:
        """Return what has arrived in the shape of an answer that was not streamed."""
        body: dict[str, Any] = {**self._top, "object": "chat.completion"}
        body["choices"] = [
            self._choice_to_wire(self._choices[index]) for index in sorted(self._choices)
        ]
        if self._usage:
            body["usage"] = dict(self._usage)
        return body

    def _choice_to_wire(self, choice: _Choice) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": choice.content(),
        }
        if choice.refusal:
            message["refusal"] = "".join(choice.refusal)
        if choice.reasoning:
            message["reasoning"] = "".join(choice.reasoning)
        if choice.reasoning_details:
            message["reasoning_details"] = join_reasoning_details(choice.reasoning_details)
        if len(choice.tool_calls):
            message["tool_calls"] = choice.tool_calls.to_wire(self.generation_id)
        if choice.images:
            message["images"] = choice.images
        if choice.audio:
            message["audio"] = join_audio(choice.audio)
        if choice.annotations:
            message["annotations"] = choice.annotations
        message.update(choice.extra)
        for name, pieces in choice.extra_texts.items():
            message[name] = _join_texts(name, pieces)
        entry: dict[str, Any] = {
            "index": choice.index,
            "message": message,
            "finish_reason": choice.finish_reason,
            "native_finish_reason": choice.native_finish_reason,
        }
        if choice.logprobs:
            entry["logprobs"] = _join_logprobs(choice.logprobs)
        entry.update(choice.unknown)
        return entry


def _add_part(choice: _Choice, delta: Delta, key: str, value: Any) -> bool:
    """Take one non-empty field of a delta in; say whether it is something to hand on."""
    if key == "reasoning" and isinstance(value, str):
        choice.reasoning.append(value)
        delta.reasoning = value
    elif key == "tool_calls" and isinstance(value, list):
        delta.tool_calls = [
            choice.tool_calls.add(fragment) for fragment in value if isinstance(fragment, Mapping)
        ]
    elif key == "reasoning_details" and isinstance(value, list):
        details = [detail for detail in value if isinstance(detail, dict)]
        choice.reasoning_details.extend(details)
        delta.reasoning_details = details
    elif key == "refusal" and isinstance(value, str):
        choice.refusal.append(value)
        delta.refusal = value
    elif key in ("images", "annotations") and isinstance(value, list):
        held: list[dict[str, Any]] = getattr(choice, key)
        new = [item for item in value if isinstance(item, dict) and item not in held]
        held.extend(new)
        setattr(delta, key, new)
    elif key == "audio" and isinstance(value, dict):
        choice.audio.append(value)
        delta.audio = value
    elif isinstance(value, str):
        choice.extra_texts.setdefault(key, []).append(value)
        return False
    else:
        choice.extra[key] = _grow(choice.extra.get(key), value)
        return False
    return True


def _grow(held: Any, value: Any) -> Any:
    """Keep a field of a name this package does not know: lists grow, anything else is replaced."""
    if isinstance(held, list) and isinstance(value, list):
        return [*held, *value]
    return value


def _join_texts(name: str, pieces: list[str]) -> str:
    """Join a text of a name this package does not know.

    What every chunk says alike describes the answer, such as an id or a type, unless its name says that it is text:
    models do write "ha" three times.
    """
    alike = len(set(pieces)) == 1 and _WORDS_OF_TEXTS.isdisjoint(name.split("_"))
    return pieces[0] if alike else "".join(pieces)


def join_audio(fragments: list[dict[str, Any]]) -> dict[str, Any]:
    """Join audio fragments: data and transcript grow, everything else is what was told last."""
    joined: dict[str, Any] = {}
    for fragment in fragments:
        joined.update({key: value for key, value in fragment.items() if value is not None})
    for key, join in (("data", join_base64), ("transcript", "".join)):
        pieces = [piece for fragment in fragments if isinstance(piece := fragment.get(key), str)]
        if pieces:
            joined[key] = join(pieces)
    return joined


def join_base64(pieces: list[str]) -> str:
    """Join base64 texts: as texts where they were cut, decoded where each was encoded by itself."""
    if not any(piece.endswith("=") for piece in pieces[:-1]):
        return "".join(pieces)
    try:
        decoded = (base64.b64decode(piece, validate=True) for piece in pieces)
        return base64.b64encode(b"".join(decoded)).decode()
    except binascii.Error:
        return "".join(pieces)


def _join_logprobs(fragments: list[dict[str, Any]]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for fragment in fragments:
        for key, value in fragment.items():
            if isinstance(value, list) and isinstance(joined.get(key), list):
                joined[key] = [*joined[key], *value]
            elif value is not None or key not in joined:
                joined[key] = value
    return joined
