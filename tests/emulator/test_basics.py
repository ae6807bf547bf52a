import contextlib
import http.client
import json
import logging
import os
import pickle
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from openrouter_routing.catalog import Catalog
from openrouter_routing.emulator import Emulator, PortInUseError

from .conftest import CLAUDE, KEY, LLAMA, MODEL, Client


def test_it_says_what_it_is(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert client.chat().headers["server"] == "openrouter-routing-emulator"
    assert client.http.get("/nowhere").headers["server"] == "openrouter-routing-emulator"
    with caplog.at_level(logging.INFO, logger="openrouter_routing"), Emulator():
        assert "not the real service" in caplog.text
        assert "sample data" in caplog.text


def test_it_runs_only_within_its_block() -> None:
    emulator = Emulator()
    assert "not running" in repr(emulator)
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.base_url
    with emulator:
        assert emulator.base_url.endswith("/api/v1")
        assert httpx.get(f"{emulator.base_url}/models", headers=KEY).status_code == 200
        port = emulator.port
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/api/v1/models")
    with emulator:
        assert httpx.get(f"{emulator.base_url}/models", headers=KEY).status_code == 200


def test_a_port_in_use_is_an_error_that_offers_another() -> None:
    with Emulator() as emulator:
        with pytest.raises(PortInUseError, match="is in use") as caught:
            Emulator(port=emulator.port).start()
        assert caught.value.port == emulator.port
        with Emulator(port=caught.value.free) as other:
            assert other.port == caught.value.free


def test_a_port_that_is_lost_in_the_last_moment_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        bind = socket.socket.bind

        def bind_and_lose(self: socket.socket, address: Any) -> None:
            bind(self, address)
            if address[1] == port:
                other.listen()

        monkeypatch.setattr(socket.socket, "bind", bind_and_lose)
        with pytest.raises(PortInUseError):
            Emulator(port=port).start()


def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def startup(server: object, sockets: object) -> None:
        raise OSError("too many open files")

    emulator = Emulator()
    with monkeypatch.context() as patch:
        patch.setattr(uvicorn.Server, "startup", startup)
        with pytest.raises(OSError, match="too many open files"):
            emulator.start()
    with emulator:
        assert httpx.get(f"{emulator.base_url}/models", headers=KEY).status_code == 200


def test_a_connection_that_is_not_used_stays_open() -> None:
    # uvicorn closes it after 5 s, just when httpx's own pool lets go of it: a request sent then would be lost.
    with Emulator() as emulator:
        connection = http.client.HTTPConnection("127.0.0.1", emulator.port)
        with contextlib.closing(connection):
            connection.request("GET", "/api/v1/models", headers=KEY)
            connection.getresponse().read()
            kept = connection.sock
            assert kept is not None
            assert not select.select([kept], [], [], 5.5)[0], "the server closed it"
            connection.request("GET", "/api/v1/models", headers=KEY)
            assert connection.getresponse().status == 200
            assert connection.sock is kept


def test_it_stops_while_a_client_hangs_on() -> None:
    with Emulator() as emulator:
        emulator.fault(kind="stall")
        with socket.create_connection(("127.0.0.1", emulator.port)) as hanging:
            body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "x"}]})
            lines = ["POST /api/v1/chat/completions HTTP/1.1", "Host: x", "Authorization: Bearer k"]
            head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
            hanging.sendall((head + body).encode())
            while not emulator.requests:
                pass
            emulator.stop()
    assert emulator.requests[0].path == "/chat/completions"


def test_it_records_what_was_sent(emulator: Emulator, client: Client) -> None:
    client.chat("Hi", temperature=0.5, headers={"X-OpenRouter-Title": "Tests"})
    client.http.get("/models", params={"limit": 1})
    chat, models = emulator.requests
    assert (chat.method, chat.path, chat.status) == ("POST", "/chat/completions", 200)
    assert chat.json["temperature"] == 0.5
    assert chat.body.startswith(b'{"model":')
    assert chat.headers["x-openrouter-title"] == "Tests"
    assert chat.disconnected is False
    assert "test-key" not in repr(chat)
    assert (models.method, models.path, models.query) == ("GET", "/models", "limit=1")
    emulator.clear()
    assert emulator.requests == []


def test_a_plain_answer_has_every_part_the_wire_has(client: Client) -> None:
    answer = client.say("What is 12 * 3?", provider={"order": ["openai"]})
    assert answer["id"].startswith("gen-")
    assert answer["object"] == "chat.completion"
    assert (answer["model"], answer["provider"]) == (MODEL, "OpenAI")
    (choice,) = answer["choices"]
    assert choice["message"]["content"] == "36"
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("stop", "completed")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    expected = usage["prompt_tokens"] * 0.15e-6 + usage["completion_tokens"] * 0.6e-6
    assert usage["cost"] == pytest.approx(expected)
    assert usage["is_byok"] is False
    details = usage["cost_details"]
    parts = (
        details["upstream_inference_prompt_cost"] + details["upstream_inference_completions_cost"]
    )
    assert parts == pytest.approx(usage["cost"])
    assert "openrouter_metadata" not in answer


def test_order_only_ignore_sort_and_fallbacks_are_honoured(client: Client) -> None:
    def served(**provider: object) -> str:
        return str(client.say("Hi", model=LLAMA, provider=provider)["provider"])

    assert served(order=["groq"]) == "Groq"
    assert served(only=["cerebras"]) == "Cerebras"
    assert served(sort="price") == "DeepInfra"
    assert served(sort="price", ignore=["deepinfra"]) == "Nebius"
    assert served(sort="throughput") == "Cerebras"
    assert served(order=["together"], allow_fallbacks=False) == "Together"


def test_a_provider_that_is_down_is_passed_over(emulator: Emulator, client: Client) -> None:
    emulator.fault(provider="groq")
    answer = client.say(
        "Hi",
        model=LLAMA,
        provider={"order": ["groq", "together"]},
        headers={"X-OpenRouter-Metadata": "enabled"},
    )
    assert answer["provider"] == "Together"
    tried = [(a["provider"], a["status"]) for a in answer["openrouter_metadata"]["attempts"]]
    assert tried == [("Groq", 503), ("Together", 200)]


def test_without_fallbacks_the_failure_reaches_the_client(
    emulator: Emulator, client: Client
) -> None:
    emulator.fault(provider="groq")
    preferences = {"order": ["groq"], "allow_fallbacks": False}
    error = client.error(503, model=LLAMA, provider=preferences)
    assert error["metadata"]["provider_name"] == "Groq"
    assert error["availability"]["code"] == "temporarily_unavailable"
    assert error["availability"]["retryable"] is True


def test_a_fallback_model_answers_when_the_first_model_has_nobody_left(
    emulator: Emulator, client: Client
) -> None:
    emulator.fault(model=MODEL)
    answer = client.say("Hi", models=[CLAUDE], headers={"X-OpenRouter-Metadata": "enabled"})
    assert answer["model"] == CLAUDE
    assert answer["choices"][0]["native_finish_reason"] == "end_turn"
    assert answer["openrouter_metadata"]["requested"] == MODEL
    assert answer["openrouter_metadata"]["strategy"] == "fallback"
    assert answer["openrouter_metadata"]["attempt"] > 1


def test_load_balancing_repeats_with_the_seed_and_differs_between_seeds() -> None:
    def served(seed: int) -> list[str]:
        with Emulator(seed=seed) as emulator, Client(emulator).http as http:
            body = {"model": LLAMA, "messages": [{"role": "user", "content": "Hi"}]}
            return [http.post("/chat/completions", json=body).json()["provider"] for _ in range(12)]

    assert served(1) == served(1)
    assert len({tuple(served(seed)) for seed in range(4)}) > 1


def test_a_catalog_of_ones_own_is_served() -> None:
    snapshot = pickle.loads(pickle.dumps(Catalog.sample()))
    catalog = Catalog(models=snapshot.models[:1], note="mine")
    with Emulator(catalog) as emulator:
        listed = httpx.get(f"{emulator.base_url}/models", headers=KEY).json()["data"]
    assert [model["id"] for model in listed] == [MODEL]


WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Missing())
try:
    import openrouter_routing.emulator
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("module", ["starlette", "uvicorn"])
def test_without_the_extra_the_import_says_what_to_install(module: str) -> None:
    code = WITHOUT.format(module=module)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'openrouter-routing[emulator]'" in run.stdout


FIXTURE_TESTS = """
import httpx

def test_one(openrouter_emulator):
    url = openrouter_emulator.base_url
    assert httpx.get(f"{url}/credits", headers={"Authorization": "Bearer k"}).status_code == 200
    assert len(openrouter_emulator.requests) == 1

def test_two(openrouter_emulator):
    assert openrouter_emulator.requests == []
"""


def test_the_fixture_gives_a_fresh_emulator(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FIXTURE_TESTS)
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "openrouter_routing.pytest_plugin",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )
    assert "2 passed" in run.stdout, run.stdout


def test_the_plugin_loads_no_server() -> None:
    code = "import sys, openrouter_routing.pytest_plugin; print('uvicorn' in sys.modules, 'starlette' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
