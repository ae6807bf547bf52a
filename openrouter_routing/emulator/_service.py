"""What one emulator knows: its catalog, faults and scripts, and what it has served so far."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from openrouter_routing.catalog import Catalog
from openrouter_routing.emulator._faults import Faults
from openrouter_routing.emulator._recording import RecordedRequest
from openrouter_routing.emulator._replies import Reply
from openrouter_routing.emulator._scripts import Script
from openrouter_routing.endpoint import Endpoint
from openrouter_routing.planning import Candidate

if TYPE_CHECKING:
    from openrouter_routing.emulator._attempts import Routed

CREDITS = Decimal(100)


@dataclass(frozen=True, slots=True)
class Settings:
    """How an emulator behaves; see `Emulator` for the meaning of each part."""

    api_key: str | None = None
    byok: frozenset[str] = frozenset()
    presets: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    region: str = "iad"
    chunk_delay: float = 0.0
    paced: bool = False
    comments: bool = True
    split_bytes: int | None = None
    generation_lookups: int = 1


@dataclass(eq=False, slots=True)
class Generation:
    """One served answer, as `/generation` will tell it."""

    wire: dict[str, object]
    request: RecordedRequest
    lookups: int = 0


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """One answer in the response cache, and how it was routed."""

    answer: Mapping[str, Any]
    routed: Routed
    stored: float
    seconds: float

    @property
    def age(self) -> float:
        """Seconds since it was given."""
        return time.monotonic() - self.stored


class Service:
    """The state behind the handlers. Only the server's thread changes it, but for faults and scripts.

    Args:
        catalog: The models and endpoints.
        settings: How it behaves.
        seed: Makes draws and ids repeatable.
    """

    def __init__(self, catalog: Catalog, settings: Settings, seed: int) -> None:
        self.catalog = catalog
        self.settings = settings
        self.random = Random(seed)  # noqa: S311 - draws lots, keeps no secrets
        self.faults = Faults(Random(f"faults {seed}"))  # noqa: S311 - as above
        self.requests: list[RecordedRequest] = []
        self.scripts: list[Script] = []
        self.generations: dict[str, Generation] = {}
        self.sessions: dict[str, str] = {}
        self.cache: dict[str, KeptAnswer] = {}
        self.spent = Decimal(0)
        self._endpoints: dict[str, list[Endpoint]] = {}
        self._seed = seed
        self._count = 0

    def clear(self) -> None:
        """Forget everything that was served, scripted or made to fail."""
        self.requests.clear()
        self.faults.clear()
        for script in self.scripts:
            script.clear()
        self.scripts.clear()
        self.generations.clear()
        self.sessions.clear()
        self.cache.clear()
        self.spent = Decimal(0)

    def endpoints(self, modality: str) -> list[Endpoint]:
        """List the endpoints of the models that produce text, embeddings or a ranking."""
        if modality not in self._endpoints:
            models = [m for m in self.catalog.models if modality in m.output_modalities]
            self._endpoints[modality] = [e for model in models for e in model.endpoints]
        return self._endpoints[modality]

    def new_id(self, kind: str) -> str:
        """Make the next id; the same seed makes the same ids in the same order."""
        self._count += 1
        digest = hashlib.sha256(f"{self._seed}/{self._count}".encode()).hexdigest()
        return f"{kind}-{int(time.time())}-{digest[:20]}"

    def scripted(self, request: RecordedRequest, *, stream: bool) -> Reply | None:
        """Use the next scripted answer for a path, if there is one."""
        for script in list(self.scripts):
            if script.path == request.path:
                reply = script.answer(request, stream=stream)
                if reply is not None:
                    return reply
                self.scripts.remove(script)
        return None

    def pays_own_key(self, candidate: Candidate) -> bool:
        """Whether the user's own key serves at this endpoint."""
        return candidate.endpoint.tag.partition("/")[0] in self.settings.byok
