"""Every routing preference is a flag, and what the flag says is what is planned with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openrouter_routing.cli._preference_flags import _flags_of, preference_flags
from openrouter_routing.preferences import PROVIDER_FIELDS, ROUTING_FIELDS, ProviderPreferences
from tests.cli.conftest import Run

MODEL = "openai/gpt-4o-mini"

# How each field is written on a command line, and what is to arrive in the request.
WRITTEN: dict[str, tuple[list[str], Any]] = {
    "order": (["--order", "azure, openai"], ["azure", "openai"]),
    "only": (["--only", "azure", "--only", "openai"], ["azure", "openai"]),
    "ignore": (["--ignore", "azure"], ["azure"]),
    "allow_fallbacks": (["--no-allow-fallbacks"], False),
    "require_parameters": (["--require-parameters"], True),
    "data_collection": (["--data-collection", "deny"], "deny"),
    "zdr": (["--zdr"], True),
    "enforce_distillable_text": (["--no-enforce-distillable-text"], False),
    "quantizations": (["--quantizations", "fp8,unknown"], ["fp8", "unknown"]),
    "sort": (["--sort", "by=price,partition=none"], {"by": "price", "partition": "none"}),
    "preferred_min_throughput": (["--preferred-min-throughput", "40"], 40),
    "preferred_max_latency": (
        ["--preferred-max-latency", "p50=1.5", "--preferred-max-latency", "p90=4"],
        {"p50": 1.5, "p90": 4},
    ),
    "max_price": (["--max-price", "prompt=1,completion=2.5"], {"prompt": 1, "completion": 2.5}),
    "options": (["--options", '{"azure": {"a": 1}}'], {"azure": {"a": 1}}),
    "models": (["--models", "openai/gpt-5-mini"], ["openai/gpt-5-mini"]),
    "session_id": (["--session-id", "12"], "12"),
    "service_tier": (["--service-tier", "flex"], "flex"),
    "plugins": (["--plugins", '[{"id": "web"}]'], [{"id": "web"}]),
    "transforms": (["--transforms", "middle-out"], ["middle-out"]),
    "route": (["--route", "fallback"], "fallback"),
    "user": (["--user", "u1"], "u1"),
    "trace": (["--trace", '{"trace_id": "t"}'], {"trace_id": "t"}),
    "metadata": (["--metadata", '{"a": "b"}'], {"a": "b"}),
}
HEADERS = {
    "router_metadata": ["--no-router-metadata"],
    "response_cache": ["--response-cache", "300"],
}


@pytest.mark.parametrize("field", [f for f in (*PROVIDER_FIELDS, *ROUTING_FIELDS) if f in WRITTEN])
def test_what_a_flag_says_is_in_the_request(run: Run, emulator: object, field: str) -> None:
    flags, value = WRITTEN[field]
    request = run("explain", MODEL, "--json", *flags).json["request"]
    where = request["provider"] if field in PROVIDER_FIELDS else request
    assert where[field] == value


@pytest.mark.parametrize("field", HEADERS)
def test_a_preference_that_travels_as_a_header_is_taken_too(
    run: Run, emulator: object, field: str
) -> None:
    assert run("explain", MODEL, *HEADERS[field]).out.startswith(f"Request: {MODEL}, ")


def test_no_field_is_without_a_flag() -> None:
    fields = {flag.field for flag in preference_flags()}
    assert fields == {*PROVIDER_FIELDS, *ROUTING_FIELDS} - {"provider"}
    assert fields == {*WRITTEN, *HEADERS, "preset"}
    assert all(flag.help for flag in preference_flags())


def test_a_new_field_is_a_new_flag() -> None:
    class Newer(ProviderPreferences):
        """The next release of the API.

        Args:
            carbon: True: only endpoints that run on wind.
            regions: Where the request may be served.
        """

        carbon: bool | None = None
        regions: list[str] | None = None

    flags = {flag.field: flag for flag in _flags_of(Newer, "panel")}
    assert (flags["carbon"].kind, flags["regions"].kind) == ("switch", "names")
    assert flags["carbon"].help == "Only endpoints that run on wind."
    assert flags["regions"].flag == "--regions"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--order", "opnai"], "did you mean 'openai'"),
        (["--sort", "prise"], "did you mean 'price'"),
        (["--max-price", "prompt"], "--max-price takes KEY=VALUE pairs, got 'prompt'"),
        (["--max-price", "promt=1"], "did you mean 'prompt'"),
        (["--max-price", "prompt=cheap"], "takes a price in USD"),
        (["--options", "{"], "--options takes JSON, got '{'"),
        (["--preferred-min-throughput", "fast"], "takes a number greater than 0"),
        (["--data-collection", "denyy"], "did you mean 'deny'"),
        (["--preferences", "nowhere.json"], "nowhere.json: No such file"),
        (["--preset", "mine"], "give its settings as flags"),
        (["--order", "azure", "--ordr", "azure"], "No such option"),
    ],
)
def test_a_wrong_preference_is_wrong_usage(
    run: Run, emulator: object, flags: list[str], message: str
) -> None:
    ran = run("explain", MODEL, *flags)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_a_file_of_preferences_lies_below_the_flags(
    run: Run, emulator: object, tmp_path: Path
) -> None:
    file = tmp_path / "preferences.json"
    file.write_text(json.dumps({"provider": {"zdr": True, "sort": "price"}}))
    ran = run("explain", MODEL, "--preferences", str(file), "--sort", "latency", "--json")
    assert ran.json["request"]["provider"] == {"zdr": True, "sort": "latency"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[]", "expected a JSON object"), ('{"zdrr": true}', "zdr")],
)
def test_a_malformed_file_of_preferences_is_named(
    run: Run, emulator: object, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "preferences.json"
    file.write_text(text)
    ran = run("explain", MODEL, "--preferences", str(file))
    assert ran.code == 2
    assert str(file) in ran.err
    assert message in ran.err
