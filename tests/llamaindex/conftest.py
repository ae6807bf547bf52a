"""A server on loopback that answers every request of these tests, and models that talk to it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from llamaindex_openrouter_routing import OpenRouter, OpenRouterEmbedding
from openrouter_routing.emulator import Emulator
from tests.llamaindex.answers import respond
from tests.llamaindex.wires import MODEL
from tests.scripted_server import ScriptedServer


@pytest.fixture(autouse=True)
def _loop_of_the_main_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give LlamaIndex a loop for the coroutines it runs from blocking code: it leaves the one it makes open."""
    if inspect.iscoroutinefunction(request.function):
        yield
        return
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.respond(respond)
        yield server


@pytest.fixture
def connection(server: ScriptedServer) -> dict[str, Any]:
    return {"api_base": server.base_url, "api_key": "sk-or-v1-secret", "max_retries": 0}


@pytest.fixture
def llm(connection: dict[str, Any]) -> OpenRouter:
    return OpenRouter("openai/gpt-5-mini", **connection)


@pytest.fixture
def embed_model(connection: dict[str, Any]) -> OpenRouterEmbedding:
    return OpenRouterEmbedding("openai/text-embedding-3-small", **connection)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulated(emulator: Emulator) -> OpenRouter:
    """Return a model that talks to the emulator, which answers what its `script` says."""
    return OpenRouter(MODEL, api_base=emulator.base_url, api_key="sk-or-v1-secret", max_retries=0)
