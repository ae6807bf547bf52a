"""Code written for the other packages, run by them and by ours: what each sends, and how that differs.

The code is in `clients/`; only its import changes. Every difference is meant and stands in a table here, with its
reason: one that is not listed fails, and so does a listed one that is not there any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from openrouter_routing.emulator import Emulator
from tests.langchain.migration_cases import BODIES, CASES, CHANGED
from tests.llamaindex.test_migration import CASES as LLAMAINDEX_CASES
from tests.scripted_server import answer

from .asking import MODEL, TRIP, WEATHER
from .foreign import ForeignClient, ForeignError, Sent

ABSENT = "(not sent)"
Difference = dict[str, tuple[Any, Any]]
"""By field: what the other package sends, and what ours does."""

# False is what the API does anyway, and it sends usage with every stream.
WHOLE: Difference = {"stream": (False, ABSENT)}
STREAMED: Difference = {"stream_options": ({"include_usage": True}, ABSENT)}
# A provider that ignores a schema or a forced call would answer something else: none such may serve.
REQUIRED: Difference = {**WHOLE, "provider": (ABSENT, {"require_parameters": True})}

TRIP_FIELDS: dict[str, Any] = {
    "properties": {
        "city": {"description": "Where to.", "type": "string"},
        "days": {"description": "For how many days.", "type": "integer"},
    },
    "required": ["city", "days"],
    "type": "object",
}
TRIP_SCHEMA: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "Trip",
        "schema": {"title": "Trip", "description": "A trip.", **TRIP_FIELDS},
    },
}
# The name and the description stand beside the schema, where the API has fields for them.
OUR_TRIP_SCHEMA: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "Trip", "schema": TRIP_FIELDS, "description": "A trip."},
}
TRIP_TOOL = [
    {
        "type": "function",
        "function": {"name": "Trip", "description": "A trip.", "parameters": TRIP_FIELDS},
    }
]
TO_CALL_TRIP = {"type": "function", "function": {"name": "Trip"}}
TO_CALL = {"type": "function", "function": {"name": "get_weather"}}

LANGCHAIN: dict[str, tuple[str, dict[str, Any], Difference]] = {
    "whole, async": ("chat_async", {"prompt": "Hi"}, WHOLE),
    "streamed, async": ("stream_async", {"prompt": "Hi"}, STREAMED),
    "tools": ("tools", {"prompt": WEATHER}, WHOLE),
    "tools, streamed": ("stream_tools", {"prompt": WEATHER}, STREAMED),
    "tool_choice=auto": ("forced", {"prompt": WEATHER, "choice": "auto"}, WHOLE),
    "tool_choice=none": ("forced", {"prompt": WEATHER, "choice": "none"}, WHOLE),
    "tool_choice=any": ("forced", {"prompt": WEATHER, "choice": "any"}, REQUIRED),
    "tool_choice=required": ("forced", {"prompt": WEATHER, "choice": "required"}, REQUIRED),
    "tool_choice=name": ("forced", {"prompt": WEATHER, "choice": "get_weather"}, REQUIRED),
    "tool_choice=dict": ("forced", {"prompt": WEATHER, "choice": TO_CALL}, REQUIRED),
    # With one tool that says the same.
    "tool_choice=True": (
        "forced",
        {"prompt": WEATHER, "choice": True},
        {**REQUIRED, "tool_choice": (TO_CALL, "required")},
    ),
    "structured, calling": (
        "structured",
        {"prompt": TRIP, "method": "function_calling"},
        REQUIRED,
    ),
    "structured, schema": (
        "structured",
        {"prompt": TRIP, "method": "json_schema"},
        {**REQUIRED, "response_format": (TRIP_SCHEMA, OUR_TRIP_SCHEMA)},
    ),
    # The other package always takes a function call; here it is a schema, where the model's profile has them.
    "structured, no method": (
        "structured",
        {"prompt": TRIP},
        {
            **REQUIRED,
            "response_format": (ABSENT, OUR_TRIP_SCHEMA),
            "tools": (TRIP_TOOL, ABSENT),
            "tool_choice": (TO_CALL_TRIP, ABSENT),
        },
    ),
    # The other package takes json_mode for json_schema. Here it is the API's JSON mode, as in LangChain's other
    # integrations, and the prompt has to name the fields.
    "structured, JSON mode": (
        "structured",
        {"prompt": TRIP, "method": "json_mode"},
        {**REQUIRED, "response_format": (TRIP_SCHEMA, {"type": "json_object"})},
    ),
}

# Nothing is sent that was not set: no temperature, no limit that cuts answers off.
UNSET: Difference = {"temperature": (0.1, ABSENT), "max_tokens": (256, ABSENT)}
LLAMAINDEX_WHOLE: Difference = {**UNSET, "stream": (False, ABSENT)}


def ask(client: ForeignClient, case: str, arguments: Mapping[str, Any]) -> list[Sent]:
    before = len(client.sent)
    client.do(case, **arguments)
    return client.sent[before:]


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Difference:
    pairs = {name: (theirs.get(name, ABSENT), ours.get(name, ABSENT)) for name in {*theirs, *ours}}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["chat", "stream"])
def test_a_constructor_of_langchain(
    langchain: ForeignClient,
    migrated_langchain: ForeignClient,
    emulator: Emulator,
    way: str,
    case: str,
) -> None:
    streamed = way == "stream" or "streaming" in CASES[case]
    # Whatever the model is, both get the same answer.
    arguments = {"prompt": "Hi", **CASES[case], "model": MODEL}
    arguments.pop("model_name", None)
    failure = CHANGED.get(case)
    if isinstance(failure, TypeError):
        with pytest.raises(ForeignError) as caught:
            ask(langchain, way, arguments)
        assert (caught.value.kind, caught.value.text) == ("TypeError", str(failure))
        if case == "several answers" and streamed:
            return
    (ours,) = ask(migrated_langchain, way, arguments)
    recorded = {**BODIES[case], "model": MODEL, "messages": ours.body["messages"]}
    assert ours.body == {**recorded, **({"stream": True} if streamed else {})}
    if not isinstance(failure, TypeError):
        (theirs,) = ask(langchain, way, arguments)
        assert difference(theirs.body, ours.body) == (STREAMED if streamed else WHOLE)


@pytest.mark.parametrize("name", LANGCHAIN)
def test_a_call_of_langchain(
    langchain: ForeignClient, migrated_langchain: ForeignClient, emulator: Emulator, name: str
) -> None:
    case, arguments, meant = LANGCHAIN[name]
    if arguments.get("method") == "json_mode":
        # In JSON mode the emulator could not know the fields either.
        emulator.script([answer('{"city": "Paris", "days": 2}', system_fingerprint=None)] * 2)
    theirs = ask(langchain, case, {"model": MODEL, **arguments})
    ours = ask(migrated_langchain, case, {"model": MODEL, **arguments})
    assert len(theirs) == len(ours) > 0
    for one, other in zip(theirs, ours, strict=True):
        assert difference(one.body, other.body) == meant


def test_the_headers_of_langchain(
    langchain: ForeignClient, migrated_langchain: ForeignClient
) -> None:
    arguments = {"prompt": "Hi", **CASES["attribution"]}
    (theirs,), (ours,) = (
        ask(langchain, "chat", arguments),
        ask(migrated_langchain, "chat", arguments),
    )
    assert set(difference(theirs.headers, ours.headers)) == {
        "accept", "content-length", "user-agent",
        # Asked for, so that the attempts can be told.
        "x-openrouter-metadata",
        # The header's old name and its new one.
        "x-title", "x-openrouter-title",
    }  # fmt: skip
    assert theirs.headers["x-title"] == ours.headers["x-openrouter-title"] == "My App"
    plain = {"prompt": "Hi", "model": MODEL}
    (theirs,), (ours,) = ask(langchain, "chat", plain), ask(migrated_langchain, "chat", plain)
    for header, value in dict(CHANGED["every header"]).items():  # type: ignore[call-overload]
        # Named after LangChain, the calls of every application look alike in OpenRouter's rankings.
        assert (theirs.headers.get(header), ours.headers.get(header)) == (value, None)


@pytest.mark.parametrize("name", LLAMAINDEX_CASES)
@pytest.mark.parametrize("way", ["chat", "complete", "stream", "stream_complete"])
def test_a_constructor_of_llamaindex(
    llamaindex: ForeignClient, migrated_llamaindex: ForeignClient, way: str, name: str
) -> None:
    fields, sent = LLAMAINDEX_CASES[name]
    arguments = {"prompt": "Hi", "model": MODEL, **fields}
    (theirs,), (ours,) = ask(llamaindex, way, arguments), ask(migrated_llamaindex, way, arguments)
    meant = UNSET if way.startswith("stream") else LLAMAINDEX_WHOLE
    assert difference(theirs.body, ours.body) == {
        field: pair for field, pair in meant.items() if field not in fields
    }
    assert {field: ours.body[field] for field in sent} == sent


@pytest.mark.parametrize("way", ["chat_async", "stream_async"])
def test_async_calls_of_llamaindex(
    llamaindex: ForeignClient, migrated_llamaindex: ForeignClient, way: str
) -> None:
    arguments = {"prompt": "Hi", "model": MODEL}
    (theirs,), (ours,) = ask(llamaindex, way, arguments), ask(migrated_llamaindex, way, arguments)
    meant = UNSET if way.startswith("stream") else LLAMAINDEX_WHOLE
    assert difference(theirs.body, ours.body) == meant


@pytest.mark.parametrize("way", ["tools", "stream_tools", "agent"])
def test_tools_of_llamaindex(
    llamaindex: ForeignClient, migrated_llamaindex: ForeignClient, way: str
) -> None:
    arguments = {"prompt": WEATHER, "model": MODEL}
    theirs, ours = ask(llamaindex, way, arguments), ask(migrated_llamaindex, way, arguments)
    assert len(theirs) == len(ours) > 0
    for one, other in zip(theirs, ours, strict=True):
        found = difference(one.body, other.body)
        # The schema is the same; `strict: false` and what goes with it is not sent.
        (their_tool,), (our_tool,) = found.pop("tools")
        their_tool["function"].pop("strict")
        their_tool["function"]["parameters"].pop("additionalProperties")
        assert their_tool == our_tool
        assert found == {
            **(LLAMAINDEX_WHOLE if way == "tools" else UNSET),
            # What the API does anyway, and what not every provider takes.
            "tool_choice": ("auto", ABSENT),
            "parallel_tool_calls": (way == "agent", ABSENT),
        }


def test_structured_answers_of_llamaindex(
    llamaindex: ForeignClient, migrated_llamaindex: ForeignClient
) -> None:
    arguments = {"prompt": TRIP, "model": MODEL}
    (theirs,), (ours,) = (
        ask(llamaindex, "structured", arguments),
        ask(migrated_llamaindex, "structured", arguments),
    )
    found = difference(theirs.body, ours.body)
    # A schema where the model takes one, and a forced tool call elsewhere; the other package always forces a call.
    assert found.pop("response_format")[1]["json_schema"]["name"] == "Trip"
    assert found.pop("tools")[0][0]["function"]["name"] == "Trip"
    assert found == {
        **LLAMAINDEX_WHOLE,
        "tool_choice": ("required", ABSENT),
        "parallel_tool_calls": (False, ABSENT),
    }
