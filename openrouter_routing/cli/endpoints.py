"""`endpoints`: who serves a model, at what price, how fast, on which terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from openrouter_routing._catalog_view import endpoint_table
from openrouter_routing._plan_order import price_of
from openrouter_routing.cli._output import say, show, show_json
from openrouter_routing.cli._session import Session
from openrouter_routing.cli._verb import check_word
from openrouter_routing.endpoint import Endpoint

_SORTS: Mapping[str, Callable[[Endpoint], tuple[bool, float | str]]] = {
    "price": lambda e: (False, float(price_of(e))),
    "latency": lambda e: _least(e.latency.p50 if e.latency else None),
    "throughput": lambda e: _most(e.throughput.p50 if e.throughput else None),
    "uptime": lambda e: _most(e.uptime_last_30m),
    "context": lambda e: _most(e.context_length),
    "provider": lambda e: (False, e.tag),
}


def _least(figure: float | None) -> tuple[bool, float]:
    return figure is None, figure or 0.0


def _most(figure: float | None) -> tuple[bool, float]:
    return figure is None, -(figure or 0.0)


def endpoints(
    session: Session,
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL", help="Such as openai/gpt-4o-mini.")
    ],
    sort: Annotated[
        str,
        typer.Option(help=f"By {', '.join(_SORTS)}; the best comes first.", metavar="KEY"),
    ] = "price",
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also save them as a catalog file, for `explain --catalog` and `emulate --catalog`.",
        ),
    ] = None,
) -> None:
    r"""Show who serves a model, at what price.

    Examples:
      openrouter-routing endpoints openai/gpt-4o-mini
      openrouter-routing endpoints openai/gpt-4o-mini --json
      openrouter-routing endpoints openai/gpt-5-mini \
          --sort latency
      openrouter-routing endpoints openai/gpt-5-mini \
          --emulator

    Prices are USD per million tokens, latency is the median time to the first token and tok/s the
    median throughput of the last half hour. Data says what becomes of prompts: zdr (not kept) or
    not zdr; a catalog file may also know retains and trains. OpenRouter does not publish who trains.
    """
    check_word("--sort", sort, _SORTS)
    catalog = session.catalog(models)
    if save is not None:
        catalog.save(save)
        say(f"Saved {len(catalog.endpoints)} endpoints to {save}.")
    ordered = sorted(catalog.endpoints, key=_SORTS[sort])
    if session.json:
        show_json({"models": models, "endpoints": [e.to_snapshot() for e in ordered]})
    elif not ordered:
        say(f"Nobody serves {', '.join(models)} at the moment.")
        return
    else:
        served = list(dict.fromkeys(endpoint.model for endpoint in ordered))
        title = (
            f"{', '.join(served)}: {len(ordered)} endpoint{'s' * (len(ordered) != 1)}, by {sort}"
        )
        show(endpoint_table(ordered, title))
