"""The paths that only tell: models, endpoints, providers, the key, the credits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openrouter_routing.catalog import Model
from openrouter_routing.emulator._errors import ServiceError
from openrouter_routing.emulator._service import CREDITS, Service
from openrouter_routing.endpoint import Endpoint
from openrouter_routing.providers import known_providers, provider_slug


def list_models(service: Service, query: Mapping[str, str]) -> dict[str, object]:
    """List the models, by default those that write text; filters and pages as documented.

    Raises:
        ServiceError: 400, a page that is no number.
    """
    parameters = [p for p in query.get("supported_parameters", "").split(",") if p]
    models = [
        model
        for model in _writing(service, query)
        if all(_supports(model, parameter) for parameter in parameters)
    ]
    offset, limit = _number(query, "offset", 0), _number(query, "limit", len(models))
    page = models[offset : offset + limit]
    more = f"/api/v1/models?offset={offset + limit}&limit={limit}"
    following = more if offset + limit < len(models) else None
    return _models_page(page, len(models), following)


def count_models(service: Service, query: Mapping[str, str]) -> dict[str, object]:
    """Count the models, by default those that write text."""
    return {"data": {"count": len(_writing(service, query))}}


def list_embedding_models(service: Service) -> dict[str, object]:
    """List the models that make embeddings."""
    models = [m for m in service.catalog.models if "embeddings" in m.output_modalities]
    return _models_page(models, len(models), None)


def show_model(service: Service, identity: str) -> dict[str, object]:
    """Show one model.

    Raises:
        ServiceError: 404, there is none.
    """
    return {"data": _find(service, identity).to_wire()}


def list_endpoints(service: Service, identity: str) -> dict[str, object]:
    """List the endpoints of one model.

    Raises:
        ServiceError: 404, there is none.
    """
    model = _find(service, identity)
    wire = model.to_wire()
    head = {name: wire.get(name) for name in ("id", "name", "created", "description")}
    endpoints = [_endpoint(endpoint) for endpoint in model.endpoints]
    return {"data": {**head, "architecture": wire.get("architecture"), "endpoints": endpoints}}


def list_zdr_endpoints(service: Service) -> dict[str, object]:
    """List the endpoints that retain no data."""
    return {"data": [_endpoint(e) for e in service.catalog.endpoints if e.zdr]}


def list_providers(service: Service) -> dict[str, object]:
    """List the providers of the catalog."""
    names = known_providers()
    slugs = {}
    for endpoint in service.catalog.endpoints:
        slug = provider_slug(endpoint.tag) or endpoint.tag.partition("/")[0]
        slugs[slug] = names.get(slug, endpoint.provider)
    return {
        "data": [
            {
                "name": name,
                "slug": slug,
                "privacy_policy_url": f"https://example.com/{slug}/privacy",
                "terms_of_service_url": f"https://example.com/{slug}/terms",
                "status_page_url": None,
                "headquarters": None,
                "datacenters": None,
            }
            for slug, name in sorted(slugs.items())
        ]
    }


def show_key(service: Service) -> dict[str, object]:
    """Show the key that asks."""
    spent = float(service.spent)
    periods = {f"byok_usage{period}": 0.0 for period in _PERIODS}
    usage = {f"usage{period}": spent for period in _PERIODS}
    return {
        "data": {
            "label": "sk-or-v1-emu...ted",
            **usage,
            **periods,
            "limit": None,
            "limit_remaining": None,
            "limit_reset": None,
            "include_byok_in_limit": False,
            "is_free_tier": False,
            "is_management_key": False,
            "is_provisioning_key": False,
            "creator_user_id": None,
            "allowed_data_regions": ["global"],
            "budgets": [],
            "effective_budget": None,
            "organization_id": None,
            "workspace_id": None,
            "free_model_daily_requests": {"limit": 1000, "remaining": 1000, "used": 0},
            "expires_at": None,
            "rate_limit": {"requests": -1, "interval": "10s", "note": "not limited here"},
        }
    }


def show_credits(service: Service) -> dict[str, object]:
    """Show what the account has and has spent, in USD."""
    return {"data": {"total_credits": float(CREDITS), "total_usage": float(service.spent)}}


_PERIODS = ("", "_daily", "_weekly", "_monthly")


def _writing(service: Service, query: Mapping[str, str]) -> list[Model]:
    """Give the models whose output is of a wanted kind."""
    wanted = query.get("output_modalities", "text")
    return [
        model
        for model in service.catalog.models
        if wanted == "all" or set(wanted.split(",")) & set(model.output_modalities)
    ]


def _models_page(models: Sequence[Model], total: int, following: str | None) -> dict[str, object]:
    data = [model.to_wire() for model in models]
    return {"data": data, "total_count": total, "links": {"next": following}}


def _endpoint(endpoint: Endpoint) -> dict[str, object]:
    """Write an endpoint with the fields of the wire that a catalog need not have."""
    choice = "tool_choice" in endpoint.supported_parameters
    extra = {
        "native_tools": {},
        "supports_diarization": False,
        "supports_tool_choice": dict.fromkeys(("auto", "none", "required", "function"), choice),
    }
    return extra | endpoint.to_wire()


def _find(service: Service, identity: str) -> Model:
    model = service.catalog.find(identity)
    if model is None:
        near = service.catalog.nearest(identity)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ServiceError(404, f"Model {identity} not found{hint}")
    return model


def _supports(model: Model, parameter: str) -> bool:
    return any(parameter in endpoint.supported_parameters for endpoint in model.endpoints)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not value.isdigit():
        raise ServiceError(400, f"{name}: expected a whole number, got {value!r}")
    return int(value)
