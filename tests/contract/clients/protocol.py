"""The child's side of `foreign.py`: reads a case per line, answers a line. Standard library only."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

URL, KEY, PACKAGE = sys.argv[1:4]
"""Where to ask, with which key, and which package to take the model from."""


def serve(*cases: Callable[..., Any]) -> None:
    """Run the named cases until the parent closes the pipe."""
    known = {case.__name__: case for case in cases}
    answers, sys.stdout = sys.stdout, sys.stderr  # what a package prints must not be an answer
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            outcome = {"result": _run(known[asked["case"]], asked["arguments"])}
            text = json.dumps(outcome)
        except Exception as error:
            text = json.dumps({"error": _described(error)})
        answers.write(text + "\n")
        answers.flush()


def _run(case: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    result = case(**arguments)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def _described(error: Exception) -> dict[str, Any]:
    return {
        "kind": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "text": str(error),
        "trace": "".join(traceback.format_exception(error)),
    }
