"""Each thing the wire can say becomes the error that says what to do, wherever on the wire it stands."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_routing import OpenRouterClient, errors
from openrouter_routing._failures import error_from_wire, redact, retry_after
from openrouter_routing.catalog import FORMAT, Catalog, CatalogError
from openrouter_routing.planning import RouteRequestError, plan_route
from tests.asking import STREAMED, WAYS, WHOLE, ask
from tests.scripted_server import (
    ScriptedServer,
    answer,
    chunk,
    error_answer,
    json_answer,
    raw_answer,
    stream_answer,
)

STATUSES: dict[int, type[errors.OpenRouterError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    402: errors.InsufficientCreditsError,
    403: errors.PermissionDeniedError,
    404: errors.ModelNotFoundError,
    408: errors.APITimeoutError,
    409: errors.ServiceUnavailableError,
    413: errors.BadRequestError,
    418: errors.BadRequestError,
    422: errors.BadRequestError,
    429: errors.RateLimitError,
    500: errors.ServiceUnavailableError,
    502: errors.ProviderError,
    503: errors.ServiceUnavailableError,
    504: errors.APITimeoutError,
    520: errors.ProviderError,
    524: errors.APITimeoutError,
    529: errors.ProviderError,
}
ERROR_TYPES: dict[str, type[errors.OpenRouterError]] = {
    "context_length_exceeded": errors.ContextLengthError,
    "max_tokens_exceeded": errors.ContextLengthError,
    "token_limit_exceeded": errors.ContextLengthError,
    "string_too_long": errors.ContextLengthError,
    "authentication": errors.AuthenticationError,
    "permission_denied": errors.PermissionDeniedError,
    "payment_required": errors.InsufficientCreditsError,
    "rate_limit_exceeded": errors.RateLimitError,
    "provider_overloaded": errors.ProviderError,
    "provider_unavailable": errors.ProviderError,
    "invalid_request": errors.BadRequestError,
    "invalid_prompt": errors.BadRequestError,
    "not_found": errors.BadRequestError,
    "precondition_failed": errors.BadRequestError,
    "payload_too_large": errors.BadRequestError,
    "unprocessable": errors.BadRequestError,
    "content_policy_violation": errors.PermissionDeniedError,
    "refusal": errors.PermissionDeniedError,
    "invalid_image": errors.BadRequestError,
    "image_too_large": errors.BadRequestError,
    "image_too_small": errors.BadRequestError,
    "unsupported_image_format": errors.BadRequestError,
    "image_not_found": errors.BadRequestError,
    "image_download_failed": errors.BadRequestError,
    "server": errors.ServiceUnavailableError,
    "timeout": errors.APITimeoutError,
    "unmapped": errors.BadRequestError,
    "brand_new": errors.BadRequestError,
}
CODES: dict[str, tuple[int, type[errors.OpenRouterError]]] = {
    "model_not_found": (400, errors.ModelNotFoundError),
    "wrong_endpoint": (400, errors.BadRequestError),
    "no_endpoints": (404, errors.NoEndpointsError),
    "model_deprecated": (404, errors.ModelNotFoundError),
    "model_unavailable_upstream": (404, errors.NoEndpointsError),
    "capacity_exhausted": (429, errors.RateLimitError),
    "temporarily_unavailable": (503, errors.ServiceUnavailableError),
    "region_restricted": (403, errors.PermissionDeniedError),
    "privacy_restricted": (404, errors.NoEndpointsError),
    "constraint_filtered": (404, errors.NoEndpointsError),
    "free_variant_ended": (404, errors.ModelNotFoundError),
}
RETRYABLE = (
    errors.RateLimitError,
    errors.ProviderError,
    errors.ServiceUnavailableError,
    errors.APITimeoutError,
)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


PLACES = [(way, "http") for way in WAYS]
PLACES += [(way, place) for way in WAYS for place in ("body", "choice")]
PLACES += [(way, "event") for way in STREAMED]


def play(server: ScriptedServer, place: str, status: int, error: dict[str, Any]) -> None:
    error = {"code": status, "message": "It failed.", **error}
    failed = {"index": 0, "delta": {}, "message": {}, "finish_reason": "error", "error": error}
    server.play(
        {
            "http": lambda: error_answer(status, error),
            "body": lambda: json_answer({"error": error}),
            "choice": lambda: json_answer({"id": "gen-1", "choices": [failed]}),
            "event": lambda: stream_answer({**chunk(), "error": error}),
        }[place]()
    )


@pytest.mark.parametrize(("way", "place"), PLACES)
@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_every_status(
    server: ScriptedServer, way: str, place: str, status: int, kind: type[errors.OpenRouterError]
) -> None:
    play(server, place, status, {})
    error = ask(way, server).failure
    assert type(error) is kind
    assert error.status == error.status_code == status
    assert error.retryable is issubclass(kind, RETRYABLE)
    assert "It failed." in error.message


@pytest.mark.parametrize(
    ("way", "place"), [("sync", "http"), ("async", "body"), ("async stream", "event")]
)
@pytest.mark.parametrize("spot", ["metadata", "error"])
@pytest.mark.parametrize(("name", "kind"), ERROR_TYPES.items())
def test_every_error_type(
    server: ScriptedServer,
    way: str,
    place: str,
    spot: str,
    name: str,
    kind: type[errors.OpenRouterError],
) -> None:
    told = {"error_type": name}
    play(server, place, 400, {"metadata": told} if spot == "metadata" else told)
    error = ask(way, server).failure
    assert type(error) is kind
    assert error.error_type == name


@pytest.mark.parametrize(("way", "place"), PLACES)
@pytest.mark.parametrize(
    ("code", "status", "kind"), [(code, *rest) for code, rest in CODES.items()]
)
def test_every_availability_code(
    server: ScriptedServer,
    way: str,
    place: str,
    code: str,
    status: int,
    kind: type[errors.OpenRouterError],
) -> None:
    retryable = code in ("capacity_exhausted", "temporarily_unavailable")
    availability = {"code": code, "retryable": retryable, "fallback_models": ["openai/gpt-5-mini"]}
    play(server, place, status, {"availability": availability})
    error = ask(way, server).failure
    assert type(error) is kind
    assert (error.code, error.retryable) == (code, retryable)
    assert error.availability["fallback_models"] == ["openai/gpt-5-mini"]
    assert "models that would do: openai/gpt-5-mini" in error.message


@pytest.mark.parametrize("retryable", [True, False])
def test_an_unknown_code_is_retryable_if_it_says_so(
    server: ScriptedServer, retryable: bool
) -> None:
    play(server, "http", 404, {"availability": {"code": "moon_phase", "retryable": retryable}})
    assert ask("sync", server).failure.retryable is retryable


@pytest.mark.parametrize("code", ["no_endpoints", "constraint_filtered", "privacy_restricted"])
@pytest.mark.parametrize("way", WAYS)
def test_a_request_without_endpoints_names_the_preferences(
    server: ScriptedServer, way: str, code: str
) -> None:
    availability = {
        "code": code,
        "retryable": False,
        "requested_models": ["openai/gpt-5-mini"],
        "excluded_by": ["data_policy:zdr", "max_price"],
        "constraint": {"field": "max_price", "detail": "prompt > 0.1"},
        "fallback_models": ["mistralai/mistral-small"],
        "docs_url": "https://openrouter.ai/docs/errors",
    }
    play(server, "http", 404, {"message": "No endpoints found", "availability": availability})
    message = ask(way, server, zdr=True, max_price={"prompt": 0.1}).failure.message
    for named in (
        "No endpoints found",
        "openai/gpt-5-mini",
        "provider.zdr, provider.max_price",
        "max_price: prompt > 0.1",
        "zdr",
        "0.1",
        "mistralai/mistral-small",
        "https://openrouter.ai/docs/errors",
        "what to do:",
    ):
        assert named in message


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (404, "No endpoints found matching your data policy", errors.NoEndpointsError),
        (404, "No allowed providers are available", errors.NoEndpointsError),
        (400, "foo/bar is not a valid model ID", errors.ModelNotFoundError),
        (400, "This endpoint's maximum context length is 8192 tokens", errors.ContextLengthError),
    ],
)
def test_older_answers_say_it_in_words(
    server: ScriptedServer, status: int, words: str, kind: type[errors.OpenRouterError]
) -> None:
    play(server, "http", status, {"message": words})
    assert type(ask("sync", server).failure) is kind


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("named", [{"models": ["a/b"]}, {"preset": "mine"}])
def test_a_request_may_name_its_models_otherwise(
    server: ScriptedServer, way: str, named: dict[str, Any]
) -> None:
    for status, words, kind in (
        (404, "No endpoints found matching your data policy", errors.NoEndpointsError),
        (404, "nope is not a valid model ID", errors.ModelNotFoundError),
        (400, "maximum context length is 8192 tokens", errors.ContextLengthError),
    ):
        play(server, "http", status, {"message": words})
        assert type(ask(way, server, model=None, **named).failure) is kind


@pytest.mark.parametrize("way", WAYS)
def test_a_message_tells_who_and_which(server: ScriptedServer, way: str) -> None:
    metadata = {
        "provider_name": "Together",
        "raw": "CUDA out of memory",
        "previous_errors": [{"provider": "Groq", "status": 429, "code": "busy"}],
    }
    server.play(
        error_answer(
            502,
            {"code": 502, "message": "Provider returned error", "metadata": metadata},
            headers={"X-Generation-Id": "gen-7"},
            openrouter_metadata={"strategy": "direct"},
        )
    )
    error = ask(way, server).failure
    assert (error.provider, error.generation_id, error.request_id) == ("Together", "gen-7", "gen-7")
    assert error.metadata["raw"] == "CUDA out of memory"
    assert error.openrouter_metadata == {"strategy": "direct"}
    for told in (
        "model: openai/gpt-5-mini",
        "Together",
        "CUDA out of memory",
        "gen-7",
        "tried before: Groq 429 busy",
        "what to do",
    ):
        assert told in error.message


@pytest.mark.parametrize("way", WHOLE)
def test_an_error_beside_an_answer_keeps_the_answer(server: ScriptedServer, way: str) -> None:
    body = answer("Be")
    body["choices"][0]["error"] = {"code": 502, "message": "gone"}
    server.play(json_answer(body))
    error = ask(way, server).failure
    assert isinstance(error, errors.StreamInterruptedError)
    assert error.partial.text == "Be"
    assert isinstance(error.__cause__, errors.ProviderError)
    assert len(server.requests) >= 1


@pytest.mark.parametrize("way", WHOLE)
def test_an_answer_that_ends_in_an_error_is_one(server: ScriptedServer, way: str) -> None:
    body = answer("Be")
    body["choices"][0]["finish_reason"] = "error"
    server.play(json_answer(body))
    assert ask(way, server).failure.partial.text == "Be"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [404, 502, 503])
def test_a_proxy_in_front_may_answer_html(server: ScriptedServer, way: str, status: int) -> None:
    server.play(raw_answer(b"<html>Bad gateway</html>", status=status, content_type="text/html"))
    error = ask(way, server).failure
    assert type(error) is STATUSES[status]
    assert "Bad gateway" in error.message


@pytest.mark.parametrize("way", WAYS)
def test_moderation_names_the_reasons(server: ScriptedServer, way: str) -> None:
    play(server, "http", 403, {"metadata": {"reasons": ["violence"], "flagged_input": "..."}})
    assert "violence" in ask(way, server).failure.message


def test_what_is_not_found_is_only_a_model_where_one_was_asked_for(server: ScriptedServer) -> None:
    server.respond(lambda _: error_answer(404, {"code": 404, "message": "Not found"}))
    with OpenRouterClient(api_key="x", base_url=server.base_url, max_retries=0) as client:
        with pytest.raises(errors.ModelNotFoundError, match="openai/gpt-6"):
            client.model("openai/gpt-6")
        with pytest.raises(errors.BadRequestError) as listed:
            client.models()
        assert type(listed.value) is errors.BadRequestError
        with pytest.raises(errors.BadRequestError) as caught:
            client.generation("gen-unknown")
    server.respond(None)
    assert type(caught.value) is errors.BadRequestError


def all_kinds() -> list[type[errors.OpenRouterError]]:
    kinds = [errors.OpenRouterError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    return [kind for kind in kinds if kind.__module__.startswith("openrouter_routing.")]


@pytest.mark.parametrize("kind", all_kinds())
def test_none_is_a_builtin_error_that_frameworks_swallow(
    kind: type[errors.OpenRouterError],
) -> None:
    assert not issubclass(kind, (ValueError, TypeError))


def test_planning_and_catalogs_end_in_errors_of_ours_too() -> None:
    assert {RouteRequestError, CatalogError} <= set(all_kinds())
    with pytest.raises(errors.BadRequestError, match=r"^model: no models provided$") as refused:
        plan_route({}, ())
    with pytest.raises(errors.OpenRouterError, match=r"^models: ") as unread:
        Catalog.from_dict({"format": FORMAT})
    for error, field in ((refused.value, "model"), (unread.value, "models")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.field) == (type(error), str(error), field)
        assert (error.message, error.status, error.retryable) == (str(error), None, False)


def test_errors_survive_a_pickle(server: ScriptedServer) -> None:
    play(server, "http", 429, {})
    error = ask("sync", server).failure
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.status) == (type(error), str(error), 429)
    assert copy.response is None


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMED = st.dictionaries(
    st.sampled_from(
        ["code", "message", "metadata", "error_type", "http_status", "availability", "provider_name",
         "raw", "retryable", "retry_after", "excluded_by", "fallback_models", "constraint", "headers",
         "X-RateLimit-Reset", "reasons", "previous_errors"]
    ),
    JSON | st.dictionaries(st.sampled_from(["code", "raw", "retry_after", "headers", "excluded_by"]), JSON),
)  # fmt: skip


@given(NAMED, st.sampled_from([None, 200, 400, 404, 429, 503]), st.text(max_size=8))
def test_any_error_object_makes_an_error(
    error: dict[str, Any], status: int | None, wait: str
) -> None:
    made = error_from_wire(error, status=status, headers={"retry-after": wait})
    assert isinstance(made, errors.OpenRouterError)
    assert str(made)
    assert made.retry_after is None or made.retry_after >= 0


@pytest.mark.parametrize(
    ("headers", "availability", "metadata", "wait"),
    [
        ({"retry-after": "7"}, {"retry_after": 3}, {}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}, {}, 0.0),
        ({"retry-after": "soon"}, {"retry_after": 3}, {}, 3.0),
        ({}, {"retry_after": 2.5}, {"headers": {"X-RateLimit-Reset": "9"}}, 2.5),
        ({"x-ratelimit-reset": "5"}, {}, {}, 5.0),
        ({}, {}, {"headers": {"X-RateLimit-Reset": "4"}}, 4.0),
        ({"x-ratelimit-reset": "1700000000"}, {}, {}, 0.0),
        ({"x-ratelimit-reset": "1700000000000"}, {}, {}, 0.0),
        ({"retry-after": "nan"}, {"retry_after": 10**400}, {}, None),
        ({}, {}, {}, None),
    ],
)
def test_how_long_to_wait(
    headers: Any, availability: Any, metadata: Any, wait: float | None
) -> None:
    told = retry_after(headers, availability, metadata)
    assert told == wait if wait is None else told == pytest.approx(wait, abs=0.1)


def test_a_reset_in_the_future_is_counted_from_now() -> None:
    import time

    told = retry_after({"x-ratelimit-reset": str(int((time.time() + 100) * 1000))}, {}, {})
    assert told is not None
    assert 90 < told <= 100


def test_keys_are_taken_out_of_messages_and_words_are_not() -> None:
    assert redact("key sk-or-v1-0123456789 is wrong") == "key (key) is wrong"
    assert "abcdefgh123" not in redact("Authorization: Bearer abcdefgh123")
    assert (
        redact("a task-specific, disk-encrypted risk-assessment")
        == "a task-specific, disk-encrypted risk-assessment"
    )


@pytest.mark.parametrize(
    "raw",
    [
        "Invalid value: 'data policy text from the user'",
        "tools.0: model X not found in enum",
        "Your messages mention context window; invalid temperature",
    ],
)
def test_what_a_provider_quotes_decides_nothing(server: ScriptedServer, raw: str) -> None:
    play(server, "http", 400, {"message": "Provider returned error", "metadata": {"raw": raw}})
    assert type(ask("sync", server).failure) is errors.BadRequestError


def test_only_what_was_sent_is_said_to_exclude(server: ScriptedServer) -> None:
    availability = {"code": "no_endpoints", "excluded_by": ["allowed_providers", "data_policy:zdr"]}
    error = {"code": 404, "message": "No endpoints found", "availability": availability}
    server.play(error_answer(404, error), error_answer(404, error))
    assert "endpoints: provider.only, provider.zdr" in str(ask("sync", server, only=["x"]).failure)
    assert "endpoints: provider.only / provider.ignore, provider.zdr" in str(
        ask("sync", server, zdr=True).failure
    )


def test_an_address_that_is_not_the_apis_is_thought_of_first() -> None:
    with ScriptedServer() as server:
        server.respond(lambda _: error_answer(404, {"code": 404, "message": "Not found"}))
        wrong = server.base_url.removesuffix("/api/v1")
        with (
            OpenRouterClient(api_key="k", base_url=wrong, max_retries=0) as client,
            pytest.raises(
                errors.ModelNotFoundError, match=r"check base_url \(http.*ends in /api/v1"
            ),
        ):
            client.chat([{"role": "user", "content": "Hi"}], model="openai/gpt-5-mini")
        assert "check the name" in str(ask("sync", server).failure)
