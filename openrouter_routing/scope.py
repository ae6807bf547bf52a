"""Preferences for a block of code: `with routing(...)`.

The scope rides on a `ContextVar` and is read once, when a call is made. It reaches query engines, chains and agents
that offer no place for call arguments, in threads and tasks that copy the context. A call that is only made after the
block has ended does not see it; `with_routing()` on the model does not depend on where the call is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

from openrouter_routing._blocks import Block
from openrouter_routing.preferences import (
    NO_PREFERENCES,
    ProviderPreferences,
    RoutingPreferences,
    preferences_of,
)
from openrouter_routing.resolution import combine_policies, merge, policy_of

if TYPE_CHECKING:
    from openrouter_routing.keywords import PreferenceFields, ProviderFields


@dataclass(frozen=True, slots=True)
class Scope:
    """What the enclosing `routing()` blocks ask for, merged; `block` and `outer` lead back out."""

    preferences: RoutingPreferences
    policy: ProviderPreferences | None
    block: routing | None = None
    outer: Scope | None = None

    def entered(self, block: routing) -> Scope:
        """Return the scope inside a block."""
        return Scope(
            merge(self.preferences, block.preferences),
            combine_policies(self.policy, block.policy),
            block,
            self,
        )

    def left(self, block: routing) -> Scope:
        """Return the scope after a block has ended, which need not be the inner one: blocks of generators interleave.

        A generator that holds the block can be closed from another context, which has nothing to take back.
        """
        if self.outer is None or self.block is None:
            return self
        if self.block is block:
            return self.outer
        outer = self.outer.left(block)
        return self if outer is self.outer else outer.entered(self.block)


_NO_SCOPE = Scope(NO_PREFERENCES, None)
_scope: ContextVar[Scope] = ContextVar("openrouter_routing_scope", default=_NO_SCOPE)


def current_scope() -> Scope:
    """Return what the enclosing `routing()` blocks ask for; empty outside of any."""
    return _scope.get()


class routing(Block[RoutingPreferences]):  # noqa: N801 (it reads as a statement: `with routing(sort="price"):`)
    """Scope preferences to a block of code, sync or async; blocks nest, the inner one wins field by field.

    Do not yield inside the block from a generator or an async generator: a generator shares its consumer's context, so
    the scope would leak into the consumer between two items.

    Args:
        preferences: Preferences to start from.
        policy: Provider preferences that nothing inside the block may loosen.
        **fields: Fields of `RoutingPreferences`, or of its `provider` written flat (`order=`, `zdr=`, ...).

    Raises:
        PreferencesError: A field is unknown or malformed.

    Example:
        >>> with routing(sort="price", models=["openai/gpt-5-mini"]):
        ...     with routing(zdr=True):
        ...         print(current_scope().preferences.to_wire())
        {'models': ['openai/gpt-5-mini'], 'provider': {'zdr': True, 'sort': 'price'}}
    """

    def __init__(
        self,
        preferences: RoutingPreferences | ProviderPreferences | Mapping[str, Any] | None = None,
        /,
        *,
        policy: ProviderPreferences | ProviderFields | Mapping[str, Any] | None = None,
        **fields: Unpack[PreferenceFields],
    ) -> None:
        self.preferences = preferences_of(preferences, **fields)
        self.policy = policy_of(policy)

    def __enter__(self) -> RoutingPreferences:
        inner = _scope.get().entered(self)
        _scope.set(inner)
        return inner.preferences

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _scope.set(_scope.get().left(self))
