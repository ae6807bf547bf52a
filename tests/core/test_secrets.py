"""The key and the values of extra headers show nowhere: not in reprs, logs, errors, tracebacks, pickles."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import logging
import pickle
import pickletools
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import httpx
import pytest

from openrouter_routing import (
    AsyncOpenRouterClient,
    AuthenticationError,
    BadRequestError,
    ClientSettings,
    OpenRouterClient,
    OpenRouterError,
    aclose_clients,
    record_routes,
)
from openrouter_routing.settings import HiddenHeaders, Secret, settings_from
from tests.asking import MESSAGES
from tests.scripted_server import (
    CLOSE,
    DONE,
    HANG,
    RESET,
    ScriptedServer,
    answer,
    chunk,
    error_answer,
    json_answer,
    raw_answer,
    stream_answer,
)

KEY = "sk-or-v1-" + "5ec2e7" * 8
SECOND = "gateway-c0ffee-c0ffee"
SECRETS = (KEY, SECOND)
HEADERS = {"X-Gateway-Key": SECOND}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def shows(text: str) -> bool:
    return any(secret in text for secret in SECRETS)


def test_nothing_of_a_client_shows_it() -> None:
    settings = settings_from(api_key=KEY, headers=HEADERS)
    client = OpenRouterClient(api_key=KEY, headers=HEADERS)
    for value in (
        settings,
        settings.api_key,
        settings.headers,
        settings.request_headers(),
        vars(settings),
        dataclasses.asdict(settings),
        client,
        client.defaults,
        vars(client),
        AsyncOpenRouterClient(settings),
        copy.deepcopy(settings),
    ):
        assert not shows(repr(value))
        assert not shows(str(value))
        assert not shows(f"{value}")


def test_a_pickle_works_but_does_not_read_it_out() -> None:
    settings = settings_from(api_key=KEY, headers=HEADERS)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps(settings, protocol)
        assert not any(secret.encode() in pickled for secret in SECRETS)
        copied: ClientSettings = pickle.loads(pickled)
        assert copied == settings
        assert copied.request_headers() == settings.request_headers()
    assert not shows(repr(list(pickletools.genops(pickle.dumps(settings)))))


def test_secrets_are_compared_and_not_read() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert not Secret("")
    assert repr(HiddenHeaders(HEADERS)) == "<headers: X-Gateway-Key>"


def frames_of_ours(trace: TracebackType | None) -> Iterator[tuple[str, dict[str, Any]]]:
    for frame, _ in traceback.walk_tb(trace):
        if "/openrouter_routing/" in frame.f_code.co_filename:
            yield frame.f_code.co_name, frame.f_locals


def check_error(error: BaseException | None) -> int:
    """Check an error, its causes and the locals of our frames; return how many frames were seen."""
    seen = 0
    while error is not None:
        assert not shows(repr(error))
        assert not shows(str(error))
        assert not shows(repr(vars(error)))
        request = getattr(error, "_request", None)
        assert request is None or not shows(repr(dict(request.headers)))
        response = getattr(error, "response", None)
        assert response is None or getattr(response, "_request", None) is None
        for name, variables in frames_of_ours(error.__traceback__):
            seen += 1
            for variable, value in variables.items():
                assert not shows(repr(value)), (name, variable)
        error = error.__cause__ or error.__context__
    return seen


FAILURES: dict[str, Any] = {
    "refused key": error_answer(401, {"code": 401, "message": f"Bad key {KEY}"}),
    "html": raw_answer(b"<html></html>", content_type="text/html"),
    "reset": [RESET],
    "half": [b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{", CLOSE],
    "silence": [HANG],
    "cut stream": stream_answer(chunk("Be"), RESET),
    "error in the stream": stream_answer(chunk("Be"), {"error": {"code": 502, "message": "x"}}),
}


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", FAILURES)
def test_no_error_and_no_log_shows_it(
    server: ScriptedServer, way: str, stream: bool, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.play(FAILURES[case])
    options: dict[str, Any] = {"model": "openai/gpt-5-mini", "extra_headers": HEADERS}
    given = {
        "api_key": KEY,
        "base_url": server.base_url,
        "max_retries": 1,
        "max_retry_wait": 0.01,
        "timeout": 0.2,
    }

    async def main() -> None:
        client = AsyncOpenRouterClient(**given)
        try:
            if stream:
                async for _ in client.stream(MESSAGES, **options):
                    pass
            else:
                await client.chat(MESSAGES, **options)
        finally:
            await aclose_clients()

    caplog.set_level(logging.DEBUG)
    for name in (
        "httpx",
        "httpcore",
        "aiohttp",
        "aiohttp.client",
        "stamina",
        "asyncio",
        "openrouter_routing",
    ):
        caplog.set_level(logging.DEBUG, name)

    def ask() -> None:
        if way == "async":
            asyncio.run(main())
        elif stream:
            list(OpenRouterClient(**given).stream(MESSAGES, **options))
        else:
            OpenRouterClient(**given).chat(MESSAGES, **options)

    with record_routes() as log, pytest.raises(OpenRouterError) as caught:
        ask()
    request = server.requests[0]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-gateway-key"] == SECOND
    assert check_error(caught.value) > 0
    assert not shows(repr(list(log)))
    assert caplog.records or way == "async"
    for record in caplog.records:
        assert not shows(record.getMessage())
        assert not shows(repr(vars(record)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_ulr": "x"},
        {"timeout": -1},
        {"max_retries": "many"},
        {"on_empty": "laugh"},
        {"base_url": "ftp://x"},
        {"routing": {"provider": {"zrd": True}}},
        {"policy": {"onyl": ["openai"]}},
        {"headers": ["X-Gateway-Key", SECOND]},
        {"headers": {"X-Gateway-Key": SECOND, "bad name": "x"}},
    ],
)
def test_a_refused_setting_does_not_show_its_neighbours(wrong: dict[str, Any]) -> None:
    with pytest.raises(OpenRouterError) as caught:
        OpenRouterClient(**{"api_key": KEY, "headers": HEADERS, **wrong}).chat(
            MESSAGES, model="openai/gpt-5-mini"
        )
    assert check_error(caught.value) > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"temprature": 1},
        {"zdr": "perhaps"},
        {"extra_body": {"x": object()}},
    ],
)
def test_a_refused_call_does_not_show_them_either(wrong: dict[str, Any]) -> None:
    client = OpenRouterClient(api_key=KEY, headers=HEADERS)
    with pytest.raises(OpenRouterError) as caught:
        client.chat(
            MESSAGES,
            **{"model": "openai/gpt-5-mini", "extra_headers": HiddenHeaders(HEADERS), **wrong},
        )
    assert check_error(caught.value) > 0


@pytest.mark.parametrize("value", ["two\nlines", "nul\0", " padded ", 7])
def test_what_is_no_header_is_refused_without_its_value(value: Any) -> None:
    client = OpenRouterClient(api_key=KEY, headers={"X-Mine": value})
    with pytest.raises(BadRequestError, match="X-Mine") as caught:
        client.chat(MESSAGES, model="openai/gpt-5-mini")
    assert str(value).strip() not in str(caught.value)


def test_a_key_with_a_line_break_is_refused_without_showing_it() -> None:
    with pytest.raises(AuthenticationError, match="line break") as caught:
        OpenRouterClient(api_key=KEY + "\n").chat(MESSAGES, model="openai/gpt-5-mini")
    check_error(caught.value)


def test_an_address_holds_no_password() -> None:
    with pytest.raises(BadRequestError, match=r"gateway\.example") as caught:
        OpenRouterClient(api_key=KEY, base_url=f"https://me:{SECOND}@gateway.example/v1")
    assert not shows(str(caught.value))


def test_without_a_key_nothing_is_sent(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    with pytest.raises(AuthenticationError, match="OPENROUTER_API_KEY"):
        OpenRouterClient(base_url=server.base_url).chat(MESSAGES, model="openai/gpt-5-mini")
    assert server.requests == []


@pytest.mark.parametrize("stream", [False, True])
def test_headers_reach_the_wire_once_whatever_their_case(
    server: ScriptedServer, stream: bool
) -> None:
    server.play(
        stream_answer(chunk("Bern.", finish_reason="stop"), DONE)
        if stream
        else json_answer(answer())
    )
    given: dict[str, Any] = {
        "base_url": server.base_url,
        "headers": {"authorization": "Basic abc", "x-gateway-KEY": "old", "user-agent": "mine/1"},
        "app_title": "Zürich 東京",
    }
    options: dict[str, Any] = {"model": "openai/gpt-5-mini", "extra_headers": HEADERS}

    async def main() -> None:
        client = AsyncOpenRouterClient(**given)
        if stream:
            assert [delta.content async for delta in client.stream(MESSAGES, **options)] == [
                "Bern."
            ]
        else:
            await client.chat(MESSAGES, **options)

    asyncio.run(main())
    client = OpenRouterClient(**given)
    if stream:
        assert [delta.content for delta in client.stream(MESSAGES, **options)] == ["Bern."]
    else:
        client.chat(MESSAGES, **options)
    for request in server.requests:
        names = [name.lower() for name, _ in request.header_lines]
        assert len(names) == len(set(names))
        assert request.headers["authorization"] == "Basic abc"
        assert request.headers["x-gateway-key"] == SECOND
        assert request.headers["user-agent"] == "mine/1"
        assert request.headers["x-openrouter-title"].encode("latin-1").decode() == "Zürich 東京"


def test_an_error_of_the_http_library_lost_its_headers(server: ScriptedServer) -> None:
    server.play([RESET])
    with pytest.raises(OpenRouterError) as caught:
        OpenRouterClient(api_key=KEY, base_url=server.base_url, max_retries=0).chat(
            MESSAGES, model="openai/gpt-5-mini"
        )
    assert isinstance(caught.value.__cause__, httpx.HTTPError)
    assert "authorization" not in caught.value.__cause__.request.headers
