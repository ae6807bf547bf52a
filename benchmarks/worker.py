"""One client in a process of its own: reads what to measure, a JSON line at a time, and answers what it cost.

Run as `python -m benchmarks.worker CLIENT SERVER`. The first line out names the cases the client takes part in.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import logging
import sys
import time
import warnings
from typing import Any

from benchmarks.clients import CLIENTS


def load(name: str, server: str) -> Any:
    """Build a client by its name."""
    module, _, attribute = CLIENTS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)(server)


def cases_of(client: Any) -> list[str]:
    """Return the cases a client takes part in."""
    return [
        name
        for name, _ in inspect.getmembers(type(client), inspect.isfunction)
        if not name.startswith("_")
    ]


class Meter:
    """Measures the work of one client; one event loop serves all of its async work."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def measure(self, case: str, repeat: int) -> dict[str, float]:
        """Do the work and return its seconds of processor and wall time."""
        work = getattr(self._client, case)
        cpu, wall = time.process_time(), time.perf_counter()
        if inspect.iscoroutinefunction(work):
            self._runner.run(work(repeat))
        else:
            work(repeat)
        return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}

    def close(self) -> None:
        """End the loop."""
        self._runner.close()


def main() -> None:
    """Serve the orders on stdin."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    client = load(sys.argv[1], sys.argv[2])
    print(json.dumps(cases_of(client)), flush=True)
    meter = Meter(client)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            result: dict[str, Any] = dict(meter.measure(order["case"], order["repeat"]))
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(result), flush=True)
    meter.close()


if __name__ == "__main__":
    main()
