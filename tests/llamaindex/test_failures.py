"""A provider that fails is an error of the query, and never an empty response."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import TextNode

from llamaindex_openrouter_routing import OpenRouter, OpenRouterEmbedding
from openrouter_routing import OpenRouterError
from tests.llamaindex.answers import respond
from tests.scripted_server import (
    RESET,
    Recorded,
    ScriptedServer,
    error_answer,
    json_answer,
    raw_answer,
)

FAILED = {"code": 502, "message": "gone"}
FAILURES: dict[str, Any] = {
    "http": error_answer(502, FAILED),
    "body": json_answer({"error": FAILED}),
    "html": raw_answer(b"<html></html>", content_type="text/html"),
    "half": raw_answer(b'{"choices": [{'),
    "reset": [RESET],
}
MODES = [
    mode for mode in ResponseMode if mode not in (ResponseMode.NO_TEXT, ResponseMode.CONTEXT_ONLY)
]


@pytest.fixture
def index(embed_model: OpenRouterEmbedding) -> VectorStoreIndex:
    return VectorStoreIndex([TextNode(text="Bern is a city.")], embed_model=embed_model)


def fail(server: ScriptedServer, case: str) -> None:
    def answer(request: Recorded) -> Any:
        return respond(request) if request.path.endswith("/embeddings") else FAILURES[case]

    server.respond(answer)


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.parametrize("mode", MODES)
async def test_a_default_query_engine_raises(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer, mode: ResponseMode, case: str
) -> None:
    engine = index.as_query_engine(llm=llm, response_mode=mode)
    fail(server, case)
    with pytest.raises(OpenRouterError):
        engine.query("Where?")
    with pytest.raises(OpenRouterError):
        await engine.aquery("Where?")


@pytest.mark.parametrize("case", FAILURES)
def test_a_streaming_query_engine_raises(
    index: VectorStoreIndex, llm: OpenRouter, server: ScriptedServer, case: str
) -> None:
    engine = index.as_query_engine(llm=llm, streaming=True)
    fail(server, case)
    with pytest.raises(OpenRouterError):
        str(engine.query("Where?"))
