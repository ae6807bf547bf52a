"""Structures out of answers: what holds one whole is read, what does not is refused with the raw answer kept."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import cached_property
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, InvalidToolCall
from langchain_core.output_parsers import (
    BaseCumulativeTransformOutputParser,
    JsonOutputParser,
    PydanticOutputParser,
)
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import patch_config
from langchain_core.runnables.utils import AddableDict
from langchain_core.utils.json import parse_json_markdown
from pydantic import ConfigDict

_CALLS = "tool_call"


class StructuredOutputError(OutputParserException):
    """An answer does not hold what a schema asked for: it was cut off, filtered or refused, or is no whole structure.

    Attributes:
        raw: The message as it came.
        reason: `"length"`, `"content_filter"`, `"refusal"`, `"invalid_json"`, `"no_tool_call"`,
            `"invalid_tool_call"`, or `"tool_call"` where the model called a tool that was offered beside the schema.

    Example:
        >>> error = StructuredOutputError("cut off", raw=AIMessage('{"na'), reason="length")
        >>> error.raw.text, error.reason
        ('{"na', 'length')
    """

    def __init__(self, text: str, *, raw: AIMessage, reason: str) -> None:
        super().__init__(text, llm_output=str(raw.text))
        self.raw = raw
        self.reason = reason


class StructureParser(BaseCumulativeTransformOutputParser[Any]):
    """Reads the structure of an answer; in a stream also what is there of it so far, and in the end the whole again.

    Attributes:
        shape: The class of what is read; None for a plain value.
    """

    shape: Any = None

    @abstractmethod
    def whole(self, message: AIMessage) -> Any:
        """Return the structure of a whole answer.

        Raises:
            StructuredOutputError: It holds none.
        """

    @abstractmethod
    def beginning(self, message: AIMessage) -> Any:
        """Return what can be read of an answer that is not all there; None where that is nothing."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the structure of an answer, as LangChain asks for it."""
        message = _message_of(result[0])
        if not partial:
            return self.whole(message)
        try:
            return self.beginning(message)
        except Exception:  # noqa: BLE001 (a schema's own checks raise anything for what is not all there)
            return None

    def parse(self, text: str) -> Any:
        """Return the structure of a text."""
        return self.whole(AIMessage(text))

    @property
    def OutputType(self) -> Any:  # noqa: N802 (LangChain's name)
        """The class of what is read."""
        return self.shape or Any

    @property
    def _type(self) -> str:
        return "openrouter-structure"

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:  # noqa: A002 (LangChain's name)
        growing = _Growing(self)
        for message in input:
            yield from growing.add(message)
        yield from growing.rest()

    async def _atransform(
        self,
        input: AsyncIterator[str | BaseMessage],  # noqa: A002 (LangChain's name)
    ) -> AsyncIterator[Any]:
        growing = _Growing(self)
        async for message in input:
            for value in growing.add(message):
                yield value
        for value in growing.rest():
            yield value


class TextParser(StructureParser):
    """Reads the structure that is an answer's text."""

    def whole(self, message: AIMessage) -> Any:
        """Return the structure of a whole answer."""
        _refuse_unfinished(message)
        _refuse_calls_alone(message)
        _refuse_broken_json(message)
        return self._reader.parse_result([ChatGeneration(message=message)])

    def beginning(self, message: AIMessage) -> Any:
        """Return what can be read of an answer that is not all there."""
        return self._reader.parse_result([ChatGeneration(message=message)], partial=True)

    @cached_property
    def _reader(self) -> BaseCumulativeTransformOutputParser[Any]:
        return (
            PydanticOutputParser(pydantic_object=self.shape) if self.shape else JsonOutputParser()
        )


class CallParser(StructureParser):
    """Reads the structure that is the arguments of a tool call.

    Attributes:
        tool: The tool's name.
    """

    tool: str

    def whole(self, message: AIMessage) -> Any:
        """Return the structure of a whole answer."""
        _refuse_unfinished(message)
        _refuse_missing_call(message, self.tool)
        return self.beginning(message)

    def beginning(self, message: AIMessage) -> Any:
        """Return what can be read of an answer that is not all there."""
        call = next((call for call in message.tool_calls if call["name"] == self.tool), None)
        if call is None:
            return None
        return self.shape(**call["args"]) if self.shape else call["args"]


class RawAnswer(RunnableSerializable[LanguageModelInput, dict[str, Any]]):
    """Asks a model, and keeps its answer under `raw`.

    LangChain's own map does the same, but keeps the arguments of a call to itself: a preference would be lost in it.

    Attributes:
        bound: What is asked.
    """

    bound: Runnable[LanguageModelInput, AIMessage]

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def invoke(
        self,
        input: LanguageModelInput,  # noqa: A002 (LangChain's name)
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return the answer under `raw`."""
        return {"raw": self.bound.invoke(input, config, **kwargs)}

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002 (LangChain's name)
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return the answer under `raw`."""
        return {"raw": await self.bound.ainvoke(input, config, **kwargs)}

    def transform(
        self,
        input: Iterator[LanguageModelInput],  # noqa: A002 (LangChain's name)
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[dict[str, Any]]:
        """Return the pieces of the answer, each under `raw`."""
        for piece in self.bound.transform(input, config, **kwargs):
            yield AddableDict(raw=piece)

    async def atransform(
        self,
        input: AsyncIterator[LanguageModelInput],  # noqa: A002 (LangChain's name)
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[dict[str, Any]]:
        """Return the pieces of the answer, each under `raw`."""
        async for piece in self.bound.atransform(input, config, **kwargs):
            yield AddableDict(raw=piece)


class RawAndParsed(RunnableSerializable[dict[str, Any], dict[str, Any]]):
    """Adds to a raw answer what is read of it, or why that cannot be.

    Attributes:
        parser: What reads it.
    """

    parser: StructureParser

    def invoke(
        self,
        input: dict[str, Any],  # noqa: A002 (LangChain's name)
        config: RunnableConfig | None = None,
        **kwargs: Any,  # noqa: ARG002 (LangChain's signature)
    ) -> dict[str, Any]:
        """Return the raw answer with what is read of it."""
        return self._call_with_config(self._read, input, config)

    async def ainvoke(
        self,
        input: dict[str, Any],  # noqa: A002 (LangChain's name)
        config: RunnableConfig | None = None,
        **kwargs: Any,  # noqa: ARG002 (LangChain's signature)
    ) -> dict[str, Any]:
        """Return the raw answer with what is read of it."""
        return await self._acall_with_config(self._aread, input, config)

    def transform(
        self,
        input: Iterator[dict[str, Any]],  # noqa: A002 (LangChain's name)
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[dict[str, Any]]:
        """Hand on the pieces of a raw answer, with what can be read so far, and in the end whether all could."""
        yield from self._transform_stream_with_config(input, self._grow, config, **kwargs)

    async def atransform(
        self,
        input: AsyncIterator[dict[str, Any]],  # noqa: A002 (LangChain's name)
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[dict[str, Any]]:
        """Hand on the pieces of a raw answer, as `transform` does."""
        async for piece in self._atransform_stream_with_config(
            input, self._agrow, config, **kwargs
        ):
            yield piece

    def _read(
        self, given: dict[str, Any], run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> dict[str, Any]:
        inside = patch_config(config, callbacks=run_manager.get_child())
        try:
            parsed = self.parser.invoke(given["raw"], inside)
        except Exception as error:  # noqa: BLE001 (also what a schema's own checks raise)
            return {**given, **_failed(error)}
        return {**given, "parsed": parsed, "parsing_error": None}

    async def _aread(
        self,
        given: dict[str, Any],
        run_manager: AsyncCallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> dict[str, Any]:
        inside = patch_config(config, callbacks=run_manager.get_child())
        try:
            parsed = await self.parser.ainvoke(given["raw"], inside)
        except Exception as error:  # noqa: BLE001 (also what a schema's own checks raise)
            return {**given, **_failed(error)}
        return {**given, "parsed": parsed, "parsing_error": None}

    def _grow(self, given: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        growing = _Growing(self.parser)
        for piece in given:
            yield AddableDict(piece)
            for parsed in growing.add(piece["raw"]):
                yield AddableDict(parsed=parsed)
        yield _last_piece(growing)

    async def _agrow(self, given: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        growing = _Growing(self.parser)
        async for piece in given:
            yield AddableDict(piece)
            for parsed in growing.add(piece["raw"]):
                yield AddableDict(parsed=parsed)
        yield _last_piece(growing)


class _Growing:
    """A structure while its answer streams in."""

    def __init__(self, parser: StructureParser) -> None:
        self._parser = parser
        self._message: AIMessage | None = None
        self._shown: Any = None

    def add(self, piece: str | BaseMessage) -> Iterator[Any]:
        """Take a piece of the answer; yield the structure so far, where the piece changed it."""
        if not isinstance(piece, AIMessageChunk):
            # Not streamed after all: it is read at the end, as a whole.
            self._message = (
                piece if isinstance(piece, AIMessage) else _text_chunk(self._message, piece)
            )
            return
        before = self._message
        self._message = before + piece if isinstance(before, AIMessageChunk) else piece
        generation = ChatGeneration(message=self._message)
        yield from self._news(self._parser.parse_result([generation], partial=True))

    def rest(self) -> Iterator[Any]:
        """Yield the whole structure, unless it has been yielded.

        LangChain's parsers stop at what can be read so far, so that an answer which does not fit the schema looks as
        one that said nothing.
        """
        if self._message is not None:
            yield from self._news(self._parser.whole(self._message))

    def _news(self, value: Any) -> Iterator[Any]:
        if value is not None and value != self._shown:
            self._shown = value
            yield value


def _text_chunk(before: AIMessage | None, piece: str | BaseMessage) -> AIMessageChunk:
    chunk = AIMessageChunk(content=piece if isinstance(piece, str) else str(piece.text))
    return before + chunk if isinstance(before, AIMessageChunk) else chunk


def _last_piece(growing: _Growing) -> dict[str, Any]:
    try:
        rest = [{"parsed": parsed} for parsed in growing.rest()]
    except Exception as error:  # noqa: BLE001 (also what a schema's own checks raise)
        return AddableDict(_failed(error))
    return AddableDict({**(rest[0] if rest else {}), "parsing_error": None})


def _failed(error: Exception) -> dict[str, Any]:
    calls = isinstance(error, StructuredOutputError) and error.reason == _CALLS
    return {"parsed": None, "parsing_error": None if calls else error}


def _message_of(generation: Generation) -> AIMessage:
    if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
        return generation.message
    return AIMessage(generation.text)


def _refuse_unfinished(message: AIMessage) -> None:
    """Refuse an answer that was cut off, filtered or refused; LangChain's parsers would complete it by guessing.

    Raises:
        StructuredOutputError: It is one.
    """
    finish = message.response_metadata.get("finish_reason")
    if finish in _CUT_OFF:
        raise StructuredOutputError(
            f"{_CUT_OFF[finish]}; the raw answer is in .raw", raw=message, reason=finish
        )
    if refusal := message.additional_kwargs.get("refusal"):
        raise StructuredOutputError(f"the model refused: {refusal}", raw=message, reason="refusal")


def _refuse_calls_alone(message: AIMessage) -> None:
    """Refuse an answer that calls tools instead: it is as it should be, but there is no structure in it yet."""
    if str(message.text).strip():
        return
    _refuse_broken_calls(message, message.invalid_tool_calls)
    if called := [call["name"] for call in message.tool_calls]:
        raise StructuredOutputError(
            f"the model called tool {', '.join(map(repr, called))} instead of answering; the call is in .raw",
            raw=message,
            reason=_CALLS,
        )


def _refuse_missing_call(message: AIMessage, tool: str) -> None:
    called = [call["name"] for call in message.tool_calls]
    broken = message.invalid_tool_calls
    _refuse_broken_calls(message, [c for c in broken if c["name"] == tool or tool not in called])
    if tool not in called:
        finish = message.response_metadata.get("finish_reason")
        what = f"{called!r} instead of {tool!r}" if called else "no tool"
        raise StructuredOutputError(
            f"the model called {what} (finish_reason {finish!r}); its text: {str(message.text)[:200]!r}",
            raw=message,
            reason="no_tool_call",
        )


def _refuse_broken_calls(message: AIMessage, calls: Sequence[InvalidToolCall]) -> None:
    if calls:
        call = calls[0]
        raise StructuredOutputError(
            f"the arguments of {call['name']!r} cannot be read: {call['error'] or call['args']}",
            raw=message,
            reason="invalid_tool_call",
        )


def _refuse_broken_json(message: AIMessage) -> None:
    try:
        parse_json_markdown(str(message.text), parser=_read_strictly)
    except (ValueError, RecursionError) as error:
        raise StructuredOutputError(
            f"the answer is not a whole JSON document ({error}); the raw answer is in .raw",
            raw=message,
            reason="invalid_json",
        ) from None


def _read_strictly(text: str) -> Any:
    # As the parsers behind this do, it reads line breaks inside texts, and lets words follow the document.
    return json.JSONDecoder(strict=False).raw_decode(text.strip())[0]


_CUT_OFF = {
    "length": "the answer was cut off at the token limit (finish_reason 'length'), so its structure is incomplete: "
    "raise max_tokens",
    "content_filter": "a content filter ended the answer (finish_reason 'content_filter'), so its structure is "
    "incomplete: change the input, or try another provider",
}
