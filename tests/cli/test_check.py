"""`check`: each thing that can be wrong is found, and named with what to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from openrouter_routing.emulator import Emulator, Scripted
from tests.cli.conftest import Ran, Run
from tests.scripted_server import ScriptedServer, json_answer


def findings(ran: Ran) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in ran.json["checks"]}


@pytest.fixture
def free_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]


def test_all_is_well(run: Run, emulator: Emulator) -> None:
    ran = run("check", "--json")
    assert (ran.code, ran.json["ok"]) == (0, True)
    assert {one["state"] for one in findings(ran).values()} == {"ok"}
    assert list(findings(ran)) == ["key", "address", "proxy", "connection", "credits", "clock"]
    assert findings(ran)["credits"]["detail"] == "100.00 USD left of the account"
    assert [line.split()[0] for line in run("check").out.splitlines()] == ["ok"] * 6
    assert not any(request.method == "POST" for request in emulator.requests)


def test_no_key(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    ran = run("check", "--json")
    assert ran.code == 1
    assert findings(ran)["key"]["state"] == "failed"
    assert "https://openrouter.ai/keys" in findings(ran)["key"]["advice"]


def test_a_key_with_quotes_around_it(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", '"sk-or-v1-secret"')
    ran = run("check", "--json")
    assert ran.code == 1
    assert "quotes" in findings(ran)["key"]["detail"]
    assert "secret" not in ran.out + ran.err


def test_a_refused_key(run: Run, emulator: Emulator) -> None:
    with Emulator(api_key="sk-or-v1-other") as strict:
        ran = run("check", "--json", "--base-url", strict.base_url)
    found = findings(ran)
    assert ran.code == 1
    assert "refuses the key" in found["connection"]["detail"]
    assert found["credits"]["state"] == "skipped"
    assert found["clock"]["state"] == "ok"


def test_nobody_listens(run: Run, emulator: Emulator, free_port: int) -> None:
    ran = run("check", "--json", "--base-url", f"http://127.0.0.1:{free_port}/api/v1")
    assert ran.code == 1
    assert findings(ran)["connection"]["state"] == "failed"
    assert findings(ran)["clock"]["state"] == "skipped"


def test_something_else_answers(run: Run, emulator: Emulator) -> None:
    emulator.script(
        [Scripted(b"<html>log in</html>", headers={"content-type": "text/html"})], path="/key"
    )
    ran = run("check", "--json")
    assert ran.code == 1
    assert "not the API" in findings(ran)["connection"]["detail"]
    assert "https://openrouter.ai/api/v1" in findings(ran)["connection"]["advice"]


@pytest.mark.parametrize(
    ("date", "state", "words"),
    [
        ("Wed, 01 Jan 2025 00:00:00 GMT", "failed", "ahead of"),
        ("Fri, 01 Jan 2100 00:00:00 GMT", "failed", "behind"),
    ],
)
def test_a_wrong_clock(run: Run, emulator: Emulator, date: str, state: str, words: str) -> None:
    with ScriptedServer() as server:
        server.play(
            json_answer({"data": {"label": "k", "limit_remaining": None}}, headers={"Date": date}),
            json_answer({"data": {"total_credits": 5, "total_usage": 1}}, headers={"Date": date}),
        )
        ran = run("check", "--json", "--base-url", server.base_url)
    assert ran.code == 1
    assert findings(ran)["clock"]["state"] == state
    assert words in findings(ran)["clock"]["detail"]


@pytest.mark.parametrize(
    ("left", "state", "code"), [(0, "failed", 1), (0.5, "warning", 0), (20, "ok", 0)]
)
def test_credits_that_run_out(
    run: Run, emulator: Emulator, left: float, state: str, code: int
) -> None:
    credits_ = {"data": {"total_credits": 30, "total_usage": 30 - left}}
    emulator.script([Scripted(credits_)], path="/credits")
    ran = run("check", "--json")
    assert (ran.code, findings(ran)["credits"]["state"]) == (code, state)


@pytest.mark.parametrize(
    ("proxy", "state", "words"),
    [
        ("gopher://proxy:1", "failed", "HTTP_PROXY is gopher://proxy:1"),
        ("http://proxy:port", "failed", "no port number"),
    ],
)
def test_a_malformed_proxy(
    run: Run,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    proxy: str,
    state: str,
    words: str,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    ran = run("check", "--json")
    assert ran.code == 1
    assert findings(ran)["proxy"]["state"] == state
    assert words in findings(ran)["proxy"]["detail"]
    assert "connection" not in findings(ran)


def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:hunter2@127.0.0.1:{free_port}")
    ran = run("check", "--json")
    assert ran.code == 1
    assert f"http://127.0.0.1:{free_port}, by HTTP_PROXY" in findings(ran)["proxy"]["detail"]
    assert findings(ran)["connection"]["state"] == "failed"
    assert "hunter2" not in ran.out + ran.err


def test_no_proxy_goes_past_it(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ran = run("check", "--json")
    assert ran.code == 0
    assert findings(ran)["proxy"]["detail"] == "none for 127.0.0.1, by NO_PROXY"


def test_an_address_without_its_path(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port}")
    ran = run("check", "--json", "--base-url", "https://openrouter.ai")
    assert findings(ran)["address"]["state"] == "warning"
    assert "/api/v1" in findings(ran)["address"]["advice"]


def test_an_address_that_is_none_is_wrong_usage(run: Run) -> None:
    ran = run("check", "--base-url", "openrouter.ai")
    assert (ran.code, ran.out) == (2, "")
    assert "https://" in ran.err
