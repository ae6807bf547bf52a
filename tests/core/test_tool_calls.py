"""Tool calls as providers really send them: numbered or not, named or not, in pieces or whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openrouter_routing._tool_calls import (
    ToolCallAssembler,
    parse_arguments,
    read_tool_calls,
    replayable_arguments,
)


def assemble(*fragments: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (id, name, arguments) of the calls, checked against what the fragments' normal form adds up to."""
    assembler = ToolCallAssembler()
    deltas = [assembler.add(fragment) for fragment in fragments]
    deltas += assembler.missing_ids("gen-1")
    calls = [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in assembler.to_wire("gen-1")
    ]
    for place, (call_id, name, arguments) in enumerate(calls):
        own = [delta for delta in deltas if delta.index == place]
        assert [delta.id for delta in own if delta.id] == [call_id]
        assert "".join(delta.name or "" for delta in own) == name
        assert "".join(delta.arguments for delta in own) == arguments
    return calls


def piece(arguments: Any = "", *, name: str | None = None, **fields: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {**fields, "function": function}


def test_looking_at_calls_that_are_still_arriving_changes_nothing() -> None:
    assembler = ToolCallAssembler()
    assembler.add(piece(index=0, name="now"))
    assembler.add(piece(index=1, name="weather"))
    assert [call["id"] for call in assembler.to_wire("gen-1")] == ["call_1_0", "call_1_1"]
    assert assembler.add(piece("{}", index=0, id="real")).id == "real"
    assert [call["id"] for call in assembler.to_wire("gen-1")] == ["real", "call_1_1"]
    assert [delta.id for delta in assembler.missing_ids("gen-1")] == ["call_1_1"]


def test_fragments_of_two_calls_may_alternate() -> None:
    assert assemble(
        piece(index=0, id="a", name="now"),
        piece(index=1, id="b", name="weather"),
        piece('{"zone":', index=0),
        piece('{"city":', index=1),
        piece('"CET"}', index=0),
        piece('"Bern"}', index=1),
    ) == [("a", "now", '{"zone":"CET"}'), ("b", "weather", '{"city":"Bern"}')]


def test_ids_and_names_may_be_on_every_fragment() -> None:
    assert assemble(
        piece(index=0, id="a", name="now"),
        piece('{"x":', index=0, id="a", name="now"),
        piece("1}", index=0, id="a", name="now"),
    ) == [("a", "now", '{"x":1}')]


def test_the_number_may_come_late() -> None:
    assert assemble(piece(id="a", name="now"), piece('{"x":', index=0), piece("1}", index=0)) == [
        ("a", "now", '{"x":1}')
    ]


def test_without_numbers_ids_tell_calls_apart() -> None:
    assert assemble(
        piece('{"x":1}', id="a", name="now"),
        piece('{"y":', id="b", name="now"),
        piece("2}", id="b"),
    ) == [("a", "now", '{"x":1}'), ("b", "now", '{"y":2}')]


def test_without_numbers_and_ids_a_new_name_begins_a_call() -> None:
    calls = assemble(piece('{"x":', name="now"), piece("1}"), piece("{}", name="later"))
    assert [(name, arguments) for _, name, arguments in calls] == [
        ("now", '{"x":1}'),
        ("later", "{}"),
    ]
    assert len({call_id for call_id, _, _ in calls}) == 2


def test_every_call_may_have_the_number_zero() -> None:
    assert assemble(
        piece('{"x":1}', index=0, id="a", name="now"), piece("{}", index=0, id="b", name="later")
    ) == [("a", "now", '{"x":1}'), ("b", "later", "{}")]


def test_every_call_may_have_the_number_zero_and_no_id() -> None:
    calls = assemble(piece('{"x":1}', index=0, name="now"), piece('{"x":2}', index=0, name="now"))
    assert [(name, arguments) for _, name, arguments in calls] == [
        ("now", '{"x":1}'),
        ("now", '{"x":2}'),
    ]


def test_two_calls_may_share_an_id() -> None:
    calls = assemble(
        piece("{}", index=0, id="call_0", name="now"),
        piece("{}", index=1, id="call_0", name="later"),
    )
    assert calls == [("call_0", "now", "{}"), ("call_0_1", "later", "{}")]
    calls = assemble(piece("{}", id="call_0", name="now"), piece("{}", id="call_0", name="later"))
    assert calls == [("call_0", "now", "{}"), ("call_0_1", "later", "{}")]


def test_a_name_may_come_in_pieces() -> None:
    assert assemble(
        piece(index=0, id="a", name="get_"), piece(index=0, name="weather"), piece("{}", index=0)
    ) == [("a", "get_weather", "{}")]


def test_a_missing_id_is_made_and_stays_the_same() -> None:
    fragments = [piece("{}", index=0, name="now"), piece("{}", index=1, name="later")]
    assert assemble(*fragments) == assemble(*fragments)
    whole = [{"function": {"name": "now"}}, {"id": None, "function": {"name": "later"}}]
    streamed = assemble(*fragments)
    assert [call.id for call in read_tool_calls(whole, "gen-1")] == [
        call_id for call_id, _, _ in streamed
    ]


def test_whole_calls_that_share_an_id_come_apart() -> None:
    calls = [{"id": "a", "function": {"name": "x"}}, {"id": "a", "function": {"name": "y"}}]
    assert [call.id for call in read_tool_calls(calls, None)] == ["a", "a_1"]


@pytest.mark.parametrize("arguments", ["", "  ", "null", None, "{}"])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    (call,) = read_tool_calls([{"function": {"name": "now", "arguments": arguments}}], "gen-1")
    assert (call.arguments, call.error) == ({}, None)


def test_arguments_may_come_as_an_object() -> None:
    (call,) = read_tool_calls([{"function": {"name": "now", "arguments": {"x": 1}}}], "gen-1")
    assert call.arguments == {"x": 1}


@pytest.mark.parametrize("text", ['{"city": "Be', "[1]", "Bern", '{"a":1}}'])
def test_unreadable_arguments_stay_readable_to_people(text: str) -> None:
    arguments, error = parse_arguments(text)
    assert arguments is None
    assert error
    (call,) = read_tool_calls([{"function": {"name": "now", "arguments": text}}], "gen-1")
    assert call.arguments_json == text


@pytest.mark.parametrize("calls", [None, {}, "x", [None, 7, "x"]])
def test_what_is_no_call_is_none(calls: Any) -> None:
    assert read_tool_calls(calls, "gen-1") == []


def test_line_breaks_in_arguments_are_readable() -> None:
    assert parse_arguments('{"text": "one\ntwo"}') == ({"text": "one\ntwo"}, None)


def test_a_streamed_null_is_no_arguments_and_a_null_inside_them_is_one() -> None:
    assembler = ToolCallAssembler()
    first = assembler.add({"index": 0, "id": "a", "function": {"name": "x", "arguments": "null"}})
    assert first.arguments == ""
    for piece in ('{"y": ', "null", "}"):
        assert assembler.add({"index": 1, "function": {"arguments": piece}}).arguments == piece
    texts = [call["function"]["arguments"] for call in assembler.to_wire("gen-1")]
    assert texts == ["", '{"y": null}']


@pytest.mark.parametrize(
    ("text", "replayed"),
    [
        ('{"a":  1}', '{"a":  1}'),
        ("", "{}"),
        (" ", "{}"),
        ("null", "{}"),
        ('{"a": "x\ny"}', '{"a": "x\\ny"}'),
        ('{"a": 1', '{"invalid_arguments": "{\\"a\\": 1"}'),
        ("[1]", '{"invalid_arguments": "[1]"}'),
    ],
)
def test_what_goes_back_to_a_provider_is_a_json_object(text: str, replayed: str) -> None:
    assert replayable_arguments(text) == replayed
    assert isinstance(json.loads(replayed), dict)


@pytest.mark.parametrize("text", ['{"a":' + "[" * 200_000, "[" * 200_000, '{"a": "\\ud83d"}'])
def test_arguments_that_cannot_be_read_or_written_again_are_unreadable(text: str) -> None:
    arguments, error = parse_arguments(text)
    assert arguments is None
    assert error
    assert json.loads(replayable_arguments(text)) == {"invalid_arguments": text}
