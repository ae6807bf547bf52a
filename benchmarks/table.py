"""The numbers as tables in Markdown, with what they were measured on."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.goals import goals
from benchmarks.rounds import Cost, Costs, ratio

OURS = ("core", "langchain", "llamaindex")
PEERS = {
    "langchain": ("langchain-openrouter", "langchain-openai"),
    "llamaindex": ("llama-index-llms-openrouter",),
}
_PACKAGES = (
    "httpx", "httpx-aiohttp", "aiohttp", "pydantic", "langchain-core", "llama-index-core", "langchain-openrouter",
    "langchain-openai", "llama-index-llms-openrouter", "openai", "openrouter",
)  # fmt: skip


def report(results: list[tuple[Case, Costs]], machine: str) -> str:
    """Return all of it: what it was measured on, the ratios, and the numbers behind them."""
    parts = [
        machine,
        "Goals, and what this run says of them (processor time, best round of each):\n",
        goals(results),
        "How many times the floor (processor time, best round of each), and how many times less than the peers:\n",
        ratios(results),
        "Processor time of one unit of work, minimum / median / maximum over the rounds, and the median wall time:\n",
        *(numbers(case, costs) for case, costs in results),
    ]
    return "\n".join(parts)


def ratios(results: list[tuple[Case, Costs]]) -> str:
    """Return the table of ratios, a row for each case."""
    lines = [
        "| work | core / httpx | LangChain / floor | less than langchain-openrouter | less than langchain-openai "
        "| LlamaIndex / floor | less than llama-index-llms-openrouter | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, costs in results:
        cells = [case.title, _times(ratio(costs, "core"))]
        for name, peers in PEERS.items():
            cells.append(_times(ratio(costs, name)))
            cells.extend(_times(_less(costs, name, peer)) for peer in peers)
        cells.append(f"{case.goal}x" if case.goal else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def numbers(case: Case, costs: Costs) -> str:
    """Return the table of one case, a row for each client."""
    lines = [
        f"**{case.title}**\n",
        "| client | processor time | wall | x floor |",
        "|---|---|---|---|",
    ]
    for name, cost in costs.items():
        bold = f"**{name}**" if name in OURS else name
        times = " / ".join(_time(value) for value in cost.spread)
        lines.append(f"| {bold} | {times} | {_wall(cost)} | {_times(ratio(costs, name))} |")
    return "\n".join(lines) + "\n"


def described(python: str, rounds: int) -> str:
    """Return what it was measured on: date, processor, versions."""
    script = (
        "from importlib.metadata import version\n"
        f"print(', '.join(f'{{name}} {{version(name)}}' for name in {_PACKAGES!r}))"
    )
    versions = subprocess.run(
        [python, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    day = datetime.now(UTC).date().isoformat()
    return (
        f"Measured on {day} with {rounds} rounds: {_processor()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; {versions.strip()}.\n"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    lines = info.read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} cores)" if names else platform.machine()


def _less(costs: Costs, name: str, peer: str) -> float | None:
    if name not in costs or peer not in costs:
        return None
    return costs[peer].least / costs[name].least


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}x" if value < 10 else f"{value:.0f}x"


def _wall(cost: Cost) -> str:
    return _time(sorted(cost.wall)[len(cost.wall) // 2])


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs" if seconds < 1e-4 else f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 0.1 else f"{seconds * 1e3:.0f} ms"
