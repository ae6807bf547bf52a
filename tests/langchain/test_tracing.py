"""What tracers, counters and callbacks see; and counting tokens before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.callbacks import (
    BaseCallbackHandler,
    UsageMetadataCallbackHandler,
    get_usage_metadata_callback,
)
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, LLMResult
from langchain_core.tools import tool

from langchain_openrouter_routing import ChatOpenRouter, Route
from openrouter_routing.emulator import Emulator
from openrouter_routing.model_table import model_info
from tests.langchain.conftest import MakeModel


class Seen(BaseCallbackHandler):
    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}
        self.params: dict[str, Any] = {}
        self.tokens: list[str] = []
        self.chunks: list[Any] = []
        self.ends: list[LLMResult] = []

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[Any],
        *,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.metadata = metadata or {}
        self.params = kwargs["invocation_params"]

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
        self.tokens.append(token)
        self.chunks.append(chunk)

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        self.ends.append(response)


def test_tracers_learn_who_was_asked(make_model: MakeModel) -> None:
    seen = Seen()
    llm = make_model(temperature=0, max_tokens=50, order=["azure"], stop=["END"])
    llm.invoke("Hi", config={"callbacks": [seen]})
    told = {key: value for key, value in seen.metadata.items() if key.startswith("ls_")}
    assert told["ls_provider"] == "openrouter"
    assert told["ls_model_name"] == "openai/gpt-5-mini"
    assert told["ls_model_type"] == "chat"
    assert (told["ls_temperature"], told["ls_max_tokens"], told["ls_stop"]) == (0, 50, ["END"])
    assert seen.params["_type"] == "openrouter-chat"
    assert seen.params["provider"] == {"order": ["azure"]}
    assert "sk-or-v1-secret" not in str(seen.params)
    assert "openrouter-routing" in seen.metadata["lc_versions"]
    llm.invoke("Hi", model="openai/gpt-4o-mini", config={"callbacks": [seen]})
    assert seen.metadata["ls_model_name"] == "openai/gpt-4o-mini"


@pytest.mark.parametrize("streamed", [False, True])
def test_the_result_of_a_run_tells_its_route(make_model: MakeModel, streamed: bool) -> None:
    seen = Seen()
    llm = make_model(streaming=True) if streamed else make_model()
    llm.invoke("Say one two", config={"callbacks": [seen]})
    route = Route.of(seen.ends[-1])
    assert route.provider
    assert route.total_cost is not None
    assert route.total_cost > 0
    if streamed:
        assert "".join(seen.tokens) == "one two"
        assert all(isinstance(chunk, ChatGenerationChunk) for chunk in seen.chunks)
    else:
        assert seen.tokens == []


def test_tokens_are_called_out_in_a_stream(make_model: MakeModel) -> None:
    seen = Seen()
    chunks = list(make_model().stream("Say one two", config={"callbacks": [seen]}))
    assert seen.tokens == [chunk.content for chunk in chunks]
    assert seen.chunks[-1].message.usage_metadata is not None


async def test_usage_callbacks_add_up(make_model: MakeModel) -> None:
    handler = UsageMetadataCallbackHandler()
    llm = make_model()
    with get_usage_metadata_callback() as counted:
        first = llm.invoke("Hi", config={"callbacks": [handler]})
        second = await llm.ainvoke("Ho", config={"callbacks": [handler]})
        *_, last = llm.stream("Hm", config={"callbacks": [handler]})
    messages: list[AIMessage] = [first, second, last]
    total = sum(m.usage_metadata["total_tokens"] for m in messages if m.usage_metadata)
    for kept in (handler.usage_metadata, counted.usage_metadata):
        (usage,) = kept.values()
        assert usage["total_tokens"] == total > 0


def test_several_prompts_add_up(make_model: MakeModel) -> None:
    result = make_model().generate([[HumanMessage("Hi")], [HumanMessage("Hello there")]])
    parts: list[Any] = [generations[0].message for generations in result.generations]  # type: ignore[attr-defined]
    assert result.llm_output is not None
    usage = result.llm_output["token_usage"]
    assert usage["total_tokens"] == sum(m.usage_metadata["total_tokens"] for m in parts)
    assert result.llm_output["cost"] == pytest.approx(
        sum(m.response_metadata["cost"] for m in parts)
    )
    assert result.llm_output["model_name"] == parts[0].response_metadata["model_name"]


def test_tokens_are_estimated_without_a_tokenizer() -> None:
    @tool
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        return city

    llm = ChatOpenRouter(model="openai/gpt-5-mini")
    assert llm.get_num_tokens("twelve chars") == 3
    assert llm.get_num_tokens("") == 0
    plain = llm.get_num_tokens_from_messages([HumanMessage("Hello there")])
    assert (
        0 < plain < llm.get_num_tokens_from_messages([HumanMessage("Hello there")], tools=[weather])
    )
    own = ChatOpenRouter(model="a/b", custom_get_token_ids=lambda text: list(range(len(text))))
    assert own.get_num_tokens("abc") == 3


def test_profiles_come_from_the_table(make_model: MakeModel) -> None:
    profile = make_model(model="anthropic/claude-sonnet-4.5:nitro").profile
    info = model_info("anthropic/claude-sonnet-4.5")
    assert profile is not None
    assert info is not None
    assert profile["max_input_tokens"] == info.context_length
    assert profile["pdf_inputs"] is True
    assert profile["audio_inputs"] is False
    assert profile["structured_output"] is True
    assert make_model(model="acme/unheard-of").profile is None
    given = make_model(profile={"max_input_tokens": 10})
    assert given.profile == {"max_input_tokens": 10}
    assert given.with_routing(sort="price").profile == {"max_input_tokens": 10}


def test_init_chat_model_after_one_line(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langchain.chat_models import base, init_chat_model

    # The line that the documentation shows; LangChain's table is not public, and takes no plug-ins.
    entry = ("langchain_openrouter_routing", "ChatOpenRouter", lambda cls, **fields: cls(**fields))
    monkeypatch.setitem(base._BUILTIN_PROVIDERS, "openrouter_routing", entry)
    llm = init_chat_model(
        "openrouter_routing:openai/gpt-5-mini",
        api_key="sk-or-v1-secret",
        base_url=emulator.base_url,
        order=["azure"],
    )
    assert isinstance(llm, ChatOpenRouter)
    assert llm.invoke("Hi").response_metadata["provider"] == "Azure"
