"""LangChain's own integration tests for chat models, every capability on, against the emulator."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_tests.integration_tests import ChatModelIntegrationTests, chat_models

from langchain_openrouter_routing import ChatOpenRouter
from openrouter_routing.emulator import Emulator, RecordedRequest
from tests.scripted_server import answer

MODEL = "google/gemini-2.5-flash"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 60,
    "total_tokens": 160,
    "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 20, "audio_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 10},
}
Detail = Literal[
    "audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"
]
DETAILS: list[Detail] = [
    "audio_input",
    "audio_output",
    "reasoning_output",
    "cache_read_input",
    "cache_creation_input",
]


def _call_with_what_is_quoted(request: RecordedRequest) -> dict[str, Any]:
    """Answer as a model that copies a quoted name into its call, letter by letter."""
    body: Any = request.json
    name = body["messages"][-1]["content"].split("'")[1]
    arguments = json.dumps({"customer_name": name, "description": "new"}, ensure_ascii=False)
    function = {"name": "unicode_customer", "arguments": arguments}
    call = {"id": "call_1", "type": "function", "function": function}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return answer(model=MODEL, choices=[choice])


@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    return {"ignore_localhost": True}


# The one test that measures a recording has none here: it runs its stream, and measures nothing.
@pytest.mark.filterwarnings("ignore:Benchmark fixture was not used at all")
class TestChatOpenRouter(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _on_the_emulator(
        self,
        _clean_environment: None,
        emulator: Emulator,
        monkeypatch: pytest.MonkeyPatch,
        request: pytest.FixtureRequest,
    ) -> None:
        if "unicode" in request.node.name:
            emulator.script([_call_with_what_is_quoted] * 2)
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-secret")
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "nobody, nothing is fetched")
        # The suite downloads its pictures and documents: here they are one pixel.
        fetched = SimpleNamespace(content=PIXEL, raise_for_status=lambda: None)
        monkeypatch.setattr(
            chat_models, "httpx", SimpleNamespace(get=lambda *args, **more: fetched)
        )
        self.emulator = emulator

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenRouter

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL}

    @property
    def model_override_value(self) -> str:
        return "openai/gpt-4o-mini"

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_video_inputs(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def enable_vcr_tests(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(
        self,
    ) -> dict[Literal["invoke", "stream"], list[Detail]]:
        return {"invoke": DETAILS, "stream": DETAILS}

    def _with_all_details(self, *, stream: bool) -> AIMessage:
        self.emulator.script([answer(usage=USAGE, model=MODEL)])
        model = ChatOpenRouter(model=MODEL)
        if not stream:
            return model.invoke("Hi")
        chunks = list(model.stream("Hi"))
        whole: AIMessageChunk = chunks[0]
        for chunk in chunks[1:]:
            whole = whole + chunk
        return whole

    def invoke_with_audio_input(self, *, stream: bool = False) -> AIMessage:
        return self._with_all_details(stream=stream)

    def invoke_with_audio_output(self, *, stream: bool = False) -> AIMessage:
        return self._with_all_details(stream=stream)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._with_all_details(stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._with_all_details(stream=stream)

    def invoke_with_cache_creation_input(self, *, stream: bool = False) -> AIMessage:
        return self._with_all_details(stream=stream)
