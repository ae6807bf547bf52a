"""Error bodies as the service writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openrouter_routing.emulator._replies import Reply, json_reply
from openrouter_routing.planning import Exclusion, RoutePlan

DOCS = "https://openrouter.ai/docs/features/provider-routing"
USER = "user_emulator"

ERROR_TYPES: Mapping[int, str] = {
    400: "invalid_request",
    401: "authentication",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    408: "timeout",
    413: "payload_too_large",
    422: "unprocessable",
    429: "rate_limit_exceeded",
    500: "server",
    502: "provider_unavailable",
    503: "provider_unavailable",
    504: "timeout",
    524: "timeout",
    529: "provider_overloaded",
}
AVAILABILITY: Mapping[str, tuple[int, bool, str]] = {
    "model_not_found": (400, False, "{model} is not a valid model ID"),
    "wrong_endpoint": (400, False, "{model} cannot be used with this API endpoint"),
    "no_endpoints": (404, False, "No endpoints found for {model}."),
    "model_deprecated": (404, False, "{model} is deprecated."),
    "model_unavailable_upstream": (404, False, "{model} is no longer offered by its provider."),
    "capacity_exhausted": (429, True, "{model} is temporarily rate-limited upstream."),
    "temporarily_unavailable": (503, True, "No provider of {model} is available right now."),
    "region_restricted": (403, False, "{model} is not available in your region."),
    "privacy_restricted": (404, False, "No endpoints of {model} match your data policy."),
    "constraint_filtered": (404, False, "No endpoints of {model} meet the routing requirements."),
    "free_variant_ended": (404, False, "The free period of {model} has ended."),
}
_EXCLUDED_BY: Mapping[str, str] = {
    "zdr": "data_policy:zdr",
    "data_collection": "data_policy:training",
    "quantizations": "quantization",
    "context_length": "context_length",
    "max_tokens": "context_length",
    "require_parameters": "require_parameters",
    "tools": "require_parameters",
    "response_format": "require_parameters",
    "verbosity": "require_parameters",
    "only": "allowed_providers",
    "ignore": "allowed_providers",
    "allow_fallbacks": "allowed_providers",
}


@dataclass(eq=False)
class ServiceError(Exception):
    """A request that ends in an error answer.

    Args:
        status: The HTTP status, also the error's code.
        message: For people.
        error_type: The stable type; by status when None.
        metadata: The error's `metadata`.
        availability: The error's `availability`.
        router: `openrouter_metadata`, where routing had begun.
        headers: Such as Retry-After.
    """

    status: int
    message: str
    error_type: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    availability: Mapping[str, object] | None = None
    router: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """Write the JSON body."""
        kind = self.error_type or ERROR_TYPES.get(self.status, "unmapped")
        error: dict[str, object] = {"code": self.status, "message": self.message}
        error["metadata"] = {**self.metadata, "error_type": kind}
        error |= {"error_type": kind, "http_status": self.status}
        if self.availability is not None:
            error["availability"] = dict(self.availability)
        body: dict[str, object] = {"error": error, "user_id": USER}
        if self.router is not None:
            body["openrouter_metadata"] = dict(self.router)
        return body

    def reply(self, headers: Mapping[str, str] | None = None) -> Reply:
        """Answer with this error."""
        return json_reply(
            self.body(), status=self.status, headers={**(headers or {}), **self.headers}
        )


def availability_error(
    code: str,
    models: Sequence[str],
    *,
    message: str | None = None,
    retry_after: int | None = None,
    router: Mapping[str, object] | None = None,
    **details: object,
) -> ServiceError:
    """Build the error for one of the availability codes.

    Args:
        code: One of `AVAILABILITY`.
        models: The requested models.
        message: Instead of the usual one.
        retry_after: In seconds, for retryable codes.
        router: The router's metadata.
        details: `affected_providers`, `excluded_by`, `fallback_models`, `constraint`, ...
    """
    status, retryable, text = AVAILABILITY[code]
    availability: dict[str, object] = {
        "code": code,
        "retryable": retryable,
        "requested_models": list(models),
        **{name: value for name, value in details.items() if value},
        "docs_url": DOCS,
    }
    headers: dict[str, str] = {}
    if retry_after is not None:
        availability["retry_after"] = retry_after
        headers["Retry-After"] = str(retry_after)
    return ServiceError(
        status,
        message or text.format(model=models[0] if models else "the model"),
        availability=availability,
        router=router,
        headers=headers,
    )


def nobody_left_error(plan: RoutePlan, router: Mapping[str, object] | None) -> ServiceError:
    """Say why a plan has no candidate: which rules excluded the endpoints of the models."""
    relevant = [exclusion for exclusion in plan.excluded if exclusion.rule != "model"]
    # Tiers that nobody asked for are never part of the reason, unless they are all of it.
    relevant = [e for e in relevant if e.rule != "service_tier"] or relevant
    if not relevant:
        return availability_error("no_endpoints", plan.requested, router=router)
    excluded_by = dict.fromkeys(
        _EXCLUDED_BY.get(e.rule.partition(".")[0], e.rule.partition(".")[0]) for e in relevant
    )
    private = all(reason.startswith("data_policy") for reason in excluded_by)
    first = relevant[0]
    return availability_error(
        "privacy_restricted" if private else "constraint_filtered",
        plan.requested,
        router=router,
        excluded_by=list(excluded_by),
        affected_providers=list(dict.fromkeys(e.endpoint.provider for e in relevant)),
        constraint={"field": first.rule, "detail": _detail(first)},
    )


def _detail(exclusion: Exclusion) -> str:
    if exclusion.rule in ("only", "ignore"):
        verb = "is not in" if exclusion.rule == "only" else "is in"
        return f"{exclusion.endpoint.tag} {verb} {exclusion.rule}"
    return f"{exclusion.endpoint.tag} has {exclusion.value}, asked was {exclusion.limit}"
