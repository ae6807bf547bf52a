"""What is sent as strict obeys the rules of strict mode, whatever class it is made of; the rest goes as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, JsonValue, RootModel, create_model

from llamaindex_openrouter_routing import OpenRouter
from llamaindex_openrouter_routing._strict_schema import strict_schema
from llamaindex_openrouter_routing.structured import response_format
from openrouter_routing.emulator import Emulator
from openrouter_routing.emulator._schema_filling import fill_schema

FORMATS = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]
KEYWORDS = {
    "string": {"pattern", "format", "enum", "const"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum", "const"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum", "const"},
    "boolean": {"enum", "const"},
    "null": {"enum", "const"},
    "array": {"items", "minItems", "maxItems"},
    "object": {"properties", "required", "additionalProperties"},
    None: {"enum", "const"},
}  # fmt: skip


def broken_rules(schema: dict[str, Any]) -> list[str]:
    """Return what OpenAI would refuse of a strict schema."""
    root = {name: value for name, value in schema.items() if name != "$defs"}
    broken = [] if root.get("type") == "object" else ["the root is no object"]
    definitions = schema.get("$defs", {})
    for place, node in {"root": root, **definitions}.items():
        broken.extend(f"{place}: {rule}" for rule in broken_in(node, definitions))
    return broken


def broken_in(node: Any, definitions: dict[str, Any]) -> Iterator[str]:
    if not isinstance(node, dict):
        yield f"{node!r} is no schema"
        return
    if "$ref" in node:
        if set(node) != {"$ref"}:
            yield f"$ref cannot have keywords {set(node)}"
        if node["$ref"].removeprefix("#/$defs/") not in definitions:
            yield f"{node['$ref']} refers to nothing"
        return
    said = set(node) - {"title", "description"}
    if "anyOf" in node:
        if said != {"anyOf"}:
            yield f"anyOf beside {said}"
        for branch in node["anyOf"]:
            yield from broken_in(branch, definitions)
        return
    kind = node.get("type")
    if kind is None and not said & {"enum", "const"}:
        yield "schema must have a 'type' key"
    if not said <= KEYWORDS[kind] | {"type"}:
        yield f"{said - KEYWORDS[kind]} is not permitted"
    if node.get("format", "date") not in FORMATS:
        yield f"format {node['format']}"
    if "(?" in node.get("pattern", "").replace("(?:", ""):
        yield "looks around"
    if kind == "array":
        yield from broken_in(node.get("items"), definitions)
    if kind == "object":
        if node.get("additionalProperties") is not False:
            yield "'additionalProperties' is required to be false"
        if node.get("required") != list(node["properties"]):
            yield "'required' has to list every property"
        for value in node["properties"].values():
            yield from broken_in(value, definitions)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Canton(BaseModel):
    """A canton."""

    name: str
    seat: str = "Bern"


class Node(BaseModel):
    value: int
    children: list[Node] = []
    parent: Node | None = Field(None, description="Whose child it is.")
    twin: Annotated[Node, Field(description="Its twin.")]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    owner: Annotated[Canton, Field(description="Where from.")]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str


class Empty(BaseModel):
    pass


STRICT: dict[str, Any] = {
    "described model": Annotated[Canton, Field(description="Which.")],
    "described enum": Annotated[Colour, Field(description="Which.")],
    "model with a default": Annotated[Canton, Field(json_schema_extra={"default": None})],
    "recursive": Node,
    "described recursive": Annotated[Node, Field(description="The tree.")],
    "tagged union": Annotated[Cat | Dog, Field(discriminator="kind")],
    "tagged unions": list[Annotated[Cat | Dog, Field(discriminator="kind")]],
    "closed": Closed,
    "literal": Literal["a", "b"],
    "one literal": Literal["a"],
    "mixed literal": Literal["a", 1],
    "none": Canton | None,
    "date": date,
    "datetime": datetime,
    "duration": timedelta,
    "uuid": UUID,
    "number": Annotated[float, Field(ge=0, lt=10, multiple_of=0.5)],
    "pattern": Annotated[str, Field(pattern="^[a-z]+$")],
    "items": Annotated[list[int], Field(min_length=1, max_length=3)],
    "matrix": list[list[int]],
}
LOOSE: dict[str, Any] = {
    "anything": Any,
    "bare list": list,
    "list of anything": list[Any],
    "dict": dict[str, int],
    "bare dict": dict,
    "open": Open,
    "empty": Empty,
    "tuple": tuple[int, str],
    "set": set[int],
    "json": JsonValue,
    "url": AnyUrl,
    "path": Path,
    "bytes": bytes,
    "length": Annotated[str, Field(min_length=1)],
    "longest": Annotated[str, Field(max_length=9)],
    "examples": Annotated[str, Field(examples=["a"])],
    "deprecated": Annotated[str, Field(deprecated=True)],
    "looking around": Annotated[str, Field(json_schema_extra={"pattern": "^(?!a)"})],
    "own keyword": Annotated[str, Field(json_schema_extra={"x-order": 1})],
    "all of": Annotated[str, Field(json_schema_extra={"allOf": [{"type": "string"}]})],
    "many choices": Literal[tuple(str(number) for number in range(1001))],
}


def holding(annotation: Any) -> type[BaseModel]:
    return create_model("Holder", value=annotation, other=(str, "default"))


@pytest.mark.parametrize("name", STRICT)
def test_what_can_be_strict_is(name: str) -> None:
    cls = holding(STRICT[name])
    sent = response_format(cls)["json_schema"]
    assert sent["strict"]
    assert broken_rules(sent["schema"]) == []
    assert sent["schema"]["required"] == ["value", "other"]
    if not {"recursive", "duration", "pattern"} & set(name.split()):  # what the emulator fills
        value = fill_schema(sent["schema"], "")
        assert cls.model_validate_json(json.dumps(value)).model_fields_set == {"value", "other"}


@pytest.mark.parametrize("name", LOOSE)
def test_what_cannot_be_strict_is_sent_as_pydantic_makes_it(name: str) -> None:
    for cls in (holding(LOOSE[name]), holding(list[holding(LOOSE[name])])):  # type: ignore[misc]
        sent = response_format(cls)["json_schema"]
        assert sent["strict"] is False
        assert sent["schema"] == cls.model_json_schema()


@pytest.mark.parametrize(
    "cls", [RootModel[list[int]], RootModel[dict[str, int]], RootModel[int | str], RootModel[str]]
)
def test_a_root_that_is_no_object_is_not_strict(cls: type[BaseModel]) -> None:
    assert response_format(cls)["json_schema"]["strict"] is False


@pytest.mark.parametrize("cls", [Node, RootModel[Canton], RootModel[Node]])
def test_the_definition_of_the_root_stands_at_the_root(cls: type[BaseModel]) -> None:
    schema = response_format(cls)["json_schema"]["schema"]
    assert broken_rules(schema) == []
    assert "$ref" not in schema
    assert schema["properties"]


def test_what_a_reference_says_beside_it_is_kept() -> None:
    cls = holding(STRICT["described model"])
    value = response_format(cls)["json_schema"]["schema"]["properties"]["value"]
    assert value["description"] == "Which."
    assert list(value["properties"]) == ["name", "seat"]
    twin = response_format(Node)["json_schema"]["schema"]["properties"]["twin"]
    assert twin["description"] == "Its twin."
    assert twin["properties"]["twin"] == {"$ref": "#/$defs/Node"}


def test_the_schema_given_is_not_changed() -> None:
    schema = Node.model_json_schema()
    before = json.dumps(schema)
    assert strict_schema(schema) is not None
    assert json.dumps(schema) == before


def test_classes_that_all_describe_each_other_take_no_factorial_time() -> None:
    names = [f"Class{number}" for number in range(12)]
    node = {
        "type": "object",
        "properties": {
            name: {"$ref": f"#/$defs/{name}", "description": f"The {name}."} for name in names
        },
    }
    assert strict_schema({**node, "$defs": dict.fromkeys(names, node)}) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"$ref": "#/$defs/B", "$defs": {"A": {"type": "object", "properties": {}}}},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": {"a": {"anyOf": []}}},
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}},
        {"type": "object", "properties": {}, "additionalProperties": {}},
        {"type": "object"},
        {},
    ],
)
def test_odd_schemas_are_not_strict(schema: dict[str, Any]) -> None:
    assert strict_schema(schema) is None


# What is said of a whole field can be said of it alone, and not of one branch of it.
ANYWHERE = [kind for name, kind in LOOSE.items() if name != "deprecated"]
leaves = st.sampled_from([*STRICT.values(), *ANYWHERE, str, int, bool, type(None)])
descriptions = st.none() | st.just("Some.")


@st.composite
def classes(draw: Callable[..., Any], of: st.SearchStrategy[Any]) -> Any:
    """Draw a class whose fields are some of these, described or not, with defaults or not."""
    fields: dict[str, Any] = {}
    for number in range(draw(st.integers(0, 3))):
        default = draw(st.sampled_from([..., None]))
        annotation, description = draw(of), draw(descriptions)
        fields[f"field_{number}"] = (annotation, Field(default, description=description))
    return create_model(f"Class{draw(st.integers(0, 99))}", **fields)


def containers(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        classes(of),
        of.map(lambda inner: list[inner]),  # type: ignore[valid-type]
        of.map(lambda inner: inner | None if isinstance(inner, type) else inner),
    )


@given(classes(st.recursive(leaves, containers, max_leaves=6)))
def test_whatever_is_strict_obeys_the_rules(cls: type[BaseModel]) -> None:
    sent = response_format(cls)["json_schema"]
    if sent["strict"]:
        assert broken_rules(sent["schema"]) == []
    else:
        assert sent["schema"] == cls.model_json_schema()


def test_it_reaches_the_wire(emulated: OpenRouter, emulator: Emulator) -> None:
    city = emulated.structured_predict(
        holding(STRICT["described model"]), PromptTemplate('"Bern" in {x}'), x="Europe"
    )
    assert city.model_fields_set == {"value", "other"}
    sent = emulator.requests[-1].json["response_format"]["json_schema"]
    assert sent["strict"]
    assert broken_rules(sent["schema"]) == []


def book(room: str, nights: int = 1, view: str | None = None) -> str:
    """Book a room."""
    return f"{room} for {nights}"


def note(**anything: Any) -> str:
    """Take note."""
    return str(anything)


def test_tools_are_strict_where_they_can_be(emulated: OpenRouter, emulator: Emulator) -> None:
    tools = [FunctionTool.from_defaults(book), FunctionTool.from_defaults(note)]
    emulated.chat_with_tools(tools, "Hi", strict=True)
    strict, loose = (tool["function"] for tool in emulator.requests[-1].json["tools"])
    assert strict["strict"]
    assert broken_rules(strict["parameters"]) == []
    assert strict["parameters"]["required"] == ["room", "nights", "view"]
    assert strict["parameters"]["properties"]["nights"]["type"] == "integer"
    assert {"type": "null"} in strict["parameters"]["properties"]["view"]["anyOf"]
    assert "strict" not in loose
    assert loose["parameters"] == tools[1].metadata.get_parameters_dict()
