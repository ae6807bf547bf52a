"""The cookbook runs from top to bottom, and shows what it showed when it was committed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.notebooks import execute, outputs

NOTEBOOKS = sorted((Path(__file__).parents[1] / "cookbook").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")  # the kernel's own machinery is not ours to keep clean
def test_a_notebook_runs_and_its_committed_outputs_are_what_it_shows(path: Path) -> None:
    assert outputs(execute(path)) == outputs(nbformat.read(path, as_version=4))
