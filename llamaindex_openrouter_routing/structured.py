"""Structured output: how it is asked for (by JSON schema or by a tool call), and how it is read."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import llama_index.core.instrumentation as instrument
from llama_index.core.base.llms.types import (
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    ToolCallBlock,
)
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from llamaindex_openrouter_routing._partial import PartialJson
from llamaindex_openrouter_routing._strict_schema import strict_schema
from llamaindex_openrouter_routing.tools import tools_to_wire
from openrouter_routing.errors import BadRequestError, ResponseParseError
from openrouter_routing.preferences import explain_validation

if TYPE_CHECKING:
    from llama_index.core.prompts.base import BasePromptTemplate

    from llamaindex_openrouter_routing.llm import OpenRouter

Json = dict[str, Any]
Object = TypeVar("Object", bound=BaseModel)
Reader = Callable[[ChatResponse, type[BaseModel]], BaseModel]
dispatcher = instrument.get_dispatcher(__name__)  # type: ignore[attr-defined]  # public by their docs

_TEXT_MODES = (
    PydanticProgramMode.LLM,
    PydanticProgramMode.LM_FORMAT_ENFORCER,
    PydanticProgramMode.GUIDANCE,
    PydanticProgramMode.OPENAI,
)
# What LlamaIndex's own programs drop: a structured answer decides on them by itself.
_DECIDED_HERE = ("tool_choice", "tool_required", "allow_parallel_tool_calls", "response_format")
_BRACED = re.compile(r"\{.*\}", re.DOTALL)
_FENCED = re.compile(r"\A\s*```\w*\s*(.*?)\s*```\s*\Z", re.DOTALL)


def uses_schema(llm: OpenRouter) -> bool | None:
    """Say how a model is asked for structured output.

    Returns:
        True for a JSON schema, False for a tool call, None where LlamaIndex's own text programs have to do it.
    """
    mode = llm.pydantic_program_mode
    if mode in _TEXT_MODES:
        return None
    takes_tools = llm.metadata.is_function_calling_model
    if mode is not PydanticProgramMode.FUNCTION:
        info = llm.model_info
        by_schema = llm.should_use_structured_outputs
        if by_schema is None:
            by_schema = info is not None and info.structured_outputs
        if by_schema:
            return True
    return False if takes_tools else None


def structured_options(
    llm: OpenRouter, output_cls: type[BaseModel], llm_kwargs: Mapping[str, Any] | None
) -> Json:
    """Return the options of a call that is to answer with an object.

    Args:
        llm: The model.
        output_cls: The class of the object.
        llm_kwargs: What the caller wants of the call.

    Raises:
        BadRequestError: `output_cls` is no pydantic class, or `llm_kwargs` are no options.

    See https://openrouter.ai/docs/features/structured-outputs
    """
    if not (isinstance(output_cls, type) and issubclass(output_cls, BaseModel)):
        raise BadRequestError(f"output_cls takes a pydantic class, got {output_cls!r}")
    given = checked_options(llm_kwargs)
    options = {name: value for name, value in given.items() if name not in _DECIDED_HERE}
    if uses_schema(llm):
        return {**options, "response_format": response_format(output_cls)}
    options["tools"] = tools_to_wire([get_function_tool(output_cls)], strict=llm.strict)
    info = llm.model_info
    if info is None or info.tool_choice:
        options["tool_choice"] = "required"
    return options


def checked_options(llm_kwargs: Mapping[str, Any] | None) -> Json:
    """Return the options of a call that a caller gives beside a prompt.

    Raises:
        BadRequestError: They are no dict, or hold what the prompt makes.
    """
    if llm_kwargs is None:
        return {}
    if not isinstance(llm_kwargs, Mapping):
        raise BadRequestError(f"llm_kwargs takes a dict, got {type(llm_kwargs).__name__}")
    for name in llm_kwargs:
        if not isinstance(name, str) or name in ("messages", "self"):
            raise BadRequestError(
                f"llm_kwargs cannot hold {name!r}: it takes what chat() takes beside the messages"
            )
    return dict(llm_kwargs)


def response_format(output_cls: type[BaseModel]) -> Json:
    """Return the `response_format` that asks for an object of a class.

    It is strict where the schema can be: a provider refuses to be strict about what it cannot enforce. Else the schema
    is sent as pydantic makes it.

    Example:
        >>> class City(BaseModel):
        ...     name: str
        >>> response_format(City)["json_schema"]["strict"]
        True
    """
    schema = output_cls.model_json_schema()
    strict = strict_schema(schema)
    name = re.sub(r"[^A-Za-z0-9_-]", "_", output_cls.__name__)[:64]
    return {
        "type": "json_schema",
        "json_schema": {
            "name": name,
            "strict": strict is not None,
            "schema": schema if strict is None else strict,
        },
    }


def read_object(response: ChatResponse, output_cls: type[Object]) -> Object:
    """Read the object out of a whole answer.

    A tool call is read as JSON too: as Python objects its texts would be no dates for a class that is strict.

    Raises:
        ResponseParseError: The answer holds none that fits, whatever its class raised; the message says what does not.
    """
    call = _first_call(response)
    if call is None:
        text = response.message.content or ""
        fenced = _FENCED.match(text)
        return _validated(response, output_cls, fenced[1] if fenced else text)
    arguments = call.tool_kwargs
    if not isinstance(arguments, str):
        arguments = to_json(arguments, inf_nan_mode="constants").decode()
    return _validated(response, output_cls, arguments)


def read_braces(response: ChatResponse, output_cls: type[Object]) -> Object:
    """Read the object out of a whole answer that was asked for in words, and may say more than the object.

    Raises:
        ResponseParseError: As for `read_object`.
    """
    text = response.message.content or ""
    braced = _BRACED.search(text)
    return _validated(response, output_cls, braced[0] if braced else text)


def _validated(response: ChatResponse, output_cls: type[Object], text: str) -> Object:
    try:
        return output_cls.model_validate_json(text)
    except Exception as error:
        wrong = (
            explain_validation(error)
            if isinstance(error, ValidationError)
            else f"its validation raised {error!r}"
        )
        metadata = response.additional_kwargs
        cut = metadata.get("finish_reason") == "length"
        raise ResponseParseError(
            f"the answer of {metadata.get('model_name')} is no {output_cls.__name__}: {wrong}"
            f"{'; it was cut off, raise max_tokens' if cut else ''}; it was: {text[:200]!r}",
            provider=metadata.get("provider"),
            generation_id=metadata.get("id"),
            retryable=not cut,
        ) from error


def _first_call(response: ChatResponse) -> ToolCallBlock | None:
    for block in response.message.blocks:
        if isinstance(block, ToolCallBlock):
            return block
    return None


@dataclass(frozen=True, slots=True)
class Structured:
    """An object, or what there is of it so far, and the response it was read from."""

    output: BaseModel
    response: ChatResponse


class _PartialObjects:
    """Responses of a stream in, objects out: partial ones, and at the end the whole one."""

    __slots__ = ("_flexible", "_last", "_output_cls", "_read", "_text")

    def __init__(self, output_cls: type[BaseModel], read: Reader) -> None:
        self._output_cls = output_cls
        self._read = read
        self._flexible: type[FlexibleModel] = create_flexible_model(output_cls)
        self._text = PartialJson()
        self._last: Json | None = None

    def add(self, response: ChatResponse) -> Structured | None:
        """Return what can be read so far, or None where nothing is new."""
        if response.raw is not None:
            return Structured(self._read(response, self._output_cls), response)
        call = _first_call(response)
        if call is not None:
            parsed = cast("Json", call.tool_kwargs)
        else:
            self._text.add(response.delta or "")
            parsed = self._text.parsed
        if parsed == self._last:
            return None
        self._last = parsed
        try:
            return Structured(self._output_cls.model_validate(parsed), response)
        except Exception:  # noqa: BLE001 (validators see objects that are half there, and raise what they like)
            return Structured(self._flexible.model_validate(parsed), response)


def stream_objects(
    responses: ChatResponseGen, output_cls: type[BaseModel], read: Reader = read_object
) -> Generator[Structured, None, None]:
    """Turn a stream of responses into one of objects; the last one is whole and valid.

    Args:
        responses: The responses.
        output_cls: The class of the objects.
        read: How the last response is read.
    """
    partial = _PartialObjects(output_cls, read)
    try:
        for response in responses:
            if (found := partial.add(response)) is not None:
                yield found
    finally:
        responses.close()


async def astream_objects(
    responses: ChatResponseAsyncGen, output_cls: type[BaseModel], read: Reader = read_object
) -> AsyncGenerator[Structured, None]:
    """Turn a stream of responses into one of objects; see `stream_objects`."""
    partial = _PartialObjects(output_cls, read)
    try:
        async for response in responses:
            if (found := partial.add(response)) is not None:
                yield found
    finally:
        await responses.aclose()


def announce(
    output_cls: type[BaseModel], prompt: BasePromptTemplate, prompt_args: Mapping[str, Any]
) -> None:
    """Tell LlamaIndex's observers that an object is going to be predicted."""
    dispatcher.event(
        LLMStructuredPredictStartEvent(
            output_cls=output_cls, template=prompt, template_args=dict(prompt_args)
        )
    )


def predicted(objects: Generator[Structured, None, None]) -> Generator[BaseModel, None, None]:
    """Tell LlamaIndex's observers of each object of a stream."""
    output = None
    try:
        for found in objects:
            output = found.output
            dispatcher.event(LLMStructuredPredictInProgressEvent(output=output))
            yield output
    finally:
        objects.close()
    dispatcher.event(LLMStructuredPredictEndEvent(output=output))


async def apredicted(
    objects: AsyncGenerator[Structured, None],
) -> AsyncGenerator[BaseModel, None]:
    """Tell LlamaIndex's observers of each object of a stream; see `predicted`."""
    output = None
    try:
        async for found in objects:
            output = found.output
            dispatcher.event(LLMStructuredPredictInProgressEvent(output=output))
            yield output
    finally:
        await objects.aclose()
    dispatcher.event(LLMStructuredPredictEndEvent(output=output))
