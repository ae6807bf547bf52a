"""`POST /embeddings` and `POST /rerank`: meaning measured by the words that texts share."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from openrouter_routing.emulator._attempts import Routed, route
from openrouter_routing.emulator._errors import ServiceError
from openrouter_routing.emulator._finding import stems
from openrouter_routing.emulator._generations import remember
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._replies import Reply, json_reply
from openrouter_routing.emulator._service import Service
from openrouter_routing.emulator._spoiling import spoil_body
from openrouter_routing.emulator._tokens import count_tokens
from openrouter_routing.emulator._validation import check_texts, read_body

_DIMENSIONS: Mapping[str, int] = {"qwen/qwen3-embedding-8b": 4096}
_USUAL_DIMENSIONS = 1536


def embed(text: str, dimensions: int) -> list[float]:
    """Turn a text into a vector of length one: each word adds to one of its numbers.

    Texts that share words get similar vectors, and the same text always the same one.

    Args:
        text: The text.
        dimensions: How many numbers.
    """
    vector = [0.0] * dimensions
    for word in stems(text) or {text}:
        digest = hashlib.sha256(word.encode()).digest()
        position = int.from_bytes(digest[:4], "big") % dimensions
        vector[position] += 1.0 if digest[4] % 2 else -1.0
    length = math.sqrt(sum(number * number for number in vector)) or 1.0
    return [number / length for number in vector]


def embeddings(service: Service, record: RecordedRequest) -> Reply:
    """Answer an embedding request.

    Raises:
        ServiceError: The answer is an error.
    """
    body = read_body(record)
    scripted = service.scripted(record, stream=False)
    if scripted is not None:
        return scripted
    texts = check_texts(body, "input")
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise ServiceError(400, f"encoding_format: expected float or base64, got {encoding!r}")
    dimensions = body.get("dimensions")
    if dimensions is not None and (not isinstance(dimensions, int) or dimensions < 1):
        raise ServiceError(400, f"dimensions: expected a whole number from 1, got {dimensions!r}")
    routed = route(service, body, record)
    size = dimensions or _DIMENSIONS.get(routed.endpoint.model, _USUAL_DIMENSIONS)
    vectors = [embed(text, size) for text in texts]
    tokens = sum(count_tokens(text) for text in texts)
    cost = float(routed.endpoint.pricing.prompt_cost(tokens))
    answer = {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": vector if encoding == "float" else _packed(vector),
            }
            for index, vector in enumerate(vectors)
        ],
        "usage": _usage(service, routed, tokens, cost),
    }
    return _answered(service, record, routed, answer, kind="embeddings")


def rerank(service: Service, record: RecordedRequest) -> Reply:
    """Answer a rerank request.

    Raises:
        ServiceError: The answer is an error.
    """
    body = read_body(record)
    scripted = service.scripted(record, stream=False)
    if scripted is not None:
        return scripted
    query = body.get("query")
    if not isinstance(query, str) or not query:
        raise ServiceError(400, f"query: expected a text, got {query!r}")
    documents = check_texts(body, "documents")
    top = body.get("top_n")
    if top is not None and (not isinstance(top, int) or isinstance(top, bool) or top < 1):
        raise ServiceError(400, f"top_n: expected a whole number from 1, got {top!r}")
    routed = route(service, body, record)
    scored = sorted(
        ((relevance(query, text), index, text) for index, text in enumerate(documents)),
        key=lambda entry: (-entry[0], entry[1]),
    )
    cost = float(routed.endpoint.pricing.prompt_cost(0))
    tokens = count_tokens(query) + sum(count_tokens(text) for text in documents)
    service.spent += Decimal(str(cost))
    answer = {
        "results": [
            {"index": index, "relevance_score": score, "document": {"text": text}}
            for score, index, text in scored[:top]
        ],
        "usage": {"cost": cost, "search_units": 1, "total_tokens": tokens},
    }
    return _answered(service, record, routed, answer, kind="rerank")


def relevance(query: str, text: str) -> float:
    """Score a text against a query: the share of the query's words it has, from 0 to 1."""
    asked, found = stems(query), stems(text)
    if not asked or not found:
        return 0.0
    shared = len(asked & found)
    # Of two texts with the same words of the query, the one with less else is better.
    return round(shared / len(asked) * 0.9 + shared / len(asked | found) * 0.1, 6)


def _answered(
    service: Service,
    record: RecordedRequest,
    routed: Routed,
    answer: Mapping[str, Any],
    *,
    kind: str,
) -> Reply:
    identity = service.new_id("gen")
    provider = routed.endpoint.provider
    whole = {"id": identity, "model": routed.endpoint.model, "provider": provider, **answer}
    if routed.metadata is not None:
        whole["openrouter_metadata"] = routed.metadata
    remember(service, whole, routed, record, streamed=False, kind=kind)
    headers = {"X-Generation-Id": identity}
    if routed.fault is None:
        return json_reply(whole, headers=headers)
    spoiled = spoil_body(routed.fault, whole, routed.endpoint)
    return replace(spoiled, headers={**headers, **spoiled.headers})


def _usage(service: Service, routed: Routed, tokens: int, cost: float) -> dict[str, object]:
    byok = service.pays_own_key(routed.candidate)
    paid = 0.0 if byok else cost
    service.spent += Decimal(str(paid))
    return {
        "prompt_tokens": tokens,
        "total_tokens": tokens,
        "cost": paid,
        "is_byok": byok,
        "cost_details": {
            "upstream_inference_cost": cost if byok else None,
            "upstream_inference_prompt_cost": cost,
            "upstream_inference_completions_cost": 0.0,
        },
    }


def _packed(vector: Sequence[float]) -> str:
    """Write a vector as the wire's base64: 32-bit numbers, little end first."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
