"""The model's own behaviour: what it takes, what it sends, what it tells of the answer, and how it fails."""

import asyncio
import warnings
from typing import Any

import pytest
from langchain_core import exceptions as lc
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

from langchain_openrouter_routing import ChatOpenRouter, Route, record_routes
from langchain_openrouter_routing import errors as adapter_errors
from openrouter_routing import errors as core_errors
from tests.scripted_server import (
    CLOSE,
    DONE,
    ScriptedServer,
    answer,
    chunk,
    error_answer,
    json_answer,
    stream_answer,
)

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 12,
    "total_tokens": 32,
    "cost": 0.0004,
    "is_byok": False,
    "cost_details": {"upstream_inference_cost": 0.0003},
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 3, "image_tokens": 1},
}
ROUTED = {"requested": "openai/gpt-5-mini", "strategy": "direct", "region": "iad"}
TOP = {"system_fingerprint": "fp_1", "service_tier": "default"}
WHOLE = answer(usage=USAGE, openrouter_metadata=ROUTED, **TOP)
STREAM = [
    {**chunk("Be"), **TOP},
    chunk("rn."),
    chunk("", finish_reason="stop", native_finish_reason="completed"),
    {**chunk(), "usage": USAGE, "openrouter_metadata": ROUTED},
    DONE,
]


def model(server: ScriptedServer, **fields: Any) -> ChatOpenRouter:
    fields = {"model": "openai/gpt-5-mini", "api_key": "sk-or-secret", **fields}
    return ChatOpenRouter(base_url=server.base_url, **fields)


def answer_of(llm: ChatOpenRouter, how: str, **call: Any) -> AIMessage:
    async def streamed() -> AIMessage:
        chunks = [item async for item in llm.astream("Where?", **call)]
        return merged(chunks)

    def merged(chunks: list[AIMessageChunk]) -> AIMessage:
        whole = chunks[0]
        for item in chunks[1:]:
            whole = whole + item
        return whole

    if how == "invoke":
        return llm.invoke("Where?", **call)
    if how == "ainvoke":
        return asyncio.run(llm.ainvoke("Where?", **call))
    if how == "stream":
        return merged(list(llm.stream("Where?", **call)))
    return asyncio.run(streamed())


def play(server: ScriptedServer, how: str) -> None:
    server.play(stream_answer(*STREAM) if "stream" in how else json_answer(WHOLE))


WAYS = ("invoke", "ainvoke", "stream", "astream")


@pytest.mark.parametrize("how", WAYS)
def test_every_answer_tells_the_same_of_its_route(server: ScriptedServer, how: str) -> None:
    play(server, how)
    got = answer_of(model(server, models=["openai/gpt-4o-mini"]), how)
    assert got.content == "Bern."
    assert got.response_metadata == {
        "model_name": "openai/gpt-5-mini",
        "requested_model": "openai/gpt-5-mini",
        "fallback_used": False,
        "provider": "OpenAI",
        "finish_reason": "stop",
        "native_finish_reason": "completed",
        "id": "gen-1",
        "created": 1760000000,
        "system_fingerprint": "fp_1",
        "service_tier": "default",
        "cost": 0.0004,
        "cost_details": {"upstream_inference_cost": 0.0003},
        "is_byok": False,
        "openrouter_metadata": ROUTED,
        "token_usage": USAGE,
        "model_provider": "openrouter",
    }
    assert got.usage_metadata == {
        "input_tokens": 20,
        "output_tokens": 12,
        "total_tokens": 32,
        "input_token_details": {"cache_read": 4, "cache_creation": 2, "audio": 1},
        "output_token_details": {"reasoning": 5, "audio": 3, "image": 1},
    }
    route = Route.of(got)
    assert (route.provider, route.strategy, str(route.total_cost)) == ("OpenAI", "direct", "0.0004")


def test_a_stream_has_each_key_on_one_chunk_and_the_model_on_the_first(
    server: ScriptedServer,
) -> None:
    play(server, "stream")
    first, *middle, last = list(model(server).stream("Where?"))
    assert first.response_metadata["model_name"] == "openai/gpt-5-mini"
    assert all(item.response_metadata == {"model_provider": "openrouter"} for item in middle)
    assert "model_name" not in last.response_metadata
    assert last.response_metadata["provider"] == "OpenAI"
    assert last.chunk_position == "last"
    assert [item.usage_metadata is None for item in (first, *middle, last)] == [True, True, False]


def test_a_stream_without_usage_when_asked(server: ScriptedServer) -> None:
    play(server, "stream")
    assert answer_of(model(server, stream_usage=False), "stream").usage_metadata is None


def test_a_key_the_wire_did_not_carry_is_absent(server: ScriptedServer) -> None:
    server.play(json_answer({"choices": [{"message": {"content": "Bern."}}]}))
    assert answer_of(model(server), "invoke").response_metadata == {
        "model_name": "openai/gpt-5-mini",
        "requested_model": "openai/gpt-5-mini",
        "fallback_used": False,
        "model_provider": "openrouter",
    }


def test_nothing_is_sent_that_was_not_set(server: ScriptedServer) -> None:
    play(server, "invoke")
    model(server, stop=[]).invoke("Where?")
    assert server.requests[-1].json == {
        "model": "openai/gpt-5-mini",
        "messages": [{"role": "user", "content": "Where?"}],
    }


def test_a_zero_is_sent(server: ScriptedServer) -> None:
    play(server, "invoke")
    model(server, temperature=0, allow_fallbacks=False, seed=0).invoke("Where?")
    body = server.requests[-1].json
    assert (body["temperature"], body["seed"]) == (0, 0)
    assert body["provider"] == {"allow_fallbacks": False}


def test_n_answers_are_n_generations_whose_tokens_count_once(server: ScriptedServer) -> None:
    choices = [
        {"index": place, "message": {"content": text}, "finish_reason": "stop"}
        for place, text in enumerate(("Bern.", "Berne."))
    ]
    server.play(json_answer({**WHOLE, "choices": choices}))
    (made,) = model(server, n=2).generate([[HumanMessage("Where?")]]).generations
    assert [item.text for item in made] == ["Bern.", "Berne."]
    assert [item.message.usage_metadata is None for item in made] == [False, True]  # type: ignore[attr-defined]
    assert server.requests[-1].json["n"] == 2
    with pytest.raises(adapter_errors.BadRequestError, match="a stream carries one answer"):
        list(model(server, n=2).stream("Where?"))


def test_batches_keep_their_order(server: ScriptedServer) -> None:
    server.respond(
        lambda request: json_answer(answer(request.json["messages"][0]["content"].upper()))
    )
    assert [item.content for item in model(server).batch(["a", "b", "c"])] == ["A", "B", "C"]


def test_logprobs_are_told_whole(server: ScriptedServer) -> None:
    told = {"content": [{"token": "Bern", "logprob": -0.1}], "refusal": None}
    whole = answer(usage=USAGE)
    whole["choices"][0]["logprobs"] = told
    server.play(json_answer(whole))
    assert answer_of(model(server, logprobs=True), "invoke").response_metadata["logprobs"] == told
    pieces = [chunk("Be", logprobs={"content": [{"token": "Be"}]})]
    pieces += [chunk("rn", logprobs={"content": [{"token": "rn"}]}, finish_reason="stop")]
    with ScriptedServer() as other:
        other.play(stream_answer(*pieces, DONE))
        got = answer_of(model(other), "stream")
    assert got.response_metadata["logprobs"] == {"content": [{"token": "Be"}, {"token": "rn"}]}


# Constructing


def test_other_names_of_a_field_are_taken() -> None:
    llm = ChatOpenRouter(
        model_name="a/b",
        openrouter_api_key="sk-secret",
        openrouter_api_base="http://127.0.0.1:1/v1",
        openrouter_provider={"order": ["OpenAI"]},
        request_timeout=5,
        stop_sequences=["END"],
    )
    assert (llm.model, llm.model_name, llm.timeout, llm.stop) == ("a/b", "a/b", 5, ["END"])
    assert llm.base_url == "http://127.0.0.1:1/v1"
    assert llm.provider == {"order": ["OpenAI"]}
    assert "sk-secret" not in repr(llm)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"temprature": 1}, "BadRequestError", "did you mean 'temperature'"),
        ({"model": "a/c", "model_name": "a/d"}, "BadRequestError", "given twice"),
        ({"provider": {"allow_fallback": True}}, "PreferencesError", "did you mean 'allow_fall"),
        ({"order": "together"}, "PreferencesError", "takes a list"),
        ({"sort": "prise"}, "PreferencesError", "did you mean 'price'"),
        ({"policy": {"sort": "price"}}, "PreferencesError", "a policy cannot hold"),
        ({"models": ["a/b", 3]}, "PreferencesError", "models"),
        ({"routing": {"modles": []}}, "PreferencesError", "did you mean 'models'"),
        ({"session_id": "x" * 257}, "PreferencesError", "256"),
        ({"reasoning": {"effort": "hihg"}}, "BadRequestError", "did you mean 'high'"),
        ({"base_url": "openrouter.ai/api"}, "BadRequestError", "base_url must be an address"),
    ],
)
def test_mistakes_are_told_at_construction(fields: dict[str, Any], error: str, text: str) -> None:
    kind = getattr(adapter_errors, error)
    with pytest.raises(kind, match=text) as caught:
        ChatOpenRouter(**{"model": "a/b", **fields})
    assert isinstance(caught.value, lc.ModelInvalidRequestError)
    assert isinstance(caught.value, getattr(core_errors, error))


def test_mistakes_of_a_call_are_told_before_anything_is_sent(server: ScriptedServer) -> None:
    llm = model(server)
    for call, text in (
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"provider": {"sort": "prise"}}, "did you mean 'price'"),
        ({"models": ["openai/gpt-5-mini"]}, "the primary model already"),
        ({"model": " "}, "model must be a name"),
        ({"reasoning": {"efort": "low"}}, "did you mean 'effort'"),
    ):
        with pytest.raises(adapter_errors.BadRequestError, match=text):
            llm.invoke("Where?", **call)
    with pytest.raises(adapter_errors.BadRequestError, match="messages is empty"):
        llm.invoke([])
    assert server.requests == []


def test_a_missing_key_is_told_at_the_first_call(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    llm = ChatOpenRouter(model="openai/gpt-5-mini", base_url=server.base_url)
    with pytest.raises(adapter_errors.AuthenticationError, match="OPENROUTER_API_KEY"):
        llm.invoke("Where?")
    assert server.requests == []


def test_the_environment_fills_what_was_not_set(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-from-env")
    monkeypatch.setenv("OPENROUTER_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENROUTER_SESSION_ID", "session-7")
    monkeypatch.setenv("OPENROUTER_APP_URL", "https://app.example")
    monkeypatch.setenv("OPENROUTER_APP_TITLE", "App")
    play(server, "invoke")
    llm = ChatOpenRouter(model="openai/gpt-5-mini", app_categories=["chat", "code"])
    llm.invoke("Where?")
    request = server.requests[-1]
    assert request.headers["authorization"] == "Bearer sk-from-env"
    assert request.headers["http-referer"] == "https://app.example"
    assert request.headers["x-openrouter-title"] == "App"
    assert request.headers["x-openrouter-categories"] == "chat,code"
    assert request.json["session_id"] == "session-7"
    assert "session_id  'session-7'  environment" in llm.describe()
    llm.with_routing(sort="price").invoke("Where?")
    assert server.requests[-1].json["session_id"] == "session-7"
    assert "environment" in llm.with_routing(sort="price").describe()
    llm.with_routing(session_id="mine").invoke("Where?")
    assert server.requests[-1].json["session_id"] == "mine"
    llm.invoke("Where?", session_id=None)
    assert "session_id" not in server.requests[-1].json
    ChatOpenRouter(model="openai/gpt-5-mini", session_id=None).invoke("Where?")
    assert "session_id" not in server.requests[-1].json


def test_headers_of_the_caller_are_sent_and_stay_hidden(server: ScriptedServer) -> None:
    play(server, "invoke")
    llm = model(server, default_headers={"X-Gateway-Key": "gw-secret", "X-One": "1"})
    llm.invoke("Where?", extra_headers={"x-one": "2"})
    assert server.requests[-1].headers["x-gateway-key"] == "gw-secret"
    assert server.requests[-1].headers["x-one"] == "2"
    assert "gw-secret" not in repr(llm) + str(llm._identifying_params)


def test_model_kwargs_and_extra_bodies_reach_the_wire(server: ScriptedServer) -> None:
    play(server, "invoke")
    llm = model(
        server,
        model_kwargs={"top_k": 5, "brand_new": 1},
        extra_body={"provider": {"novel": True}, "other": 2},
        sort="price",
    )
    llm.invoke("Where?", extra_body={"provider": {"newer": 1}, "other": 3})
    body = server.requests[-1].json
    assert (body["top_k"], body["brand_new"], body["other"]) == (5, 1, 3)
    assert body["provider"] == {"sort": "price", "novel": True, "newer": 1}


# Failing

FAILURES = [
    (400, {"message": "bad"}, "BadRequestError", lc.ModelInvalidRequestError, False),
    (401, {"message": "no"}, "AuthenticationError", lc.ModelAuthenticationError, False),
    (402, {"message": "pay"}, "InsufficientCreditsError", lc.ModelError, False),
    (403, {"message": "flag"}, "PermissionDeniedError", lc.ModelPermissionDeniedError, False),
    (429, {"message": "slow"}, "RateLimitError", lc.ModelRateLimitError, True),
    (502, {"message": "down"}, "ProviderError", lc.ModelAPIError, True),
    (503, {"message": "busy"}, "ServiceUnavailableError", lc.ModelAPIError, True),
    (504, {"message": "late"}, "APITimeoutError", lc.ModelTimeoutError, True),
    (
        400,
        {"message": "long", "error_type": "context_length_exceeded"},
        "ContextLengthError",
        lc.ContextOverflowError,
        False,
    ),
    (
        503,
        {"message": "none", "availability": {"code": "constraint_filtered", "retryable": False}},
        None,
        lc.ModelError,
        False,
    ),
]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(("status", "error", "name", "kind", "retryable"), FAILURES)
def test_each_failure_is_an_error_of_both_worlds(
    server: ScriptedServer,
    how: str,
    status: int,
    error: dict[str, Any],
    name: str | None,
    kind: type[lc.ModelError],
    retryable: bool,
) -> None:
    server.play(error_answer(status, {"code": status, **error}))
    with pytest.raises(kind) as caught:
        answer_of(model(server, max_retries=0), how)
    assert isinstance(caught.value, core_errors.OpenRouterError)
    assert not isinstance(caught.value, (ValueError, TypeError))
    assert caught.value.is_retryable is retryable
    assert caught.value.retryable is retryable
    if name is not None:
        assert type(caught.value) is getattr(adapter_errors, name)
        assert isinstance(caught.value, getattr(core_errors, name))
    assert "sk-or-secret" not in str(caught.value) + repr(caught.value.__dict__)


@pytest.mark.parametrize("how", ["stream", "astream"])
def test_a_stream_that_breaks_off_raises_and_keeps_what_came(
    server: ScriptedServer, how: str
) -> None:
    server.play(stream_answer(chunk("Be"), CLOSE))
    with pytest.raises(adapter_errors.StreamInterruptedError) as caught:
        answer_of(model(server, max_retries=0), how)
    assert caught.value.partial.text == "Be"
    assert isinstance(caught.value, lc.ModelAPIError)


def test_every_core_error_has_a_twin() -> None:
    kinds = [
        kind
        for kind in vars(core_errors).values()
        if isinstance(kind, type) and issubclass(kind, core_errors.OpenRouterError)
    ]
    assert len(kinds) > 15
    for kind in kinds:
        twin = getattr(adapter_errors, kind.__name__)
        assert issubclass(twin, kind)
        assert issubclass(twin, lc.ModelError)
        raised = kind.__new__(kind, "what")
        core_errors.OpenRouterError.__init__(raised, "what", retryable=True, status=499)
        converted = adapter_errors.as_langchain_error(raised)
        assert type(converted) is twin
        assert (converted.is_retryable, converted.status, str(converted)) == (True, 499, "what")
        assert adapter_errors.as_langchain_error(converted) is converted


def test_errors_tell_tracers_the_body_but_not_the_key(server: ScriptedServer) -> None:
    from langchain_core.callbacks import BaseCallbackHandler

    seen: list[Any] = []

    class Handler(BaseCallbackHandler):
        def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
            seen.append((error, kwargs["response"]))

    server.play(error_answer(402, {"code": 402, "message": "pay"}))
    with pytest.raises(lc.ModelError):
        model(server).invoke("Where?", config={"callbacks": [Handler()]})
    ((error, response),) = seen
    metadata = response.generations[0][0].message.response_metadata
    assert metadata["status_code"] == 402
    assert metadata["body"]["error"]["message"] == "pay"
    assert "sk-or-secret" not in repr(response) + repr(error)


@pytest.mark.parametrize("how", WAYS)
def test_each_way_refuses_an_excluded_provider(server: ScriptedServer, how: str) -> None:
    play(server, how)
    with pytest.raises(adapter_errors.RoutingViolation, match="OpenAI"):
        answer_of(model(server, only=["anthropic"]), how)


def test_an_answer_from_an_excluded_provider_is_refused(server: ScriptedServer) -> None:
    play(server, "invoke")
    with pytest.raises(adapter_errors.RoutingViolation) as caught:
        model(server, only=["anthropic"]).invoke("Where?")
    assert caught.value.route.provider == "OpenAI"
    assert isinstance(caught.value, lc.ModelError)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model(server, only=["anthropic"], on_violation="warn").invoke("Where?")
    assert any("OpenAI" in str(item.message) for item in told)


def test_an_abandoned_stream_is_closed_and_recorded(server: ScriptedServer) -> None:
    play(server, "stream")
    with record_routes() as log:
        stream = model(server).stream("Where?")
        next(stream)
        stream.close()
    assert [route.provider for route in log] == ["OpenAI"]


def test_a_changed_model_has_another_profile() -> None:
    llm = ChatOpenRouter(model="openai/gpt-5-mini")
    before = llm.profile
    llm.model = "anthropic/claude-sonnet-4.5"
    assert llm.profile == ChatOpenRouter(model="anthropic/claude-sonnet-4.5").profile != before
    given = ChatOpenRouter(model="openai/gpt-5-mini", profile={"max_input_tokens": 7})
    given.model = "anthropic/claude-sonnet-4.5"
    assert given.profile == {"max_input_tokens": 7}


def test_what_was_set_under_another_name_can_be_read_and_changed_under_it() -> None:
    fields: Any = {
        "openrouter_api_key": "k",
        "openrouter_provider": {"zdr": True},
        "request_timeout": 3,
    }
    llm: Any = ChatOpenRouter(model="openai/gpt-5-mini", **fields)
    assert (llm.openrouter_provider, llm.request_timeout) == ({"zdr": True}, 3)
    assert llm.openrouter_api_key.get_secret_value() == "k"
    llm.openrouter_provider = {"sort": "price"}
    assert llm.provider == {"sort": "price"}
    with pytest.raises(AttributeError, match="no_such_thing"):
        llm.no_such_thing  # noqa: B018


def test_a_token_may_be_named_by_its_number(server: ScriptedServer) -> None:
    server.play(json_answer(answer()))
    model(server, logit_bias={50256: -100}).invoke("Hi")
    assert server.requests[0].json["logit_bias"] == {"50256": -100}


def test_a_model_of_none_is_one_that_was_not_named(server: ScriptedServer) -> None:
    server.play(json_answer(answer()))
    model(server).invoke("Hi", model=None)
    assert server.requests[0].json["model"] == "openai/gpt-5-mini"
