"""`record_routes()`: every request of a block of code, whichever framework made it and however deep."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from openrouter_routing._blocks import Block
from openrouter_routing._figures import exact_dollars
from openrouter_routing.errors import BadRequestError, BudgetExceeded
from openrouter_routing.route import Route

if TYPE_CHECKING:
    import pandas as pd

    from openrouter_routing._tables import DataTable

_logs: ContextVar[tuple[RouteLog, ...]] = ContextVar("openrouter_routing_logs", default=())


class RouteLog:
    """The routes of a block of code, in the order the answers ended.

    A request that was not answered (an error, no connection) has no route; one whose answer broke off has.

    Args:
        max_cost: USD; once the routes cost that much, the next request raises `BudgetExceeded`.

    Raises:
        BadRequestError: `max_cost` is no amount, or below 0.

    Renders as a table with rich and in notebooks.

    Example:
        >>> log = RouteLog()
        >>> log.add(Route(model="openai/gpt-5", provider="OpenAI", cost=0.25))
        >>> log.total_cost, list(log.by_provider())
        (Decimal('0.25'), ['OpenAI'])
    """

    def __init__(self, max_cost: float | Decimal | str | None = None) -> None:
        self.max_cost = _limit(max_cost)
        self._routes: list[Route] = []
        self._spent = Decimal(0)
        self._lock = threading.Lock()

    def add(self, route: Route) -> None:
        """Take a route in."""
        with self._lock:
            self._routes.append(route)
            self._spent += route.total_cost or Decimal(0)

    @property
    def routes(self) -> list[Route]:
        """The routes so far."""
        return list(self._routes)

    @property
    def total_cost(self) -> Decimal:
        """What all of them cost together, in USD, as far as their answers told: see `unpriced`."""
        return self._spent

    @property
    def unpriced(self) -> list[Route]:
        """The routes whose answers did not tell what they cost: a stream that broke off, most often."""
        return [route for route in self._routes if route.total_cost is None]

    @property
    def fallbacks(self) -> list[Route]:
        """The routes that another model than the requested one served."""
        return [route for route in self._routes if route.fallback_used]

    def by_provider(self) -> dict[str, list[Route]]:
        """The routes of each provider, by its display name."""
        return self._grouped("provider")

    def by_model(self) -> dict[str, list[Route]]:
        """The routes of each serving model."""
        return self._grouped("model")

    def _grouped(self, name: str) -> dict[str, list[Route]]:
        groups: dict[str, list[Route]] = {}
        for route in self._routes:
            groups.setdefault(getattr(route, name) or "unknown", []).append(route)
        return groups

    def check_budget(self) -> None:
        """Refuse the next request where the limit is reached.

        Raises:
            BudgetExceeded: It is; nothing was sent.
        """
        if self.max_cost is not None and self._spent >= self.max_cost:
            raise BudgetExceeded(
                f"not sent: this block has spent {exact_dollars(self._spent)} USD of "
                f"max_cost={exact_dollars(self.max_cost)} USD in {_requests(len(self))}; "
                "raise max_cost, or end the run here"
            )

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return each route as plain JSON data."""
        return [route.to_dict() for route in self._routes]

    def to_jsonl(self, path: str | Path | None = None) -> str:
        """Return the routes as JSON lines, and write them to `path` where one is given.

        Raises:
            OSError: The file cannot be written.
        """
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in self.to_dicts())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row per request, costs (in USD) and token counts as numbers.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as missing:
            raise ModuleNotFoundError(
                "to_pandas() needs pandas: pip install pandas; to_dicts() and to_jsonl() need nothing",
                name=missing.name,
            ) from missing
        rows = []
        for row in self.to_dicts():
            total, usage = row.pop("total_cost", None), row.pop("usage", {})
            rows.append({**row, "total_cost": None if total is None else float(total), **usage})
        return pd.DataFrame(rows)

    def __len__(self) -> int:
        return len(self._routes)

    def __iter__(self) -> Iterator[Route]:
        return iter(list(self._routes))

    def __getitem__(self, place: int) -> Route:
        return self._routes[place]

    def __rich__(self) -> DataTable:
        from openrouter_routing._log_view import log_table

        return log_table(self)

    def _repr_html_(self) -> str:
        return self.__rich__()._repr_html_()

    def __repr__(self) -> str:
        return f"<RouteLog: {self.summary()}>"

    def summary(self) -> str:
        """Return how many requests there were, and what they cost, as one line.

        Example:
            >>> RouteLog().summary()
            '0 requests, 0 fallbacks, 0 USD'
        """
        requests, fallbacks, unpriced = len(self), len(self.fallbacks), len(self.unpriced)
        return (
            f"{_requests(requests)}, "
            f"{fallbacks} fallback{'s' * (fallbacks != 1)}, {exact_dollars(self._spent)} USD"
            + (f" and {unpriced} of unknown cost" if unpriced else "")
        )


class record_routes(Block[RouteLog]):  # noqa: N801 (it reads as a statement: `with record_routes() as log:`)
    """Collect the route of every request made in a block of code; blocks nest, and each sees its own.

    Args:
        max_cost: USD; once the block has cost that much, the next request raises `BudgetExceeded` before it is sent.

    Raises:
        BadRequestError: `max_cost` is no amount, or below 0.

    Example:
        >>> with record_routes(max_cost=0.50) as log:
        ...     pass  # chains, query engines, agents
        >>> log
        <RouteLog: 0 requests, 0 fallbacks, 0 USD>
    """

    def __init__(self, *, max_cost: float | Decimal | str | None = None) -> None:
        self.log = RouteLog(max_cost)

    def __enter__(self) -> RouteLog:
        _logs.set((*_logs.get(), self.log))
        return self.log

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        logs = list(_logs.get())
        # The innermost block that is this one: the same may be open further out, and ends later there.
        for place in reversed(range(len(logs))):
            if logs[place] is self.log:
                del logs[place]
                break
        _logs.set(tuple(logs))


def current_logs() -> tuple[RouteLog, ...]:
    """Return the logs of the enclosing `record_routes()` blocks, the outermost first and each once."""
    return tuple(dict.fromkeys(_logs.get()))


def _limit(max_cost: float | Decimal | str | None) -> Decimal | None:
    if max_cost is None:
        return None
    try:
        limit = Decimal(str(max_cost))
    except InvalidOperation:
        limit = Decimal(-1)
    if not limit.is_finite() or limit < 0:
        raise BadRequestError(f"max_cost takes an amount in USD of 0 or more, got {max_cost!r}")
    return limit


def _requests(count: int) -> str:
    return f"{count} request{'s' * (count != 1)}"
