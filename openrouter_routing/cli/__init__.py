"""`openrouter-routing`: see who serves a model, plan a route, and measure providers, from a terminal.

The verbs are modules of this package; `main` is the entry point. Nothing else in the package imports it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with its exit code.

    Args:
        arguments: The words after `openrouter-routing`; those of the process when None.

    Raises:
        SystemExit: Always: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    try:
        import rich as _rich  # noqa: F401 - looked for here so that the error says what to do
        import typer as _typer  # noqa: F401
    except ImportError as error:
        print(
            f"openrouter-routing: the command line needs {error.name}, which is not installed: "
            "pip install 'openrouter-routing[cli]'",
            file=sys.stderr,
        )
        raise SystemExit(1) from None
    from openrouter_routing.cli._app import run

    run(arguments)
