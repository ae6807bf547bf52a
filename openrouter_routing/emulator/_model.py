"""The emulated model: always the same answer to the same request, and one that makes sense.

It calls the tools that a prompt speaks of and answers from their results, fills a wanted JSON
schema, works out sums, answers a question from the context beside it, and else says the prompt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openrouter_routing.emulator._finding import best_sentence, evaluate, expression, quoted
from openrouter_routing.emulator._schema_filling import fill_schema
from openrouter_routing.emulator._tool_choice import call_of, choose_tools

Message = Mapping[str, Any]

_QUESTION = re.compile(
    r"^[ \t>*#-]*(?:follow[- ]?up question|original question|user question|question|query|"
    r"the original query is as follows)[ *]*:[ \t*]*\n?(.+?)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_STANDALONE = re.compile(
    r"(?:<Follow Up Message>|Follow[ -]?Up (?:Input|Message|Question):)\s*(.+?)\s*"
    r"(?:<Standalone question>|Standalone question:|$)",
    re.IGNORECASE | re.DOTALL,
)
_CONTEXT = re.compile(
    r"-{5,}\n(.*?)\n-{5,}|<context>(.*?)</context>|"
    r"(?:^|\n)[^\n]*\bcontext\b[^\n]*:[ \t]*\n?(.*?)(?=\n[ \t>*#]*(?:question|query)\b|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_WORD_BY_WORD = re.compile(
    r"^(?:please )?(?:say|repeat|echo|reply with|answer with|respond with|write)"
    r"(?: exactly| only| just| the words?| the text)*\s*:?\s+(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_METADATA_LINE = re.compile(r"^[\w ]{1,30}: \S*$", re.MULTILINE)
_SCHEMA = re.compile(r"\bschema\b[^\n{]*:?\s*(?:```(?:json)?\s*)?\{", re.IGNORECASE)
_decoder = json.JSONDecoder()
UNKNOWN = "I do not know."


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: a text, or calls."""

    text: str
    tool_calls: tuple[Mapping[str, object], ...] = ()
    reasoning: str = ""


def answer(body: Mapping[str, Any]) -> Answer:
    """Answer a chat request.

    Args:
        body: The wire body, already validated.

    Returns:
        The answer, before stop sequences and limits.
    """
    messages: Sequence[Message] = body["messages"]
    prompt = _last_user_text(messages)
    turn = _since_last_user(messages)
    results = [m for m in turn if m.get("role") == "tool"]
    answering = bool(messages) and messages[-1].get("role") == "tool"
    tools = [t["function"] for t in body.get("tools") or () if t.get("type") == "function"]
    calls = [call for m in turn for call in m.get("tool_calls") or ()]
    chosen = choose_tools(
        tools,
        body.get("tool_choice"),
        prompt,
        called=frozenset(call["function"]["name"] for call in calls),
        answering=answering,
        parallel=body.get("parallel_tool_calls") is not False,
    )
    thought = f"The request is: {prompt}" if prompt else "There is nothing to answer."
    if chosen:
        alone = len(chosen) == 1
        called = tuple(call_of(t, prompt, str(len(messages)), alone=alone) for t in chosen)
        return Answer("", called, f"{thought} I call {', '.join(t['name'] for t in chosen)}.")
    wanted = body.get("response_format") or {}
    known = "\n".join([prompt, *(text_of(result) for result in results)])
    if wanted.get("type") == "json_schema":
        schema = wanted["json_schema"].get("schema") or {"type": "object"}
        return Answer(json.dumps(fill_schema(schema, known), ensure_ascii=False), (), thought)
    if wanted.get("type") == "json_object":
        return Answer(_free_object(known, prompt), (), thought)
    if answering:
        return Answer(_from_results(results), (), thought)
    if (filled := _described_object(prompt, _system_text(messages))) is not None:
        return Answer(filled, (), thought)
    return Answer(_in_words(prompt, _system_text(messages)), (), thought)


def text_of(message: Message) -> str:
    """Give the text of a message, whether its content is a string or parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else ()
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _last_user_text(messages: Sequence[Message]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            return text_of(message)
    return text_of(messages[-1]) if messages and messages[-1].get("role") != "tool" else ""


def _since_last_user(messages: Sequence[Message]) -> Sequence[Message]:
    last = max((i for i, m in enumerate(messages) if m.get("role") == "user"), default=-1)
    return messages[last + 1 :]


def _system_text(messages: Sequence[Message]) -> str:
    return "\n".join(text_of(m) for m in messages if m.get("role") in ("system", "developer"))


def _from_results(results: Sequence[Message]) -> str:
    said = [text_of(result).strip() for result in results]
    return "\n".join(dict.fromkeys(text for text in said if text)) or UNKNOWN


def _in_words(prompt: str, system: str) -> str:
    if (standalone := _STANDALONE.search(prompt)) is not None and "standalone" in prompt.lower():
        return standalone.group(1)
    questions = _QUESTION.findall(prompt)
    contexts = [
        next(part for part in found if part) for found in _CONTEXT.findall(prompt) if any(found)
    ]
    if questions and contexts:
        return best_sentence(_prose("\n".join(contexts)), questions[-1]) or UNKNOWN
    if "context" in system.lower() and (found := _CONTEXT.search(system)) is not None:
        context = next((part for part in found.groups() if part), "")
        if context.strip():
            return best_sentence(_prose(context), prompt) or UNKNOWN
    if (wanted := _WORD_BY_WORD.match(prompt.strip())) is not None:
        spoken = wanted.group(1).strip()
        return (quoted(spoken) or [spoken])[0]
    if (found_sum := expression(prompt)) is not None:
        return evaluate(found_sum) or prompt
    return prompt or UNKNOWN


def _prose(context: str) -> str:
    """Leave out the `file_path: ...` lines that frameworks put before a passage."""
    return _METADATA_LINE.sub("", context)


def _free_object(known: str, prompt: str) -> str:
    """Make an object without a schema: the keys a prompt names in quotes, or one answer."""
    keys = [key for key in quoted(prompt) if re.fullmatch(r"\w+", key)]
    schema = {
        "type": "object",
        "properties": {key: {"type": "string"} for key in keys or ["answer"]},
        "required": keys or ["answer"],
    }
    return json.dumps(
        fill_schema(schema, known if not keys else _unquoted(known, keys)), ensure_ascii=False
    )


def _described_object(prompt: str, system: str) -> str | None:
    """Fill the JSON schema that an output parser put into the prompt in words, if there is one."""
    for text in (prompt, system):
        for match in reversed(list(_SCHEMA.finditer(text))):
            start = match.end() - 1
            try:
                schema, end = _decoder.raw_decode(text, start)
            except ValueError:
                continue
            if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
                asked = text[: match.start()] + text[end:] if text is prompt else prompt
                return json.dumps(fill_schema(schema, asked), ensure_ascii=False)
    return None


def _unquoted(text: str, keys: Sequence[str]) -> str:
    for key in keys:
        text = re.sub(rf"[\"'`“]{re.escape(key)}[\"'`”]", key, text)
    return text
