"""The response cache: same body, same answer, and the headers that say so."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace

from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._replies import Reply
from openrouter_routing.emulator._service import CachedReply, Service

_USUAL_SECONDS = 300.0


def cached_reply(service: Service, record: RecordedRequest) -> Reply | None:
    """Give the kept answer to a request that asks for it, with the headers of a hit.

    The key is the body down to the order of its properties, as at the service.
    """
    if not _wanted(record):
        return None
    key = _key(record)
    if record.headers.get("x-openrouter-cache-clear", "").lower() == "true":
        service.cache.pop(key, None)
    kept = service.cache.get(key)
    age = 0.0 if kept is None else time.monotonic() - kept.stored
    if kept is None or age >= kept.seconds:
        return None
    hit = {
        "X-OpenRouter-Cache-Status": "HIT",
        "X-OpenRouter-Cache-Age": str(int(age)),
        "X-OpenRouter-Cache-TTL": str(int(kept.seconds - age)),
        "X-OpenRouter-Cache-Source-Id": kept.generation,
    }
    return replace(kept.reply, headers={**kept.reply.headers, **hit})


def keep_reply(service: Service, record: RecordedRequest, reply: Reply, generation: str) -> Reply:
    """Keep an answer if the request asks for it, and mark it as a miss."""
    if not _wanted(record):
        return reply
    given = record.headers.get("x-openrouter-cache-ttl", "")
    seconds = float(given) if given.isdigit() else _USUAL_SECONDS
    service.cache[_key(record)] = CachedReply(reply, generation, time.monotonic(), seconds)
    miss = {"X-OpenRouter-Cache-Status": "MISS", "X-OpenRouter-Cache-TTL": str(int(seconds))}
    return replace(reply, headers={**reply.headers, **miss})


def _wanted(record: RecordedRequest) -> bool:
    return record.headers.get("x-openrouter-cache", "").lower() == "true"


def _key(record: RecordedRequest) -> str:
    return hashlib.sha256(record.path.encode() + b"\n" + record.body).hexdigest()
