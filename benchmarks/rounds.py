"""Rounds: each client does the same work in turn, again and again, so that the machine's moods hit all of them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cases import IMPORTS, Case

ROOT = Path(__file__).resolve().parent.parent
FLOOR_OF = {
    "core": "httpx",
    "langchain": "langchain floor",
    "langchain-openrouter": "langchain floor",
    "langchain-openai": "langchain floor",
    "llamaindex": "llamaindex floor",
    "llama-index-llms-openrouter": "llamaindex floor",
}
WARM_UP = 1
"""Rounds that are not counted."""
SHORTER = {"langchain-openrouter": 8, "langchain-openai": 2, "llama-index-llms-openrouter": 2}
"""How much less work the slower clients do in a round, where the work can be done in part."""


@dataclass(slots=True)
class Cost:
    """Seconds for one unit of work, a value for each round."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, cpu: float, wall: float) -> None:
        """Take the cost of a round in."""
        self.cpu.append(cpu)
        self.wall.append(wall)

    @property
    def least(self) -> float:
        """The processor time of the best round: what the work takes when nothing else disturbs it."""
        return min(self.cpu)

    @property
    def spread(self) -> tuple[float, float, float]:
        """Minimum, median and maximum of the processor time."""
        return min(self.cpu), statistics.median(self.cpu), max(self.cpu)


Costs = dict[str, Cost]
"""The costs of one case, by client."""


class Worker:
    """One client in a process of its own."""

    def __init__(self, python: str, name: str, server: str, *, prefix: Iterable[str] = ()) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [*prefix, python, "-m", "benchmarks.worker", name, server],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env=benchmark_environment(),
        )  # fmt: skip
        self.cases: list[str] = json.loads(self._read())

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def measure(self, case: Case, repeat: int) -> tuple[float, float]:
        """Do one round; return the seconds of processor and wall time for one unit.

        Raises:
            RuntimeError: The client failed.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"case": case.name, "repeat": repeat}) + "\n")
        self._process.stdin.flush()
        result = json.loads(self._read())
        if "error" in result:
            raise RuntimeError(f"{self.name}, {case.name}: {result['error']}")
        return result["cpu"] / repeat, result["wall"] / repeat

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._process.wait()}")
        return line

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@contextmanager
def served(python: str) -> Iterator[str]:
    """Start the server; yields its address."""
    with ExitStack() as stack:
        server = subprocess.Popen(
            [python, "-m", "benchmarks.server"], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        stack.callback(server.communicate)
        stack.callback(server.kill)
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"


@contextmanager
def workers(python: str, names: Iterable[str]) -> Iterator[list[Worker]]:
    """Start the server and a worker for each client, and end them all."""
    with ExitStack() as stack:
        address = stack.enter_context(served(python))
        started = []
        for name in names:
            worker = Worker(python, name, address)
            stack.callback(worker.close)
            started.append(worker)
        yield started


def run_case(case: Case, started: list[Worker], rounds: int, *, repeat: int | None = None) -> Costs:
    """Measure one case with all clients that take part, in turn.

    Args:
        case: The case.
        started: The clients.
        rounds: How many rounds, unless the case says less.
        repeat: How many units of work one round does; the case says it unless it is given.
    """
    taking_part = [worker for worker in started if case.name in worker.cases]
    costs = {worker.name: Cost() for worker in taking_part}
    warm_up = min(WARM_UP, case.rounds - 1)
    for number in range(min(rounds, case.rounds) + warm_up):
        for worker in taking_part:
            asked = repeat or case.repeat
            if case.parts:
                asked = max(asked // SHORTER.get(worker.name, 1), case.parts)
            cpu, wall = worker.measure(case, asked)
            if number >= warm_up:
                costs[worker.name].add(cpu, wall)
    return costs


def run_imports(python: str, names: Iterable[str], rounds: int) -> Costs:
    """Measure importing and constructing, each time in a new process."""
    code = (
        "import sys, time\nbegin = time.process_time(), time.perf_counter()\n{}\n"
        "print(time.process_time() - begin[0], time.perf_counter() - begin[1])"
    )
    costs = {name: Cost() for name in names if name in IMPORTS}
    for number in range(rounds + 1):
        for name, cost in costs.items():
            out = subprocess.run(
                [python, "-W", "ignore", "-c", code.format(IMPORTS[name])],
                capture_output=True, text=True, check=True, cwd=ROOT, env=benchmark_environment(),
            ).stdout  # fmt: skip
            cpu, wall = map(float, out.split())
            if number:
                cost.add(cpu, wall)
    return costs


def ratio(costs: Costs, name: str) -> float | None:
    """Return how many times the floor the client's work costs, by the best rounds of both."""
    floor = FLOOR_OF.get(name)
    if floor is None or floor not in costs or name not in costs:
        return None
    return costs[name].least / costs[floor].least


def benchmark_environment() -> dict[str, str]:
    """Return what the clients see of the environment."""
    # The same for all: no tracing, no proxies, no settings of the person who runs it.
    keep = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")
    return {name: os.environ[name] for name in keep if name in os.environ} | {
        "PYTHONDONTWRITEBYTECODE": "",
        "NO_PROXY": "127.0.0.1",
        "PYTHONHASHSEED": "0",
    }


def progress(text: str) -> None:
    """Tell a person who waits what is going on."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
