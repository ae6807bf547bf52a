"""Ask a server in each of the four ways there are, and return how it ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from openrouter_routing import (
    AsyncOpenRouterClient,
    Completion,
    OpenRouterClient,
    OpenRouterError,
    aclose_clients,
)
from tests.scripted_server import ScriptedServer

KEY = "sk-or-v1-0123456789abcdef"
MESSAGES = [{"role": "user", "content": "What is the capital of Switzerland?"}]
WHOLE, STREAMED = ("sync", "async"), ("sync stream", "async stream")
WAYS = WHOLE + STREAMED


@dataclass
class Outcome:
    """What came of a request."""

    pieces: list[str] = field(default_factory=list)
    completion: Completion | None = None
    error: OpenRouterError | None = None

    @property
    def text(self) -> str:
        """The text of the answer that came whole."""
        assert self.error is None, self.error
        assert self.completion is not None
        return self.completion.text

    @property
    def failure(self) -> Any:
        """The error it ended in."""
        assert self.error is not None, self.completion
        return self.error


def ask(way: str, server: ScriptedServer, **options: Any) -> Outcome:
    """Ask one question; options of the client (`timeout`, `max_retries`, ...) and of the call may be mixed."""
    settings = {
        "api_key": KEY,
        "base_url": server.base_url,
        "max_retries": 0,
        **{name: options.pop(name) for name in ("headers", "max_retry_wait") if name in options},
    }
    options = {"model": "openai/gpt-5-mini", "max_retries": 0, **options}
    outcome = Outcome()
    try:
        if way == "sync":
            outcome.completion = OpenRouterClient(**settings).chat(MESSAGES, **options)
        elif way == "sync stream":
            stream = OpenRouterClient(**settings).stream(MESSAGES, **options)
            outcome.pieces.extend(delta.content for delta in stream)
            outcome.completion = stream.completion
        else:
            asyncio.run(_ask_async(way, settings, options, outcome))
    except OpenRouterError as error:
        outcome.error = error
    return outcome


async def _ask_async(
    way: str, settings: dict[str, Any], options: dict[str, Any], outcome: Outcome
) -> None:
    client = AsyncOpenRouterClient(**settings)
    try:
        if way == "async":
            outcome.completion = await client.chat(MESSAGES, **options)
        else:
            stream = client.stream(MESSAGES, **options)
            async for delta in stream:
                outcome.pieces.append(delta.content)
            outcome.completion = stream.completion
    finally:
        await aclose_clients()
