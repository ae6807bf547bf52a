"""Code written for `langchain_openrouter.ChatOpenRouter` runs after changing the import."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_openrouter_routing import ChatOpenRouter
from langchain_openrouter_routing.errors import BadRequestError
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.langchain.migration_cases import BODIES, CASES, CHANGED
from tests.scripted_server import answer


@pytest.mark.parametrize("case", CASES)
def test_a_documented_constructor_sends_what_it_sent_before(emulator: Emulator, case: str) -> None:
    emulator.script([answer()])
    reach: dict[str, Any] = {"api_key": "sk-or-v1-secret", "base_url": emulator.base_url}
    ChatOpenRouter(on_violation="ignore", **reach, **CASES[case]).invoke("Hi")
    body: Any = dict(emulator.requests[-1].json)
    assert body.pop("messages") == [{"role": "user", "content": "Hi"}]
    assert body == BODIES[case]


def test_attribution_is_the_callers_own(emulator: Emulator, make_model: MakeModel) -> None:
    make_model(**CASES["attribution"]).invoke("Hi")
    headers = emulator.requests[-1].headers
    assert headers["http-referer"] == "https://myapp.example"
    assert headers["x-openrouter-title"] == "My App"
    assert headers["x-openrouter-categories"] == "cli-agent,programming-app"
    assert headers["x-grok-conv-id"] == "session-abc123"
    make_model().invoke("Hi")
    plain = emulator.requests[-1].headers
    for name, value in dict(CHANGED["every header"]).items():  # type: ignore[call-overload]
        assert plain.get(name) != value


def test_the_intended_differences(emulator: Emulator, make_model: MakeModel) -> None:
    llm = make_model(timeout=60)
    assert llm._client_settings().timeout == 60
    with pytest.raises(BadRequestError, match="did you mean 'top_k'"):
        make_model(topk=5)


def test_calls_as_they_were_written(emulator: Emulator, make_model: MakeModel) -> None:
    llm = make_model(model="openai/gpt-4o-mini")
    llm.invoke([("system", "Translate."), ("human", "I love programming.")])
    llm.bind(temperature=0.2, seed=3).invoke("Hi")
    chunks = list(llm.stream("Say one two", stream_usage=True))
    assert "".join(str(chunk.text) for chunk in chunks) == "one two"
    bodies: list[Any] = [request.json for request in emulator.requests]
    assert [message["role"] for message in bodies[0]["messages"]] == ["system", "user"]
    assert (bodies[1]["temperature"], bodies[1]["seed"]) == (0.2, 3)
    assert llm.model_name == "openai/gpt-4o-mini"
