"""LangChain with the OpenRouter model that people use today, or with ours: only the import differs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from protocol import KEY, PACKAGE, URL, serve
from pydantic import BaseModel, Field

ChatOpenRouter = import_module(PACKAGE).ChatOpenRouter


class Trip(BaseModel):
    """A trip."""

    city: str = Field(description="Where to.")
    days: int = Field(description="For how many days.")


@tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"17 degrees and rain in {city}"


def _llm(key: str = KEY, url: str = URL, **fields: Any) -> Any:
    return ChatOpenRouter(**{"api_key": key, "base_url": url, "max_retries": 0, **fields})


def _told(message: Any) -> dict[str, Any]:
    return {
        "text": message.content,
        "calls": message.tool_calls,
        "usage": message.usage_metadata,
        "metadata": message.response_metadata,
        "extra": message.additional_kwargs,
    }


def chat(prompt: str, call: dict[str, Any] | None = None, **fields: Any) -> Any:
    return _told(_llm(**fields).invoke(prompt, **(call or {})))


async def chat_async(prompt: str, **fields: Any) -> Any:
    return _told(await _llm(**fields).ainvoke(prompt))


def _whole(parts: list[AIMessageChunk]) -> dict[str, Any]:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return {**_told(whole), "parts": len(parts)}


def stream(prompt: str, **fields: Any) -> Any:
    return _whole(list(_llm(**fields).stream(prompt)))


async def stream_async(prompt: str, **fields: Any) -> Any:
    return _whole([part async for part in _llm(**fields).astream(prompt)])


def batch(prompts: list[str], **fields: Any) -> Any:
    return [message.content for message in _llm(**fields).batch(prompts)]


def tools(prompt: str, **fields: Any) -> Any:
    """Have a tool called, say its result, and return both answers."""
    llm = _llm(**fields).bind_tools([get_weather])
    asked = HumanMessage(prompt)
    first = llm.invoke([asked])
    call = first.tool_calls[0]
    result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])
    return [_told(first), _told(llm.invoke([asked, first, result]))]


def stream_tools(prompt: str, **fields: Any) -> Any:
    return _whole(list(_llm(**fields).bind_tools([get_weather]).stream(prompt)))


def forced(prompt: str, choice: Any, **fields: Any) -> Any:
    return _told(_llm(**fields).bind_tools([get_weather], tool_choice=choice).invoke(prompt))


def structured(prompt: str, method: Any = None, **fields: Any) -> Any:
    said = {} if method is None else {"method": method}
    trip = _llm(**fields).with_structured_output(Trip, **said).invoke(prompt)
    assert isinstance(trip, Trip)
    return trip.model_dump()


if __name__ == "__main__":
    serve(
        chat, chat_async, stream, stream_async, batch, tools, stream_tools, forced, structured
    )  # fmt: skip
