"""However a stream is cut, framed and repeated, the completion is the same, and the same as without streaming."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_routing._call import Call
from openrouter_routing._stream_reader import StreamReader
from openrouter_routing.completion import Completion
from openrouter_routing.errors import OpenRouterError
from openrouter_routing.preferences import RoutingPreferences
from openrouter_routing.settings import ClientSettings, HiddenHeaders

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
PIECES = st.lists(TEXT.filter(bool), max_size=4)
COMMENTS = (
    ": OPENROUTER PROCESSING",
    ":",
    ': {"choices": []}',
    "event: message",
    "id: 7",
    "retry: 10",
)
FINISH = {"stop": "end_turn", "length": "max_tokens", "content_filter": "safety"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "cost": 0.0012}


def a_call() -> Call:
    return Call(
        url="http://127.0.0.1/api/v1/chat/completions",
        headers=HiddenHeaders(),
        content=b"",
        model="openai/gpt-5-mini",
        preferences=RoutingPreferences(),
        settings=ClientSettings(),
    )


def read(data: bytes, cuts: list[int]) -> tuple[Completion, list[Any]]:
    """Feed bytes cut at the given places; return the completion and the deltas."""
    call = a_call()
    call.begin(1)
    reader = StreamReader(call, {})
    deltas = []
    places = sorted({min(cut, len(data)) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        deltas.extend(reader.feed(data[start:end]))
    deltas.extend(reader.finish())
    return reader.partial(), deltas


def comparable(completion: Completion) -> dict[str, Any]:
    """What a completion says, without what only the clock knows and without empty fields."""
    raw = copy.deepcopy(completion.raw)
    for choice in raw["choices"]:
        choice["message"] = {key: value for key, value in choice["message"].items() if value}
        choice.pop("logprobs", None)
    return raw


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """A whole answer, with the pieces it is to be streamed in beside it."""
    text, reasoning = draw(PIECES), draw(PIECES)
    calls = draw(
        st.lists(
            st.tuples(
                st.text("abc_", min_size=1, max_size=6), st.dictionaries(TEXT, TEXT, max_size=2)
            ),
            max_size=3,
        )
    )
    return {
        "text": text,
        "reasoning": reasoning,
        "calls": [
            {
                "id": f"call_{place}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for place, (name, arguments) in enumerate(calls)
        ],
        "finish": draw(st.sampled_from(sorted(FINISH))),
    }


def whole(answer: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(answer["text"]) or None}
    if answer["reasoning"]:
        message["reasoning"] = "".join(answer["reasoning"])
    if answer["calls"]:
        message["tool_calls"] = copy.deepcopy(answer["calls"])
    return {
        "id": "gen-1",
        "provider": "OpenAI",
        "model": "openai/gpt-5-mini",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": answer["finish"],
                "native_finish_reason": FINISH[answer["finish"]],
            }
        ],
        "usage": USAGE,
    }


def chunks(draw: st.DrawFn, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The answer as chunks: arguments cut anywhere, calls interleaved, finish and usage repeated."""
    deltas: list[dict[str, Any]] = [{"reasoning": piece} for piece in answer["reasoning"]]
    deltas += [{"content": piece, "role": "assistant"} for piece in answer["text"]]
    fragments: list[list[dict[str, Any]]] = []
    for index, call in enumerate(answer["calls"]):
        arguments = call["function"]["arguments"]
        cut = draw(st.integers(0, len(arguments)))
        repeat_id = draw(st.booleans())
        fragments.append(
            [
                {
                    "index": index,
                    "id": call["id"],
                    "type": "function",
                    "function": {
                        "name": call["function"]["name"],
                        "arguments": draw(st.sampled_from(["", None])),
                    },
                },
                {"index": index, "function": {"arguments": arguments[:cut]}},
                {
                    "index": index,
                    **({"id": call["id"]} if repeat_id else {}),
                    "function": {"arguments": arguments[cut:]},
                },
            ]
        )
    while any(fragments):
        # Calls begin in the order of their numbers; after that their fragments come in any order.
        begun = [queue for queue in fragments if 0 < len(queue) < 3]
        waiting = [queue for queue in fragments if len(queue) == 3][:1]
        queue = draw(st.sampled_from(begun + waiting))
        deltas.append({"tool_calls": [queue.pop(0)]})
    if draw(st.booleans()):
        deltas.insert(draw(st.integers(0, len(deltas))), {"content": None})
    base = {"id": "gen-1", "provider": "OpenAI", "model": "openai/gpt-5-mini"}
    made: list[dict[str, Any]] = [
        {
            **base,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
        }
        for delta in deltas
    ]
    end = {
        "index": 0,
        "finish_reason": answer["finish"],
        "native_finish_reason": FINISH[answer["finish"]],
    }
    if made and draw(st.booleans()):
        made[-1]["choices"][0].update(end)
    else:
        made.append(
            {
                **base,
                "choices": [{**end, "delta": draw(st.sampled_from([{}, None, {"content": ""}]))}],
            }
        )
    for _ in range(draw(st.integers(0, 2))):
        made.append(
            {
                **base,
                "choices": [
                    {
                        **end,
                        "native_finish_reason": draw(
                            st.sampled_from([None, end["native_finish_reason"]])
                        ),
                        "delta": {},
                    }
                ],
            }
        )
    for _ in range(draw(st.integers(1, 2))):
        made.append(
            {
                **base,
                "choices": draw(
                    st.sampled_from(
                        [[], [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]]
                    )
                ),
                "usage": USAGE,
            }
        )
    return made


@st.composite
def streams(draw: st.DrawFn) -> tuple[dict[str, Any], bytes, list[int]]:
    """An answer, the bytes of a stream of it, and where those are cut."""
    answer = draw(answers())
    made = chunks(draw, answer)
    lines: list[str] = []
    for chunk in made:
        lines += draw(st.lists(st.sampled_from(COMMENTS[:3]), max_size=2))
        lines += draw(st.lists(st.sampled_from(COMMENTS[3:]), max_size=1))
        space = draw(st.sampled_from(["", " "]))
        lines += [f"data:{space}{json.dumps(chunk, ensure_ascii=draw(st.booleans()))}", ""]
    lines += ["data: [DONE]", ""] if draw(st.booleans()) else []
    ends = st.sampled_from(["\n", "\r\n", "\r"])
    text = "".join(line + draw(ends) for line in lines)
    # A last line may lack its end: the server closes right after it.
    text = draw(st.sampled_from([text, text.rstrip("\r\n"), "\ufeff" + text]))
    data = text.encode()
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=12))
    if draw(st.booleans()):
        cuts = list(range(len(data)))
    return answer, data, cuts


@settings(max_examples=250, deadline=None)
@given(streams())
def test_any_framing_gives_the_same_completion(
    case: tuple[dict[str, Any], bytes, list[int]],
) -> None:
    answer, data, cuts = case
    unsplit, first_deltas = read(data, [])
    split, deltas = read(data, cuts)
    plain = a_call().completion(whole(answer), {})
    assert comparable(split) == comparable(unsplit) == comparable(plain)
    assert split.choices[0].tool_calls == plain.choices[0].tool_calls
    for parts in (first_deltas, deltas):
        assert "".join(delta.content for delta in parts) == "".join(answer["text"])
        assert "".join(delta.reasoning for delta in parts) == "".join(answer["reasoning"])
        arguments: dict[int, str] = {}
        for delta in parts:
            for fragment in delta.tool_calls:
                arguments[fragment.index] = arguments.get(fragment.index, "") + fragment.arguments
        assert [arguments[place] for place in sorted(arguments)] == [
            call["function"]["arguments"] for call in answer["calls"]
        ]


PARTS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"data: ",
            b"\n",
            b"\r",
            b"\n\n",
            b"[DONE]",
            b": OPENROUTER PROCESSING\n\n",
            b'{"choices": [{"delta": {"content": "Be"}}]}',
            b'{"choices": [{"delta": {}, "finish_reason": "stop"}]}',
            b'{"error": {"code": 429, "message": "no"}}',
            b'{"error": "no"}',
            b"null",
            b"[]",
            b"7",
            "é".encode(),
            b"\xff",
            b"\xef\xbb\xbf",
        ]
    ),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PARTS, max_size=20), st.lists(st.integers(0, 400), max_size=6))
def test_any_bytes_end_in_an_answer_or_an_error_of_ours_however_they_are_cut(
    parts: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(parts)

    def end(cuts: list[int]) -> tuple[str, str]:
        try:
            completion, _ = read(data, cuts)
        except OpenRouterError as error:
            partial = error.partial
            return f"{type(error).__name__} {error.code}", partial.text if partial else ""
        return "whole", completion.text

    assert end(cuts) == end([])


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=40), PARTS), st.sampled_from([200, 204, 400, 404, 429, 502]))
def test_any_body_ends_in_an_answer_or_an_error_of_ours(content: bytes, status: int) -> None:
    with contextlib.suppress(OpenRouterError):
        call = a_call()
        call.begin(1)
        assert call.read_answer(httpx.Response(status), content).choices
