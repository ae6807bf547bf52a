"""What the server of these tests answers: the text of the last message back, tools called, schemas filled."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.scripted_server import Answer, Recorded, Step, chunk, json_answer, stream_answer

HEADERS = {"X-Generation-Id": "gen-1"}
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "total_tokens": 12,
    "cost": 0.00025,
    "is_byok": False,
    "cost_details": {"upstream_inference_cost": 0.00025},
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
METADATA = {"requested": "openai/gpt-5-mini", "strategy": "direct", "region": "iad"}


def respond(request: Recorded) -> Answer:
    """Answer as OpenRouter would."""
    if request.path.endswith("/embeddings"):
        return json_answer(embeddings(request.json), headers=HEADERS)
    if request.path.endswith("/rerank"):
        return json_answer(ranking(request.json), headers=HEADERS)
    if request.path.endswith("/models"):
        return json_answer({"data": [{"id": "acme/learned", "context_length": 4321}]})
    body = request.json
    message = message_for(body)
    return stream(message) if body.get("stream") else whole(message)


def message_for(body: dict[str, Any]) -> dict[str, Any]:
    """Return the message that answers a request: forced tools are called, schemas filled, anything else echoed."""
    messages = body["messages"]
    tools = body.get("tools") or []
    if tools and messages[-1]["role"] != "tool" and body.get("tool_choice") != "none":
        function = tools[0]["function"]
        arguments = json.dumps(fill(function["parameters"], function["parameters"]))
        call = {"name": function["name"], "arguments": arguments}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        }
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema is not None:
        return {"role": "assistant", "content": json.dumps(fill(schema, schema))}
    return {"role": "assistant", "content": f"Echo: {text_of(messages[-1]['content'])}"}


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content[-200:]
    return " ".join(part.get("text", part["type"]) for part in content or ())[-200:]


def fill(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """Make a value that fits a JSON schema."""
    if "$ref" in schema:
        return fill(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return fill(schema["anyOf"][0], root)
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: fill(field, root) for name, field in schema.get("properties", {}).items()}
    if kind == "array":
        return [fill(schema.get("items", {"type": "string"}), root)]
    return {"string": "Bern", "integer": 7, "number": 1.5, "boolean": True}.get(kind)


def whole(message: dict[str, Any], **fields: Any) -> Answer:
    """Return an answer that comes in one piece."""
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": finish,
        "native_finish_reason": "done",
    }
    body = {**chunk(), "object": "chat.completion", "choices": [choice], "usage": USAGE, **fields}
    return json_answer({**body, "openrouter_metadata": METADATA}, headers=HEADERS)


def stream(message: dict[str, Any]) -> Answer:
    """Return the same answer as a stream, cut into small pieces."""
    steps: list[Step | dict[str, Any]] = []
    for details in pieces(message.get("reasoning_details") or (), 1):
        steps.append(chunk(delta={"reasoning_details": details}))
    for text in pieces(message.get("reasoning") or "", 5):
        steps.append(chunk(delta={"reasoning": text}))
    for text in pieces(message.get("content") or "", 5):
        steps.append(chunk(text))
    for index, call in enumerate(message.get("tool_calls") or ()):
        head = {"index": index, "id": call["id"], "type": "function"}
        named = {**head, "function": {"name": call["function"]["name"], "arguments": ""}}
        steps.append(chunk(delta={"tool_calls": [named]}))
        for text in pieces(call["function"]["arguments"], 5):
            steps.append(
                chunk(delta={"tool_calls": [{"index": index, "function": {"arguments": text}}]})
            )
    for name in ("images", "annotations"):
        if message.get(name):
            steps.append(chunk(delta={name: message[name]}))
    if message.get("audio"):
        steps.append(chunk(delta={"audio": message["audio"]}))
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    steps.append(chunk(delta={"content": ""}, finish_reason=finish, native_finish_reason="done"))
    steps.append({**chunk(), "choices": [], "usage": USAGE, "openrouter_metadata": METADATA})
    return stream_answer(*steps, b"data: [DONE]\n\n", headers=HEADERS)


def pieces(whole_thing: Any, size: int) -> Iterable[Any]:
    return (whole_thing[start : start + size] for start in range(0, len(whole_thing), size))


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """Return vectors in the reverse order of the texts: a client has to sort them by their index."""
    texts = body["input"]
    data = [
        {"object": "embedding", "index": index, "embedding": [float(len(text)), float(index), 1.0]}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 5, "total_tokens": 5, "cost": 0.00001}
    return {
        "id": "gen-emb",
        "model": body["model"],
        "provider": "OpenAI",
        "data": data[::-1],
        "usage": usage,
    }


def ranking(body: dict[str, Any]) -> dict[str, Any]:
    """Rank the longer document first."""
    texts = [entry if isinstance(entry, str) else entry["text"] for entry in body["documents"]]
    order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
    results = [
        {"index": place, "relevance_score": 1.0 - rank / 10} for rank, place in enumerate(order)
    ]
    usage = {"total_tokens": 8, "search_units": 1, "cost": 0.002}
    return {
        "id": "gen-rerank",
        "model": body["model"],
        "provider": "Cohere",
        "results": results[: body.get("top_n")],
        "usage": usage,
    }
