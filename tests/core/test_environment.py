"""Proxies and certificates are the ones that the environment names, in both transports."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openrouter_routing import APIConnectionError, close_clients
from tests.asking import STREAMED, WAYS, ask
from tests.core.test_clients import SILENT, run
from tests.scripted_server import (
    HANG,
    Recorded,
    ScriptedServer,
    Step,
    answer,
    chunk,
    json_answer,
    stream_answer,
)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.play(json_answer(answer()))
        yield server


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "ftp://proxy:1"),
        ("HTTP_PROXY", "http://[::1"),
        ("SSL_CERT_FILE", "/nowhere.pem"),
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
    ],
)
def test_an_environment_that_no_client_can_be_opened_with(
    server: ScriptedServer, way: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    failure = ask(way, server).failure
    assert type(failure) is APIConnectionError
    assert failure.code == "connect" or name in str(failure)
    assert server.requests == []


@pytest.mark.parametrize("way", WAYS)
def test_the_environments_proxy_is_used(
    server: ScriptedServer, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer() as proxy:
        proxy.play(json_answer(answer("Through the proxy.")))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert ask(way, server).text == "Through the proxy."
        assert proxy.requests[0].path == f"{server.base_url}/chat/completions"
        assert server.requests == []
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert ask(way, server).text == "Bern."
    close_clients()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody but itself vouches for, with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    path = folder / "all.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return path


@pytest.mark.parametrize("way", WAYS)
def test_the_environments_certificates_are_trusted(
    certificate: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ScriptedServer(tls=context) as server:
        server.play(json_answer(answer()))
        error = ask(way, server).failure
        assert isinstance(error, APIConnectionError)
        assert "certificate" in error.message.lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.parent / "cert.pem"))
        assert ask(way, server).text == "Bern."
        close_clients()


@pytest.mark.parametrize("way", STREAMED)
def test_a_stall_ends_a_stream_under_tls(
    certificate: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.parent / "cert.pem"))
    with ScriptedServer(tls=context) as server:
        server.play(stream_answer(chunk("Be"), HANG))
        error = ask(way, server, idle_timeout=0.2).failure
        assert (error.code, error.partial.text) == ("stalled", "Be")
        close_clients()


def test_what_is_given_up_under_tls_is_cut_and_silent(certificate: Path) -> None:
    """A server that is busy elsewhere says no farewell, and nobody waits for one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    busy = threading.Event()

    def hang(request: Recorded) -> Iterator[Step]:
        yield from stream_answer(chunk("Be"), HANG)[:2]
        busy.wait(60)

    with ScriptedServer(tls=context) as server:
        server.respond(hang)
        out = run(
            """
            async def main():
                async for delta in aclient.stream(said, model="openai/gpt-5-mini"):
                    print(delta.content)
                    break
            asyncio.run(main())
            gc.collect()
            """,
            server,
            SSL_CERT_FILE=str(certificate.parent / "cert.pem"),
        )
        busy.set()
    assert out == "Be\n"


def test_dead_loops_with_tls_are_silent(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ScriptedServer(tls=context) as server:
        server.play(json_answer(answer()))
        script, said = SILENT["loops that nobody shut down"]
        assert run(script, server, SSL_CERT_FILE=str(certificate.parent / "cert.pem")) == said
