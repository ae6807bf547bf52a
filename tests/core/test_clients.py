"""Clients live through loops, threads and forks, use the environment's proxies and certificates, and end in silence."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from openrouter_routing import (
    APIConnectionError,
    AsyncOpenRouterClient,
    BadRequestError,
    OpenRouterClient,
    _registry,
    aclose_clients,
    close_clients,
)
from tests.asking import KEY, MESSAGES, WAYS, ask
from tests.scripted_server import (
    HANG,
    ScriptedServer,
    answer,
    chunk,
    http_head,
    json_answer,
    stream_answer,
)

ROOT = Path(__file__).parents[2]
PRELUDE = """
import asyncio, gc, os, sys, threading
from openrouter_routing import AsyncOpenRouterClient, OpenRouterClient
base_url = sys.argv[1]
said = [{"role": "user", "content": "Hi"}]
client = OpenRouterClient(api_key="sk-or-v1-0123456789", base_url=base_url, max_retries=0)
aclient = AsyncOpenRouterClient(api_key="sk-or-v1-0123456789", base_url=base_url, max_retries=0)

def ask():
    os.write(1, client.chat(said, model="openai/gpt-5-mini").text.encode() + b"\\n")

async def aask(count=1):
    answers = await asyncio.gather(*[aclient.chat(said, model="openai/gpt-5-mini") for _ in range(count)])
    os.write(1, " ".join(answer.text for answer in answers).encode() + b"\\n")
"""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.play(json_answer(answer()))
        yield server


def run(script: str, server: ScriptedServer, **environment: str) -> str:
    """Run a script in a Python for which each warning is an error; it has to keep silent beside its answers."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            PRELUDE + textwrap.dedent(script),
            server.base_url,
        ],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


SILENT = {
    "one loop after the other": (
        """
        ask()
        for _ in range(3):
            asyncio.run(aask(3))
        gc.collect()
        """,
        "Bern.\n" + "Bern. Bern. Bern.\n" * 3,
    ),
    "loops that nobody shut down": (
        """
        for _ in range(3):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(aask(2))
            loop.close()
        gc.collect()
        """,
        "Bern. Bern.\n" * 3,
    ),
    "a loop that is still there at the end": (
        """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(aask(2))
        import atexit
        atexit.register(loop.close)
        """,
        None,
    ),
    "a loop that was closed last": (
        """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(aask(2))
        loop.close()
        """,
        "Bern. Bern.\n",
    ),
    "threads with loops of their own": (
        """
        def work():
            asyncio.run(aask())
        def bare():
            loop = asyncio.new_event_loop()
            loop.run_until_complete(aask())
            loop.close()
        threads = [threading.Thread(target=target) for target in (work, bare) * 4]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        """,
        "Bern.\n" * 8,
    ),
    "a loop inside a loop": (
        """
        async def main():
            await aask()
            await asyncio.to_thread(lambda: asyncio.run(aask()))
            ask()
            await aask()
        asyncio.run(main())
        """,
        "Bern.\n" * 4,
    ),
    "a loop in a thread that never ends": (
        """
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(aask(2), loop).result()
        """,
        None,
    ),
    "a fork": (
        """
        ask()
        asyncio.run(aask())
        if (child := os.fork()) == 0:
            ask()
            asyncio.run(aask())
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        ask()
        """,
        "Bern.\n" * 5,
    ),
    "workers forked before and after": (
        """
        import concurrent.futures, multiprocessing
        ask()
        with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
            [future.result() for future in [pool.submit(ask) for _ in range(4)]]
        ask()
        """,
        "Bern.\n" * 6,
    ),
    "closing what is open": (
        """
        ask()
        client.close()
        ask()
        async def main():
            await aask()
            await aclient.aclose()
            await aask()
        asyncio.run(main())
        """,
        "Bern.\n" * 4,
    ),
}


@pytest.mark.parametrize("case", SILENT)
def test_nothing_warns_and_the_end_is_silent(server: ScriptedServer, case: str) -> None:
    script, said = SILENT[case]
    out = run(script, server)
    assert said is None or out == said
    assert "Bern." in out


@pytest.mark.parametrize(
    "script",
    [
        """
        for delta in client.stream(said, model="openai/gpt-5-mini"):
            print(delta.content)
            break
        """,
        """
        deltas = iter(client.stream(said, model="openai/gpt-5-mini"))
        print(next(deltas).content)
        """,
        """
        async def main():
            async for delta in aclient.stream(said, model="openai/gpt-5-mini"):
                print(delta.content)
                break
        asyncio.run(main())
        """,
        """
        async def main():
            task = asyncio.create_task(work())
            while client.said is None:
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
        async def work():
            async for delta in aclient.stream(said, model="openai/gpt-5-mini"):
                client.said = delta.content
                print(delta.content)
        client.said = None
        asyncio.run(main())
        """,
    ],
    ids=["left", "half read", "left async", "cancelled"],
)
def test_streams_that_nobody_reads_to_their_end(server: ScriptedServer, script: str) -> None:
    server.respond(lambda _: stream_answer(chunk("Be"), HANG))
    assert run(script, server) == "Be\n"
    assert server.wait_for(server.requests[0].disconnected.is_set)


def test_a_thousand_models_open_nothing(server: ScriptedServer) -> None:
    out = run(
        """
        import ssl
        opened = []
        sys.addaudithook(lambda event, _: opened.append(event) if event.startswith("socket.") else None)
        from langchain_openrouter_routing import ChatOpenRouter
        from llamaindex_openrouter_routing import OpenRouter
        opened.clear()
        before = sum(isinstance(known, ssl.SSLContext) for known in gc.get_objects())
        key = "sk-or-v1-0123456789"
        made = [
            (
                ChatOpenRouter(model="openai/gpt-5-mini", api_key=key, base_url=base_url),
                OpenRouter(model="openai/gpt-5-mini", api_key=key, api_base=base_url),
                OpenRouterClient(api_key=key, base_url=base_url),
                AsyncOpenRouterClient(api_key=key, base_url=base_url),
            )
            for _ in range(1000)
        ]
        print(len(made), opened, sum(isinstance(known, ssl.SSLContext) for known in gc.get_objects()) - before)
        """,
        server,
        PYTHONWARNINGS="",
    )
    assert out == "1000 [] 0\n"


async def test_the_tests_own_loop_is_one_like_any_other(server: ScriptedServer) -> None:
    client = AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url)
    assert (await client.chat(MESSAGES, model="openai/gpt-5-mini")).text == "Bern."
    assert len(_registry._async_clients) == 1
    await aclose_clients()
    assert len(_registry._async_clients) == 0


def test_dead_loops_are_forgotten(server: ScriptedServer) -> None:
    client = AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url)
    for _ in range(4):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(client.chat(MESSAGES, model="openai/gpt-5-mini"))
        loop.close()
        assert len(_registry._async_clients) == 1
    assert server.wait_for(lambda: server.open_connections <= 1)
    asyncio.run(client.chat(MESSAGES, model="openai/gpt-5-mini"))  # type: ignore[arg-type]
    assert len(_registry._async_clients) == 0
    assert server.wait_for(lambda: server.open_connections == 0)


def test_one_client_and_one_context_serve_all(server: ScriptedServer) -> None:
    close_clients()
    contexts = []
    for _ in range(5):
        OpenRouterClient(api_key=KEY, base_url=server.base_url).chat(
            MESSAGES, model="openai/gpt-5-mini"
        )
        contexts.append(len(_registry._ssl_contexts))
    assert server.connections == 1
    assert _registry.sync_client() is _registry.sync_client()
    assert len(set(contexts)) == 1


def test_threads_share_the_client(server: ScriptedServer) -> None:
    client = OpenRouterClient(api_key=KEY, base_url=server.base_url)
    texts: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: texts.append(client.chat(MESSAGES, model="openai/gpt-5-mini").text)
        )
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["Bern."] * 16


class Counting:
    """Not an httpx client, but behaves like one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.sent = 0

    def build_request(self, *arguments: Any, **options: Any) -> Any:
        return self._inner.build_request(*arguments, **options)

    def send(self, *arguments: Any, **options: Any) -> Any:
        self.sent += 1
        return self._inner.send(*arguments, **options)


class AsyncCounting(Counting):
    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.parametrize("duck", [False, True])
def test_a_client_of_your_own(server: ScriptedServer, duck: bool) -> None:
    with httpx.Client(headers={"X-Mine": "1", "Authorization": "wrong"}) as own:
        http: Any = Counting(own) if duck else own
        client = OpenRouterClient(api_key=KEY, base_url=server.base_url, http_client=http)
        assert client.chat(MESSAGES, model="openai/gpt-5-mini").text == "Bern."
        assert [delta.content for delta in client.stream(MESSAGES, model="openai/gpt-5-mini")] == [
            "Bern."
        ]
        client.close()
        assert not own.is_closed
    for request in server.requests:
        assert request.headers["x-mine"] == "1"
        assert [
            value for name, value in request.header_lines if name.lower() == "authorization"
        ] == [f"Bearer {KEY}"]


@pytest.mark.parametrize("duck", [False, True])
async def test_an_async_client_of_your_own(server: ScriptedServer, duck: bool) -> None:
    async with httpx.AsyncClient(headers={"X-Mine": "1"}) as own:
        http: Any = AsyncCounting(own) if duck else own
        client = AsyncOpenRouterClient(
            api_key=KEY, base_url=server.base_url, http_async_client=http
        )
        assert (await client.chat(MESSAGES, model="openai/gpt-5-mini")).text == "Bern."
        assert [
            delta.content async for delta in client.stream(MESSAGES, model="openai/gpt-5-mini")
        ] == ["Bern."]
        await client.aclose()
        assert not own.is_closed
    assert {request.headers["x-mine"] for request in server.requests} == {"1"}


async def test_a_client_that_was_closed(server: ScriptedServer) -> None:
    own, aown = httpx.Client(), httpx.AsyncClient()
    own.close()  # noqa: ASYNC212
    await aown.aclose()
    given: dict[str, Any] = {"api_key": KEY, "base_url": server.base_url, "max_retries": 0}
    client = OpenRouterClient(http_client=own, **given)
    aclient = AsyncOpenRouterClient(http_async_client=aown, **given)
    with pytest.raises(APIConnectionError, match="closed"):
        client.chat(MESSAGES, model="openai/gpt-5-mini")
    with pytest.raises(APIConnectionError, match="closed"):
        list(client.stream(MESSAGES, model="openai/gpt-5-mini"))
    with pytest.raises(APIConnectionError, match="closed"):
        await aclient.chat(MESSAGES, model="openai/gpt-5-mini")
    with pytest.raises(APIConnectionError, match="closed"):
        await anext(aiter(aclient.stream(MESSAGES, model="openai/gpt-5-mini")))


async def test_a_client_of_the_other_kind_is_refused() -> None:
    with pytest.raises(BadRequestError, match="http_client"):
        OpenRouterClient(http_client=httpx.AsyncClient())  # type: ignore[arg-type]
    with pytest.raises(BadRequestError, match="http_async_client"):
        AsyncOpenRouterClient(http_async_client=httpx.Client())  # type: ignore[arg-type]
    with pytest.raises(BadRequestError, match="int"):
        OpenRouterClient(http_client=7)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("way", WAYS)
def test_a_redirect_does_not_take_the_key_along(
    server: ScriptedServer, way: str, status: int
) -> None:
    with ScriptedServer() as elsewhere:
        elsewhere.play(json_answer(answer()))
        head = {"Location": elsewhere.base_url, "Content-Length": "0"}
        server.respond(lambda _: [http_head(status, head)])
        error = ask(way, server, max_retries=3).failure
        assert isinstance(error, APIConnectionError)
        assert elsewhere.base_url in error.message
        assert (len(server.requests), len(elsewhere.requests)) == (1, 0)


def test_a_redirect_is_not_followed_by_your_client_either(server: ScriptedServer) -> None:
    with ScriptedServer() as elsewhere, httpx.Client(follow_redirects=True) as own:
        server.respond(
            lambda _: [http_head(307, {"Location": elsewhere.base_url, "Content-Length": "0"})]
        )
        client = OpenRouterClient(
            api_key=KEY, base_url=server.base_url, http_client=own, max_retries=0
        )
        with pytest.raises(APIConnectionError):
            client.chat(MESSAGES, model="openai/gpt-5-mini")
        with pytest.raises(APIConnectionError):
            list(client.stream(MESSAGES, model="openai/gpt-5-mini"))
        assert elsewhere.requests == []


def test_a_cancelled_request_closes_its_connection(server: ScriptedServer) -> None:
    server.respond(lambda _: [HANG])

    async def main() -> None:
        client = AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url)
        task = asyncio.create_task(client.chat(MESSAGES, model="openai/gpt-5-mini"))
        await asyncio.to_thread(server.wait_for_requests, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.wait_for, server.requests[0].disconnected.is_set)

    asyncio.run(main())


def test_the_collector_may_run_while_a_client_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closes:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            close_clients()

    limits = _registry._limits

    def collected_meanwhile() -> httpx.Limits:
        # A collection can begin at any allocation; here it begins at this one.
        Closes()
        gc.collect()
        return limits()

    close_clients()
    monkeypatch.setattr(_registry, "_limits", collected_meanwhile)
    thread = threading.Thread(target=_registry.sync_client, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    close_clients()
