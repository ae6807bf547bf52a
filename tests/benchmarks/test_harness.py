"""The benchmark measures what it says: real clients, real answers, ratios that add up. No test looks at a clock."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import guard, instructions
from benchmarks.answers import ARGUMENT_BYTES, MODEL, answer
from benchmarks.cases import CASES, Case
from benchmarks.clients import CLIENTS
from benchmarks.document import write_numbers
from benchmarks.goals import goals
from benchmarks.instructions import counting_workers
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
    assert set(known) == {guard.IMPORT, *guard.REPEATS}
    assert all(set(row) == {"core", "langchain", "llamaindex"} for row in known.values())
    assert set(guard.REPEATS) <= {case.name for case in CASES}


def test_a_row_without_a_floor_of_its_own_is_measured_by_httpx() -> None:
    counts = {
        "stream": {"httpx": 10.0, "core": 20.0, "langchain floor": 40.0, "langchain": 50.0},
        "tool_stream": {"httpx": 10.0, "core": 25.0, "langchain": 60.0},
    }
    ratios = guard.ratios_of(counts)
    assert ratios == {
        "stream": {"core": 2.0, "langchain": 1.25},
        "tool_stream": {"core": 2.5, "langchain": 6.0},
    }
    shown = guard.table(counts, ratios)
    assert "| one streamed chunk, sync | 0 | 0 (2.00x) | 0 | 0 (1.25x) |  |  |" in shown


@pytest.mark.timeout(300)  # everything is fifty times slower under valgrind
@pytest.mark.skipif(shutil.which("callgrind_control") is None, reason="needs valgrind")
def test_instructions_are_the_same_from_run_to_run_and_grow_with_the_work() -> None:
    stream = next(case for case in CASES if case.name == "stream")
    with counting_workers(sys.executable, ["httpx"]) as (worker,):
        few, again, more = (worker.count(stream, repeat) for repeat in (100, 100, 400))
    # In how many reads a stream arrives is up to the machine.
    assert few == pytest.approx(again, rel=0.1)
    # What begins a stream weighs less in a longer one.
    assert 1000 < more < few
    with pytest.raises(RuntimeError, match="callgrind_control"):
        worker._control("-d")


@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("callgrind_control") is None, reason="needs valgrind")
def test_the_guard_fails_where_a_row_got_worse(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "REPEATS", {"stream": 50})
    monkeypatch.setattr(guard, "CLIENTS", ("httpx", "core"))
    monkeypatch.setattr(instructions, "IMPORTS", {})
    baseline = tmp_path / "baseline.json"
    baseline.write_text('{"stream": {"core": 0.01}}')
    assert guard.guard(sys.executable, write=False, baseline=baseline) == 1
    assert "worse: stream, core" in capsys.readouterr().out


def test_without_valgrind_the_guard_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert guard.guard(sys.executable, write=False) == 1
    assert "apt-get install valgrind" in capsys.readouterr().out


def test_a_goal_that_was_missed_says_so() -> None:
    invoke = Case("invoke", "one answer", 1, 1.5)
    costs = {
        "langchain floor": Cost([1.0], [1]), "langchain": Cost([1.4], [1]),
        "llamaindex floor": Cost([1.0], [1]), "llamaindex": Cost([1.6], [1]),
    }  # fmt: skip
    chunk = {"langchain": Cost([1.0], [1]), "llamaindex": Cost([1.0], [1])}
    fragment = {"langchain": Cost([1.5], [1]), "llamaindex": Cost([2.5], [1])}
    imports = {
        "httpx": Cost([0.1], [1]), "core": Cost([0.12], [1]),
        "langchain floor": Cost([1.0], [1]), "langchain": Cost([1.05], [1]),
        "llamaindex floor": Cost([1.0], [1]), "llamaindex": Cost([1.1], [1]),
    }  # fmt: skip
    text = goals(
        [
            (invoke, costs),
            (Case("stream", "a chunk", 1), chunk),
            (Case("tool_stream", "a fragment", 1), fragment),
            (Case("import", "import", 1), imports),
            (Case("reconfigure", "a model", 1), {"langchain": Cost([0.0004], [1])}),
        ]
    )
    assert "| one answer: at most 1.5 times the floor | 1.40x | 1.60x, **missed** |" in text
    assert "a tool call: at most twice a chunk of text | 1.50x | 2.50x, **missed** |" in text
    assert "own import | 50.00 ms | 100.00 ms, **missed** |" in text
    assert "the core: 1.20x |" in text
    assert "under 0.3 ms | 0.40 ms, **missed** |" in text


def test_numbers_go_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = "<!-- numbers: written by `make bench` -->", "<!-- end of numbers -->"
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    write_numbers("new", page)
    assert page.read_text() == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="marks"):
        write_numbers("new", page)
