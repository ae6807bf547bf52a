import copy
import json
import pickle
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_routing._json_lines import line_of
from openrouter_routing._json_text import readable_json
from openrouter_routing.catalog import Catalog, CatalogError, Endpoint, PercentileStats, Pricing
from openrouter_routing.providers import provider_slug, same_provider


def test_the_sample_says_what_it_is_and_has_what_tests_need() -> None:
    catalog = Catalog.sample()
    assert catalog.date is not None
    assert "sample data" in (catalog.note or "")
    authors = {model.id.partition("/")[0] for model in catalog.models}
    assert authors >= {
        "openai",
        "anthropic",
        "google",
        "meta-llama",
        "deepseek",
        "qwen",
        "mistralai",
        "moonshotai",
        "cohere",
    }
    assert catalog.model("openai/text-embedding-3-small").output_modalities == ("embeddings",)
    assert catalog.model("cohere/rerank-v3.5").output_modalities == ("rerank",)
    tiers = {endpoint.service_tier for endpoint in catalog.endpoints}
    assert tiers >= {None, "flex", "priority"}
    for model in catalog.models:
        if model.alias_of is None:
            assert 3 <= len(model.endpoints) <= 8, model.id
        tags = [endpoint.tag for endpoint in model.endpoints]
        assert len(tags) == len(set(tags)), model.id


def test_every_sample_endpoint_has_a_known_provider_that_matches_its_tag() -> None:
    for endpoint in Catalog.sample().endpoints:
        assert provider_slug(endpoint.tag) is not None, endpoint.tag
        assert same_provider(endpoint.provider, endpoint.tag) is True


def test_the_sample_endpoints_differ_in_what_routing_looks_at() -> None:
    endpoints = Catalog.sample().endpoints
    assert {True, False} <= {"tools" in e.supported_parameters for e in endpoints}
    assert {True, False} <= {"structured_outputs" in e.supported_parameters for e in endpoints}
    assert {True, False} <= {e.zdr for e in endpoints}
    assert {True, False} <= {e.collects_data for e in endpoints}
    assert {True, False} <= {e.distillable for e in endpoints}
    assert len({e.quantization for e in endpoints}) >= 5
    assert any(e.status < 0 for e in endpoints)


def test_saving_and_loading_gives_the_same_catalog(tmp_path: Path) -> None:
    catalog = Catalog.sample()
    catalog.save(tmp_path / "catalog.json")
    assert Catalog.load(tmp_path / "catalog.json") == catalog
    assert pickle.loads(pickle.dumps(catalog)) == catalog
    assert copy.deepcopy(catalog) == catalog
    assert hash(catalog.endpoints[0]) == hash(copy.deepcopy(catalog.endpoints[0]))


def test_a_field_without_a_name_here_survives_a_round_trip() -> None:
    snapshot = json.loads(json.dumps(Catalog.sample().to_dict()))
    snapshot["models"][0]["brand_new"] = {"a": 1}
    snapshot["models"][0]["endpoints"][0]["brand_new"] = [2]
    written: Any = Catalog.from_dict(snapshot).to_dict()
    assert written["models"][0]["brand_new"] == {"a": 1}
    assert written["models"][0]["endpoints"][0]["brand_new"] == [2]


def test_a_model_is_found_by_id_dated_slug_and_alias() -> None:
    catalog = Catalog.sample()
    model = catalog.model("anthropic/claude-sonnet-4.5")
    assert catalog.model("anthropic/claude-4.5-sonnet-20250929") is model
    assert catalog.model("~anthropic/claude-sonnet-latest") is model
    assert "~anthropic/claude-sonnet-latest" in model.endpoints[0].model_aliases


@pytest.mark.parametrize(
    ("typo", "nearest"),
    [
        ("openai/gpt4o-mini", "openai/gpt-4o-mini"),
        ("gpt-4o-mini", "openai/gpt-4o-mini"),
        ("meta/llama-3.3-70b-instruct", "meta-llama/llama-3.3-70b-instruct"),
        ("Moonshotai/Kimi-K2", "moonshotai/kimi-k2-0905"),
    ],
)
def test_an_unknown_model_is_an_error_that_names_the_nearest(typo: str, nearest: str) -> None:
    with pytest.raises(CatalogError, match="did you mean") as caught:
        Catalog.sample().model(typo)
    assert nearest in str(caught.value)


def broken(
    tmp_path: Path, change: Mapping[tuple[str | int, ...], object]
) -> tuple[Path, CatalogError]:
    document: Any = {
        "format": "openrouter-routing catalog 1",
        "models": [
            {
                "id": "a/b",
                "endpoints": [
                    {
                        "provider_name": "OpenAI",
                        "tag": "openai",
                        "pricing": {"prompt": "1", "completion": "1"},
                    }
                ],
            }
        ],
    }
    for path, value in change.items():
        target = document
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(document, indent=1))
    with pytest.raises(CatalogError) as caught:
        Catalog.load(file)
    return file, caught.value


@pytest.mark.parametrize(
    ("path", "value", "field", "marker"),
    [
        (("format",), "else", "format", "format"),
        (("models",), {}, "models", "models"),
        (("models", 0, "id"), 7, "models[0].id", "id"),
        (("models", 0, "endpoints"), None, "models[0].endpoints", "endpoints"),
        (("models", 0, "endpoints", 0, "tag"), "", "models[0].endpoints[0].tag", "tag"),
        (
            ("models", 0, "endpoints", 0, "pricing", "prompt"),
            "cheap",
            "models[0].endpoints[0].pricing.prompt",
            "prompt",
        ),
        (
            ("models", 0, "endpoints", 0, "context_length"),
            "8k",
            "models[0].endpoints[0].context_length",
            "context_length",
        ),
        (
            ("models", 0, "endpoints", 0, "latency_last_30m"),
            {"p50": "fast"},
            "models[0].endpoints[0].latency_last_30m.p50",
            "p50",
        ),
        (("models", 0, "endpoints", 0, "zdr"), "yes", "models[0].endpoints[0].zdr", "zdr"),
        (
            ("models", 0, "endpoints", 0, "supported_parameters"),
            "tools",
            "models[0].endpoints[0].supported_parameters",
            "supported_parameters",
        ),
    ],
)
def test_a_malformed_file_is_an_error_with_path_line_and_field(
    tmp_path: Path, path: tuple[str | int, ...], value: object, field: str, marker: str
) -> None:
    file, error = broken(tmp_path, {path: value})
    lines = file.read_text().splitlines()
    assert error.path == str(file)
    assert error.field == field
    assert error.line is not None
    assert f'"{marker}"' in lines[error.line - 1]
    assert f"{file}:{error.line}: {field}: " in str(error)


def test_a_missing_price_names_the_field(tmp_path: Path) -> None:
    place = ("models", 0, "endpoints", 0, "pricing")
    _, error = broken(tmp_path, {place: {"prompt": "1"}})
    assert error.field == "models[0].endpoints[0].pricing.completion"
    assert "missing" in error.reason


def test_a_model_listed_twice_is_an_error(tmp_path: Path) -> None:
    model = {"id": "a/b", "endpoints": []}
    _, error = broken(tmp_path, {("models",): [model, model]})
    assert error.field == "models[1].id"


def test_broken_json_is_an_error_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    file.write_text('{\n"format": 1,\n,}')
    with pytest.raises(CatalogError, match="not JSON") as caught:
        Catalog.load(file)
    assert caught.value.line == 3


def test_a_file_that_is_not_there_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="No such file") as caught:
        Catalog.load(tmp_path / "none.json")
    assert caught.value.path == str(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match="utf-8"):
        Catalog.load(tmp_path / "binary.json")


class WireClient:
    """Answers as the wire does, from the sample."""

    def __init__(self, *, wrapped: bool) -> None:
        self.wrapped = wrapped
        self.asked: list[str] = []

    def models(self) -> Any:
        listed = [model.to_wire() for model in Catalog.sample().models]
        return {"data": listed} if self.wrapped else listed

    def endpoints(self, model: str, /) -> Any:
        self.asked.append(model)
        listed = [endpoint.to_wire() for endpoint in Catalog.sample().model(model).endpoints]
        return {"data": {"id": model, "endpoints": listed}} if self.wrapped else listed


class ZdrClient(WireClient):
    def zdr_endpoints(self) -> Iterable[Mapping[str, object]]:
        return [e.to_wire() for e in Catalog.sample().endpoints if e.zdr]


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_snapshot_of_a_service_has_the_wanted_models(wrapped: bool) -> None:
    client = WireClient(wrapped=wrapped)
    catalog = Catalog.from_api(client, ["openai/gpt-4o-mini", "cohere/rerank-v3.5"])
    assert [model.id for model in catalog.models] == ["openai/gpt-4o-mini", "cohere/rerank-v3.5"]
    assert client.asked == ["openai/gpt-4o-mini", "cohere/rerank-v3.5"]
    assert catalog.date is not None
    sample = Catalog.sample().model("openai/gpt-4o-mini")
    for taken, known in zip(catalog.models[0].endpoints, sample.endpoints, strict=True):
        assert (taken.tag, taken.pricing, taken.latency) == (
            known.tag,
            known.pricing,
            known.latency,
        )
        assert taken.zdr is None
        assert taken.collects_data is None


def test_a_snapshot_of_everything_knows_aliases_and_zero_retention() -> None:
    catalog = Catalog.from_api(ZdrClient(wrapped=True))
    sample = Catalog.sample()
    assert [model.id for model in catalog.models] == [model.id for model in sample.models]
    assert [e.zdr for e in catalog.endpoints] == [e.zdr for e in sample.endpoints]
    assert catalog.model("~openai/gpt-mini-latest").id == "openai/gpt-5-mini"


def test_a_snapshot_of_an_unlisted_model_is_an_error_with_the_nearest() -> None:
    with pytest.raises(CatalogError, match="did you mean openai/gpt-4o-mini"):
        Catalog.from_api(WireClient(wrapped=True), ["openai/gpt-4o-min"])


def test_an_answer_that_is_no_list_is_an_error() -> None:
    class Odd(WireClient):
        def models(self) -> Any:
            return {"error": {"code": 500}}

    with pytest.raises(CatalogError, match="expected a list"):
        Catalog.from_api(Odd(wrapped=True))


def test_prices_apply_discount_and_long_prompts() -> None:
    pricing = Pricing.from_wire(
        {
            "prompt": "0.000001",
            "completion": 0.000002,
            "discount": 0.5,
            "input_cache_read": "0.0000001",
            "request": "0.01",
            "overrides": [
                {"min_prompt_tokens": 1000, "prompt": "0.000004"},
                {"utc_start": 100, "utc_end": 400, "prompt": "9"},
            ],
        }
    )
    assert pricing.per_million("prompt") == Decimal("0.5")
    assert pricing.per_million("web_search") is None
    assert pricing.combined == Decimal("0.0000015")
    assert pricing.unit("prompt", prompt_tokens=1000) == Decimal("0.0000005")
    assert pricing.unit("prompt", prompt_tokens=1001) == Decimal("0.000002")
    assert pricing.prompt_cost(100, cached=40) == Decimal("0.005032")
    assert pricing.completion_cost(10, prompt_tokens=100, reasoning=4) == Decimal("0.00001")
    assert Pricing.from_wire(pricing.to_wire()) == pricing


@pytest.mark.parametrize("price", [True, None, "abc", "NaN", "Infinity", [], {}])
def test_a_price_that_is_no_decimal_is_an_error(price: object) -> None:
    with pytest.raises(ValueError, match=r"^completion: "):
        Pricing.from_wire({"prompt": "1", "completion": price})


@pytest.mark.parametrize(
    ("tag", "tier"),
    [
        ("openai", None),
        ("openai/flex", "flex"),
        ("google-vertex/us-east5/priority", "priority"),
        ("deepinfra/turbo", None),
        ("flex", None),
    ],
)
def test_the_service_tier_is_the_last_part_of_the_tag(tag: str, tier: str | None) -> None:
    pricing = Pricing(prompt=Decimal(1), completion=Decimal(1))
    assert Endpoint(model="a/b", provider="P", tag=tag, pricing=pricing).service_tier == tier


def test_percentiles_may_be_partly_known() -> None:
    assert PercentileStats(p50=1.0).to_wire() == {"p50": 1.0, "p75": None, "p90": None, "p99": None}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(json_values, st.sampled_from([None, 0, 1]))
def test_the_line_of_every_value_is_found(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    lines = text.splitlines()

    def visit(part: Any, path: list[str | int]) -> None:
        line = lines[line_of(text, path) - 1]
        assert json.dumps(part, indent=indent).splitlines()[0] in line
        steps: list[tuple[str | int, Any]] = []
        if isinstance(part, dict):
            steps = list(part.items())
        elif isinstance(part, list):
            steps = list(enumerate(part))
        for step, inner in steps:
            visit(inner, [*path, step])

    visit(value, [])


@given(json_values)
def test_readable_json_reads_back_the_same(value: Any) -> None:
    assert json.loads(readable_json(value)) == value
