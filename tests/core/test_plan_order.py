import random
from collections import Counter

import pytest

from openrouter_routing.catalog import PercentileStats
from openrouter_routing.planning import plan_route

from .plans import THREE, endpoint, plan, rules, tags


def test_without_preferences_the_first_is_drawn_by_the_inverse_square_of_the_price() -> None:
    result = plan(THREE)
    assert tags(result) == ["azure", "groq", "openai"]
    assert result.load_balanced
    weights = [1.0, 1 / 4, 1 / 9]
    expected = [weight / sum(weights) for weight in weights]
    assert [c.probability for c in result.candidates] == pytest.approx(expected)


def test_free_endpoints_share_the_first_pick_evenly() -> None:
    result = plan([endpoint("openai", 0), endpoint("azure", 0), endpoint("groq", 1)])
    assert [c.probability for c in result.candidates] == [0.5, 0.5, 0.0]


def test_the_seeded_draw_follows_the_chances_and_repeats() -> None:
    result = plan(THREE)
    first = Counter(result.attempts(random.Random(seed))[0].endpoint.tag for seed in range(2000))
    for candidate in result.candidates:
        assert first[candidate.endpoint.tag] / 2000 == pytest.approx(
            candidate.probability, abs=0.04
        )
    drawn = result.attempts(random.Random(5))
    assert drawn == result.attempts(random.Random(5))
    assert sorted(c.endpoint.tag for c in drawn) == sorted(tags(result))
    rest = [c.endpoint.tag for c in drawn[1:]]
    assert rest == [tag for tag in tags(result) if tag in rest]


def test_endpoints_with_a_recent_outage_wait_behind_the_healthy_ones() -> None:
    result = plan(
        [endpoint("openai", 1, uptime_last_5m=80.0), endpoint("azure", 5, status=-2), *THREE[2:]]
    )
    assert tags(result) == ["groq", "openai", "azure"]
    assert [c.probability for c in result.candidates] == [1.0, 0.0, 0.0]
    told = plan_route({"model": "a/b"}, THREE, outages=["azure"])
    assert tags(told) == ["groq", "openai", "azure"]


def test_order_comes_first_as_listed_and_the_rest_are_fallbacks() -> None:
    result = plan(THREE, provider={"order": ["openai", "GROQ"]})
    assert tags(result) == ["openai", "groq", "azure"]
    assert not result.load_balanced
    assert [c.probability for c in result.candidates] == [1.0, 0.0, 0.0]
    assert tags(plan(THREE, provider={"order": ["openai"], "sort": "price"})) == [
        "openai",
        "azure",
        "groq",
    ]


def test_order_without_fallbacks_leaves_only_what_is_listed() -> None:
    result = plan(THREE, provider={"order": ["openai", "groq"], "allow_fallbacks": False})
    assert tags(result) == ["openai", "groq"]
    assert rules(result) == {"azure": "allow_fallbacks"}


def test_an_order_that_nobody_matches_leaves_the_usual_balancing() -> None:
    assert plan(THREE, provider={"order": ["cerebras"]}).load_balanced
    none = plan(THREE, provider={"order": ["cerebras"], "allow_fallbacks": False})
    assert tags(none) == []


def test_without_fallbacks_a_sort_leaves_the_top_endpoint_and_a_draw_the_drawn_one() -> None:
    assert tags(plan(THREE, provider={"sort": "price", "allow_fallbacks": False})) == ["azure"]
    drawn = plan(THREE, provider={"allow_fallbacks": False})
    assert len(drawn.attempts(random.Random(1))) == 1
    assert sum(c.probability for c in drawn.candidates) == pytest.approx(1)


def test_exacto_sorts_by_the_rate_of_good_tool_calls() -> None:
    rated = [
        endpoint("openai", 1),
        endpoint("azure", 2, tool_success_rate=0.9),
        endpoint("groq", 3, tool_success_rate=0.99),
    ]
    assert tags(plan_route({"model": "a/b:exacto"}, rated)) == ["groq", "azure", "openai"]
    assert tags(plan(rated, provider={"sort": "exacto"})) == ["groq", "azure", "openai"]


SPEEDS = [
    endpoint(
        "openai",
        1,
        throughput=PercentileStats(p50=30.0, p90=5.0),
        latency=PercentileStats(p50=900.0),
    ),
    endpoint(
        "azure",
        2,
        throughput=PercentileStats(p50=90.0, p90=60.0),
        latency=PercentileStats(p50=2500.0),
    ),
    endpoint(
        "groq",
        3,
        throughput=PercentileStats(p50=60.0, p90=50.0),
        latency=PercentileStats(p50=300.0),
    ),
    endpoint("together", 4),
]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("price", ["openai", "azure", "groq", "together"]),
        ("throughput", ["azure", "groq", "openai", "together"]),
        ("latency", ["groq", "openai", "azure", "together"]),
        ({"by": "latency"}, ["groq", "openai", "azure", "together"]),
        ({"by": "throughput", "partition": "model"}, ["azure", "groq", "openai", "together"]),
    ],
)
def test_sort_orders_by_its_key_without_balancing(sort: object, order: list[str]) -> None:
    result = plan(SPEEDS, provider={"sort": sort})
    assert tags(result) == order
    assert not result.load_balanced


@pytest.mark.parametrize(
    ("preference", "order"),
    [
        ({"preferred_min_throughput": 50}, ["azure", "groq", "openai", "together"]),
        (
            {"preferred_min_throughput": {"p50": 50, "p90": 55}},
            ["azure", "openai", "groq", "together"],
        ),
        ({"preferred_max_latency": 1}, ["openai", "groq", "azure", "together"]),
        ({"preferred_max_latency": 0.5}, ["groq", "openai", "azure", "together"]),
        (
            {"preferred_max_latency": 1, "sort": "throughput"},
            ["groq", "openai", "azure", "together"],
        ),
        (
            {"preferred_min_throughput": 50, "order": ["openai"]},
            ["azure", "groq", "openai", "together"],
        ),
    ],
)
def test_missed_thresholds_move_to_the_end_and_exclude_nobody(
    preference: dict[str, object], order: list[str]
) -> None:
    assert tags(plan(SPEEDS, provider=preference)) == order


def test_models_follow_each_other_and_partition_none_mixes_them() -> None:
    second = [endpoint("mistral", 0.5, model="c/d"), endpoint("parasail", 9, model="c/d")]
    request = {"models": ["c/d", "a/b"]}
    together = plan_route({"model": "a/b", **request}, [*second, *THREE])
    assert tags(together) == ["azure", "groq", "openai", "mistral", "parasail"]
    assert [c.probability for c in together.candidates][3:] == [0.0, 0.0]
    assert tags(plan_route(request, [*second, *THREE]))[:2] == ["mistral", "parasail"]
    mixed = {"sort": {"by": "price", "partition": "none"}}
    result = plan_route({"model": "a/b", **request, "provider": mixed}, [*second, *THREE])
    assert tags(result) == ["mistral", "azure", "groq", "openai", "parasail"]


def test_a_threshold_can_let_a_fallback_model_go_first() -> None:
    fast = endpoint("cerebras", 9, model="c/d", throughput=PercentileStats(p50=900.0))
    result = plan_route(
        {"model": "a/b", "models": ["c/d"], "provider": {"preferred_min_throughput": 100}},
        [*SPEEDS, fast],
    )
    assert tags(result)[0] == "cerebras"
    assert result.candidates[0].probability == 1.0
