"""Code written for `llama_index.llms.openrouter.OpenRouter` after changing the import: what it then sends.

`sent_by_peer` are the bodies that version 0.6.0 of the other package sends for the same code. The intended differences
are listed by name; everything else has to be equal. `tests/contract/test_migration.py` runs both packages side by side.
"""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage

from llamaindex_openrouter_routing import OpenRouter
from tests.scripted_server import ScriptedServer

NOT_SENT_UNLESS_SET = {"temperature": 0.1, "max_tokens": 256, "stream": False}
"""The peer sends its own temperature and limit with every request; here nothing is sent that was not set."""

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "parameters": (
        {"temperature": 0.7, "max_tokens": 100},
        {"temperature": 0.7, "max_tokens": 100},
    ),
    "order": (
        {"order": ["openai", "together"], "allow_fallbacks": False},
        {"provider": {"order": ["openai", "together"], "allow_fallbacks": False}},
    ),
    "only fallbacks": ({"allow_fallbacks": True}, {"provider": {"allow_fallbacks": True}}),
    "order and extra body": (
        {
            "order": ["together"],
            "additional_kwargs": {"extra_body": {"provider": {"sort": "price"}, "top_k": 3}},
        },
        {"provider": {"order": ["together"], "sort": "price"}, "top_k": 3},
    ),
    "additional parameters": (
        {"additional_kwargs": {"seed": 7, "stop": ["END"], "top_p": 0.5}},
        {"seed": 7, "stop": ["END"], "top_p": 0.5},
    ),
    "the peer's other fields": (
        {
            "context_window": 4096,
            "is_chat_model": True,
            "is_function_calling_model": True,
            "timeout": 30.0,
            "max_retries": 3,
            "strict": False,
            "should_use_structured_outputs": False,
            "logprobs": None,
            "system_prompt": "x",
        },
        {},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bodies_are_those_of_the_peer(name: str, server: ScriptedServer) -> None:
    fields, sent = CASES[name]
    llm = OpenRouter(
        api_key="sk-or-v1-secret", api_base=server.base_url, model="openai/gpt-5-mini", **fields
    )
    llm.chat([ChatMessage(role="user", content="Hi")])
    sent_by_peer = {
        "model": "openai/gpt-5-mini",
        "messages": [{"role": "user", "content": "Hi"}],
        **NOT_SENT_UNLESS_SET,
        **sent,
    }
    expected = {
        key: value
        for key, value in sent_by_peer.items()
        if key in fields or key in sent or key not in NOT_SENT_UNLESS_SET
    }
    assert server.requests[0].json == expected


def test_headers_and_environment(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_BASE", server.base_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-from-environment")
    headers = {"HTTP-Referer": "https://example.com", "X-Title": "Mine"}
    llm = OpenRouter(
        model="openai/gpt-5-mini",
        default_headers=headers,
        additional_kwargs={"extra_headers": {"X-More": "yes"}},
    )
    llm.complete("Hi")
    sent = server.requests[0].headers
    assert sent["authorization"] == "Bearer sk-or-v1-from-environment"
    assert (sent["http-referer"], sent["x-title"], sent["x-more"]) == (
        "https://example.com",
        "Mine",
        "yes",
    )


def test_a_call_wins_also_over_what_stands_in_additional_kwargs(server: ScriptedServer) -> None:
    llm = OpenRouter(
        api_key="k",
        api_base=server.base_url,
        model="openai/gpt-5-mini",
        max_tokens=5,
        additional_kwargs={"extra_body": {"provider": {"order": ["together"]}}, "seed": 1},
    )
    llm.complete("Hi", provider={"order": ["openai"]}, max_tokens=9999, seed=2)
    body = server.requests[0].json
    assert body["provider"] == {"order": ["openai"]}
    assert (body["max_tokens"], body["seed"]) == (9999, 2)


def test_what_extra_body_knows_better_is_sent_unchecked(server: ScriptedServer) -> None:
    extra = {"provider": {"brand_new": 1}, "models": ["a/b"], "brand_new_too": 2}
    llm = OpenRouter(
        api_key="k",
        api_base=server.base_url,
        model="openai/gpt-5-mini",
        additional_kwargs={"extra_body": extra},
    )
    llm.complete("Hi")
    body = server.requests[0].json
    assert {name: body[name] for name in extra} == extra


@pytest.mark.parametrize("name", ["reuse_client", "api_version", "tokenizer"])
def test_fields_without_a_meaning_here_say_so(name: str) -> None:
    with pytest.warns(UserWarning, match=f"{name}= has no effect"):
        OpenRouter(model="openai/gpt-5-mini", **{name: "x"})
    OpenRouter(model="openai/gpt-5-mini", **{name: None})
