"""What an LLM class has to do to be at home in LlamaIndex, as checks that any class can be run through.

LlamaIndex has no test suite for integrations. These checks need nothing but llama-index-core and a class that takes
`model`, `api_key`, `api_base`, `max_retries`, `context_window` and `is_function_calling_model`; a server on loopback
answers as OpenRouter does.

    python -m tests.llamaindex.conformance                                   # a line for each check
    python -m tests.llamaindex.conformance --markdown                        # the table of the documentation
    python -m tests.llamaindex.conformance --json --class llama_index.llms.openrouter:OpenRouter > peer.json
    python -m tests.llamaindex.conformance --markdown --add peer.json        # with a column from another environment
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.llamaindex.answers import respond
from tests.scripted_server import ScriptedServer

OURS = "llamaindex_openrouter_routing:OpenRouter"
SECONDS = 25.0
"""How long one check may take: a class that retries for minutes does not get through."""


@dataclass(frozen=True)
class Subject:
    """A class under test.

    Attributes:
        llm_class: The class.
        server: What its instances talk to.
    """

    llm_class: type[Any]
    server: ScriptedServer

    def make(self, **fields: Any) -> Any:
        """Return an instance that talks to the server and knows that the model takes tools."""
        return self.bare(**{"is_function_calling_model": True, "context_window": 100_000, **fields})

    def bare(self, **fields: Any) -> Any:
        """Return an instance that is told nothing about its model."""
        return self.llm_class(
            **{
                "model": "openai/gpt-5-mini",
                "api_key": "sk-or-v1-secret",
                "api_base": self.server.base_url,
                "max_retries": 0,
                **fields,
            }
        )

    @property
    def body(self) -> Any:
        """The body of the last request."""
        return self.server.requests[-1].json


@dataclass(frozen=True)
class Check:
    """One thing a class has to do.

    Attributes:
        group: What it is about.
        claim: What is checked, as a sentence about the class.
        run: Raises where it is not so.
    """

    group: str
    claim: str
    run: Callable[[Subject], Awaitable[None]]

    @property
    def name(self) -> str:
        """A short name."""
        return self.run.__name__


CHECKS: list[Check] = []


def check(group: str, claim: str) -> Callable[[Callable[[Subject], Awaitable[None]]], Any]:
    """Register a check."""

    def register(run: Callable[[Subject], Awaitable[None]]) -> Callable[[Subject], Awaitable[None]]:
        CHECKS.append(Check(group, claim, run))
        return run

    return register


def run_check(one: Check, llm_class: type[Any]) -> str | None:
    """Run one check in a thread and a loop of its own.

    Returns:
        None where the class passed, else why it did not.
    """
    outcome: list[str | None] = []

    def run() -> None:
        with ScriptedServer() as server, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server.respond(respond)
            try:
                asyncio.run(_run_in_time(one.run(Subject(llm_class, server))))
            except Exception as error:
                outcome.append(_reason(error))
            else:
                outcome.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return outcome[0] if outcome else f"not done after {SECONDS:.0f} s"


async def _run_in_time(work: Awaitable[None]) -> None:
    await asyncio.wait_for(work, SECONDS)


def _reason(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [""])[0][:90]
    kind = type(error).__name__
    return first if kind == "AssertionError" and first else f"{kind}: {first}".removesuffix(": ")


def run_all(llm_class: type[Any]) -> dict[str, str | None]:
    """Run all checks; the reason for each that failed, None for each that passed."""
    return {one.name: run_check(one, llm_class) for one in CHECKS}


def load(path: str) -> type[Any]:
    """Import a class by `module:Class`."""
    module, _, name = path.partition(":")
    loaded: type[Any] = getattr(importlib.import_module(module), name)
    return loaded


def markdown(columns: dict[str, dict[str, str | None]]) -> str:
    """Return the results as a Markdown table, a column for each class."""
    names = [path.partition(":")[0] for path in columns]
    lines = [f"| | {' | '.join(f'`{name}`' for name in names)} |", f"|---|{'---|' * len(names)}"]
    group = ""
    for one in CHECKS:
        if one.group != group:
            group = one.group
            lines.append(f"| **{group}** |{' |' * len(names)}")
        cells = [_cell(results.get(one.name, "not run")) for results in columns.values()]
        lines.append(f"| {one.claim} | {' | '.join(cells)} |")
    passed = [
        f"**{sum(reason is None for reason in results.values())} of {len(CHECKS)}**"
        for results in columns.values()
    ]
    lines.append(f"| **passed** | {' | '.join(passed)} |")
    return "\n".join(lines)


def _cell(reason: str | None) -> str:
    if reason is None:
        return "yes"
    return "no: " + reason.replace("|", "\\|").replace("<", "&lt;")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks from the command line; 1 where the first class failed one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--class", dest="classes", action="append", help="module:Class; may be repeated"
    )
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--json", action="store_true", help="print JSON, to be read by --add")
    parser.add_argument(
        "--add", action="append", default=[], type=Path, help="JSON of another environment"
    )
    options = parser.parse_args(arguments)
    columns = {path: run_all(load(path)) for path in options.classes or [OURS]}
    for file in options.add:
        columns.update(json.loads(file.read_text(encoding="utf-8")))
    if options.json:
        text = json.dumps(columns, indent=1)
    elif options.markdown:
        text = markdown(columns)
    else:
        text = "\n".join(
            f"{'ok  ' if reason is None else 'FAIL'} {path} {name}{f': {reason}' if reason else ''}"
            for path, results in columns.items()
            for name, reason in results.items()
        )
    sys.stdout.write(text + "\n")
    first = next(iter(columns.values()))
    return int(any(first.values()))


if __name__ == "__main__":
    # Run as a module, this file is `__main__`; the checks register themselves with the imported one.
    from tests.llamaindex.conformance import main as _main

    sys.exit(_main())

# The checks need what is defined above, and are listed in this order.
from tests.llamaindex import conformance_answers, conformance_conduct  # noqa: E402, F401
