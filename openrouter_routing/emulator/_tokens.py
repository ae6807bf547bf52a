"""The emulator's tokens: a word of up to eight letters with the space before it, or one sign.

Real tokenizers differ by model; this one is the same everywhere, so that counts can be predicted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_TOKEN = re.compile(r" ?\w{1,8}|\s+|[^\w\s]")
# What a picture, file or recording counts as, however large it is.
_MEDIUM_TOKENS = 256
_PER_MESSAGE = 3


def split_tokens(text: str) -> list[str]:
    """Cut a text into tokens; joined they are the text.

    Example:
        >>> split_tokens("Hello, extraordinary world")
        ['Hello', ',', ' extraord', 'inary', ' world']
    """
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Count the tokens of a text."""
    return len(split_tokens(text))


def count_prompt_tokens(body: Mapping[str, object]) -> int:
    """Count the tokens of a chat request: its messages, three more for each, and its tools."""
    messages = body.get("messages")
    count = 0
    for message in messages if isinstance(messages, Sequence) else ():
        count += _PER_MESSAGE + _count(message)
    return count + _count(body.get("tools"))


def _count(value: object) -> int:
    if isinstance(value, str):
        return _MEDIUM_TOKENS if value.startswith("data:") else count_tokens(value)
    if isinstance(value, Mapping):
        return sum(_count(item) for key, item in value.items() if key not in ("role", "type"))
    if isinstance(value, Sequence):
        return sum(_count(item) for item in value)
    return 0
