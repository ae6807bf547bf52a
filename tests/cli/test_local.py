"""`emulate` and `demo`: a service on this machine."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import httpx
import pytest

from openrouter_routing.catalog import Catalog
from tests.cli.conftest import Run, start

MINI = "openai/gpt-4o-mini"
QUESTION = {"model": MINI, "messages": [{"role": "user", "content": "What is 2 + 3?"}]}


@contextmanager
def emulating(*arguments: str) -> Iterator[tuple[Any, str]]:
    """Run `emulate` in a process of its own, and read where it listens."""
    process = start("emulate", "--port", "0", *arguments)
    out = cast("IO[str]", process.stdout)
    try:
        if "--json" in arguments:
            head = "".join(iter(out.readline, "}\n")) + "}"
            yield process, json.loads(head)["base_url"]
        else:
            first = out.readline()
            assert "this is not the real service" in first
            yield process, first.split(" at ")[1].split()[0]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def ask(base_url: str, **fields: Any) -> httpx.Response:
    return httpx.post(
        f"{base_url}/chat/completions",
        json={**QUESTION, **fields},
        headers={"Authorization": "Bearer any"},
    )


def test_it_serves_until_ctrl_c_and_shows_each_request() -> None:
    with emulating("--fault", "azure=down") as (process, base_url):
        answer = ask(base_url, provider={"order": ["azure"], "only": ["azure", "openai"]}).json()
        assert (answer["provider"], answer["choices"][0]["message"]["content"]) == ("OpenAI", "5")
        lines = iter(process.stdout.readline, "")
        line = next(line for line in lines if "POST" in line)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    assert line == (
        f"200  POST /chat/completions  {MINI} "
        'provider={"order": ["azure"], "only": ["azure", "openai"]}\n'
    )
    assert process.returncode == 130


def test_it_serves_a_catalog_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    sample = Catalog.sample()
    Catalog(models=(sample.model(MINI),)).save(file)
    with emulating("--catalog", str(file), "--json") as (_, base_url):
        assert ask(base_url).status_code == 200
        listed = httpx.get(f"{base_url}/models", headers={"Authorization": "Bearer any"}).json()
    assert [model["id"] for model in listed["data"]] == [MINI]


def test_a_port_in_use_is_told_with_another_that_is_free(run: Run) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        ran = run("emulate", "--port", str(taken))
        assert (ran.code, ran.out) == (1, "")
        assert f"port {taken} is in use" in ran.err
        free = int(ran.err.rstrip().rpartition(" ")[2])
        with socket.socket() as other:
            other.bind(("127.0.0.1", free))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("azure", "--fault takes PROVIDER=KIND"),
        ("azure=tired", "no fault of kind 'tired'"),
    ],
)
def test_a_malformed_fault_is_wrong_usage(run: Run, fault: str, message: str) -> None:
    ran = run("emulate", "--fault", fault)
    assert ran.code == 2
    assert message in ran.err


def test_a_malformed_catalog_is_told_by_path_and_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    file.write_text('{"format":\n')
    ran = run("emulate", "--catalog", str(file))
    assert ran.code == 1
    assert f"{file}:2: not JSON" in ran.err
