"""What the constructor takes, what copies keep, and what no dump shows."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from llama_index.core.schema import NodeWithScore, TextNode

from llamaindex_openrouter_routing import (
    OpenRouter,
    OpenRouterEmbedding,
    OpenRouterRerank,
    RoutingPreferences,
)
from openrouter_routing import errors
from tests.scripted_server import ScriptedServer

KEY = "sk-or-v1-0123456789abcdef"
SECRET_HEADER = "second-key-of-a-gateway"


def full(**fields: Any) -> OpenRouter:
    return OpenRouter(
        "openai/gpt-5-mini",
        **{
            "api_key": KEY,
            "default_headers": {"X-Gateway-Key": SECRET_HEADER},
            "temperature": 0,
            "top_p": 0.5,
            "provider": {"order": ["openai"], "zdr": True},
            "session_id": None,
            "max_price": {"completion": "2.50"},
            "models": ["qwen/qwen3-8b"],
            "policy": {"ignore": ["azure"]},
            "timeout": httpx.Timeout(5, read=60),
            "system_prompt": "Be brief.",
            "context_window": 1000,
            **fields,
        },
    )


COPIES: dict[str, Callable[[OpenRouter], OpenRouter]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda llm: llm.model_copy(),
    "deep model_copy": lambda llm: llm.model_copy(deep=True),
    "pickle": lambda llm: pickle.loads(pickle.dumps(llm)),
    "with_routing": lambda llm: llm.with_routing(),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_send_the_same(name: str, server: ScriptedServer) -> None:
    original = full(api_base=server.base_url, user="u1")
    made = COPIES[name](original)
    assert type(made) is OpenRouter
    for llm in (original, made):
        llm.complete("Hi")
    first, second = server.requests
    assert first.body == second.body
    assert second.headers["authorization"] == f"Bearer {KEY}"
    assert second.headers["x-gateway-key"] == SECRET_HEADER
    assert made.timeout == httpx.Timeout(5, read=60)
    assert made.policy == original.policy


def test_dump_and_load_keep_everything_but_secrets(server: ScriptedServer) -> None:
    original = full(api_base=server.base_url)
    dumped = json.loads(original.to_json())
    made = OpenRouter.from_dict(dumped)
    assert made.api_key is None
    assert made.default_headers == {}
    made.api_key, made.default_headers = original.api_key, original.default_headers
    for llm in (original, made):
        llm.complete("Hi")
    assert server.requests[0].body == server.requests[1].body
    assert made.to_dict() == original.to_dict()


def test_no_dump_shows_a_secret() -> None:
    llm = full()
    shown = [
        repr(llm),
        str(llm),
        llm.to_json(),
        str(llm.to_dict()),
        llm.model_dump_json(),
        str(llm.to_payload()),
        str(llm.__dict__),
        pickle.dumps(llm).decode("latin-1"),
        pickle.dumps(llm, protocol=0).decode("latin-1"),
    ]
    for text in shown:
        assert KEY not in text
        assert SECRET_HEADER not in text


def test_own_http_clients_are_used_and_shared_by_copies(server: ScriptedServer) -> None:
    with httpx.Client(headers={"X-Mine": "yes"}) as client:
        llm = full(api_base=server.base_url, http_client=client)
        made = copy.deepcopy(llm)
        assert made.http_client is client
        made.complete("Hi")
    assert server.requests[0].headers["x-mine"] == "yes"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"modle": "x"}, "did you mean 'model'"),
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"allow_fallback": False}, "did you mean 'allow_fallbacks'"),
        ({"provider": {"ordr": ["openai"]}}, "did you mean 'order'"),
        ({"order": "openai"}, "takes a list"),
        ({"sort": "prise"}, "did you mean 'price'"),
        ({"additional_kwargs": {"temprature": 1}}, "did you mean 'temperature'"),
        ({"api_base": "localhost:80"}, "http://"),
        ({"api_base": "http://a/", "base_url": "http://b/"}, "give it once"),
        ({"timeout": 0}, "greater than 0"),
        ({"max_retries": -1}, "max_retries"),
        ({"idle_timeout": -1}, "idle_timeout"),
        ({"policy": {"order": ["openai"]}}, "policy cannot hold"),
        ({"api_key": 5}, "must be a text"),
        ({"extra_body": "x"}, "extra_body takes a dict, got str"),
        ({"default_headers": "x"}, "default_headers takes a dict"),
        ({"additional_kwargs": "x"}, "additional_kwargs takes a dict"),
        ({"policy": "zdr"}, "policy takes ProviderPreferences"),
        ({"reasoning": {"effrt": "high"}}, "did you mean 'effort'"),
        ({"reasoning": "high"}, "reasoning takes an object"),
    ],
)
def test_mistakes_are_errors_of_the_constructor(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.OpenRouterError, match=said):
        OpenRouter("openai/gpt-5-mini", **fields)


def test_callers_dicts_are_not_changed() -> None:
    additional = {"extra_body": {"provider": {"order": ["openai"]}, "new": 1}, "seed": 1}
    before = copy.deepcopy(additional)
    OpenRouter("openai/gpt-5-mini", additional_kwargs=additional, sort="price")
    assert additional == before


def test_with_routing_merges_and_keeps_the_policy() -> None:
    llm = OpenRouter(
        "openai/gpt-5-mini", zdr=True, sort="latency", policy={"only": ["openai", "azure"]}
    )
    routed = llm.with_routing(
        RoutingPreferences(models=["qwen/qwen3-8b"]), sort="price", policy={"only": ["azure"]}
    )
    assert routed.routing.to_wire() == {
        "models": ["qwen/qwen3-8b"],
        "provider": {"zdr": True, "sort": "price"},
    }
    assert routed.policy is not None
    assert routed.policy.to_wire() == {"only": ["azure"]}
    assert llm.routing.to_wire() == {"provider": {"zdr": True, "sort": "latency"}}
    embed_model = OpenRouterEmbedding("openai/text-embedding-3-small").with_routing(
        order=["openai"]
    )
    assert isinstance(embed_model, OpenRouterEmbedding)
    assert embed_model.routing.to_wire() == {"provider": {"order": ["openai"]}}


def test_dumps_differ_where_preferences_do() -> None:
    llm = OpenRouter("openai/gpt-5-mini")
    assert llm.to_dict() != llm.with_routing(sort="price").to_dict()
    assert llm.to_dict() != llm.with_routing(policy={"zdr": True}).to_dict()


def test_metadata_comes_from_the_table_and_can_be_overridden(llm: OpenRouter) -> None:
    assert llm.metadata.context_window == 400_000
    assert llm.metadata.is_function_calling_model
    assert llm.metadata.model_name == "openai/gpt-5-mini"
    assert llm.metadata.num_output == -1
    own = OpenRouter("acme/new", context_window=5, is_function_calling_model=False, max_tokens=3)
    assert (own.metadata.context_window, own.metadata.num_output) == (5, 3)
    assert not own.metadata.is_function_calling_model
    assert OpenRouter(models=["a/b"]).metadata.model_name == "a/b"
    llm.refresh_metadata()
    assert OpenRouter("acme/learned").metadata.context_window == 4321


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_it_imports_neither_the_other_framework_nor_emulator_nor_cli() -> None:
    modules = run(
        "import sys, llamaindex_openrouter_routing; print(*sorted(sys.modules), sep='\\n')"
    ).split()
    for name in modules:
        top = name.split(".")[0]
        assert not top.startswith("langchain"), name
        assert name.split(".")[:2] not in (
            ["openrouter_routing", "emulator"],
            ["openrouter_routing", "cli"],
        ), name


def test_a_missing_framework_says_what_to_install() -> None:
    said = run(
        """
import sys
sys.modules["llama_index"] = sys.modules["llama_index.core"] = None
try:
    import llamaindex_openrouter_routing
except ImportError as error:
    print(error)
"""
    )
    assert "pip install 'openrouter-routing[llamaindex]'" in said


def test_a_policy_among_additional_kwargs_is_held_too(
    connection: dict[str, Any], server: ScriptedServer
) -> None:
    llm = OpenRouter(
        "openai/gpt-5-mini",
        policy={"ignore": ["groq"]},
        additional_kwargs={"policy": {"ignore": ["azure"]}},
        **connection,
    )
    llm.complete("Hi")
    assert server.requests[-1].json["provider"] == {"ignore": ["azure", "groq"]}


@pytest.mark.parametrize(
    ("update", "sent"),
    [
        ({"order": ["azure"]}, {"provider": {"order": ["azure"], "zdr": False}}),
        ({"provider": {"sort": "price"}}, {"provider": {"zdr": False, "sort": "price"}}),
        ({"zdr": None}, {}),
        ({"models": ["a/b"]}, {"models": ["a/b"], "provider": {"zdr": False}}),
        ({"routing": {"provider": {"sort": "price"}}}, {"provider": {"sort": "price"}}),
        ({"policy": {"ignore": ["groq"]}}, {"provider": {"ignore": ["groq"], "zdr": False}}),
        ({"seed": 7}, {"seed": 7, "provider": {"zdr": False}}),
        ({"additional_kwargs": {"seed": 7}}, {"seed": 7, "provider": {"zdr": False}}),
    ],
    ids=lambda value: "+".join(value),
)
def test_a_copy_may_change_what_a_constructor_takes(
    update: dict[str, Any], sent: dict[str, Any], connection: dict[str, Any], server: ScriptedServer
) -> None:
    llm = OpenRouter("openai/gpt-5-mini", zdr=False, on_violation="ignore", top_p=1, **connection)
    top_p = {} if "additional_kwargs" in update else {"top_p": 1}
    for deep in (False, True):
        llm.model_copy(update=update, deep=deep).complete("Hi")
        body = server.requests[-1].json
        rest = {name: body[name] for name in body if name not in ("model", "messages")}
        assert rest == {**top_p, **sent}
    llm.complete("Hi")
    assert server.requests[-1].json["provider"] == {"zdr": False}


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"oder": ["azure"]}, "did you mean 'order'"),
        ({"order": "azure"}, "takes a list"),
        ({"timeout": -1}, "timeout"),
    ],
)
def test_a_copy_is_checked_as_a_constructor_is(update: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.OpenRouterError, match=says):
        full().model_copy(update=update)


def test_a_copy_keeps_its_headers_and_key() -> None:
    copied = full().model_copy(update={"sort": "price"})
    assert copied.default_headers == full().default_headers
    assert copied.api_key == full().api_key
    assert OpenRouterEmbedding("a/b").model_copy(update={"zdr": True}).routing.to_wire() == {
        "provider": {"zdr": True}
    }


@pytest.mark.parametrize("said", [{"models": ["a/b"]}, {"routing": {"models": ["x/y", "a/b"]}}])
def test_a_fallback_that_is_the_primary_model_is_found_at_once(said: dict[str, Any]) -> None:
    with pytest.raises(errors.PreferencesError, match="'a/b', which is the primary model already"):
        OpenRouter("a/b", **said)


def test_assigned_preferences_are_checked_as_constructed_ones_are() -> None:
    llm = OpenRouter("openai/gpt-4o-mini")
    llm.routing = {"sort": "price"}  # type: ignore[assignment]
    assert llm.describe() == "provider.sort  'price'  instance"
    with pytest.raises(errors.PreferencesError, match="did you mean 'order'"):
        llm.routing = {"oder": []}  # type: ignore[assignment]


def test_pickling_leaves_the_model_as_it_was(server: ScriptedServer) -> None:
    with httpx.Client() as client:
        llm = full(
            api_base=server.base_url, http_client=client, completion_to_prompt=lambda text: text
        )
        embedding = OpenRouterEmbedding("x/y", api_base=server.base_url, http_client=client)
        for model in (llm, embedding):
            loaded = pickle.loads(pickle.dumps(model))
            assert (loaded.http_client, model.http_client) == (None, client)
        assert llm.complete("Hi").text


@pytest.mark.parametrize("made", [OpenRouterEmbedding, OpenRouterRerank])
@pytest.mark.parametrize(
    "fields", [{"models": ["z/w"]}, {"session_id": "s"}, {"plugins": [{"id": "web"}]}]
)
def test_what_only_chat_can_carry_is_an_error_elsewhere(made: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(errors.PreferencesError, match=f"does not take {next(iter(fields))}"):
        made("x/y", **fields)


EVERY_CLASS = [OpenRouter, OpenRouterEmbedding, OpenRouterRerank]


@pytest.mark.parametrize("made", EVERY_CLASS)
async def test_assigned_secrets_are_sent_and_do_not_show(made: Any, server: ScriptedServer) -> None:
    model = made("x/y", api_base=server.base_url)
    model.api_key = KEY
    model.default_headers = {"X-Gateway-Key": SECRET_HEADER}
    assert SECRET_HEADER not in f"{model!r} {vars(model)} {model.to_dict()} {model.model_dump()}"
    assert KEY not in f"{model!r} {vars(model)} {model.to_dict()} {model.model_dump()}"
    model.default_headers["X-Other"] = "written past the class"
    for asked in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        server.requests.clear()
        if made is OpenRouter:
            await asked.acomplete("Hi")
        elif made is OpenRouterEmbedding:
            await asked.aget_text_embedding("Hi")
        else:
            asked.postprocess_nodes([NodeWithScore(node=TextNode(text="Hi"))], query_str="Hi")
        headers = server.requests[-1].headers
        assert headers["x-gateway-key"] == SECRET_HEADER
        assert headers["x-other"] == "written past the class"
        assert headers["authorization"] == f"Bearer {KEY}"
    model.default_headers = None
    assert model.default_headers == {}
    with pytest.raises(errors.BadRequestError, match="default_headers takes a dict"):
        model.default_headers = "X-Gateway-Key: 1"
    with pytest.raises(errors.AuthenticationError):
        model.api_key = 7


@pytest.mark.parametrize("made", EVERY_CLASS)
def test_a_dump_can_be_validated(made: Any) -> None:
    model = made("x/y", order=["openai"], max_price={"completion": "2.50"}, timeout=3)
    dumped = model.model_dump()
    assert dumped["class_name"] == made.class_name()
    for loaded in (
        made.model_validate(dumped),
        made.model_validate_json(model.model_dump_json()),
        made(**dumped),
    ):
        assert type(loaded) is made
        assert loaded.model_dump() == dumped
    with pytest.raises(errors.BadRequestError, match="class_name"):
        made.model_validate({**dumped, "class_name": "base_component"})
