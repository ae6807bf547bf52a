"""What LangChain looks up about our methods can be looked up: `with_fallbacks()` resolves their annotations."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.runnables import ConfigurableField

from langchain_openrouter_routing import ChatOpenRouter, RoutingMiddleware
from langchain_openrouter_routing.binding import ModelBinding
from openrouter_routing.emulator import Emulator

from .conftest import MakeModel


def weather(city: str) -> str:
    """Tell the weather."""
    return f"Sun over {city}."


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(method, id=f"{kind.__name__}.{name}")
        for kind in (ChatOpenRouter, ModelBinding)
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and method.__module__.startswith("langchain_openrouter_routing")
    ],
)
def test_annotations_of_public_methods_are_of_real_names(method: Any) -> None:
    assert isinstance(typing.get_type_hints(method), dict)


@pytest.mark.parametrize("bound", [False, True])
def test_a_model_with_fallbacks_takes_preferences(
    emulator: Emulator, make_model: MakeModel, bound: bool
) -> None:
    first: Any = make_model().bind(seed=1) if bound else make_model()
    either: Any = first.with_fallbacks([make_model(model="openai/gpt-4o-mini")])
    either.with_routing(sort="price").invoke("Hi")
    assert emulator.requests[0].json["provider"] == {"sort": "price"}


def test_a_model_with_fallbacks_takes_tools_and_schemas(
    emulator: Emulator, make_model: MakeModel
) -> None:
    either: Any = make_model().with_fallbacks([make_model(model="openai/gpt-4o-mini")])
    assert either.bind_tools([weather]).invoke("Weather in Bern?").tool_calls
    properties = {"name": {"type": "string"}}
    schema = {"title": "City", "type": "object", "properties": properties, "required": ["name"]}
    assert either.with_structured_output(schema).invoke('"Bern"') == {"name": "Bern"}


@pytest.mark.parametrize("wrapped", ["configurable", "alternatives", "fallbacks"])
def test_routing_middleware_reaches_a_model_inside_langchains_runnables(
    emulator: Emulator, make_model: MakeModel, wrapped: str
) -> None:
    model: Any = make_model()
    if wrapped == "configurable":
        model = model.configurable_fields(temperature=ConfigurableField(id="t"))
    elif wrapped == "alternatives":
        other = make_model(model="openai/gpt-4o-mini")
        model = model.configurable_alternatives(ConfigurableField(id="which"), other=other)
    else:
        model = model.with_fallbacks([make_model(model="openai/gpt-4o-mini")])
    middleware: Any = [RoutingMiddleware(first={"sort": "price", "zdr": True})]
    agent = create_agent(model, tools=[weather], middleware=middleware)
    agent.invoke({"messages": [("user", "Hi")]})
    assert emulator.requests[0].json["provider"] == {"zdr": True, "sort": "price"}
