"""Structured output: from a schema in any of the forms users write to the wire, and back to checked values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from langchain_openrouter_routing._functions import function_of
from langchain_openrouter_routing._structures import (
    CallParser,
    RawAndParsed,
    RawAnswer,
    StructuredOutputError,
    StructureParser,
    TextParser,
)
from langchain_openrouter_routing.errors import BadRequestError
from langchain_openrouter_routing.tools import Method

if TYPE_CHECKING:
    from langchain_openrouter_routing.chat_model import ChatOpenRouter

__all__ = ["StructuredOutputError", "structured_output"]

Schema = Mapping[str, Any] | type
_TOLD = "ls_structured_output_format"
# What each method binds, and what a caller therefore cannot.
_MADE_HERE = {
    "function_calling": {"tools", "tool_choice", _TOLD},
    "json_schema": {"response_format", _TOLD},
    "json_mode": {"response_format", _TOLD},
}
Structured = Runnable[LanguageModelInput, dict[str, Any] | BaseModel]


def structured_output(
    model: ChatOpenRouter,
    schema: Schema | None,
    /,
    *,
    method: Method,
    include_raw: bool,
    strict: bool | None,
    **kwargs: Any,
) -> Structured:
    """Return what `ChatOpenRouter.with_structured_output` returns; see there."""
    if schema is None and method != "json_mode":
        raise BadRequestError(f"with_structured_output(method={method!r}) needs a schema")
    if taken := kwargs.keys() & _MADE_HERE.get(method, set()):
        raise BadRequestError(
            f"with_structured_output(method={method!r}) makes {' and '.join(sorted(taken))} from the schema itself: "
            "leave it out, or take another method"
        )
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
    if include_raw:
        return cast("Structured", RawAnswer(bound=bound) | RawAndParsed(parser=parser))
    return cast("Structured", bound | parser)


Binding = tuple[Runnable[LanguageModelInput, AIMessage], StructureParser]


def _by_function(
    model: ChatOpenRouter, schema: Schema, strict: bool | None, kwargs: dict[str, Any]
) -> Binding:
    function = _function(schema, strict)
    if (kind := function["parameters"].get("type", "object")) != "object":
        raise BadRequestError(
            f"method='function_calling' takes the schema of an object, and this one is of type {kind!r}: "
            "use method='json_schema'"
        )
    name = _legal_name(function["name"])
    traced = {"method": "function_calling", "strict": strict}
    # What the caller said about require_parameters is already in the model's preferences.
    bound = model.bind_tools(
        [{"type": "function", "function": {**function, "name": name}}],
        tool_choice=name,
        require_parameters=False,
        **_format(function, traced),
        **kwargs,
    )
    return bound, CallParser(tool=name, shape=_shape(schema))


def _by_schema(
    model: ChatOpenRouter, schema: Schema, strict: bool | None, kwargs: dict[str, Any]
) -> Binding:
    function = _function(schema, strict)
    wire = _response_schema(schema)
    described = dict(wire) if wire is not None else _as_response_schema(function)
    described["name"] = _legal_name(described.get("name") or "answer")
    if strict is not None:
        described["strict"] = strict
    response_format = {"type": "json_schema", "json_schema": described}
    traced = {"method": "json_schema", "strict": strict}
    bound = model.bind(response_format=response_format, **_format(function, traced), **kwargs)
    return bound, TextParser(shape=_shape(schema))


def _legal_name(name: object) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", str(name))[:64]


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
    return bound, TextParser(shape=_shape(schema))


def _format(function: Mapping[str, Any] | None, traced: dict[str, Any]) -> dict[str, Any]:
    """Return what LangChain's tracers want to know; LangChain takes it out before the request."""
    told = {name: value for name, value in traced.items() if value is not None}
    described = None
    if function is not None:
        named = {"title": function["name"], "description": function.get("description")}
        described = {key: value for key, value in named.items() if value is not None}
        described |= function["parameters"]
    return {_TOLD: {"kwargs": told, "schema": described}}


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


def _shape(schema: Schema | None) -> type[BaseModel] | None:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return cast("type[BaseModel]", schema)
    return None
