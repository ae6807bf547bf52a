"""What is sent again, after which wait, and what never is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from openrouter_routing import (
    APIConnectionError,
    BadRequestError,
    ModelNotFoundError,
    OpenRouterClient,
    RateLimitError,
    ResponseParseError,
    StreamInterruptedError,
)
from openrouter_routing._attempts import BACKOFF_CAP, BACKOFF_START
from openrouter_routing.emulator import Emulator
from tests.asking import KEY, STREAMED, WAYS, WHOLE, ask
from tests.scripted_server import (
    CLOSE,
    COMMENT,
    DONE,
    RESET,
    ScriptedServer,
    answer,
    chunk,
    error_answer,
    http_head,
    json_answer,
    stream_answer,
)

WHOLE_ANSWER = json_answer(answer())
BUSY = {
    "code": 503,
    "message": "Busy",
    "availability": {"code": "temporarily_unavailable", "retryable": True},
}


def failing(status: int, **error: Any) -> list[Any]:
    return error_answer(status, {"code": status, "message": "It failed.", **error})


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def waits() -> Iterator[list[float]]:
    """The waits as they were scheduled."""
    scheduled: list[float] = []

    def note(details: RetryDetails) -> None:
        scheduled.append(details.wait_for)

    set_on_retry_hooks([note])
    yield scheduled
    set_on_retry_hooks(None)


@pytest.fixture
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


each_way = pytest.mark.parametrize("way", WAYS)
streamed = pytest.mark.parametrize("way", STREAMED)
whole = pytest.mark.parametrize("way", WHOLE)


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 524, 529])
@each_way
def test_what_may_pass_is_sent_again(server: ScriptedServer, way: str, status: int) -> None:
    server.play(failing(status), failing(status), WHOLE_ANSWER)
    outcome = ask(way, server, max_retries=2)
    assert outcome.text == "Bern."
    assert outcome.completion.route.retries == 2  # type: ignore[union-attr]
    assert len({request.body for request in server.requests}) == 1
    assert len(server.requests) == 3


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
@each_way
def test_what_cannot_pass_is_not(server: ScriptedServer, way: str, status: int) -> None:
    server.play(failing(status))
    assert ask(way, server, max_retries=5).failure.retries == 0
    assert len(server.requests) == 1


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("count", [0, 1, 3])
@each_way
def test_max_retries_counts_and_zero_means_zero(
    server: ScriptedServer, way: str, count: int
) -> None:
    server.play(failing(503))
    assert ask(way, server, max_retries=count).failure.retries == count
    assert len(server.requests) == count + 1


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("status", "retryable", "count"),
    [(503, False, 1), (404, True, 3), (429, True, 3), (429, False, 1)],
)
@each_way
def test_the_answer_decides_where_it_says_so(
    server: ScriptedServer, way: str, status: int, retryable: bool, count: int
) -> None:
    server.play(failing(status, availability={"code": "new_code", "retryable": retryable}))
    assert ask(way, server, max_retries=2).error is not None
    assert len(server.requests) == count


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("broken", [[CLOSE], [RESET], [b"HTTP/1.1 2", CLOSE]])
@each_way
def test_a_connection_that_breaks_before_the_answer(
    server: ScriptedServer, way: str, broken: Any
) -> None:
    server.play(broken, WHOLE_ANSWER)
    outcome = ask(way, server, max_retries=1)
    if outcome.error is None:
        assert outcome.text == "Bern."
    else:
        # Half a status line is bytes of something: a transport may call that a broken answer.
        assert broken[0] not in (CLOSE, RESET)


@each_way
def test_no_server_at_all(server: ScriptedServer, way: str, waits: list[float]) -> None:
    gone = ScriptedServer()
    gone._listener.close()
    error = ask(way, gone, max_retries=2, max_retry_wait=0.01).failure
    assert isinstance(error, APIConnectionError)
    assert gone.base_url in error.message
    assert (error.retries, len(waits)) == (2, 2)


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    "failed",
    [
        json_answer({"error": {"code": 502, "message": "gone"}}),
        json_answer(
            {"choices": [{"finish_reason": "error", "error": {"code": 429, "message": "x"}}]}
        ),
    ],
)
@each_way
def test_an_error_inside_a_200_is_sent_again(server: ScriptedServer, way: str, failed: Any) -> None:
    server.play(failed, WHOLE_ANSWER)
    assert ask(way, server, max_retries=1).text == "Bern."


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    "broken",
    [
        stream_answer(),
        stream_answer(COMMENT, COMMENT),
        stream_answer(COMMENT, RESET),
        stream_answer(COMMENT, chunk(""), CLOSE),
        stream_answer(COMMENT, chunk(""), {"error": BUSY, "choices": []}),
        [*stream_answer(DONE, CLOSE)[:1], CLOSE],
    ],
)
@streamed
def test_a_stream_that_breaks_before_its_first_piece(
    server: ScriptedServer, way: str, broken: Any
) -> None:
    server.play(broken, stream_answer(chunk("Bern.", finish_reason="stop"), DONE))
    outcome = ask(way, server, max_retries=1)
    assert outcome.text == "Bern."
    assert outcome.completion.route.retries == 1  # type: ignore[union-attr]


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("end", [[CLOSE], [RESET], [], [{"error": BUSY}], [b"data: {\n\n"]])
@pytest.mark.parametrize(
    "first",
    [
        chunk("Be"),
        chunk(None, delta={"reasoning": "Let me"}),
        chunk(None, delta={"tool_calls": [{"index": 0, "id": "a", "function": {"name": "now"}}]}),
    ],
)
@streamed
def test_nothing_is_sent_twice_after_a_piece_of_the_answer(
    server: ScriptedServer, way: str, first: dict[str, Any], end: Any
) -> None:
    server.play(stream_answer(first, *end))
    error = ask(way, server, max_retries=5).failure
    assert isinstance(error, StreamInterruptedError)
    assert len(server.requests) == 1


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("end", [CLOSE, RESET])
@whole
def test_nothing_is_sent_twice_after_half_a_body(
    server: ScriptedServer, way: str, end: Any
) -> None:
    head = http_head(200, {"Content-Type": "application/json", "Content-Length": "1000"})
    # The pause lets the client read the half before the reset throws it away.
    server.play([head, b'{"id": "gen-1", "choices": [{"mess', 0.1, end])
    error = ask(way, server, max_retries=5).failure
    assert isinstance(error, ResponseParseError)
    assert error.code == "cut"
    assert len(server.requests) == 1


@pytest.mark.parametrize("told", ["header", "availability", "reset header", "reset in the error"])
@each_way
def test_the_answer_says_how_long_to_wait(
    server: ScriptedServer, way: str, told: str, waits: list[float]
) -> None:
    error: dict[str, Any] = {"code": 429, "message": "Slow down"}
    headers = {}
    if told == "header":
        headers = {"Retry-After": "0.05", "X-RateLimit-Reset": "50"}
        error["availability"] = {"code": "capacity_exhausted", "retryable": True, "retry_after": 40}
    elif told == "availability":
        headers = {"X-RateLimit-Reset": "50"}
        error["availability"] = {
            "code": "capacity_exhausted",
            "retryable": True,
            "retry_after": 0.05,
        }
    elif told == "reset header":
        headers = {"X-RateLimit-Reset": "0.05"}
    else:
        error["metadata"] = {"headers": {"X-RateLimit-Reset": "0.05"}}
    server.play(error_answer(429, error, headers=headers), WHOLE_ANSWER)
    assert ask(way, server, max_retries=1).text == "Bern."
    assert waits == [pytest.approx(0.05, abs=0.001)]


@each_way
def test_without_a_word_the_waits_grow(
    server: ScriptedServer, way: str, waits: list[float]
) -> None:
    server.play(failing(503), failing(503), WHOLE_ANSWER)
    assert ask(way, server, max_retries=2, max_retry_wait=0.02).text == "Bern."
    assert len(waits) == 2
    assert all(0 < wait <= 0.02 for wait in waits)
    assert BACKOFF_START < BACKOFF_CAP


@pytest.mark.parametrize("wait", ["61", "86400"])
@each_way
def test_too_long_a_wait_is_an_error_at_once(server: ScriptedServer, way: str, wait: str) -> None:
    server.play(
        error_answer(429, {"code": 429, "message": "Slow down"}, headers={"Retry-After": wait})
    )
    error = ask(way, server, max_retries=3).failure
    assert isinstance(error, RateLimitError)
    assert (error.retry_after, error.retries, error.retryable) == (float(wait), 0, True)
    assert len(server.requests) == 1


@each_way
def test_a_daily_limit_is_not_waited_for(server: ScriptedServer, way: str) -> None:
    server.play(failing(429, message="Rate limit exceeded: free-models-per-day"))
    error = ask(way, server, max_retries=3).failure
    assert (error.retryable, len(server.requests)) == (False, 1)


@pytest.mark.usefixtures("no_waits")
@each_way
def test_a_retry_is_told_in_one_readable_line(
    server: ScriptedServer, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.play(
        failing(502),
        error_answer(429, {"code": 429, "message": "Slow down"}, headers={"Retry-After": "2"}),
        WHOLE_ANSWER,
    )
    with caplog.at_level(logging.WARNING, "openrouter_routing"):
        ask(way, server, max_retries=2)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        f"retry 1 of 2 of {server.base_url}/chat/completions (openai/gpt-5-mini) after a backoff: "
        "OpenRouter answered 502: It failed.",
        f"retry 2 of 2 of {server.base_url}/chat/completions (openai/gpt-5-mini) in 2.0 s, as the answer asks: "
        "OpenRouter answered 429: Slow down",
    ]
    assert KEY not in caplog.text


@pytest.mark.usefixtures("no_waits")
@each_way
def test_the_last_failure_is_no_retry(
    server: ScriptedServer, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.play(failing(502))
    with caplog.at_level(logging.WARNING, "openrouter_routing"):
        assert ask(way, server, max_retries=1).failure.retries == 1
    assert len([record for record in caplog.records if record.name == "openrouter_routing"]) == 1


@each_way
def test_a_log_that_is_off_costs_nothing(server: ScriptedServer, way: str) -> None:
    server.play(failing(502), WHOLE_ANSWER)
    logger = logging.getLogger("openrouter_routing")
    level = logger.level
    seen: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    try:
        assert ask(way, server, max_retries=1, max_retry_wait=0.01).text == "Bern."
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
    assert seen == []


REPLAYED = [
    {"role": "user", "content": "Hi"},
    {
        "role": "assistant",
        "content": "Hm.",
        "reasoning_details": [
            {
                "type": "reasoning.encrypted",
                "data": "x",
                "id": "rs_1",
                "format": "openai-responses-v1",
            },
            {"type": "reasoning.text", "text": "y", "id": "other"},
        ],
    },
    {"role": "user", "content": "And?"},
]
UNKNOWN = {
    "code": 404,
    "message": "Provider returned error",
    "metadata": {
        "provider_name": "OpenAI",
        "raw": '{"error": {"message": "Item with id \'rs_1\' not found. Items are not persisted ..."}}',
    },
}


def test_reasoning_is_replayed_exactly_and_without_its_ids_only_where_they_are_refused(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.play(error_answer(404, UNKNOWN), WHOLE_ANSWER)
    client = OpenRouterClient(api_key=KEY, base_url=server.base_url)
    completion = client.chat(REPLAYED, model="openai/gpt-5-mini")
    assert (completion.text, completion.route.retries) == ("Bern.", 1)
    first, second = (request.json["messages"] for request in server.requests)
    assert first == REPLAYED
    assert second[1]["reasoning_details"] == [
        {"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"},
        {"type": "reasoning.text", "text": "y", "id": "other"},
    ]
    assert "without the ids of earlier reasoning" in caplog.text


def test_a_refusal_that_stays_is_an_error_that_says_what_it_is_about(
    server: ScriptedServer,
) -> None:
    server.respond(lambda _: error_answer(404, UNKNOWN))
    client = OpenRouterClient(api_key=KEY, base_url=server.base_url)
    for messages, requests in ((REPLAYED, 2), (REPLAYED[:1], 1)):
        with pytest.raises(BadRequestError, match="the reasoning of an earlier turn") as caught:
            client.chat(messages, model="openai/gpt-5-mini")
        assert type(caught.value) is BadRequestError
        assert len(server.requests) == requests
        server.requests.clear()
    with pytest.raises(BadRequestError):
        client.chat(REPLAYED, model="openai/gpt-5-mini", max_retries=0)
    assert len(server.requests) == 1


@pytest.mark.usefixtures("no_waits")
def test_a_generation_is_asked_for_until_it_is_recorded() -> None:
    with (
        Emulator(generation_lookups=2) as emulator,
        OpenRouterClient(api_key=KEY, base_url=emulator.base_url, max_retries=2) as client,
    ):
        with pytest.raises(BadRequestError, match="max_retries"):
            client.generation("gen-1", max_retries=-1)
        told = client.chat([{"role": "user", "content": "Hi"}], model="openai/gpt-5-mini").route
        assert told.generation_id is not None
        assert client.generation(told.generation_id)["total_cost"] == float(told.total_cost or 0)
        with pytest.raises(BadRequestError, match="knows no generation 'gen-1'") as caught:
            client.generation("gen-1")
        assert caught.value.retryable
        assert caught.value.retries == 2
        with pytest.raises(BadRequestError) as caught:
            client.generation("gen-1", max_retries=0)
        assert caught.value.retries == 0
        with pytest.raises(ModelNotFoundError) as caught_model:
            client.model("openai/gpt-9")
        assert caught_model.value.retries == 0
