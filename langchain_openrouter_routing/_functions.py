"""Schemas and tools as the API's functions: a name, a description and parameters, from any form users write."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from langchain_core.utils.function_calling import convert_to_openai_function
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic.v1 import BaseModel as BaseModelV1
from typing_extensions import is_typeddict

from langchain_openrouter_routing._references import recurses, with_own_root
from langchain_openrouter_routing._strict_schema import strict_schema
from langchain_openrouter_routing.errors import BadRequestError

# Everything that has none of the known fields for parameters is a bare JSON schema.
_KEPT = ("name", "description", "parameters", "strict")
# What LangChain's converters and pydantic raise for what they cannot describe: endless recursion, unresolved names, ...
_UNFIT = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, NameError)


def function_of(described: Any, *, strict: bool | None) -> dict[str, Any]:
    """Return a function from anything that describes one.

    Args:
        described: A function of OpenAI's, Anthropic's or Bedrock's form, the response format's form of a schema, a bare
            JSON schema, a class, a function, or a LangChain tool.
        strict: Whether arguments must follow the schema exactly.

    Returns:
        The function; `name` and `parameters` are absent where a mapping says nothing about them.

    Raises:
        BadRequestError: It describes none.

    Example:
        >>> function_of({"title": "cities", "type": "array", "items": {"type": "string"}}, strict=None)
        {'name': 'cities', 'parameters': {'type': 'array', 'items': {'type': 'string'}}}
    """
    try:
        function = _of_mapping(described) if isinstance(described, Mapping) else _of_code(described)
    except _UNFIT as error:
        raise BadRequestError(
            f"{described!r:.200} is no tool and no schema: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from None
    return function if strict is None else _with_strict(function, strict=strict)


def _of_mapping(described: Mapping[str, Any]) -> dict[str, Any]:
    if described.get("type") == "function":
        # OpenAI's APIs hold a function inside, or beside the type; it is no type of JSON's.
        described = {key: value for key, value in described.items() if key != "type"}
    inner = described.get("function")
    if isinstance(inner, Mapping):
        return _of_mapping(inner)
    if "toolSpec" in described:
        return convert_to_openai_function(dict(described))
    if "input_schema" in described:
        told = {"name": described.get("name"), "parameters": described["input_schema"]}
        if "description" in described:
            told["description"] = described["description"]
        if isinstance(strict := described.get("strict"), bool):
            told["strict"] = strict
    elif isinstance(described.get("schema"), Mapping):
        kept = {key: described[key] for key in _KEPT if key in described}
        told = {**kept, "parameters": dict(described["schema"])}
    elif "parameters" in described:
        told = {key: value for key, value in described.items() if key in _KEPT}
    else:
        told = _of_bare_schema(described)
    if told.get("name") is None:
        told.pop("name", None)
    return told


def _of_bare_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    root = with_own_root(schema)
    title, name, strict = (root.pop(key, None) for key in ("title", "name", "strict"))
    told: dict[str, Any] = {"name": title or name}
    if "description" in root:
        told["description"] = root.pop("description")
    # Definitions alone ask for nothing.
    if root.keys() - {"$defs", "definitions"}:
        told["parameters"] = root
    if isinstance(strict, bool):
        told["strict"] = strict
    return told


def _of_code(described: Any) -> dict[str, Any]:
    from langchain_core.tools import BaseTool, create_schema_from_function

    if isinstance(described, BaseTool):
        return _recursing(convert_to_openai_function(described), described.tool_call_schema)
    if isinstance(described, type) and issubclass(described, Enum):
        # LangChain would describe the constructor of enums.
        raise TypeError("an enum has no fields: make it a field of a class")
    is_class = isinstance(described, type) and is_basemodel_subclass(described)
    if is_class or is_typeddict(described) or not callable(described):
        return _recursing(convert_to_openai_function(described), described)
    # As LangChain reads a function; it does so slowly, and keeps what it read to itself.
    arguments: Any = create_schema_from_function(
        described.__name__,
        described,
        filter_args=(),
        parse_docstring=True,
        error_on_invalid_docstring=False,
        include_injected=False,
    )
    function = _recursing(convert_to_openai_function(arguments), arguments)
    told = arguments.__doc__ or function["description"]
    return {**function, "name": described.__name__, "description": told}


def _recursing(function: dict[str, Any], described: Any) -> dict[str, Any]:
    """Return a function with the recursion of its parameters, of which LangChain leaves an empty schema."""
    if isinstance(described, Mapping):
        schema = described
    elif hasattr(described, "model_json_schema"):
        schema = described.model_json_schema()
    elif isinstance(described, type) and issubclass(described, BaseModelV1):
        schema = described.schema()
    else:
        return function
    if not recurses(schema):
        return function
    root = with_own_root(schema)
    parameters = {key: root[key] for key in root if key not in ("title", "description")}
    return {**function, "parameters": parameters}


def _with_strict(function: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    if function.get("strict") not in (None, strict):
        raise BadRequestError(
            f"{function.get('name')!r} itself says strict={function['strict']!r}, "
            f"and the call strict={strict!r}"
        )
    if not strict:
        return {**function, "strict": False}
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    return {**function, "strict": True, "parameters": strict_schema(parameters)}
