"""Tools and structured output: what is sent, what comes back, and what is refused with the raw answer kept."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, tool
from pydantic import BaseModel, Field

from langchain_openrouter_routing import ChatOpenRouter, StructuredOutputError
from langchain_openrouter_routing.errors import BadRequestError
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel
from tests.scripted_server import answer

PROMPT = 'The city "Bern" has 134000 people.'


class City(BaseModel):
    """A city."""

    name: str = Field(description="Its name")
    people: int = 0


class CityDict(TypedDict):
    """A city."""

    name: str
    people: int


SCHEMAS: dict[str, Any] = {
    "pydantic": City,
    "typed dict": CityDict,
    "json schema": City.model_json_schema(),
    "json schema without a title": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
        "required": ["name", "people"],
    },
    "openai function": {"name": "city", "parameters": City.model_json_schema()},
    "named schema": {"name": "a city!", "schema": City.model_json_schema(), "strict": True},
}


def sent(emulator: Emulator) -> dict[str, Any]:
    body: Any = emulator.requests[-1].json
    return body


@pytest.mark.parametrize(
    ("schema", "method"),
    [
        (schema, method)
        for schema in SCHEMAS
        for method in ("json_schema", "function_calling")
        # The response format's own shape names no function.
        if (schema, method) != ("named schema", "function_calling")
    ],
)
def test_each_schema_comes_back_in_its_own_shape(
    emulator: Emulator, make_model: MakeModel, schema: str, method: Any
) -> None:
    structured = make_model().with_structured_output(SCHEMAS[schema], method=method)
    got: Any = structured.invoke(PROMPT)
    assert isinstance(got, City) if schema == "pydantic" else isinstance(got, dict)
    name = got.name if isinstance(got, City) else got["name"]
    assert name == "Bern"
    body = sent(emulator)
    assert body["provider"] == {"require_parameters": True}
    if method == "json_schema":
        described = body["response_format"]["json_schema"]
        assert described["name"].replace("_", "").isalnum()
        assert "name" in described["schema"]["properties"]
        assert described.get("strict") is (True if schema == "named schema" else None)
    else:
        name = body["tools"][0]["function"]["name"]
        assert body["tool_choice"] == {"type": "function", "function": {"name": name}}


def test_json_mode_needs_no_schema(emulator: Emulator, make_model: MakeModel) -> None:
    emulator.script([answer('```json\n{"name": "Bern"}\n```')])
    got: Any = make_model().with_structured_output(method="json_mode").invoke(PROMPT)
    assert got == {"name": "Bern"}
    assert sent(emulator)["response_format"] == {"type": "json_object"}


def test_strict_is_sent_where_asked_for(emulator: Emulator, make_model: MakeModel) -> None:
    make_model().with_structured_output(City, strict=True).invoke(PROMPT)
    described = sent(emulator)["response_format"]["json_schema"]
    assert described["strict"] is True
    assert described["schema"]["additionalProperties"] is False


def test_wishes_that_make_no_sense_are_refused(make_model: MakeModel) -> None:
    llm = make_model()
    for wish, text in (
        ({"schema": None}, "needs a schema"),
        ({"schema": City, "method": "yaml"}, "unknown method 'yaml'"),
        ({"schema": City, "method": "json_mode", "strict": True}, "strict does nothing"),
    ):
        with pytest.raises(BadRequestError, match=text):
            llm.with_structured_output(**wish)


def test_required_parameters_show_and_can_be_switched_off(
    emulator: Emulator, make_model: MakeModel
) -> None:
    llm = make_model()
    structured: Any = llm.with_structured_output(City)
    bound: Any = structured.first
    assert "provider.require_parameters  True" in bound.bound.describe()
    for switched_off in (
        llm.with_structured_output(City, require_parameters=False),
        llm.with_structured_output(City, method="function_calling", require_parameters=False),
    ):
        switched_off.invoke(PROMPT)
        assert "provider" not in sent(emulator)
    make_model(require_parameters=False).with_structured_output(City).invoke(PROMPT)
    assert sent(emulator)["provider"] == {"require_parameters": False}
    llm.with_structured_output(City).invoke(PROMPT, require_parameters=False)
    assert sent(emulator)["provider"] == {"require_parameters": False}


def cut_off(**message: Any) -> dict[str, Any]:
    body = answer()
    body["choices"][0].update(finish_reason="length", message={"role": "assistant", **message})
    return body


CUT = cut_off(content='{"name": "Be')
REFUSED = {
    **answer(),
    "choices": [{"message": {"content": None, "refusal": "I will not."}, "finish_reason": "stop"}],
}


@pytest.mark.parametrize("streamed", [False, True], ids=["invoke", "stream"])
@pytest.mark.parametrize(("body", "reason"), [(CUT, "length"), (REFUSED, "refusal")])
def test_an_incomplete_answer_is_refused_and_kept(
    emulator: Emulator, make_model: MakeModel, body: Any, reason: str, streamed: bool
) -> None:
    structured = make_model().with_structured_output(City)
    emulator.script([body])
    with pytest.raises(OutputParserException) as caught:
        list(structured.stream(PROMPT)) if streamed else structured.invoke(PROMPT)
    if isinstance(caught.value, StructuredOutputError):
        assert caught.value.reason == reason
        assert isinstance(caught.value.raw, AIMessage)
        assert caught.value.raw.response_metadata["provider"] == "OpenAI"
    else:
        assert streamed


def test_a_missing_or_broken_call_is_refused(emulator: Emulator, make_model: MakeModel) -> None:
    structured = make_model().with_structured_output(City, method="function_calling")
    emulator.script([answer("I would rather talk.")])
    with pytest.raises(StructuredOutputError, match="called no tool") as caught:
        structured.invoke(PROMPT)
    assert caught.value.reason == "no_tool_call"
    broken = {"id": "c", "type": "function", "function": {"name": "City", "arguments": "{x"}}
    body = answer(None)
    body["choices"][0]["message"]["tool_calls"] = [broken]
    emulator.script([body])
    with pytest.raises(StructuredOutputError, match="cannot be read") as caught:
        structured.invoke(PROMPT)
    assert caught.value.raw.invalid_tool_calls[0]["args"] == "{x"


@pytest.mark.parametrize("body", [CUT, REFUSED, answer("no json")], ids=["cut", "refused", "text"])
async def test_include_raw_never_raises(
    emulator: Emulator, make_model: MakeModel, body: Any
) -> None:
    structured = make_model().with_structured_output(City, include_raw=True)
    emulator.script([body, body])
    for got in (structured.invoke(PROMPT), await structured.ainvoke(PROMPT)):
        assert isinstance(got, dict)
        assert got["parsed"] is None
        assert isinstance(got["parsing_error"], OutputParserException)
        assert got["raw"].response_metadata["model_name"] == "openai/gpt-5-mini"
    whole: Any = structured.invoke(PROMPT)
    assert (whole["parsed"].name, whole["parsing_error"]) == ("Bern", None)


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"Sun over {city}."


NAMED = [{"type": "function", "function": {"name": "weather"}}]
ALLOWED: list[tuple[Any, bool]] = [
    ({"type": "allowed_tools", "mode": "auto", "tools": NAMED}, False),
    ({"type": "allowed_tools", "mode": "required", "tools": NAMED}, True),
    ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": NAMED}}, False),
]

CHOICES: list[tuple[Any, Any, bool]] = [
    (None, None, False),
    (False, None, False),
    ("auto", "auto", False),
    ("none", "none", False),
    ("any", "required", True),
    (True, "required", True),
    ("required", "required", True),
    ("weather", {"type": "function", "function": {"name": "weather"}}, True),
    (
        {"type": "function", "function": {"name": "weather"}},
        {"type": "function", "function": {"name": "weather"}},
        True,
    ),
    (
        {"type": "tool", "name": "weather"},
        {"type": "function", "function": {"name": "weather"}},
        True,
    ),
    ({"type": "any"}, "required", True),
    ({"type": "auto"}, "auto", False),
    (weather, {"type": "function", "function": {"name": "weather"}}, True),
    *((allowed, allowed, forced) for allowed, forced in ALLOWED),
]


@pytest.mark.parametrize(
    ("choice", "wire", "forced"), CHOICES, ids=lambda told: getattr(told, "name", str(told))
)
def test_a_tool_choice_reaches_the_wire(
    emulator: Emulator, make_model: MakeModel, choice: Any, wire: Any, forced: bool
) -> None:
    make_model().bind_tools([weather], tool_choice=choice).invoke("Hello")
    body = sent(emulator)
    assert body.get("tool_choice") == wire
    assert body.get("provider") == ({"require_parameters": True} if forced else None)
    make_model().bind_tools([weather], tool_choice=choice, require_parameters=False).invoke("Hello")
    assert "provider" not in sent(emulator)


def test_a_choice_of_no_tool_is_refused(make_model: MakeModel) -> None:
    for ask in (
        lambda: make_model().bind_tools([weather], tool_choice="wether"),
        lambda: make_model().invoke("x", tools=[weather], tool_choice="wether"),
    ):
        with pytest.raises(BadRequestError, match="names no tool; there are \\['weather'\\]"):
            ask()


@pytest.mark.parametrize(
    ("choice", "wire", "forced"), CHOICES, ids=lambda told: getattr(told, "name", str(told))
)
def test_a_tool_choice_of_a_call_is_converted_too(
    emulator: Emulator, make_model: MakeModel, choice: Any, wire: Any, forced: bool
) -> None:
    make_model().bind(tools=[weather], tool_choice=choice).invoke("x")
    make_model().bind(tools=[weather]).invoke("x", tool_choice=choice)
    make_model().invoke("x", tools=[weather], tool_choice=choice)
    assert [request.json.get("tool_choice") for request in emulator.requests] == [wire] * 3


def test_no_tools_are_not_sent(emulator: Emulator, make_model: MakeModel) -> None:
    make_model().bind_tools([], response_format={"type": "json_object"}).invoke(PROMPT)
    assert "tools" not in sent(emulator)
    assert sent(emulator)["response_format"] == {"type": "json_object"}


def test_tools_of_every_shape(emulator: Emulator, make_model: MakeModel) -> None:
    anthropic = {
        "name": "news",
        "description": "Tell the news.",
        "input_schema": {"type": "object", "properties": {}},
        "cache_control": {"type": "ephemeral"},
    }
    server = {"type": "openrouter:web_search", "parameters": {"max_results": 3}}
    bound: Any = make_model().bind_tools(
        [weather, City, anthropic, server], parallel_tool_calls=False
    )
    wire = bound.kwargs["tools"]
    assert [item.get("function", {}).get("name") for item in wire] == [
        "weather",
        "City",
        "news",
        None,
    ]
    assert wire[2]["cache_control"] == {"type": "ephemeral"}
    assert wire[3] == server
    assert bound.kwargs["parallel_tool_calls"] is False
    strict: Any = make_model().bind_tools([weather], strict=True)
    assert strict.kwargs["tools"][0]["function"]["strict"] is True


def test_a_stream_builds_the_structure_up(make_model: MakeModel) -> None:
    steps = list(make_model().with_structured_output(CityDict).stream(PROMPT))
    assert len(steps) > 1
    assert steps[-1] == {"name": "Bern", "people": 134000}


def test_the_model_stays_as_it_was(make_model: MakeModel) -> None:
    llm = make_model()
    before = llm.model_dump()
    llm.with_structured_output(City)
    llm.bind_tools([weather], tool_choice="any")
    assert llm.model_dump() == before
    assert isinstance(llm, ChatOpenRouter)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("openai/gpt-5-mini", "response_format"),
        ("somebody/unheard-of", "response_format"),
        ("meta-llama/llama-3.3-70b-instruct:free", "tools"),
    ],
)
def test_the_method_is_one_the_model_has(
    emulator: Emulator, make_model: MakeModel, model: str, method: str
) -> None:
    structured: Any = make_model(model=model, profile=PROFILES.get(model)).with_structured_output(
        City
    )
    bound = structured.first.kwargs
    assert {"tools", "response_format"} & bound.keys() == {method}


PROFILES: Any = {"meta-llama/llama-3.3-70b-instruct:free": {"structured_output": False}}


def test_a_schema_in_the_wires_form_is_taken_by_every_method(
    emulator: Emulator, make_model: MakeModel
) -> None:
    schema = {
        "name": "city",
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        },
    }
    make_model().with_structured_output(schema, method="function_calling").invoke('"Bern"')
    function = emulator.requests[-1].json["tools"][0]["function"]
    assert function["name"] == "city"
    assert function["parameters"]["required"] == ["name"]


class Secretive(BaseTool):
    """A tool with a field that is nobody's business."""

    name: str = "secretive"
    description: str = "Do it."
    token: str = ""

    def _run(self, city: str) -> str:
        return city


def test_tools_of_a_call_are_sent_as_tools(emulator: Emulator, make_model: MakeModel) -> None:
    tool = Secretive(token="TOOLSECRET")
    make_model().invoke("x", tools=[tool])
    make_model().bind(tools=[tool, weather]).invoke("x")
    for request in emulator.requests:
        assert "TOOLSECRET" not in str(request.json)
        assert request.json["tools"][0]["function"]["name"] == "secretive"


def test_a_tools_own_cache_control_is_sent(emulator: Emulator, make_model: MakeModel) -> None:
    tool = weather.model_copy(update={"extras": {"cache_control": {"type": "ephemeral"}}})
    make_model().bind_tools([tool]).invoke("x")
    assert emulator.requests[0].json["tools"][0]["cache_control"] == {"type": "ephemeral"}


def test_bound_tools_give_way_to_the_schemas_own(emulator: Emulator, make_model: MakeModel) -> None:
    model = make_model(profile={"structured_output": False})
    bound: Any = model.bind_tools([weather], tool_choice="any")
    assert bound.with_structured_output(City).invoke(PROMPT).name == "Bern"
    (offered,) = sent(emulator)["tools"]
    assert offered["function"]["name"] == "City"


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("function_calling", {"tools": [weather]}),
        ("function_calling", {"tool_choice": "any"}),
        ("json_schema", {"response_format": {"type": "json_object"}}),
        ("json_mode", {"response_format": {"type": "json_object"}}),
    ],
)
def test_what_the_schema_becomes_is_not_given_too(
    make_model: MakeModel, method: Any, given: Any
) -> None:
    (name,) = given
    with pytest.raises(BadRequestError, match=f"makes {name} from the schema itself"):
        make_model().with_structured_output(City, method=method, **given)


ANTHROPIC_TOOL = {"name": "news", "input_schema": {"type": "object", "properties": {}}}


def test_strict_of_anthropics_form_is_kept(emulator: Emulator, make_model: MakeModel) -> None:
    make_model().bind_tools([{**ANTHROPIC_TOOL, "strict": True}]).invoke("x")
    assert sent(emulator)["tools"][0]["function"]["strict"] is True


@pytest.mark.parametrize("kind", ["auto", "any", "tool"])
def test_a_choice_of_anthropics_form_can_forbid_parallel_calls(
    emulator: Emulator, make_model: MakeModel, kind: str
) -> None:
    choice = {"type": kind, "name": "news", "disable_parallel_tool_use": True}
    make_model().bind_tools([ANTHROPIC_TOOL], tool_choice=choice).invoke("x")
    make_model().invoke("x", tools=[ANTHROPIC_TOOL], tool_choice=choice)
    make_model(parallel_tool_calls=True).invoke("x", tools=[ANTHROPIC_TOOL], tool_choice=choice)
    assert [request.json["parallel_tool_calls"] for request in emulator.requests] == [False] * 3
    allowing = {**choice, "disable_parallel_tool_use": False}
    make_model().bind_tools([ANTHROPIC_TOOL], tool_choice=allowing).invoke("x")
    assert "parallel_tool_calls" not in sent(emulator)
    make_model().bind_tools([], tool_choice=choice).invoke("x")
    assert "parallel_tool_calls" not in sent(emulator)
