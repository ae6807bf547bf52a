"""The goals, and whether a run met them: worked out from its numbers, so that the page cannot say otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.cases import Case
from benchmarks.rounds import Costs, ratio

_OURS = ("langchain", "llamaindex")
_PER_CHUNK = 2.0
_IMPORT_SECONDS = 0.060
_CORE_IMPORT = 1.3
_RECONFIGURE_SECONDS = 0.0003

Row = tuple[str, str, str]


def goals(results: list[tuple[Case, Costs]]) -> str:
    """Return a table of all goals that the run measured, in Markdown.

    Args:
        results: The costs of each case.
    """
    costs = {case.name: row for case, row in results}
    rows = [*_floors(results), *_fragments(costs), *_imports(costs), *_reconfigured(costs)]
    lines = ["| goal | LangChain | LlamaIndex |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _floors(results: list[tuple[Case, Costs]]) -> Iterator[Row]:
    for case, row in results:
        if case.goal is not None:
            told = [_met(ratio(row, name), case.goal, "x") for name in _OURS]
            yield f"{case.title}: at most {case.goal} times the floor", told[0], told[1]


def _fragments(costs: dict[str, Costs]) -> Iterator[Row]:
    text = costs.get("stream", {})
    for name, title in (("tool_stream", "a tool call"), ("reasoning_stream", "reasoning")):
        told = [
            _met(costs[name][client].least / text[client].least, _PER_CHUNK, "x")
            if client in costs.get(name, {}) and client in text
            else ""
            for client in _OURS
        ]
        if any(told):
            yield f"a fragment of {title}: at most twice a chunk of text", told[0], told[1]


def _imports(costs: dict[str, Costs]) -> Iterator[Row]:
    row = costs.get("import", {})
    if {*_OURS, "langchain floor", "llamaindex floor"} <= row.keys():
        told = [
            _met(
                (row[name].least - row[f"{name} floor"].least) * 1000, _IMPORT_SECONDS * 1000, " ms"
            )
            for name in _OURS
        ]
        yield (
            "import and construct: at most 60 ms over the framework's own import",
            told[0],
            told[1],
        )
    if (core := ratio(row, "core")) is not None:
        met = _met(core, _CORE_IMPORT, "x")
        yield (
            "`import openrouter_routing`: at most 1.3 times httpx and pydantic",
            f"the core: {met}",
            "",
        )


def _reconfigured(costs: dict[str, Costs]) -> Iterator[Row]:
    if "langchain" in (row := costs.get("reconfigure", {})):
        met = _met(row["langchain"].least * 1000, _RECONFIGURE_SECONDS * 1000, " ms")
        yield "a model made by `configurable_fields`: under 0.3 ms", met, ""


def _met(value: float | None, goal: float, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:.2f}{unit}{'' if value <= goal else ', **missed**'}"
