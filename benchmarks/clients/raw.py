"""The floor without a framework (httpx alone), and the core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import httpx
from httpx_aiohttp import HttpxAiohttpClient
from pydantic_core import from_json, to_json

from benchmarks.answers import MODEL
from benchmarks.requests import IN_FLIGHT, KEY, QUESTION, THREADS, image_url, turns

Json = dict[str, Any]
ASK: list[Json] = [{"role": "user", "content": QUESTION}]
TIMEOUT = httpx.Timeout(600, connect=10)


class Raw:
    """HTTP and JSON, and nothing else: what no client can go below without another HTTP library."""

    def __init__(self) -> None:
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}

    @cached_property
    def http(self) -> httpx.Client:
        return httpx.Client(timeout=TIMEOUT)

    @cached_property
    def http_async(self) -> httpx.AsyncClient:
        return HttpxAiohttpClient(timeout=TIMEOUT, limits=httpx.Limits(max_connections=1000))

    def chat(self, url: str, messages: list[Json]) -> Json:
        content = to_json({"model": MODEL, "messages": messages})
        return _message(self.http.post(url, content=content, headers=self.headers))

    async def achat(self, url: str, messages: list[Json]) -> Json:
        content = to_json({"model": MODEL, "messages": messages})
        return _message(await self.http_async.post(url, content=content, headers=self.headers))

    def stream(self, url: str, messages: list[Json]) -> Iterator[Json]:
        content = to_json({"model": MODEL, "messages": messages, "stream": True})
        rest = b""
        with self.http.stream("POST", url, content=content, headers=self.headers) as response:
            for data in response.iter_bytes():
                chunks, rest = _chunks(rest + data)
                yield from chunks

    async def astream(self, url: str, messages: list[Json]) -> AsyncIterator[Json]:
        content = to_json({"model": MODEL, "messages": messages, "stream": True})
        rest = b""
        async with self.http_async.stream(
            "POST", url, content=content, headers=self.headers
        ) as response:
            async for data in response.aiter_bytes():
                chunks, rest = _chunks(rest + data)
                for chunk in chunks:
                    yield chunk


def _message(response: httpx.Response) -> Json:
    message: Json = from_json(response.content)["choices"][0]["message"]
    return message


def _chunks(data: bytes) -> tuple[list[Json], bytes]:
    *events, rest = data.split(b"\n\n")
    return [from_json(event[6:]) for event in events if event[:7] == b"data: {"], rest


def delta_of(chunk: Json) -> Json:
    """Return the delta of a chunk."""
    delta: Json = chunk["choices"][0]["delta"]
    return delta


class Httpx:
    """The floor below every framework."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.raw = Raw()

    def url(self, answer: str) -> str:
        return f"{self.server}/{answer}/chat/completions"

    def invoke(self, repeat: int) -> None:
        for _ in range(repeat):
            self.raw.chat(self.url("text"), ASK)

    async def ainvoke(self, repeat: int) -> None:
        for _ in range(repeat):
            await self.raw.achat(self.url("text"), ASK)

    async def in_flight(self, repeat: int) -> None:
        for _ in range(repeat // IN_FLIGHT):
            await asyncio.gather(*(self.raw.achat(self.url("text"), ASK) for _ in range(IN_FLIGHT)))

    def threads(self, repeat: int) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda _: self.raw.chat(self.url("text"), ASK), range(repeat)))

    def stream(self, repeat: int) -> None:
        self._drain(f"stream-{repeat}")

    def single_stream(self, repeat: int) -> None:
        self._drain(f"stream-{repeat}-single")

    async def astream(self, repeat: int) -> None:
        async for chunk in self.raw.astream(self.url(f"stream-{repeat}"), ASK):
            delta_of(chunk)

    def long_stream(self, repeat: int) -> None:
        self.stream(repeat)

    def coalesced_stream(self, repeat: int) -> None:
        self.stream(repeat)

    def tool_stream(self, repeat: int) -> None:
        self._drain(f"tool-{repeat}")

    def reasoning_stream(self, repeat: int) -> None:
        self._drain(f"reasoning-{repeat}")

    def argument_stream(self, repeat: int) -> None:
        self._drain(f"argument-{repeat}")

    def history(self, repeat: int) -> None:
        messages = [{"role": role, "content": text} for role, text in turns()]
        for _ in range(repeat):
            self.raw.chat(self.url("text"), messages)

    def image(self, repeat: int) -> None:
        part = {"type": "image_url", "image_url": {"url": image_url()}}
        for _ in range(repeat):
            self.raw.chat(self.url("text"), [{"role": "user", "content": [part]}])

    def _drain(self, answer: str) -> None:
        for chunk in self.raw.stream(self.url(answer), ASK):
            delta_of(chunk)


class Core:
    """The core of this package, without a framework."""

    def __init__(self, server: str) -> None:
        self.server = server
        self._clients: dict[str, Any] = {}

    def client(self, answer: str, **settings: Any) -> Any:
        from openrouter_routing import OpenRouterClient

        if answer not in self._clients:
            self._clients[answer] = OpenRouterClient(
                base_url=f"{self.server}/{answer}", api_key=KEY, **settings
            )
        return self._clients[answer]

    def async_client(self, answer: str, **settings: Any) -> Any:
        from openrouter_routing import AsyncOpenRouterClient

        key = f"async {answer}"
        if key not in self._clients:
            self._clients[key] = AsyncOpenRouterClient(
                base_url=f"{self.server}/{answer}", api_key=KEY, **settings
            )
        return self._clients[key]

    def invoke(self, repeat: int) -> None:
        client = self.client("text")
        for _ in range(repeat):
            client.chat(ASK, model=MODEL)

    async def ainvoke(self, repeat: int) -> None:
        client = self.async_client("text")
        for _ in range(repeat):
            await client.chat(ASK, model=MODEL)

    async def in_flight(self, repeat: int) -> None:
        client = self.async_client("text")
        for _ in range(repeat // IN_FLIGHT):
            await asyncio.gather(*(client.chat(ASK, model=MODEL) for _ in range(IN_FLIGHT)))

    def threads(self, repeat: int) -> None:
        client = self.client("text")
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda _: client.chat(ASK, model=MODEL), range(repeat)))

    def stream(self, repeat: int) -> None:
        self._drain(f"stream-{repeat}")

    def single_stream(self, repeat: int) -> None:
        self._drain(f"stream-{repeat}-single")

    def long_stream(self, repeat: int) -> None:
        self.stream(repeat)

    def coalesced_stream(self, repeat: int) -> None:
        for _ in self.client(f"stream-{repeat}").stream(ASK, model=MODEL, coalesce=True):
            pass

    async def astream(self, repeat: int) -> None:
        async for _ in self.async_client(f"stream-{repeat}").stream(ASK, model=MODEL):
            pass

    def tool_stream(self, repeat: int) -> None:
        self._drain(f"tool-{repeat}")

    def reasoning_stream(self, repeat: int) -> None:
        self._drain(f"reasoning-{repeat}")

    def argument_stream(self, repeat: int) -> None:
        self._drain(f"argument-{repeat}")

    def history(self, repeat: int) -> None:
        messages = [{"role": role, "content": text} for role, text in turns()]
        for _ in range(repeat):
            self.client("text").chat(messages, model=MODEL)

    def image(self, repeat: int) -> None:
        part = {"type": "image_url", "image_url": {"url": image_url()}}
        for _ in range(repeat):
            self.client("text").chat([{"role": "user", "content": [part]}], model=MODEL)

    def _drain(self, answer: str) -> None:
        for _ in self.client(answer).stream(ASK, model=MODEL):
            pass
