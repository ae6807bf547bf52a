"""Environments of their own for the packages we compare with or serve, each built once under `.cache`.

They cannot live in ours: langchain-openrouter needs an old major version of the `openrouter` SDK.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = (
    "langchain-openrouter==0.2.9",
    "llama-index-llms-openrouter==0.6.0",
    "langchain-openai==1.7.3",
)
ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache"


def peer_python(packages: tuple[str, ...] = PACKAGES, name: str = "peers") -> Path:
    """Return the interpreter of an environment with `packages`, building it where it is not there yet.

    Two processes that want the same environment build it once: the second waits for the first.

    Args:
        packages: What to install, each with its version.
        name: The folder below `.cache`.

    Raises:
        subprocess.CalledProcessError: pip could not install them; its own words are on stderr.
    """
    folder = CACHE / name
    python = folder / "bin" / "python"
    stamp = folder / ".installed"
    wanted = hashlib.sha256("\n".join(packages).encode()).hexdigest()
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return python
        print(f"Setting up {folder} with {', '.join(packages)} (once) ...", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
            check=True,
        )
        stamp.write_text(wanted)
    return python
