"""The `reasoning` parameter, typed but open: what is known of it is checked, what is new passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from openrouter_routing import _vocabulary as vocabulary
from openrouter_routing.errors import BadRequestError

EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal", "none")
SUMMARIES = ("auto", "concise", "detailed")


class Reasoning(TypedDict, total=False):
    """What a request may say about reasoning; newer keys of the API pass too.

    Attributes:
        effort: `"max"`, `"xhigh"`, `"high"`, `"medium"`, `"low"`, `"minimal"` or `"none"`.
        max_tokens: The most tokens to spend on it, for models that take a number.
        exclude: True: reason, but do not tell.
        enabled: Whether to reason at all, for models that leave the choice.
        summary: How long a summary of it is: `"auto"`, `"concise"` or `"detailed"`.

    See https://openrouter.ai/docs/use-cases/reasoning-tokens
    """

    effort: str | None
    max_tokens: int | None
    exclude: bool | None
    enabled: bool | None
    summary: str | None


def check_reasoning(value: Any) -> None:
    """Refuse what looks like a misspelling of a known key or word.

    Args:
        value: The parameter, a mapping.

    Raises:
        BadRequestError: It is no mapping, or a key, an effort or a summary is a near miss of a known one.

    Example:
        >>> check_reasoning({"effort": "high", "brand_new": 1})
        >>> check_reasoning({"effort": "hgih"})
        Traceback (most recent call last):
        openrouter_routing.errors.BadRequestError: reasoning.effort: unknown effort 'hgih'; did you mean 'high'?
    """
    if not isinstance(value, Mapping):
        raise BadRequestError(
            f'reasoning takes an object such as {{"effort": "high"}}, got {type(value).__name__}'
        )
    known = tuple(Reasoning.__annotations__)
    for key in value:
        if near := vocabulary.misspelling_of(str(key), known, cutoff=0.75):
            raise BadRequestError(f"reasoning: unknown key {key!r}; did you mean {near!r}?")
    for name, words in (("effort", EFFORTS), ("summary", SUMMARIES)):
        word = value.get(name)
        if isinstance(word, str) and (near := vocabulary.misspelling_of(word, words, cutoff=0.75)):
            raise BadRequestError(
                f"reasoning.{name}: unknown {name} {word!r}; did you mean {near!r}?"
            )
