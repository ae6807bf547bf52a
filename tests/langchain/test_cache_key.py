"""LangChain's cache never mixes routes: other preferences, other key; the same ones, the same key; no secret in it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import HumanMessage

from langchain_openrouter_routing import ChatOpenRouter
from langchain_openrouter_routing.errors import PreferencesError
from openrouter_routing import ProviderPreferences, Route, RoutingPreferences, routing
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.wire_fields import METADATA, PARAMETERS, PROVIDER_FIELDS, REQUEST_FIELDS


@pytest.fixture
def cache() -> Iterator[InMemoryCache]:
    held = InMemoryCache()
    set_llm_cache(held)
    yield held
    set_llm_cache(None)


def key(llm: ChatOpenRouter, **call: Any) -> str:
    return llm._get_llm_string(**call)


def plain(**fields: Any) -> ChatOpenRouter:
    fields = {"model": "openai/gpt-5-mini", "api_key": "sk-or-v1-secret", **fields}
    return ChatOpenRouter(base_url=fields.pop("base_url", "http://127.0.0.1:9/v1"), **fields)


ROUTING = (*PROVIDER_FIELDS, *REQUEST_FIELDS)


@pytest.mark.parametrize("field", [*ROUTING, *PARAMETERS], ids=lambda field: field.label)
def test_each_field_has_a_key_of_its_own_however_it_was_said(field: Any) -> None:
    said = {field.name: field.value}
    changed = key(plain(**said))
    # Routing metadata is on by default: setting it says nothing new, but what is set counts as set.
    assert changed != key(plain())
    call = dict(said)
    stop = call.pop("stop", None)
    assert key(plain(), stop=stop, **call) == changed
    assert key(plain().model_copy(update=said)) == changed


@pytest.mark.parametrize("field", [*ROUTING, METADATA], ids=lambda field: field.label)
def test_the_same_preference_has_one_key_in_every_layer(field: Any) -> None:
    said = {field.name: field.value}
    nested = {"provider": said} if field.flat else said
    with routing(**said):
        scoped = key(plain())
    keys = {
        scoped,
        key(plain().with_routing(**said)),
        key(plain(), routing=nested),
        key(plain(routing=RoutingPreferences(**nested))),
        key(plain(routing=nested)),
    }
    assert len(keys) == 1
    assert keys != {key(plain())}


def test_different_requests_have_different_keys() -> None:
    models = [
        plain(),
        plain(model="openai/gpt-4o-mini"),
        plain(base_url="http://127.0.0.1:8/v1"),
        plain(provider={"order": ["openai", "azure"]}),
        plain(provider={"order": ["azure", "openai"]}),
        plain(policy={"zdr": True}),
        plain(policy={"only": ["azure"]}),
        plain(extra_body={"novel": 1}),
        plain(model_kwargs={"novel": 2}),
        plain(default_headers={"X-Tenant": "a"}),
        plain(default_headers={"X-Tenant": "b"}),
        plain(on_violation="ignore"),
        plain(output_version="v1"),
        plain(temperature=0),
        plain(temperature=1),
    ]
    assert len({key(llm) for llm in models}) == len(models)
    assert key(plain(), tools=[{"type": "function"}]) != key(plain())


def test_what_does_not_change_the_request_does_not_change_the_key() -> None:
    same = [
        plain(),
        plain(api_key="another"),
        plain(timeout=3, max_retries=0, idle_timeout=9),
        plain(streaming=True),
        plain(tags=["a"], metadata={"b": 1}),
        plain(app_title="App"),
        plain(stop=[]),
        plain().model_copy(),
        copy.deepcopy(plain()),
        plain(sort=None, models=None),
    ]
    assert len({key(llm) for llm in same}) == 1
    assert key(plain(), stream=True) == key(plain())


def test_a_cleared_field_has_the_key_of_one_never_set() -> None:
    assert key(plain(sort="price"), sort=None) == key(plain())
    assert key(plain(provider={"sort": "price"}), provider=None) == key(plain())


def test_a_policy_that_changes_nothing_keeps_the_key_of_the_preference() -> None:
    assert key(plain(zdr=True, policy={"zdr": True})) == key(plain(zdr=True))


def test_no_key_holds_a_secret() -> None:
    llm = plain(default_headers={"X-Key": "gw-secret", "Authorization": "Bearer hidden"})
    text = key(
        llm,
        extra_headers={"X-Other": "call-secret"},
        extra_body={"mcp": {"authorization": "body-secret"}},
        plugins=[{"id": "web", "api_key": "plugin-secret"}],
        provider={"options": {"openai": {"key": "option-secret"}}},
    )
    for secret in ("sk-or-v1-", "gw-secret", "hidden", "call-", "body-", "plugin-", "option-"):
        assert secret not in text


def test_the_key_follows_changes_after_use() -> None:
    llm = plain(provider={"sort": "price"})
    before = key(llm)
    assert llm._serialized["kwargs"]["provider"] == {"sort": "price"}
    derived = llm.with_routing(sort="latency")
    assert derived._serialized["kwargs"]["provider"] == {"sort": "latency"}
    copied = llm.model_copy(update={"provider": ProviderPreferences(sort="throughput")})
    assert len({before, key(derived), key(copied)}) == 3
    llm.provider = {"sort": "latency"}
    assert key(llm) == key(derived)
    assert llm._serialized["kwargs"]["provider"] == {"sort": "latency"}


def test_contradictions_are_told_before_the_cache_is_asked(cache: InMemoryCache) -> None:
    with pytest.raises(PreferencesError, match="policy"):
        plain(only=["openai"], policy={"only": ["azure"]}).invoke("Hi")


def test_cached_answers_are_shared_only_by_the_same_routes(
    emulator: Emulator, make_model: MakeModel, cache: InMemoryCache
) -> None:
    llm = make_model()
    first = llm.invoke("Hi")
    again = llm.invoke("Hi")
    assert len(emulator.requests) == 1
    assert again.content == first.content
    assert again.usage_metadata is not None
    assert again.usage_metadata["total_cost"] == 0  # type: ignore[typeddict-item]
    paid, free = Route.of(first), Route.of(again)
    assert paid.total_cost
    assert free.total_cost == 0
    assert (free.provider, free.generation_id) == (paid.provider, paid.generation_id)
    assert Route.of(llm.generate([[HumanMessage("Hi")]])).total_cost == 0
    azure = llm.invoke("Hi", order=["azure"])
    assert azure.response_metadata["provider"] == "Azure"
    with routing(order=["azure"]):
        assert llm.invoke("Hi").response_metadata["provider"] == "Azure"
    assert len(emulator.requests) == 2
    assert llm.with_routing(order=["azure"]).invoke("Hi").content == azure.content
    assert llm.model_copy(update={"sort": "price"}).invoke("Hi").content
    assert len(emulator.requests) == 3
