from collections.abc import Callable, Iterator
from typing import Any

import pytest

from langchain_openrouter_routing import ChatOpenRouter
from openrouter_routing.emulator import Emulator
from tests.scripted_server import ScriptedServer

MakeModel = Callable[..., ChatOpenRouter]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def emulator(running_emulator: Emulator) -> Emulator:
    running_emulator.clear()
    return running_emulator


@pytest.fixture
def make_model(emulator: Emulator) -> MakeModel:
    def make(**fields: Any) -> ChatOpenRouter:
        given = {"model": "openai/gpt-5-mini", "api_key": "sk-or-v1-secret", "max_retries": 0}
        return ChatOpenRouter(**{**given, "base_url": emulator.base_url, **fields})

    return make
