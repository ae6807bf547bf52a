"""Routing one request: plan, draw, try one endpoint after the other, and say how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openrouter_routing.emulator._errors import (
    ServiceError,
    availability_error,
    nobody_left_error,
)
from openrouter_routing.emulator._faults import FAILURES, Fault
from openrouter_routing.emulator._metadata import Attempt, router_metadata, wants_metadata
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._service import Service
from openrouter_routing.endpoint import Endpoint
from openrouter_routing.planning import Candidate, RoutePlan, RouteRequestError, plan_route

_MODALITIES: Mapping[str, str] = {"/embeddings": "embeddings", "/rerank": "rerank"}


@dataclass(frozen=True, slots=True)
class Routed:
    """A request that reached an endpoint.

    Args:
        candidate: Who answers.
        fault: What spoils the answer, if anything.
        attempts: What was tried, this endpoint last.
        metadata: `openrouter_metadata`, if the request asked for it.
        sticky: Whether a session led here again.
    """

    candidate: Candidate
    fault: Fault | None
    attempts: tuple[Attempt, ...]
    metadata: Mapping[str, object] | None
    sticky: bool

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that answers."""
        return self.candidate.endpoint


def route(service: Service, body: Mapping[str, object], record: RecordedRequest) -> Routed:
    """Find the endpoint that answers a request.

    Raises:
        ServiceError: Nobody may, or nobody can.
    """
    plan = _plan(service, body, record.path)
    wanted = wants_metadata(record.headers)
    region = service.settings.region
    if not plan.candidates:
        metadata = router_metadata(plan, (), region=region, byok=False, served=None)
        raise _nobody(service, plan, record.path, metadata if wanted else None)
    session = _session(body, record)
    order = plan.attempts(service.random)
    remembered = service.sessions.get(session) if session else None
    again = [c for c in order if f"{c.model} {c.endpoint.tag}" == remembered]
    order = (*again, *(candidate for candidate in order if candidate not in again))
    attempts: list[Attempt] = []
    failures: list[Fault] = []
    for candidate in order:
        fault = service.faults.hit(candidate.endpoint, record.path)
        status = None if fault is None else fault.failure_status
        if fault is None or status is None:
            attempts.append(Attempt(candidate, 200))
            if session:
                service.sessions[session] = f"{candidate.model} {candidate.endpoint.tag}"
            byok = service.pays_own_key(candidate)
            metadata = router_metadata(plan, attempts, region=region, byok=byok, served=candidate)
            return Routed(
                candidate, fault, tuple(attempts), metadata if wanted else None, bool(again)
            )
        failures.append(fault)
        _, kind, message = FAILURES[fault.kind]
        said = fault.details.get("message", message)
        attempts.append(Attempt(candidate, status, kind, str(said)))
        if not fault.falls_back:
            break
    metadata = router_metadata(plan, attempts, region=region, byok=False, served=None)
    raise _failed(plan, attempts, failures[-1], metadata if wanted else None)


def _plan(service: Service, body: Mapping[str, object], path: str) -> RoutePlan:
    endpoints = service.endpoints(_MODALITIES.get(path, "text"))
    try:
        return plan_route(body, endpoints, presets=service.settings.presets)
    except RouteRequestError as error:
        detail = {"field": error.field}
        raise ServiceError(400, str(error), metadata=detail) from None


def _nobody(
    service: Service, plan: RoutePlan, path: str, metadata: Mapping[str, object] | None
) -> ServiceError:
    if any(exclusion.rule != "model" for exclusion in plan.excluded):
        return nobody_left_error(plan, metadata)
    asked = plan.requested[0]
    if (known := service.catalog.find(asked.partition(":")[0])) is not None:
        if asked.endswith(":free"):
            return availability_error(
                "free_variant_ended",
                plan.requested,
                router=metadata,
                fallback_models=[known.id],
            )
        if known.endpoints:
            constraint = {"field": "model", "detail": f"{known.id} does not serve {path}"}
            return availability_error(
                "wrong_endpoint", plan.requested, router=metadata, constraint=constraint
            )
        return availability_error("no_endpoints", plan.requested, router=metadata)
    return availability_error(
        "model_not_found",
        plan.requested,
        router=metadata,
        fallback_models=service.catalog.nearest(asked),
    )


def _failed(
    plan: RoutePlan,
    attempts: Sequence[Attempt],
    fault: Fault,
    metadata: Mapping[str, object] | None,
) -> ServiceError:
    last = attempts[-1]
    details: dict[str, object] = {
        "provider_name": last.candidate.endpoint.provider,
        "raw": last.message,
        "provider_code": str(fault.details.get("provider_code", last.status)),
        "previous_errors": [
            {"provider": a.candidate.endpoint.provider, "code": a.status, "status": a.status}
            for a in attempts[:-1]
        ],
    }
    if fault.kind == "moderation":
        reasons = fault.details.get("reasons", ["harassment"])
        details |= {"reasons": reasons, "flagged_input": fault.details.get("flagged_input", "...")}
    code = {429: "capacity_exhausted", 503: "temporarily_unavailable"}.get(last.status)
    availability = None
    headers: dict[str, str] = {}
    if code is not None:
        known = availability_error(code, plan.requested, retry_after=fault.retry_after)
        availability, headers = known.availability, dict(known.headers)
    elif fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    kind = str(fault.details.get("error_type", last.error_type))
    return ServiceError(
        last.status,
        "Provider returned error",
        error_type=kind,
        metadata=details,
        availability=availability,
        router=metadata,
        headers=headers,
    )


def _session(body: Mapping[str, object], record: RecordedRequest) -> str | None:
    session = body.get("session_id") or record.headers.get("x-session-id")
    return session if isinstance(session, str) else None
