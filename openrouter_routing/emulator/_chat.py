"""`POST /chat/completions`: from the request to the last byte of the answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from openrouter_routing.emulator._attempts import Routed, route
from openrouter_routing.emulator._chunks import COMMENT, DONE, chunks_of, event
from openrouter_routing.emulator._completions import complete
from openrouter_routing.emulator._generations import remember
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._replies import Pause, Reply, Step, json_reply
from openrouter_routing.emulator._response_cache import find_kept, keep_answer, replayed
from openrouter_routing.emulator._service import Service, Settings
from openrouter_routing.emulator._spoiling import spoil_body, spoil_stream
from openrouter_routing.emulator._tokens import count_prompt_tokens
from openrouter_routing.emulator._validation import check_chat, read_body
from openrouter_routing.endpoint import Endpoint

_MILLISECONDS = 1000


def chat(service: Service, record: RecordedRequest) -> Reply:
    """Answer a chat request.

    Raises:
        ServiceError: The answer is an error.
    """
    body = read_body(record)
    stream = body.get("stream") is True
    scripted = service.scripted(record, stream=stream)
    if scripted is not None:
        return scripted
    check_chat(body)
    if (kept := find_kept(service, record)) is not None:
        routed = kept.routed
        answer, headers = replayed(service, kept)
    else:
        routed = route(service, body, record)
        answer, headers = _answer(service, body, routed), {}
        if routed.fault is None:
            headers = keep_answer(service, record, answer, routed)
    service.spent += Decimal(str(answer["usage"]["cost"]))
    remember(service, answer, routed, record, streamed=stream)
    headers["X-Generation-Id"] = str(answer["id"])
    return _reply(answer, routed, body, headers, service.settings, stream=stream)


def _answer(service: Service, body: Mapping[str, Any], routed: Routed) -> dict[str, Any]:
    answer = {
        "id": service.new_id("gen"),
        "created": int(time.time()),
        **complete(
            body,
            routed.endpoint,
            byok=service.pays_own_key(routed.candidate),
            cached=count_prompt_tokens(body) // 2 if routed.sticky else 0,
        ),
    }
    if routed.metadata is not None:
        answer["openrouter_metadata"] = routed.metadata
    return answer


def _reply(
    answer: Mapping[str, Any],
    routed: Routed,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    settings: Settings,
    *,
    stream: bool,
) -> Reply:
    fault = routed.fault
    if not stream:
        if fault is None:
            return json_reply(answer, headers=headers)
        spoiled = spoil_body(fault, answer, routed.endpoint)
        return replace(spoiled, headers={**headers, **spoiled.headers})
    chunks = list(chunks_of(answer))
    if fault is not None:
        reply = spoil_stream(fault, chunks, routed.endpoint, body, headers)
    else:
        steps: list[Step] = [COMMENT] if settings.comments else []
        first_delay, delay = _delays(routed.endpoint, settings)
        for place, chunk in enumerate(chunks):
            if pause := delay if place else first_delay:
                steps.append(Pause(pause))
            steps.append(event(chunk))
        reply = Reply(200, [*steps, DONE], headers, "text/event-stream", chunked=True)
    if settings.split_bytes is None:
        return reply
    return replace(reply, steps=_split(reply.steps, settings.split_bytes))


def _delays(endpoint: Endpoint, settings: Settings) -> tuple[float, float]:
    """Give the seconds before the first chunk and before each further one."""
    if not settings.paced:
        return settings.chunk_delay, settings.chunk_delay
    latency = endpoint.latency and endpoint.latency.p50
    throughput = endpoint.throughput and endpoint.throughput.p50
    return (latency or 0.0) / _MILLISECONDS, 1 / throughput if throughput else 0.0


def _split(steps: Iterable[Step], size: int) -> Iterable[Step]:
    """Cut every write into pieces, without regard for lines or characters."""

    def pieces() -> Iterator[Step]:
        for step in steps:
            if isinstance(step, bytes):
                yield from (step[start : start + size] for start in range(0, len(step), size))
            else:
                yield step

    return list(pieces()) if isinstance(steps, list) else pieces()
