"""What the chunks of a stream add up to."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from openrouter_routing.accumulator import Accumulator, join_audio, join_base64
from openrouter_routing.completion import read_completion


def add(*chunks: dict[str, Any]) -> Accumulator:
    accumulator = Accumulator()
    for chunk in chunks:
        accumulator.add(chunk)
    return accumulator


def of(**choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, **choice}]}


def message(accumulator: Accumulator) -> dict[str, Any]:
    return accumulator.to_wire()["choices"][0]["message"]


def test_nothing_is_nothing() -> None:
    accumulator = Accumulator()
    assert not accumulator.has_content
    assert accumulator.finished_choices == 0
    assert accumulator.to_wire()["choices"] == []


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": None},
        {"choices": [None, 7]},
        of(),
        of(delta=None),
        of(delta={"content": None}),
        of(delta={"content": ""}),
        of(delta={"role": "assistant"}),
        of(delta={"tool_calls": None, "reasoning": "", "images": []}),
        of(delta="Bern"),
    ],
)
def test_what_adds_nothing_adds_nothing(chunk: dict[str, Any]) -> None:
    accumulator = Accumulator()
    assert accumulator.add(chunk) == []
    assert not accumulator.has_content


def test_names_may_come_late_and_stay() -> None:
    accumulator = add(of(delta={"content": "Be"}))
    assert (accumulator.generation_id, accumulator.provider, accumulator.model) == (
        None,
        None,
        None,
    )
    accumulator.add({"id": "gen-1", "provider": "OpenAI", "model": "a/b", "created": 7})
    accumulator.add({"id": None, "provider": None, "openrouter_metadata": {"strategy": "direct"}})
    assert (accumulator.generation_id, accumulator.provider, accumulator.model) == (
        "gen-1",
        "OpenAI",
        "a/b",
    )
    wire = accumulator.to_wire()
    assert (wire["created"], wire["openrouter_metadata"]) == (7, {"strategy": "direct"})


def test_the_finish_reason_may_come_with_text_and_twice() -> None:
    accumulator = add(
        of(delta={"content": "Bern."}, finish_reason="length", native_finish_reason="max_tokens"),
        of(delta={}, finish_reason="length"),
        of(delta={"content": ""}, finish_reason=None),
    )
    (choice,) = accumulator.to_wire()["choices"]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("length", "max_tokens")
    assert message(accumulator)["content"] == "Bern."
    assert accumulator.finished_choices == 1


def test_usage_grows_by_field() -> None:
    accumulator = add(
        {"usage": {"prompt_tokens": 9, "cost": None}},
        {"usage": {"completion_tokens": 2, "cost": 0.1}},
        {"usage": None},
    )
    assert accumulator.to_wire()["usage"] == {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "cost": 0.1,
    }


def test_choices_are_kept_apart() -> None:
    accumulator = add(
        {
            "choices": [
                {"index": 1, "delta": {"content": "Zur"}},
                {"index": 0, "delta": {"content": "Be"}},
            ]
        },
        {
            "choices": [
                {"index": 0, "delta": {"content": "rn"}},
                {"index": 1, "delta": {"content": "ich"}},
            ]
        },
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    )
    assert [entry["message"]["content"] for entry in accumulator.to_wire()["choices"]] == [
        "Bern",
        "Zurich",
    ]
    assert accumulator.finished_choices == 0


def test_a_whole_message_counts_as_a_delta() -> None:
    (delta,) = add().add(of(message={"content": "Bern."}, finish_reason="stop"))
    assert delta.content == "Bern."


def test_all_kinds_of_content_are_kept() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    citation = {"type": "url_citation", "url_citation": {"url": "https://x.y"}}
    accumulator = add(
        of(delta={"images": [image], "annotations": [citation], "refusal": "I "}),
        of(delta={"images": [image], "refusal": "cannot.", "reasoning": "Hm."}),
        of(delta={"audio": {"id": "a", "data": "AA==", "transcript": "Be"}}),
        of(delta={"audio": {"data": "AA==", "transcript": "rn"}, "custom": "x"}),
        of(delta={"custom": "y"}, logprobs={"content": [{"token": "Be"}]}, new_field=1),
        of(delta={}, logprobs={"content": [{"token": "rn"}], "refusal": None}),
    )
    made = message(accumulator)
    assert made["images"] == [image]
    assert made["annotations"] == [citation]
    assert (made["refusal"], made["reasoning"], made["custom"]) == ("I cannot.", "Hm.", "xy")
    assert made["audio"] == {
        "id": "a",
        "data": base64.b64encode(b"\0\0").decode(),
        "transcript": "Bern",
    }
    (choice,) = accumulator.to_wire()["choices"]
    assert choice["logprobs"] == {"content": [{"token": "Be"}, {"token": "rn"}], "refusal": None}
    assert choice["new_field"] == 1


def test_texts_of_unknown_names_grow_and_what_all_chunks_say_alike_stays() -> None:
    deltas = [
        {
            "reasoning_content": piece,
            "thinking": "ho",
            "novel": piece,
            "id": "msg_1",
            "type": "message",
        }
        for piece in ("ha", "ha", "ha", "!")
    ]
    made = message(add(*(of(delta=delta) for delta in deltas)))
    assert (made["reasoning_content"], made["novel"]) == ("hahaha!", "hahaha!")
    assert (made["thinking"], made["id"], made["type"]) == ("hohohoho", "msg_1", "message")


def test_fields_of_unknown_names_that_are_no_texts_are_kept() -> None:
    deltas = [{"novel": [1], "state": {"at": 1}}, {"novel": [2], "state": {"at": 2}}]
    made = message(add(*(of(delta=delta) for delta in deltas)))
    assert (made["novel"], made["state"]) == ([1, 2], {"at": 2})


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def test_a_content_in_parts_keeps_those_that_are_no_text_in_their_place() -> None:
    accumulator = Accumulator()
    contents = (
        "Be",
        [{"type": "text", "text": "rn"}, IMAGE, "."],
        [IMAGE, {"text": ""}],
        "!",
        None,
    )
    told = [accumulator.add(of(delta={"content": content})) for content in contents]
    assert [[delta.content for delta in deltas] for deltas in told] == [
        ["Be"], ["rn."], [], ["!"], [],
    ]  # fmt: skip
    assert message(accumulator)["content"] == [
        {"type": "text", "text": "Bern"}, IMAGE, {"type": "text", "text": "."}, IMAGE, {"type": "text", "text": "!"},
    ]  # fmt: skip
    assert read_completion(accumulator.to_wire()).text == "Bern.!"


def test_a_content_in_parts_that_are_all_text_is_a_text() -> None:
    parts = [of(delta={"content": [{"type": "text", "text": text}]}) for text in ("Be", "", "rn.")]
    assert message(add(*parts))["content"] == "Bern."


def test_an_image_alone_is_content() -> None:
    accumulator = add(of(delta={"content": [IMAGE]}))
    assert accumulator.has_content
    assert message(accumulator)["content"] == [IMAGE]


@pytest.mark.parametrize("cut", range(1, 8))
def test_audio_may_be_cut_anywhere(cut: int) -> None:
    whole = base64.b64encode(b"sound!").decode()
    assert join_base64([whole[:cut], whole[cut:]]) == whole
    each = [base64.b64encode(part).decode() for part in (b"sound!"[:cut], b"sound!"[cut:])]
    assert base64.b64decode(join_base64(each)) == b"sound!"


def test_audio_that_is_none_stays_as_it_came() -> None:
    assert join_base64(["=", "!"]) == "=!"
    assert join_audio([{"data": 7}, {"data": None}]) == {"data": 7}
