"""Structured output: how it is asked for (by JSON schema or by a tool call), and how it is read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import llama_index.core.instrumentation as instrument
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ValidationError

from llamaindex_openrouter_routing._observed import chat_callback
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
dispatcher = instrument.get_dispatcher(__name__)  # type: ignore[attr-defined]  # public by their docs

_TEXT_MODES = (
    PydanticProgramMode.LLM,
    PydanticProgramMode.LM_FORMAT_ENFORCER,
    PydanticProgramMode.GUIDANCE,
    PydanticProgramMode.OPENAI,
)
# What LlamaIndex's own programs drop: a structured answer decides on them by itself.
_DECIDED_HERE = ("tool_choice", "tool_required", "allow_parallel_tool_calls", "response_format")
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
        BadRequestError: `output_cls` is no pydantic class.

    See https://openrouter.ai/docs/features/structured-outputs
    """
    if not (isinstance(output_cls, type) and issubclass(output_cls, BaseModel)):
        raise BadRequestError(f"output_cls takes a pydantic class, got {output_cls!r}")
    options = {
        name: value for name, value in (llm_kwargs or {}).items() if name not in _DECIDED_HERE
    }
    if uses_schema(llm):
        return {**options, "response_format": response_format(output_cls)}
    options["tools"] = tools_to_wire([get_function_tool(output_cls)], strict=llm.strict)
    info = llm.model_info
    if info is None or info.tool_choice:
        options["tool_choice"] = "required"
    return options


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

    Raises:
        ResponseParseError: The answer holds none that fits; the message says what does not.
    """
    call = _first_call(response)
    text = response.message.content or ""
    try:
        if call is None:
            fenced = _FENCED.match(text)
            return output_cls.model_validate_json(fenced[1] if fenced else text)
        if isinstance(call.tool_kwargs, str):
            text = call.tool_kwargs
            return output_cls.model_validate_json(text)
        return output_cls.model_validate(call.tool_kwargs)
    except ValidationError as error:
        metadata = response.additional_kwargs
        cut = metadata.get("finish_reason") == "length"
        raise ResponseParseError(
            f"the answer of {metadata.get('model_name')} is no {output_cls.__name__}: {explain_validation(error)}"
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

    __slots__ = ("_flexible", "_last", "_output_cls", "_text")

    def __init__(self, output_cls: type[BaseModel]) -> None:
        self._output_cls = output_cls
        self._flexible: type[FlexibleModel] = create_flexible_model(output_cls)
        self._text = PartialJson()
        self._last: Json | None = None

    def add(self, response: ChatResponse) -> Structured | None:
        """Return what can be read so far, or None where nothing is new."""
        if response.raw is not None:
            return Structured(read_object(response, self._output_cls), response)
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
        except ValidationError:
            return Structured(self._flexible.model_validate(parsed), response)


def stream_objects(
    responses: ChatResponseGen, output_cls: type[BaseModel]
) -> Generator[Structured, None, None]:
    """Turn a stream of responses into one of objects; the last one is whole and valid."""
    partial = _PartialObjects(output_cls)
    try:
        for response in responses:
            if (found := partial.add(response)) is not None:
                yield found
    finally:
        responses.close()


async def astream_objects(
    responses: ChatResponseAsyncGen, output_cls: type[BaseModel]
) -> AsyncGenerator[Structured, None]:
    """Turn a stream of responses into one of objects; see `stream_objects`."""
    partial = _PartialObjects(output_cls)
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


@contextlib.contextmanager
def structured_errors(output_cls: type[BaseModel]) -> Iterator[None]:
    """Raise our error for the ValueErrors of LlamaIndex's programs, which synthesizers turn into "Empty Response".

    Raises:
        ResponseParseError: The program could not read an object.
    """
    try:
        yield
    except (ValueError, TypeError, AssertionError) as error:
        raise ResponseParseError(
            f"the answer is no {output_cls.__name__}: {error}", retryable=True
        ) from error


class StructuredOpenRouter(StructuredLLM):
    """A model that answers with objects of one class and keeps the metadata of each answer.

    `raw` of a response is the object, as LlamaIndex has it; `additional_kwargs` tell the provider, the cost and the
    rest, which the base class loses.

    Example:
        >>> from llamaindex_openrouter_routing import OpenRouter
        >>> class City(BaseModel):
        ...     name: str
        >>> OpenRouter("openai/gpt-5-mini").as_structured_llm(City).class_name()
        'structured_openrouter'
    """

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex stores it."""
        return "structured_openrouter"

    @chat_callback
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer with an object; takes what `OpenRouter.chat` takes."""
        options = structured_options(self._model, self.output_cls, kwargs)
        response = self._model.chat(self._extended(messages), **options)
        return _as_response(Structured(read_object(response, self.output_cls), response))

    @chat_callback
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer with an object; see `chat`."""
        options = structured_options(self._model, self.output_cls, kwargs)
        response = await self._model.achat(self._extended(messages), **options)
        return _as_response(Structured(read_object(response, self.output_cls), response))

    @chat_callback
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer with an object that grows; the preferences of the enclosing block are read now."""
        options = structured_options(self._model, self.output_cls, kwargs)
        responses = self._model.stream_chat(self._extended(messages), **options)
        objects = stream_objects(responses, self.output_cls)
        return (_as_response(found) for found in objects)

    @chat_callback
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Answer with an object that grows; see `stream_chat`."""
        options = structured_options(self._model, self.output_cls, kwargs)
        responses = await self._model.astream_chat(self._extended(messages), **options)
        objects = astream_objects(responses, self.output_cls)
        return (_as_response(found) async for found in objects)

    @property
    def _model(self) -> OpenRouter:
        return cast("OpenRouter", self.llm)

    def _extended(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        return self._model._extend_messages(list(messages))  # noqa: SLF001 (LlamaIndex's way to add the system prompt)


def _as_response(found: Structured) -> ChatResponse:
    return ChatResponse(
        message=ChatMessage(role=MessageRole.ASSISTANT, content=found.output.model_dump_json()),
        raw=found.output,
        additional_kwargs=found.response.additional_kwargs,
    )
