"""Wire bodies of chat answers: the message, why it ended, what it cost."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openrouter_routing.emulator._model import Answer, answer
from openrouter_routing.emulator._tokens import count_prompt_tokens, count_tokens, split_tokens
from openrouter_routing.endpoint import Endpoint
from openrouter_routing.providers import provider_slug

# The upstream's own word for each way to end; providers not named here speak like OpenAI.
_NATIVE: Mapping[str, Mapping[str, str]] = {
    "anthropic": {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "sequence": "stop_sequence",
    },
    "google": {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"},
    "openai": {"stop": "completed", "length": "max_output_tokens", "tool_calls": "completed"},
    "bedrock": {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"},
    "cohere": {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"},
}
IMAGE_TOKENS = 1290
_EFFORT_OFF = ("none",)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer."""

    prompt: int
    completion: int
    reasoning: int = 0
    images: int = 0
    cached: int = 0
    prompt_images: int = 0

    def to_wire(self, endpoint: Endpoint, *, byok: bool) -> dict[str, Any]:
        """Write the `usage` object, with the cost by the endpoint's prices.

        With a key of the user's own the cost is what the service charges, here nothing, and the
        upstream's price stands in the details.
        """
        pricing = endpoint.pricing
        prompt = pricing.prompt_cost(self.prompt, cached=self.cached, images=self.prompt_images)
        completion = pricing.completion_cost(
            self.completion,
            prompt_tokens=self.prompt,
            reasoning=self.reasoning,
            images=self.images,
        )
        total = float(prompt + completion)
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "cost": 0.0 if byok else total,
            "is_byok": byok,
            "prompt_tokens_details": {
                "cached_tokens": self.cached,
                "cache_write_tokens": 0,
                "audio_tokens": 0,
                "video_tokens": 0,
            },
            "cost_details": {
                "upstream_inference_cost": total if byok else None,
                "upstream_inference_prompt_cost": float(prompt),
                "upstream_inference_completions_cost": float(completion),
            },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "image_tokens": self.images * IMAGE_TOKENS,
                "audio_tokens": 0,
            },
        }


def complete(
    body: Mapping[str, Any], endpoint: Endpoint, *, byok: bool, cached: int
) -> dict[str, Any]:
    """Answer a chat request as an endpoint would.

    Args:
        body: The wire body.
        endpoint: Who answers; parameters it does not support are ignored.
        byok: Whether the user's own key pays.
        cached: How many prompt tokens come from the provider's cache.

    Returns:
        The body without `id`, `created` and `openrouter_metadata`.
    """
    body = _supported(body, endpoint)
    said = answer(body)
    shown, thought_tokens = _reasoning(body, endpoint, said)
    pictures = _pictures(body, endpoint)
    choices = []
    completion = 0
    for index in range(body.get("n") or 1):
        text, reason, native = _ended(body, said, endpoint)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        message["reasoning"] = None
        message |= shown
        if said.tool_calls:
            message["content"] = text or None
            message["tool_calls"] = [
                {**call, "index": i, "id": f"{call['id']}{index or ''}"}
                for i, call in enumerate(said.tool_calls)
            ]
        if pictures:
            message["images"] = pictures
        if notes := _annotations(body):
            message["annotations"] = notes
        completion += count_tokens(text) + _call_tokens(said)
        choices.append(
            {
                "logprobs": _logprobs(body, text),
                "finish_reason": reason,
                "native_finish_reason": native,
                "index": index,
                "message": message,
            }
        )
    usage = Usage(
        prompt=count_prompt_tokens(body),
        completion=completion + thought_tokens + len(pictures) * IMAGE_TOKENS,
        reasoning=thought_tokens,
        images=len(pictures),
        cached=cached,
        prompt_images=_prompt_images(body),
    )
    return {
        "provider": endpoint.provider,
        "model": endpoint.model,
        "object": "chat.completion",
        "choices": choices,
        "system_fingerprint": _fingerprint(endpoint),
        "service_tier": endpoint.service_tier or ("default" if body.get("service_tier") else None),
        "usage": usage.to_wire(endpoint, byok=byok),
    }


def family(endpoint: Endpoint) -> str:
    """Say whose API an endpoint speaks: its author's at the author's own clouds, else OpenAI's."""
    slug = provider_slug(endpoint.tag) or ""
    author = endpoint.model.partition("/")[0]
    if author == "anthropic":
        return "bedrock" if slug == "amazon-bedrock" else "anthropic"
    if slug in ("google-vertex", "google-ai-studio"):
        return "google"
    return slug if slug in ("openai", "cohere") else "open"


def native_reason(endpoint: Endpoint, reason: str) -> str:
    """Give the upstream's own word for a finish reason."""
    known = _NATIVE.get(family(endpoint), {})
    return known.get(reason, known.get("stop", reason) if reason == "sequence" else reason)


def _supported(body: Mapping[str, Any], endpoint: Endpoint) -> Mapping[str, Any]:
    """Leave out what the endpoint does not know, as the router does."""
    known = endpoint.supported_parameters
    kept = dict(body)
    if "tools" not in known:
        kept.pop("tools", None)
        kept.pop("tool_choice", None)
    if not known & {"response_format", "structured_outputs"}:
        kept.pop("response_format", None)
    if "logprobs" not in known:
        kept.pop("logprobs", None)
    return kept


def _ended(body: Mapping[str, Any], said: Answer, endpoint: Endpoint) -> tuple[str, str, str]:
    """Apply stop sequences and the limit: the text, the finish reason, the upstream's word."""
    if said.tool_calls:
        return said.text, "tool_calls", native_reason(endpoint, "tool_calls")
    text, reason = said.text, "stop"
    native = native_reason(endpoint, "stop")
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        if stop and stop in text:
            text = text[: text.index(stop)]
            native = native_reason(endpoint, "sequence")
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    tokens = split_tokens(text)
    if limit is not None and len(tokens) > limit:
        text, reason = "".join(tokens[: int(limit)]), "length"
        native = native_reason(endpoint, "length")
    return text, reason, native


def _reasoning(
    body: Mapping[str, Any], endpoint: Endpoint, said: Answer
) -> tuple[dict[str, Any], int]:
    wanted = body.get("reasoning") or {}
    effort = wanted.get("effort") or body.get("reasoning_effort")
    asked = bool(effort or wanted.get("max_tokens") or wanted.get("enabled"))
    asked = asked or body.get("include_reasoning") is True
    able = bool(endpoint.supported_parameters & {"reasoning", "reasoning_effort"})
    if not able or not asked or effort in _EFFORT_OFF or wanted.get("enabled") is False:
        return {}, 0
    tokens = count_tokens(said.reasoning)
    if wanted.get("exclude") is True or body.get("include_reasoning") is False:
        return {}, tokens
    signature = hashlib.sha256(said.reasoning.encode()).hexdigest()[:32]
    text: dict[str, Any] = {"text": said.reasoning, "index": 0}
    hidden: dict[str, Any]
    details: list[dict[str, Any]]
    speaks = family(endpoint)
    if speaks in ("anthropic", "bedrock"):
        form = {"format": "anthropic-claude-v1"}
        details = [{"type": "reasoning.text", **text, "signature": signature, **form}]
    elif speaks == "openai" or (provider_slug(endpoint.tag) == "azure"):
        form = {"format": "openai-responses-v1"}
        hidden = {"data": signature, "id": f"rs_{signature[:12]}", "index": 0}
        summary = {"type": "reasoning.summary", "summary": said.reasoning, "index": 0, **form}
        details = [summary, {"type": "reasoning.encrypted", **hidden, **form}]
    elif speaks == "google":
        form = {"format": "google-gemini-v1"}
        hidden = {"data": signature, "index": 0}
        details = [{"type": "reasoning.text", **text, **form}]
        details.append({"type": "reasoning.encrypted", **hidden, **form})
    else:
        details = [{"type": "reasoning.text", **text, "format": "unknown"}]
    return {"reasoning": said.reasoning, "reasoning_details": details}, tokens


def _call_tokens(said: Answer) -> int:
    functions: list[Any] = [call["function"] for call in said.tool_calls]
    return sum(count_tokens(f["name"]) + count_tokens(f["arguments"]) for f in functions)


def _logprobs(body: Mapping[str, Any], text: str) -> dict[str, Any] | None:
    if body.get("logprobs") is not True:
        return None
    wanted = int(body.get("top_logprobs") or 0)

    def entry(token: str, rank: int) -> dict[str, Any]:
        digest = hashlib.sha256(token.encode()).digest()[0]
        return {"token": token, "logprob": -(rank + digest / 512), "bytes": list(token.encode())}

    tokens = split_tokens(text)
    content = [
        {
            **entry(t, 0),
            "top_logprobs": [entry(t if r == 0 else f"{t}{r}", r) for r in range(wanted)],
        }
        for t in tokens
    ]
    return {"content": content, "refusal": None}


def _pictures(body: Mapping[str, Any], endpoint: Endpoint) -> list[dict[str, Any]]:
    if (
        "image" not in (body.get("modalities") or ())
        or endpoint.pricing.unit("image_output") is None
    ):
        return []
    colour = hashlib.sha256(repr(body["messages"]).encode()).digest()[:3]
    url = f"data:image/png;base64,{base64.b64encode(_png(colour)).decode()}"
    return [{"type": "image_url", "image_url": {"url": url}, "index": 0}]


def _png(colour: bytes) -> bytes:
    """Draw the smallest picture there is: one pixel of one colour."""

    def part(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00" + colour)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", pixels) + part(b"IEND", b"")


def _annotations(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    notes: list[dict[str, Any]] = []
    plugins = body.get("plugins") or ()
    if ":online" in str(body.get("model")) or any(plugin.get("id") == "web" for plugin in plugins):
        citation = {
            "url": "https://example.com/emulated",
            "title": "An emulated search result",
            "content": "The emulator does not search; this stands where a result would.",
            "start_index": 0,
            "end_index": 0,
        }
        notes.append({"type": "url_citation", "url_citation": citation})
    for part in _parts(body["messages"]):
        if part.get("type") == "file":
            name = (part.get("file") or {}).get("filename") or "document.pdf"
            digest = hashlib.sha256(repr(part).encode()).hexdigest()
            content = [{"type": "text", "text": f"The emulated text of {name}."}]
            notes.append(
                {"type": "file", "file": {"hash": digest, "name": name, "content": content}}
            )
    return notes


def _parts(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    contents = [message.get("content") for message in messages]
    return [part for content in contents if isinstance(content, list) for part in content]


def _prompt_images(body: Mapping[str, Any]) -> int:
    return sum(part.get("type") == "image_url" for part in _parts(body["messages"]))


def _fingerprint(endpoint: Endpoint) -> str:
    return f"fp_{hashlib.sha256(endpoint.tag.encode()).hexdigest()[:10]}"
