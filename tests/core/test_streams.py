"""A stream ends whole or in a typed error that keeps what had arrived; its connection closes when nobody reads it."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from openrouter_routing import (
    APIConnectionError,
    APITimeoutError,
    AsyncOpenRouterClient,
    BadRequestError,
    OpenRouterClient,
    ProviderError,
    RateLimitError,
    ResponseParseError,
    StreamInterruptedError,
    record_routes,
)
from tests.asking import KEY, MESSAGES, STREAMED, ask
from tests.scripted_server import (
    CLOSE,
    COMMENT,
    DONE,
    HANG,
    RESET,
    ScriptedServer,
    answer,
    chunk,
    error_answer,
    event,
    http_head,
    json_answer,
    raw_answer,
    stream_answer,
)

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "cost": 0.0001}
END = chunk(finish_reason="stop", native_finish_reason="completed")
LAST = {**chunk(), "choices": [], "usage": USAGE}
FAILURE = {
    "code": 502,
    "message": "Upstream idle timeout",
    "metadata": {"error_type": "provider_unavailable", "provider_name": "OpenAI", "raw": "gone"},
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


pytestmark = pytest.mark.parametrize("way", STREAMED)


def test_a_whole_stream(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(COMMENT, chunk("Be"), COMMENT, chunk("rn."), END, LAST, DONE))
    outcome = ask(way, server)
    assert outcome.pieces == ["Be", "rn."]
    assert outcome.text == "Bern."
    route = outcome.completion.route  # type: ignore[union-attr]
    assert (route.provider, route.native_finish_reason, route.cost) == (
        "OpenAI",
        "completed",
        0.0001,
    )
    assert route.time_to_first_token is not None


@pytest.mark.parametrize(
    "steps",
    [
        [chunk("Bern."), END, LAST, DONE],
        [chunk("Bern."), END, LAST],
        [chunk("Bern."), LAST, DONE],
        [chunk("Bern.", finish_reason="stop"), END, END, LAST, LAST, DONE],
        [chunk("Bern."), END, LAST, CLOSE],
        [chunk("Bern."), END, RESET],
        [chunk("Bern."), END, event("[DONE]"), CLOSE],
        [chunk("Bern."), END, LAST, b"data: [DONE]"],
        [chunk("Bern."), END, b'data: {"choi'],
        [chunk("Bern."), END, DONE, b"data: no JSON at all\n\n"],
        [b"event: message\nid: 1\nretry: 10\n" + event(chunk("Bern.")), END, DONE],
        [event(": OPENROUTER PROCESSING"), chunk("Bern."), END, DONE],
    ],
)
def test_whole_streams_of_all_kinds(server: ScriptedServer, way: str, steps: list[Any]) -> None:
    server.play(stream_answer(*steps))
    assert ask(way, server).text == "Bern."


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([], "cut"),
        ([CLOSE], "disconnected"),
        ([RESET], "disconnected"),
        ([b"data: {half", CLOSE], "disconnected"),
        (
            [
                b'data: {"choices": [{"delta": {"content": "rn.',
            ],
            "cut",
        ),
        ([COMMENT, COMMENT], "cut"),
        ([b"data: no JSON at all\n\n"], "bad_data"),
        ([b'data: {"x": "\xff\xfe"}\n\n'], "bad_data"),
        ([b"<html>busy</html>\n\n"], "cut"),
    ],
)
def test_broken_streams(server: ScriptedServer, way: str, steps: list[Any], code: str) -> None:
    server.play(stream_answer(chunk("Be"), 0.05, *steps))
    outcome = ask(way, server)
    assert outcome.pieces == ["Be"]
    error = outcome.failure
    assert isinstance(error, StreamInterruptedError)
    assert error.code == code
    assert error.partial.text == "Be"
    assert error.partial.route.provider == error.provider == "OpenAI"
    assert error.generation_id == "gen-1"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "around",
    [
        {},
        {"choices": []},
        {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]},
        {"usage": USAGE, "choices": [{"index": 0, "delta": None, "finish_reason": None}]},
    ],
)
def test_an_error_in_the_stream_keeps_what_had_arrived(
    server: ScriptedServer, way: str, around: dict[str, Any]
) -> None:
    # In one piece: the text before the error is handed on all the same.
    server.play(stream_answer(event(chunk("Be")) + event({"error": FAILURE, **around}), DONE))
    outcome = ask(way, server, max_retries=3)
    assert outcome.pieces == ["Be"]
    error = outcome.failure
    assert isinstance(error, StreamInterruptedError)
    assert (error.status, error.error_type, error.provider) == (
        502,
        "provider_unavailable",
        "OpenAI",
    )
    assert "Upstream idle timeout" in error.message
    assert isinstance(error.__cause__, ProviderError)
    assert error.partial.text == "Be"
    assert error.partial.route.cost == around.get("usage", {}).get("cost")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "failing",
    [
        {"choices": [{"index": 0, "delta": {}, "error": FAILURE, "finish_reason": "error"}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]},
        {"error": "overloaded"},
    ],
)
def test_an_error_is_one_wherever_it_stands(
    server: ScriptedServer, way: str, failing: dict[str, Any]
) -> None:
    server.play(stream_answer(chunk("Be"), failing))
    assert isinstance(ask(way, server).failure, StreamInterruptedError)


def test_an_error_after_the_finish_reason_is_an_error(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Bern."), END, {"error": FAILURE}, DONE))
    assert ask(way, server).failure.partial.text == "Bern."


def test_an_error_before_any_text_is_of_its_own_class(server: ScriptedServer, way: str) -> None:
    limited = {
        "code": 429,
        "message": "Slow down",
        "metadata": {"error_type": "rate_limit_exceeded"},
    }
    server.play(stream_answer(COMMENT, chunk(""), {"error": limited, "usage": USAGE}))
    error = ask(way, server).failure
    assert isinstance(error, RateLimitError)
    assert error.partial.route.cost == 0.0001


def test_with_several_choices_each_needs_its_end(server: ScriptedServer, way: str) -> None:
    second = chunk("Zurich.", index=1)
    server.play(stream_answer(chunk("Bern."), END, second))
    assert ask(way, server, n=2).failure.partial.choices[1].text == "Zurich."
    server.play(stream_answer(chunk("Bern."), END))
    assert isinstance(ask(way, server, n=2).failure, StreamInterruptedError)
    server.play(stream_answer(chunk("Bern."), END, second, chunk(index=1, finish_reason="stop")))
    server.requests.clear()
    assert [choice.text for choice in ask(way, server, n=2).completion.choices] == [
        "Bern.",
        "Zurich.",
    ]  # type: ignore[union-attr]


def test_an_answer_in_one_piece_is_taken(server: ScriptedServer, way: str) -> None:
    server.play(json_answer(answer()))
    assert ask(way, server).text == "Bern."


@pytest.mark.parametrize(
    "played",
    [
        raw_answer(b"<html>busy</html>", content_type="text/html"),
        raw_answer(b""),
        raw_answer(b'{"choices": [{"mess'),
        json_answer({"choices": []}),
        json_answer([]),
        [http_head(200, {"Content-Length": "100"}) + b'{"choices": [{"mess', CLOSE],
    ],
)
def test_what_is_no_stream_is_no_answer(server: ScriptedServer, way: str, played: Any) -> None:
    server.play(played)
    assert isinstance(ask(way, server, max_retries=2).failure, ResponseParseError)
    assert len(server.requests) == 1


def test_an_http_error_is_one(server: ScriptedServer, way: str) -> None:
    server.play(error_answer(502, FAILURE, headers={"X-Generation-Id": "gen-9"}))
    error = ask(way, server).failure
    assert isinstance(error, ProviderError)
    assert error.generation_id == "gen-9"


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_no_answer_at_all(server: ScriptedServer, way: str, end: Any) -> None:
    server.play([end])
    assert isinstance(ask(way, server).failure, APIConnectionError)


def test_a_stall_ends_the_stream(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    error = ask(way, server, idle_timeout=0.2).failure
    assert isinstance(error, StreamInterruptedError)
    assert (error.code, error.partial.text) == ("stalled", "Be")
    assert server.wait_for(server.requests[0].disconnected.is_set)


def test_comments_do_not_keep_a_stalled_stream_alive(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Be"), *([COMMENT, 0.05] * 400), HANG))
    assert ask(way, server, idle_timeout=0.2).failure.code == "stalled"
    assert server.wait_for(server.requests[0].disconnected.is_set)


@pytest.mark.parametrize(
    "played",
    [
        [HANG],
        stream_answer(HANG),
        stream_answer(*([COMMENT, 0.05] * 400), HANG),
        stream_answer(chunk(""), HANG),
    ],
)
def test_the_first_token_has_its_own_limit(server: ScriptedServer, way: str, played: Any) -> None:
    server.play(played)
    error = ask(way, server, first_token_timeout=0.2, timeout=30, max_retries=2).failure
    assert isinstance(error, APITimeoutError)
    # The request may still be worked on: it is not sent again by itself.
    assert len(server.requests) == 1
    assert server.wait_for(server.requests[0].disconnected.is_set)


def test_the_usual_limit_holds_without_the_others(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    assert ask(way, server, timeout=0.2).failure.code == "stalled"


def test_the_first_token_limit_ends_with_the_first_token(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Be"), 0.5, chunk("rn."), END, DONE))
    assert ask(way, server, first_token_timeout=0.4).text == "Bern."


def test_a_finished_stream_does_not_stall(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Bern."), END, HANG))
    assert ask(way, server, idle_timeout=0.2).text == "Bern."


def test_the_connection_is_used_again(server: ScriptedServer, way: str) -> None:
    played = stream_answer(chunk("Bern."), END, DONE)
    # The end of the response comes in a piece of its own.
    played.insert(-1, 0.05)
    server.play(played)
    if way == "sync stream":
        for _ in range(3):
            assert ask(way, server).text == "Bern."
    else:

        async def main() -> None:
            client = AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url)
            for _ in range(3):
                assert [
                    delta.content
                    async for delta in client.stream(MESSAGES, model="openai/gpt-5-mini")
                ] == ["Bern."]

        asyncio.run(main())
    assert server.connections == 1


def test_a_server_that_does_not_end_after_the_end(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Bern."), END, DONE, HANG))
    assert ask(way, server).text == "Bern."
    assert server.wait_for(server.requests[0].disconnected.is_set)


def test_leaving_the_loop_closes_the_connection(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    gc.disable()
    try:
        if way == "sync stream":
            stream = OpenRouterClient(api_key=KEY, base_url=server.base_url).stream(
                MESSAGES, model="openai/gpt-5-mini"
            )
            for delta in stream:
                assert delta.content == "Be"
                break
            assert server.wait_for(server.requests[0].disconnected.is_set)
            with pytest.raises(BadRequestError):
                iter(stream)
            assert stream.completion.text == "Be"
        else:

            async def main() -> None:
                client = AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url)
                stream = client.stream(MESSAGES, model="openai/gpt-5-mini")
                async for delta in stream:
                    assert delta.content == "Be"
                    break
                assert await asyncio.to_thread(
                    server.wait_for, server.requests[0].disconnected.is_set
                )
                assert stream.completion.text == "Be"

            asyncio.run(main())
    finally:
        gc.enable()


def test_closing_ends_it_and_the_route_is_recorded(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    with record_routes() as log:
        if way == "sync stream":
            with OpenRouterClient(api_key=KEY, base_url=server.base_url).stream(
                MESSAGES, model="openai/gpt-5-mini"
            ) as stream:
                deltas = iter(stream)
                assert next(deltas).content == "Be"
            assert list(deltas) == []
        else:

            async def main() -> None:
                client = AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url)
                async with client.stream(MESSAGES, model="openai/gpt-5-mini") as stream:
                    deltas = aiter(stream)
                    assert (await anext(deltas)).content == "Be"

            asyncio.run(main())
    assert server.wait_for(server.requests[0].disconnected.is_set)
    assert [route.generation_id for route in log] == ["gen-1"]


def test_the_time_of_the_reader_is_not_the_servers(server: ScriptedServer, way: str) -> None:
    """A consumer that works longer than `idle_timeout` on a piece has not been kept waiting."""
    server.play(stream_answer(chunk("Be"), chunk("rn."), 0.1, END, DONE))

    def consumed(seconds: float) -> None:
        # Not by the clock: the reader is told that so much time went by.
        reader.last_event -= seconds
        reader.resume(reader.last_event)

    if way == "sync stream":
        stream = OpenRouterClient(api_key=KEY, base_url=server.base_url, idle_timeout=5).stream(
            MESSAGES, model="openai/gpt-5-mini"
        )
        text = ""
        for delta in stream:
            text += delta.content
            reader: Any = stream._reader
            consumed(60)
        assert text == "Bern."
    else:

        async def main() -> str:
            client = AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url, idle_timeout=5)
            stream = client.stream(MESSAGES, model="openai/gpt-5-mini")
            text = ""
            async for delta in stream:
                text += delta.content
                nonlocal reader
                reader = stream._reader
                consumed(60)
            return text

        reader = None
        assert asyncio.run(main()) == "Bern."


def test_a_cancelled_task_closes_the_connection(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    if way == "sync stream":
        # What ends a blocking reader from outside is an exception at its place.
        def work() -> None:
            for _ in OpenRouterClient(api_key=KEY, base_url=server.base_url).stream(
                MESSAGES, model="openai/gpt-5-mini"
            ):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            work()
    else:

        async def main() -> None:
            client = AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url)
            begun = asyncio.Event()

            async def work() -> None:
                async for _ in client.stream(MESSAGES, model="openai/gpt-5-mini"):
                    begun.set()

            task = asyncio.create_task(work())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.wait_for, server.requests[0].disconnected.is_set)

        asyncio.run(main())
    assert server.wait_for(server.requests[0].disconnected.is_set)


def test_another_thread_may_close_a_stream(server: ScriptedServer, way: str) -> None:
    server.play(stream_answer(chunk("Be"), HANG))
    if way == "sync stream":
        stream = OpenRouterClient(api_key=KEY, base_url=server.base_url).stream(
            MESSAGES, model="openai/gpt-5-mini"
        )
        begun = threading.Event()
        caught: list[StreamInterruptedError] = []

        def work() -> None:
            try:
                for _ in stream:
                    begun.set()
            except StreamInterruptedError as error:
                caught.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        assert begun.wait(20)
        # The reader may still be on its way back to the socket: then this closes it, else it ends the read.
        while thread.is_alive():
            stream.close()
            thread.join(0.05)
        assert [(error.code, error.partial.text) for error in caught] in ([("closed", "Be")], [])
    else:

        async def main() -> None:
            client = AsyncOpenRouterClient(api_key=KEY, base_url=server.base_url)
            stream = client.stream(MESSAGES, model="openai/gpt-5-mini")
            async for _ in stream:
                await stream.aclose()
            assert stream.completion.text == "Be"

        asyncio.run(main())
    assert server.wait_for(server.requests[0].disconnected.is_set)


@pytest.mark.parametrize("events", [(DONE,), (COMMENT, DONE)])
def test_a_stream_without_an_answer_is_none(
    server: ScriptedServer, way: str, events: tuple[Any, ...]
) -> None:
    server.play(stream_answer(*events))
    error = ask(way, server).failure
    assert isinstance(error, StreamInterruptedError)
    assert "ended before an answer began" in error.message
    assert error.retryable
    server.play(stream_answer(*events), stream_answer(chunk("Bern."), END, DONE))
    assert ask(way, server, max_retries=1, max_retry_wait=0.01).text == "Bern."
