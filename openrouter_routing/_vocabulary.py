"""The words OpenRouter knows, and the sentence a reader gets for a word it does not know.

Field names are closed sets. Values that grow with the marketplace (providers, quantizations, sorts, service tiers) are
open: a new word passes, but a word that looks like a misspelt known one is refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

SORTS = ("price", "throughput", "latency", "exacto")
PARTITIONS = ("model", "none")
DATA_COLLECTION = ("allow", "deny")
QUANTIZATIONS = (
    "int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown",
)  # fmt: skip
SERVICE_TIERS = ("auto", "default", "flex", "priority", "fast", "scale", "ultrafast")
ENDPOINT_TIERS = frozenset(SERVICE_TIERS) - {"auto", "default"}
"""The tiers that endpoints of their own sell; a provider's bare slug does not mean those."""
PLUGINS = (
    "auto-beta-router", "auto-router", "context-compression", "file-parser", "fusion", "moderation",
    "pareto-router", "response-healing", "web", "web-fetch",
)  # fmt: skip
LEGACY_ROUTES = ("fallback", "sort")

_ELSEWHERE = {
    "functions": "tools", "function_call": "tool_choice", "thinking": "reasoning", "thinking_budget": "reasoning",
    "max_output_tokens": "max_tokens", "providers": "provider", "fallbacks": "models",
}  # fmt: skip
"""What other packages call things: no word is like these and means them."""
_LISTED = 40
"""How many known words a person looks through."""
_SWAPPED_FROM, _MISSED_FROM = 3, 5
"""How many letters a word needs for a slip to be seen in it: shorter ones are as likely to be new words."""


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.65) -> str | None:
    """Return the known word most like `word`, or the one that means it elsewhere; None where none is near."""
    known = list(known)
    if (meant := _ELSEWHERE.get(word)) in known:
        return meant
    found = difflib.get_close_matches(word.lower(), known, n=1, cutoff=cutoff)
    return found[0] if found else None


def unknown_name(kind: str, name: str, known: Collection[str]) -> str:
    """Say that `name` is not known, and which known name was probably meant."""
    near = nearest(name, known)
    if near is None and len(known) > _LISTED:
        return f"unknown {kind} {name!r}"
    hint = f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown {kind} {name!r}; {hint}"


def misspelling_of(word: str, known: Collection[str], *, cutoff: float = 0.8) -> str | None:
    """Return the known value that `word` looks like a misspelling of, or None.

    Words that differ from a known one only in their digits (`fp12` beside `fp16`, `cohere-2` beside `cohere`) are new
    values, not misspellings.
    """
    if word in known:
        return None
    near = nearest(word, known, cutoff=cutoff)
    if near is None:
        # The ratio of a short word to its misspelling is low.
        near = next((name for name in known if _one_slip(word.lower(), name)), None)
    if near is None or (_letters(near) == _letters(word) and _digits(near) != _digits(word)):
        return None
    return near


def _one_slip(word: str, known: str) -> bool:
    """Whether two neighbours are swapped, or, in a word of five letters or more, one letter is missing or too many."""
    shorter, longer = sorted((word, known), key=len)
    place = next((at for at, letter in enumerate(shorter) if letter != longer[at]), len(shorter))
    if len(shorter) == len(longer):
        swapped = f"{word[:place]}{word[place + 1 : place + 2]}{word[place : place + 1]}{word[place + 2 :]}"
        return len(word) >= _SWAPPED_FROM and word != known and swapped == known
    return len(shorter) >= _MISSED_FROM and longer[:place] + longer[place + 1 :] == shorter


def _letters(word: str) -> str:
    return re.sub(r"[\d\W_]", "", word.lower())


def _digits(word: str) -> str:
    return re.sub(r"\D", "", word)
