"""The page about the command line shows what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Run

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n\$ openrouter-routing (.*)\n((?:.*\n)*?)```", PAGE)


def test_the_page_shows_commands() -> None:
    assert len(SHOWN) >= 3


@pytest.mark.parametrize(("command", "printed"), SHOWN, ids=[command for command, _ in SHOWN])
def test_a_command_prints_what_the_page_shows(run: Run, command: str, printed: str) -> None:
    ran = run(*shlex.split(command))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == printed
