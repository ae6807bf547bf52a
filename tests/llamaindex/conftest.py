"""A server on loopback that answers every request of these tests, and models that talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llamaindex_openrouter_routing import OpenRouter, OpenRouterEmbedding
from tests.llamaindex.answers import respond
from tests.scripted_server import ScriptedServer


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
