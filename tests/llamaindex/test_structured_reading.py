"""Objects read out of answers: whatever their classes raise, however strict they are, in text mode as by schema."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from llama_index.core import PromptTemplate, SummaryIndex
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.program.utils import FlexibleModel
from llama_index.core.schema import TextNode
from llama_index.core.types import BasePydanticProgram, PydanticProgramMode
from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from llamaindex_openrouter_routing import OpenRouter, routing
from openrouter_routing import errors
from openrouter_routing.emulator import Emulator
from tests.llamaindex.wires import calling, wire

PROMPT = PromptTemplate("Name a {what}.")
MESSAGES = [ChatMessage(content="Name a city.")]
Ask = Callable[[OpenRouter, type[BaseModel]], Any]


class City(BaseModel):
    name: str | None = None


def raising(error: Exception) -> type[BaseModel]:
    class Picky(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def check(cls, name: str) -> str:
            raise error

    return Picky


class Before(BaseModel):
    """A class whose validator reads what is not there yet."""

    name: str
    size: int

    @model_validator(mode="before")
    @classmethod
    def check(cls, given: Any) -> Any:
        return {"name": given["name"], "size": given["size"] + 1}


class Exact(BaseModel):
    model_config = ConfigDict(strict=True)
    day: date
    key: UUID
    size: Decimal
    note: str


EXACT = (
    '{"day": "2026-01-02", "key": "00000000-0000-4000-8000-000000000000", '
    '"size": "0.12345678901234567890", "note": "a\\nb"}'
)


@pytest.fixture(params=["schema", "tool", "text"])
def llm(request: pytest.FixtureRequest, emulated: OpenRouter) -> OpenRouter:
    if request.param == "text":
        return emulated.model_copy(update={"pydantic_program_mode": PydanticProgramMode.LLM})
    return emulated.model_copy(update={"should_use_structured_outputs": request.param == "schema"})


def answer(llm: OpenRouter, text: str, name: str = "any", **more: Any) -> dict[str, Any]:
    """Return an answer that holds an object where this model looks for it."""
    by_tool = llm.should_use_structured_outputs is False
    return calling(name, text, **more) if by_tool else wire(text, **more)


async def every_way(llm: OpenRouter, cls: type[BaseModel]) -> list[Callable[[], Any]]:
    """Return the ways to ask for an object, each of which gives the last one."""
    structured = llm.as_structured_llm(cls)

    async def streamed(stream: Any) -> Any:
        return [found async for found in await stream][-1]

    return [
        lambda: llm.structured_predict(cls, PROMPT, what="city"),
        lambda: llm.astructured_predict(cls, PROMPT, what="city"),
        lambda: list(llm.stream_structured_predict(cls, PROMPT, what="city"))[-1],
        lambda: streamed(llm.astream_structured_predict(cls, PROMPT, what="city")),
        lambda: structured.chat(MESSAGES).raw,
        lambda: structured.achat(MESSAGES),
        lambda: list(structured.stream_chat(MESSAGES))[-1].raw,
        lambda: streamed(structured.astream_chat(MESSAGES)),
    ]


async def outcome(way: Callable[[], Any]) -> Any:
    found = way()
    found = await found if hasattr(found, "__await__") else found
    return getattr(found, "raw", found)


@pytest.mark.parametrize(
    "error",
    [KeyError("name"), AttributeError("gone"), TypeError("odd"), RuntimeError("x")],
    ids=repr,
)
async def test_what_a_class_raises_is_our_error(
    error: Exception, llm: OpenRouter, emulator: Emulator
) -> None:
    for way in await every_way(llm, raising(error)):
        emulator.clear()
        emulator.script([answer(llm, '{"name": "Bern"}')])
        with pytest.raises(errors.ResponseParseError, match="no Picky"):
            await outcome(way)


def test_a_query_engine_raises_it_too(emulated: OpenRouter, emulator: Emulator) -> None:
    emulator.script([wire('{"name": "Bern"}')])
    structured = emulated.as_structured_llm(raising(TypeError("odd")))
    engine = SummaryIndex([TextNode(text="Bern")]).as_query_engine(llm=structured)
    with pytest.raises(errors.ResponseParseError, match="odd"):
        engine.query("Which city?")


async def test_a_validator_that_sees_half_an_object_does_not_end_the_stream(
    llm: OpenRouter, emulator: Emulator
) -> None:
    emulator.script([answer(llm, '{"name": "Bern", "size": 1}')] * 4)
    for way in (await every_way(llm, Before))[2:4]:
        assert await outcome(way) == Before.model_construct(name="Bern", size=2)
    for way in (await every_way(llm, Before))[6:8]:
        assert await outcome(way) == Before.model_construct(name="Bern", size=2)


async def test_a_strict_class_reads_tool_calls_as_json(llm: OpenRouter, emulator: Emulator) -> None:
    emulator.script([answer(llm, EXACT)] * 8)
    for way in await every_way(llm, Exact):
        found = await outcome(way)
        assert (found.day, found.key.version) == (date(2026, 1, 2), 4)
        assert found.size == Decimal("0.12345678901234567890")


@pytest.mark.parametrize("arguments", ["", " ", "null", '{"name": "Be\nrn"}'])
def test_arguments_that_are_read_leniently_are_read_here_too(
    arguments: str, emulated: OpenRouter, emulator: Emulator
) -> None:
    by_tool = emulated.model_copy(update={"should_use_structured_outputs": False})
    emulator.script([calling("City", arguments)])
    found = by_tool.structured_predict(City, PROMPT, what="city")
    assert found == City(name="Be\nrn" if "name" in arguments else None)


@pytest.mark.parametrize("arguments", ['{"name":7}', '{"name": "Be'])
def test_the_error_quotes_the_arguments(
    arguments: str, emulated: OpenRouter, emulator: Emulator
) -> None:
    by_tool = emulated.model_copy(update={"should_use_structured_outputs": False})
    emulator.script([calling("City", arguments)])
    with pytest.raises(errors.ResponseParseError, match="no City") as caught:
        by_tool.structured_predict(City, PROMPT, what="city")
    assert repr(arguments) in caught.value.message


# Text mode.


@pytest.fixture
def text(emulated: OpenRouter) -> OpenRouter:
    return emulated.model_copy(update={"pydantic_program_mode": PydanticProgramMode.LLM})


@pytest.mark.parametrize("said", ["nope", "", '{"name": ', '{"name": "Bern"'])
async def test_a_text_stream_that_ends_in_no_object_raises(
    said: str, text: OpenRouter, emulator: Emulator
) -> None:
    for way in [(await every_way(text, City))[place] for place in (2, 3, 6, 7)]:
        emulator.clear()
        emulator.script([wire(said)])
        with pytest.raises(errors.ResponseParseError, match="no City"):
            await outcome(way)


async def test_a_text_stream_reads_the_block_it_was_made_in(
    text: OpenRouter, emulator: Emulator
) -> None:
    emulator.script([wire('{"name": "Bern"}')] * 4)
    structured = text.as_structured_llm(City)
    with routing(order=["azure"]):
        streams = [
            text.stream_structured_predict(City, PROMPT, what="city"),
            structured.stream_chat(MESSAGES),
        ]
        astreams = [
            await text.astream_structured_predict(City, PROMPT, what="city"),
            await structured.astream_chat(MESSAGES),
        ]
    with routing(sort="price"):
        found = [list(stream)[-1] for stream in streams]
        found += [[item async for item in stream][-1] for stream in astreams]
    assert [getattr(item, "raw", item) for item in found] == [City(name="Bern")] * 4
    assert [request.json["provider"] for request in emulator.requests] == [{"order": ["azure"]}] * 4


@pytest.mark.parametrize("is_chat_model", [True, False])
async def test_a_text_may_say_more_than_the_object(
    is_chat_model: bool, text: OpenRouter, emulator: Emulator
) -> None:
    llm = text.model_copy(update={"is_chat_model": is_chat_model, "system_prompt": "Be brief."})
    emulator.script([wire('Here it is:\n```json\n{"name": "Bern"}\n```\nGood?')] * 8)
    for way in await every_way(llm, City):
        assert await outcome(way) == City(name="Bern")
    sent = [request.json["messages"] for request in emulator.requests]
    assert sent[0] == sent[1] == sent[2] == sent[3]
    assert sent[4] == sent[5] == sent[6] == sent[7]
    assert "'properties'" in repr(sent[0]).replace('"', "'")


CLOSED: list[str] = []


class Enforcing(BasePydanticProgram[Any]):
    """A program as another package has it: it asks when it is read, and says what it likes."""

    @classmethod
    def from_defaults(cls, output_cls: Any, llm: Any, prompt: Any, **kwargs: Any) -> Enforcing:
        program = cls()
        program.llm, program.output_class, program.prompt = llm, output_cls, prompt  # type: ignore[attr-defined]
        return program

    @property
    def output_cls(self) -> Any:
        return self.output_class  # type: ignore[attr-defined]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def stream_call(self, *args: Any, llm_kwargs: Any, **kwargs: Any) -> Any:
        try:
            for response in self.llm.stream_chat(MESSAGES, **llm_kwargs):  # type: ignore[attr-defined]
                found = response.message.content == "yes"
                yield self.output_cls() if found else FlexibleModel()
        finally:
            CLOSED.append("stream")

    async def astream_call(self, *args: Any, llm_kwargs: Any, **kwargs: Any) -> Any:
        async def objects() -> Any:
            try:
                async for response in await self.llm.astream_chat(MESSAGES, **llm_kwargs):  # type: ignore[attr-defined]
                    found = response.message.content == "yes"
                    yield self.output_cls() if found else FlexibleModel()
            finally:
                CLOSED.append("astream")

        return objects()


async def test_programs_of_other_packages_are_read_in_the_block_and_checked(
    emulated: OpenRouter, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ModuleType("llama_index.program.lmformatenforcer")
    package.LMFormatEnforcerPydanticProgram = Enforcing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "llama_index.program", ModuleType("llama_index.program"))
    monkeypatch.setitem(sys.modules, package.__name__, package)
    llm = emulated.model_copy(
        update={"pydantic_program_mode": PydanticProgramMode.LM_FORMAT_ENFORCER}
    )
    emulator.script([wire("yes")] * 2)
    CLOSED.clear()
    left = llm.stream_structured_predict(City, PROMPT, what="city")
    next(left)
    left.close()
    aleft = await llm.astream_structured_predict(City, PROMPT, what="city")
    await anext(aleft)
    await aleft.aclose()
    # LlamaIndex leaves the inner one to the loop, which closes it on its next turns.
    await asyncio.sleep(0.05)
    assert CLOSED == ["stream", "astream"]
    emulator.clear()
    for said in ("yes", "no"):
        emulator.script([wire(said)] * 2)
        with routing(order=["azure"]):
            stream = llm.stream_structured_predict(City, PROMPT, what="city")
            astream = await llm.astream_structured_predict(City, PROMPT, what="city")
        if said == "yes":
            assert list(stream)[-1] == City()
            assert [found async for found in astream][-1] == City()
        else:
            with pytest.raises(errors.ResponseParseError, match="no City"):
                list(stream)
            with pytest.raises(errors.ResponseParseError, match="no City"):
                [found async for found in astream]
    assert [request.json["provider"] for request in emulator.requests] == [{"order": ["azure"]}] * 4


# Options and preferences.


async def test_options_that_are_none_are_refused(llm: OpenRouter, emulator: Emulator) -> None:
    for options, said in [("x", "takes a dict"), ({"messages": []}, "'messages'"), ({1: 2}, "1")]:
        arguments: dict[str, Any] = {"llm_kwargs": options, "what": "city"}
        with pytest.raises(errors.BadRequestError, match=said):
            llm.structured_predict(City, PROMPT, **arguments)
        with pytest.raises(errors.BadRequestError, match=said):
            await llm.astructured_predict(City, PROMPT, **arguments)
        with pytest.raises(errors.BadRequestError, match=said):
            llm.stream_structured_predict(City, PROMPT, **arguments)
        with pytest.raises(errors.BadRequestError, match=said):
            await llm.astream_structured_predict(City, PROMPT, **arguments)
    assert emulator.requests == []


async def test_a_structured_llm_takes_more_preferences_and_describes_them(
    llm: OpenRouter, emulator: Emulator
) -> None:
    emulator.script([answer(llm, '{"name": "Bern"}')])
    structured = llm.as_structured_llm(City)
    routed = structured.with_routing(order=["azure"], policy={"zdr": True})
    assert type(routed) is type(structured)
    assert routed.output_cls is City
    assert "['azure']  instance" in routed.describe()
    assert "sort" in routed.describe(sort="price")
    assert structured.describe() == llm.describe()
    assert routed.chat(MESSAGES).raw == City(name="Bern")
    assert emulator.requests[-1].json["provider"] == {"order": ["azure"], "zdr": True}
    with pytest.raises(errors.PreferencesError, match="did you mean 'order'"):
        structured.with_routing(ordr=["azure"])  # type: ignore[call-arg]
