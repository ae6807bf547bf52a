import json
from typing import Any

import pytest

from openrouter_routing.emulator._finding import best_sentence, evaluate, names, numbers

from .conftest import CLAUDE, LLAMA, Client

CONTEXT = """The heron stands still in shallow water. It waits for small fish.
Foxes sleep by day and hunt at night. A fox den has several exits."""


def function(name: str, description: str = "", **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


WEATHER = function("get_weather", "Look up the weather", city={"type": "string"})
CLOCK = function("get_time", "Tell the hour", city={"type": "string"})
CALCULATOR = function(
    "multiply", "Multiply two numbers", a={"type": "integer"}, b={"type": "integer"}
)
TOOLS = [WEATHER, CLOCK, CALCULATOR]


def calls(answer: Any) -> list[tuple[str, Any]]:
    message = answer["choices"][0]["message"]
    return [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls") or []
    ]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("What is 2 + 3 * 4?", "14"),
        ("What is (2+3)*4 ?", "20"),
        ("How much is 7 times 6", "42"),
        ("12 / 8", "1.5"),
        ("What is 1 / 0?", "What is 1 / 0?"),
        ("Say hello world", "hello world"),
        ('Reply with exactly "pong"', "pong"),
        ("Good morning", "Good morning"),
        ("My number is 5", "My number is 5"),
    ],
)
def test_it_answers_from_the_prompt(client: Client, prompt: str, text: str) -> None:
    assert client.text(prompt) == text


@pytest.mark.parametrize(
    "frame",
    [
        "Context information is below.\n---------------------\n{context}\n---------------------\n"
        "Given the context information and not prior knowledge, answer the query.\nQuery: {question}\nAnswer: ",
        "Answer the question from the following context:\n\n{context}\n\nQuestion: {question}\n",
        "Context: {context}\nQuestion: {question}\nAnswer:",
        "<context>\n{context}\n</context>\n\nQuestion: {question}",
    ],
)
def test_a_question_is_answered_by_the_sentence_of_the_context(client: Client, frame: str) -> None:
    prompt = frame.format(context=CONTEXT, question="When do foxes hunt?")
    assert client.text(prompt) == "Foxes sleep by day and hunt at night."
    unknown = frame.format(context=CONTEXT, question="Quantum chromodynamics?")
    assert client.text(unknown) == "I do not know."


def test_the_context_may_stand_in_the_system_message(client: Client) -> None:
    messages = [
        {
            "role": "system",
            "content": f"Use the following context to answer.\n\nContext:\n{CONTEXT}",
        },
        {"role": "user", "content": "Where does the heron stand?"},
    ]
    answer = client.say("", messages=messages)
    assert answer["choices"][0]["message"]["content"] == "The heron stands still in shallow water."


def test_a_follow_up_becomes_a_question_of_its_own(client: Client) -> None:
    prompt = (
        "Given a conversation and a follow up message, rewrite the message to be a standalone question.\n"
        "<Chat History>\nuser: Hi\n<Follow Up Message>\nWhat do foxes eat?\n<Standalone question>\n"
    )
    assert client.text(prompt) == "What do foxes eat?"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("What is the weather in Paris?", [("get_weather", {"city": "Paris"})]),
        (
            "Weather in Paris and time in Rome",
            [("get_weather", {"city": "Paris"}), ("get_time", {"city": "Rome"})],
        ),
        ("Please multiply 6 and 7", [("multiply", {"a": 6, "b": 7})]),
        ("Which hour is it in Oslo?", [("get_time", {"city": "Oslo"})]),
        ("Good morning", []),
    ],
)
def test_it_calls_the_tools_a_prompt_speaks_of(client: Client, prompt: str, expected: Any) -> None:
    answer = client.say(prompt, tools=TOOLS)
    assert calls(answer) == expected
    assert answer["choices"][0]["finish_reason"] == ("tool_calls" if expected else "stop")


def test_one_call_at_a_time_when_asked(client: Client) -> None:
    answer = client.say("Weather in Paris and time in Rome", tools=TOOLS, parallel_tool_calls=False)
    assert [name for name, _ in calls(answer)] == ["get_weather"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", []),
        ("required", ["get_weather"]),
        ({"type": "function", "function": {"name": "multiply"}}, ["multiply"]),
        ("auto", []),
    ],
)
def test_a_forced_choice_is_obeyed(client: Client, choice: object, expected: list[str]) -> None:
    answer = client.say("Good morning", tools=TOOLS, tool_choice=choice)
    assert [name for name, _ in calls(answer)] == expected


def test_an_agent_finishes(client: Client) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    turns = 0
    while True:
        turns += 1
        message = client.say("", messages=messages, tools=TOOLS, model=CLAUDE)["choices"][0][
            "message"
        ]
        messages.append(message)
        if not message.get("tool_calls"):
            break
        for call in message["tool_calls"]:
            city = json.loads(call["function"]["arguments"])["city"]
            content = f"It is sunny in {city}."
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})
    assert turns == 2
    assert messages[-1]["content"] == "It is sunny in Paris."
    follow_up = [*messages, {"role": "user", "content": "Thank you"}]
    assert (
        client.say("", messages=follow_up, tools=TOOLS)["choices"][0]["message"]["content"]
        == "Thank you"
    )


def test_a_forced_choice_after_results_calls_what_is_left_and_then_ends(client: Client) -> None:
    report = function("Report", "The final answer", text={"type": "string"})
    messages: list[Any] = [{"role": "user", "content": "Report the weather in Paris"}]
    seen = []
    for _ in range(4):
        answer = client.say(
            "",
            messages=messages,
            tools=[WEATHER, report],
            tool_choice="required",
            parallel_tool_calls=False,
        )
        message = answer["choices"][0]["message"]
        messages.append(message)
        for call in message.get("tool_calls") or []:
            seen.append(call["function"]["name"])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": "done"})
        if not message.get("tool_calls"):
            break
    assert sorted(seen) == ["Report", "get_weather"]
    assert messages[-1]["content"] == "done"


def test_structured_output_obeys_the_schema(client: Client) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "trip", "strict": True, "schema": schema},
    }
    assert json.loads(client.text("3 days in Rome", response_format=wanted)) == {
        "city": "Rome",
        "days": 3,
    }
    free = client.text(
        "Give an object with 'city' and 'days': 3 days in Rome",
        response_format={"type": "json_object"},
    )
    assert set(json.loads(free)) == {"city", "days"}
    assert json.loads(client.text("Hello", response_format={"type": "json_object"})) == {
        "answer": "Hello"
    }


@pytest.mark.parametrize(
    "frame",
    [
        "3 days in Rome\nConform to the JSON schema below.\n\nHere is the output schema:\n```\n{schema}\n```",
        "3 days in Rome\n\nHere's a JSON schema to follow:\n{schema}\n\nOutput a valid JSON object, not the schema.",
    ],
)
def test_a_schema_put_into_words_is_filled_too(client: Client, frame: str) -> None:
    properties = {"city": {"type": "string"}, "days": {"type": "integer"}}
    schema = json.dumps({"properties": properties, "required": ["city", "days"]})
    assert json.loads(client.text(frame.replace("{schema}", schema))) == {"city": "Rome", "days": 3}
    assert client.text("The schema: {broken") == "The schema: {broken"


def test_parameters_an_endpoint_does_not_know_are_ignored(client: Client) -> None:
    answer = client.say(
        "Weather in Paris", model=LLAMA, tools=TOOLS, provider={"only": ["hyperbolic"]}
    )
    assert calls(answer) == []


def test_stop_sequences_and_limits_end_an_answer(client: Client) -> None:
    def ended(**fields: Any) -> tuple[str, str, str]:
        choice = client.say(
            "One two three four", provider={"order": fields.pop("order")}, **fields
        )["choices"][0]
        return choice["message"]["content"], choice["finish_reason"], choice["native_finish_reason"]

    anthropic: Any = {"model": CLAUDE, "order": ["anthropic"]}
    assert ended(**anthropic, stop=" three") == ("One two", "stop", "stop_sequence")
    assert ended(order=["openai"], stop=["four", "two"]) == ("One ", "stop", "completed")
    assert ended(**anthropic, max_tokens=2) == ("One two", "length", "max_tokens")
    assert ended(order=["openai"], max_completion_tokens=3) == (
        "One two three",
        "length",
        "max_output_tokens",
    )
    assert ended(model="google/gemini-2.5-flash", order=["google-vertex"]) == (
        "One two three four",
        "stop",
        "STOP",
    )
    assert ended(model=LLAMA, order=["groq"]) == ("One two three four", "stop", "stop")


def test_pictures_are_drawn_and_charged(client: Client) -> None:
    answer = client.say(
        "Draw a cat", model="google/gemini-2.5-flash-image", modalities=["image", "text"]
    )
    (image,) = answer["choices"][0]["message"]["images"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert answer["usage"]["completion_tokens_details"]["image_tokens"] > 0
    assert answer["usage"]["cost"] > 0.03
    assert "images" not in client.say("Draw a cat", modalities=["image"])["choices"][0]["message"]


def test_annotations_for_the_web_and_for_files(client: Client) -> None:
    for fields in ({"model": "openai/gpt-4o-mini:online"}, {"plugins": [{"id": "web"}]}):
        (note,) = client.say("News", **fields)["choices"][0]["message"]["annotations"]
        assert note["url_citation"]["url"].startswith("https://")
    content = [
        {"type": "text", "text": "Summarise"},
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        },
    ]
    answer = client.say("", messages=[{"role": "user", "content": content}])
    (note,) = answer["choices"][0]["message"]["annotations"]
    assert (note["type"], note["file"]["name"]) == ("file", "a.pdf")


def test_own_keys_cost_nothing_here_and_the_upstream_price_is_told() -> None:
    from openrouter_routing.emulator import Emulator

    with Emulator(byok=["openai"]) as emulator:
        client = Client(emulator)
        with client.http:
            usage = client.say("Hi", provider={"order": ["openai"]})["usage"]
            other = client.say("Hi", provider={"order": ["azure"]})["usage"]
    assert (usage["is_byok"], usage["cost"]) == (True, 0)
    assert usage["cost_details"]["upstream_inference_cost"] > 0
    assert (other["is_byok"], other["cost_details"]["upstream_inference_cost"]) == (False, None)


def test_finding_things_in_a_text() -> None:
    assert numbers("a1 2.5, -3 and 1,000; v2.0.1") == [2.5, -3.0, 1000.0]
    assert names("The weather in New York. Is Ana here?") == ["New York", "Ana"]
    assert evaluate("__import__('os')") is None
    assert evaluate("9**9") is None
    assert best_sentence("", "x") is None
