"""The response cache: same body, same answer, free of charge, and the headers that say so.

See https://openrouter.ai/docs/guides/features/response-caching
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from openrouter_routing.emulator._attempts import Routed
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._service import KeptAnswer, Service

_USUAL_SECONDS = 300.0


def find_kept(service: Service, record: RecordedRequest) -> KeptAnswer | None:
    """Find the kept answer to a request that asks for it.

    The key is the body down to the order of its properties, as at the service.
    """
    if not _wanted(record):
        return None
    key = _key(record)
    if record.headers.get("x-openrouter-cache-clear", "").lower() == "true":
        service.cache.pop(key, None)
    kept = service.cache.get(key)
    return None if kept is None or kept.age >= kept.seconds else kept


def replayed(service: Service, kept: KeptAnswer) -> tuple[dict[str, Any], dict[str, str]]:
    """Give a kept answer again: a generation of its own, for which nothing is billed, with the headers of a hit."""
    answer = {
        **kept.answer,
        "id": service.new_id("gen"),
        "created": int(time.time()),
        "usage": _nothing_of(kept.answer["usage"]),
    }
    answer.pop("openrouter_metadata", None)
    return answer, {
        "X-OpenRouter-Cache-Status": "HIT",
        "X-OpenRouter-Cache-Age": str(int(kept.age)),
        "X-OpenRouter-Cache-TTL": str(int(kept.seconds - kept.age)),
        "X-OpenRouter-Cache-Source-Id": str(kept.answer["id"]),
    }


def keep_answer(
    service: Service, record: RecordedRequest, answer: Mapping[str, Any], routed: Routed
) -> dict[str, str]:
    """Keep an answer if the request asks for it; return the headers of a miss."""
    if not _wanted(record):
        return {}
    given = record.headers.get("x-openrouter-cache-ttl", "")
    seconds = float(given) if given.isdigit() else _USUAL_SECONDS
    service.cache[_key(record)] = KeptAnswer(answer, routed, time.monotonic(), seconds)
    return {"X-OpenRouter-Cache-Status": "MISS", "X-OpenRouter-Cache-TTL": str(int(seconds))}


def _nothing_of(usage: Any) -> Any:
    if isinstance(usage, Mapping):
        return {name: _nothing_of(value) for name, value in usage.items()}
    return usage if usage is None or isinstance(usage, bool) else 0


def _wanted(record: RecordedRequest) -> bool:
    return record.headers.get("x-openrouter-cache", "").lower() == "true"


def _key(record: RecordedRequest) -> str:
    return hashlib.sha256(record.path.encode() + b"\n" + record.body).hexdigest()
