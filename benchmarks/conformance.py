"""Runs LlamaIndex's two OpenRouter LLMs through the conformance suite and writes docs/conformance.md."""

from __future__ import annotations

import datetime
import subprocess
import sys
from importlib import metadata

from benchmarks.peers import peer_python
from benchmarks.rounds import ROOT

CLASSES = ("llamaindex_openrouter_routing:OpenRouter", "llama_index.llms.openrouter:OpenRouter")
PAGE = ROOT / "docs" / "conformance.md"
HEAD = """# What a LlamaIndex LLM should do, and who does it

LlamaIndex has no test suite for LLM classes, so this repository has one: `tests/llamaindex/conformance.py`. In a clone
any class can be run through it: `python -m tests.llamaindex.conformance --class your_package:YourLLM`. This page was
written by `make conformance` on {date}, with llama-index-core {core} and, for the second column,
llama-index-llms-openrouter 0.6.0.

"""


def main() -> int:
    """Run the suite over both classes and write the page; the exit code is that of ours."""
    command = [str(peer_python()), "-m", "tests.llamaindex.conformance", "--markdown"]
    for name in CLASSES:
        command += ["--class", name]
    # The other package's clients complain on stderr while they are torn down.
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    )
    if not done.stdout:
        sys.stderr.write(f"the suite printed nothing; run it by hand: {' '.join(command)}\n")
        return 1
    head = HEAD.format(
        date=datetime.datetime.now(tz=datetime.UTC).date(),
        core=metadata.version("llama-index-core"),
    )
    PAGE.write_text(head + done.stdout, encoding="utf-8")
    sys.stdout.write(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
