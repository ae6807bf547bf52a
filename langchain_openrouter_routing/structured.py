"""Structured output: from a schema in any of the forms users write to the wire, and back to checked values."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, cast

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
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from langchain_openrouter_routing.errors import BadRequestError
from langchain_openrouter_routing.tools import tool_to_wire

if TYPE_CHECKING:
    from langchain_openrouter_routing.chat_model import ChatOpenRouter

Method = Literal["json_schema", "function_calling", "json_mode"]
Schema = Mapping[str, Any] | type
Structured = Runnable[LanguageModelInput, dict[str, Any] | BaseModel]


class StructuredOutputError(OutputParserException):
    """An answer does not hold what a schema asked for: it was cut off, refused, or holds no tool call.

    Attributes:
        raw: The message as it came.
        reason: `"length"`, `"refusal"`, `"no_tool_call"` or `"invalid_tool_call"`.

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
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | checked, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
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
    if {"title", "name", "function", "input_schema"} & set(schema):
        return dict(schema)
    return {"title": "answer", **schema}


def _is_pydantic(schema: Schema) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)


def _whole_answers(*, needs_call: bool) -> RunnableGenerator[AIMessage, AIMessage]:
    """Return a step that hands answers on and refuses those that cannot hold the whole structure."""

    def check(messages: Iterator[AIMessage]) -> Iterator[AIMessage]:
        chunks: list[AIMessageChunk] = []
        for message in messages:
            if isinstance(message, AIMessageChunk):
                chunks.append(message)
            else:
                _refuse_incomplete(message, needs_call)
            yield message
        if chunks:
            _refuse_incomplete(add_ai_message_chunks(*chunks), needs_call)

    async def acheck(messages: AsyncIterator[AIMessage]) -> AsyncIterator[AIMessage]:
        chunks: list[AIMessageChunk] = []
        async for message in messages:
            if isinstance(message, AIMessageChunk):
                chunks.append(message)
            else:
                _refuse_incomplete(message, needs_call)
            yield message
        if chunks:
            _refuse_incomplete(add_ai_message_chunks(*chunks), needs_call)

    return RunnableGenerator(check, acheck, name="check_structured_output")


def _refuse_incomplete(message: AIMessage, needs_call: bool) -> None:
    finish = message.response_metadata.get("finish_reason")
    if finish == "length":
        raise StructuredOutputError(
            "the answer was cut off at the token limit (finish_reason 'length'), so its structure is incomplete: "
            "raise max_tokens; the raw answer is in .raw",
            raw=message,
            reason="length",
        )
    if refusal := message.additional_kwargs.get("refusal"):
        raise StructuredOutputError(f"the model refused: {refusal}", raw=message, reason="refusal")
    if not needs_call:
        return
    if message.invalid_tool_calls and not isinstance(message, AIMessageChunk):
        broken = message.invalid_tool_calls[0]
        raise StructuredOutputError(
            f"the arguments of {broken['name']!r} cannot be read: {broken['error']}",
            raw=message,
            reason="invalid_tool_call",
        )
    if not message.tool_calls and not message.invalid_tool_calls:
        raise StructuredOutputError(
            f"the model called no tool (finish_reason {finish!r}); its text: {str(message.text)[:200]!r}",
            raw=message,
            reason="no_tool_call",
        )
