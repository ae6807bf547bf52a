"""What is wrong before a request is said before the request, in both frameworks: the server never hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage
from pydantic import ValidationError

from langchain_openrouter_routing import ChatOpenRouter
from llamaindex_openrouter_routing import OpenRouter
from openrouter_routing import (
    AuthenticationError,
    BadRequestError,
    OpenRouterClient,
    OpenRouterError,
)
from openrouter_routing.emulator import Emulator

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


def _langchain(emulator: Emulator, **settings: Any) -> Ask:
    model = ChatOpenRouter(
        **{
            "model": "openai/gpt-4o-mini",
            "api_key": "sk-or-1",
            "base_url": emulator.base_url,
            **settings,
        }
    )
    return lambda messages=("Hi",), **call: model.invoke(
        [HumanMessage(text) for text in messages], **call
    )


def _llamaindex(emulator: Emulator, **settings: Any) -> Ask:
    model = OpenRouter(
        **{
            "model": "openai/gpt-4o-mini",
            "api_key": "sk-or-1",
            "api_base": emulator.base_url,
            **settings,
        }
    )
    return lambda messages=("Hi",), **call: model.chat(
        [ChatMessage(role="user", content=text) for text in messages], **call
    )


def _core(emulator: Emulator, **settings: Any) -> Ask:
    model = settings.pop("model", "openai/gpt-4o-mini")
    base_url = settings.pop("base_url", emulator.base_url)
    settings.setdefault("api_key", "sk-or-1")
    if settings["api_key"] is None:
        del settings["api_key"]
    client = OpenRouterClient(base_url=base_url, **settings)
    return lambda messages=("Hi",), **call: client.chat(
        [{"role": "user", "content": text} for text in messages], **{"model": model, **call}
    )


MAKERS = pytest.mark.parametrize("make", [_core, _langchain, _llamaindex], ids=["core", "lc", "li"])


@MAKERS
def test_a_missing_key_is_an_error_at_the_first_call(emulator: Emulator, make: Any) -> None:
    ask = make(emulator, api_key=None)
    with pytest.raises(AuthenticationError, match="OPENROUTER_API_KEY"):
        ask()


@MAKERS
def test_the_key_can_come_from_the_environment_later(
    emulator: Emulator, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = make(emulator, api_key=None)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-1")
    assert ask()


@MAKERS
@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"messages": ()}, "messages is empty"),
        ({"model": " "}, "model must be a name"),
        ({"models": ["a/b", 5]}, "models.1"),
        ({"models": "a/b"}, "takes a list, got the string 'a/b'"),
        ({"models": ["openai/gpt-4o-mini"]}, "the primary model already"),
        ({"provider": {"oder": []}}, "did you mean 'order'?"),
        ({"allow_fallback": True}, "did you mean 'allow_fallbacks'?"),
        ({"only": ["openai"], "policy": {"only": ["azure"]}}, "nothing is left of provider.only"),
        ({"session_id": "s" * 257}, "256"),
        ({"timeout": -1}, "timeout"),
    ],
)
def test_a_call_that_cannot_be_honoured_is_never_sent(
    emulator: Emulator, make: Any, call: dict[str, Any], says: str
) -> None:
    ask = make(emulator)
    emulator.clear()
    with pytest.raises(BadRequestError) as caught:
        ask(**call)
    assert says in str(caught.value)
    assert not isinstance(caught.value, (ValueError, TypeError))
    assert emulator.requests == []


@pytest.mark.parametrize("make", [_core, _langchain])
@pytest.mark.parametrize("url", ["openrouter.ai/api/v1", "ftp://openrouter.ai", "http://"])
def test_an_address_without_scheme_or_host_is_an_error(
    emulator: Emulator, make: Any, url: str
) -> None:
    with pytest.raises((OpenRouterError, ValidationError), match="base_url must be an address"):
        make(emulator, base_url=url)()


def test_an_address_without_scheme_is_an_error_for_llamaindex_too(emulator: Emulator) -> None:
    with pytest.raises((OpenRouterError, ValidationError), match="base_url must be an address"):
        _llamaindex(emulator, api_base="openrouter.ai/api/v1")()
