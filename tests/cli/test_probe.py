"""`probe`: every provider gets the same requests, and what they did is compared, saved and drawn."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from openrouter_routing.catalog import Catalog
from openrouter_routing.emulator import Emulator, Scripted
from openrouter_routing.probing import plan_probes
from openrouter_routing.scope import routing
from tests.cli.conftest import Run, start

LLAMA = "meta-llama/llama-3.3-70b-instruct"
MINI = "openai/gpt-4o-mini"


def sent(emulator: Emulator) -> list[dict[str, Any]]:
    return [request.json for request in emulator.requests if request.method == "POST"]


def talk(text: str, finish: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "gen-1", "model": MINI, "provider": "Azure", "choices": [choice]}


def by_tag(document: Any) -> dict[str, Any]:
    return {provider["tag"]: provider for provider in document["providers"]}


def test_each_request_is_pinned_to_one_provider(run: Run, emulator: Emulator) -> None:
    run("probe", MINI, "--runs", "2")
    bodies = sent(emulator)
    assert len(bodies) == 3 * 4
    for body in bodies:
        (tag,) = body["provider"]["order"]
        assert body["provider"]["allow_fallbacks"] is False
        assert body["provider"].get("ignore", []) == (["azure/eu"] if tag == "azure" else [])
    timed = [body for body in bodies if body.get("stream")]
    assert [body["provider"]["order"][0] for body in timed] == ["openai", "azure", "azure/eu"] * 2
    assert len({body["messages"][0]["content"] for body in timed}) == 1


def test_the_report_compares_what_was_measured(run: Run, emulator: Emulator) -> None:
    ran = run("probe", LLAMA, "--runs", "2", "--json")
    assert ran.code == 0
    report = ran.json
    assert list(report) == [
        "model", "best", "planned", "sent", "complete", "total_cost", "providers",
    ]  # fmt: skip
    assert report["complete"] is True
    assert report["sent"] == len(sent(emulator))
    providers = by_tag(report)
    assert len(providers) == 8
    cerebras = providers["cerebras"]
    assert (cerebras["answered"], cerebras["sent"]) == (2, 2)
    assert cerebras["time_to_first_token"] > 0
    assert cerebras["throughput"] > 0
    assert cerebras["finish_reasons"] == ["stop"]
    assert (cerebras["tools"], cerebras["schema"]) == ("works", "works")
    assert providers["groq"]["schema"] == "not offered"
    assert cerebras["runs"][0]["route"]["provider"] == "Cerebras"
    costs = [provider["cost"] for provider in report["providers"]]
    assert costs == sorted(costs)
    assert sum(
        run["route"]["cost"] for provider in report["providers"] for run in provider["runs"]
    ) == pytest.approx(report["total_cost"])


def test_the_table_names_every_provider_and_the_bill(run: Run, emulator: Emulator) -> None:
    ran = run("probe", MINI, "--runs", "1", "--no-checks")
    title, headings, _, *rows = ran.out.splitlines()
    assert title == f"{MINI}: the cheapest first"
    assert "$/1000 req" in headings
    assert [row.split()[:2] for row in rows[:3]] == [
        ["azure", "1/1"],
        ["openai", "1/1"],
        ["azure/eu", "1/1"],
    ]
    assert rows[3].startswith("3 requests for 0.0000")
    assert ran.err.startswith("3 requests to 3 providers, at most about ")


def test_a_failing_provider_is_a_finding_with_its_reason(run: Run, emulator: Emulator) -> None:
    emulator.fault(provider="azure", kind="rate_limited")
    ran = run("probe", MINI, "--runs", "2", "--providers", "azure/eu,openai", "--json")
    assert ran.code == 0
    azure = by_tag(ran.json)["azure/eu"]
    assert azure["answered"] == 0
    assert "429" in azure["problems"][0]
    assert ran.json["providers"][-1] == azure
    # Nothing is sent twice: a failure has to show.
    assert len(sent(emulator)) == 2 * 4
    assert "azure/eu: OpenRouter answered 429" in run("probe", MINI, "--providers", "azure/eu").out


def test_broken_streams_keep_what_had_arrived(run: Run, emulator: Emulator) -> None:
    emulator.fault(provider="openai", kind="cut", after_chunks=3)
    report = run("probe", MINI, "--providers", "openai", "--no-checks", "--json")
    assert report.code == 1
    (result,) = report.json["providers"]
    assert result["answered"] == 0
    assert result["runs"][0]["route"]["provider"] == "OpenAI"


def test_tools_and_schemas_that_do_not_work_are_found(run: Run, emulator: Emulator) -> None:
    emulator.script(
        [
            Scripted(talk("It is sunny.")),
            Scripted(talk("It is sunny in Bern.")),
            Scripted(talk('{"name": "Bern", "letters": "four"}')),
        ]
    )
    ran = run("probe", MINI, "--providers", "azure/eu", "--runs", "1", "--json")
    (azure,) = ran.json["providers"]
    assert (azure["tools"], azure["schema"]) == ("fails", "fails")
    assert azure["problems"] == [
        "tools: answered without calling the tool",
        "schema: the answer does not follow the schema",
    ]


def test_an_answer_that_was_cut_off_is_not_blamed_on_the_schema(
    run: Run, emulator: Emulator
) -> None:
    answers = [talk("Gyroscopes."), talk("", "length"), talk('{"name": "Be', "length")]
    emulator.script([Scripted(answer) for answer in answers])
    ran = run("probe", MINI, "--providers", "azure/eu", "--runs", "1", "--json")
    problems = ran.json["providers"][0]["problems"]
    assert "schema: cut off by max_tokens before the answer was complete" in problems


def test_a_provider_the_model_does_not_have_is_told_with_who_does_serve_it(
    run: Run, emulator: Emulator
) -> None:
    ran = run("probe", MINI, "--providers", "groq")
    assert (ran.code, ran.out) == (2, "")
    assert f"groq does not serve {MINI}; it is served by openai, azure" in ran.err
    assert not sent(emulator)


def test_a_service_tier_is_probed_by_name_only() -> None:
    endpoints = Catalog.sample().model(MINI).endpoints
    tags = {probe.endpoint.tag for probe in plan_probes(endpoints)}
    assert tags == {"openai", "azure", "azure/eu"}
    (probe,) = plan_probes(endpoints, providers=["openai/flex"], checks=False)
    assert probe.endpoint.tag == "openai/flex"


def test_credits_that_run_out_end_it_and_leave_what_was_found(run: Run, emulator: Emulator) -> None:
    error = {"error": {"code": 402, "message": "Insufficient credits"}}
    emulator.script([Scripted(talk("Gyroscopes do it.")), Scripted(error, status=402)])
    ran = run("probe", MINI, "--providers", "azure/eu", "--json")
    assert ran.code == 1
    assert (ran.json["sent"], ran.json["complete"]) == (1, False)
    assert by_tag(ran.json)["azure/eu"]["answered"] == 1
    assert "credits" in ran.err
    assert len(sent(emulator)) == 2


def test_a_budget_stops_it(run: Run, emulator: Emulator) -> None:
    ran = run("probe", MINI, "--max-cost", "0.000001", "--json")
    assert ran.code == 0
    assert (ran.json["sent"], ran.json["complete"]) == (1, False)
    assert "Stopped: " in ran.err


def test_an_answer_of_the_wrong_provider_counts_for_the_budget_too(
    run: Run, emulator: Emulator
) -> None:
    strayed = talk("Bern.") | {"provider": "Groq", "usage": {"cost": 0.5}}
    emulator.script([Scripted(talk("Gyroscopes do it.")), Scripted(strayed)])
    ran = run("probe", MINI, "--providers", "azure/eu", "--max-cost", "0.4", "--json")
    assert (ran.json["sent"], ran.json["complete"]) == (2, False)
    assert ran.json["total_cost"] == 0.5
    (azure,) = ran.json["providers"]
    assert azure["runs"][1]["route"]["provider"] == "Groq"
    assert "Stopped: 0.50 USD spent" in ran.err


@pytest.mark.parametrize(
    ("answers", "saved"),
    [
        ([503, 200], {"order": ["azure/eu"]}),
        ([200, 503], {"order": ["azure"], "ignore": ["azure/eu"]}),
    ],
)
def test_saved_preferences_never_ignore_who_answered(
    run: Run, emulator: Emulator, tmp_path: Path, answers: list[int], saved: dict[str, Any]
) -> None:
    failed = {"error": {"code": 503, "message": "Down"}}
    emulator.script(
        [Scripted(failed if code == 503 else talk("By itself."), status=code) for code in answers]
    )
    file = tmp_path / "preferences.json"
    run(
        "probe", MINI, "--providers", "azure,azure/eu", "--runs", "1", "--no-checks",
        "--save", str(file),
    )  # fmt: skip
    assert json.loads(file.read_text())["provider"] == saved
    plan = run("explain", MINI, "--preferences", str(file), "--json").json
    assert plan["candidates"][0]["tag"] == saved["order"][0]


def test_saved_preferences_follow_the_ranking_and_work(
    run: Run, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.fault(provider="hyperbolic", kind="down")
    file = tmp_path / "preferences.json"
    ran = run("probe", LLAMA, "--runs", "1", "--no-checks", "--save", str(file))
    saved = json.loads(file.read_text())
    assert saved["provider"]["order"][0] == "deepinfra/turbo"
    assert saved["provider"]["ignore"] == ["hyperbolic"]
    assert f"explain {LLAMA} --preferences {file}" in ran.err
    plan = run("explain", LLAMA, "--preferences", str(file), "--json").json
    assert [c["tag"] for c in plan["candidates"]] == saved["provider"]["order"]
    with routing(**saved):
        pass


def test_best_chooses_the_ranking(run: Run, emulator: Emulator) -> None:
    report = run("probe", LLAMA, "--runs", "1", "--best", "speed", "--json").json
    speeds = [provider["throughput"] for provider in report["providers"]]
    assert speeds == sorted(speeds, reverse=True)
    ran = run("probe", LLAMA, "--best", "sped")
    assert ran.code == 2
    assert "did you mean 'speed'" in ran.err


def test_a_missing_matplotlib_is_told_before_anything_is_billed(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = run("probe", MINI, "--plot", str(tmp_path / "costs.png"))
    assert (ran.code, ran.out) == (1, "")
    assert "pip install matplotlib" in ran.err
    assert not emulator.requests


def test_cost_is_drawn_against_speed(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "costs.svg"
    ran = run("probe", MINI, "--runs", "1", "--plot", str(file))
    assert ran.code == 0
    assert "<svg" in file.read_text()


@pytest.mark.parametrize(
    ("flag", "name", "message"),
    [
        ("--save", "nowhere/p.json", "there is no directory"),
        ("--plot", "nowhere/p.png", "there is no directory"),
        ("--plot", "costs.docx", "unknown value '.docx'"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_anything_is_billed(
    run: Run, emulator: Emulator, tmp_path: Path, flag: str, name: str, message: str
) -> None:
    ran = run("probe", MINI, flag, str(tmp_path / name))
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert not emulator.requests


def test_preferences_for_nobody_are_not_saved(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    emulator.fault(kind="down")
    file = tmp_path / "preferences.json"
    ran = run("probe", MINI, "--runs", "1", "--no-checks", "--save", str(file))
    assert ran.code == 1
    assert "Not saved: no provider answered every time" in ran.err
    assert not file.exists()


def test_ctrl_c_prints_what_it_has(emulator: Emulator) -> None:
    emulator.fault(provider="openai", kind="stall")
    process = start(
        "probe", MINI, "--providers", "azure/eu,openai", "--runs", "1", "--no-checks", "--json"
    )
    while len(sent(emulator)) < 2 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    report = json.loads(out)
    assert process.returncode == 130
    assert (report["sent"], report["planned"], report["complete"]) == (1, 2, False)
    assert by_tag(report)["azure/eu"]["answered"] == 1
    assert err.endswith("interrupted\n")
