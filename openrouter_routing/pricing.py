"""What an endpoint charges, in USD per token, and what a request of so many tokens costs there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

__all__ = ["Pricing"]

_MILLION = 1_000_000
_ZERO = Decimal(0)
_NO_PRICES: Mapping[str, Decimal] = MappingProxyType({})


def parse_decimal(value: object) -> Decimal:
    """Read a price as the wire writes it: a decimal string, or a number.

    Raises:
        ValueError: It is neither, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"expected a price as a decimal string, got {value!r}")  # noqa: TRY004
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"expected a price as a decimal string, got {value!r}") from None
    if not price.is_finite():
        raise ValueError(f"expected a finite price, got {value!r}")
    return price


@dataclass(frozen=True, slots=True)
class Pricing:
    """The prices of one endpoint, each in USD per unit, as decimals.

    Args:
        prompt: Per prompt token.
        completion: Per completion token.
        others: Every further price by its wire name: `request` (per request), `image` (per image),
            `input_cache_read`, `input_cache_write`, `internal_reasoning`, `audio`, `web_search` ...
        discount: The fraction taken off, 0 for none; `unit()` applies it.
        overrides: Conditional prices, as on the wire (long prompts, times of day).

    Example:
        >>> pricing = Pricing.from_wire({"prompt": "0.00000015", "completion": "0.0000006"})
        >>> pricing.per_million("prompt")
        Decimal('0.15000000')

    See https://openrouter.ai/docs/overview/models.
    """

    prompt: Decimal
    completion: Decimal
    others: Mapping[str, Decimal] = field(default_factory=lambda: _NO_PRICES)
    discount: Decimal = _ZERO
    overrides: tuple[Mapping[str, object], ...] = ()

    @classmethod
    def from_wire(cls, pricing: Mapping[str, object]) -> Pricing:
        """Read the `pricing` object of a model or endpoint.

        Raises:
            ValueError: A price is missing or is no decimal; the message starts with its name.
        """
        prices: dict[str, Decimal] = {}
        overrides = pricing.get("overrides", [])
        if not isinstance(overrides, list) or not all(isinstance(o, Mapping) for o in overrides):
            raise ValueError(f"overrides: expected a list of objects, got {overrides!r}")
        for name, value in pricing.items():
            if name == "overrides":
                continue
            try:
                prices[name] = parse_decimal(value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        for name in ("prompt", "completion"):
            if name not in prices:
                raise ValueError(f"{name}: missing")
        return cls(
            prompt=prices.pop("prompt"),
            completion=prices.pop("completion"),
            discount=prices.pop("discount", _ZERO),
            others=MappingProxyType(prices),
            overrides=tuple(MappingProxyType(dict(override)) for override in overrides),
        )

    def to_wire(self) -> dict[str, object]:
        """Write the `pricing` object: prices as strings, the discount as a number."""
        wire: dict[str, object] = {
            "prompt": _plain(self.prompt),
            "completion": _plain(self.completion),
        }
        wire |= {name: _plain(price) for name, price in self.others.items()}
        if self.discount:
            wire["discount"] = float(self.discount)
        if self.overrides:
            wire["overrides"] = [dict(override) for override in self.overrides]
        return wire

    def __reduce__(self) -> tuple[object, ...]:
        # Mapping proxies do not pickle; the wire form does.
        return (Pricing.from_wire, (self.to_wire(),))

    def __hash__(self) -> int:
        return hash((self.prompt, self.completion, self.discount))

    def unit(self, name: str, *, prompt_tokens: int | None = None) -> Decimal | None:
        """Give the effective price of one unit, discount and long-prompt overrides applied.

        Overrides by time of day are left out, so that the answer does not depend on the clock.

        Args:
            name: `prompt`, `completion`, `request`, `image`, `input_cache_read` ...
            prompt_tokens: The length of the prompt, for prices that depend on it.

        Returns:
            USD per unit, or None when the endpoint states no such price.
        """
        price = {"prompt": self.prompt, "completion": self.completion}.get(name)
        if price is None:
            price = self.others.get(name)
        for override in self.overrides if prompt_tokens is not None else ():
            threshold = override.get("min_prompt_tokens")
            timed = "utc_start" in override or "utc_end" in override
            if timed or not isinstance(threshold, int | float) or name not in override:
                continue
            if prompt_tokens is not None and prompt_tokens > threshold:
                price = parse_decimal(override[name])
        return None if price is None else price * (1 - self.discount)

    def per_million(self, name: str) -> Decimal | None:
        """Give the effective price of a million units in USD; None when there is no such price."""
        price = self.unit(name)
        return None if price is None else price * _MILLION

    @property
    def combined(self) -> Decimal:
        """Prompt plus completion price, in USD per token: the one figure that sorting by price compares."""
        price = self.prompt + self.completion
        return price * (1 - self.discount) if self.discount else price

    def prompt_cost(
        self, tokens: int, *, cached: int = 0, written: int = 0, images: int = 0
    ) -> Decimal:
        """Charge a prompt.

        Args:
            tokens: All prompt tokens, the cached and written ones included.
            cached: How many of them were read from the provider's prompt cache.
            written: How many of them were written to it.
            images: How many images came along.

        Returns:
            USD, the price per request included.
        """
        plain = self.unit("prompt", prompt_tokens=tokens) or _ZERO
        read = self.unit("input_cache_read", prompt_tokens=tokens)
        write = self.unit("input_cache_write", prompt_tokens=tokens)
        return (
            plain * (tokens - cached - written)
            + (plain if read is None else read) * cached
            + (plain if write is None else write) * written
            + (self.unit("image") or _ZERO) * images
            + (self.unit("request") or _ZERO)
        )

    def completion_cost(
        self, tokens: int, *, prompt_tokens: int, reasoning: int = 0, images: int = 0
    ) -> Decimal:
        """Charge a completion.

        Args:
            tokens: All completion tokens, the reasoning ones included.
            prompt_tokens: The length of the prompt, for prices that depend on it.
            reasoning: How many of the completion tokens were reasoning.
            images: How many images were produced.

        Returns:
            USD.
        """
        plain = self.unit("completion", prompt_tokens=prompt_tokens) or _ZERO
        thought = self.unit("internal_reasoning", prompt_tokens=prompt_tokens)
        # A zero price for reasoning means that it is charged as completion, not that it is free.
        return (
            plain * (tokens - reasoning)
            + (thought or plain) * reasoning
            + (self.unit("image_output") or _ZERO) * images
        )


def _plain(price: Decimal) -> str:
    """Write a decimal without an exponent, as the wire does."""
    return format(price, "f")
