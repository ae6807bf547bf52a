"""Environments of their own for the packages we compare with or serve, each built once under `.cache`.

They cannot live in ours: langchain-openrouter needs an old major version of the `openrouter` SDK.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

PEERS = (
    "langchain-openrouter==0.2.9",
    "llama-index-llms-openrouter==0.6.0",
    "langchain-openai==1.7.3",
)
ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"


def peer_python() -> Path:
    """Return the interpreter that has the peers and this package, on the same httpx, pydantic and frameworks.

    Raises:
        subprocess.CalledProcessError: The peers could not be installed; the installer's own words are on stderr.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = (project["dependencies"], project["optional-dependencies"])
    ours = ("-e", f"{ROOT}[langchain,llamaindex]")
    return python_with("peers", (*PEERS, *ours), state=repr(wanted))


def python_with(name: str, packages: tuple[str, ...], *, state: str = "") -> Path:
    """Return the interpreter of an environment with packages, building it where it is missing or out of date.

    Two processes that want the same environment build it once: the second waits for the first.

    Args:
        name: The folder below `.cache`.
        packages: What to install, as pip takes it.
        state: What else the environment depends on; it is built anew where that changes.

    Raises:
        subprocess.CalledProcessError: They could not be installed; the installer's own words are on stderr.
    """
    folder = CACHE / name
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp = folder / ".installed"
    wanted = hashlib.sha256("\n".join((*packages, state)).encode()).hexdigest()
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return python
        named = ", ".join(package for package in packages if package != "-e")
        print(f"Setting up {folder} with {named} (once) ...", file=sys.stderr)
        _install(folder, python, packages)
        stamp.write_text(wanted)
    return python


def _install(folder: Path, python: Path, packages: tuple[str, ...]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if uv := shutil.which("uv"):
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        command = [uv, "pip", "install", "--quiet", "--python", str(python), *packages]
        subprocess.run(command, check=True, env={**os.environ, "UV_LINK_MODE": "copy"})
        return
    venv.create(folder, with_pip=True)
    # Twice quiet: the warnings of a package index are nobody's business here, its errors are.
    quietly = ["install", "-qq", "--disable-pip-version-check"]
    subprocess.run([python, "-m", "pip", *quietly, *packages], check=True)
