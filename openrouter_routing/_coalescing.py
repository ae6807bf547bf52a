"""Text that arrived together, handed on together: the option `coalesce`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openrouter_routing.accumulator import Delta
from openrouter_routing.errors import OpenRouterError


def coalesced(deltas: Iterable[Delta]) -> Iterator[Delta]:
    """Join neighbouring deltas of one choice that hold text and nothing else.

    Nothing waits for more to come: the deltas are those of one network read. Everything that is not plain text keeps
    its place and its own delta.

    Args:
        deltas: The deltas of one read; where they end with an error, what stands before it is handed on first.

    Example:
        >>> [delta.content for delta in coalesced([Delta(0, "Be"), Delta(0, "rn"), Delta(1, "Basel")])]
        ['Bern', 'Basel']
    """
    held: Delta | None = None
    texts: list[str] = []
    arriving = iter(deltas)
    failure: OpenRouterError | None = None
    while failure is None:
        try:
            delta = next(arriving, None)
        except OpenRouterError as error:
            delta, failure = None, error
        if held is not None:
            if delta is not None and delta.index == held.index and _is_plain_text(delta):
                texts.append(delta.content)
                continue
            held.content = "".join(texts)
            yield held
            held = None
        if delta is None:
            break
        if _is_plain_text(delta):
            held, texts = delta, [delta.content]
        else:
            yield delta
    if failure is not None:
        raise failure


def _is_plain_text(delta: Delta) -> bool:
    return bool(delta.content) and not (
        delta.reasoning
        or delta.reasoning_details
        or delta.tool_calls
        or delta.refusal
        or delta.images
        or delta.annotations
        or delta.audio is not None
        or delta.logprobs is not None
    )
