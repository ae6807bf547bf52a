import json
import re
from typing import Any

import httpx
import pytest

from openrouter_routing.emulator import Emulator

from .conftest import LLAMA, MODEL, Client

ALONE = {"order": ["openai"], "allow_fallbacks": False}


def stream(
    client: Client, prompt: str = "One two three four five", **fields: Any
) -> httpx.Response:
    return client.chat(prompt, stream=True, provider=ALONE, **fields)


def events(response: httpx.Response) -> list[Any]:
    lines = [
        line.removeprefix("data: ")
        for line in response.text.splitlines()
        if line.startswith("data: ")
    ]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def said(chunks: list[Any]) -> str:
    deltas = [
        choice["delta"] for chunk in chunks if chunk != "[DONE]" for choice in chunk["choices"]
    ]
    return "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.parametrize(
    ("kind", "status", "error_type"),
    [
        ("down", 503, "provider_unavailable"),
        ("rate_limited", 429, "rate_limit_exceeded"),
        ("overloaded", 529, "provider_overloaded"),
        ("timeout", 524, "timeout"),
        ("moderation", 403, "content_policy_violation"),
        ("context_length", 400, "context_length_exceeded"),
        ("error", 500, "server"),
    ],
)
def test_a_failing_provider_is_fallen_back_from_and_told_about(
    emulator: Emulator, client: Client, kind: str, status: int, error_type: str
) -> None:
    fault = emulator.fault(provider="openai", kind=kind)
    order = {"order": ["openai", "azure"]}
    assert client.say("Hi", provider=order)["provider"] == "Azure"
    error = client.error(status, provider=ALONE)
    assert error["code"] == status
    assert error["metadata"]["error_type"] == error["error_type"] == error_type
    assert error["metadata"]["provider_name"] == "OpenAI"
    assert error["metadata"]["previous_errors"] == []
    assert fault.fired == 2
    fault.clear()
    assert client.say("Hi", provider=order)["provider"] == "OpenAI"


def test_the_last_error_lists_the_ones_before(emulator: Emulator, client: Client) -> None:
    emulator.fault(provider="openai", kind="rate_limited")
    emulator.fault(provider="azure", status=502)
    error = client.error(
        502, provider={"order": ["openai", "azure"]}, headers={"X-OpenRouter-Metadata": "enabled"}
    )
    previous = [(e["provider"], e["status"]) for e in error["metadata"]["previous_errors"]]
    assert previous == [("OpenAI", 429), ("Azure", 502)]
    response = client.chat(headers={"X-OpenRouter-Metadata": "enabled"})
    metadata = response.json()["openrouter_metadata"]
    assert metadata["attempt"] == 3
    assert not any(endpoint["selected"] for endpoint in metadata["endpoints"]["available"])
    assert response.headers["x-generation-id"].startswith("gen-")


def test_a_client_error_of_a_provider_is_not_fallen_back_from(
    emulator: Emulator, client: Client
) -> None:
    emulator.fault(
        provider="openai", kind="error", status=422, message="bad tool", error_type="unprocessable"
    )
    error = client.error(422, provider={"order": ["openai", "azure"]})
    assert error["metadata"]["raw"] == "bad tool"
    assert error["error_type"] == "unprocessable"


def test_retry_after_is_in_the_header_and_in_availability(
    emulator: Emulator, client: Client
) -> None:
    emulator.fault(kind="rate_limited", retry_after=7)
    response = client.chat()
    assert response.headers["retry-after"] == "7"
    availability = response.json()["error"]["availability"]
    assert (availability["code"], availability["retry_after"]) == ("capacity_exhausted", 7)


def test_moderation_says_what_was_flagged(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="moderation", reasons=["violence"], flagged_input="the worst part")
    metadata = client.error(403)["metadata"]
    assert (metadata["reasons"], metadata["flagged_input"]) == (["violence"], "the worst part")


def test_faults_by_model_count_and_probability(emulator: Emulator, client: Client) -> None:
    once = emulator.fault(model=MODEL, times=1)
    client.say("Hi")
    client.say("Hi")
    assert (once.fired, once.active) == (1, False)
    emulator.fault(model=LLAMA, kind="error", status=400)
    client.error(400, model=LLAMA)
    client.say("Hi")
    emulator.clear_faults()
    often = emulator.fault(kind="error", status=400, probability=0.5)
    statuses = [client.chat().status_code for _ in range(40)]
    assert statuses.count(400) == often.fired
    assert 8 < often.fired < 32


def test_a_fault_of_one_variant_spares_the_others(emulator: Emulator, client: Client) -> None:
    emulator.fault(provider="deepinfra/turbo")
    answer = client.say("Hi", model=LLAMA, provider={"order": ["deepinfra"]})
    assert answer["provider"] == "DeepInfra"
    error = client.error(503, model=LLAMA, provider={"only": ["deepinfra/turbo"]})
    assert error["metadata"]["provider_name"] == "DeepInfra"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "explode"}, "no fault of kind 'explode'"),
        ({"probability": 1.5}, "from 0 to 1"),
        ({"kind": "availability"}, "needs code="),
        ({"kind": "availability", "code": "nope"}, "needs code="),
    ],
)
def test_a_fault_that_makes_no_sense_is_an_error(
    emulator: Emulator, wrong: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        emulator.fault(**wrong)


@pytest.mark.parametrize(
    ("code", "status", "retryable"),
    [
        ("model_not_found", 400, False),
        ("wrong_endpoint", 400, False),
        ("no_endpoints", 404, False),
        ("model_deprecated", 404, False),
        ("model_unavailable_upstream", 404, False),
        ("capacity_exhausted", 429, True),
        ("temporarily_unavailable", 503, True),
        ("region_restricted", 403, False),
        ("privacy_restricted", 404, False),
        ("constraint_filtered", 404, False),
        ("free_variant_ended", 404, False),
    ],
)
def test_every_availability_error_can_be_had(
    emulator: Emulator, client: Client, code: str, status: int, retryable: bool
) -> None:
    emulator.fault(kind="availability", code=code, fallback_models=[LLAMA], message="because")
    error = client.error(status)
    assert error["message"] == "because"
    availability = error["availability"]
    assert (availability["code"], availability["retryable"]) == (code, retryable)
    assert availability["requested_models"] == [MODEL]
    assert availability["fallback_models"] == [LLAMA]
    assert availability["docs_url"].startswith("https://openrouter.ai/docs")


def test_an_error_in_the_middle_of_a_stream_comes_after_what_was_said(
    emulator: Emulator, client: Client
) -> None:
    emulator.fault(
        kind="mid_stream_error", after_chunks=3, status=502, provider_code="overload", raw="gone"
    )
    response = stream(client)
    assert response.status_code == 200
    *chunks, last, done = events(response)
    assert said(chunks) == "One two three"
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"]["code"] == 502
    assert last["error"]["metadata"] == {
        "provider_name": "OpenAI",
        "raw": "gone",
        "provider_code": "overload",
        "error_type": "provider_unavailable",
    }
    assert done == "[DONE]"


def test_a_cut_stream_ends_without_finish_and_done(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="cut", after_chunks=2)
    chunks = events(stream(client))
    assert said(chunks) == "One two"
    assert "[DONE]" not in chunks
    assert not any(chunk["choices"][0]["finish_reason"] for chunk in chunks)


@pytest.mark.parametrize("fields", [{"kind": "reset"}, {"kind": "cut", "abrupt": True}])
@pytest.mark.parametrize("streaming", [True, False])
def test_a_broken_connection_is_an_error_of_the_transport(
    emulator: Emulator, client: Client, fields: Any, streaming: bool
) -> None:
    emulator.fault(**fields)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.chat("One two three", stream=streaming)


def test_what_was_sent_before_a_reset_can_be_read(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="reset", after_chunks=2)
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "One two three"}],
        "stream": True,
    }
    received = b""
    broken = pytest.raises((httpx.ReadError, httpx.RemoteProtocolError))
    with client.http.stream("POST", "/chat/completions", json=body) as response, broken:
        for part in response.iter_bytes():
            received += part
    assert received.count(b"data: ") == 2


def test_a_stalled_stream_says_a_little_and_then_nothing(
    emulator: Emulator, client: Client
) -> None:
    emulator.fault(kind="stall", after_chunks=2)
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "One two three"}],
        "stream": True,
    }
    received = b""
    late = pytest.raises(httpx.ReadTimeout)
    streaming = client.http.stream("POST", "/chat/completions", json=body, timeout=0.3)
    with late, streaming as response:
        for part in response.iter_bytes():
            received += part
    assert received.count(b"data: ") == 2
    assert emulator.requests[-1].wait_disconnected()


def test_a_stall_may_show_signs_of_life_and_may_end(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="stall", delay=0.2, comments=True)
    response = stream(client)
    assert response.text.count(": OPENROUTER PROCESSING") > 2
    assert said(events(response)) == "One two three four five"


@pytest.mark.parametrize("streaming", [True, False])
def test_a_client_that_leaves_is_noticed(
    emulator: Emulator, client: Client, streaming: bool
) -> None:
    emulator.fault(kind="stall")
    with pytest.raises(httpx.ReadTimeout):
        client.post(
            "/chat/completions",
            {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": streaming},
            timeout=0.2,
        )
    record = emulator.requests[-1]
    assert record.wait_disconnected()
    assert record.disconnected


def test_a_slow_provider_answers_in_the_end(emulator: Emulator, client: Client) -> None:
    slow = emulator.fault(kind="slow", delay=0.05)
    assert client.text("Hi there") == "Hi there"
    assert said(events(stream(client))) == "One two three four five"
    assert slow.fired == 2


def test_html_from_a_proxy(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="html", retry_after=2)
    for response in (client.chat(), stream(client)):
        assert response.status_code == 502
        assert response.headers["content-type"].startswith("text/html")
        assert response.headers["retry-after"] == "2"
        assert "<html>" in response.text
    emulator.fault(kind="html", status=200)
    assert client.chat().status_code == 200


def test_an_error_in_an_answer_with_status_200(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="error_in_200", status=502, message="lost")
    response = client.chat()
    assert response.status_code == 200
    assert (response.json()["error"]["code"], response.json()["error"]["message"]) == (502, "lost")
    first, *_ = events(stream(client))
    assert first["error"]["code"] == 502


def test_an_error_in_a_choice_keeps_what_was_said(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="choice_error")
    (choice,) = client.say("12345678")["choices"]
    assert choice["message"]["content"] == "1234"
    assert choice["finish_reason"] == "error"
    assert choice["error"]["metadata"]["error_type"] == "provider_unavailable"
    chunks = [chunk for chunk in events(stream(client)) if chunk != "[DONE]"]
    assert "error" in chunks[-1]["choices"][0]


def test_an_empty_answer_and_an_empty_body(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="empty")
    assert client.text("Hi") == ""
    chunks = events(stream(client))
    assert said(chunks) == ""
    assert chunks[-1] == "[DONE]"
    emulator.fault(kind="empty_body")
    assert client.chat().content == stream(client).content == b""


def test_half_of_an_answer_is_no_json(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="half_json")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        client.chat().json()
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        events(stream(client))


def test_a_bad_data_line_stands_between_good_ones(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="bad_data_line", after_chunks=1)
    lines = [line for line in stream(client).text.splitlines() if line.startswith("data: ")]
    assert lines[1] == 'data: {"id": "gen-'
    assert lines[-1] == "data: [DONE]"


def test_bytes_that_are_no_text(emulator: Emulator, client: Client) -> None:
    emulator.fault(kind="invalid_utf8")
    for response in (client.chat(), stream(client)):
        with pytest.raises(UnicodeDecodeError):
            response.content.decode()


def test_odd_ends_of_a_stream(emulator: Emulator, client: Client) -> None:
    def finishes(chunks: list[Any]) -> list[str]:
        reasons = [c["choices"][0]["finish_reason"] for c in chunks if c != "[DONE]"]
        return [reason for reason in reasons if reason]

    emulator.fault(kind="duplicate_finish")
    assert finishes(events(stream(client))) == ["stop", "stop"]
    emulator.fault(kind="no_finish")
    chunks = events(stream(client))
    assert (finishes(chunks), chunks[-1]) == ([], "[DONE]")
    assert client.say("Hi")["choices"][0]["finish_reason"] is None
    emulator.fault(kind="no_done")
    chunks = events(stream(client))
    assert (finishes(chunks), "[DONE]" in chunks) == (["stop"], False)


@pytest.mark.parametrize("path", ["/models", "/key", "/generation"])
def test_a_path_without_providers_can_fail(emulator: Emulator, client: Client, path: str) -> None:
    identity = client.say("Hi")["id"]
    client.http.get("/generation", params={"id": identity})
    query = {"id": identity}
    emulator.fault(path=path, kind="error", status=500)
    response = client.http.get(path, params=query)
    assert (response.status_code, response.json()["error"]["code"]) == (500, 500)
    assert client.http.get("/credits").status_code == 200
    emulator.fault(path=path, kind="html")
    assert "<html>" in client.http.get(path, params=query).text
    emulator.fault(path=path, kind="half_json")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        client.http.get(path, params=query).json()
    emulator.fault(path=path, kind="reset")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.http.get(path, params=query)


def test_embeddings_fail_like_everything_else(emulator: Emulator, client: Client) -> None:
    body = {"model": "openai/text-embedding-3-small", "input": "x"}
    emulator.fault(kind="rate_limited", path="/embeddings")
    assert client.post("/embeddings", body).status_code == 429
    assert client.chat().status_code == 200
    emulator.fault(kind="choice_error")
    assert client.post("/embeddings", body).json()["error"]["code"] == 502
    emulator.fault(kind="half_json")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        client.post("/embeddings", body).json()


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"provider": "azur"}, "no endpoint of provider 'azur'; did you mean 'azure'?"),
        ({"model": "openai/gpt-5-mni"}, "did you mean 'openai/gpt-5-mini'?"),
        ({"provider": "groq", "model": "openai/gpt-5-mini"}, "no endpoint of provider 'groq' and"),
    ],
)
def test_a_fault_that_could_never_hit_is_an_error(
    emulator: Emulator, target: dict[str, str], says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        emulator.fault(**target)
