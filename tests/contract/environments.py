"""The two environments of the foreign clients: `python -m tests.contract.environments` builds both."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.peers import python_with

# langchain-openrouter wants an `openrouter` below 1, so it cannot share with the newest one.
ENVIRONMENTS = {
    "contract-newest": (
        "openrouter==1.3.84",
        "openai==2.54.0",
        "llama-index-llms-openrouter==0.6.0",
    ),
    "contract-langchain": ("langchain-openrouter==0.2.9", "openrouter==0.11.46"),
}


def python_of(name: str) -> Path:
    """Return the interpreter of one environment, building it where it is not there yet.

    Raises:
        subprocess.CalledProcessError: pip could not install its packages.
    """
    return python_with(name, ENVIRONMENTS[name])


def main() -> int:
    """Build both side by side; the exit code is 1 where pip could not."""
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(python_of, ENVIRONMENTS))
    except subprocess.CalledProcessError as error:
        sys.stderr.write(
            f"pip could not install the foreign clients (exit code {error.returncode}); its reason "
            "is above. It needs a package registry within reach.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
