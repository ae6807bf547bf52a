"""Counting instructions instead of seconds: the same on a busy machine as on an idle one, and from run to run.

Each client runs under valgrind's callgrind, which counts nothing until it is told to, so that imports and warm-up stay
out; the server stays outside. See https://valgrind.org/docs/manual/cl-manual.html
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.cases import IMPORTS, Case
from benchmarks.rounds import ROOT, Worker, benchmark_environment, served

_TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)
PROCESSES = 2
"""How many processes count at once: they slow each other down, but not their counts."""


class ValgrindMissingError(Exception):
    """There is no valgrind to count with."""


def check_valgrind() -> None:
    """Refuse to go on without valgrind.

    Raises:
        ValgrindMissingError: It is not installed.
    """
    if not (shutil.which("valgrind") and shutil.which("callgrind_control")):
        raise ValgrindMissingError(
            "instructions are counted by valgrind, which is not here: apt-get install valgrind, or the like"
        )


class CountingWorker(Worker):
    """One client under callgrind."""

    def __init__(self, python: str, name: str, server: str, folder: Path) -> None:
        self._out = folder / f"{name.replace(' ', '-')}.out"
        self._dumps = 0
        super().__init__(python, name, server, prefix=_callgrind(self._out, "--instr-atstart=no"))

    def count(self, case: Case, repeat: int) -> float:
        """Do the work twice, count the second time, and return the instructions of one unit."""
        self.measure(case, repeat)
        self._control("-i", "on")
        self.measure(case, repeat)
        self._control("-i", "off")
        self._control("-d")
        self._dumps += 1
        dump = self._out.with_name(f"{self._out.name}.{self._dumps}")
        return _total(dump) / repeat

    def _control(self, *command: str) -> None:
        # Its exit code is 0 whatever happened; what it says is not.
        done = subprocess.run(
            ["callgrind_control", *command, str(self.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        if "OK" not in done.stdout:
            raise RuntimeError(f"callgrind_control {' '.join(command)}: {done.stdout}{done.stderr}")


@contextmanager
def counting_workers(python: str, names: Iterable[str]) -> Iterator[list[CountingWorker]]:
    """Start the server and a counting worker for each client, several at once, and end them all."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        address = stack.enter_context(served(python))
        pool = stack.enter_context(ThreadPoolExecutor(PROCESSES))
        started = list(pool.map(lambda name: CountingWorker(python, name, address, folder), names))
        for worker in started:
            stack.callback(worker.close)
        yield started


def count_imports(python: str, names: Iterable[str]) -> dict[str, float]:
    """Count importing and constructing, without the start of the interpreter."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(PROCESSES) as pool:

        def count(name: str) -> float:
            out = Path(folder) / f"{name.replace(' ', '-')}.out"
            plain = [python, "-W", "ignore", "-c", IMPORTS.get(name, "pass")]
            # The first import of a fresh clone compiles; that is done once, and not counted.
            for command in (plain, [*_callgrind(out), *plain]):
                subprocess.run(
                    command, check=True, capture_output=True, cwd=ROOT, env=benchmark_environment()
                )
            return _total(out)

        measured = [name for name in names if name in IMPORTS]
        nothing, *counts = pool.map(count, ["nothing", *measured])
    return {name: total - nothing for name, total in zip(measured, counts, strict=True)}


def _callgrind(out: Path, *options: str) -> list[str]:
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", *options]


def _total(dump: Path) -> float:
    # What was loaded before counting began is dumped with a count of 0.
    return float(max(map(int, _TOTAL.findall(dump.read_text(encoding="utf-8", errors="replace")))))
