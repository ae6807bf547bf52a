"""Wire bodies for the emulator's `script`, as OpenRouter sends them."""

from __future__ import annotations

from typing import Any

MODEL = "openai/gpt-5-mini"


def wire(
    content: str | None = None, *, finish: str | None = None, **message: Any
) -> dict[str, Any]:
    """Return an answer whose message holds this."""
    return {
        "id": "gen-1",
        "model": MODEL,
        "provider": "Azure",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": finish or ("tool_calls" if "tool_calls" in message else "stop"),
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "cost": 0},
    }


def calling(name: str, arguments: str, call_id: str = "call_1", **more: Any) -> dict[str, Any]:
    """Return an answer that calls a tool."""
    function = {"name": name, "arguments": arguments}
    return wire(tool_calls=[{"id": call_id, "type": "function", "function": function}], **more)
