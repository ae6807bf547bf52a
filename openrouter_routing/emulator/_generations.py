"""`GET /generation`: what an answer was, known a moment after it was given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from openrouter_routing.emulator._attempts import Routed
from openrouter_routing.emulator._errors import ServiceError
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._service import Generation, Service


def remember(
    service: Service,
    answer: Mapping[str, Any],
    routed: Routed,
    record: RecordedRequest,
    *,
    streamed: bool,
    kind: str = "completions",
) -> None:
    """Write down an answer for `/generation`.

    Args:
        service: Where it is kept.
        answer: The wire body.
        routed: How the request was routed.
        record: The request.
        streamed: Whether it was streamed.
        kind: The API it came through.
    """
    usage: Mapping[str, Any] = answer.get("usage") or {}
    choice: Mapping[str, Any] = (answer.get("choices") or [{}])[0]
    details: Mapping[str, Any] = usage.get("completion_tokens_details") or {}
    cost: float = usage.get("cost") or 0.0
    upstream = (usage.get("cost_details") or {}).get("upstream_inference_cost")
    speed = routed.endpoint.throughput
    latency = routed.endpoint.latency
    completion: int = usage.get("completion_tokens") or 0
    tokens_per_second = speed.p50 if speed is not None and speed.p50 else 1000.0
    prompt: int = usage.get("prompt_tokens") or usage.get("total_tokens") or 0
    wire: dict[str, object] = {
        "id": answer["id"],
        "upstream_id": f"upstream-{answer['id']}",
        "total_cost": cost,
        "cache_discount": None,
        "upstream_inference_cost": upstream or 0.0,
        "created_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "model": answer["model"],
        "app_id": None,
        "streamed": streamed,
        "cancelled": False,
        "provider_name": routed.endpoint.provider,
        "latency": latency.p50 if latency is not None else None,
        "moderation_latency": None,
        "generation_time": completion / tokens_per_second * 1000,
        "finish_reason": choice.get("finish_reason"),
        "native_finish_reason": choice.get("native_finish_reason"),
        "service_tier": answer.get("service_tier"),
        "tokens_prompt": prompt,
        "tokens_completion": completion,
        "native_tokens_prompt": prompt,
        "native_tokens_completion": completion,
        "native_tokens_completion_images": details.get("image_tokens", 0),
        "native_tokens_reasoning": details.get("reasoning_tokens", 0),
        "native_tokens_cached": (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
        "num_media_prompt": None,
        "num_input_audio_prompt": None,
        "num_media_completion": 0,
        "num_search_results": None,
        "num_fetches": None,
        "web_search_engine": None,
        "origin": record.headers.get("http-referer", ""),
        "usage": cost,
        "is_byok": bool(usage.get("is_byok")),
        "external_user": None,
        "api_type": kind,
        "preset_id": None,
        "router": None,
        "provider_responses": [
            {
                "provider_name": attempt.candidate.endpoint.provider,
                "model_permaslug": attempt.candidate.model,
                "status": attempt.status,
                "is_byok": False,
            }
            for attempt in routed.attempts
        ],
        "user_agent": record.headers.get("user-agent"),
        "http_referer": record.headers.get("http-referer"),
        "data_region": "global",
        "workspace_id": None,
        "session_id": record.headers.get("x-session-id"),
        "request_id": None,
        "response_cache_source_id": None,
    }
    service.generations[str(answer["id"])] = Generation(wire, record)


def find_generation(service: Service, identity: str | None) -> dict[str, object]:
    """Look an answer up; the first looks find nothing yet, as at the service.

    Raises:
        ServiceError: 400 without an id, 404 if it is not known or not ready.
    """
    if not identity:
        raise ServiceError(400, "id: missing", metadata={"field": "id"})
    generation = service.generations.get(identity)
    if generation is None:
        raise ServiceError(404, f"Generation {identity} not found")
    generation.lookups += 1
    if generation.lookups <= service.settings.generation_lookups:
        raise ServiceError(404, f"Generation {identity} not found")
    return {"data": {**generation.wire, "cancelled": generation.request.disconnected}}
