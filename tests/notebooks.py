"""Executes the cookbook: `python -m tests.notebooks cookbook` saves the outputs in place; the tests compare them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient


def execute(path: Path) -> Any:
    """Run a notebook in a fresh kernel and return it with its new outputs."""
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def outputs(notebook: Any) -> list[str]:
    """Return what each code cell printed or showed, as text."""
    shown = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            texts = [
                output.get("text") or output.get("data", {}).get("text/plain") or output.output_type
                for output in cell.outputs
            ]
            shown.append("\n".join(texts))
    return shown


def main() -> None:
    """Execute every notebook of a folder in place."""
    for path in sorted(Path(sys.argv[1]).glob("*.ipynb")):
        sys.stdout.write(f"executing {path} ...\n")
        nbformat.write(execute(path), path)


if __name__ == "__main__":
    main()
