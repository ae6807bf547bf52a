"""OpenAI's own client, pointed at another base URL: what most programs that talk to OpenRouter use."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI, OpenAI
from protocol import KEY, URL, serve
from pydantic import BaseModel

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


class Trip(BaseModel):
    city: str
    days: int


def _client(key: str = KEY, url: str = URL, max_retries: int = 0) -> OpenAI:
    return OpenAI(api_key=key, base_url=url, max_retries=max_retries, timeout=20)


def chat(key: str = KEY, url: str = URL, max_retries: int = 0, **request: Any) -> Any:
    with _client(key, url, max_retries) as client:
        return client.chat.completions.create(**request).model_dump(mode="json")


async def chat_async(**request: Any) -> Any:
    async with AsyncOpenAI(api_key=KEY, base_url=URL, max_retries=0) as client:
        return (await client.chat.completions.create(**request)).model_dump(mode="json")


def raw(**request: Any) -> Any:
    """Return the answer's headers and what was read from its body."""
    with _client() as client:
        response = client.chat.completions.with_raw_response.create(**request)
        return {
            "headers": dict(response.headers),
            "answer": response.parse().model_dump(mode="json"),
        }


def stream(**request: Any) -> Any:
    """Let the client's own accumulator put a stream together."""
    with _client() as client, client.chat.completions.stream(**request) as events:
        kinds = [event.type for event in events]
        return {"kinds": kinds, "whole": events.get_final_completion().model_dump(mode="json")}


def chunks(url: str = URL, **request: Any) -> Any:
    with _client(url=url) as client:
        read = client.chat.completions.create(**request, stream=True)
        return [chunk.model_dump(mode="json") for chunk in read]


async def chunks_async(**request: Any) -> Any:
    async with AsyncOpenAI(api_key=KEY, base_url=URL, max_retries=0) as client:
        read = await client.chat.completions.create(**request, stream=True)
        return [chunk.model_dump(mode="json") async for chunk in read]


def tools(prompt: str, **request: Any) -> Any:
    """Have a tool called, say its result, and return both answers."""
    messages: list[Any] = [{"role": "user", "content": prompt}]
    with _client() as client:
        ask = client.chat.completions.create
        first = ask(messages=messages, tools=[TOOL], **request)
        message = first.choices[0].message
        call = (message.tool_calls or [])[0]
        reply = {"role": "tool", "tool_call_id": call.id, "content": "17 degrees and rain"}
        second = ask(messages=[*messages, message, reply], tools=[TOOL], **request)
        return [first.model_dump(mode="json"), second.model_dump(mode="json")]


def stream_tools(prompt: str, **request: Any) -> Any:
    return stream(messages=[{"role": "user", "content": prompt}], tools=[TOOL], **request)


def parsed(prompt: str, **request: Any) -> Any:
    with _client() as client:
        answer = client.chat.completions.parse(
            messages=[{"role": "user", "content": prompt}], response_format=Trip, **request
        )
        trip = answer.choices[0].message.parsed
        assert isinstance(trip, Trip)
        return trip.model_dump()


def models() -> Any:
    with _client() as client:
        return [model.model_dump(mode="json") for model in client.models.list()]


def embeddings(**request: Any) -> Any:
    """Ask as the client does by default, for base64, which it unpacks itself."""
    with _client() as client:
        return client.embeddings.create(**request).model_dump(mode="json")


if __name__ == "__main__":
    serve(
        chat, chat_async, raw, stream, chunks, chunks_async, tools, stream_tools, parsed, models,
        embeddings,
    )  # fmt: skip
