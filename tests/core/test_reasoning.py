"""Reasoning details come out of a stream as the provider made them."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from openrouter_routing._reasoning import join_reasoning_details, reasoning_text


def text(index: int | None, words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "index": index, "text": words, **fields}


def test_a_signature_may_come_by_itself() -> None:
    joined = join_reasoning_details(
        [
            text(0, "Let "),
            text(0, "me", format=None),
            {
                "type": "reasoning.text",
                "index": 0,
                "signature": "c2ln",
                "format": "anthropic-claude-v1",
            },
        ]
    )
    assert joined == [text(0, "Let me", signature="c2ln", format="anthropic-claude-v1")]


def test_blocks_of_other_kinds_stay_apart() -> None:
    encrypted = {"type": "reasoning.encrypted", "index": 0, "id": "rs_1", "data": "AAAA"}
    summary = {"type": "reasoning.summary", "index": 0, "summary": "Short."}
    assert join_reasoning_details([summary, encrypted]) == [summary, encrypted]
    assert reasoning_text([summary, encrypted]) == "Short."


def test_another_id_or_signature_begins_another_block() -> None:
    first, second = text(0, "a", signature="x"), text(0, "b", signature="y")
    assert join_reasoning_details([first, second]) == [first, second]


def test_interleaved_blocks_grow_by_their_index() -> None:
    joined = join_reasoning_details([text(0, "a"), text(1, "b"), text(0, "c"), text(1, "d")])
    assert joined == [text(0, "ac"), text(1, "bd")]


def test_without_an_index_only_neighbours_are_joined() -> None:
    middle = {"type": "reasoning.encrypted", "data": "AA"}
    assert join_reasoning_details([text(None, "a"), text(None, "b"), middle, text(None, "c")]) == [
        text(None, "ab"),
        middle,
        text(None, "c"),
    ]


@given(st.text(max_size=30), st.lists(st.integers(0, 30), max_size=6))
def test_any_cutting_gives_the_same_block(words: str, cuts: list[int]) -> None:
    places = sorted({0, len(words), *(min(cut, len(words)) for cut in cuts)})
    fragments = [text(0, words[start:end]) for start, end in itertools.pairwise(places)]
    joined = join_reasoning_details(fragments)
    assert joined == ([text(0, words)] if words else [])
