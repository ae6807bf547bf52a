"""What users write as a schema or a tool, and the JSON schema that goes out for it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from langchain_openrouter_routing.errors import BadRequestError
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.scripted_server import answer


class Node(BaseModel):
    """A node."""

    v: int
    kids: list[Node] = []


class Pl(BaseModel):
    x: int


X = {"x": {"type": "integer"}}
FUNCTION = {"name": "pl", "parameters": {"type": "object", "properties": X}}
BARE: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "array": (
        {"title": "L", "type": "array", "items": {"type": "string"}},
        "L",
        {"type": "array", "items": {"type": "string"}},
    ),
    "any of": (
        {"anyOf": [{"type": "object", "properties": X}, {"type": "object"}]},
        "answer",
        {"anyOf": [{"type": "object", "properties": X}, {"type": "object"}]},
    ),
    "all of": ({"title": "A", "allOf": [{"type": "object"}]}, "A", {"allOf": [{"type": "object"}]}),
    "open object": (
        {"title": "O", "type": "object", "additionalProperties": {"type": "integer"}},
        "O",
        {"type": "object", "additionalProperties": {"type": "integer"}},
    ),
    "named": (
        {"name": "x", "type": "object", "properties": X},
        "x",
        {"type": "object", "properties": X},
    ),
    "response format": (
        {"type": "json_schema", "json_schema": {"name": "w", "schema": FUNCTION["parameters"]}},
        "w",
        {"type": "object", "properties": X},
    ),
    "tool": ({"type": "function", "function": FUNCTION}, "pl", {"type": "object", "properties": X}),
}


def sent_schema(emulator: Emulator) -> tuple[str, dict[str, Any]]:
    body: Any = emulator.requests[-1].json
    if "tools" in body:
        function = body["tools"][0]["function"]
        return function["name"], function["parameters"]
    described = body["response_format"]["json_schema"]
    return described["name"], described["schema"]


def calling(name: str, arguments: str) -> dict[str, Any]:
    body = answer(None)
    function = {"name": name, "arguments": arguments}
    body["choices"][0]["message"]["tool_calls"] = [
        {"id": "c", "type": "function", "function": function}
    ]
    return body


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("form", BARE)
def test_a_schema_of_any_form_goes_out_whole(
    emulator: Emulator, make_model: MakeModel, form: str, method: Any
) -> None:
    schema, name, wire = BARE[form]
    if form == "array" and method == "function_calling":
        with pytest.raises(BadRequestError, match="takes the schema of an object"):
            make_model().with_structured_output(schema, method=method)
        return
    body = calling(name, '{"x": 1}') if method == "function_calling" else answer('{"x": 1}')
    emulator.script([body])
    got: Any = make_model().with_structured_output(schema, method=method).invoke("x")
    assert got == {"x": 1}
    assert sent_schema(emulator) == (name, wire)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_root_that_is_a_reference_is_written_out(
    emulator: Emulator, make_model: MakeModel, method: Any
) -> None:
    schema = Node.model_json_schema()
    assert "$ref" in schema
    make_model().with_structured_output(schema, method=method, include_raw=True).invoke("x")
    name, wire = sent_schema(emulator)
    assert name == "Node"
    assert wire["properties"]["kids"]["items"] == {"$ref": "#/$defs/Node"}
    assert wire["$defs"] == schema["$defs"]
    assert "$ref" not in wire
    make_model().bind_tools([{"title": "N", **schema}]).invoke("x")
    assert sent_schema(emulator) == ("N", wire)
    make_model().bind_tools([schema]).invoke("x")
    assert sent_schema(emulator) == ("Node", wire)


@pytest.mark.parametrize(
    "schema",
    [
        {"title": "N"},
        {"name": "n", "description": "d"},
        {"title": "N", "$defs": {"P": {"type": "object"}}},
        {"title": "N", "$ref": "#/$defs/P"},
        {"title": "N", "$ref": "https://example.com/schema"},
        {"title": "N", "$ref": "#/$defs/P", "$defs": {"P": {"$ref": "#/$defs/P"}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_a_schema_that_asks_for_nothing_is_refused(
    make_model: MakeModel, schema: Any, method: Any
) -> None:
    with pytest.raises(BadRequestError, match=r"asks for nothing|the schema's root refers to"):
        make_model().with_structured_output(schema, method=method)


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "object", "properties": X},
        {"title": "N", "type": "array", "items": {}},
        {"title": "N", "$ref": "#/$defs/P"},
    ],
)
def test_a_tool_that_is_none_is_refused(make_model: MakeModel, tool: Any) -> None:
    with pytest.raises(BadRequestError, match=r"is no tool|the schema's root refers to"):
        make_model().bind_tools([tool])


def test_a_bare_schema_with_a_name_is_a_tool(emulator: Emulator, make_model: MakeModel) -> None:
    make_model().bind_tools([{"name": "x", "type": "object", "properties": X}]).invoke("x")
    assert sent_schema(emulator) == ("x", {"type": "object", "properties": X})
