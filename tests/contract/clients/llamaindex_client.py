"""LlamaIndex with the OpenRouter model that people use today, or with ours: only the import differs."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from protocol import KEY, PACKAGE, URL, serve
from pydantic import BaseModel

OpenRouter = import_module(PACKAGE).OpenRouter


class Trip(BaseModel):
    """A trip."""

    city: str
    days: int


def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"17 degrees and rain in {city}"


TOOL = FunctionTool.from_defaults(get_weather)


def _llm(key: str = KEY, url: str = URL, **fields: Any) -> Any:
    given = {"max_retries": 0, "is_function_calling_model": True, **fields}
    return OpenRouter(api_key=key, api_base=url, **given)


def _asked(prompt: str) -> list[ChatMessage]:
    return [ChatMessage(role="system", content="Be short."), ChatMessage(content=prompt)]


def _told(response: ChatResponse) -> dict[str, Any]:
    raw: Any = response.raw
    return {
        "text": response.message.content,
        "raw": raw if isinstance(raw, dict) else raw.model_dump(mode="json"),
    }


def chat(prompt: str, call: dict[str, Any] | None = None, **fields: Any) -> Any:
    return _told(_llm(**fields).chat(_asked(prompt), **(call or {})))


def chat_async(prompt: str, **fields: Any) -> Any:
    return _told(asyncio.run(_llm(**fields).achat(_asked(prompt))))


def stream(prompt: str, **fields: Any) -> Any:
    parts = list(_llm(**fields).stream_chat(_asked(prompt)))
    return {"deltas": [part.delta for part in parts], "text": parts[-1].message.content}


async def stream_async(prompt: str, **fields: Any) -> Any:
    parts = [part async for part in await _llm(**fields).astream_chat(_asked(prompt))]
    return {"deltas": [part.delta for part in parts], "text": parts[-1].message.content}


def complete(prompt: str, **fields: Any) -> Any:
    return _llm(**fields).complete(prompt).text


def stream_complete(prompt: str, **fields: Any) -> Any:
    return "".join(part.delta or "" for part in _llm(**fields).stream_complete(prompt))


def tools(prompt: str, **fields: Any) -> Any:
    llm = _llm(**fields)
    response = llm.chat_with_tools([TOOL], user_msg=prompt)
    calls = llm.get_tool_calls_from_response(response)
    return [{"id": call.tool_id, "name": call.tool_name, **call.tool_kwargs} for call in calls]


def stream_tools(prompt: str, **fields: Any) -> Any:
    llm = _llm(**fields)
    last = list(llm.stream_chat_with_tools([TOOL], user_msg=prompt))[-1]
    calls = llm.get_tool_calls_from_response(last)
    return [{"id": call.tool_id, "name": call.tool_name, **call.tool_kwargs} for call in calls]


async def agent(prompt: str, **fields: Any) -> Any:
    """Run an agent until it answers, streaming inside."""
    return str(await FunctionAgent(tools=[TOOL], llm=_llm(**fields)).run(prompt))


def structured(prompt: str, **fields: Any) -> Any:
    template = PromptTemplate("{text}")
    return _llm(**fields).structured_predict(Trip, template, text=prompt).model_dump()


if __name__ == "__main__":
    serve(
        chat, chat_async, stream, stream_async, complete, stream_complete, tools, stream_tools,
        agent, structured,
    )  # fmt: skip
