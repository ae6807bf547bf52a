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
from langchain_core.utils.function_calling import (
    convert_to_json_schema,
    convert_to_openai_function,
)
from langchain_core.utils.json import parse_json_markdown
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from langchain_openrouter_routing.errors import BadRequestError
from langchain_openrouter_routing.tools import Method, tool_to_wire

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
    tool = tool_to_wire(_titled(schema), strict=strict)
    name = tool["function"]["name"]
    traced = {"method": "function_calling", "strict": strict}
    # What the caller said about require_parameters is already in the model's preferences.
    bound = model.bind_tools(
        [tool],
        tool_choice=name,
        require_parameters=False,
        **_format(schema, traced),
        **kwargs,
    )
    if _is_pydantic(schema):
        return bound, PydanticToolsParser(tools=[cast("type", schema)], first_tool_only=True)
    return bound, JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def _by_schema(
    model: ChatOpenRouter, schema: Schema, strict: bool | None, kwargs: dict[str, Any]
) -> Binding:
    if isinstance(schema, Mapping) and isinstance(schema.get("schema"), Mapping):
        described = dict(schema)
    else:
        function = convert_to_openai_function(_titled(schema), strict=strict)
        described = {
            "name": function["name"],
            "schema": function.get("parameters") or {"type": "object", "properties": {}},
        }
        if description := function.get("description"):
            described["description"] = description
    described["name"] = re.sub(r"[^a-zA-Z0-9_-]", "_", described.get("name") or "answer")[:64]
    if strict is not None:
        described["strict"] = strict
    response_format = {"type": "json_schema", "json_schema": described}
    traced = {"method": "json_schema", "strict": strict}
    bound = model.bind(response_format=response_format, **_format(schema, traced), **kwargs)
    return cast("Binding", (bound, _json_parser(schema)))


def _by_json(
    model: ChatOpenRouter, schema: Schema | None, strict: bool | None, kwargs: dict[str, Any]
) -> Binding:
    if strict is not None:
        raise BadRequestError("strict does nothing in json_mode: use method='json_schema'")
    bound = model.bind(
        response_format={"type": "json_object"},
        **_format(schema, {"method": "json_mode"}),
        **kwargs,
    )
    return cast("Binding", (bound, _json_parser(schema)))


def _json_parser(schema: Schema | None) -> Runnable[Any, Any]:
    if schema is not None and _is_pydantic(schema):
        return PydanticOutputParser(pydantic_object=cast("type[BaseModel]", schema))
    return JsonOutputParser()


def _format(schema: Schema | None, traced: dict[str, Any]) -> dict[str, Any]:
    """Return what LangChain's tracers want to know; LangChain takes it out before the request."""
    told = {name: value for name, value in traced.items() if value is not None}
    described = None if schema is None else _json_schema(schema)
    return {"ls_structured_output_format": {"kwargs": told, "schema": described}}


def _json_schema(schema: Schema) -> dict[str, Any]:
    if isinstance(schema, Mapping) and isinstance(schema.get("schema"), Mapping):
        return dict(schema["schema"])
    return convert_to_json_schema(_titled(schema))


def _titled(schema: Schema) -> dict[str, Any] | type:
    """Return a schema that has a name: LangChain's converters ask for one."""
    if not isinstance(schema, Mapping):
        return schema
    if isinstance(inner := schema.get("schema"), Mapping):
        # The wire's own form of a schema; a function has its schema under another name.
        told = {key: schema[key] for key in ("name", "description") if key in schema}
        return {"name": "answer", **told, "parameters": dict(inner)}
    if {"title", "name", "function", "input_schema"} & set(schema):
        return dict(schema)
    return {"title": "answer", **schema}


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
