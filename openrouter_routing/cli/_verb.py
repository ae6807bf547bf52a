"""What makes a function a verb: its flags, its session, its exit code, and what its failures look like."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Protocol

import typer
from typer.core import TyperCommand

from openrouter_routing._vocabulary import unknown_name
from openrouter_routing.cli._output import say
from openrouter_routing.cli._preference_flags import preference_parameters, take_preferences
from openrouter_routing.cli._session import Session, open_session
from openrouter_routing.errors import BadRequestError, OpenRouterError
from openrouter_routing.preferences import RoutingPreferences

FAILED, USAGE, INTERRUPTED = 1, 2, 130

_PANEL = "Where to ask, how to answer"


def _flag(name: str, default: Any, annotation: Any, help: str, **details: Any) -> inspect.Parameter:  # noqa: A002
    option = typer.Option(
        f"--{name.replace('_', '-')}", help=help, rich_help_panel=_PANEL, **details
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[annotation, option],
    )


_COMMON = (
    _flag(
        "emulator",
        False,
        bool,
        "Ask an emulator started for this command: no key, no network, sample data.",
    ),
    _flag(
        "base_url",
        None,
        str | None,
        "Ask here instead of OPENROUTER_BASE_URL or OpenRouter itself.",
        metavar="URL",
    ),
    _flag("json", False, bool, "Print one JSON document instead of tables."),
)


class _Formatter(Protocol):
    """What is used of the help formatter, whichever release of typer brings it."""

    def section(self, name: str, /) -> Any: ...

    def write_dl(self, rows: Any, /) -> None: ...


class VerbCommand(TyperCommand):
    """A command whose help lists its flags under the headings they belong to."""

    def format_options(self, ctx: Any, formatter: _Formatter) -> None:
        """Write arguments, own flags, and then each group of flags under its heading."""
        # `ctx` is typer's context or click's, by the release of typer: the two share no type.
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                heading = getattr(param, "rich_help_panel", None) or (
                    "Arguments" if param.param_type_name == "argument" else "Options"
                )
                sections.setdefault(heading, []).append((_short_switch(record[0]), record[1]))
        for heading in sorted(sections, key=_place_in_help):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])


def _short_switch(spelled: str) -> str:
    """Write `--zdr / --no-zdr` as `--[no-]zdr`: the long ones would not fit on narrow terminals."""
    return re.sub(r"--([\w-]+) / --no-\1\b", r"--[no-]\1", spelled)


def _place_in_help(heading: str) -> int:
    places = {"Arguments": 0, "Options": 1, _PANEL: 3}
    return places.get(heading, 2)


def add_verb(app: typer.Typer, function: Callable[..., int | None]) -> None:
    """Make a function a verb of the command line, with its docstring as the help.

    The function's `session` is opened for it, its `preferences` are gathered from a flag per
    preference, and everything else becomes an argument or a flag by its annotation. What it returns
    is the exit code, None meaning 0.

    Args:
        app: The command line.
        function: The verb; its name is the verb's.
    """
    signature = inspect.signature(function, eval_str=True)
    asks_session = "session" in signature.parameters
    asks_preferences = "preferences" in signature.parameters
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in signature.parameters.values()
        if parameter.annotation not in (Session, RoutingPreferences)
    ]
    if asks_preferences:
        parameters += preference_parameters()
    if asks_session:
        parameters += list(_COMMON)

    def run(context: typer.Context, **arguments: Any) -> None:
        with _failures():
            if asks_preferences:
                arguments["preferences"] = take_preferences(arguments)
            if asks_session:
                with open_session(**_join_common(context, arguments)) as session:
                    code = function(session=session, **arguments)
            else:
                if "json" in arguments:
                    arguments["json"] = arguments["json"] or (context.obj or {}).get("json", False)
                code = function(**arguments)
            sys.stdout.flush()
        raise typer.Exit(code or 0)

    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    _describe(run, [context, *parameters])
    run.__doc__ = _help(function)
    app.command(function.__name__, cls=VerbCommand)(run)


def add_common_flags(app: typer.Typer, function: Callable[..., None]) -> None:
    """Let the flags that every verb takes stand before the verb too.

    Args:
        app: The command line.
        function: What `app` does before a verb; its docstring is the help of the command line.
    """
    signature = inspect.signature(function, eval_str=True)

    def run(context: typer.Context, **arguments: Any) -> None:
        context.obj = _join_common(context, arguments)
        function(**arguments)

    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    own = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in signature.parameters.values()
    ]
    _describe(run, [context, *own, *_COMMON])
    run.__doc__ = _help(function)
    app.callback()(run)


def _help(function: Callable[..., object]) -> str:
    """Read the docstring; the mark before the examples keeps their lines from being filled."""
    return (inspect.getdoc(function) or "").replace("Examples:", "\b\nExamples:")


def _describe(run: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    """Give a function the signature that typer builds its flags from."""
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}


def _join_common(context: typer.Context, arguments: dict[str, Any]) -> dict[str, Any]:
    """Take the common flags out of the arguments; those before the verb count where none follows."""
    before = context.obj if isinstance(context.obj, dict) else {}
    return {flag.name: arguments.pop(flag.name) or before.get(flag.name) for flag in _COMMON}


def check_word(flag: str, word: str, known: Collection[str]) -> None:
    """Refuse a word that a flag does not know.

    Raises:
        BadRequestError: It is not known; the message names the nearest word that is.
    """
    if word not in known:
        raise BadRequestError(f"{flag}: {unknown_name('value', word, known)}")


@contextmanager
def _failures() -> Iterator[None]:
    """Turn what went wrong into a message on stderr and an exit code."""
    try:
        yield
    except BadRequestError as error:
        # Found wrong before anything was sent: the command line is what has to change.
        _complain(error, USAGE if error.status is None else FAILED)
    except (OpenRouterError, ImportError) as error:
        _complain(error, FAILED)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; nothing is left to tell it.
        sys.stdout = sys.stderr
        raise typer.Exit(FAILED) from None
    except OSError as error:
        _complain(error, FAILED)
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(INTERRUPTED) from None


def _complain(error: Exception, code: int) -> None:
    say(f"Error: {error}", style="red")
    raise typer.Exit(code) from None
