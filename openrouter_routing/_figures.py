"""Figures and facts as people read them: short, with a unit, and empty where they are not known."""

from __future__ import annotations

from decimal import Decimal

_MILLION = 1_000_000
_THOUSAND = 1000
_MILLISECONDS = 1000


def dollars(amount: Decimal | float | None) -> str:
    """Write an amount in USD with as many digits as it takes, at least two after the point.

    Example:
        >>> dollars(Decimal("0.150")), dollars(Decimal(3)), dollars(0.0000214), dollars(None)
        ('0.15', '3.00', '0.0000214', '')
    """
    if amount is None:
        return ""
    text = format(Decimal(str(amount)).normalize(), "f")
    whole, _, fraction = text.partition(".")
    if whole == "0" and len(fraction) > 2:
        leading = len(fraction) - len(fraction.lstrip("0"))
        fraction = fraction[: max(2, leading + 3)].rstrip("0")
    return f"{whole}.{fraction[: max(4, len(fraction)) if whole == '0' else 4]:0<2}"


def exact_dollars(amount: Decimal) -> str:
    """Write an amount in USD out to a hundred-millionth: one short request costs less than a cent by far.

    Example:
        >>> exact_dollars(Decimal("0.00005475")), exact_dollars(Decimal("8E-8")), exact_dollars(Decimal(3))
        ('0.00005475', '0.00000008', '3')
    """
    return f"{amount:.8f}".rstrip("0").rstrip(".")


def tokens(count: int | None) -> str:
    """Write a number of tokens.

    Example:
        >>> tokens(131072), tokens(1_048_576), tokens(512), tokens(None)
        ('131k', '1.05M', '512', '')
    """
    if count is None:
        return ""
    if count >= _MILLION:
        return f"{count / _MILLION:.3g}M"
    return f"{count / _THOUSAND:.3g}k" if count >= _THOUSAND else str(count)


def seconds(duration: float | None) -> str:
    """Write a duration given in seconds.

    Example:
        >>> seconds(0.4204), seconds(12.34), seconds(None)
        ('0.42 s', '12.3 s', '')
    """
    if duration is None:
        return ""
    return f"{duration:.2f} s" if duration < 10 else f"{duration:.1f} s"


def milliseconds(duration: float | None) -> str:
    """Write a duration given in milliseconds, in seconds."""
    return "" if duration is None else seconds(duration / _MILLISECONDS)


def finish(reason: str | None, native: str | None) -> str:
    """Write why an answer ended, with the upstream's own word where that is another one.

    Example:
        >>> finish("stop", "end_turn"), finish("stop", "stop"), finish("length", None)
        ('stop (end_turn)', 'stop', 'length')
    """
    return f"{reason or ''} ({native})".lstrip() if native and native != reason else reason or ""


def percent(share: float | None) -> str:
    """Write a number of percent.

    Example:
        >>> percent(99.82), percent(100.0), percent(None)
        ('99.8%', '100%', '')
    """
    return "" if share is None else f"{share:.3g}%"


def speed(rate: float | None) -> str:
    """Write tokens per second.

    Example:
        >>> speed(72.4), speed(3.14), speed(None)
        ('72', '3.1', '')
    """
    if rate is None:
        return ""
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
