import json
from typing import Any

import httpx
import pytest

from openrouter_routing.emulator import Emulator

from .conftest import CLAUDE, KEY, MODEL, Client
from .test_faults import events, said

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}
TEXTS = ["Hello there", "Grüße, 世界 🎉🎉", "a\n\nb  c\td", "  ", '{"a": [1]}', "x" * 3000]


def gathered(chunks: list[Any]) -> dict[str, Any]:
    """Put a stream together again in the plainest way."""
    message: dict[str, Any] = {"content": "", "reasoning": "", "calls": {}}
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            message["reasoning"] += delta.get("reasoning") or ""
            message["finish_reason"] = choice["finish_reason"] or message.get("finish_reason")
            for call in delta.get("tool_calls") or []:
                kept = message["calls"].setdefault(call["index"], {"arguments": ""})
                kept["id"] = call.get("id") or kept.get("id")
                kept["name"] = call["function"].get("name") or kept.get("name")
                kept["arguments"] += call["function"]["arguments"]
    return message


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_says_the_same_as_a_plain_answer(client: Client, text: str) -> None:
    preferences = {"order": ["openai"]}
    plain = client.say(text, provider=preferences)
    response = client.chat(text, stream=True, provider=preferences)
    assert response.headers["content-type"] == "text/event-stream"
    assert response.text.startswith(": OPENROUTER PROCESSING\n\n")
    *chunks, done = events(response)
    assert done == "[DONE]"
    assert said(chunks) == plain["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"] == plain["usage"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-2]["choices"][0]["native_finish_reason"] == "completed"
    assert {(c["id"], c["provider"], c["model"]) for c in chunks} == {
        (response.headers["x-generation-id"], "OpenAI", MODEL)
    }


def test_tool_calls_come_in_fragments(client: Client) -> None:
    prompt = "What is the weather in New York for 3 days?"
    (plain,) = client.say(prompt, model=CLAUDE, tools=[WEATHER])["choices"][0]["message"][
        "tool_calls"
    ]
    *chunks, _ = events(client.chat(prompt, model=CLAUDE, tools=[WEATHER], stream=True))
    message = gathered(chunks)
    assert message["finish_reason"] == "tool_calls"
    assert message["calls"][0] == {"id": plain["id"], **plain["function"]}
    assert json.loads(plain["function"]["arguments"]) == {"city": "New York", "days": 3}
    fragments = [c for c in chunks if c["choices"][0]["delta"].get("tool_calls")]
    assert len(fragments) > 3


@pytest.mark.parametrize(
    ("model", "provider", "kinds"),
    [
        (CLAUDE, "anthropic", ["reasoning.text"]),
        ("openai/gpt-5-mini", "openai", ["reasoning.summary", "reasoning.encrypted"]),
        ("google/gemini-2.5-flash", "google-vertex", ["reasoning.text", "reasoning.encrypted"]),
        ("deepseek/deepseek-chat-v3.1", "fireworks", ["reasoning.text"]),
    ],
)
def test_reasoning_is_streamed_as_it_is_answered(
    client: Client, model: str, provider: str, kinds: list[str]
) -> None:
    fields: Any = {
        "model": model,
        "reasoning": {"effort": "low"},
        "provider": {"order": [provider]},
    }
    plain = client.say("Think", **fields)
    message = plain["choices"][0]["message"]
    assert [detail["type"] for detail in message["reasoning_details"]] == kinds
    assert plain["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    *chunks, _ = events(client.chat("Think", stream=True, **fields))
    assert gathered(chunks)["reasoning"] == message["reasoning"]
    details = [d for c in chunks for d in c["choices"][0]["delta"].get("reasoning_details") or []]
    assert {detail["type"] for detail in details} == set(kinds)
    for key in ("signature", "data"):
        whole = [d[key] for d in message["reasoning_details"] if key in d]
        assert [d[key] for d in details if key in d] == whole
    for key in ("text", "summary"):
        assert "".join(d.get(key, "") for d in details) == "".join(
            d.get(key, "") for d in message["reasoning_details"]
        )


def test_reasoning_can_be_left_out_or_switched_off(client: Client) -> None:
    hidden = client.say("Think", model=CLAUDE, reasoning={"effort": "low", "exclude": True})
    assert hidden["choices"][0]["message"]["reasoning"] is None
    assert hidden["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    for off in ({"effort": "none"}, {"enabled": False}):
        answer = client.say("Think", model=CLAUDE, reasoning=off)
        assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0
    assert (
        "reasoning_details"
        not in client.say("Think", reasoning={"effort": "low"})["choices"][0]["message"]
    )


@pytest.mark.parametrize("size", [1, 3, 7])
def test_writes_can_be_split_in_the_middle_of_characters(size: int) -> None:
    with Emulator(split_bytes=size) as emulator, httpx.Client(headers=KEY) as http:
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "é🎉"}]}
        response = http.post(f"{emulator.base_url}/chat/completions", json=body)
        *chunks, done = events(response)
        assert (said(chunks), done) == ("é🎉", "[DONE]")


def test_chunks_can_take_their_time_and_comments_be_left_out() -> None:
    with Emulator(chunk_delay=0.001, comments=False) as emulator, Client(emulator).http as http:
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Hi you"}]}
        response = http.post("/chat/completions", json=body)
        assert ": OPENROUTER" not in response.text
        assert said(events(response)[:-1]) == "Hi you"


def test_router_metadata_comes_on_the_last_chunk(client: Client) -> None:
    *chunks, _ = events(
        client.chat(stream=True, headers={"X-OpenRouter-Experimental-Metadata": "enabled"})
    )
    assert [("openrouter_metadata" in chunk) for chunk in chunks] == [False] * (len(chunks) - 1) + [
        True
    ]


def test_several_choices_are_streamed_side_by_side(client: Client) -> None:
    *chunks, _ = events(client.chat("Hi", n=3, stream=True))
    texts = dict.fromkeys(range(3), "")
    for chunk in chunks:
        choice = chunk["choices"][0]
        texts[choice["index"]] += choice["delta"]["content"]
    assert set(texts.values()) == {"Hi"}


def test_logprobs_come_with_their_tokens(client: Client) -> None:
    fields: Any = {"logprobs": True, "top_logprobs": 2, "provider": {"order": ["openai"]}}
    (choice,) = client.say("Hello big world", **fields)["choices"]
    tokens = [entry["token"] for entry in choice["logprobs"]["content"]]
    assert "".join(tokens) == "Hello big world"
    assert all(len(entry["top_logprobs"]) == 2 for entry in choice["logprobs"]["content"])
    *chunks, _ = events(client.chat("Hello big world", stream=True, **fields))
    entries = [c["choices"][0].get("logprobs") for c in chunks]
    assert [e["content"][0]["token"] for e in entries if e] == tokens
