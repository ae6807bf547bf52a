"""The command line put together: one `Typer` with all verbs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from openrouter_routing import __version__
from openrouter_routing.cli._verb import add_common_flags, add_verb
from openrouter_routing.cli.account import credits, generation  # noqa: A004 (the verb's name)
from openrouter_routing.cli.check import check
from openrouter_routing.cli.endpoints import endpoints
from openrouter_routing.cli.explain import explain
from openrouter_routing.cli.listing import models, providers
from openrouter_routing.cli.local import demo, emulate
from openrouter_routing.cli.probe import probe

app = typer.Typer(
    name="openrouter-routing",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"openrouter-routing {__version__}\n")
        raise typer.Exit


def _before(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """See where OpenRouter would send a request, before you pay for it.

    Examples:
      openrouter-routing endpoints openai/gpt-4o-mini
      openrouter-routing explain openai/gpt-4o-mini --zdr
      openrouter-routing probe openai/gpt-4o-mini --runs 3
      openrouter-routing --emulator explain openai/gpt-5-mini

    The key is read from OPENROUTER_API_KEY; endpoints, explain, models and providers work without
    one. All but demo take --json; all but demo and emulate take --emulator, to try them offline. Exit
    codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """


add_common_flags(app, _before)
for _verb in (
    endpoints,
    explain,
    probe,
    models,
    providers,
    generation,
    credits,
    check,
    emulate,
    demo,
):
    add_verb(app, _verb)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run a command line; ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal without these characters shows a question mark; it must not end the command.
            stream.reconfigure(errors="replace")
    app(arguments, prog_name="openrouter-routing")
