"""The keywords that editors complete are those that constructors and calls take.

`make types` checks this file too: where a line stops being an error for type checkers, its `type: ignore` is unused,
and that is an error.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

import langchain_openrouter_routing as lc
import langchain_openrouter_routing.keywords as lc_keywords
import llamaindex_openrouter_routing as li
import llamaindex_openrouter_routing.keywords as li_keywords
from llamaindex_openrouter_routing._fields import ALIASES, WITHOUT_EFFECT
from openrouter_routing import (
    BadRequestError,
    MaxPrice,
    OpenRouterClient,
    Percentiles,
    PreferencesError,
    ProviderPreferences,
    ProviderSort,
    RoutingPreferences,
    keywords,
    preferences_of,
    routing,
)
from openrouter_routing.operations import EMBEDDING_OPTIONS, RERANK_OPTIONS
from openrouter_routing.preferences import PROVIDER_FIELDS, ROUTING_FIELDS
from openrouter_routing.request import OPTIONS, PARAMETERS
from openrouter_routing.settings import ClientSettings

CHAT_ONLY = set(keywords.ChatPreferences.__annotations__) | {"metadata"}


def names(keywords_of: type) -> set[str]:
    return set(keywords_of.__annotations__)


@pytest.mark.parametrize(
    ("keywords_of", "taken"),
    [
        (keywords.SortFields, set(ProviderSort.model_fields)),
        (keywords.PercentileFields, set(Percentiles.model_fields)),
        (keywords.PriceFields, set(MaxPrice.model_fields)),
        (keywords.ProviderFields, set(PROVIDER_FIELDS)),
        (keywords.RoutingFields, set(ROUTING_FIELDS)),
        (keywords.PreferenceFields, {*PROVIDER_FIELDS, *ROUTING_FIELDS}),
        (keywords.ParameterFields, set(PARAMETERS)),
        (keywords.SettingsFields, set(ClientSettings.__dataclass_fields__)),
        (keywords.ChatOptions, set(OPTIONS)),
        (
            keywords.EmbeddingOptions,
            {*OPTIONS, *EMBEDDING_OPTIONS} - {*PARAMETERS} - CHAT_ONLY,
        ),
        (keywords.RerankOptions, {*OPTIONS, *RERANK_OPTIONS} - {*PARAMETERS} - CHAT_ONLY),
        (
            lc_keywords.ChatOpenRouterFields,
            {*lc.ChatOpenRouter.model_fields, *lc.ChatOpenRouter.aliases},
        ),
        (
            lc_keywords.OpenRouterEmbeddingsFields,
            {*lc.OpenRouterEmbeddings.model_fields, *lc.OpenRouterEmbeddings.aliases},
        ),
        (
            lc_keywords.OpenRouterRerankFields,
            {*lc.OpenRouterRerank.model_fields, *lc.OpenRouterRerank.aliases},
        ),
    ],
)
def test_every_name_is_there_and_no_other(keywords_of: type, taken: set[str]) -> None:
    assert names(keywords_of) == taken


@pytest.mark.parametrize(
    ("keywords_of", "component", "not_taken"),
    [
        (li_keywords.OpenRouterFields, li.OpenRouter, set()),
        (
            li_keywords.OpenRouterEmbeddingFields,
            li.OpenRouterEmbedding,
            {*PARAMETERS, *CHAT_ONLY, *WITHOUT_EFFECT, "audio_config"} - {"model"},
        ),
        (
            li_keywords.OpenRouterRerankFields,
            li.OpenRouterRerank,
            {*PARAMETERS, *CHAT_ONLY, *WITHOUT_EFFECT, "audio_config"},
        ),
    ],
)
def test_every_name_of_llamaindex_is_there(
    keywords_of: type, component: Any, not_taken: set[str]
) -> None:
    sorted_in = {*PROVIDER_FIELDS, *ROUTING_FIELDS, *PARAMETERS, *ALIASES, *WITHOUT_EFFECT}
    taken = {*component.model_fields, *sorted_in} - not_taken - {"model"}
    assert names(keywords_of) == taken


def test_what_type_checkers_take_is_taken() -> None:
    config: dict[str, Any] = {"zdr": True}
    assert ProviderPreferences(
        order=("openai",),
        sort={"by": "price"},
        max_price={"prompt": 1, "completion": "2.5"},
        preferred_max_latency={"p90": 2},
    ) == ProviderPreferences(
        order=["openai"],
        sort=ProviderSort(by="price"),
        max_price=MaxPrice(prompt=1, completion="2.5"),
        preferred_max_latency=Percentiles(p90=2),
    )
    assert RoutingPreferences(provider=config) == RoutingPreferences(provider={"zdr": True})
    with routing(RoutingPreferences(), sort="price", provider=config, policy={"zdr": True}) as held:
        assert held == preferences_of(sort="price", zdr=True)
    client = OpenRouterClient(api_key=SecretStr("k"), timeout=3, routing={"sort": "price"})
    assert "price" in client.describe(model="openai/gpt-5-mini", models=["a/b"], temperature=0)
    model = lc.ChatOpenRouter(
        model_name="openai/gpt-5-mini",
        openrouter_api_key="k",
        request_timeout=httpx.Timeout(3),
        max_price={"prompt": 1},
        reasoning={"effort": "low"},
        metadata={"team": 1},
        **config,
    )
    routed = model.with_routing(sort="latency").provider
    assert routed == {"zdr": True, "sort": "latency", "max_price": {"prompt": 1}}
    llm = li.OpenRouter("openai/gpt-5-mini", models=["a/b"], top_p=0.5, system_prompt="Be brief.")
    assert llm.with_routing(sort="price").routing == preferences_of(sort="price", models=["a/b"])


def test_what_type_checkers_refuse_is_refused() -> None:
    with pytest.raises(ValidationError, match="did you mean 'order'"):
        ProviderPreferences(oder=["openai"])  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="takes a list"):
        ProviderPreferences(order="openai")  # type: ignore[arg-type]
    with pytest.raises(PreferencesError, match="did you mean 'sort'"):
        routing(srot="price")  # type: ignore[call-arg]
    with pytest.raises(PreferencesError, match="takes True or False"):
        preferences_of(zdr="yes")  # type: ignore[arg-type]
    client = OpenRouterClient(api_key="k")
    with pytest.raises(BadRequestError, match="did you mean 'model'"):
        client.chat([], modle="a/b")  # type: ignore[call-arg]
    with pytest.raises(PreferencesError, match="does not take models"):
        client.embeddings(["a"], model="a/b", models=["a/b"])  # type: ignore[call-arg]
    with pytest.raises(BadRequestError, match="did you mean 'api_key'"):
        OpenRouterClient(apikey="k")  # type: ignore[call-arg]
    with pytest.raises(BadRequestError, match="did you mean 'model'"):
        lc.ChatOpenRouter(model="a/b", modle="a/b")  # type: ignore[call-arg]
    with pytest.raises(PreferencesError, match="did you mean 'order'"):
        lc.ChatOpenRouter(model="a/b").with_routing(oder=["openai"])  # type: ignore[call-arg]
    with pytest.raises(BadRequestError, match="did you mean 'temperature'"):
        li.OpenRouter("a/b", temprature=0)  # type: ignore[call-arg]
    with pytest.raises(PreferencesError, match="does not take models"):
        li.OpenRouterEmbedding("a/b", models=["a/b"])  # type: ignore[call-arg]
