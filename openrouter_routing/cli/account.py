"""`generation` and `credits`: what a request was, and what is left to spend."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Annotated, Any

import typer

from openrouter_routing._figures import dollars, finish, milliseconds
from openrouter_routing._json_values import as_number
from openrouter_routing.cli._output import fact_lines, say, show, show_json
from openrouter_routing.cli._session import Session
from openrouter_routing.errors import (
    AuthenticationError,
    BadRequestError,
    OpenRouterError,
    PermissionDeniedError,
)

_NOT_FOUND = 404
_PAUSE = 0.5


def generation(
    session: Session,
    generation_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id of an answer: gen-...")
    ],
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How long to wait for it: it is there a moment after the answer.",
        ),
    ] = 5.0,
) -> None:
    """Show what was recorded of one request.

    Examples:
      openrouter-routing generation gen-1700000000-abc
      openrouter-routing generation gen-1700000000-abc --json

    Who served it, how it ended, how long it took and what it cost.
    """
    facts = _look_up(session, generation_id, wait)
    if session.json:
        show_json(facts)
        return
    show(
        fact_lines(
            {
                "generation": _text(facts.get("id")),
                "model": _text(facts.get("model")),
                "provider": _text(facts.get("provider_name")),
                "finish": finish(
                    _text(facts.get("finish_reason")), _text(facts.get("native_finish_reason"))
                ),
                "tokens": f"{facts.get('tokens_prompt')} in, {facts.get('tokens_completion')} out",
                "latency": milliseconds(as_number(facts.get("latency"))),
                "generation time": milliseconds(as_number(facts.get("generation_time"))),
                "cost": _usd(facts.get("total_cost")),
                "upstream cost": _usd(facts.get("upstream_inference_cost")),
                "own key": "yes" if facts.get("is_byok") else "",
                "created": _text(facts.get("created_at")),
            }
        )
    )


def _look_up(session: Session, generation_id: str, wait: float) -> dict[str, Any]:
    until = time.monotonic() + wait
    while True:
        try:
            return session.client.generation(generation_id, max_retries=0)
        except OpenRouterError as error:
            if error.status != _NOT_FOUND:
                raise
            if time.monotonic() + _PAUSE > until:
                raise BadRequestError(
                    f"there is no generation {generation_id!r}: is it of another account, or a stream "
                    "that was broken off?",
                    status=_NOT_FOUND,
                ) from None
        time.sleep(_PAUSE)


def credits(session: Session) -> None:  # noqa: A001 (the verb's name)
    """Show what is left to spend.

    Examples:
      openrouter-routing credits
      openrouter-routing credits --json

    OpenRouter tells the account's credits to management keys alone; for any other key the limits of
    the key itself are shown.
    """
    key = session.client.key()
    account: dict[str, Any] | None
    try:
        account = session.client.credits()
    except (AuthenticationError, PermissionDeniedError):
        account = None
    bought, used = (
        as_number((account or {}).get(name)) for name in ("total_credits", "total_usage")
    )
    left = None if bought is None or used is None else Decimal(str(bought)) - Decimal(str(used))
    if session.json:
        show_json(
            {"account": account, "remaining": None if left is None else float(left), "key": key}
        )
        return
    show(
        fact_lines(
            {
                "account left": _usd(left),
                "account used": _usd(used),
                "key": _text(key.get("label")),
                "key used": _usd(key.get("usage")),
                "key limit": _usd(key.get("limit")) or "none",
                "key left": _usd(key.get("limit_remaining")),
            }
        )
    )
    if account is None:
        say("The account's credits are told to management keys alone; these are the key's limits.")


def _usd(amount: object) -> str:
    number = amount if isinstance(amount, Decimal) else as_number(amount)
    return "" if number is None else f"{dollars(number)} USD"


def _text(value: object) -> str:
    return "" if value is None else str(value)
