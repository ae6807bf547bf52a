import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_routing.emulator._schema_filling import fill_schema

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "email": {"type": "string", "format": "email"},
        "role": {"enum": ["engineer", "designer"]},
        "active": {"type": "boolean"},
        "nickname": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["name", "age", "email", "role", "active", "nickname"],
    "additionalProperties": False,
}


def test_a_person_is_read_from_a_sentence() -> None:
    prompt = 'Ada Lovelace, age 36, is an active designer; write to ada@example.org, nickname "Countess".'
    assert fill_schema(PERSON, prompt) == {
        "name": "Ada Lovelace",
        "age": 36,
        "email": "ada@example.org",
        "role": "designer",
        "active": True,
        "nickname": "Countess",
    }


@pytest.mark.parametrize(
    ("schema", "prompt", "value"),
    [
        ({"type": "integer"}, "Take 3 or 4", 3),
        ({"type": "number", "maximum": 2}, "Take 3.5", 2),
        ({"type": "number"}, "It costs 1,250.50 USD", 1250.5),
        ({"type": "integer", "multipleOf": 5}, "17", 15),
        ({"type": "integer", "exclusiveMinimum": 3}, "1", 4),
        ({"type": "string", "format": "date"}, "Due on 2026-03-04.", "2026-03-04"),
        ({"type": "string", "format": "uri"}, "See https://a.example/b.", "https://a.example/b."),
        ({"type": "string", "minLength": 5, "maxLength": 6}, "Hi", "Hi..."),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "from FRA to you", "FRA"),
        ({"const": 7}, "", 7),
        ({"enum": ["in_stock", "sold_out"]}, "It is sold out.", "sold_out"),
        ({"enum": ["a", "b"]}, "neither", "a"),
        ({"type": "null"}, "x", None),
        ({"type": ["string", "null"]}, 'the "word"', "word"),
        ({"type": "array", "items": {"type": "integer"}}, "1, 2 and 3", [1, 2, 3]),
        ({"type": "array", "items": {"type": "string"}}, "from Rome to Oslo", ["Rome", "Oslo"]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, "5", [5, 0]),
        (
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "items": False,
            },
            'f(4, "x")',
            [4, "x"],
        ),
        ({}, "anything", "anything"),
    ],
)
def test_each_kind_of_schema_is_filled(schema: Any, prompt: str, value: object) -> None:
    assert fill_schema(schema, prompt) == value


def test_labels_decide_what_goes_where() -> None:
    schema = {
        "type": "object",
        "properties": {
            "origin": {"type": "string"},
            "destination": {"type": "string"},
            "seats": {"type": "integer"},
            "row": {"type": "integer"},
        },
        "required": ["origin", "destination", "seats", "row"],
    }
    prompt = "Book row 12, seats: 2, destination: New Delhi, origin is Oslo"
    expected = {"origin": "Oslo", "destination": "New Delhi", "seats": 2, "row": 12}
    assert fill_schema(schema, prompt) == expected


def test_references_and_recursion_end() -> None:
    schema = {
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                    "parent": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                },
                "required": ["title", "children", "parent"],
            }
        },
        "$ref": "#/$defs/Node",
    }
    filled = fill_schema(schema, "A tree of Birch and Oak")
    jsonschema.validate(filled, schema)


scalars = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "maxLength": 4},
        {"type": "integer", "minimum": 2, "maximum": 9},
        {"type": "number", "exclusiveMaximum": 0},
        {"type": "boolean"},
        {"type": "null"},
        {"enum": ["red", "green", 3]},
        {"const": "fixed"},
        {"type": "string", "format": "date"},
        {"type": ["integer", "null"]},
    ]
)
names = st.sampled_from(["city", "count", "query", "is_open", "when", "tags", "self", "Ünï code"])


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(names, inner, max_size=4)
    return properties.flatmap(
        lambda known: st.builds(
            lambda required, closed: {
                "type": "object",
                "properties": known,
                "required": required,
                **({"additionalProperties": False} if closed else {}),
            },
            st.lists(st.sampled_from(sorted(known)), unique=True) if known else st.just([]),
            st.booleans(),
        )
    )


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda items, least, more: {
            "type": "array",
            "items": items,
            "minItems": least,
            "maxItems": least + more,
        },
        inner,
        st.integers(0, 3),
        st.integers(0, 2),
    )


schemas = st.recursive(
    scalars,
    lambda inner: (
        objects(inner)
        | arrays(inner)
        | st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options})
    ),
    max_leaves=8,
)
prompts = st.text(max_size=60) | st.sampled_from(
    ["Is it open in Paris at 9 or 10?", 'city: "Rome", count = -4', "", "red tags, query when"]
)


@given(schemas, prompts)
def test_what_is_filled_always_obeys_the_schema(schema: Any, prompt: str) -> None:
    filled = fill_schema(schema, prompt)
    jsonschema.validate(filled, schema)
    json.dumps(filled)
    assert fill_schema(schema, prompt) == filled
