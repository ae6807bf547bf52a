"""The official SDK against the emulator: every answer passes through the types that it generates."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from openrouter_routing.emulator import Emulator

from .asking import CLAUDE, MODEL, SUM, WEATHER
from .foreign import ForeignClient, ForeignError

ASKED = [{"role": "user", "content": SUM}]
NAMED = {"author": "openai", "slug": "gpt-4o-mini"}
METADATA = {"x_open_router_metadata": "enabled"}


def wire(emulator: Emulator, path: str, **query: str) -> Any:
    """Give an answer as it is on the wire."""
    headers = {"Authorization": "Bearer any"}
    return httpx.get(f"{emulator.base_url}{path}", params=query, headers=headers).json()


@pytest.mark.parametrize("case", ["chat", "chat_async"])
def test_chats(sdk: ForeignClient, case: str) -> None:
    answer = sdk.do(case, model=MODEL, messages=ASKED)
    assert answer["choices"][0]["message"]["content"] == "5"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["model"] == MODEL
    assert answer["usage"]["cost"] > 0
    assert answer["usage"]["is_byok"] is False


@pytest.mark.parametrize("case", ["stream", "stream_async"])
def test_streams(sdk: ForeignClient, case: str) -> None:
    text = "Say exactly: Grüße aus Köln 🎉 und bis bald"
    whole = sdk.do(case, model=MODEL, messages=[{"role": "user", "content": text}], **METADATA)
    assert whole["content"] == "Grüße aus Köln 🎉 und bis bald"
    assert whole["finish"] == ["stop"]
    assert whole["usage"]["completion_tokens"] > 1
    assert whole["metadata"]["requested"] == MODEL
    assert whole["errors"] == []


def test_calls_tools_and_sends_its_own_objects_back(sdk: ForeignClient) -> None:
    answers = sdk.do("tools", prompt=WEATHER, model=MODEL)
    assert json.loads(answers["call"]["function"]["arguments"]) == {"city": "Paris"}
    assert answers["first"]["choices"][0]["finish_reason"] == "tool_calls"
    assert answers["second"]["choices"][0]["message"]["content"] == "17 degrees and rain"
    assert [sent.status for sent in sdk.sent] == [200, 200]


def test_streams_tool_calls_in_fragments(sdk: ForeignClient) -> None:
    whole = sdk.do("stream_tools", prompt=WEATHER, model=MODEL)
    assert whole["finish"] == ["tool_calls"]
    call = whole["calls"]["0"]
    assert call["name"] == "get_weather"
    assert call["id"].startswith("call_")
    assert json.loads(call["arguments"]) == {"city": "Paris"}


def test_replays_reasoning_with_a_tool_call(sdk: ForeignClient) -> None:
    answers = sdk.do("tools", prompt=WEATHER, model=CLAUDE, reasoning={"effort": "low"})
    details = answers["first"]["choices"][0]["message"]["reasoning_details"]
    assert details
    replayed = sdk.sent[1].body["messages"][1]  # type: ignore[index]
    assert [d["type"] for d in replayed["reasoning_details"]] == [d["type"] for d in details]
    assert answers["second"]["choices"][0]["message"]["content"] == "17 degrees and rain"


def test_every_parameter_it_can_send_is_taken(sdk: ForeignClient) -> None:
    preferences = {
        "order": ["azure", "openai"],
        "only": ["azure", "openai"],
        "ignore": ["deepinfra"],
        "allow_fallbacks": True,
        "require_parameters": False,
        "data_collection": "allow",
        "zdr": False,
        "quantizations": ["unknown"],
        "max_price": {"prompt": "5", "completion": "10"},
        "preferred_min_throughput": {"p90": 1},
        "preferred_max_latency": 30,
    }
    answer = sdk.do(
        "chat", model=MODEL, models=["openai/gpt-5-mini"], messages=ASKED, provider=preferences,
        temperature=0, top_p=0.9, frequency_penalty=0.1, presence_penalty=0.1, max_tokens=50, seed=7,
        stop=["\n\n"], logprobs=True, top_logprobs=2, user="somebody", session_id="a",
        metadata={"a": "b"}, trace={"trace_id": "t"}, service_tier="auto",
        plugins=[{"id": "context-compression"}], response_format={"type": "text"}, **METADATA,
    )  # fmt: skip
    (sent,) = sdk.sent
    assert sent.status == 200
    assert sent.headers["x-openrouter-metadata"] == "enabled"
    assert sent.body["provider"]["order"] == ["azure", "openai"]
    selected = [e for e in answer["openrouter_metadata"]["endpoints"]["available"] if e["selected"]]
    assert [endpoint["provider"] for endpoint in selected] == ["Azure"]
    assert answer["choices"][0]["logprobs"]["content"][0]["token"] == "5"


def test_structured_output(sdk: ForeignClient) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    answer = sdk.do(
        "chat",
        model=MODEL,
        messages=[{"role": "user", "content": "A trip to Paris for 2 days"}],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "trip", "schema": schema, "strict": True},
        },
    )
    said = json.loads(answer["choices"][0]["message"]["content"])
    assert said == {"city": "Paris", "days": 2}


def test_several_at_once_over_one_client(sdk: ForeignClient) -> None:
    words = [f"word{number}" for number in range(20)]
    assert sdk.do("at_once", prompts=[f"Say {word}" for word in words], model=MODEL) == words


def test_lists_models_page_by_page(sdk: ForeignClient, emulator: Emulator) -> None:
    listed = [model["id"] for model in wire(emulator, "/models")["data"]]
    (whole,) = sdk.do("models")
    assert [model["id"] for model in whole["data"]] == listed
    assert sdk.do("count_models") == {"data": {"count": len(listed)}}
    if "limit" in sdk.do("parameters_of_models"):
        pages = sdk.do("models", limit=5)
        assert [model["id"] for page in pages for model in page["data"]] == listed
        assert len(pages) > 1


def test_shows_one_model(sdk: ForeignClient, emulator: Emulator) -> None:
    model = sdk.do("model", **NAMED)["data"]
    told = wire(emulator, f"/model/{MODEL}")["data"]
    for name in ("id", "name", "context_length", "supported_parameters"):
        assert model[name] == told[name]
    assert model["pricing"]["prompt"] == told["pricing"]["prompt"]


def test_lists_endpoints(sdk: ForeignClient, emulator: Emulator) -> None:
    told = wire(emulator, f"/models/{MODEL}/endpoints")["data"]["endpoints"]
    read = sdk.do("endpoints", **NAMED)["data"]["endpoints"]
    assert [endpoint["tag"] for endpoint in read] == [endpoint["tag"] for endpoint in told]
    # What the SDK read is what the wire said: nothing fell to a default on the way.
    for name in ("provider_name", "quantization", "throughput_last_30m", "uptime_last_30m"):
        assert [endpoint[name] for endpoint in read] == [endpoint[name] for endpoint in told]
    zdr = sdk.do("zdr_endpoints")["data"]
    assert [e["tag"] for e in zdr] == [e["tag"] for e in wire(emulator, "/endpoints/zdr")["data"]]


def test_lists_providers(sdk: ForeignClient, emulator: Emulator) -> None:
    read = {provider["slug"]: provider["name"] for provider in sdk.do("providers")["data"]}
    assert read == {p["slug"]: p["name"] for p in wire(emulator, "/providers")["data"]}
    assert read["azure"] == "Azure"


def test_looks_a_generation_up_once_it_is_there(sdk: ForeignClient) -> None:
    identity = sdk.do("chat", model=MODEL, messages=ASKED)["id"]
    with pytest.raises(ForeignError, match="not found") as caught:
        sdk.do("generation", identity=identity)
    assert caught.value.kind == "NotFoundResponseError"
    generation = sdk.do("generation", identity=identity)["data"]
    assert generation["id"] == identity
    assert generation["model"] == MODEL
    assert generation["finish_reason"] == "stop"
    assert generation["provider_name"] in ("Azure", "OpenAI")
    assert generation["total_cost"] > 0


@pytest.mark.parametrize("case", ["embeddings", "embeddings_async"])
def test_embeds(sdk: ForeignClient, case: str) -> None:
    texts = ["red wine", "red wine and cheese", "a bicycle"]
    answer = sdk.do(case, model="openai/text-embedding-3-small", input=texts)
    first, second, third = (entry["embedding"] for entry in answer["data"])
    assert len(first) == len(third) == 1536
    near = sum(a * b for a, b in zip(first, second, strict=True))
    far = sum(a * b for a, b in zip(first, third, strict=True))
    assert near > far
    assert answer["usage"]["prompt_tokens"] > 0
    (listed,) = sdk.do("embedding_models")
    assert "openai/text-embedding-3-small" in [model["id"] for model in listed["data"]]


def test_embeds_in_base64(sdk: ForeignClient) -> None:
    answer = sdk.do(
        "embeddings",
        model="openai/text-embedding-3-small",
        input="red wine",
        encoding_format="base64",
        dimensions=256,
    )
    assert isinstance(answer["data"][0]["embedding"], str)


def test_ranks(sdk: ForeignClient) -> None:
    documents = ["Bicycles have wheels.", "Wine is made from grapes.", "Tea grows on hills."]
    answer = sdk.do(
        "rerank",
        model="cohere/rerank-v3.5",
        query="What is wine made from?",
        documents=documents,
        top_n=2,
    )
    assert len(answer["results"]) == 2
    assert answer["results"][0]["index"] == 1
    assert answer["results"][0]["document"]["text"] == documents[1]


def test_reads_credits_and_the_key(sdk: ForeignClient) -> None:
    before = sdk.do("credits_left")["data"]["total_usage"]
    cost = sdk.do("chat", model=MODEL, messages=ASKED)["usage"]["cost"]
    assert sdk.do("credits_left")["data"]["total_usage"] == pytest.approx(before + cost)
    assert sdk.do("key")["data"]["usage"] == pytest.approx(before + cost)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "error", "status": 500}, "InternalServerResponseError"),
        ({"kind": "rate_limited"}, "TooManyRequestsResponseError"),
        ({"kind": "down"}, "ServiceUnavailableResponseError"),
        ({"kind": "overloaded"}, "ProviderOverloadedResponseError"),
        ({"kind": "timeout"}, "EdgeNetworkTimeoutResponseError"),
        ({"kind": "moderation"}, "ForbiddenResponseError"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else value,
)
def test_failures_are_the_errors_it_knows(
    sdk: ForeignClient, emulator: Emulator, fault: dict[str, Any], kind: str
) -> None:
    emulator.fault(**fault)
    with pytest.raises(ForeignError) as caught:
        sdk.do("chat_once", model=MODEL, messages=ASKED)
    assert caught.value.kind == kind
    assert caught.value.status == sdk.sent[-1].status


def test_refusals_are_the_errors_it_knows(sdk: ForeignClient, guarded: Emulator) -> None:
    with pytest.raises(ForeignError) as unknown:
        sdk.do("chat_once", model="openai/gpt-4o-mimi", messages=ASKED)
    assert unknown.value.kind == "BadRequestResponseError"
    with pytest.raises(ForeignError) as excluded:
        sdk.do("chat_once", model=MODEL, messages=ASKED, provider={"only": ["groq"]})
    assert excluded.value.kind == "NotFoundResponseError"
    with pytest.raises(ForeignError) as stranger:
        sdk.do("chat_once", key="wrong", server_url=guarded.base_url, model=MODEL, messages=ASKED)
    assert stranger.value.status == 401
    assert stranger.value.kind == "UnauthorizedResponseError"


def test_errors_in_a_stream_are_told(sdk: ForeignClient, emulator: Emulator) -> None:
    emulator.fault(kind="mid_stream_error")
    whole = sdk.do("stream", model=MODEL, messages=ASKED)
    assert [error["code"] for error in whole["errors"]] == [502]


def test_streams_survive_writes_cut_anywhere(sdk: ForeignClient, guarded: Emulator) -> None:
    asked = [{"role": "user", "content": "Say exactly: Grüße aus Köln 🎉"}]
    whole = sdk.do("stream", server_url=guarded.base_url, model=MODEL, messages=asked)
    assert whole["content"] == "Grüße aus Köln 🎉"
