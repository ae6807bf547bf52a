from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from openrouter_routing.emulator import Emulator

MODEL = "openai/gpt-4o-mini"
LLAMA = "meta-llama/llama-3.3-70b-instruct"
CLAUDE = "anthropic/claude-sonnet-4.5"
KEY = {"Authorization": "Bearer test-key"}


class Client:
    """Raw HTTP against an emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self.http = httpx.Client(base_url=emulator.base_url, headers=KEY, timeout=10)

    def post(self, path: str, body: object, **options: Any) -> httpx.Response:
        return self.http.post(path, json=body, **options)

    def chat(
        self, prompt: str = "Hello there", *, model: str | None = MODEL, **fields: Any
    ) -> httpx.Response:
        headers = fields.pop("headers", None)
        body: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}], **fields}
        if model is not None:
            body = {"model": model, **body}
        return self.post("/chat/completions", body, headers=headers)

    def say(self, prompt: str, **fields: Any) -> Any:
        response = self.chat(prompt, **fields)
        assert response.status_code == 200, response.text
        return response.json()

    def text(self, prompt: str, **fields: Any) -> Any:
        return self.say(prompt, **fields)["choices"][0]["message"]["content"]

    def error(self, status: int, **fields: Any) -> Any:
        response = self.chat(**fields)
        assert response.status_code == status, response.text
        return response.json()["error"]

    def get(self, path: str, **params: Any) -> Any:
        response = self.http.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    shared_emulator.clear()
    return shared_emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Client]:
    client = Client(emulator)
    with client.http:
        yield client
