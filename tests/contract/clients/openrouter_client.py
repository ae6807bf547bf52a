"""The official SDK, of either major version: OpenRouter's API as its generated client calls and reads it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from typing import Any

from openrouter import OpenRouter
from openrouter.utils import BackoffStrategy, RetryConfig
from protocol import KEY, URL, serve

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def _sdk(key: str = KEY) -> OpenRouter:
    return OpenRouter(api_key=key, server_url=URL, timeout_ms=20_000)


def _dump(read: Any) -> Any:
    return read.model_dump(mode="json", by_alias=True)


def _joined(chunks: Iterable[Any]) -> dict[str, Any]:
    """Put the chunks of a stream together, as the SDK read them."""
    whole: dict[str, Any] = {"content": "", "calls": {}, "finish": [], "usage": None, "errors": []}
    for chunk in map(_dump, chunks):
        whole["model"] = chunk["model"]
        whole["usage"] = chunk.get("usage") or whole["usage"]
        whole["metadata"] = chunk.get("openrouter_metadata") or whole.get("metadata")
        if chunk.get("error"):
            whole["errors"].append(chunk["error"])
        for choice in chunk["choices"]:
            whole["content"] += choice["delta"].get("content") or ""
            if choice.get("finish_reason"):
                whole["finish"].append(choice["finish_reason"])
            for part in choice["delta"].get("tool_calls") or ():
                call = whole["calls"].setdefault(str(part["index"]), {"name": "", "arguments": ""})
                call["id"] = part.get("id") or call.get("id")
                function = part.get("function") or {}
                call["name"] += function.get("name") or ""
                call["arguments"] += function.get("arguments") or ""
    return whole


def chat(key: str = KEY, **request: Any) -> Any:
    with _sdk(key) as sdk:
        return _dump(sdk.chat.send(**request))


def chat_once(key: str = KEY, **request: Any) -> Any:
    """Ask without the retries that the SDK adds by itself."""
    with _sdk(key) as sdk:
        never = RetryConfig("none", BackoffStrategy(1, 1, 1.0, 1), retry_connection_errors=False)
        return _dump(sdk.chat.send(retries=never, **request))


async def chat_async(**request: Any) -> Any:
    async with _sdk() as sdk:
        return _dump(await sdk.chat.send_async(**request))


def stream(**request: Any) -> Any:
    with _sdk() as sdk, sdk.chat.send(**request, stream=True) as chunks:
        return _joined(chunks)


async def stream_async(**request: Any) -> Any:
    async with _sdk() as sdk, await sdk.chat.send_async(**request, stream=True) as chunks:
        return _joined([chunk async for chunk in chunks])


def tools(prompt: str, **request: Any) -> Any:
    """Have a tool called, say its result, and return the call and the last answer."""
    messages: list[Any] = [{"role": "user", "content": prompt}]
    with _sdk() as sdk:
        first = sdk.chat.send(messages=messages, tools=[TOOL], **request)
        message = first.choices[0].message
        call = message.tool_calls[0]
        # The answer goes back as the SDK's own object, which it sends in its own way.
        reply = {"role": "tool", "tool_call_id": call.id, "content": "17 degrees and rain"}
        second = sdk.chat.send(messages=[*messages, message, reply], tools=[TOOL], **request)
        return {"call": _dump(call), "first": _dump(first), "second": _dump(second)}


def stream_tools(prompt: str, **request: Any) -> Any:
    return stream(messages=[{"role": "user", "content": prompt}], tools=[TOOL], **request)


def _pages(listed: Any) -> list[Any]:
    """Follow a listing to its end; a single answer is its only page."""
    pages = []
    while listed is not None and len(pages) < 50:
        pages.append(listed)
        listed = listed.next() if hasattr(listed, "next") else None
    return pages


def models(**query: Any) -> Any:
    with _sdk() as sdk:
        return [_dump(getattr(page, "result", page)) for page in _pages(sdk.models.list(**query))]


def parameters_of_models() -> Any:
    """Name what `models.list` takes in this version."""
    with _sdk() as sdk:
        return list(inspect.signature(sdk.models.list).parameters)


def embedding_models() -> Any:
    with _sdk() as sdk:
        pages = _pages(sdk.embeddings.list_models())
        return [_dump(getattr(page, "result", page)) for page in pages]


def model(author: str, slug: str) -> Any:
    with _sdk() as sdk:
        return _dump(sdk.models.get(author=author, slug=slug))


def count_models() -> Any:
    with _sdk() as sdk:
        return _dump(sdk.models.count())


def endpoints(author: str, slug: str) -> Any:
    with _sdk() as sdk:
        return _dump(sdk.endpoints.list(author=author, slug=slug))


def zdr_endpoints() -> Any:
    with _sdk() as sdk:
        return _dump(sdk.endpoints.list_zdr_endpoints())


def providers() -> Any:
    with _sdk() as sdk:
        return _dump(sdk.providers.list())


def generation(identity: str) -> Any:
    with _sdk() as sdk:
        return _dump(sdk.generations.get_generation(id=identity))


def embeddings(**request: Any) -> Any:
    with _sdk() as sdk:
        return _dump(sdk.embeddings.generate(**request))


async def embeddings_async(**request: Any) -> Any:
    async with _sdk() as sdk:
        return _dump(await sdk.embeddings.generate_async(**request))


def rerank(**request: Any) -> Any:
    with _sdk() as sdk:
        return _dump(sdk.rerank.rerank(**request))


def credits_left() -> Any:
    with _sdk() as sdk:
        return _dump(sdk.credits.get_credits())


def key() -> Any:
    with _sdk() as sdk:
        return _dump(sdk.api_keys.get_current_key_metadata())


async def at_once(prompts: list[str], **request: Any) -> Any:
    """Send several requests over one client at the same time."""
    async with _sdk() as sdk:
        sent = [
            sdk.chat.send_async(messages=[{"role": "user", "content": prompt}], **request)
            for prompt in prompts
        ]
        return [answer.choices[0].message.content for answer in await asyncio.gather(*sent)]


if __name__ == "__main__":
    serve(
        chat, chat_once, parameters_of_models, chat_async, stream, stream_async, tools, stream_tools, at_once, models,
        embedding_models, model, count_models, endpoints, zdr_endpoints, providers, generation,
        embeddings, embeddings_async, rerank, credits_left, key,
    )  # fmt: skip
