"""What users write as a schema or a tool, and the JSON schema that goes out for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, Literal, TypedDict, TypeVar

import pydantic.v1
import pytest
from jsonschema import Draft202012Validator
from langchain_core.tools import StructuredTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field

from langchain_openrouter_routing.errors import BadRequestError
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.scripted_server import answer


class Node(BaseModel):
    """A node."""

    v: int
    kids: list[Node] = []


class OldNode(pydantic.v1.BaseModel):
    """A node."""

    v: int
    kids: list[OldNode] = []


OldNode.update_forward_refs()


class Tree(BaseModel):
    """A tree that recurses below its root only."""

    root: Node
    spare: Pl | None = None


class Pl(BaseModel):
    x: int


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str] = []


class Home(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")
    ages: dict[str, int]
    notes: dict[str, Any]
    owner: Pl | None = None


class Endless(TypedDict):
    kids: list[Endless]


class Color(Enum):
    RED = "red"


class Uncallable(BaseModel):
    f: Callable[[int], int]


T = TypeVar("T")


class Gm(BaseModel, Generic[T]):
    x: T


@tool
def grow(node: Node, depth: int) -> str:
    """Grow a node."""
    return ""


def plain_grow(node: Node, depth: int) -> str:
    """Grow a node.

    Args:
        node: The node.
        depth: How deep.
    """
    return ""


def flat(city: str, pl: Pl, count: int = 1) -> str:
    """Do it flat.

    Args:
        city: The city.
        pl: A structure.
        count: How often.
    """
    return ""


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


def check_recursion(schema: dict[str, Any]) -> None:
    """Check against the wire's own schema that a node may hold nodes, and a broken one below is found."""
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"v": 1, "kids": [{"v": 2, "kids": [{"v": 3}]}]})
    assert not validator.is_valid({"v": 1, "kids": [{"v": 2, "kids": [{"w": 3}]}]})


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("node", [Node, OldNode])
def test_a_class_that_holds_itself_keeps_the_recursion(
    emulator: Emulator, make_model: MakeModel, node: Any, method: Any
) -> None:
    text = '{"v": 1, "kids": [{"v": 2}]}'
    body = calling(node.__name__, text) if method == "function_calling" else answer(text)
    emulator.script([body])
    got: Any = make_model().with_structured_output(node, method=method).invoke("x")
    assert got.kids[0].v == 2
    name, schema = sent_schema(emulator)
    assert name == node.__name__
    check_recursion(schema)


def test_recursion_below_the_root_is_kept(emulator: Emulator, make_model: MakeModel) -> None:
    make_model().with_structured_output(Tree, include_raw=True).invoke("x")
    _, schema = sent_schema(emulator)
    assert {"root"} <= schema["properties"].keys()
    check_recursion({"$defs": schema["$defs"], **schema["properties"]["root"]})


GROW = StructuredTool.from_function(
    lambda **arguments: "",
    name="grow",
    description="Grow a node.",
    args_schema={
        "type": "object",
        "properties": {"node": {"$ref": "#/$defs/Node"}, "depth": {"type": "integer"}},
        "$defs": Node.model_json_schema()["$defs"],
    },
)


@pytest.mark.parametrize("offered", [grow, plain_grow, GROW], ids=["tool", "def", "dict"])
def test_a_tools_arguments_keep_the_recursion(
    emulator: Emulator, make_model: MakeModel, offered: Any
) -> None:
    make_model().bind_tools([offered]).invoke("x")
    name, schema = sent_schema(emulator)
    assert name == getattr(offered, "name", "plain_grow")
    assert schema["properties"]["depth"]["type"] == "integer"
    check_recursion({"$defs": schema["$defs"], **schema["properties"]["node"]})


@pytest.mark.parametrize("offered", [flat, tool(flat), Pl], ids=["def", "tool", "class"])
def test_what_does_not_recurse_is_as_langchain_converts_it(
    emulator: Emulator, make_model: MakeModel, offered: Any
) -> None:
    make_model().bind_tools([offered]).invoke("x")
    expected = json.dumps(convert_to_openai_tool(offered))
    assert json.dumps(emulator.requests[-1].json["tools"][0]) == expected


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_strict_leaves_objects_of_any_keys_and_unions_what_they_are(
    emulator: Emulator, make_model: MakeModel, method: Any
) -> None:
    structured = make_model().with_structured_output(
        Home, method=method, strict=True, include_raw=True
    )
    structured.invoke("x")
    _, schema = sent_schema(emulator)
    properties = schema["properties"]
    assert properties["ages"]["additionalProperties"] == {"type": "integer"}
    assert properties["notes"]["additionalProperties"] is True
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["pet", "ages", "notes", "owner"]
    assert properties["pet"].keys() == {"anyOf"}
    for pet in properties["pet"]["anyOf"]:
        assert pet["additionalProperties"] is False
        assert pet["required"] == list(pet["properties"])


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_strict_reaches_recursion(emulator: Emulator, make_model: MakeModel, method: Any) -> None:
    structured = make_model().with_structured_output(
        Node, method=method, strict=True, include_raw=True
    )
    structured.invoke("x")
    _, schema = sent_schema(emulator)
    for node in (schema, schema["$defs"]["Node"]):
        assert (node["additionalProperties"], node["required"]) == (False, ["v", "kids"])


class Inner(BaseModel):
    x: int
    loose: Pl | None = None


@pytest.mark.parametrize("offered", [flat, tool(flat), Inner], ids=["def", "tool", "class"])
def test_strict_is_langchains_for_what_is_ordinary(
    emulator: Emulator, make_model: MakeModel, offered: Any
) -> None:
    make_model().bind_tools([offered], strict=True).invoke("x")
    expected = json.dumps(convert_to_openai_tool(offered, strict=True))
    assert json.dumps(emulator.requests[-1].json["tools"][0]) == expected


def test_strict_said_twice_in_two_ways_is_refused(make_model: MakeModel) -> None:
    with pytest.raises(BadRequestError, match="itself says strict=False"):
        make_model().bind_tools([{**FUNCTION, "strict": False}], strict=True)


def test_a_strict_tool_without_parameters_takes_none(
    emulator: Emulator, make_model: MakeModel
) -> None:
    make_model().bind_tools([{"name": "x", "description": "d"}], strict=True).invoke("x")
    name, schema = sent_schema(emulator)
    assert name == "x"
    assert schema == {"type": "object", "properties": {}, "additionalProperties": False}
    make_model().bind_tools([{"name": "x", "description": "d"}]).invoke("x")
    assert emulator.requests[-1].json["tools"][0]["function"] == {"name": "x", "description": "d"}


NO_SCHEMAS: dict[str, Any] = {
    "list": list[int],
    "int": int,
    "union": int | str,
    "optional": Pl | None,
    "instance": Pl(x=1),
    "endless": Endless,
    "enum": Color,
    "no json": Uncallable,
    "text": "Pl",
}


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("schema", NO_SCHEMAS)
def test_what_is_no_schema_is_refused_before_anything_is_sent(
    make_model: MakeModel, schema: str, method: Any
) -> None:
    with pytest.raises(BadRequestError, match="is no tool and no schema"):
        make_model().with_structured_output(NO_SCHEMAS[schema], method=method)


@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (Gm[int], "Gm_int_"),
        ({"title": "My Tool", "type": "object", "properties": X}, "My_Tool"),
        ({"title": "N" * 70, "type": "object", "properties": X}, "N" * 64),
    ],
    ids=["generic", "space", "long"],
)
def test_a_name_is_made_one_the_api_takes(
    emulator: Emulator, make_model: MakeModel, schema: Any, name: str, method: Any, way: str
) -> None:
    emulator.script(
        [calling(name, '{"x": 1}') if method == "function_calling" else answer('{"x": 1}')]
    )
    structured: Any = make_model().with_structured_output(schema, method=method)
    got = structured.invoke("x") if way == "invoke" else list(structured.stream("x"))[-1]
    assert got == (Gm[int](x=1) if schema is Gm[int] else {"x": 1})
    assert sent_schema(emulator)[0] == name


@pytest.mark.parametrize("choice", ["pl", {"type": "function", "name": "pl"}], ids=["name", "dict"])
def test_a_tool_of_the_responses_api_is_wrapped_and_can_be_chosen(
    emulator: Emulator, make_model: MakeModel, choice: Any
) -> None:
    tool = {"type": "function", "description": "d", **FUNCTION, "strict": True}
    make_model().bind_tools([tool], tool_choice=choice).invoke("x")
    body = emulator.requests[-1].json
    function = {"description": "d", **FUNCTION, "strict": True}
    assert body["tools"] == [{"type": "function", "function": function}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "pl"}}
    make_model().bind_tools([{"type": "function", "name": "now", "description": "d"}]).invoke("x")
    (bare,) = emulator.requests[-1].json["tools"]
    assert bare == {"type": "function", "function": {"name": "now", "description": "d"}}
