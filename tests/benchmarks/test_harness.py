"""The benchmark measures what it says: real clients, real answers, ratios that add up. No test looks at a clock."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import guard
from benchmarks.answers import ARGUMENT_BYTES, MODEL, answer
from benchmarks.cases import CASES, Case
from benchmarks.clients import CLIENTS
from benchmarks.document import BEGIN, END, write_numbers
from benchmarks.requests import KEY
from benchmarks.rounds import FLOOR_OF, Cost, ratio, run_case, workers
from benchmarks.table import numbers, ratios
from benchmarks.worker import load
from openrouter_routing import OpenRouterClient


def test_every_row_is_run_by_ours_and_by_real_answers() -> None:
    names = ["httpx", "core", "langchain floor", "langchain", "llamaindex floor", "llamaindex"]
    few = {"in_flight": 64, "image": 1, "history": 1}
    with workers(sys.executable, names) as started:
        taking_part = {
            case.name: set(run_case(case, started, 1, repeat=few.get(case.name, 4)))
            for case in CASES
        }
    assert all(taking_part.values())
    for name in ("invoke", "in_flight", "stream", "astream", "history"):
        assert taking_part[name] == set(names)


@pytest.mark.parametrize("name", ["httpx", "core"])
def test_a_client_that_fails_is_no_cheap_client(name: str) -> None:
    broken = Case("stream", "a stream the server does not have", -1, parts=0)
    with workers(sys.executable, [name]) as started, pytest.raises(RuntimeError, match="stream"):
        run_case(broken, started, 1)


def test_the_streams_hold_what_they_are_named_for() -> None:
    with workers(sys.executable, []), workers(sys.executable, ["core"]) as (worker,):
        assert "argument_stream" in worker.cases
    body = answer("argument-100")
    assert body.count(b'"arguments"') == 100
    assert len(body) > ARGUMENT_BYTES
    assert answer("stream-50").count(b"data: ") == 50 + 3
    assert answer("stream-50-single") != answer("stream-50")
    with pytest.raises(KeyError):
        answer("nonsense-5")


def test_every_client_of_this_package_can_be_built() -> None:
    for name in CLIENTS:
        if name in FLOOR_OF.values() or name in ("core", "langchain", "llamaindex"):
            assert load(name, "http://127.0.0.1:9").invoke
    assert OpenRouterClient(api_key=KEY).settings.api_key is not None
    assert MODEL.count("/") == 1


def test_ratios_are_of_the_best_rounds() -> None:
    costs = {"httpx": Cost([2.0, 1.0], [1, 1]), "core": Cost([3.0, 9.0], [1, 1])}
    assert ratio(costs, "core") == 3.0
    assert ratio(costs, "langchain") is None
    case = Case("invoke", "one answer", 1, 1.5)
    assert "| one answer | 3.00x |" in ratios([(case, costs)])
    assert "| **core** | 3000 ms / 6000 ms / 9000 ms |" in numbers(case, costs)


def test_the_guard_lets_a_fifth_pass_and_stops_a_third() -> None:
    known = {"stream": {"core": 2.0, "langchain": 1.5}}
    assert guard.find_worse({"stream": {"core": 2.4, "langchain": 1.2}}, known) == []
    assert guard.find_worse({"stream": {"core": 2.66, "langchain": 1.2}}, known) == [
        "stream, core: 2.66x the floor, the baseline is 2.00x"
    ]
    assert guard.find_worse({"new": {"core": 9.0}}, known) == []


def test_the_baseline_holds_every_guarded_row() -> None:
    known = json.loads(guard.BASELINE.read_text(encoding="utf-8"))
    assert set(known) == set(guard.GUARDED)
    assert all(set(row) == {"core", "langchain", "llamaindex"} for row in known.values())
    assert set(guard.GUARDED) <= {case.name for case in CASES}


def test_the_guard_measures_again_before_it_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "GUARDED", ("stream",))
    monkeypatch.setattr(guard, "CLIENTS", ("httpx", "core"))
    monkeypatch.setattr(guard, "ROUNDS", 1)
    baseline = tmp_path / "baseline.json"
    baseline.write_text('{"stream": {"core": 0.01}}')
    assert guard.guard(sys.executable, write=False, baseline=baseline) == 1
    told = capsys.readouterr()
    assert "worse: stream, core" in told.out
    assert told.err.count("measuring again") == guard.TRIES
    assert guard.guard(sys.executable, write=True, baseline=baseline) == 0
    assert json.loads(baseline.read_text())["stream"]["core"] > 0.01


def test_numbers_go_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_numbers("new", page)
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="marks"):
        write_numbers("new", page)
