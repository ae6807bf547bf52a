"""`explain`: the same plan as the router's, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openrouter_routing.catalog import Catalog
from openrouter_routing.client import OpenRouterClient
from openrouter_routing.emulator import Emulator
from tests.cli.conftest import Run

LLAMA = "meta-llama/llama-3.3-70b-instruct"
MINI = "openai/gpt-4o-mini"


def test_it_says_who_is_tried_with_what_chance_and_who_is_out_by_which_rule(
    run: Run, emulator: Emulator
) -> None:
    ran = run("explain", LLAMA, "--zdr", "--max-price", "completion=0.8", "--require", "tools")
    assert ran.code == 0
    assert ran.err == ""
    lines = ran.out.splitlines()
    assert lines[0] == (f"Request: {LLAMA}, zdr, max_price completion 0.8, requires tools")
    first = next(line for line in lines if line.startswith("1 "))
    assert first.split()[1:3] == ["deepinfra/turbo", "46%"]
    assert next(line for line in lines if line.startswith("together")).split() == [
        "together", "max_price.completion", "0.88", "0.8",
    ]  # fmt: skip
    assert lines[-1] == (
        "4 of 8 endpoints may serve it; deepinfra/turbo comes first with a chance of 46%."
    )


def test_the_plan_is_what_the_service_then_does(run: Run, emulator: Emulator) -> None:
    plan = run("explain", LLAMA, "--sort", "throughput", "--ignore", "cerebras", "--json").json
    with OpenRouterClient() as client:
        answer = client.chat(
            [{"role": "user", "content": "Hi"}],
            model=LLAMA,
            sort="throughput",
            ignore=["cerebras"],
        )
    assert answer.route.provider == plan["candidates"][0]["provider"] == "Groq"


def test_nothing_is_sent_to_a_model(run: Run, emulator: Emulator) -> None:
    run("explain", MINI)
    assert {request.method for request in emulator.requests} == {"GET"}


def test_it_needs_no_key_and_sends_none(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")
    run("explain", MINI)
    assert emulator.requests
    assert not any("authorization" in request.headers for request in emulator.requests)


def test_the_json_has_stable_keys_and_nothing_beside_it(run: Run, emulator: Emulator) -> None:
    ran = run("explain", MINI, "--only", "groq", "--json")
    assert list(ran.json) == [
        "request",
        "requested",
        "load_balanced",
        "fallbacks",
        "notes",
        "candidates",
        "excluded",
        "remarks",
    ]
    assert ran.err == ""


def test_nobody_left_is_exit_code_1_and_says_what_to_loosen(run: Run, emulator: Emulator) -> None:
    ran = run("explain", MINI, "--only", "azure", "--max-price", "prompt=0.01")
    assert ran.code == 1
    assert "Nobody is left to serve this request." in ran.out
    assert "0 of 5 endpoints are left; loosen only or max_price.prompt." in ran.out


def test_a_provider_the_model_does_not_have_is_told_with_who_does_serve_it(
    run: Run, emulator: Emulator
) -> None:
    ran = run("explain", MINI, "--order", "groq,azure")
    assert ran.code == 0
    assert f"Note: groq in order does not serve {MINI}; served by openai, azure" in ran.out


def test_an_unknown_model_names_the_nearest(run: Run, emulator: Emulator) -> None:
    ran = run("explain", "openai/gpt4o-mini")
    assert (ran.code, ran.out) == (1, "")
    assert "there is no model 'openai/gpt4o-mini'" in ran.err
    assert "try openai/gpt-4o-mini" in ran.err


def test_a_model_like_no_other_points_to_the_list(run: Run, emulator: Emulator) -> None:
    assert "openrouter-routing models" in run("explain", "zzzz/qqqq").err


def test_fallback_models_come_after_the_model(run: Run, emulator: Emulator) -> None:
    plan = run("explain", MINI, "--models", LLAMA, "--json").json
    models = [candidate["model"] for candidate in plan["candidates"]]
    assert models == sorted(models, key=[MINI, LLAMA].index)
    assert set(models) == {MINI, LLAMA}


@pytest.mark.parametrize("name", [f"{LLAMA}:nitro", f"{LLAMA}:nitro:online"])
def test_a_routing_suffix_is_followed(run: Run, emulator: Emulator, name: str) -> None:
    plan = run("explain", name, "--json").json
    assert plan["candidates"][0]["tag"] == "cerebras"


def test_an_alias_is_followed(run: Run, emulator: Emulator) -> None:
    plan = run("explain", "~anthropic/claude-sonnet-latest", "--json").json
    assert {c["model"] for c in plan["candidates"]} == {"anthropic/claude-sonnet-4.5"}


def test_sizes_and_uses_are_part_of_the_request(run: Run, emulator: Emulator) -> None:
    plan = run(
        "explain", LLAMA, "--max-tokens", "4000", "--prompt-tokens", "100000",
        "--use", "structured_outputs", "--json",
    ).json  # fmt: skip
    rules = {one["tag"]: one["rule"] for one in plan["excluded"]}
    assert rules["together"] == "max_tokens"
    assert rules["groq"] == "response_format"
    huge = run("explain", MINI, "--prompt-tokens", "900000")
    assert huge.code == 1
    assert "loosen context_length" in huge.out


def test_an_unknown_parameter_names_the_nearest(run: Run, emulator: Emulator) -> None:
    ran = run("explain", LLAMA, "--require", "tool")
    assert ran.code == 2
    assert "did you mean 'tools'" in ran.err


def test_an_outage_moves_a_provider_back(run: Run, emulator: Emulator) -> None:
    plan = run("explain", LLAMA, "--outage", "deepinfra", "--json").json
    reasons = {c["tag"]: c["reason"] for c in plan["candidates"]}
    assert reasons["deepinfra/turbo"] == "recent outage"
    assert plan["candidates"][0]["tag"] == "nebius/fp8"


def test_a_catalog_file_replaces_the_service(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    Catalog.sample().save(file)
    ran = run("explain", f"{MINI}:floor", "--catalog", str(file), "--json")
    assert ran.json["candidates"][0]["tag"] == "openai/flex"
    assert "did you mean" in run("explain", "openai/gpt-4o-mni", "--catalog", str(file)).err


def test_a_malformed_catalog_file_is_told_by_path_line_and_field(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    document = Catalog.sample().to_dict()
    models: list[dict[str, list[dict[str, object]]]] = document["models"]  # type: ignore[assignment]
    models[1]["endpoints"][0]["context_length"] = "long"
    file.write_text(json.dumps(document, indent=1))
    lines = file.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, start=1) if '"long"' in text)
    ran = run("explain", MINI, "--catalog", str(file))
    assert ran.code == 1
    assert (
        f"{file}:{line}: models[1].endpoints[0].context_length: expected a whole number" in ran.err
    )


def test_an_outage_of_nobody_there_is_a_mistake(run: Run, emulator: Emulator) -> None:
    ran = run("explain", "openai/gpt-5-mini", "--outage", "opnai")
    assert ran.code != 0
    assert "unknown provider in --outage 'opnai'; did you mean 'openai'?" in ran.err
    assert run("explain", "openai/gpt-5-mini", "--outage", "openai").code == 0
