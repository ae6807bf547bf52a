import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import resources

import pytest

from openrouter_routing import model_table
from openrouter_routing.catalog import Catalog
from openrouter_routing.model_table import ModelInfo, learn_models, model_info


@pytest.fixture(autouse=True)
def fresh_table() -> Iterator[None]:
    table = model_table._table
    yield
    model_table._table = table


@pytest.mark.parametrize(
    "name",
    [
        "anthropic/claude-sonnet-4.5",
        "anthropic/claude-sonnet-4.5:nitro",
        "Anthropic/Claude-Sonnet-4.5:thinking",
        "anthropic/claude-sonnet-4.5@preset/careful",
        "anthropic/claude-4.5-sonnet-20250929",
        "anthropic/claude-sonnet-4.5-20250929",
        "anthropic/claude-sonnet-4.5-2025-09-29",
    ],
)
def test_any_spelling_of_a_model_finds_it(name: str) -> None:
    info = model_info(name)
    assert info is not None
    assert info.id == "anthropic/claude-sonnet-4.5"
    assert info.context_length == 1_000_000
    assert info.input_modalities == ("text", "image", "file")
    assert info.tools
    assert info.structured_outputs
    assert info.reasoning


@pytest.mark.parametrize("name", ["", "nobody/nothing", ":free", "@preset/mine", "gpt-5-mini", "~"])
def test_an_unknown_model_gives_none(name: str) -> None:
    assert model_info(name) is None


def test_a_family_alias_is_found_with_and_without_its_tilde() -> None:
    info = model_info("~anthropic/claude-sonnet-latest")
    assert info is not None
    assert info == model_info("anthropic/claude-sonnet-latest")


def test_a_number_that_is_no_date_stays_part_of_the_name() -> None:
    with_number = model_info("deepseek/deepseek-r1-0528")
    assert with_number is not None
    assert with_number.id == "deepseek/deepseek-r1-0528"


def test_the_bundled_file_names_its_date_and_holds_each_model_once() -> None:
    file = resources.files("openrouter_routing") / "model_table.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["date"]
    assert "Plausible" in content["note"]
    ids = [entry["id"] for entry in content["models"]]
    assert len(ids) == len(set(ids)) >= 60
    for identity in ids:
        info = model_info(identity)
        assert info is not None
        assert info.id == identity
        assert info.context_length is not None


def test_the_table_knows_the_models_of_the_sample_catalog() -> None:
    for model in Catalog.sample().models:
        info = model_info(model.id)
        assert info is not None, model.id
        assert info.context_length == model.context_length


def test_what_the_service_says_replaces_what_was_bundled() -> None:
    learn_models(
        [
            {
                "id": "openai/gpt-5-mini",
                "name": "GPT-5 Mini",
                "context_length": 500_000,
                "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
                "supported_parameters": ["tools", "reasoning"],
                "top_provider": {"max_completion_tokens": 1000},
                "reasoning": {"supported_efforts": ["high", "low"], "default_effort": "low"},
            }
        ]
    )
    assert model_info("openai/gpt-5-mini:floor") == ModelInfo(
        id="openai/gpt-5-mini",
        name="GPT-5 Mini",
        context_length=500_000,
        max_output_tokens=1000,
        tools=True,
        reasoning=True,
        reasoning_efforts=("high", "low"),
        default_reasoning_effort="low",
    )
    assert model_info("openai/gpt-5-nano") is not None


def test_a_variant_with_figures_of_its_own_keeps_them() -> None:
    learn_models([{"id": "openai/gpt-5-mini:free", "context_length": 1000}])
    free, paid = model_info("openai/gpt-5-mini:free"), model_info("openai/gpt-5-mini")
    assert free is not None
    assert paid is not None
    assert (free.context_length, paid.context_length) == (1000, 400_000)


def test_a_bad_entry_is_refused_and_nothing_is_learned() -> None:
    with pytest.raises(ValueError, match="needs an id"):
        learn_models([{"id": "acme/one"}, {"name": "no id"}])
    assert model_info("acme/one") is None


def test_threads_that_learn_at_once_lose_nothing() -> None:
    names = [f"acme/model-n{number}" for number in range(40)]
    threads = [threading.Thread(target=learn_models, args=([{"id": name}],)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [info.id for name in names if (info := model_info(name))] == names


def test_importing_the_package_does_not_read_the_table() -> None:
    code = "import openrouter_routing.model_table as t; assert t._table is None"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
