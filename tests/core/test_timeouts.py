"""Timeouts of answers that come whole; those of streams are in test_streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from openrouter_routing import APITimeoutError, BadRequestError, ClientSettings
from openrouter_routing._transport import request_timeout
from openrouter_routing.settings import CONNECT_TIMEOUT, TIMEOUT, settings_from
from tests.asking import WHOLE, ask
from tests.scripted_server import HANG, ScriptedServer, answer, http_head, json_answer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


HEAD = http_head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
BLANK = b"1\r\n\n\r\n"


@pytest.mark.parametrize("way", WHOLE)
@pytest.mark.parametrize("limit", [0.2, httpx.Timeout(0.2), httpx.Timeout(30, read=0.2)])
@pytest.mark.parametrize(
    "played",
    [[HANG], [HEAD, HANG], [HEAD, *([BLANK, 0.05] * 400), HANG]],
    ids=["nothing", "headers", "blanks"],
)
def test_silence_ends_in_a_timeout(
    server: ScriptedServer, way: str, limit: Any, played: list[Any]
) -> None:
    server.play(played)
    error = ask(way, server, timeout=limit, max_retries=3).failure
    assert isinstance(error, APITimeoutError)
    assert "timeout=" in error.message
    assert (error.code, error.retryable) == ("read_timeout", True)
    # The request may still be worked on, and billed: it is not sent again by itself.
    assert len(server.requests) == 1
    assert server.wait_for(server.requests[0].disconnected.is_set)


@pytest.mark.parametrize("way", WHOLE)
def test_blanks_before_the_answer_do_no_harm(server: ScriptedServer, way: str) -> None:
    (whole,) = json_answer(answer())
    body = whole.partition(b"\r\n\r\n")[2]  # type: ignore[union-attr]
    server.play([HEAD, BLANK, 0.05, BLANK, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)])
    assert ask(way, server, timeout=5).text == "Bern."


def test_the_defaults_are_finite_and_patient() -> None:
    timeout = request_timeout(ClientSettings())
    assert (timeout.read, timeout.connect) == (TIMEOUT, CONNECT_TIMEOUT)
    assert timeout.write is not None
    assert timeout.pool is not None
    assert TIMEOUT >= 300


def test_seconds_hold_for_each_step() -> None:
    timeout = request_timeout(ClientSettings(timeout=3))
    assert timeout.as_dict() == {"connect": 3.0, "read": 3.0, "write": 3.0, "pool": 3.0}
    timeout = request_timeout(ClientSettings(timeout=3), at_most=1)
    assert (timeout.connect, timeout.read) == (1, 1)


def test_a_timeout_without_limits_has_none() -> None:
    assert request_timeout(ClientSettings(timeout=httpx.Timeout(None))).read is None


@pytest.mark.parametrize("name", ["timeout", "first_token_timeout", "idle_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", True])
def test_what_is_no_time_is_refused(name: str, value: Any) -> None:
    with pytest.raises(BadRequestError, match=name):
        settings_from(**{name: value})


@pytest.mark.parametrize("value", [-1, float("nan"), "5", True, None])
def test_what_is_no_longest_wait_is_refused(value: Any) -> None:
    with pytest.raises(BadRequestError, match="max_retry_wait"):
        ClientSettings(max_retry_wait=value)


@pytest.mark.parametrize(
    "url",
    ["", "openrouter.ai", "ftp://x", "https://", "http://[::1", "http://x:port", "http://x:0", 7],
)
def test_what_is_no_address_is_refused(url: Any) -> None:
    with pytest.raises(BadRequestError, match="base_url"):
        settings_from(base_url=url)
