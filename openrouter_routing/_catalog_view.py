"""Models and their endpoints as tables, in a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from openrouter_routing._figures import dollars, milliseconds, percent, speed, tokens
from openrouter_routing._tables import Column, DataTable

if TYPE_CHECKING:
    from openrouter_routing.catalog import Model
    from openrouter_routing.endpoint import Endpoint

# Ordered as they are read; ranked by what a reader can do without on a narrow screen.
_ENDPOINT_COLUMNS = (
    Column("provider", style="bold"),
    Column("model"),
    Column("$/M in", right=True),
    Column("$/M out", right=True),
    Column("latency", right=True, rank=1),
    Column("tok/s", right=True, rank=1),
    Column("uptime", right=True, rank=2),
    Column("context", right=True, rank=3),
    Column("max out", right=True, rank=6),
    Column("quant", rank=3),
    Column("data", rank=4),
    Column("can", rank=5),
)
_MODEL_COLUMNS = (
    Column("model", style="bold"),
    Column("$/M in", right=True),
    Column("$/M out", right=True),
    Column("context", right=True, rank=1),
    Column("in", rank=3),
    Column("out", rank=4),
    Column("can", rank=2),
)
_ABILITIES = (
    ("tools", "tools"),
    ("structured_outputs", "schema"),
    ("reasoning", "reasoning"),
)


def endpoint_table(endpoints: Iterable[Endpoint], title: str = "") -> DataTable:
    """Lay out endpoints, a row each; the model is named where there are several."""
    shown = list(endpoints)
    rows = [_endpoint_row(endpoint) for endpoint in shown]
    columns: tuple[Column, ...] = _ENDPOINT_COLUMNS
    if len({endpoint.model for endpoint in shown}) <= 1:
        columns = columns[:1] + columns[2:]
        rows = [row[:1] + row[2:] for row in rows]
    return DataTable(columns, rows, title)


def model_table(models: Iterable[Model], title: str = "") -> DataTable:
    """Lay out models, a row each."""
    return DataTable(_MODEL_COLUMNS, [_model_row(model) for model in models], title)


def data_policy(endpoint: Endpoint) -> str:
    """Say in a word what becomes of prompts, as far as that is known."""
    if endpoint.zdr:
        return "zdr"
    if endpoint.collects_data is not None:
        return "trains" if endpoint.collects_data else "retains"
    return "" if endpoint.zdr is None else "not zdr"


def abilities(parameters: Iterable[str]) -> str:
    """Say what a model or endpoint can do, by the parameters it supports."""
    known = set(parameters)
    return " ".join(word for parameter, word in _ABILITIES if parameter in known)


def _endpoint_row(endpoint: Endpoint) -> tuple[str, ...]:
    pricing = endpoint.pricing
    return (
        endpoint.tag,
        endpoint.model,
        dollars(pricing.per_million("prompt")),
        dollars(pricing.per_million("completion")),
        milliseconds(endpoint.latency.p50 if endpoint.latency else None),
        speed(endpoint.throughput.p50 if endpoint.throughput else None),
        percent(endpoint.uptime_last_30m),
        tokens(endpoint.context_length),
        tokens(endpoint.max_completion_tokens),
        "" if endpoint.quantization == "unknown" else endpoint.quantization or "",
        data_policy(endpoint),
        abilities(endpoint.supported_parameters),
    )


def _model_row(model: Model) -> tuple[str, ...]:
    parameters = model.wire.get("supported_parameters")
    known = parameters if isinstance(parameters, list | tuple) else ()
    return (
        model.id,
        dollars(model_price(model, "prompt")),
        dollars(model_price(model, "completion")),
        tokens(model.context_length),
        " ".join(model.input_modalities),
        " ".join(model.output_modalities),
        abilities(str(name) for name in known),
    )


def model_price(model: Model, name: str) -> Decimal | None:
    """Read what a model is listed at, in USD per million tokens; None where it is not listed."""
    from openrouter_routing.pricing import parse_decimal

    pricing = model.wire.get("pricing")
    if not isinstance(pricing, dict) or pricing.get(name) is None:
        return None
    price = parse_decimal(pricing[name])
    # Routers such as openrouter/auto list a price of -1: it depends on the model they pick.
    return None if price < 0 else price * 1_000_000
