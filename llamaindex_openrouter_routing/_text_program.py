"""Objects out of texts, where a model takes neither a schema nor tools: streamed here, else by LlamaIndex's programs.

LlamaIndex's text program asks for a stream when it is read, and takes half an answer, or none, for an object. The
programs of other packages can only be read in the right context, and checked at the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Generator, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.llms.llm import LLM
from llama_index.core.output_parsers.pydantic import PydanticOutputParser
from llama_index.core.program.llm_program import LLMTextCompletionProgram
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel

from llamaindex_openrouter_routing._streaming import aread_in, read_in
from llamaindex_openrouter_routing.structured import (
    announce,
    apredicted,
    astream_objects,
    predicted,
    read_braces,
    stream_objects,
)
from openrouter_routing.errors import OpenRouterError, ResponseParseError

if TYPE_CHECKING:
    from llama_index.core.prompts.base import BasePromptTemplate

    from llamaindex_openrouter_routing.llm import OpenRouter

Json = dict[str, Any]

_WITH_ANOTHER_PACKAGE = (
    PydanticProgramMode.LM_FORMAT_ENFORCER,
    PydanticProgramMode.GUIDANCE,
    PydanticProgramMode.OPENAI,
)


def text_objects(
    llm: OpenRouter,
    output_cls: type[BaseModel],
    prompt: BasePromptTemplate,
    options: Json,
    prompt_args: Json,
) -> Generator[Any, None, None]:
    """Answer a prompt in words with an object that grows; the last one is whole and valid.

    Args:
        llm: The model.
        output_cls: The class of the last object.
        prompt: The prompt; what the object has to look like is added to it.
        options: The options of the call.
        prompt_args: What the prompt's variables stand for.

    Raises:
        OpenRouterError: When it is read; `ResponseParseError` where the last object is none of the class.
    """
    if llm.pydantic_program_mode in _WITH_ANOTHER_PACKAGE:
        objects = LLM.stream_structured_predict(llm, output_cls, prompt, options, **prompt_args)
        return _whole_at_last(read_in(copy_context(), objects), output_cls)
    announce(output_cls, prompt, prompt_args)
    responses = llm.stream_chat(_asking(llm, output_cls, prompt, prompt_args), **options)
    return predicted(stream_objects(responses, output_cls, read_braces))


async def atext_objects(
    llm: OpenRouter,
    output_cls: type[BaseModel],
    prompt: BasePromptTemplate,
    options: Json,
    prompt_args: Json,
) -> AsyncGenerator[Any, None]:
    """Answer a prompt in words with an object that grows; see `text_objects`."""
    if llm.pydantic_program_mode in _WITH_ANOTHER_PACKAGE:
        asked = LLM.astream_structured_predict(llm, output_cls, prompt, options, **prompt_args)
        return _awhole_at_last(aread_in(copy_context(), await asked), output_cls)
    announce(output_cls, prompt, prompt_args)
    responses = await llm.astream_chat(_asking(llm, output_cls, prompt, prompt_args), **options)
    return apredicted(astream_objects(responses, output_cls, read_braces))


def _asking(
    llm: OpenRouter, output_cls: type[BaseModel], prompt: BasePromptTemplate, prompt_args: Json
) -> list[ChatMessage]:
    """Return the messages that LlamaIndex's text program would send."""
    parser = PydanticOutputParser(output_cls)
    asking = LLMTextCompletionProgram.from_defaults(parser, llm=llm, prompt=prompt).prompt
    if llm.is_chat_model:
        return llm._extend_messages(asking.format_messages(llm=llm, **prompt_args))  # noqa: SLF001 (as in StructuredOpenRouter)
    return [ChatMessage(role=MessageRole.USER, content=asking.format(llm=llm, **prompt_args))]


def _whole_at_last(
    objects: Generator[Any, None, None], output_cls: type[BaseModel]
) -> Generator[Any, None, None]:
    last = None
    with structured_errors(output_cls), contextlib.closing(objects):
        for last in objects:
            yield last
    _check_last(last, output_cls)


async def _awhole_at_last(
    objects: AsyncGenerator[Any, None], output_cls: type[BaseModel]
) -> AsyncGenerator[Any, None]:
    last = None
    with structured_errors(output_cls):
        async with contextlib.aclosing(objects):
            async for last in objects:
                yield last
    _check_last(last, output_cls)


def _check_last(last: object, output_cls: type[BaseModel]) -> None:
    if not isinstance(last, output_cls):
        raise ResponseParseError(
            f"the answer is no {output_cls.__name__}; what could be read of it: {repr(last)[:200]}",
            retryable=True,
        )


@contextlib.contextmanager
def structured_errors(output_cls: type[BaseModel]) -> Iterator[None]:
    """Raise our error for those of LlamaIndex's programs and of the class, which synthesizers may take for no answer.

    Raises:
        ResponseParseError: The program could not read an object.
    """
    try:
        yield
    except (OpenRouterError, ImportError):
        raise
    except Exception as error:
        raise ResponseParseError(
            f"the answer is no {output_cls.__name__}: {error}", retryable=True
        ) from error
