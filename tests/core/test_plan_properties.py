import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_routing.catalog import Endpoint, PercentileStats
from openrouter_routing.planning import plan_route

from .plans import endpoint, plan

PROVIDERS = [
    "openai",
    "azure",
    "groq",
    "deepinfra/fp8",
    "deepinfra/fp4",
    "openai/flex",
    "openai/priority",
]
MODELS = ["a/b", "c/d", "e/f:free"]
optional_floats = st.none() | st.floats(1, 3000)
percentiles = st.none() | st.builds(PercentileStats, p50=optional_floats, p90=optional_floats)
endpoint_lists = st.lists(
    st.builds(
        endpoint,
        tag=st.sampled_from(PROVIDERS),
        price=st.sampled_from([0, 0.1, 1, 1, 2, 30]),
        model=st.sampled_from(MODELS),
        context_length=st.sampled_from([None, 1000, 100_000]),
        max_completion_tokens=st.sampled_from([None, 500, 5000]),
        quantization=st.sampled_from([None, "fp8", "fp4"]),
        supported_parameters=st.frozensets(st.sampled_from(["tools", "response_format", "seed"])),
        status=st.sampled_from([0, 0, -2]),
        uptime_last_5m=st.sampled_from([None, 99.0, 50.0]),
        latency=percentiles,
        throughput=percentiles,
        zdr=st.sampled_from([None, True, False]),
        collects_data=st.sampled_from([None, True, False]),
        distillable=st.sampled_from([None, True, False]),
        tool_success_rate=st.sampled_from([None, 0.5, 0.9]),
    ),
    max_size=12,
)
names = st.lists(st.sampled_from([*PROVIDERS, "deepinfra", "nobody"]), min_size=1, max_size=3)
FILTERS: dict[str, st.SearchStrategy[Any]] = {
    "only": names,
    "ignore": names,
    "quantizations": st.lists(st.sampled_from(["fp8", "fp4", "unknown"]), min_size=1),
    "max_price": st.fixed_dictionaries({"prompt": st.sampled_from([0.5, "1", 20])}),
    "data_collection": st.just("deny"),
    "zdr": st.just(True),
    "enforce_distillable_text": st.just(True),
    "require_parameters": st.just(True),
}
orderings = st.fixed_dictionaries(
    {},
    optional={
        "order": names,
        "sort": st.sampled_from(
            ["price", "throughput", "latency", "exacto", {"by": "price", "partition": "none"}]
        ),
        "preferred_min_throughput": st.sampled_from([50, {"p50": 100, "p90": 10}]),
        "preferred_max_latency": st.sampled_from([1, {"p90": 2}]),
    },
)
bodies = st.fixed_dictionaries(
    {"model": st.sampled_from([*MODELS, "a/b:nitro", "c/d:floor", "x/y"]), "provider": orderings},
    optional={
        "models": st.lists(st.sampled_from(MODELS), max_size=2),
        "seed": st.just(1),
        "max_tokens": st.sampled_from([100, 2000]),
        "service_tier": st.sampled_from(["flex", "priority", "default", "auto"]),
    },
)


def filtered(body: dict[str, Any], filters: dict[str, Any]) -> dict[str, Any]:
    return {**body, "provider": {**body["provider"], **filters}}


@given(
    endpoint_lists,
    bodies,
    st.fixed_dictionaries({}, optional=FILTERS),
    st.booleans(),
    st.booleans(),
)
def test_candidates_and_excluded_partition_the_endpoints(
    endpoints: list[Endpoint],
    body: dict[str, Any],
    filters: dict[str, Any],
    fallbacks: bool,
    tools: bool,
) -> None:
    request = filtered(body, {**filters, "allow_fallbacks": fallbacks})
    request |= {"tools": [{}]} if tools else {}
    result = plan_route(request, endpoints)
    seen = [c.endpoint for c in result.candidates] + [e.endpoint for e in result.excluded]
    assert sorted(map(id, seen)) == sorted(map(id, endpoints))
    total = sum(candidate.probability for candidate in result.candidates)
    assert total == pytest.approx(1.0 if result.candidates else 0.0)
    tried = result.attempts(random.Random(0))
    if fallbacks:
        assert sorted(map(id, tried)) == sorted(map(id, result.candidates))
    assert {id(candidate) for candidate in tried} <= {id(c) for c in result.candidates}
    json.dumps(result.to_dict())


@given(
    endpoint_lists,
    bodies,
    st.fixed_dictionaries({}, optional=FILTERS),
    st.sampled_from(sorted(FILTERS)),
    st.data(),
)
def test_adding_a_filter_never_adds_a_candidate(
    endpoints: list[Endpoint],
    body: dict[str, Any],
    filters: dict[str, Any],
    added: str,
    data: st.DataObject,
) -> None:
    without = {name: value for name, value in filters.items() if name != added}
    value = data.draw(FILTERS[added])
    if added == "only":
        # Naming a service tier in `only` asks for it, so it does more than filter.
        value = [name for name in value if name not in ("openai/flex", "openai/priority")] or [
            "groq"
        ]
    before = plan_route(filtered(body, without), endpoints)
    after = plan_route(filtered(body, {**without, added: value}), endpoints)
    assert {id(c.endpoint) for c in after.candidates} <= {id(c.endpoint) for c in before.candidates}


@given(endpoint_lists, bodies)
def test_order_is_stable_between_equals(endpoints: list[Endpoint], body: dict[str, Any]) -> None:
    twice = [
        Endpoint(**{f: getattr(e, f) for f in Endpoint.__slots__}) for e in endpoints for _ in "ab"
    ]
    positions = {id(e): index for index, e in enumerate(twice)}
    result = plan_route(body, twice)
    placed = [positions[id(c.endpoint)] for c in result.candidates]
    for index in range(0, len(twice), 2):
        if index in placed:
            assert placed.index(index) < placed.index(index + 1)
    assert plan_route(body, twice) == result


@settings(max_examples=30)
@given(endpoint_lists, bodies)
def test_planning_changes_nothing_it_was_given(
    endpoints: list[Endpoint], body: dict[str, Any]
) -> None:
    before = json.dumps(body)
    plan_route(body, endpoints)
    assert json.dumps(body) == before


def test_planning_reads_each_endpoint_once_so_that_a_thousand_take_no_time() -> None:
    # A bound on work, not on time: steps counted by a profiler do not depend on the machine.
    import sys

    def steps(count: int) -> int:
        endpoints = [endpoint(f"cloud{number}", number % 7 + 1) for number in range(count)]
        calls = 0

        def trace(*_: object) -> None:
            nonlocal calls
            calls += 1

        plan(endpoints)
        sys.setprofile(trace)
        try:
            plan(endpoints)
        finally:
            sys.setprofile(None)
        return calls

    assert steps(2000) < steps(1000) * 2.2
