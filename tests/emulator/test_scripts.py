from typing import Any

import httpx
import pytest

from openrouter_routing.emulator import Emulator, RecordedRequest, Scripted

from .conftest import Client
from .test_faults import events, said
from .test_streams import gathered

BODY: dict[str, Any] = {
    "id": "gen-1",
    "provider": "Somebody",
    "model": "a/b",
    "object": "chat.completion",
    "created": 1,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Scripted words"},
            "finish_reason": "length",
            "native_finish_reason": "MAX",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3.0},
}


def chunk(text: str, **choice: Any) -> dict[str, Any]:
    return {
        "id": "gen-2",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None, **choice}],
    }


def test_a_body_is_answered_as_it_is(emulator: Emulator, client: Client) -> None:
    script = emulator.script([BODY])
    assert script.remaining == 1
    response = client.chat()
    assert response.json() == BODY
    assert response.headers["x-generation-id"] == "gen-1"
    assert script.remaining == 0
    assert client.text("Now the model") == "Now the model"


def test_a_body_is_cut_into_chunks_when_the_request_streams(
    emulator: Emulator, client: Client
) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a": "some value"}'},
    }
    message = {
        "role": "assistant",
        "content": "Scripted words",
        "reasoning": "why not",
        "tool_calls": [call],
    }
    choice = {**BODY["choices"][0], "message": message}
    emulator.script([{**BODY, "choices": [choice]}])
    *chunks, done = events(client.chat(stream=True))
    assert done == "[DONE]"
    whole = gathered(chunks)
    assert (whole["content"], whole["reasoning"]) == ("Scripted words", "why not")
    assert whole["calls"][0] == {"id": "c1", "name": "f", "arguments": '{"a": "some value"}'}
    assert whole["finish_reason"] == "length"
    assert chunks[-1]["usage"] == BODY["usage"]


def test_a_list_is_a_stream_of_chunks_raw_lines_and_pauses(
    emulator: Emulator, client: Client
) -> None:
    emulator.script(
        [
            [
                chunk("a"),
                ": still here\n\n",
                0.01,
                b"data: {}\r\n\r\n",
                chunk("b", finish_reason="stop"),
            ]
        ]
    )
    response = client.chat(stream=True)
    assert ": still here" in response.text
    assert "data: {}\r\n\r\n" in response.text
    assert response.text.endswith("data: [DONE]\n\n")
    assert response.headers["x-generation-id"] == "gen-2"


def test_an_error_body_has_its_code_as_status(emulator: Emulator, client: Client) -> None:
    emulator.script(
        [
            {"error": {"code": 402, "message": "no credits"}},
            {"error": {"code": "odd", "message": "x"}},
        ]
    )
    assert client.chat().status_code == 402
    assert client.chat(stream=True).status_code == 200


def test_bytes_and_everything_about_them(emulator: Emulator, client: Client) -> None:
    emulator.script(
        [
            b"not json",
            Scripted(b"<p>", status=418, headers={"Content-Type": "text/html", "X-A": "1"}),
        ]
    )
    assert client.chat().content == b"not json"
    response = client.chat()
    assert (response.status_code, response.headers["content-type"], response.headers["x-a"]) == (
        418,
        "text/html",
        "1",
    )


def test_a_stream_may_lack_its_end_and_the_connection_may_close(
    emulator: Emulator, client: Client
) -> None:
    emulator.script(
        [
            Scripted([chunk("a")], done=False),
            Scripted([chunk("a")], hang_up=True),
            Scripted(BODY, delay=0.01),
        ]
    )
    assert "[DONE]" not in client.chat(stream=True).text
    with pytest.raises(httpx.RemoteProtocolError):
        client.chat(stream=True)
    assert client.chat().json() == BODY


def test_a_function_of_the_request_answers(emulator: Emulator, client: Client) -> None:
    def shout(request: RecordedRequest) -> dict[str, Any]:
        messages: Any = request.json["messages"]
        content = messages[-1]["content"].upper()
        choice = {**BODY["choices"][0], "message": {"role": "assistant", "content": content}}
        return {**BODY, "choices": [choice]}

    emulator.script([shout, shout])
    assert client.text("quiet") == "QUIET"
    assert said(events(client.chat("quiet", stream=True))[:-1]) == "QUIET"


def test_a_script_is_for_its_path_and_can_be_dropped(emulator: Emulator, client: Client) -> None:
    vectors = {"object": "list", "data": [], "model": "m"}
    script = emulator.script([vectors, vectors], path="/embeddings")
    assert client.text("Hi") == "Hi"
    body = {"model": "openai/text-embedding-3-small", "input": "x"}
    assert client.post("/embeddings", body).json() == vectors
    script.clear()
    assert client.post("/embeddings", body).json()["data"]
    emulator.script([{"results": [], "model": "m"}], path="/rerank")
    assert client.post("/rerank", {}).json() == {"results": [], "model": "m"}


def test_something_that_is_no_chunk_is_an_error_of_the_test(
    emulator: Emulator, client: Client
) -> None:
    with pytest.raises(TypeError, match="chunks, text, bytes and pauses"):
        Scripted([chunk("a"), None]).reply(stream=True)
