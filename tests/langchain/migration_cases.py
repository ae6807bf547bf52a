"""Constructor calls as the documentation of `langchain_openrouter` shows them, and the bodies they must send.

The bodies are what that package (0.2.9) sends, but for the differences that are meant, which stand in `CHANGED`;
`tests/contract/test_migration.py`, which runs both packages, proves that it does.
"""

from __future__ import annotations

from typing import Any

CASES: dict[str, dict[str, Any]] = {
    "quickstart": {"model": "anthropic/claude-sonnet-4.5", "temperature": 0},
    "model_name": {"model_name": "openai/gpt-4o-mini", "max_tokens": 1024, "max_retries": 2},
    "sampling": {
        "model": "openai/gpt-4o-mini",
        "temperature": 0.7,
        "max_tokens": 1000,
        "top_p": 0.9,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "seed": 42,
        "stop": ["END"],
    },
    "stop_sequences": {"model": "openai/gpt-4o-mini", "stop_sequences": ["END"]},
    "max_completion_tokens": {"model": "openai/gpt-5-mini", "max_completion_tokens": 500},
    "provider order": {
        "model": "anthropic/claude-sonnet-4.5",
        "openrouter_provider": {"order": ["Anthropic", "Google"]},
    },
    "provider preferences": {
        "model": "anthropic/claude-sonnet-4.5",
        "openrouter_provider": {
            "allow_fallbacks": False,
            "data_collection": "deny",
            "sort": "throughput",
        },
        "route": "fallback",
    },
    "reasoning": {
        "model": "anthropic/claude-sonnet-4.5",
        "max_tokens": 16384,
        "reasoning": {"effort": "high", "summary": "auto"},
    },
    "plugins": {"model": "openai/gpt-4o", "plugins": [{"id": "web", "max_results": 3}]},
    "observability": {
        "model": "openai/gpt-4o-mini",
        "session_id": "conv-2026-04-30-abc",
        "trace": {"trace_id": "abc-123", "span_name": "summarize"},
    },
    "attribution": {
        "model": "openai/gpt-4o-mini",
        "app_url": "https://myapp.example",
        "app_title": "My App",
        "app_categories": ["cli-agent", "programming-app"],
        "default_headers": {"x-grok-conv-id": "session-abc123"},
    },
    "model_kwargs": {"model": "openai/gpt-4o-mini", "model_kwargs": {"top_k": 5}},
    "streaming": {"model": "openai/gpt-4o-mini", "streaming": True},
    "several answers": {"model": "openai/gpt-4o-mini", "n": 2},
}

BODIES: dict[str, dict[str, Any]] = {
    "quickstart": {"model": "anthropic/claude-sonnet-4.5", "temperature": 0},
    "model_name": {"model": "openai/gpt-4o-mini", "max_tokens": 1024},
    "sampling": {
        "model": "openai/gpt-4o-mini",
        "temperature": 0.7,
        "max_tokens": 1000,
        "top_p": 0.9,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "seed": 42,
        "stop": ["END"],
    },
    "stop_sequences": {"model": "openai/gpt-4o-mini", "stop": ["END"]},
    "max_completion_tokens": {"model": "openai/gpt-5-mini", "max_completion_tokens": 500},
    "provider order": {
        "model": "anthropic/claude-sonnet-4.5",
        "provider": {"order": ["Anthropic", "Google"]},
    },
    "provider preferences": {
        "model": "anthropic/claude-sonnet-4.5",
        "provider": {"allow_fallbacks": False, "data_collection": "deny", "sort": "throughput"},
        "route": "fallback",
    },
    "reasoning": {
        "model": "anthropic/claude-sonnet-4.5",
        "max_tokens": 16384,
        "reasoning": {"effort": "high", "summary": "auto"},
    },
    "plugins": {"model": "openai/gpt-4o", "plugins": [{"id": "web", "max_results": 3}]},
    "observability": {
        "model": "openai/gpt-4o-mini",
        "session_id": "conv-2026-04-30-abc",
        "trace": {"trace_id": "abc-123", "span_name": "summarize"},
    },
    "attribution": {"model": "openai/gpt-4o-mini"},
    "model_kwargs": {"model": "openai/gpt-4o-mini", "top_k": 5},
    "streaming": {"model": "openai/gpt-4o-mini", "stream": True},
    "several answers": {"model": "openai/gpt-4o-mini", "n": 2},
}
"""What is sent beside the messages."""

CHANGED = {
    "every body": {"stream": False},
    "every stream": {"stream_options": {"include_usage": True}},
    "every header": {"http-referer": "https://docs.langchain.com", "x-title": "LangChain"},
    "provider preferences": TypeError("Chat.send() got an unexpected keyword argument 'route'"),
    "several answers": TypeError("Chat.send() got an unexpected keyword argument 'n'"),
}
"""What that package sends besides, without being told to, and where it fails.

Two more differences are meant: its `timeout` is in milliseconds, ours in seconds; and a keyword that is no field is put
into `model_kwargs` with a warning there, and is an error that names the nearest field here.
"""
