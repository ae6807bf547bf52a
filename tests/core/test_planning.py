import json
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from openrouter_routing.catalog import Catalog, Endpoint, PercentileStats, Pricing
from openrouter_routing.planning import RoutePlan, RouteRequestError, plan_route


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


VARIANTS = [
    endpoint("deepinfra/fp4", 1, quantization="fp4"),
    endpoint("deepinfra/fp8", 2, quantization="fp8"),
    endpoint("google-vertex/us-east5", 3),
    endpoint("google-vertex", 3),
    endpoint("openai", 4),
    endpoint("openai/flex", 2),
    endpoint("openai/priority", 8),
]


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (["deepinfra"], {"deepinfra/fp4", "deepinfra/fp8"}),
        (["deepinfra/fp8"], {"deepinfra/fp8"}),
        (["DeepInfra/FP8"], {"deepinfra/fp8"}),
        (["Google"], {"google-vertex/us-east5", "google-vertex"}),
        (["google-vertex/us-east5"], {"google-vertex/us-east5"}),
        (["openai"], {"openai"}),
        (["openai/flex"], {"openai/flex"}),
        (["openai", "openai/priority"], {"openai", "openai/priority"}),
        (["nobody"], set()),
    ],
)
def test_only_matches_base_slugs_variants_and_display_names(
    names: list[str], left: set[str]
) -> None:
    result = plan(VARIANTS, provider={"only": names})
    assert set(tags(result)) == left


def test_ignore_by_base_slug_spares_no_variant() -> None:
    result = plan(VARIANTS, provider={"ignore": ["deepinfra", "google-vertex/us-east5"]})
    assert set(tags(result)) == {"google-vertex", "openai"}
    assert rules(result)["deepinfra/fp4"] == "ignore"
    assert rules(result)["openai/flex"] == "service_tier"


def test_ignore_by_base_slug_does_not_reach_a_service_tier() -> None:
    result = plan(VARIANTS, service_tier="flex", provider={"ignore": ["openai"]})
    assert tags(result) == ["openai/flex"]


def test_service_tiers_take_part_only_when_asked_for() -> None:
    assert not {"openai/flex", "openai/priority"} & set(tags(plan(VARIANTS)))
    assert tags(plan(VARIANTS, service_tier="flex")) == ["openai/flex"]
    priority = tags(plan(VARIANTS, service_tier="priority"))
    assert priority[0] == "openai/priority"
    assert "openai/flex" not in priority
    assert len(priority) == 6
    assert "openai/flex" not in tags(plan(VARIANTS, service_tier="default"))
    assert tags(plan(VARIANTS, provider={"order": ["openai/priority"]}))[0] == "openai/priority"


def test_nitro_and_floor_sort_and_admit_a_tier() -> None:
    fast = [
        endpoint("openai", 4, throughput=PercentileStats(p50=50.0)),
        endpoint("openai/flex", 2, throughput=PercentileStats(p50=20.0)),
        endpoint("openai/priority", 8, throughput=PercentileStats(p50=90.0)),
        endpoint("azure", 4),
    ]
    assert tags(plan_route({"model": "a/b:nitro"}, fast)) == ["openai/priority", "openai", "azure"]
    assert tags(plan_route({"model": "a/b:floor"}, fast)) == ["openai/flex", "openai", "azure"]
    assert tags(plan_route({"model": "a/b:online"}, fast)) == ["openai", "azure"]


def test_free_is_a_model_of_its_own_and_may_carry_a_routing_suffix() -> None:
    free = endpoint("venice", 0, model="a/b:free")
    assert tags(plan_route({"model": "a/b:free"}, [*THREE, free])) == ["venice"]
    assert tags(plan_route({"model": "a/b:free:nitro"}, [*THREE, free])) == ["venice"]
    assert "venice" not in tags(plan_route({"model": "a/b"}, [*THREE, free]))


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


@pytest.mark.parametrize(
    ("fields", "request_fields", "rule", "value", "limit"),
    [
        ({"zdr": False}, {"provider": {"zdr": True}}, "zdr", False, True),
        (
            {"collects_data": True},
            {"provider": {"data_collection": "deny"}},
            "data_collection",
            "allow",
            "deny",
        ),
        (
            {"distillable": False},
            {"provider": {"enforce_distillable_text": True}},
            "enforce_distillable_text",
            False,
            True,
        ),
        (
            {"quantization": "fp4"},
            {"provider": {"quantizations": ["fp8"]}},
            "quantizations",
            "fp4",
            ("fp8",),
        ),
        ({}, {"provider": {"quantizations": ["FP8"]}}, "quantizations", "unknown", ("fp8",)),
        (
            {},
            {"provider": {"max_price": {"prompt": "0.5"}}},
            "max_price.prompt",
            Decimal(1),
            Decimal("0.5"),
        ),
        (
            {},
            {"provider": {"max_price": {"completion": 0.5}}},
            "max_price.completion",
            Decimal(1),
            Decimal("0.5"),
        ),
        (
            {"pricing": Pricing.from_wire({"prompt": 0, "completion": 0, "image": "0.02"})},
            {"provider": {"max_price": {"image": 0.01}}},
            "max_price.image",
            Decimal("0.02"),
            Decimal("0.01"),
        ),
        ({"max_completion_tokens": 100}, {"max_tokens": 101}, "max_tokens", 100, 101),
        ({"max_completion_tokens": 100}, {"max_completion_tokens": 101}, "max_tokens", 100, 101),
        ({"context_length": 1000}, {"max_tokens": 1001}, "context_length", 1000, 1001),
        (
            {"context_length": 1000},
            {"messages": [{"role": "user", "content": "x" * 4000}], "max_tokens": 1},
            "context_length",
            1000,
            1002,
        ),
        (
            {"max_prompt_tokens": 10},
            {"messages": [{"content": [{"type": "text", "text": "x" * 100}]}]},
            "context_length",
            10,
            26,
        ),
    ],
)
def test_each_hard_filter_excludes_with_its_rule_value_and_limit(
    fields: dict[str, Any], request_fields: dict[str, Any], rule: str, value: object, limit: object
) -> None:
    result = plan([endpoint("openai", **fields)], **request_fields)
    assert result.candidates == ()
    (exclusion,) = result.excluded
    assert (exclusion.rule, exclusion.value, exclusion.limit) == (rule, value, limit)


def test_a_prompt_that_may_be_compressed_is_not_too_long() -> None:
    long = {"messages": [{"role": "user", "content": "x" * 9999}]}
    small = [endpoint("openai", context_length=100)]
    assert tags(plan(small, **long)) == []
    assert tags(plan(small, **long, transforms=["middle-out"])) == ["openai"]
    assert tags(plan(small, **long, plugins=[{"id": "context-compression"}])) == ["openai"]


ABILITIES = [
    endpoint("openai", 1, supported_parameters=frozenset({"max_tokens", "temperature"})),
    endpoint(
        "azure", 2, supported_parameters=frozenset({"tools", "tool_choice", "response_format"})
    ),
    endpoint(
        "groq", 3, supported_parameters=frozenset({"tools", "structured_outputs", "reasoning"})
    ),
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"tools": [{"type": "function"}]}, ["azure", "groq"]),
        ({"tools": []}, ["openai", "azure", "groq"]),
        ({"response_format": {"type": "json_object"}}, ["azure", "groq"]),
        ({"response_format": SCHEMA}, ["groq"]),
        ({"response_format": {"type": "text"}}, ["openai", "azure", "groq"]),
        ({"tools": [{}], "response_format": SCHEMA}, ["groq"]),
        ({"verbosity": "low"}, ["openai", "azure", "groq"]),
        ({"temperature": 0.5}, ["openai", "azure", "groq"]),
    ],
)
def test_soft_parameters_prefer_endpoints_that_know_them(
    fields: dict[str, object], left: list[str]
) -> None:
    assert tags(plan(ABILITIES, **fields)) == left


def test_a_soft_parameter_nobody_left_knows_is_dropped_and_said_so() -> None:
    result = plan(ABILITIES, tools=[{}], provider={"only": ["openai"]})
    assert tags(result) == ["openai"]
    assert result.candidates[0].dropped_parameters == ("tools",)
    assert "tools" in result.notes[0]


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"tools": [{}]}, ["azure", "groq"]),
        ({"temperature": 0.1}, ["openai"]),
        ({"max_completion_tokens": 5}, ["openai"]),
        ({"reasoning_effort": "low"}, ["groq"]),
        ({"verbosity": "low"}, []),
        ({"seed": None, "logprobs": False}, ["openai", "azure", "groq"]),
        (
            {"tools": [{}], "tool_choice": "auto", "response_format": {"type": "json_object"}},
            ["azure"],
        ),
    ],
)
def test_require_parameters_excludes_all_that_lack_one(
    fields: dict[str, object], left: list[str]
) -> None:
    result = plan(ABILITIES, **fields, provider={"require_parameters": True})
    assert tags(result) == left
    assert set(rules(result).values()) <= {"require_parameters"}


def test_what_is_not_known_excludes_nobody_but_is_said() -> None:
    unknown = endpoint("openai", zdr=None, collects_data=None, distillable=None)
    provider = {"zdr": True, "data_collection": "deny", "enforce_distillable_text": True}
    result = plan([unknown], provider=provider)
    assert tags(result) == ["openai"]
    assert [note.split()[0] for note in result.notes] == list(provider)


def test_aliases_dated_slugs_and_routers_find_their_models() -> None:
    endpoints = Catalog.sample().endpoints
    for asked in ("~anthropic/claude-sonnet-latest", "anthropic/claude-4.5-sonnet-20250929"):
        result = plan_route({"model": asked}, endpoints)
        assert {c.model for c in result.candidates} == {"anthropic/claude-sonnet-4.5"}
    free = plan_route({"model": "openrouter/free"}, endpoints)
    assert {c.model for c in free.candidates} == {"meta-llama/llama-3.3-70b-instruct:free"}
    anything = plan_route({"model": "openrouter/auto"}, endpoints)
    assert "openai/text-embedding-3-small" not in {c.model for c in anything.candidates}
    assert len({c.model for c in anything.candidates}) > 5


def test_a_preset_lies_below_the_request() -> None:
    presets = {"cheap": {"model": "a/b", "provider": {"sort": "price", "ignore": ["azure"]}}}
    for request in (
        {"model": "@preset/cheap"},
        {"model": "a/b@preset/cheap"},
        {"preset": "cheap"},
    ):
        assert tags(plan_route(request, THREE, presets=presets)) == ["groq", "openai"]
    above = {"preset": "cheap", "provider": {"ignore": ["groq"]}}
    assert tags(plan_route(above, THREE, presets=presets)) == ["azure", "openai"]
    with pytest.raises(RouteRequestError, match="presets="):
        plan_route({"model": "@preset/other"}, THREE, presets=presets)


def test_an_unknown_model_leaves_nobody_and_says_so() -> None:
    result = plan_route({"model": "x/y"}, THREE)
    assert result.candidates == ()
    assert set(rules(result).values()) == {"model"}
    assert "x/y" in result.notes[0]


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"model": 3}, "model"),
        ({"model": None}, "model"),
        ({"models": "a/b"}, "models"),
        ({"models": ["a/b", 1]}, "models"),
        ({"provider": ["openai"]}, "provider"),
        ({"provider": {"oder": ["openai"]}}, "provider"),
        ({"provider": {"order": "openai"}}, "provider.order"),
        ({"provider": {"zdr": "yes"}}, "provider.zdr"),
        ({"provider": {"sort": "prize"}}, "provider.sort"),
        ({"provider": {"sort": {"by": "price", "partition": "all"}}}, "provider.sort.partition"),
        ({"provider": {"sort": {"key": "price"}}}, "provider.sort"),
        ({"provider": {"max_price": {"prompt": "cheap"}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"prompts": 1}}}, "provider.max_price"),
        ({"provider": {"data_collection": "denyy"}}, "provider.data_collection"),
        ({"provider": {"preferred_max_latency": {"p50": "1"}}}, "provider.preferred_max_latency"),
        (
            {"provider": {"preferred_min_throughput": {"p49": 1}}},
            "provider.preferred_min_throughput",
        ),
        ({"max_tokens": "many"}, "max_tokens"),
    ],
)
def test_a_request_the_router_would_refuse_is_an_error_with_its_field(
    request_fields: dict[str, object], field: str
) -> None:
    with pytest.raises(RouteRequestError) as caught:
        plan_route({"model": "a/b", **request_fields}, THREE)
    assert caught.value.field == field


def test_a_near_miss_is_answered_with_the_known_word() -> None:
    with pytest.raises(RouteRequestError, match="did you mean 'order'"):
        plan_route({"model": "a/b", "provider": {"oder": []}}, THREE)


def test_a_plan_renders_in_json_terminal_and_notebook() -> None:
    result = plan(
        [*THREE, endpoint("to<gether", 5)],
        models=["x/y"],
        provider={"ignore": ["openai"], "max_price": {"prompt": 4}},
    )
    written: Any = json.loads(json.dumps(result.to_dict()))
    assert [c["tag"] for c in written["candidates"]] == ["azure", "groq"]
    assert written["excluded"][1] == {
        "model": "a/b",
        "provider": "to<gether",
        "tag": "to<gether",
        "rule": "max_price.prompt",
        "value": 5.0,
        "limit": 4.0,
    }
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(result)
    drawn = capture.get()
    for word in ("azure", "groq", "80%", "ignore", "max_price.prompt", "x/y"):
        assert word in drawn
    html = result._repr_html_()
    assert "to&lt;gether" in html
    assert "to<gether" not in html
    nobody = plan(THREE, provider={"only": ["nobody"]})
    assert "Nobody is left" in nobody._repr_html_()


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


def test_an_endpoint_may_sell_a_tier_that_its_slug_does_not_spell() -> None:
    turbo = endpoint("moonshotai/turbo", 9, declared_tier="priority")
    both = [endpoint("moonshotai", 1), turbo]
    assert tags(plan(both)) == ["moonshotai"]
    assert tags(plan(both, provider={"only": ["moonshotai"]})) == ["moonshotai"]
    assert tags(plan(both, provider={"only": ["moonshotai/turbo"]})) == ["moonshotai/turbo"]
    assert tags(plan(both, service_tier="priority")) == ["moonshotai/turbo", "moonshotai"]
    assert tags(plan(both, service_tier="fast")) == ["moonshotai/turbo", "moonshotai"]
