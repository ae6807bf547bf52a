"""Where a `routing()` block reaches through LangChain, and where it cannot: each case as documented."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableParallel
from langchain_core.runnables.config import ContextThreadPoolExecutor
from langchain_core.tools import tool

from langchain_openrouter_routing import ChatOpenRouter
from openrouter_routing import record_routes, routing
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel

SCOPE: dict[str, Any] = {"sort": "price"}
QUESTION = "What is the weather in Bern?"


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Sun over {city}."


def seen(emulator: Emulator) -> list[Any]:
    """Return for each request whether the scope reached it."""
    bodies: list[Any] = [request.json for request in emulator.requests]
    return [body.get("provider") == {"sort": "price"} for body in bodies]


def chain_of(llm: ChatOpenRouter) -> Runnable[Any, str]:
    return ChatPromptTemplate.from_template("Say {word}") | llm | StrOutputParser()


async def drain(stream: Any) -> None:
    async for _ in stream:
        pass


Work = Callable[[ChatOpenRouter], Any]

REACHED_SYNC: dict[str, Work] = {
    "invoke": lambda llm: llm.invoke("Hi"),
    "chain invoke": lambda llm: chain_of(llm).invoke({"word": "a"}),
    "batch": lambda llm: chain_of(llm).batch([{"word": "a"}, {"word": "b"}]),
    "batch_as_completed": lambda llm: list(llm.batch_as_completed(["a", "b"])),
    "parallel": lambda llm: RunnableParallel(a=llm, b=llm).invoke("Hi"),
    "parallel stream": lambda llm: list(RunnableParallel(a=llm, b=llm).stream("Hi")),
    "with_retry": lambda llm: llm.with_retry().invoke("Hi"),
    "with_fallbacks": lambda llm: llm.with_fallbacks([llm]).invoke("Hi"),
    "stream": lambda llm: list(llm.stream("Hi")),
    "chain stream": lambda llm: list(chain_of(llm).stream({"word": "a"})),
    "agent": lambda llm: create_agent(llm, [weather]).invoke({"messages": [("user", QUESTION)]}),
    "agent stream": lambda llm: list(
        create_agent(llm, [weather]).stream({"messages": [("user", QUESTION)]})
    ),
    "langchain's own executor": lambda llm: _in_threads(ContextThreadPoolExecutor(), llm),
}

REACHED_ASYNC: dict[str, Work] = {
    "ainvoke": lambda llm: llm.ainvoke("Hi"),
    "abatch": lambda llm: chain_of(llm).abatch([{"word": "a"}, {"word": "b"}]),
    "astream": lambda llm: drain(llm.astream("Hi")),
    "chain astream": lambda llm: drain(chain_of(llm).astream({"word": "a"})),
    "astream_events v2": lambda llm: drain(llm.astream_events("Hi", version="v2")),
    "agent": lambda llm: create_agent(llm, [weather]).ainvoke({"messages": [("user", QUESTION)]}),
}


def _in_threads(executor: Any, llm: ChatOpenRouter) -> None:
    with executor:
        executor.submit(llm.invoke, "Hi").result()


@pytest.mark.parametrize("how", REACHED_SYNC)
def test_a_scope_reaches(emulator: Emulator, make_model: MakeModel, how: str) -> None:
    llm = make_model()
    with routing(**SCOPE):
        REACHED_SYNC[how](llm)
    assert seen(emulator)
    assert all(seen(emulator))
    llm.invoke("Hi")
    assert seen(emulator)[-1] is False


@pytest.mark.parametrize("how", REACHED_ASYNC)
async def test_a_scope_reaches_async_code(
    emulator: Emulator, make_model: MakeModel, how: str
) -> None:
    llm = make_model()
    async with routing(**SCOPE):
        await REACHED_ASYNC[how](llm)
    assert seen(emulator)
    assert all(seen(emulator))
    await llm.ainvoke("Hi")
    assert seen(emulator)[-1] is False


async def test_a_scope_reaches_a_task_that_ends_after_it(
    emulator: Emulator, make_model: MakeModel
) -> None:
    with routing(**SCOPE):
        task = asyncio.create_task(chain_of(make_model()).ainvoke({"word": "a"}))
    await task
    assert seen(emulator) == [True]


@pytest.mark.parametrize("chained", [False, True], ids=["model", "chain"])
def test_a_scope_reaches_a_stream_first_pulled_inside(
    emulator: Emulator, make_model: MakeModel, chained: bool
) -> None:
    llm = make_model()
    with routing(**SCOPE):
        stream = chain_of(llm).stream({"word": "a"}) if chained else llm.stream("Hi")
        next(stream)
    list(stream)
    assert seen(emulator) == [True]


async def test_a_scope_reaches_an_async_stream_first_pulled_inside(
    emulator: Emulator, make_model: MakeModel
) -> None:
    with routing(**SCOPE):
        stream = make_model().astream("Hi")
        await anext(stream)
    await drain(stream)
    assert seen(emulator) == [True]


# What cannot work: LangChain calls the model only when the stream is pulled, which is after the block.
# The way out is `with_routing()`, whose preferences do not depend on where the call is made.


@pytest.mark.parametrize("chained", [False, True], ids=["model", "chain"])
def test_a_scope_misses_a_stream_first_pulled_outside(
    emulator: Emulator, make_model: MakeModel, chained: bool
) -> None:
    llm = make_model()
    for maker, reached in ((llm, False), (llm.with_routing(**SCOPE), True)):
        emulator.clear()
        with routing(**SCOPE):
            stream = chain_of(maker).stream({"word": "a"}) if chained else maker.stream("Hi")
        list(stream)
        assert seen(emulator) == [reached]


async def test_a_scope_misses_an_async_stream_first_pulled_outside(
    emulator: Emulator, make_model: MakeModel
) -> None:
    for maker, reached in ((make_model(), False), (make_model(**SCOPE), True)):
        emulator.clear()
        with routing(**SCOPE):
            stream = maker.astream("Hi")
        await drain(stream)
        assert seen(emulator) == [reached]


def test_a_scope_misses_v3_events_pulled_outside(emulator: Emulator, make_model: MakeModel) -> None:
    for maker, reached in ((make_model(), False), (make_model(**SCOPE), True)):
        emulator.clear()
        with routing(**SCOPE):
            stream = maker.stream_events("Hi", version="v3")
        list(stream)
        assert seen(emulator) == [reached]


def test_a_scope_misses_the_later_steps_of_an_agent_pulled_outside(
    emulator: Emulator, make_model: MakeModel
) -> None:
    for maker, reached in ((make_model(), False), (make_model(**SCOPE), True)):
        emulator.clear()
        agent = create_agent(maker, [weather])
        with routing(**SCOPE):
            stream = agent.stream({"messages": [("user", QUESTION)]})
            next(stream)
        list(stream)
        assert seen(emulator) == [True, reached]


def test_a_scope_misses_a_thread_that_does_not_copy_its_context(
    emulator: Emulator, make_model: MakeModel
) -> None:
    for maker, reached in ((make_model(), False), (make_model(**SCOPE), True)):
        emulator.clear()
        with routing(**SCOPE):
            _in_threads(ThreadPoolExecutor(1), maker)
        assert seen(emulator) == [reached]


def test_routes_are_recorded_however_deep(emulator: Emulator, make_model: MakeModel) -> None:
    with record_routes() as log:
        REACHED_SYNC["agent"](make_model())
        REACHED_SYNC["batch"](make_model())
        REACHED_SYNC["parallel stream"](make_model())
    assert len(log) == len(emulator.requests) == 6
    assert log.total_cost > 0


def test_models_work_in_one_event_loop_after_another(
    emulator: Emulator, make_model: MakeModel
) -> None:
    llm = make_model()
    for _ in range(3):
        asyncio.run(llm.ainvoke("Hi"))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: asyncio.run(llm.ainvoke("Hi")), range(6)))
    assert len(emulator.requests) == 9
