"""LlamaIndex's chat events around a method, and in front of them the one check they cannot make politely."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.callbacks import llm_chat_callback

from openrouter_routing.errors import BadRequestError

P = ParamSpec("P")
R = TypeVar("R")


def chat_callback(method: Callable[P, R]) -> Callable[P, R]:
    """Emit LlamaIndex's chat events around a method whose first argument is the conversation.

    The events are pydantic objects: they would answer a conversation of another type with a ValueError, which must not
    leave a call.
    """
    observed = llm_chat_callback()(method)

    @functools.wraps(method)
    def call(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        return observed(self, checked_messages(messages), **kwargs)

    @functools.wraps(method)
    async def acall(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        return await observed(self, checked_messages(messages), **kwargs)

    wrapper = acall if inspect.iscoroutinefunction(method) else call
    # LlamaIndex marks the method with `__wrapped__ = True`, which `inspect.signature` would follow to nowhere.
    del wrapper.__wrapped__
    return cast("Callable[P, R]", wrapper)


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


def checked_prompt(prompt: object) -> None:
    """Refuse a prompt that is no text.

    Raises:
        BadRequestError: It is none.
    """
    if not isinstance(prompt, str):
        raise BadRequestError(f"a prompt is a text, got {type(prompt).__name__}")
