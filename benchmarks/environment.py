"""The environment the comparison runs in: the peers and this package together, away from the development one."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from benchmarks.rounds import ROOT, progress

HOME = ROOT / ".benchmarks" / "env"
"""Ignored by git."""


def ready_python() -> str:
    """Return the Python of the environment, building it where it is missing or out of date (a minute, once)."""
    python = HOME / ("Scripts" if os.name == "nt" else "bin") / "python"
    peers = ROOT / "benchmarks" / "peers.txt"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = (project["dependencies"], project["optional-dependencies"], peers.read_text())
    mark = HOME / ".ready"
    state = hashlib.sha256(repr(wanted).encode()).hexdigest()
    if python.exists() and mark.exists() and mark.read_text() == state:
        return str(python)
    progress(f"building {HOME.relative_to(ROOT)} with the peers (once; about a minute)")
    _install(python, peers)
    mark.write_text(state)
    return str(python)


def _install(python: Path, peers: Path) -> None:
    wanted = ["-r", str(peers), "-e", f"{ROOT}[langchain,llamaindex]"]
    if uv := shutil.which("uv"):
        subprocess.run(
            [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, HOME],
            check=True,
        )
        command = [uv, "pip", "install", "--quiet", "--python", str(python), *wanted]
        subprocess.run(command, check=True, env={**os.environ, "UV_LINK_MODE": "copy"})
        return
    if not python.exists():
        venv.create(HOME, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wanted], check=True)
