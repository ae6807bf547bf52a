import json
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from openrouter_routing.catalog import Catalog, PercentileStats, Pricing
from openrouter_routing.planning import RouteRequestError, plan_route
from openrouter_routing.preferences import PROVIDER_FIELDS, MaxPrice, Percentiles, ProviderSort

from .plans import THREE, endpoint, plan, rules, tags

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


def test_an_unknown_word_is_answered_with_the_known_ones() -> None:
    with pytest.raises(RouteRequestError, match="did you mean 'order'"):
        plan_route({"model": "a/b", "provider": {"oder": []}}, THREE)
    with pytest.raises(RouteRequestError, match="known: allow, deny"):
        plan_route({"model": "a/b", "provider": {"data_collection": "no"}}, THREE)


def test_every_field_that_preferences_have_can_be_planned() -> None:
    cutoffs = dict.fromkeys(Percentiles.model_fields, 1)
    provider = {
        **dict.fromkeys(PROVIDER_FIELDS),
        "max_price": dict.fromkeys(MaxPrice.model_fields, 9),
        "preferred_min_throughput": cutoffs,
        "preferred_max_latency": cutoffs,
        "sort": dict.fromkeys(ProviderSort.model_fields),
    }
    assert tags(plan(THREE, provider=provider)) == ["azure", "groq", "openai"]


@pytest.mark.parametrize("limit", [10**7, None])
def test_the_answers_length_goes_by_either_name(limit: int | None) -> None:
    for fields in (
        {"max_tokens": limit},
        {"max_completion_tokens": limit},
        {"max_completion_tokens": None, "max_tokens": limit},
        {"max_completion_tokens": limit, "max_tokens": 1 if limit else None},
    ):
        assert tags(plan(THREE, **fields)) == ([] if limit else ["azure", "groq", "openai"])


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


def test_an_endpoint_may_sell_a_tier_that_its_slug_does_not_spell() -> None:
    turbo = endpoint("moonshotai/turbo", 9, declared_tier="priority")
    both = [endpoint("moonshotai", 1), turbo]
    assert tags(plan(both)) == ["moonshotai"]
    assert tags(plan(both, provider={"only": ["moonshotai"]})) == ["moonshotai"]
    assert tags(plan(both, provider={"only": ["moonshotai/turbo"]})) == ["moonshotai/turbo"]
    assert tags(plan(both, service_tier="priority")) == ["moonshotai/turbo", "moonshotai"]
    assert tags(plan(both, service_tier="fast")) == ["moonshotai/turbo", "moonshotai"]
