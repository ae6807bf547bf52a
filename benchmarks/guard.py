"""The guard: fails when a row takes a quarter more instructions, relative to its floor, than the baseline has.

Instructions are counted, not seconds, so that a busy machine says the same as an idle one; and only ratios of one run
are compared, so that newer versions of what is below both weigh on both.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.cases import CASES, Case
from benchmarks.document import write_numbers
from benchmarks.instructions import (
    PROCESSES,
    CountingWorker,
    ValgrindMissingError,
    check_valgrind,
    count_imports,
    counting_workers,
)
from benchmarks.rounds import FLOOR_OF, ROOT, progress

BASELINE = ROOT / "benchmarks" / "baseline.json"
TOLERANCE = 1.25
CLIENTS = ("httpx", "core", "langchain floor", "langchain", "llamaindex floor", "llamaindex")
REPEATS = {
    "invoke": 20,
    "in_flight": 64,
    "stream": 400,
    "astream": 400,
    "tool_stream": 200,
    "reasoning_stream": 200,
    "argument_stream": 1000,
}
"""The guarded rows, and how much work is counted in each: as much as it takes for its start not to matter."""
IMPORT = "import"
_FLOOR_WHERE_THE_FRAMEWORK_HAS_NONE = "httpx"

Counts = dict[str, dict[str, float]]
"""Instructions of one unit of work, by case and client."""
Ratios = dict[str, dict[str, float]]
"""Times the floor, by case and client."""


def guard(python: str, *, write: bool, baseline: Path = BASELINE) -> int:
    """Count the guarded rows; return 0 where all is well, else 1.

    Args:
        python: Which Python runs the clients.
        write: Whether to write a new baseline, and its table in docs/performance.md, instead of comparing.
        baseline: Where it is.
    """
    try:
        check_valgrind()
    except ValgrindMissingError as missing:
        print(missing)
        return 1
    counts = count_all(python)
    ratios = ratios_of(counts)
    print(table(counts, ratios))
    if write:
        text = json.dumps(ratios, indent=2, sort_keys=True)
        baseline.write_text(text + "\n", encoding="utf-8")
        write_numbers(table(counts, ratios), name="instructions")
        return 0
    worse = find_worse(ratios, json.loads(baseline.read_text(encoding="utf-8")))
    for line in worse:
        print(f"worse: {line}")
    return 1 if worse else 0


def count_all(python: str) -> Counts:
    """Count every guarded row with every client that takes part."""
    progress("counting instructions: import and construct")
    counts: Counts = {IMPORT: count_imports(python, CLIENTS)}
    progress("counting instructions: starting the clients")
    with counting_workers(python, CLIENTS) as started:
        for case in CASES:
            if case.name in REPEATS:
                progress(f"counting instructions: {case.title}")
                counts[case.name] = _count(case, started)
    return counts


def _count(case: Case, started: list[CountingWorker]) -> dict[str, float]:
    taking_part = [worker for worker in started if case.name in worker.cases]
    with ThreadPoolExecutor(PROCESSES) as pool:
        counted = pool.map(lambda worker: worker.count(case, REPEATS[case.name]), taking_part)
        return dict(zip([worker.name for worker in taking_part], counted, strict=True))


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


def ratios_of(counts: Counts) -> Ratios:
    """Return the ratios to the floors; where a framework's floor has no such row, to httpx."""
    ratios: Ratios = {}
    for case, row in counts.items():
        ratios[case] = {
            client: round(
                count / row.get(FLOOR_OF[client], row[_FLOOR_WHERE_THE_FRAMEWORK_HAS_NONE]), 3
            )
            for client, count in row.items()
            if client in FLOOR_OF
        }
    return ratios


def table(counts: Counts, ratios: Ratios) -> str:
    """Return the counts and ratios as a table in Markdown."""
    titles = {case.name: case.title for case in CASES} | {IMPORT: "import and construct"}
    lines = [
        f"| thousands of instructions | {' | '.join(CLIENTS)} |",
        f"|---{'|---' * len(CLIENTS)}|",
    ]
    for name, row in counts.items():
        cells = [
            f"{row[client] / 1000:,.0f}{f' ({ratios[name][client]:.2f}x)' if client in ratios[name] else ''}"
            if client in row
            else ""
            for client in CLIENTS
        ]
        lines.append(f"| {titles[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)
