"""A foreign client in a child process of its own environment, asked one thing at a time."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from openrouter_routing.emulator import Emulator

CLIENTS = Path(__file__).parent / "clients"
KEY = "sk-or-v1-contract"


class ForeignError(Exception):
    """The client raised.

    Args:
        kind: The name of what it raised.
        status: The HTTP status it tells, if it tells one.
        text: Its message.
        trace: The child's traceback.
    """

    def __init__(self, kind: str, status: int | None, text: str, trace: str) -> None:
        super().__init__(f"{kind}: {text}\n{trace}")
        self.kind = kind
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Sent:
    """What the client sent while it did one thing."""

    path: str
    status: int | None
    body: dict[str, Any]
    headers: dict[str, str]


class ForeignClient:
    """One child process, talking JSON lines; see `clients/protocol.py` for its side.

    Args:
        python: The interpreter of its environment.
        script: The file in `clients` that drives the client.
        emulator: What it talks to.
        package: Where it takes the model from, which is all that changes when code moves to another package.
    """

    def __init__(self, python: Path | str, script: str, emulator: Emulator, package: str) -> None:
        self._emulator = emulator
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OPENROUTER_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "PYTHON"))
            and not name.lower().endswith("_proxy")
        }
        self._process = subprocess.Popen(
            [python, CLIENTS / script, emulator.base_url, KEY, package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=kept,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()
        self._log.close()

    def do(self, case: str, **arguments: object) -> Any:
        """Have the client do one of its cases.

        Args:
            case: The name of a function in its script.
            arguments: Its arguments.

        Returns:
            What the function returned, through JSON.

        Raises:
            ForeignError: The client raised.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"case": case, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise RuntimeError(f"the client's process ended:\n{self._log.read()}")
        outcome = json.loads(line)
        if "error" in outcome:
            raise ForeignError(**outcome["error"])
        return outcome["result"]

    @property
    def sent(self) -> list[Sent]:
        """What has arrived at the emulator since it was last cleared."""
        return [
            Sent(r.path, r.status, r.json if r.body else {}, dict(r.headers))
            for r in self._emulator.requests
        ]
