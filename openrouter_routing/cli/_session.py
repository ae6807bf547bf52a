"""One command's client: OpenRouter, another address, or an emulator started for the command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openrouter_routing._plan_request import ROUTING_VARIANTS
from openrouter_routing.catalog import FORMAT, Catalog, Model
from openrouter_routing.client import OpenRouterClient
from openrouter_routing.errors import ModelNotFoundError

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Session:
    """What a verb works with.

    Args:
        client: Where it asks.
        lookups: Where it asks what is public; needs no key.
        json: Whether it prints JSON.
        emulated: Whether the client talks to an emulator of this process.
    """

    client: OpenRouterClient
    lookups: OpenRouterClient
    json: bool = False
    emulated: bool = False

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return self.client.settings.base_url

    def catalog(self, names: Iterable[str]) -> Catalog:
        """Fetch the endpoints of models, with the aliases that the names go through.

        Args:
            names: As a request names them, routing suffixes and `~latest` aliases included.

        Raises:
            ModelNotFoundError: There is no such model; the message names the nearest.
            OpenRouterError: The look-up failed.
        """
        listing = _Listing(self.lookups.models())
        wanted: dict[str, None] = {}
        for name in names:
            wanted |= dict.fromkeys(listing.resolve(name))
        return Catalog.from_api(_Listed(self.lookups, listing.entries), list(wanted))

    def models(self) -> tuple[Model, ...]:
        """Fetch all models, without their endpoints."""
        return _Listing(self.lookups.models()).catalog.models


def plain_model(name: str, known: Callable[[str], bool]) -> str:
    """Take the suffixes that say how to route off a model's name, until the name is known.

    Example:
        >>> plain_model("openai/gpt-5:nitro", {"openai/gpt-5"}.__contains__)
        'openai/gpt-5'
    """
    while not known(name) and name.rpartition(":")[2] in ROUTING_VARIANTS:
        name = name.rpartition(":")[0]
    return name


class _Listing:
    """The models a service lists."""

    def __init__(self, entries: list[dict[str, object]]) -> None:
        self.entries = entries
        self.catalog = Catalog.from_dict(
            {"format": FORMAT, "models": [{**entry, "endpoints": []} for entry in entries]}
        )

    def resolve(self, name: str) -> list[str]:
        """Return the ids to fetch for a name: the model, and the alias that leads to it."""
        ids = {model.id: model for model in self.catalog.models}
        plain = plain_model(name, ids.__contains__)
        # An alias is found by its own id here, and by `find` only as the model it stands for.
        found = ids.get(plain) or self.catalog.find(plain)
        if found is None:
            nearest = self.catalog.nearest(plain)
            hint = (
                f"\n  what to do: try {' or '.join(nearest)}"
                if nearest
                else ("\n  what to do: look for it with `openrouter-routing models`")
            )
            raise ModelNotFoundError(f"there is no model {plain!r}{hint}")
        return [found.id] if found.alias_of is None else [found.id, found.alias_of]


class _Listed:
    """A client whose models are already fetched."""

    def __init__(self, client: OpenRouterClient, entries: list[dict[str, object]]) -> None:
        self._entries = entries
        self.endpoints = client.endpoints
        self.zdr_endpoints = client.zdr_endpoints

    def models(self) -> list[dict[str, object]]:
        return self._entries


def _without_key(request: httpx.Request) -> None:
    del request.headers["Authorization"]


@contextmanager
def open_session(*, base_url: str | None, emulator: bool, json: bool) -> Iterator[Session]:
    """Open a client for one command.

    Args:
        base_url: Where the API is, when not where the environment says.
        emulator: Whether to start an emulator and talk to it.
        json: Whether the command prints JSON.

    Raises:
        ImportError: The emulator is asked for and not installed; says how to install it.
        BadRequestError: The address is malformed.
    """
    import httpx

    if emulator:
        from openrouter_routing.emulator import Emulator

        # Proxies of the environment are for the world outside; none of them finds this machine.
        with Emulator(paced=True) as running, httpx.Client(trust_env=False) as http:
            client = OpenRouterClient(
                base_url=running.base_url, api_key="sk-or-emulator", http_client=http
            )
            yield Session(client, client, json, emulated=True)
        return
    client = OpenRouterClient(base_url=base_url)
    if os.environ.get("OPENROUTER_API_KEY"):
        yield Session(client, client, json)
        return
    with httpx.Client(event_hooks={"request": [_without_key]}) as http:
        keyless = OpenRouterClient(base_url=base_url, api_key="none", http_client=http)
        yield Session(client, keyless, json)
