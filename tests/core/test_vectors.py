"""Embeddings and rankings: what cannot be sent is refused, and what came back is whole or an error."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterator
from typing import Any

import pytest

from openrouter_routing import (
    NoEndpointsError,
    OpenRouterClient,
    PreferencesError,
    ResponseParseError,
    routing,
)
from tests.asking import KEY
from tests.scripted_server import ScriptedServer, error_answer, json_answer


def packed(*numbers: float) -> str:
    return base64.b64encode(array("f", numbers).tobytes()).decode()


HALF = packed(0.5, 0.25)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def client(server: ScriptedServer, **fields: Any) -> OpenRouterClient:
    return OpenRouterClient(api_key=KEY, base_url=server.base_url, max_retries=0, **fields)


def vectors(*embeddings: Any) -> Any:
    entries = [{"index": place, "embedding": vector} for place, vector in enumerate(embeddings)]
    return json_answer({"model": "x/y", "provider": "Azure", "id": "gen-1", "data": entries})


def test_vectors_come_as_numbers_or_packed(server: ScriptedServer) -> None:
    server.play(vectors([0.5, 0.25], HALF))
    assert client(server).embeddings(["a", "b"], model="x/y").vectors == [[0.5, 0.25]] * 2


NAN, INFINITE = float("nan"), float("inf")
NO_VECTORS = (
    "!!not base64", "YWJj", "", packed(NAN), packed(1.0, INFINITE), [], ["x"], ["1"], [None, 1], [True, 1.0],
    [1.0, NAN], [INFINITE, -INFINITE], [10**400], None, {},
)  # fmt: skip


@pytest.mark.parametrize("embedding", NO_VECTORS)
def test_what_is_no_vector_is_an_error_that_says_who_sent_it(
    server: ScriptedServer, embedding: Any
) -> None:
    server.play(vectors(embedding))
    with pytest.raises(ResponseParseError, match="0 vectors for 1 texts") as caught:
        client(server).embeddings(["a"], model="x/y")
    assert (caught.value.provider, caught.value.generation_id) == ("Azure", "gen-1")


def test_whole_numbers_and_great_ones_are_numbers(server: ScriptedServer) -> None:
    server.play(vectors([1, 0.5], [1.7e308, 1.7e308]))
    answer = client(server).embeddings(["a", "b"], model="x/y")
    assert answer.vectors == [[1.0, 0.5], [1.7e308, 1.7e308]]
    assert type(answer.vectors[0][0]) is float


def test_vectors_are_sorted_by_their_texts(server: ScriptedServer) -> None:
    entries = [{"index": 1, "embedding": [0.5]}, {"index": 0, "embedding": [0.25]}]
    server.play(json_answer({"data": entries}), json_answer({"data": [{"embedding": [0.5]}]}))
    assert client(server).embeddings(["a", "b"], model="x/y").vectors == [[0.25], [0.5]]
    assert client(server).embeddings(["a"], model="x/y").vectors == [[0.5]]


@pytest.mark.parametrize(
    ("indexes", "count", "said"),
    [
        ([0, 0], 1, "2 vectors for 1 texts, text 0 twice"),
        ([0, 1, 1], 2, "3 vectors for 2 texts, text 1 twice"),
        ([0, 1], 1, "2 vectors for 1 texts"),
        ([0], 2, "1 vectors for 2 texts"),
        ([0, True], 2, "1 vectors for 2 texts"),
        (["0"], 1, "0 vectors for 1 texts"),
    ],
)
def test_there_is_one_vector_for_each_text_or_none_at_all(
    server: ScriptedServer, indexes: list[Any], count: int, said: str
) -> None:
    entries = [{"index": index, "embedding": [0.5]} for index in indexes]
    server.play(json_answer({"data": entries}))
    with pytest.raises(ResponseParseError, match=said):
        client(server).embeddings(["a"] * count, model="x/y")


@pytest.mark.parametrize("score", ["x", "0.5", [1], {}, None, True, NAN, INFINITE, 10**400])
def test_a_result_without_a_readable_score_is_no_result(server: ScriptedServer, score: Any) -> None:
    results = [{"index": 0, "relevance_score": score}, {"index": 1, "relevance_score": 0.5}]
    server.play(json_answer({"results": results}), json_answer({"results": [{"index": 0}]}))
    with pytest.raises(ResponseParseError, match="2 results, 1 of them usable, for 2 documents"):
        client(server).rerank("q", ["a", "b"], model="x/y")
    with pytest.raises(ResponseParseError, match="1 results, 0 of them usable"):
        client(server).rerank("q", ["a"], model="x/y")


@pytest.mark.parametrize("indexes", [[0, 0], [0, True], [0, 2], [0, -1], [0, None], []])
def test_each_result_is_of_a_document_of_its_own(server: ScriptedServer, indexes: Any) -> None:
    results = [{"index": index, "relevance_score": 0.5} for index in indexes]
    server.play(json_answer({"results": results}))
    with pytest.raises(ResponseParseError, match=f"{len(indexes)} results, {len(indexes[:1])} of"):
        client(server).rerank("q", ["a", "b"], model="x/y")


CHAT_ONLY = {
    "models": ["z/w"],
    "session_id": "s",
    "service_tier": "flex",
    "preset": "p",
    "plugins": [{"id": "web"}],
    "trace": {"trace_id": "t"},
    "metadata": {"a": "b"},
    "route": "fallback",
    "transforms": ["middle-out"],
}


@pytest.mark.parametrize("name", CHAT_ONLY)
def test_what_only_chat_can_carry_is_an_error_of_the_call(
    server: ScriptedServer, name: str
) -> None:
    own, call = client(server), {name: CHAT_ONLY[name]}
    for path, ask in (
        ("/embeddings", lambda: own.embeddings(["a"], model="x/y", **call)),
        ("/rerank", lambda: own.rerank("q", ["a"], model="x/y", **call)),
    ):
        with pytest.raises(PreferencesError, match=f"{path} does not take {name}"):
            ask()
    assert server.requests == []


def test_a_block_and_a_client_that_are_there_for_chat_too_do_not_disturb(
    server: ScriptedServer,
) -> None:
    server.play(vectors([0.5]))
    own = client(server, routing={"session_id": "s"})
    with routing(models=["z/w"], zdr=True, user="ada"):
        # Nor do they judge the answer: it is not from another model than one that was asked for.
        route = own.embeddings(["a"], model="x/y").route
    body = server.requests[0].json
    assert body == {"model": "x/y", "input": ["a"], "provider": {"zdr": True}, "user": "ada"}
    assert (route.requested_models, route.fallback_used) == ((), False)
    server.play(
        json_answer({"model": "q/r", "data": [{"index": 0, "embedding": [0.5]}]}),
        error_answer(404, {"code": 404, "message": "No endpoints found"}),
    )
    with routing(models=["z/w"], zdr=True, session_id="s"):
        assert own.embeddings(["a"], model="x/y").vectors == [[0.5]]
        with pytest.raises(NoEndpointsError) as caught:
            own.embeddings(["a"], model="x/y")
    assert "provider.zdr" in str(caught.value)
    assert "z/w" not in str(caught.value)
    assert "session_id" not in str(caught.value)


def test_providers_that_are_listed_in_part_do_not_hide_the_others(server: ScriptedServer) -> None:
    server.play(
        json_answer({"data": [{"name": "X"}, {"name": "Whole Cloud", "slug": "whole-cloud"}]})
    )
    assert len(client(server).providers()) == 2
