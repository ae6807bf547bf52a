"""deepagents, where it is installed: its planning, file and sub-agent tools over a routed model."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_routing import record_routes
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.scripted_server import answer

deepagents = pytest.importorskip("deepagents", reason="deepagents is not a dependency")


def test_a_deep_agent_keeps_its_routing(emulator: Emulator, make_model: MakeModel) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "write_todos", "arguments": '{"todos": []}'},
    }
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    emulator.script([answer(choices=[choice]), answer("Done.")])
    agent = deepagents.create_deep_agent(model=make_model(order=["openai"], zdr=False))
    with record_routes() as log:
        done = agent.invoke({"messages": [("user", "Plan a trip to Bern.")]})
    assert done["messages"][-1].text == "Done."
    assert [route.provider for route in log] == ["OpenAI", "OpenAI"]
    bodies: list[Any] = [request.json for request in emulator.requests]
    assert [body["provider"] for body in bodies] == [{"order": ["openai"], "zdr": False}] * 2
