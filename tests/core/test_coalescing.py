"""`coalesce=True`: fewer deltas, the same answer, and nothing but plain text joined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_routing._coalescing import coalesced
from openrouter_routing._stream_reader import StreamReader
from openrouter_routing.accumulator import Delta
from openrouter_routing.errors import BadRequestError, StreamInterruptedError
from openrouter_routing.operations import Defaults, chat_call
from openrouter_routing.settings import ClientSettings, Secret, settings_from

EVENT = 'data: {{"id":"gen-1","model":"m/x","choices":[{{"index":0,"delta":{0}{1}}}]}}\n\n'


def event(delta: str, more: str = "") -> bytes:
    return EVENT.format(delta, more).encode()


def reader(*, coalesce: bool) -> StreamReader:
    settings = ClientSettings(api_key=Secret("k"), coalesce=coalesce)
    call = chat_call(
        Defaults(settings), [{"role": "user", "content": "Hi"}], {"model": "m/x"}, stream=True
    )
    call.begin(1)
    return StreamReader(call, {})


TEXT = event('{"content":"Be"}')
PIECES = st.lists(
    st.sampled_from(
        [
            TEXT,
            event('{"content":"rn"}'),
            event('{"content":"","reasoning":"hm"}'),
            event('{"content":"x","reasoning":"y"}'),
            event('{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}'),
            event('{"refusal":"no"}'),
            event('{"content":"l"}', ',"logprobs":{"content":[]}'),
            b": OPENROUTER PROCESSING\n\n",
        ]
    ),
    max_size=12,
)
END = event('{"content":""}', ',"finish_reason":"stop"') + b"data: [DONE]\n\n"


def told(delta: Delta) -> list[tuple[str, object]]:
    return [
        (name, getattr(delta, name))
        for name in ("content", *Delta.__annotations__)
        if getattr(delta, name) not in ("", (), None)
    ]


def joined(deltas: list[Delta]) -> list[list[tuple[str, object]]]:
    """What a stream says, with the runs of plain text in it joined: the same for both ways."""
    runs: list[list[tuple[str, object]]] = []
    for parts in map(told, deltas):
        plain = [name for name, _ in parts] == ["content"]
        if plain and runs and [name for name, _ in runs[-1]] == ["content"]:
            runs[-1] = [("content", str(runs[-1][0][1]) + str(parts[0][1]))]
        else:
            runs.append(parts)
    return runs


@given(st.lists(PIECES, min_size=1, max_size=4))
def test_it_says_the_same_in_the_same_order(reads: list[list[bytes]]) -> None:
    plain, coalescing = reader(coalesce=False), reader(coalesce=True)
    one_by_one: list[Delta] = []
    together: list[Delta] = []
    for pieces in [*reads, [END]]:
        one_by_one += plain.feed(b"".join(pieces))
        together += coalescing.feed(b"".join(pieces))
    assert joined(together) == joined(one_by_one)
    assert len(together) <= len(one_by_one)
    assert coalescing.partial().raw == plain.partial().raw


def test_one_read_of_text_is_one_delta_and_another_read_another() -> None:
    coalescing = reader(coalesce=True)
    first = [delta.content for delta in coalescing.feed(TEXT * 3)]
    second = [delta.content for delta in coalescing.feed(TEXT * 2)]
    assert (first, second) == (["BeBeBe"], ["BeBe"])


def test_choices_are_not_mixed() -> None:
    deltas = [Delta(0, "a"), Delta(1, "b"), Delta(1, "c"), Delta(0, "d")]
    assert [(delta.index, delta.content) for delta in coalesced(deltas)] == [
        (0, "a"), (1, "bc"), (0, "d"),
    ]  # fmt: skip


def test_what_stands_before_an_error_is_handed_on_first() -> None:
    arriving = reader(coalesce=True).feed(TEXT * 2 + b'data: {"error":{"code":502}}\n\n')
    assert next(arriving).content == "BeBe"
    with pytest.raises(StreamInterruptedError) as caught:
        next(arriving)
    assert caught.value.partial.text == "BeBe"


def test_it_is_off_unless_asked_for_and_takes_nothing_but_a_switch() -> None:
    assert [delta.content for delta in reader(coalesce=False).feed(TEXT * 2)] == ["Be", "Be"]
    assert not ClientSettings().coalesce
    with pytest.raises(BadRequestError, match="coalesce takes True or False"):
        settings_from(coalesce=1)
