"""Endpoints and plans for tests, in few words."""

from typing import Any

from openrouter_routing.catalog import Endpoint, Pricing
from openrouter_routing.planning import RoutePlan, plan_route


def endpoint(tag: str, price: float = 1.0, model: str = "a/b", **fields: Any) -> Endpoint:
    pricing = Pricing.from_wire({"prompt": str(price / 1e6), "completion": str(price / 1e6)})
    known = {"context_length": 100_000, "zdr": True, "collects_data": False, "distillable": True}
    return Endpoint(
        model=model,
        provider=tag.partition("/")[0],
        tag=tag,
        pricing=fields.pop("pricing", pricing),
        **{**known, **fields},
    )


def tags(plan: RoutePlan) -> list[str]:
    return [candidate.endpoint.tag for candidate in plan.candidates]


def rules(plan: RoutePlan) -> dict[str, str]:
    return {exclusion.endpoint.tag: exclusion.rule for exclusion in plan.excluded}


def plan(endpoints: list[Endpoint], **request: Any) -> RoutePlan:
    return plan_route({"model": "a/b", **request}, endpoints)


THREE = [endpoint("openai", 3), endpoint("azure", 1), endpoint("groq", 2)]
