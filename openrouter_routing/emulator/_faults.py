"""Failing on demand: which requests a fault hits, how often, and what it does to them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

from openrouter_routing._endpoint_name import endpoint_name, name_of
from openrouter_routing._vocabulary import nearest
from openrouter_routing.emulator._errors import AVAILABILITY
from openrouter_routing.endpoint import Endpoint

# Kinds that answer for the provider, with the status it would answer.
FAILURES: Mapping[str, tuple[int, str, str]] = {
    "down": (503, "provider_unavailable", "The provider is down"),
    "rate_limited": (429, "rate_limit_exceeded", "Rate limit exceeded"),
    "overloaded": (529, "provider_overloaded", "The provider is overloaded"),
    "timeout": (524, "timeout", "The provider did not answer in time"),
    "moderation": (403, "content_policy_violation", "The input was flagged by moderation"),
    "context_length": (400, "context_length_exceeded", "The prompt is longer than the context"),
    "error": (500, "server", "The provider failed"),
}
# Kinds that go with an answer of the endpoint, or instead of one, and that nothing falls back from.
SPOILERS = frozenset(
    {
        "slow",
        "mid_stream_error",
        "cut",
        "reset",
        "stall",
        "empty",
        "html",
        "error_in_200",
        "choice_error",
        "half_json",
        "empty_body",
        "bad_data_line",
        "invalid_utf8",
        "no_done",
        "no_finish",
        "duplicate_finish",
        "availability",
    }
)
_MODERATED = frozenset({"moderation", "context_length"})


@dataclass(eq=False)
class Fault:
    """Something that goes wrong; see `Emulator.fault` for the meaning of each part."""

    kind: str
    provider: str | None = None
    model: str | None = None
    path: str | None = None
    status: int | None = None
    times: int | None = None
    probability: float = 1.0
    retry_after: int | None = None
    after_chunks: int = 2
    delay: float | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    fired: int = 0
    _active: bool = True

    def __post_init__(self) -> None:
        if self.kind not in FAILURES and self.kind not in SPOILERS:
            known = ", ".join(sorted({*FAILURES, *SPOILERS}))
            raise ValueError(f"no fault of kind {self.kind!r}; there are {known}")
        if self.kind == "availability" and self.details.get("code") not in AVAILABILITY:
            raise ValueError(f"an availability fault needs code=, one of {', '.join(AVAILABILITY)}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability is from 0 to 1, got {self.probability}")

    def clear(self) -> None:
        """Switch the fault off."""
        self._active = False

    @property
    def active(self) -> bool:
        """Whether it can still hit a request."""
        return self._active and (self.times is None or self.fired < self.times)

    @property
    def failure_status(self) -> int | None:
        """The HTTP status of the provider that fails, or None for the kinds that spoil answers."""
        failure = FAILURES.get(self.kind)
        return None if failure is None else self.status or failure[0]

    @property
    def falls_back(self) -> bool:
        """Whether the router tries the next endpoint."""
        status = self.failure_status
        if status is None:
            return False
        return self.kind in _MODERATED or status in (408, 429) or status >= 500

    def concerns(self, endpoint: Endpoint | None, path: str) -> bool:
        """Whether the fault is meant for this endpoint, or for a path that has none."""
        if self.path is not None and self.path != path:
            return False
        if endpoint is None:
            return self.path is not None
        return self._names(endpoint)

    def check_target(self, endpoints: Iterable[Endpoint]) -> None:
        """Refuse a fault that can hit nothing: a test that waits for it would pass without it.

        Raises:
            ValueError: None of the endpoints is of the provider and the model it names.
        """
        if (self.provider is None and self.model is None) or any(map(self._names, endpoints)):
            return
        named = {"provider": self.provider, "model": self.model}
        known = {
            "provider": {endpoint.tag.partition("/")[0] for endpoint in endpoints},
            "model": {endpoint.model for endpoint in endpoints},
        }
        for kind, name in named.items():
            if name is not None and (near := nearest(name, known[kind])) not in (None, name):
                raise ValueError(f"no endpoint of {kind} {name!r}; did you mean {near!r}?")
        asked = " and ".join(f"{kind} {name!r}" for kind, name in named.items() if name is not None)
        raise ValueError(
            f"no endpoint of {asked} in this catalog; its providers are {', '.join(sorted(known['provider']))}"
        )

    def _names(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint is of the provider and the model that the fault is for."""
        if self.model is not None and self.model not in (endpoint.model, *endpoint.model_aliases):
            return False
        if self.provider is None:
            return True
        wanted, tag = endpoint_name(self.provider), name_of(endpoint)
        # A fault hits a company as a whole, its service tiers included.
        return wanted.matches(tag) or (wanted.variant is None and wanted.base == tag.base)


class Faults:
    """The faults of one emulator; safe to use from the test's thread and the server's.

    Args:
        random: Draws for faults with a probability.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Take a fault up."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            for fault in self._faults:
                fault.clear()
            self._faults.clear()

    def hit(self, endpoint: Endpoint | None, path: str) -> Fault | None:
        """Give the fault that hits this attempt, the one added last if several do, and count it."""
        with self._lock:
            self._faults = [fault for fault in self._faults if fault.active]
            for fault in reversed(self._faults):
                if fault.concerns(endpoint, path) and self._random.random() < fault.probability:
                    fault.fired += 1
                    return fault
        return None
