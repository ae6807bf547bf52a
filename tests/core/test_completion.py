"""Whole answers: nothing but `choices` is taken for granted, and a usable answer is used."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from openrouter_routing._call import Call
from openrouter_routing._stream_reader import StreamReader
from openrouter_routing.completion import Completion, read_completion
from openrouter_routing.errors import OpenRouterError
from openrouter_routing.preferences import RoutingPreferences
from openrouter_routing.route import route_metadata
from openrouter_routing.settings import ClientSettings, HiddenHeaders

RICH: dict[str, Any] = {
    "id": "gen-1",
    "provider": "Anthropic",
    "model": "anthropic/claude-sonnet-4.5",
    "object": "chat.completion",
    "created": 1760000000,
    "system_fingerprint": "fp_1",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "native_finish_reason": "tool_use",
            "logprobs": {"content": [{"token": "Be", "logprob": -0.1, "top_logprobs": []}]},
            "message": {
                "role": "assistant",
                "content": "Bern.",
                "refusal": None,
                "reasoning": "Let me think.",
                "reasoning_details": [
                    {"type": "reasoning.text", "index": 0, "text": "Let me think.", "format": None}
                ],
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "index": 0,
                        "function": {"name": "weather", "arguments": '{"city": "Bern"}'},
                    }
                ],
                "images": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
                ],
                "audio": {"id": "audio_1", "data": "AA==", "transcript": "Bern."},
                "annotations": [{"type": "url_citation", "url_citation": {"url": "https://x.y"}}],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 9.0,
        "completion_tokens": 4,
        "total_tokens": 13,
        "cost": 0.0012,
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": None},
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
    "openrouter_metadata": {
        "strategy": "direct",
        "region": "iad",
        "attempt": 1,
        "attempts": [{"provider": "Anthropic", "model": "anthropic/claude", "status": 200}],
        "endpoints": {"total": 1, "available": []},
    },
}
TEXT_PATH = ("choices", 0, "message", "content")
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.one_of(st.none(), st.text(max_size=3), st.integers()), max_size=2),
    st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.text(max_size=3)), max_size=2),
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in pairs:
        yield from paths(item, (*path, key))


# On the way to the text nothing may change; everything beside it may.
BESIDE = [path for path in paths(RICH) if path != TEXT_PATH[: len(path)]]


@st.composite
def changes(draw: st.DrawFn, of: list[tuple[Any, ...]]) -> list[tuple[str, tuple[Any, ...], Any]]:
    return [
        (draw(st.sampled_from(["delete", "null", "rename", "replace", "add"])), path, draw(JUNK))
        for path in draw(st.lists(st.sampled_from(of), min_size=1, max_size=12, unique=True))
    ]


def changed(body: dict[str, Any], what: list[tuple[str, tuple[Any, ...], Any]]) -> dict[str, Any]:
    body = copy.deepcopy(body)
    for kind, path, junk in what:
        holder: Any = body
        try:
            for key in path[:-1]:
                holder = holder[key]
            old = holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        if kind == "add" and isinstance(holder, dict):
            holder[f"new_{path[-1]}"] = junk
        elif kind == "null" and isinstance(holder, (dict, list)):
            holder[path[-1]] = None
        elif kind == "replace" and isinstance(holder, (dict, list)):
            holder[path[-1]] = junk
        elif isinstance(holder, dict):
            del holder[path[-1]]
            if kind == "rename":
                holder[f"{path[-1]}_v2"] = old
    return body


def a_call() -> Call:
    call = Call(
        url="http://127.0.0.1/api/v1/chat/completions",
        headers=HiddenHeaders(),
        content=b"",
        model="anthropic/claude-sonnet-4.5",
        preferences=RoutingPreferences(),
        settings=ClientSettings(on_violation="ignore"),
    )
    call.begin(1)
    return call


def read(body: Any) -> Completion:
    return a_call().read_answer(httpx.Response(200), to_json(body))


def use(completion: Completion) -> None:
    """Touch all that a framework's adapter reads."""
    for choice in completion.choices:
        assert isinstance(choice.text, str)
        assert isinstance(choice.reasoning, str)
        assert all(isinstance(call.id, str) and call.id for call in choice.tool_calls)
        assert len({call.id for call in choice.tool_calls}) == len(choice.tool_calls)
    completion.route.to_dict()
    route_metadata(completion.raw, completion.route)
    assert (
        completion.route.total_cost is None
        or completion.route.total_cost == completion.route.total_cost
    )


def test_a_rich_answer_is_read_in_full() -> None:
    answer = read(RICH)
    assert (answer.text, answer.reasoning, answer.finish_reason) == (
        "Bern.",
        "Let me think.",
        "tool_calls",
    )
    assert answer.tool_calls[0].arguments == {"city": "Bern"}
    assert answer.route.native_finish_reason == "tool_use"
    assert (answer.usage.prompt_tokens, answer.usage.cached_tokens) == (9, 3)
    assert answer.choices[0].images == RICH["choices"][0]["message"]["images"]
    assert answer.choices[0].audio == RICH["choices"][0]["message"]["audio"]


@settings(max_examples=200, deadline=None)
@given(changes(BESIDE))
def test_the_text_survives_any_change_beside_it(
    what: list[tuple[str, tuple[Any, ...], Any]],
) -> None:
    body = changed(RICH, what)
    try:
        answer = read(body)
    except OpenRouterError:
        # Only an error that the body names may be raised.
        assert (
            body.get("error")
            or body["choices"][0].get("error")
            or body["choices"][0].get("finish_reason") == "error"
        )
        return
    assert answer.text == "Bern."
    use(answer)


@settings(max_examples=200, deadline=None)
@given(changes(list(paths(RICH))))
def test_any_change_ends_in_an_answer_or_an_error_of_ours(
    what: list[tuple[str, tuple[Any, ...], Any]],
) -> None:
    body = changed(RICH, what)
    with contextlib.suppress(OpenRouterError):
        use(read(body))


def as_chunks() -> list[dict[str, Any]]:
    top = {key: value for key, value in RICH.items() if key not in ("choices", "usage")}
    message = RICH["choices"][0]["message"]
    deltas = [{key: value} for key, value in message.items() if key != "content"]
    deltas[1:1] = [{"content": "Be"}, {"content": "rn."}]
    made = [
        {**top, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    made.append({**top, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    made.append({**top, "choices": [], "usage": RICH["usage"]})
    return made


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_stream_with_any_change_ends_whole_or_in_an_error_of_ours(data: st.DataObject) -> None:
    chunks = as_chunks()
    what = data.draw(changes([path for path in paths(chunks) if len(path) > 1]))
    chunks = changed(
        {"chunks": chunks}, [(kind, ("chunks", *path), junk) for kind, path, junk in what]
    )["chunks"]
    reader = StreamReader(a_call(), {})
    with contextlib.suppress(OpenRouterError):
        for chunk in chunks:
            list(reader.feed(b"data: " + to_json(chunk) + b"\n\n"))
        list(reader.finish())
    use(reader.partial())


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": "Bern."},
        [],
        "Bern.",
        None,
        7,
    ],
)
def test_what_holds_no_answer_is_no_answer(body: Any) -> None:
    with pytest.raises(OpenRouterError):
        read(body)


@pytest.mark.parametrize("native", [None, "stop_sequence"])
@pytest.mark.parametrize("finish", ["stop", None, "", "function_call"])
def test_calls_make_the_finish_reason_tool_calls(finish: str | None, native: str | None) -> None:
    body = copy.deepcopy(RICH)
    body["choices"][0].update(finish_reason=finish, native_finish_reason=native)
    answer = read(body)
    assert answer.finish_reason == "tool_calls"
    assert answer.route.native_finish_reason == (native or finish or None)


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_calls_that_may_be_incomplete_keep_saying_so(finish: str) -> None:
    body = copy.deepcopy(RICH)
    body["choices"][0]["finish_reason"] = finish
    assert read(body).finish_reason == finish


def test_content_may_come_in_parts() -> None:
    parts = [{"type": "text", "text": "Be"}, {"type": "image"}, None, "rn."]
    assert read_completion({"choices": [{"message": {"content": parts}}]}).text == "Bern."
