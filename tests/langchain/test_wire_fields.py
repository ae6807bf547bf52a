"""What was set is sent, what was not set is absent: one test per field, in the bytes a real server received."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from langchain_openrouter_routing import ChatOpenRouter, OpenRouterEmbeddings, OpenRouterRerank
from openrouter_routing.emulator import Emulator, RecordedRequest
from openrouter_routing.preferences import PROVIDER_FIELDS as PROVIDER_NAMES
from tests.scripted_server import answer
from tests.wire_fields import (
    METADATA,
    PARAMETERS,
    PROVIDER_FIELDS,
    REQUEST_FIELDS,
    WireField,
    sent_beside_the_prompt,
)

ROUTING = (*PROVIDER_FIELDS, *REQUEST_FIELDS)


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def emulator(shared: Emulator) -> Emulator:
    # The answer does not depend on the field: what is looked at is the request.
    shared.clear()
    shared.script([answer()] * 8)
    return shared


def fields(emulator: Emulator) -> dict[str, Any]:
    return {
        "model": "openai/gpt-5-mini",
        "api_key": "sk-or-v1-secret",
        "base_url": emulator.base_url,
        "on_violation": "ignore",
    }


def send(how: str, llm: ChatOpenRouter, **call: Any) -> None:
    async def consume() -> None:
        async for _ in llm.astream("Hi", **call):
            pass

    if how == "invoke":
        llm.invoke("Hi", **call)
    elif how == "ainvoke":
        asyncio.run(llm.ainvoke("Hi", **call))
    elif how == "stream":
        list(llm.stream("Hi", **call))
    else:
        asyncio.run(consume())


def check(request: RecordedRequest, field: WireField, how: str) -> None:
    assert sent_beside_the_prompt(request.json) == dict(field.body)
    assert request.json.get("stream", False) is ("stream" in how)
    for name, value in field.headers.items():
        assert request.headers[name] == value
    if field.name != "response_cache":
        assert "x-openrouter-cache" not in request.headers
    if field.name != "router_metadata":
        assert request.headers["x-openrouter-metadata"] == "enabled"


@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize("field", [*ROUTING, *PARAMETERS], ids=lambda field: field.label)
def test_a_call_sends_the_field(emulator: Emulator, field: WireField, how: str) -> None:
    send(how, ChatOpenRouter(**fields(emulator)), **{field.name: field.value})
    check(emulator.requests[-1], field, how)


@pytest.mark.parametrize("how", ["invoke", "astream"])
@pytest.mark.parametrize("field", [*ROUTING, *PARAMETERS], ids=lambda field: field.label)
def test_a_constructor_sends_the_field(emulator: Emulator, field: WireField, how: str) -> None:
    send(how, ChatOpenRouter(**fields(emulator), **{field.name: field.value}))
    check(emulator.requests[-1], field, how)


@pytest.mark.parametrize("field", [*ROUTING, METADATA], ids=lambda field: field.label)
def test_a_derived_model_sends_the_field(emulator: Emulator, field: WireField) -> None:
    send("invoke", ChatOpenRouter(**fields(emulator)).with_routing(**{field.name: field.value}))
    check(emulator.requests[-1], field, "invoke")


@pytest.mark.parametrize("field", PROVIDER_FIELDS, ids=lambda field: field.label)
def test_a_provider_object_sends_the_field(emulator: Emulator, field: WireField) -> None:
    provider = {field.name: field.value}
    send("invoke", ChatOpenRouter(**fields(emulator)), provider=provider)
    check(emulator.requests[-1], field, "invoke")
    send("stream", ChatOpenRouter(**fields(emulator), provider=provider))
    check(emulator.requests[-1], field, "stream")


@pytest.mark.parametrize("field", [*ROUTING, METADATA], ids=lambda field: field.label)
def test_a_routing_value_sends_the_field(emulator: Emulator, field: WireField) -> None:
    value = {"provider": {field.name: field.value}} if field.flat else {field.name: field.value}
    send("ainvoke", ChatOpenRouter(**fields(emulator), routing=value))
    check(emulator.requests[-1], field, "ainvoke")
    send("invoke", ChatOpenRouter(**fields(emulator)), routing=value)
    check(emulator.requests[-1], field, "invoke")


@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
def test_nothing_set_sends_nothing(emulator: Emulator, how: str) -> None:
    send(how, ChatOpenRouter(**fields(emulator)))
    assert sent_beside_the_prompt(emulator.requests[-1].json) == {}


@pytest.mark.parametrize("made", [ChatOpenRouter, OpenRouterEmbeddings, OpenRouterRerank])
def test_every_provider_field_is_a_field_here_too(made: Any) -> None:
    assert set(PROVIDER_NAMES) <= made.model_fields.keys()
    assert {field.name for field in PROVIDER_FIELDS} == set(PROVIDER_NAMES)
