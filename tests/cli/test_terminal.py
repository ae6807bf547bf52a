"""How it looks: in a terminal of any width, in a pipe, without characters, without packages; and the help."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from openrouter_routing.cli._app import app
from openrouter_routing.emulator import Emulator
from tests.cli.conftest import Run, start

LLAMA = "meta-llama/llama-3.3-70b-instruct"
VERBS = sorted(command.callback.__name__ for command in app.registered_commands if command.callback)
NAMES = (
    "endpoints", "explain", "probe", "models", "providers", "generation", "credits", "check",
    "emulate", "demo",
)  # fmt: skip
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_a_terminal(width: int, *arguments: str) -> tuple[str, str]:
    """Run the command line in a terminal; returns what it wrote, with and without its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "CI")}
    process = subprocess.Popen(
        [sys.executable, "-m", "openrouter_routing.cli", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**environment, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            # Linux answers so when the other side of a terminal is closed.
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    process.wait(timeout=30)
    text = written.decode()
    return text, ESCAPE.sub("", text).replace("\r", "")


@pytest.mark.parametrize(
    ("width", "arguments"),
    [
        (60, ("explain", LLAMA, "--zdr", "--models", "openai/gpt-4o-mini")),
        (80, ("explain", LLAMA, "--zdr", "--models", "openai/gpt-4o-mini")),
        (120, ("explain", LLAMA, "--zdr", "--models", "openai/gpt-4o-mini")),
        (60, ("endpoints", LLAMA)),
        (80, ("models",)),
        (60, ("providers",)),
        (60, ("check",)),
        (60, ("probe", LLAMA, "--runs", "1")),
        (60, ("explain", "--help")),
    ],
)
def test_no_line_is_wider_than_the_terminal(
    emulator: Emulator, width: int, arguments: tuple[str, ...]
) -> None:
    coloured, plain = in_a_terminal(width, *arguments)
    assert plain.strip()
    assert max(map(len, plain.splitlines())) <= width
    if "--help" not in arguments:
        assert coloured != plain


def test_a_narrow_terminal_says_what_it_leaves_out(emulator: Emulator) -> None:
    _, narrow = in_a_terminal(60, "endpoints", LLAMA)
    assert "Left out for width: context, max out, quant, data, can." in narrow
    assert "context" in in_a_terminal(120, "endpoints", LLAMA)[1]


def test_a_pipe_gets_neither_colours_nor_wrapped_lines(run: Run, emulator: Emulator) -> None:
    ran = run("endpoints", LLAMA, "openai/gpt-4o-mini")
    assert "\x1b" not in ran.out
    rows = [line for line in ran.out.splitlines() if line.startswith(("groq ", "azure "))]
    assert len(rows) == 2
    assert all("%" in row and "tools" in row for row in rows)


def test_a_reader_that_leaves_early_is_no_error(emulator: Emulator) -> None:
    process = start("models", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=30)
    assert "Traceback" not in err
    assert "Exception" not in err


def test_a_terminal_without_the_characters_shows_something_else(emulator: Emulator) -> None:
    process = start("explain", LLAMA, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "deepinfra/turbo" in out


def test_flags_before_the_verb_count_too(run: Run) -> None:
    ran = run("--emulator", "--json", "endpoints", LLAMA)
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.json["endpoints"]) == 8


def test_the_emulator_of_a_command_is_reached_past_proxies(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert run("models", "--emulator", "--json").json["count"] > 10
    assert run("check", "--emulator").code == 0


def test_the_verbs_are_those_that_are_documented() -> None:
    assert len(VERBS) == len(NAMES)


@pytest.mark.parametrize("verb", NAMES)
def test_help_begins_with_examples(run: Run, verb: str) -> None:
    ran = run(verb, "--help")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[4] == "  Examples:"
    assert lines[5].startswith(f"    openrouter-routing {verb}")
    examples = lines[5 : lines.index("", 5)]
    assert all(len(line) <= 60 for line in examples)


@pytest.mark.parametrize("arguments", [("explian",), ("explain",), ("explain", "a/b", "--nope")])
def test_wrong_usage_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err


def test_the_version_is_told(run: Run) -> None:
    assert re.fullmatch(r"openrouter-routing \d+\.\d+\.\d+\S*\n", run("--version").out)


def without(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that does not find a package."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"from openrouter_routing.cli import main; main({list(arguments)!r})"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_the_extra_it_says_how_to_install_it(package: str) -> None:
    ran = without(package, "models")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.count("\n") == 1
    assert f"needs {package}" in ran.stderr
    assert "pip install 'openrouter-routing[cli]'" in ran.stderr


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_verbs_that_need_no_emulator_work_without_it(emulator: Emulator, package: str) -> None:
    ran = without(package, "explain", LLAMA, "--json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["candidates"]
    for arguments in (["--emulator", "models"], ["emulate"]):
        missing = without(package, *arguments)
        assert (missing.returncode, missing.stdout) == (1, "")
        assert "pip install 'openrouter-routing[emulator]'" in missing.stderr
        assert "Traceback" not in missing.stderr
