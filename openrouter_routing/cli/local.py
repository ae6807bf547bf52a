"""`emulate` and `demo`: OpenRouter's API on this machine, and the package at work on it."""

from __future__ import annotations

import time
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openrouter_routing.catalog import Catalog
from openrouter_routing.cli._output import say, show, show_json
from openrouter_routing.cli._verb import FAILED
from openrouter_routing.errors import BadRequestError

if TYPE_CHECKING:
    from openrouter_routing.emulator import Emulator, RecordedRequest

_PORT = 8787
_GLANCE = 0.1


def emulate(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Listen here; 0 takes any free port.")
    ] = _PORT,
    catalog: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Serve the models of this catalog file, as `endpoints --save` writes it, instead of "
            "the bundled sample.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER=KIND",
            help="Let a provider fail: down, rate_limited, slow, cut, mid_stream_error, ...; `all=KIND` "
            "means every provider. May be repeated.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Makes load balancing and ids repeatable.")
    ] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="Print where it listens as JSON, and no request log.")
    ] = False,
) -> int:
    """Serve OpenRouter's API on this machine.

    Examples:
      openrouter-routing emulate
      openrouter-routing emulate --fault azure=down
      openrouter-routing emulate --catalog catalog.json

    Runs until Ctrl-C; needs no key and no network. Point programs at it with OPENROUTER_BASE_URL, or
    with base_url= in code. Each request is shown as it is answered.
    """
    from openrouter_routing.emulator import Emulator, PortInUseError

    emulator = Emulator(None if catalog is None else Catalog.load(catalog), port=port, seed=seed)
    for text in fault or ():
        _add_fault(emulator, text)
    try:
        emulator.start()
    except PortInUseError as error:
        say(
            f"Error: port {error.port} is in use, by another emulator perhaps; {error.free} is free:\n"
            f"  openrouter-routing emulate --port {error.free}",
            style="red",
        )
        return FAILED
    try:
        _announce(emulator, json=json)
        while True:
            time.sleep(_GLANCE)
            for request in _finished(emulator):
                if not json:
                    show(_line(request))
    finally:
        emulator.stop()


def demo(
    live: Annotated[
        bool,
        typer.Option("--live", help="Run it on OpenRouter, with OPENROUTER_API_KEY; costs cents."),
    ] = False,
) -> int:
    """Watch routing at work, call by call.

    Examples:
      openrouter-routing demo
      openrouter-routing demo --live

    One chain and one query engine. Without --live it runs on the emulator: no key, no network, no cost.
    """
    from openrouter_routing.cli.demo import run

    return run(live=live)


def _add_fault(emulator: Emulator, text: str) -> None:
    provider, equals, kind = text.partition("=")
    if not (provider and equals and kind):
        raise BadRequestError(f"--fault takes PROVIDER=KIND, such as azure=down; got {text!r}")
    try:
        emulator.fault(None if provider == "all" else provider, kind=kind)
    except ValueError as error:
        raise BadRequestError(f"--fault {text}: {error}") from None


def _announce(emulator: Emulator, *, json: bool) -> None:
    models = len(emulator.catalog.models)
    if json:
        show_json({"base_url": emulator.base_url, "port": emulator.port, "models": models})
        return
    show(
        f"Emulating OpenRouter at {emulator.base_url} with {models} models; this is not the real service.",
        "",
        f"  export OPENROUTER_BASE_URL={emulator.base_url}",
        "  export OPENROUTER_API_KEY=any",
        "",
        "Ctrl-C stops it.",
        "",
    )


def _finished(emulator: Emulator) -> list[RecordedRequest]:
    """Take the answered requests out of the record, so that a long run does not grow."""
    done: list[RecordedRequest] = []
    while emulator.requests and emulator.requests[0].status is not None:
        done.append(emulator.requests.pop(0))
    return done


def _line(request: RecordedRequest) -> str:
    asked = ""
    if request.method == "POST":
        try:
            body = request.json
        except ValueError:
            asked = "not JSON"
        else:
            provider = f" provider={dumps(body['provider'])}" if "provider" in body else ""
            streamed = " streamed" if body.get("stream") else ""
            asked = f"{body.get('model') or body.get('models')}{provider}{streamed}"
    return f"{request.status}  {request.method:<4} {request.path}  {asked}".rstrip()
