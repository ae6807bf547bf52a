"""LangChain's own unit tests for chat models, every capability on."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_openrouter_routing import ChatOpenRouter

# `load` admits only classes of its own table here, whatever the test passes; users name the class instead.
OURS = ("langchain_openrouter_routing", "chat_model", "ChatOpenRouter")


class TestChatOpenRouter(ChatModelUnitTests):
    @pytest.fixture(autouse=True)
    def _loadable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        table = importlib.import_module("langchain_core.load.load").ALL_SERIALIZABLE_MAPPINGS
        monkeypatch.setitem(table, OURS, OURS)

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenRouter

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "openai/gpt-5-mini"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {"OPENROUTER_API_KEY": "api_key"},
            {"model": "openai/gpt-5-mini"},
            {"api_key": "api_key"},
        )

    @property
    def supports_json_mode(self) -> bool:
        return True
