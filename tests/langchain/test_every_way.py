"""Every way a caller can say a preference reaches the wire, and survives what LangChain wraps around the model."""

from __future__ import annotations

import asyncio
import copy
import pickle
import warnings
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, dumps, load
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, Runnable
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_openrouter_routing import ChatOpenRouter
from langchain_openrouter_routing.errors import BadRequestError, PreferencesError
from openrouter_routing import ProviderPreferences, RoutingPreferences, routing
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.scripted_server import answer

WANTED = {"order": ["azure"], "allow_fallbacks": False}


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Sun over {city}."


class City(BaseModel):
    """A city."""

    name: str


def sent(emulator: Emulator, place: int = -1) -> dict[str, Any]:
    body: Any = emulator.requests[place].json
    return body


def provider_of(emulator: Emulator, place: int = -1) -> Any:
    return sent(emulator, place).get("provider")


# Saying it

SAID_AT_CONSTRUCTION: list[dict[str, Any]] = [
    {"provider": WANTED},
    {"provider": ProviderPreferences(**WANTED)},
    {"openrouter_provider": WANTED},
    dict(WANTED),
    {"routing": {"provider": WANTED}},
    {"routing": RoutingPreferences(provider=WANTED)},
    {"provider": {"order": ["azure"]}, "allow_fallbacks": False},
    {"extra_body": {"provider": WANTED}},
    {"model_kwargs": {"provider": WANTED}},
]


@pytest.mark.parametrize("fields", SAID_AT_CONSTRUCTION, ids=lambda fields: "+".join(fields))
def test_a_constructor_says_it(
    emulator: Emulator, make_model: MakeModel, fields: dict[str, Any]
) -> None:
    answer = make_model(**fields).invoke("Hi")
    assert provider_of(emulator) == WANTED
    assert answer.response_metadata["provider"] == "Azure"


@pytest.mark.parametrize("said", [{"models": ["a/b"]}, {"routing": {"models": ["x/y", "a/b"]}}])
def test_a_fallback_that_is_the_primary_model_is_found_at_once(
    make_model: MakeModel, said: dict[str, Any]
) -> None:
    with pytest.raises(PreferencesError, match="'a/b', which is the primary model already"):
        make_model(model="a/b", **said)


SAID_PER_CALL: list[dict[str, Any]] = [
    {"provider": WANTED},
    {"provider": ProviderPreferences(**WANTED)},
    {"openrouter_provider": WANTED},
    dict(WANTED),
    {"routing": {"provider": WANTED}},
    {"extra_body": {"provider": WANTED}},
]


@pytest.mark.parametrize("call", SAID_PER_CALL, ids=lambda call: "+".join(call))
def test_a_call_says_it(emulator: Emulator, make_model: MakeModel, call: dict[str, Any]) -> None:
    make_model().invoke("Hi", **call)
    assert provider_of(emulator) == WANTED


@pytest.mark.parametrize("call", SAID_PER_CALL, ids=lambda call: "+".join(call))
def test_a_binding_says_it(emulator: Emulator, make_model: MakeModel, call: dict[str, Any]) -> None:
    make_model().bind(**call).with_config(tags=["bound"]).invoke("Hi")
    assert provider_of(emulator) == WANTED


@pytest.mark.parametrize(
    "fields",
    [
        {"provider": WANTED},
        dict(WANTED),
        {"preferences": {"provider": WANTED}},
        {"preferences": RoutingPreferences(provider=WANTED)},
    ],
    ids=lambda fields: "+".join(fields),
)
def test_with_routing_says_it(
    emulator: Emulator, make_model: MakeModel, fields: dict[str, Any]
) -> None:
    fields = dict(fields)
    value = fields.pop("preferences", None)
    llm = make_model(zdr=False)
    derived = llm.with_routing(value, **fields)
    assert type(derived) is ChatOpenRouter
    derived.invoke("Hi")
    assert provider_of(emulator) == {**WANTED, "zdr": False}
    llm.invoke("Hi")
    assert provider_of(emulator) == {"zdr": False}


def test_with_routing_clears(emulator: Emulator, make_model: MakeModel) -> None:
    llm = make_model(
        zdr=False, provider={"sort": "price"}, models=["openai/gpt-4o-mini"], user="ada"
    )
    assert llm.with_routing(sort=None).provider == {"zdr": False}
    bare = llm.with_routing(provider=None, models=None)
    assert (bare.provider, bare.zdr, bare.models, bare.user) == (None, None, None, "ada")
    bare.model_copy(update={"order": ["azure"]}).invoke("Hi")
    assert provider_of(emulator) == {"order": ["azure"]}
    kept = llm.with_routing(metadata={"team": "search"}).with_routing(user=None)
    kept.invoke("Hi")
    assert sent(emulator)["metadata"] == {"team": "search"}
    assert "user" not in sent(emulator)


def test_layers_merge_field_by_field(emulator: Emulator, make_model: MakeModel) -> None:
    llm = make_model(provider={"zdr": False, "sort": "latency"}, models=["openai/gpt-4o-mini"])
    with routing(sort="throughput", allow_fallbacks=True):
        llm.invoke("Hi", provider={"sort": "price", "zdr": None})
    assert provider_of(emulator) == {"sort": "price", "allow_fallbacks": True}
    assert sent(emulator)["models"] == ["openai/gpt-4o-mini"]
    llm.invoke("Hi", models=None)
    assert "models" not in sent(emulator)


def test_a_policy_of_any_layer_holds(emulator: Emulator, make_model: MakeModel) -> None:
    llm = make_model(policy={"only": ["openai", "azure"]}).with_routing(policy={"zdr": False})
    with routing(policy={"data_collection": "deny"}):
        llm.invoke("Hi", data_collection="allow", policy={"only": ["azure"]})
    held = provider_of(emulator)
    assert held["only"] == ["azure"]
    assert held["data_collection"] == "deny"


def test_preferences_among_model_kwargs_have_the_layer_of_the_model(
    emulator: Emulator, make_model: MakeModel
) -> None:
    llm = make_model(
        model_kwargs={
            "openrouter_provider": {"zdr": False, "sort": "latency"},
            "policy": {"ignore": ["groq"]},
            "extra_body": {"top_k": 3},
            "top_a": 0.5,
        }
    )
    with routing(sort="throughput"):
        llm.invoke("Hi", policy={"ignore": ["azure"]}, extra_body={"min_p": 0.1})
    assert provider_of(emulator) == {
        "ignore": ["azure", "groq"],
        "zdr": False,
        "sort": "throughput",
    }
    assert {name: sent(emulator)[name] for name in ("top_k", "min_p", "top_a")} == {
        "top_k": 3,
        "min_p": 0.1,
        "top_a": 0.5,
    }
    with pytest.raises(BadRequestError, match="'zdr' is given twice"):
        make_model(zdr=True, model_kwargs={"zdr": False})


def test_configurable_fields_say_it(emulator: Emulator, make_model: MakeModel) -> None:
    llm = make_model(order=["openai"]).configurable_fields(
        provider=ConfigurableField(id="provider"), model_name=ConfigurableField(id="model")
    )
    llm.invoke("Hi", config={"configurable": {"provider": {"allow_fallbacks": False}}})
    assert provider_of(emulator) == {"order": ["openai"], "allow_fallbacks": False}
    chosen = llm.with_config(configurable={"model": "openai/gpt-4o-mini"})
    assert chosen.invoke("Hi").response_metadata["model_name"].startswith("openai/gpt-4o-mini")
    llm.invoke("Hi")
    assert sent(emulator)["model"] == "openai/gpt-5-mini"
    assert provider_of(emulator) == {"order": ["openai"]}


def test_configurable_alternatives_say_it(emulator: Emulator, make_model: MakeModel) -> None:
    llm = make_model().configurable_alternatives(
        ConfigurableField(id="which"), default_key="any", azure=make_model(provider=WANTED)
    )
    llm.invoke("Hi", config={"configurable": {"which": "azure"}})
    assert provider_of(emulator) == WANTED
    llm.invoke("Hi")
    assert provider_of(emulator) is None


def test_a_configured_model_gets_the_profile_of_its_name(make_model: MakeModel) -> None:
    llm = make_model().configurable_fields(model=ConfigurableField(id="model"))
    chosen: Any = llm.with_config(configurable={"model": "openai/gpt-4o-mini"})
    prepared, _ = llm._prepare(chosen.config)
    assert prepared.profile["max_input_tokens"] == 128_000
    kept = make_model(profile={"max_input_tokens": 7}).model_copy(update={"model": "a/b"})
    assert kept.profile == {"max_input_tokens": 7}


def test_middleware_says_it_in_model_settings(emulator: Emulator, make_model: MakeModel) -> None:
    class Settings(AgentMiddleware):  # type: ignore[type-arg]
        def wrap_model_call(self, request: ModelRequest, handler: Any) -> ModelResponse:
            return handler(request.override(model_settings={"provider": WANTED}))  # type: ignore[no-any-return]

    agent = create_agent(make_model(zdr=False), [weather], middleware=[Settings()])
    agent.invoke({"messages": [("user", "What is the weather in Bern?")]})
    assert len(emulator.requests) == 2
    for place in (0, 1):
        assert provider_of(emulator, place) == {**WANTED, "zdr": False}


# Surviving


def routed(make_model: MakeModel) -> ChatOpenRouter:
    return make_model(models=["openai/gpt-4o-mini"]).with_routing(provider=WANTED)


def check(emulator: Emulator) -> None:
    body = sent(emulator)
    held = {name: body["provider"][name] for name in WANTED}
    assert (held, body["models"]) == (WANTED, ["openai/gpt-4o-mini"])


def test_it_survives_bind_tools(emulator: Emulator, make_model: MakeModel) -> None:
    routed(make_model).bind_tools([weather]).invoke("What is the weather in Bern?")
    check(emulator)
    assert sent(emulator)["tools"][0]["function"]["name"] == "weather"


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_it_survives_with_structured_output(
    emulator: Emulator, make_model: MakeModel, method: Any
) -> None:
    structured = routed(make_model).with_structured_output(City, method=method)
    structured.invoke('Name a city as JSON with the key "name": "Bern"')
    check(emulator)
    assert provider_of(emulator)["require_parameters"] is True


def test_a_call_survives_with_structured_output(emulator: Emulator, make_model: MakeModel) -> None:
    structured = make_model().with_structured_output(City)
    structured.invoke('Name a city: "Bern"', provider=WANTED)
    assert provider_of(emulator) == {**WANTED, "require_parameters": True}


def test_it_survives_chains_fallbacks_and_retries(
    emulator: Emulator, make_model: MakeModel
) -> None:
    down: Any = {"error": {"code": 503, "message": "no capacity"}}
    emulator.script([down])
    prompt = ChatPromptTemplate.from_template("Say {word}")
    chain: Runnable[Any, str] = (
        prompt | routed(make_model).with_retry(stop_after_attempt=2) | StrOutputParser()
    )
    assert chain.invoke({"word": "Bern"})
    assert len(emulator.requests) == 2
    check(emulator)
    emulator.clear()
    emulator.script([down])
    backup = routed(make_model)
    make_model().with_fallbacks([backup]).invoke("Hi")
    assert provider_of(emulator, 0) is None
    check(emulator)


def test_it_survives_an_agent(emulator: Emulator, make_model: MakeModel) -> None:
    agent = create_agent(routed(make_model), [weather], response_format=City)
    done = agent.invoke({"messages": [("user", 'The weather in "Bern"?')]})
    assert len(emulator.requests) >= 2
    for place in range(len(emulator.requests)):
        assert {name: provider_of(emulator, place)[name] for name in WANTED} == WANTED
    assert done["structured_response"] == City(name="Bern")


def test_a_binding_keeps_what_was_bound(emulator: Emulator, make_model: MakeModel) -> None:
    bound = make_model().bind(provider=WANTED, seed=7).with_config(tags=["mine"])
    bound.bind_tools([weather]).invoke("Hi")
    assert (provider_of(emulator), sent(emulator)["seed"]) == (WANTED, 7)
    bound.with_routing(zdr=False).invoke("Hi")
    assert (provider_of(emulator), sent(emulator)["seed"]) == ({**WANTED, "zdr": False}, 7)
    for method in ("json_schema", "function_calling"):
        tools = bound.bind_tools([weather])
        tools.with_structured_output(City, method=method).invoke('"Bern"')  # type: ignore[attr-defined]
        assert provider_of(emulator) == {**WANTED, "require_parameters": True}
    create_agent(bound, [weather], response_format=City).invoke({"messages": [("user", '"Bern"')]})  # type: ignore[arg-type]
    assert {name: provider_of(emulator)[name] for name in WANTED} == WANTED
    assert sent(emulator)["seed"] == 7


@pytest.mark.parametrize(
    ("bound", "call", "wanted"),
    [
        ({"provider": {"zdr": False}}, {"provider": {"sort": "price"}}, {"zdr": False, "sort": "price"}),
        ({"openrouter_provider": {"zdr": False}}, {"provider": {"sort": "price"}}, {"zdr": False, "sort": "price"}),
        ({"zdr": False, "sort": "latency"}, {"provider": {"sort": "price"}}, {"zdr": False, "sort": "price"}),
        ({"routing": {"provider": {"zdr": False}}}, {"sort": "price"}, {"zdr": False, "sort": "price"}),
        ({"zdr": False, "sort": "price"}, {"zdr": None}, {"sort": "price"}),
        ({"policy": {"ignore": ["groq"]}}, {"policy": {"ignore": ["azure"]}}, {"ignore": ["azure", "groq"]}),
        ({"extra_body": {"provider": {"zdr": False}}}, {"extra_body": {"top_k": 1}}, {"zdr": False}),
    ],
)  # fmt: skip
def test_a_call_adds_to_what_was_bound(
    emulator: Emulator,
    make_model: MakeModel,
    bound: dict[str, Any],
    call: dict[str, Any],
    wanted: dict[str, Any],
) -> None:
    binding = make_model().bind(**bound)

    async def all_async() -> None:
        await binding.ainvoke("Hi", **call)
        await binding.abatch(["Hi"], **call)
        [_ async for _ in binding.astream("Hi", **call)]
        [_ async for _ in binding.astream_events("Hi", version="v2", **call)]
        [_ async for _ in binding.abatch_as_completed(["Hi"], **call)]

    binding.invoke("Hi", **call)
    binding.batch(["Hi"], **call)
    list(binding.batch_as_completed(["Hi"], **call))
    list(binding.stream("Hi", **call))
    list(binding.transform(iter(["Hi"]), **call))
    asyncio.run(all_async())
    binding.bind(**call).with_config(tags=["mine"]).invoke("Hi")
    binding.bind_tools([weather], **call).invoke("Hi")
    assert [request.json.get("provider") for request in emulator.requests] == [wanted] * 12


def test_a_binding_keeps_its_config(make_model: MakeModel) -> None:
    seen: list[Any] = []

    class Handler(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            seen.append(kwargs["tags"])

    tagged = make_model().with_config(tags=["mine"], callbacks=[Handler()])
    tagged.bind_tools([weather]).invoke("Hi")
    tagged.with_structured_output(City).invoke('"Bern"')
    assert len(seen) == 2
    assert all("mine" in tags for tags in seen)


def test_a_binding_is_dumped_as_langchains_own(make_model: MakeModel) -> None:
    dumped = dumpd(make_model().bind(sort="price"))
    assert dumped["id"][-1] == "RunnableBinding"
    assert dumped["kwargs"]["kwargs"] == {"sort": "price"}


def _loaded(llm: ChatOpenRouter) -> ChatOpenRouter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded: ChatOpenRouter = load(
            dumpd(llm),
            allowed_objects=[ChatOpenRouter],
            valid_namespaces=["langchain_openrouter_routing"],
            secrets_map={"OPENROUTER_API_KEY": "sk-or-v1-secret"},
        )
    return loaded


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda llm: pickle.loads(pickle.dumps(llm)),
    "model_copy": lambda llm: llm.model_copy(),
    "model_copy deep": lambda llm: llm.model_copy(deep=True),
    "dump and load": _loaded,
    "validate": lambda llm: ChatOpenRouter.model_validate(dict(llm)),
}


@pytest.mark.parametrize("how", COPIES)
def test_it_survives_being_copied(emulator: Emulator, make_model: MakeModel, how: str) -> None:
    llm = routed(make_model).with_routing(policy={"zdr": False}, session_id="s-7")
    llm.invoke("Hi")
    check(emulator)
    before = sent(emulator)
    duplicate = COPIES[how](llm)
    duplicate.invoke("Hi")
    assert sent(emulator) == before
    assert type(duplicate) is ChatOpenRouter


def test_copies_share_a_client_of_the_callers_own(
    emulator: Emulator, make_model: MakeModel
) -> None:
    import httpx

    with httpx.Client(headers={"X-Mine": "yes"}) as client:
        llm = make_model(http_client=client)
        copy.deepcopy(llm).invoke("Hi")
        llm.with_routing(sort="price").invoke("Hi")
    assert [request.headers.get("x-mine") for request in emulator.requests] == ["yes", "yes"]


def test_no_dump_shows_a_secret(make_model: MakeModel) -> None:
    llm = make_model(default_headers={"X-Key": "gw-secret"})
    for text in (
        dumps(llm),
        repr(llm),
        str(llm),
        str(dumpd(llm.bind(sort="price"))),
        str(llm.asdict()),
    ):
        assert "sk-or-v1-secret" not in text
        assert "gw-secret" not in text


def test_a_preference_under_two_names_in_one_call_is_an_error(
    emulator: Emulator, make_model: MakeModel
) -> None:
    model = make_model()
    with pytest.raises(BadRequestError, match="'provider' is given twice"):
        model.invoke("x", openrouter_provider={"zdr": True}, provider={"sort": "price"})
    with pytest.raises(BadRequestError, match="'model' is given twice"):
        model.invoke("x", model="openai/gpt-5", model_name="openai/gpt-5-mini")
    assert emulator.requests == []


def test_bound_headers_travel_and_stay_hidden(emulator: Emulator, make_model: MakeModel) -> None:
    bound = make_model(extra_headers={"X-First": "1"}).bind(
        extra_headers={"X-Key": "ZSECRET"}, seed=1
    )
    tools: Any = bound.bind_tools([{"name": "now", "input_schema": {"type": "object"}}])
    for runnable in (bound, tools, bound.with_config(tags=["a"])):
        assert "ZSECRET" not in repr(runnable)
        assert "ZSECRET" not in dumps(runnable)
        assert "ZSECRET" not in str(runnable.model_dump())
        runnable.invoke("x")
        assert emulator.requests[-1].headers["x-key"] == "ZSECRET"
        assert emulator.requests[-1].headers["x-first"] == "1"
    bound.invoke("x", extra_headers={"X-Key": "other"})
    assert emulator.requests[-1].headers["x-key"] == "other"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"tools": ["x"]}, "'x' is no tool and no schema"),
        ({"tools": 5}, "tools takes a list"),
        ({"extra_body": "abc"}, "extra_body takes a dict"),
        ({"extra_headers": "abc"}, "extra_headers takes a mapping"),
    ],
)
def test_mistakes_of_a_call_are_errors_of_ours(
    make_model: MakeModel, call: dict[str, Any], says: str
) -> None:
    for ask in (make_model().invoke, lambda text, **said: make_model().bind(**said).invoke(text)):
        with pytest.raises(BadRequestError, match=says):
            ask("x", **call)


def test_a_new_kind_of_tool_is_handed_on(emulator: Emulator, make_model: MakeModel) -> None:
    emulator.script([answer("Bern.")])
    make_model().invoke("x", tools=[{"google_search": {}}])
    assert emulator.requests[0].json["tools"] == [{"google_search": {}}]


def test_policies_that_leave_nobody_say_so(make_model: MakeModel) -> None:
    bound = make_model().bind(policy={"only": ["openai"]})
    with pytest.raises(PreferencesError, match=r"one policy allows .'openai'., the other .'groq'."):
        bound.invoke("x", policy={"only": ["groq"]})


@pytest.mark.parametrize("said", [True, False])
def test_a_bound_requirement_is_no_argument_of_a_method(
    emulator: Emulator, make_model: MakeModel, said: bool
) -> None:
    """`bind_tools` and `with_structured_output` have a `require_parameters` of their own, which only switches on."""
    model: Any = make_model(require_parameters=not said).bind(require_parameters=said)
    model.bind_tools([weather]).invoke("Hi")
    assert provider_of(emulator) == {"require_parameters": said}
    model.with_structured_output(City).invoke('"Bern"')
    assert provider_of(emulator) == {"require_parameters": said}
    plain: Any = make_model().bind(seed=1)
    plain.with_structured_output(City, require_parameters=False).invoke('"Bern"')
    assert provider_of(emulator) is None


def test_a_bound_model_is_the_one_that_is_asked_for_a_structure(
    emulator: Emulator, make_model: MakeModel
) -> None:
    structured: Any = make_model().bind(model="anthropic/claude-haiku-4.5", top_k=3)
    structured.with_structured_output(City).invoke('"Bern"')
    assert sent(emulator)["model"] == "anthropic/claude-haiku-4.5"
    assert sent(emulator)["top_k"] == 3


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
async def test_a_call_survives_structured_output_with_the_raw_answer(
    emulator: Emulator, make_model: MakeModel, method: Any
) -> None:
    model: Any = make_model().with_structured_output(City, method=method, include_raw=True)
    wanted = {"require_parameters": True, "zdr": True}
    model.invoke('"Bern"', zdr=True)
    await model.ainvoke('"Bern"', zdr=True)
    model.batch(['"Bern"'], zdr=True)
    model.bind(zdr=True).invoke('"Bern"')
    pieces = list(model.stream('"Bern"', zdr=True))
    assert pieces[-1]["parsing_error"] is None
    async for piece in model.astream('"Bern"', zdr=True):
        assert piece.keys() <= {"raw", "parsed", "parsing_error"}
    assert [provider_of(emulator, place) for place in range(6)] == [wanted] * 6
    with pytest.raises(BadRequestError, match="did you mean 'zdr'"):
        model.invoke('"Bern"', zrd=True)
