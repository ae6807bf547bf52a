"""`probe`: measure the providers of a model with real requests."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, get_args

import typer

from openrouter_routing._figures import dollars
from openrouter_routing._plan_request import CHARACTERS_PER_TOKEN
from openrouter_routing.cli._output import console, say, show, show_json
from openrouter_routing.cli._preference_flags import listed
from openrouter_routing.cli._session import Session
from openrouter_routing.cli._verb import FAILED, INTERRUPTED, check_word
from openrouter_routing.errors import BadRequestError, OpenRouterError
from openrouter_routing.probing import (
    MAX_TOKENS,
    PROMPT,
    Best,
    Probe,
    ProbeReport,
    ProbeRun,
    plan_probes,
    send_probe,
)

if TYPE_CHECKING:
    from openrouter_routing.client import OpenRouterClient

_FORMATS = (".png", ".svg", ".pdf")


def probe(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Such as openai/gpt-4o-mini.")],
    providers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...", help="Only these; all by default, service tiers only by name."
        ),
    ] = None,
    runs: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many timed requests each provider gets.")
    ] = 3,
    prompt: Annotated[
        str, typer.Option(metavar="TEXT", help="What the timed requests ask.", show_default=False)
    ] = PROMPT,
    max_tokens: Annotated[
        int, typer.Option(min=1, metavar="N", help="How long an answer may be.")
    ] = MAX_TOKENS,
    checks: Annotated[
        bool,
        typer.Option(
            "--checks/--no-checks", help="Try a tool call and a JSON schema too, once per provider."
        ),
    ] = True,
    best: Annotated[
        str, typer.Option(metavar="KEY", help="Rank by cost, speed or latency.")
    ] = "cost",
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, metavar="USD", help="Stop once the requests have cost so much."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="How long a provider may be silent.")
    ] = 60.0,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw cost against speed, as PNG, SVG or PDF."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write preferences that follow the ranking, as JSON."),
    ] = None,
) -> int:
    r"""Measure the providers of a model.

    Examples:
      openrouter-routing probe openai/gpt-4o-mini
      openrouter-routing probe openai/gpt-5-mini --best speed
      openrouter-routing probe deepseek/deepseek-chat-v3.1 \
          --providers fireworks,together --max-cost 0.05
      openrouter-routing probe deepseek/deepseek-chat-v3.1 \
          --plot costs.png --save preferences.json

    Sends the same request to each provider, with no fallbacks and no retries, and compares time to
    the first token, throughput, cost, how the answer ended, and whether tools and schemas work. This
    is billed: on most models fractions of a cent. Ctrl-C ends it and shows what was found so far.
    Exits with 1 when no provider answered.
    """
    check_word("--best", best, get_args(Best))
    ranked_by: Best = "speed" if best == "speed" else "latency" if best == "latency" else "cost"
    _check_files(plot, save)
    catalog = session.catalog([model])
    probes = plan_probes(
        catalog.endpoints, providers=listed(providers), runs=runs, prompt=prompt, checks=checks
    )
    if not probes:
        say(f"Error: nobody serves {model} at the moment.", style="red")
        return FAILED
    tags = {one.endpoint.tag for one in probes}
    say(
        f"{len(probes)} requests to {len(tags)} providers, at most about "
        f"{dollars(_estimate(probes, max_tokens))} USD."
    )
    found: list[ProbeRun] = []
    code = _send_all(session.client, probes, found, max_tokens, timeout, max_cost)
    report = ProbeReport.of(probes[0].endpoint.model, probes, found, best=ranked_by)
    if session.json:
        show_json(report.to_dict())
    elif found:
        show(report)
    if code == INTERRUPTED:
        say("interrupted")
    answered = any(result.answered for result in report.results)
    if plot is not None and answered:
        from openrouter_routing.cli._plot import draw_report

        draw_report(report, plot)
        say(f"Drew {plot}.")
    unsaved = save is not None and not _save(report, save)
    return code or (0 if answered and not unsaved else FAILED)


def _check_files(plot: Path | None, save: Path | None) -> None:
    """Find out before anything is billed whether the results can be kept.

    Raises:
        BadRequestError: A file cannot be written there, or as that.
        ImportError: matplotlib is missing.
    """
    for flag, path in (("--plot", plot), ("--save", save)):
        if path is not None and not path.absolute().parent.is_dir():
            raise BadRequestError(f"{flag} {path}: there is no directory {path.parent}")
    if plot is not None:
        from openrouter_routing.cli._plot import require_matplotlib

        check_word("--plot", plot.suffix.lower(), _FORMATS)
        require_matplotlib()


def _send_all(
    client: OpenRouterClient,
    probes: Sequence[Probe],
    found: list[ProbeRun],
    max_tokens: int,
    timeout: float,
    max_cost: float | None,
) -> int:
    """Send the probes one after the other; what was found by then stays, whatever ends it.

    Returns:
        The exit code: 0, or why it ended early.
    """
    limit = None if max_cost is None else Decimal(str(max_cost))
    spent = Decimal(0)
    try:
        with _progress(len(probes)) as progress:
            for one in probes:
                if limit is not None and spent >= limit:
                    say(f"Stopped: {dollars(spent)} USD spent of --max-cost {max_cost}.")
                    break
                progress.now(f"{one.endpoint.tag}: {one.kind}")
                run = send_probe(client, one, max_tokens=max_tokens, timeout=timeout)
                found.append(run)
                spent += run.cost or Decimal(0)
                progress.step()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OpenRouterError as error:
        say(f"Error: {error}", style="red")
        return FAILED
    return 0


class _Progress(Protocol):
    def now(self, what: str) -> None: ...

    def step(self) -> None: ...


class _Silence:
    """The progress of a command whose stderr nobody watches."""

    def now(self, what: str) -> None: ...

    def step(self) -> None: ...


@contextmanager
def _progress(total: int) -> Iterator[_Progress]:
    """Show a bar on stderr where that is a terminal; it is gone when the work is done."""
    if not sys.stderr.isatty():
        yield _Silence()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        class Shown:
            def now(self, what: str) -> None:
                bar.update(task, description=what)

            def step(self) -> None:
                bar.advance(task)

        yield Shown()


def _estimate(probes: Sequence[Probe], max_tokens: int) -> Decimal:
    """Charge every answer at its full length: an upper bound, but for hidden prompts."""
    total = Decimal(0)
    for one in probes:
        tokens = len(one.prompt) // CHARACTERS_PER_TOKEN + 100
        pricing = one.endpoint.pricing
        total += pricing.prompt_cost(tokens)
        total += pricing.completion_cost(max_tokens, prompt_tokens=tokens)
    return round(total, 6)


def _save(report: ProbeReport, path: Path) -> bool:
    """Write the preferences, and say how to use them; returns whether there were any."""
    if not any(result.reliable for result in report.results):
        say(f"Not saved: no provider answered every time, so {path} would prefer nobody.")
        return False
    preferences = report.preferences()
    path.write_text(json.dumps(preferences, indent=2) + "\n", encoding="utf-8")
    say(
        f"Saved {path}. Use it on a command line, or in code, with LangChain and LlamaIndex alike:\n"
        f"  openrouter-routing explain {report.model} --preferences {path}\n"
        f"  with routing(**json.load(open({str(path)!r}))): ..."
    )
    return True
