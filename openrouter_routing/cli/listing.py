"""`models` and `providers`: what there is, searched and sorted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from openrouter_routing._catalog_view import model_price, model_table
from openrouter_routing._tables import Column, DataTable
from openrouter_routing.catalog import Model
from openrouter_routing.cli._output import say, show, show_json
from openrouter_routing.cli._preference_flags import listed
from openrouter_routing.cli._session import Session
from openrouter_routing.cli._verb import FAILED, check_word

_SORTS: Mapping[str, Callable[[Model], tuple[bool, float | str]]] = {
    "created": lambda m: (False, -m.created),
    "price": lambda m: _listed_price(m),
    "context": lambda m: (m.context_length is None, -(m.context_length or 0)),
    "id": lambda m: (False, m.id),
}
_PROVIDER_COLUMNS = (
    Column("slug", style="bold"),
    Column("name"),
    Column("headquarters", rank=1),
    Column("datacenters", rank=2),
    Column("privacy policy", rank=3),
)


def _listed_price(model: Model) -> tuple[bool, float]:
    prices = [model_price(model, name) for name in ("prompt", "completion")]
    return None in prices, float(sum(price for price in prices if price is not None))


def models(
    session: Session,
    query: Annotated[
        str | None, typer.Argument(metavar="[WORDS]", help="Words that id or name contain.")
    ] = None,
    sort: Annotated[str, typer.Option(metavar="KEY", help=f"By {', '.join(_SORTS)}.")] = "created",
    can: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...", help="Only models that take these parameters: tools, reasoning, ..."
        ),
    ] = None,
    free: Annotated[bool, typer.Option("--free", help="Only models that cost nothing.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.")] = None,
) -> int:
    """List models, the newest first.

    Examples:
      openrouter-routing models llama
      openrouter-routing models --can tools --sort price
      openrouter-routing models --free --json

    Prices are USD per million tokens. Exits with 1 when no model matches.
    """
    check_word("--sort", sort, _SORTS)
    wanted = listed(can)
    found = [
        model
        for model in session.models()
        if _mentions(query, model.id, model.name)
        and (not free or _listed_price(model) == (False, 0.0))
        and _can(model, wanted)
    ]
    shown = sorted(found, key=_SORTS[sort])[:limit]
    if session.json:
        show_json({"count": len(found), "models": [model.to_wire() for model in shown]})
    elif shown:
        cut = f", {len(shown)} shown" if len(shown) < len(found) else ""
        show(model_table(shown, f"{len(found)} model{'s' * (len(found) != 1)}{cut}, by {sort}"))
    if not found:
        say("No model matches.")
    return 0 if found else FAILED


def providers(
    session: Session,
    query: Annotated[
        str | None, typer.Argument(metavar="[WORDS]", help="Words that slug or name contain.")
    ] = None,
) -> int:
    """List providers and their slugs.

    Examples:
      openrouter-routing providers
      openrouter-routing providers together --json

    Preferences name a provider by its slug. Exits with 1 when no provider matches.
    """
    found = sorted(
        (
            entry
            for entry in session.lookups.providers()
            if _mentions(query, str(entry.get("slug")), str(entry.get("name")))
        ),
        key=lambda entry: str(entry.get("slug")),
    )
    if session.json:
        show_json({"count": len(found), "providers": found})
    elif found:
        title = f"{len(found)} provider{'s' * (len(found) != 1)}"
        show(DataTable(_PROVIDER_COLUMNS, [_provider_row(entry) for entry in found], title))
    if not found:
        say("No provider matches.")
    return 0 if found else FAILED


def _mentions(query: str | None, *texts: str) -> bool:
    words = (query or "").lower().split()
    return all(any(word in text.lower() for text in texts) for word in words)


def _can(model: Model, wanted: list[str]) -> bool:
    known = model.wire.get("supported_parameters")
    return all(isinstance(known, list | tuple) and name in known for name in wanted)


def _provider_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    datacenters = entry.get("datacenters")
    return (
        str(entry.get("slug") or ""),
        str(entry.get("name") or ""),
        str(entry.get("headquarters") or ""),
        " ".join(map(str, datacenters)) if isinstance(datacenters, list) else "",
        str(entry.get("privacy_policy_url") or ""),
    )
