"""The guard: fails when a row costs a quarter more, relative to its floor, than it did when the baseline was written.

Only ratios of one run are compared, never times, so that it says the same on any machine. A row that looks worse is
measured again and judged by its best rounds: what a busy machine did is gone then, what the code does stays.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.rounds import FLOOR_OF, ROOT, Cost, Costs, progress, ratio, run_case, workers

BASELINE = ROOT / "benchmarks" / "baseline.json"
TOLERANCE = 1.25
ROUNDS = 5
TRIES = 3
GUARDED = ("invoke", "in_flight", "stream", "astream", "tool_stream", "argument_stream")
CLIENTS = ("httpx", "core", "langchain floor", "langchain", "llamaindex floor", "llamaindex")
_FLOOR_WHERE_THE_FRAMEWORK_HAS_NONE = "httpx"
_REPEATS = {"argument_stream": 2000}

Ratios = dict[str, dict[str, float]]
"""Times the floor, by case and client."""


def guard(python: str, *, write: bool, baseline: Path = BASELINE) -> int:
    """Measure the guarded rows; return 0 where all is well, else 1.

    Args:
        python: Which Python runs the clients.
        write: Whether to write a new baseline instead of comparing.
        baseline: Where it is.
    """
    known: Ratios = {} if write else json.loads(baseline.read_text(encoding="utf-8"))
    costs: dict[str, Costs] = {}
    worse: list[str] = []
    for _ in range(TRIES):
        _measure(python, costs)
        worse = find_worse(ratios_of(costs), known)
        if not worse and not write:
            break
        for line in worse:
            progress(f"{line}; measuring again")
    if write:
        text = json.dumps(ratios_of(costs), indent=2, sort_keys=True)
        baseline.write_text(text + "\n", encoding="utf-8")
    for line in worse:
        print(f"worse: {line}")
    return 1 if worse else 0


def find_worse(now: Ratios, known: Ratios, tolerance: float = TOLERANCE) -> list[str]:
    """Name every row that costs more than `tolerance` times what it did, relative to its floor.

    Example:
        >>> find_worse({"stream": {"core": 2.0}}, {"stream": {"core": 1.5}})
        ['stream, core: 2.00x the floor, the baseline is 1.50x']
    """
    return [
        f"{case}, {client}: {value:.2f}x the floor, the baseline is {known[case][client]:.2f}x"
        for case, row in now.items()
        for client, value in row.items()
        if value > known.get(case, {}).get(client, float("inf")) * tolerance
    ]


def ratios_of(costs: dict[str, Costs]) -> Ratios:
    """Return the ratios to the floors; where a framework's floor has no such row, to httpx."""
    ratios: Ratios = {}
    for case, row in costs.items():
        floor = row[_FLOOR_WHERE_THE_FRAMEWORK_HAS_NONE].least
        ratios[case] = {
            client: round(ratio(row, client) or row[client].least / floor, 3)
            for client in row
            if client in FLOOR_OF
        }
    return ratios


def _measure(python: str, costs: dict[str, Costs]) -> None:
    with workers(python, CLIENTS) as started:
        for case in CASES:
            if case.name not in GUARDED:
                continue
            measured = run_case(case, started, ROUNDS, repeat=_REPEATS.get(case.name, case.repeat))
            row = costs.setdefault(case.name, {})
            for client, cost in measured.items():
                held = row.setdefault(client, Cost())
                held.cpu.extend(cost.cpu)
                held.wall.extend(cost.wall)
