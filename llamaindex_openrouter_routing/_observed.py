"""LlamaIndex's events around a method, and in front of them what they cannot do: check politely, and hide headers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

from openrouter_routing.errors import BadRequestError
from openrouter_routing.settings import HiddenHeaders

P = ParamSpec("P")
R = TypeVar("R")


def chat_callback(method: Callable[P, R]) -> Callable[P, R]:
    """Emit LlamaIndex's chat events around a method whose first argument is the conversation.

    The events are pydantic objects: they would answer a conversation of another type with a ValueError, which must not
    leave a call.
    """
    observed = llm_chat_callback()(method)

    def call(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        return observed(self, checked_messages(messages), **_veiled(kwargs))

    async def acall(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        return await observed(self, checked_messages(messages), **_veiled(kwargs))

    return _in_place_of(method, call, acall)


def completion_callback(method: Callable[P, R]) -> Callable[P, R]:
    """Emit LlamaIndex's completion events around a method whose first argument is the prompt."""
    observed = llm_completion_callback()(method)

    def call(self: Any, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return observed(self, checked_prompt(prompt), formatted, **_veiled(kwargs))

    async def acall(self: Any, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return await observed(self, checked_prompt(prompt), formatted, **_veiled(kwargs))

    return _in_place_of(method, call, acall)


def _in_place_of(
    method: Callable[P, R], call: Callable[..., Any], acall: Callable[..., Any]
) -> Callable[P, R]:
    wrapper = functools.wraps(method)(acall if inspect.iscoroutinefunction(method) else call)
    # LlamaIndex marks the method with `__wrapped__ = True`, which `inspect.signature` would follow to nowhere.
    del wrapper.__wrapped__
    return cast("Callable[P, R]", wrapper)


class VeiledHeaders(dict[str, str]):
    """Headers as observers see them, without their values; what is sent is in `headers`."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(dict.fromkeys(headers, "**********"))
        self.headers = HiddenHeaders(headers)


def _veiled(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Hide the values of a call's headers from the events, which carry all its keywords."""
    headers = kwargs.get("extra_headers")
    if not isinstance(headers, Mapping) or isinstance(headers, VeiledHeaders):
        return kwargs
    return {**kwargs, "extra_headers": VeiledHeaders(headers)}


def unveiled(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords of a call with the headers to send."""
    headers = kwargs.get("extra_headers")
    if not isinstance(headers, VeiledHeaders):
        return kwargs
    return {**kwargs, "extra_headers": headers.headers}


def checked_messages(messages: object) -> list[ChatMessage]:
    """Return the conversation as a list.

    Raises:
        BadRequestError: It is no sequence of `ChatMessage`.
    """
    if isinstance(messages, (str, ChatMessage)) or not isinstance(messages, Sequence):
        raise BadRequestError(
            f"messages takes a list of ChatMessage, got {type(messages).__name__}; for a text there is complete()"
        )
    checked = []
    for place, message in enumerate(messages):
        if not isinstance(message, ChatMessage):
            raise BadRequestError(
                f"message {place} is a {type(message).__name__}; messages are ChatMessage objects"
            )
        checked.append(message)
    return checked


def checked_prompt(prompt: object) -> str:
    """Return the prompt.

    Raises:
        BadRequestError: It is no text.
    """
    if not isinstance(prompt, str):
        raise BadRequestError(f"a prompt is a text, got {type(prompt).__name__}")
    return prompt
