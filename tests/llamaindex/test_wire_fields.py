"""Every preference and parameter exactly on the wire, set at construction, by call and by block, whichever method."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage

from llamaindex_openrouter_routing import OpenRouter, routing
from openrouter_routing.preferences import PROVIDER_FIELDS as PROVIDER_NAMES
from openrouter_routing.preferences import ROUTING_FIELDS as ROUTING_NAMES
from tests.scripted_server import Recorded, ScriptedServer
from tests.wire_fields import METADATA, PARAMETERS, PROVIDER_FIELDS, REQUEST_FIELDS, WireField

ROUTING = (*PROVIDER_FIELDS, *REQUEST_FIELDS, METADATA)
ALL = (*ROUTING, *PARAMETERS)
MESSAGES = [ChatMessage(content="Hi")]


def labelled(fields: tuple[WireField, ...]) -> Any:
    return pytest.mark.parametrize("field", fields, ids=[field.label for field in fields])


async def ask_every_way(llm: OpenRouter, **options: Any) -> None:
    llm.chat(MESSAGES, **options)
    await llm.achat(MESSAGES, **options)
    list(llm.stream_chat(MESSAGES, **options))
    astream = await llm.astream_chat(MESSAGES, **options)
    [_ async for _ in astream]


def check(requests: list[Recorded], field: WireField) -> None:
    """Compare what came with what must come: nothing less, and nothing that was not set."""
    assert len(requests) == 4
    for place, request in enumerate(requests):
        expected = {"model": "openai/gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}]}
        if place > 1:
            expected["stream"] = True
        assert request.json == {**expected, **field.body}
        for name, value in {"x-openrouter-metadata": "enabled", **field.headers}.items():
            assert request.headers[name] == value
        cache = {name for name in request.headers if name.startswith("x-openrouter-cache")}
        assert cache == {name for name in field.headers if name.startswith("x-openrouter-cache")}


@labelled(ALL)
async def test_by_call(field: WireField, llm: OpenRouter, server: ScriptedServer) -> None:
    await ask_every_way(llm, on_violation="ignore", **{field.name: field.value})
    check(server.requests, field)


@labelled(ALL)
async def test_at_construction(
    field: WireField, connection: dict[str, Any], server: ScriptedServer
) -> None:
    connection["on_violation"] = "ignore"
    llm = OpenRouter("openai/gpt-5-mini", **{field.name: field.value}, **connection)
    await ask_every_way(llm)
    check(server.requests, field)


@labelled(ROUTING)
async def test_by_block(field: WireField, llm: OpenRouter, server: ScriptedServer) -> None:
    with routing(**{field.name: field.value}):
        await ask_every_way(llm, on_violation="ignore")
    check(server.requests, field)


@labelled(ROUTING)
async def test_by_with_routing_and_after_a_round_trip(
    field: WireField, llm: OpenRouter, server: ScriptedServer
) -> None:
    routed = llm.with_routing(**{field.name: field.value})
    routed = OpenRouter.from_dict(routed.to_dict(), api_key="sk-or-v1-secret")
    await ask_every_way(routed, on_violation="ignore")
    check(server.requests, field)


@labelled(PROVIDER_FIELDS)
async def test_nested_by_call(field: WireField, llm: OpenRouter, server: ScriptedServer) -> None:
    await ask_every_way(llm, on_violation="ignore", provider={field.name: field.value})
    check(server.requests, field)


def test_the_table_names_every_routing_field() -> None:
    named = {field.name for field in ROUTING}
    assert {*PROVIDER_NAMES, *ROUTING_NAMES} == {*named, "provider"}
