"""How preferences and tags name endpoints, and which endpoints a name means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from openrouter_routing._vocabulary import ENDPOINT_TIERS
from openrouter_routing.providers import provider_slug

if TYPE_CHECKING:
    from openrouter_routing.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class EndpointName:
    """How preferences or a tag name endpoints: a provider and, if given, one variant of it."""

    base: str
    variant: str | None
    tier: str | None

    def __str__(self) -> str:
        return self.base if self.variant is None else f"{self.base}/{self.variant}"

    def is_exactly(self, tag: EndpointName) -> bool:
        """Whether this names an endpoint of this tag and no other."""
        return self.variant is not None and (self.base, self.variant) == (tag.base, tag.variant)

    def matches(self, tag: EndpointName) -> bool:
        """Whether an endpoint of this tag is meant.

        A bare provider means all its variants and regions, but none of its service tiers.
        """
        if self.base != tag.base:
            return False
        if self.variant is None:
            return tag.tier is None
        if self.variant == tag.variant:
            return True
        within = tag.variant is not None and tag.variant.startswith(f"{self.variant}/")
        return within and tag.tier is None


@lru_cache(maxsize=8192)
def endpoint_name(name: str, declared_tier: str | None = None) -> EndpointName:
    """Read a tag, slug or display name, and the tier the endpoint says it sells."""
    base, _, variant = name.lower().partition("/")
    last = variant.rpartition("/")[2]
    tier = last if last in ENDPOINT_TIERS else None
    return EndpointName(provider_slug(base) or base, variant or None, declared_tier or tier)


def name_of(endpoint: Endpoint) -> EndpointName:
    """Give the name of an endpoint."""
    return endpoint_name(endpoint.tag, endpoint.declared_tier)
