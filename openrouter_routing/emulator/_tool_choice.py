"""Which tools the emulated model calls, and with what."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from openrouter_routing.emulator._finding import stems
from openrouter_routing.emulator._schema_filling import fill_schema

Tool = Mapping[str, Any]

_PART = re.compile(r"\band\b|[,;.!?\n]")


def choose_tools(
    tools: Sequence[Tool],
    choice: object,
    prompt: str,
    *,
    called: frozenset[str],
    answering: bool,
    parallel: bool,
) -> list[Tool]:
    """Choose the functions to call.

    A function is chosen when a word of its name occurs in the prompt; if no name does, the one
    whose description shares most words with it. Results of earlier calls are answered in text,
    unless a forced choice has not been called yet.

    Args:
        tools: The `function` objects on offer.
        choice: The request's `tool_choice`.
        prompt: The last thing the user said.
        called: The functions called since then.
        answering: Whether the request ends with results of calls.
        parallel: Whether more than one may be called at once.

    Returns:
        The functions to call, in the order of the offer; none for an answer in text.
    """
    if choice == "none" or not tools:
        return []
    forced = _forced_name(choice)
    if forced is not None:
        return [tool for tool in tools if tool["name"] == forced and forced not in called]
    left = [tool for tool in tools if tool["name"] not in called]
    required = choice in ("required", "any")
    if answering:
        return _best(left, prompt)[:1] or left[:1] if required else []
    chosen = _best(left, prompt)
    if required and not chosen:
        chosen = left[:1]
    return chosen if parallel else chosen[:1]


def call_of(tool: Tool, prompt: str, place: str, *, alone: bool) -> dict[str, object]:
    """Write the call of a function, its arguments filled from the prompt.

    Args:
        tool: The function.
        prompt: Where the arguments come from; of several calls each looks first at the part of
            the prompt that speaks of it.
        alone: Whether it is the only call.
        place: What tells this call from others, for its id.
    """
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    focus = "" if alone else _part_about(tool, prompt)
    arguments = json.dumps(fill_schema(schema, prompt, focus=focus), ensure_ascii=False)
    digest = hashlib.sha256(f"{place}|{tool['name']}|{arguments}".encode()).hexdigest()
    function = {"name": tool["name"], "arguments": arguments}
    return {"id": f"call_{digest[:24]}", "type": "function", "function": function}


def _part_about(tool: Tool, prompt: str) -> str:
    named = stems(tool["name"])
    parts = _PART.split(prompt)
    return next((part for part in parts if not named.isdisjoint(stems(part))), "")


def _forced_name(choice: object) -> str | None:
    if not isinstance(choice, Mapping):
        return None
    function = choice.get("function")
    name = function.get("name") if isinstance(function, Mapping) else choice.get("name")
    return name if isinstance(name, str) else None


def _best(tools: Sequence[Tool], prompt: str) -> list[Tool]:
    said = stems(prompt)
    named = [tool for tool in tools if not stems(tool["name"]).isdisjoint(said)]
    if named:
        return named
    scores = [len(stems(tool.get("description") or "") & said) for tool in tools]
    best = max(scores, default=0)
    return [tools[scores.index(best)]] if best else []
