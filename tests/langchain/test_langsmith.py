"""What LangSmith is sent: the real client, posting to a server on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langsmith import Client

from langchain_openrouter_routing import ChatOpenRouter, OpenRouterTracer, Route
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.scripted_server import ScriptedServer, answer, json_answer


@pytest.fixture
def langsmith() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.play(json_answer({}))
        yield server


@pytest.fixture
def tracer(langsmith: ScriptedServer) -> OpenRouterTracer:
    client = Client(
        api_url=f"http://127.0.0.1:{langsmith.port}", api_key="lsv2-x", auto_batch_tracing=False
    )
    return OpenRouterTracer(project_name="bern", client=client)


def billed(langsmith: ScriptedServer) -> list[dict[str, Any]]:
    """The `usage_metadata` of the finished runs of models, in the order they came."""
    told: list[dict[str, Any]] = []
    for request in langsmith.requests:
        if request.method == "PATCH":
            metadata = json.loads(request.body)["extra"]["metadata"]
            if "usage_metadata" in metadata:
                told.append(metadata["usage_metadata"])
    return told


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream", "batch", "chain"])
async def test_a_run_tells_what_it_was_billed(
    make_model: MakeModel, tracer: OpenRouterTracer, langsmith: ScriptedServer, way: str
) -> None:
    llm, config = make_model(), {"callbacks": [tracer]}
    message: Any
    if way == "invoke":
        message = llm.invoke("Hi", config=config)
    elif way == "ainvoke":
        message = await llm.ainvoke("Hi", config=config)
    elif way == "stream":
        *_, message = llm.stream("Hi", config=config)
    elif way == "astream":
        message = [chunk async for chunk in llm.astream("Hi", config=config)][-1]
    elif way == "batch":
        (message,) = llm.batch(["Hi"], config=config)
    else:
        message = (ChatPromptTemplate.from_template("{said}") | llm).invoke({"said": "Hi"}, config)
    (usage,) = billed(langsmith)
    assert usage["total_cost"] == float(Route.of(message).total_cost or 0) > 0
    assert usage["total_tokens"] == message.usage_metadata["total_tokens"]
    # The message keeps what LangChain can add up.
    assert "total_cost" not in message.usage_metadata


def test_your_own_providers_bill_is_in_it(
    emulator: Emulator,
    make_model: MakeModel,
    tracer: OpenRouterTracer,
    langsmith: ScriptedServer,
) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "cost": 0.25, "is_byok": True}
    body = answer(usage={**usage, "cost_details": {"upstream_inference_cost": 0.5}})
    emulator.script([body])
    make_model().invoke("Hi", config={"callbacks": [tracer]})
    assert billed(langsmith)[0]["total_cost"] == 0.75


def test_several_answers_of_one_request_are_billed_once(
    make_model: MakeModel, tracer: OpenRouterTracer, langsmith: ScriptedServer
) -> None:
    result = make_model().generate([[HumanMessage("Hi")]], n=2, callbacks=[tracer])
    assert result.llm_output is not None
    assert billed(langsmith)[0]["total_cost"] == pytest.approx(result.llm_output["cost"])


def test_an_answer_without_a_cost_is_not_called_free(
    emulator: Emulator, make_model: MakeModel, tracer: OpenRouterTracer, langsmith: ScriptedServer
) -> None:
    emulator.script([answer(usage={"prompt_tokens": 3, "completion_tokens": 2})])
    make_model().invoke("Hi", config={"callbacks": [tracer]})
    assert "total_cost" not in billed(langsmith)[0]


def test_what_the_cache_answers_is_free(
    make_model: MakeModel, tracer: OpenRouterTracer, langsmith: ScriptedServer
) -> None:
    llm = make_model(cache=InMemoryCache())
    for _ in range(2):
        llm.invoke("Hi", config={"callbacks": [tracer]})
    first, second = billed(langsmith)
    assert first["total_cost"] > 0
    assert second["total_cost"] == 0


def test_tokens_are_still_counted_beside_it(
    make_model: MakeModel, tracer: OpenRouterTracer, langsmith: ScriptedServer
) -> None:
    counted = UsageMetadataCallbackHandler()
    llm: ChatOpenRouter = make_model()
    for _ in range(2):
        llm.invoke("Hi", config={"callbacks": [counted, tracer]})
    (usage,) = counted.usage_metadata.values()
    assert usage["total_tokens"] == sum(told["total_tokens"] for told in billed(langsmith))


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_no_secret_is_traced(
    make_model: MakeModel, tracer: OpenRouterTracer, langsmith: ScriptedServer, way: str
) -> None:
    llm = make_model(default_headers={"X-Own": "header-secret"})
    given: dict[str, Any] = {"extra_headers": {"X-Other": "other-secret"}, "temperature": 0.5}
    if way == "invoke":
        llm.invoke("Hi", {"callbacks": [tracer]}, **given)
    else:
        list(llm.stream("Hi", {"callbacks": [tracer]}, **given))
    llm.bind(**given).invoke("Hi", {"callbacks": [tracer]})
    sent = b"".join(request.body for request in langsmith.requests)
    assert b"X-Other" in sent
    assert b'"temperature":0.5' in sent
    for secret in (b"sk-or-v1-secret", b"header-secret", b"other-secret"):
        assert secret not in sent
