"""Structured output by JSON schema and by tool call: on the wire, whole, streaming, metadata kept."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core import PromptTemplate
from llama_index.core.base.llms.types import ChatMessage, TextBlock
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel

from llamaindex_openrouter_routing import OpenRouter, Route, routing
from llamaindex_openrouter_routing.structured import response_format
from openrouter_routing import errors
from tests.llamaindex.answers import stream, whole
from tests.scripted_server import ScriptedServer


class Canton(BaseModel):
    name: str
    default: int = 3


class City(BaseModel):
    """A city."""

    name: str
    population: int
    canton: Canton
    mayor: str | None = None


class Free(BaseModel):
    tags: dict[str, str]


PROMPT = PromptTemplate("Name a city in {country}.")
MODES = {"schema": True, "tool": False}


@pytest.fixture(params=MODES)
def structured(request: pytest.FixtureRequest, connection: dict[str, Any]) -> OpenRouter:
    return OpenRouter(
        "openai/gpt-5-mini",
        should_use_structured_outputs=MODES[request.param],
        system_prompt="Be brief.",
        **connection,
    )


def check(server: ScriptedServer, llm: OpenRouter) -> None:
    body = server.requests[-1].json
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Name a city in Switzerland."},
    ]
    assert body["provider"] == {"sort": "price"}
    if llm.should_use_structured_outputs:
        assert body["response_format"] == response_format(City)
        assert "tools" not in body
    else:
        assert body["tools"][0]["function"]["name"] == "City"
        assert body["tool_choice"] == "required"
        assert "response_format" not in body


async def test_every_way_of_predicting_gives_the_object(
    structured: OpenRouter, server: ScriptedServer
) -> None:
    arguments: dict[str, Any] = {
        "llm_kwargs": {"provider": {"sort": "price"}},
        "country": "Switzerland",
    }
    given = structured.structured_predict(City, PROMPT, **arguments)
    check(server, structured)
    assert isinstance(given, City)
    agiven = await structured.astructured_predict(City, PROMPT, **arguments)
    check(server, structured)
    streamed = list(structured.stream_structured_predict(City, PROMPT, **arguments))
    check(server, structured)
    astream = await structured.astream_structured_predict(City, PROMPT, **arguments)
    astreamed = [found async for found in astream]
    check(server, structured)
    assert given == agiven == streamed[-1] == astreamed[-1]
    assert len(streamed) > 3
    assert [found.model_dump() for found in streamed] == [found.model_dump() for found in astreamed]
    names = [found.name for found in streamed]
    assert names[-1] == "Bern"
    assert names[0] is None


async def test_a_structured_llm_keeps_the_metadata(
    structured: OpenRouter, server: ScriptedServer
) -> None:
    llm = structured.as_structured_llm(City)
    messages = [ChatMessage(content="Name a city in Switzerland.")]
    with routing(sort="price"):
        streaming = llm.stream_chat(messages)
        astreaming = await llm.astream_chat(messages)
    responses = [
        llm.chat(messages, provider={"sort": "price"}),
        await llm.achat(messages, provider={"sort": "price"}),
        list(streaming)[-1],
        [response async for response in astreaming][-1],
    ]
    for response in responses:
        assert isinstance(response.raw, City)
        assert response.message.content == response.raw.model_dump_json()
        assert Route.of(response).provider == "OpenAI"
        assert response.additional_kwargs["cost"] == 0.00025
    for request in server.requests:
        assert request.json["provider"] == {"sort": "price"}
    check(server, structured)
    assert llm.complete("Name a city in Switzerland.").text == responses[0].message.content


def test_the_table_decides_without_a_word_of_the_caller(
    connection: dict[str, Any], server: ScriptedServer
) -> None:
    OpenRouter("openai/gpt-5-mini", **connection).structured_predict(Canton, PROMPT, country="x")
    assert "response_format" in server.requests[-1].json
    OpenRouter("acme/unknown", **connection).structured_predict(Canton, PROMPT, country="x")
    assert "tools" in server.requests[-1].json
    by_mode = OpenRouter(
        "openai/gpt-5-mini", pydantic_program_mode=PydanticProgramMode.FUNCTION, **connection
    )
    by_mode.structured_predict(Canton, PROMPT, country="x")
    assert "tools" in server.requests[-1].json


def test_schemas_are_strict_where_they_can_be() -> None:
    strict = response_format(City)["json_schema"]
    assert strict["strict"]
    assert strict["schema"]["required"] == ["name", "population", "canton", "mayor"]
    canton = strict["schema"]["$defs"]["Canton"]
    assert canton["required"] == ["name", "default"]
    assert canton["additionalProperties"] is False
    assert "default" not in canton["properties"]["default"]
    free = response_format(Free)["json_schema"]
    assert not free["strict"]
    assert free["schema"] == Free.model_json_schema()


@pytest.mark.parametrize("content", ['```json\n{"name": "Bern"}\n```', '{"name": "Bern"}'])
def test_fences_are_taken_off(content: str, llm: OpenRouter, server: ScriptedServer) -> None:
    server.respond(lambda request: whole({"content": content}))
    assert llm.structured_predict(Canton, PROMPT, country="x") == Canton(name="Bern")


async def test_what_is_no_object_is_our_error(
    structured: OpenRouter, server: ScriptedServer
) -> None:
    server.respond(
        lambda request: (
            stream({"content": "Sorry"})
            if request.json.get("stream")
            else whole({"content": "Sorry"})
        )
    )
    with pytest.raises(errors.ResponseParseError, match="no City"):
        structured.structured_predict(City, PROMPT, country="x")
    with pytest.raises(errors.ResponseParseError, match="no City"):
        await structured.astructured_predict(City, PROMPT, country="x")
    with pytest.raises(errors.ResponseParseError, match="no City"):
        list(structured.stream_structured_predict(City, PROMPT, country="x"))
    with pytest.raises(errors.ResponseParseError, match="no City"):
        structured.as_structured_llm(City).chat([ChatMessage(content="x")])
    with pytest.raises(errors.BadRequestError, match="pydantic class"):
        structured.structured_predict(dict, PROMPT, country="x")  # type: ignore[type-var]


def test_a_cut_object_is_no_object(llm: OpenRouter, server: ScriptedServer) -> None:
    cut = {"message": {"content": '{"name": "Be'}, "finish_reason": "length"}
    server.respond(lambda request: whole({}, choices=[cut]))
    with pytest.raises(errors.ResponseParseError, match="max_tokens"):
        llm.structured_predict(Canton, PROMPT, country="x")


async def test_text_programs_work_where_neither_schema_nor_tools_do(
    connection: dict[str, Any], server: ScriptedServer
) -> None:
    llm = OpenRouter("acme/plain", is_function_calling_model=False, **connection)
    server.respond(lambda request: whole({"content": '{"name": "Bern"}'}))
    assert llm.structured_predict(Canton, PROMPT, country="x").name == "Bern"
    assert (await llm.astructured_predict(Canton, PROMPT, country="x")).name == "Bern"
    assert llm.as_structured_llm(Canton).chat([ChatMessage(content="x")]).raw == Canton(name="Bern")
    server.respond(lambda request: whole({"content": "Sorry"}))
    with pytest.raises(errors.ResponseParseError):
        llm.structured_predict(Canton, PROMPT, country="x")
    with pytest.raises(errors.ResponseParseError):
        await llm.astructured_predict(Canton, PROMPT, country="x")


async def test_llamaindexs_own_program_works(llm: OpenRouter, server: ScriptedServer) -> None:
    program = FunctionCallingProgram.from_defaults(City, llm=llm, prompt=PROMPT)
    whole_city = program(country="x", llm_kwargs={"sort": "price"})
    assert isinstance(whole_city, City)
    assert server.requests[-1].json["tool_choice"] == "required"
    assert server.requests[-1].json["provider"] == {"sort": "price"}
    assert list(program.stream_call(country="x"))[-1] == whole_city
    assert await program.acall(country="x") == whole_city
    astream = await program.astream_call(country="x")
    assert [found async for found in astream][-1] == whole_city


def test_blocks_of_a_prompt_reach_the_wire(llm: OpenRouter, server: ScriptedServer) -> None:
    message = ChatMessage(blocks=[TextBlock(text="a"), TextBlock(text="b")])
    llm.as_structured_llm(Canton).chat([message])
    assert [part["text"] for part in server.requests[-1].json["messages"][0]["content"]] == [
        "a",
        "b",
    ]
