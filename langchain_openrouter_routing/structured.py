"""Structured output: from a schema in any of the forms users write to the wire, and back to checked values."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableMap, RunnablePassthrough
from langchain_core.utils.json import parse_json_markdown
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from langchain_openrouter_routing._functions import function_of
from langchain_openrouter_routing.errors import BadRequestError
from langchain_openrouter_routing.tools import Method

if TYPE_CHECKING:
    from langchain_openrouter_routing.chat_model import ChatOpenRouter

Schema = Mapping[str, Any] | type
Structured = Runnable[LanguageModelInput, dict[str, Any] | BaseModel]


class StructuredOutputError(OutputParserException):
    """An answer does not hold what a schema asked for: it was cut off, filtered or refused, or is no whole structure.

    Attributes:
        raw: The message as it came.
        reason: `"length"`, `"content_filter"`, `"refusal"`, `"invalid_json"`, `"no_tool_call"` or
            `"invalid_tool_call"`.

    Example:
        >>> error = StructuredOutputError("cut off", raw=AIMessage('{"na'), reason="length")
        >>> error.raw.text, error.reason
        ('{"na', 'length')
    """

    def __init__(self, text: str, *, raw: AIMessage, reason: str) -> None:
        super().__init__(text, llm_output=str(raw.text))
        self.raw = raw
        self.reason = reason


def structured_output(
    model: ChatOpenRouter,
    schema: Schema | None,
    *,
    method: Method,
    include_raw: bool,
    strict: bool | None,
    **kwargs: Any,
) -> Structured:
    """Return what `ChatOpenRouter.with_structured_output` returns; see there."""
    if schema is None and method != "json_mode":
        raise BadRequestError(f"with_structured_output(method={method!r}) needs a schema")
    if method == "function_calling":
        bound, parser = _by_function(model, cast("Schema", schema), strict, kwargs)
    elif method == "json_schema":
        bound, parser = _by_schema(model, cast("Schema", schema), strict, kwargs)
    elif method == "json_mode":
        bound, parser = _by_json(model, schema, strict, kwargs)
    else:
        raise BadRequestError(
            f"unknown method {method!r}: it is 'json_schema', 'function_calling' or 'json_mode'"
        )
    checked = _whole_answers(needs_call=method == "function_calling") | parser
    if not include_raw:
        return cast("Structured", bound | checked)
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | checked, parsing_error=_nothing)
    failed = RunnablePassthrough.assign(parsed=_nothing)
    either = parsed.with_fallbacks([failed], exception_key="parsing_error")
    return cast("Structured", RunnableMap(raw=bound) | either)


Binding = tuple[Runnable[LanguageModelInput, AIMessage], Runnable[Any, Any]]


def _by_function(
    model: ChatOpenRouter, schema: Schema, strict: bool | None, kwargs: dict[str, Any]
) -> Binding:
    function = _function(schema, strict)
    if (kind := function["parameters"].get("type", "object")) != "object":
        raise BadRequestError(
            f"method='function_calling' takes the schema of an object, and this one is of type {kind!r}: "
            "use method='json_schema'"
        )
    name = function["name"]
    traced = {"method": "function_calling", "strict": strict}
    # What the caller said about require_parameters is already in the model's preferences.
    bound = model.bind_tools(
        [{"type": "function", "function": function}],
        tool_choice=name,
        require_parameters=False,
        **_format(function, traced),
        **kwargs,
    )
    if _is_pydantic(schema):
        return bound, PydanticToolsParser(tools=[cast("type", schema)], first_tool_only=True)
    return bound, JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def _by_schema(
    model: ChatOpenRouter, schema: Schema, strict: bool | None, kwargs: dict[str, Any]
) -> Binding:
    function = _function(schema, strict)
    wire = _response_schema(schema)
    described = dict(wire) if wire is not None else _as_response_schema(function)
    described["name"] = re.sub(r"[^a-zA-Z0-9_-]", "_", described.get("name") or "answer")[:64]
    if strict is not None:
        described["strict"] = strict
    response_format = {"type": "json_schema", "json_schema": described}
    traced = {"method": "json_schema", "strict": strict}
    bound = model.bind(response_format=response_format, **_format(function, traced), **kwargs)
    return cast("Binding", (bound, _json_parser(schema)))


def _as_response_schema(function: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: function[key] for key in ("description", "strict") if function.get(key)}
    return {"name": function["name"], "schema": function["parameters"], **told}


def _by_json(
    model: ChatOpenRouter, schema: Schema | None, strict: bool | None, kwargs: dict[str, Any]
) -> Binding:
    if strict is not None:
        raise BadRequestError("strict does nothing in json_mode: use method='json_schema'")
    bound = model.bind(
        response_format={"type": "json_object"},
        **_format(None if schema is None else _function(schema, None), {"method": "json_mode"}),
        **kwargs,
    )
    return cast("Binding", (bound, _json_parser(schema)))


def _json_parser(schema: Schema | None) -> Runnable[Any, Any]:
    if schema is not None and _is_pydantic(schema):
        return PydanticOutputParser(pydantic_object=cast("type[BaseModel]", schema))
    return JsonOutputParser()


def _format(function: Mapping[str, Any] | None, traced: dict[str, Any]) -> dict[str, Any]:
    """Return what LangChain's tracers want to know; LangChain takes it out before the request."""
    told = {name: value for name, value in traced.items() if value is not None}
    described = None
    if function is not None:
        named = {"title": function["name"], "description": function.get("description")}
        described = {key: value for key, value in named.items() if value is not None}
        described |= function["parameters"]
    return {"ls_structured_output_format": {"kwargs": told, "schema": described}}


def _function(schema: Schema, strict: bool | None) -> dict[str, Any]:
    """Return a schema as a function, which always has a name and parameters.

    Raises:
        BadRequestError: It is no schema, or one that asks for nothing.
    """
    function = function_of(_response_schema(schema) or schema, strict=strict)
    if not function.get("parameters"):
        raise BadRequestError(f"{schema!r:.200} holds no schema: it asks for nothing")
    return {**function, "name": function.get("name") or "answer"}


def _response_schema(schema: Schema) -> Mapping[str, Any] | None:
    """Return the response format's own form of a schema, where it is one."""
    if not isinstance(schema, Mapping):
        return None
    wrapped = schema.get("json_schema")
    inner = wrapped if isinstance(wrapped, Mapping) else schema
    return inner if isinstance(inner.get("schema"), Mapping) else None


def _is_pydantic(schema: Schema) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)


def _whole_answers(*, needs_call: bool) -> RunnableGenerator[AIMessage, AIMessage]:
    """Return a step that hands answers on and refuses those that cannot hold the whole structure."""
    return RunnableGenerator(
        partial(_checked, needs_call=needs_call),
        partial(_achecked, needs_call=needs_call),
        name="check_structured_output",
    )


def _checked(messages: Iterator[AIMessage], *, needs_call: bool) -> Iterator[AIMessage]:
    chunks: list[AIMessageChunk] = []
    for message in messages:
        _take(message, chunks, needs_call)
        yield message
    _refuse_incomplete(chunks, needs_call)


async def _achecked(
    messages: AsyncIterator[AIMessage], *, needs_call: bool
) -> AsyncIterator[AIMessage]:
    chunks: list[AIMessageChunk] = []
    async for message in messages:
        _take(message, chunks, needs_call)
        yield message
    _refuse_incomplete(chunks, needs_call)


def _take(message: AIMessage, chunks: list[AIMessageChunk], needs_call: bool) -> None:
    """Keep a chunk until all are there; judge a whole message at once, before it is parsed."""
    if isinstance(message, AIMessageChunk):
        chunks.append(message)
    else:
        _refuse(message, needs_call)


def _refuse_incomplete(chunks: list[AIMessageChunk], needs_call: bool) -> None:
    if chunks:
        _refuse(add_ai_message_chunks(*chunks), needs_call)


def _refuse(message: AIMessage, needs_call: bool) -> None:
    """Refuse an answer that was cut off, filtered or refused, or that LangChain's parsers would complete by guessing.

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
    if not needs_call:
        _refuse_broken_json(message)
    elif message.invalid_tool_calls:
        broken = message.invalid_tool_calls[0]
        raise StructuredOutputError(
            f"the arguments of {broken['name']!r} cannot be read: {broken['error'] or broken['args']}",
            raw=message,
            reason="invalid_tool_call",
        )
    elif not message.tool_calls:
        raise StructuredOutputError(
            f"the model called no tool (finish_reason {finish!r}); its text: {str(message.text)[:200]!r}",
            raw=message,
            reason="no_tool_call",
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


def _nothing(_: object) -> None:
    return None


_CUT_OFF = {
    "length": "the answer was cut off at the token limit (finish_reason 'length'), so its structure is incomplete: "
    "raise max_tokens",
    "content_filter": "a content filter ended the answer (finish_reason 'content_filter'), so its structure is "
    "incomplete: change the input, or try another provider",
}
