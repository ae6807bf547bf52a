"""Messages on their way out: every role and block, in every shape users write, as the wire takes it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)

from langchain_openrouter_routing.errors import BadRequestError
from langchain_openrouter_routing.messages import messages_to_wire
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel

PNG, PDF, WAV = "iVBORw0KGgo=", "JVBERi0xLjQ=", "UklGRg=="
EPHEMERAL = {"type": "ephemeral"}
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
IMAGE_AT = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
FILE = {
    "type": "file",
    "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
}
AUDIO = {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}
VIDEO_AT = {"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}}

BLOCKS: list[tuple[str, Any, dict[str, Any]]] = [
    ("text", "Hi", {"type": "text", "text": "Hi"}),
    ("text block", {"type": "text", "text": "Hi"}, {"type": "text", "text": "Hi"}),
    (
        "cached text",
        {"type": "text", "text": "Hi", "cache_control": EPHEMERAL},
        {"type": "text", "text": "Hi", "cache_control": EPHEMERAL},
    ),
    (
        "v1 cached text",
        {"type": "text", "text": "Hi", "extras": {"cache_control": EPHEMERAL}},
        {"type": "text", "text": "Hi", "cache_control": EPHEMERAL},
    ),
    ("wire image", IMAGE, IMAGE),
    (
        "wire image with detail",
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
    ),
    ("image as text", {"type": "image_url", "image_url": "https://x.example/a.png"}, IMAGE_AT),
    ("v1 image", {"type": "image", "base64": PNG, "mime_type": "image/png"}, IMAGE),
    ("v1 image at", {"type": "image", "url": "https://x.example/a.png"}, IMAGE_AT),
    (
        "v0 image",
        {"type": "image", "source_type": "base64", "data": PNG, "mime_type": "image/png"},
        IMAGE,
    ),
    (
        "v0 image at",
        {"type": "image", "source_type": "url", "url": "https://x.example/a.png"},
        IMAGE_AT,
    ),
    (
        "anthropic image",
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": PNG},
            "cache_control": EPHEMERAL,
        },
        {**IMAGE, "cache_control": EPHEMERAL},
    ),
    (
        "anthropic image at",
        {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
        IMAGE_AT,
    ),
    ("wire file", FILE, FILE),
    (
        "v1 file",
        {"type": "file", "base64": PDF, "mime_type": "application/pdf", "filename": "a.pdf"},
        FILE,
    ),
    (
        "v1 file with its name in extras",
        {
            "type": "file",
            "base64": PDF,
            "mime_type": "application/pdf",
            "extras": {"filename": "a.pdf"},
        },
        FILE,
    ),
    (
        "v1 file without a name",
        {"type": "file", "base64": PDF, "mime_type": "application/pdf"},
        {
            "type": "file",
            "file": {"filename": "document.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
        },
    ),
    (
        "v1 file at",
        {"type": "file", "url": "https://x.example/a.pdf", "filename": "a.pdf"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "https://x.example/a.pdf"}},
    ),
    (
        "v1 file by id",
        {"type": "file", "file_id": "f-1"},
        {"type": "file", "file": {"file_id": "f-1"}},
    ),
    (
        "anthropic document",
        {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        },
        FILE,
    ),
    (
        "anthropic text document",
        {"type": "document", "source": {"type": "text", "data": "Bern is in Switzerland."}},
        {"type": "text", "text": "Bern is in Switzerland."},
    ),
    ("v1 plain text", {"type": "text-plain", "text": "Bern."}, {"type": "text", "text": "Bern."}),
    ("wire audio", AUDIO, AUDIO),
    ("v1 audio", {"type": "audio", "base64": WAV, "mime_type": "audio/wav"}, AUDIO),
    (
        "v1 audio of another kind",
        {"type": "audio", "base64": WAV, "mime_type": "audio/mpeg"},
        {"type": "input_audio", "input_audio": {"data": WAV, "format": "mp3"}},
    ),
    ("wire video", VIDEO_AT, VIDEO_AT),
    ("v1 video at", {"type": "video", "url": "https://x.example/a.mp4"}, VIDEO_AT),
    (
        "v1 video",
        {"type": "video", "base64": "AAAA", "mime_type": "video/webm"},
        {"type": "video_url", "video_url": {"url": "data:video/webm;base64,AAAA"}},
    ),
    (
        "non-standard",
        {"type": "non_standard", "value": {"type": "novel", "x": 1}},
        {"type": "novel", "x": 1},
    ),
    ("unknown", {"type": "novel", "x": 1}, {"type": "novel", "x": 1}),
]


@pytest.mark.parametrize(
    ("block", "part"), [case[1:] for case in BLOCKS], ids=[c[0] for c in BLOCKS]
)
@pytest.mark.parametrize("role", ["user", "system", "tool"])
def test_a_block_becomes_a_part(role: str, block: Any, part: dict[str, Any]) -> None:
    message: BaseMessage = {
        "user": lambda: HumanMessage([block]),
        "system": lambda: SystemMessage([block]),
        "tool": lambda: ToolMessage([block], tool_call_id="c-1"),
    }[role]()
    (wire,) = messages_to_wire([message])
    assert (wire["role"], wire["content"]) == (role, [part])


# Those that LangChain itself reshapes before a model sees them, on their whole way.
@pytest.mark.parametrize(
    ("block", "part"),
    [case[1:] for case in BLOCKS if case[0] not in ("non-standard", "unknown", "v1 file by id")],
    ids=[case[0] for case in BLOCKS if case[0] not in ("non-standard", "unknown", "v1 file by id")],
)
def test_a_block_reaches_the_wire(
    emulator: Emulator, make_model: MakeModel, block: Any, part: dict[str, Any]
) -> None:
    make_model(model="google/gemini-2.5-flash").invoke([HumanMessage(["Hi", block])])
    body: Any = emulator.requests[-1].json
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "audio", "url": "https://x.example/a.wav"}, "takes audio inline only"),
        ({"type": "image"}, "holds neither url nor base64"),
        ({"type": "file"}, "holds neither url nor base64"),
    ],
)
def test_a_block_without_its_media_is_refused(block: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequestError, match=text):
        messages_to_wire([HumanMessage([block])])


def test_roles_and_names() -> None:
    assert messages_to_wire(
        [
            SystemMessage("Be brief.", name="rules"),
            SystemMessage("Be kind.", additional_kwargs={"__openai_role__": "developer"}),
            HumanMessage("Hi", name="ada"),
            HumanMessage("Ho", additional_kwargs={"name": "bob"}),
            ChatMessage("Hm", role="critic"),
            FunctionMessage("3", name="add"),
            ToolMessage("3", tool_call_id="c-1", status="error", artifact={"big": 1}),
            AIMessage("Hello", name="guide"),
        ]
    ) == [
        {"role": "system", "name": "rules", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "name": "ada", "content": "Hi"},
        {"role": "user", "name": "bob", "content": "Ho"},
        {"role": "critic", "content": "Hm"},
        {"role": "function", "name": "add", "content": "3"},
        {"role": "tool", "tool_call_id": "c-1", "content": "3"},
        {"role": "assistant", "name": "guide", "content": "Hello"},
    ]
    with pytest.raises(BadRequestError, match="RemoveMessage"):
        messages_to_wire([RemoveMessage(id="x")])


def call(arguments: str = '{"city": "Zürich"}', call_id: str = "c-1") -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": "weather", "arguments": arguments},
    }


TOOL_CALL = {"name": "weather", "args": {"city": "Zürich"}, "id": "c-1", "type": "tool_call"}
TOOL_USE = {"type": "tool_use", "id": "c-1", "name": "weather", "input": {"city": "Zürich"}}

ASSISTANT: list[tuple[str, AIMessage, dict[str, Any]]] = [
    ("text", AIMessage("Hi"), {"content": "Hi"}),
    ("nothing", AIMessage(""), {"content": ""}),
    ("tool call", AIMessage("", tool_calls=[TOOL_CALL]), {"content": None, "tool_calls": [call()]}),
    (
        "empty list",
        AIMessage([], tool_calls=[TOOL_CALL]),
        {"content": None, "tool_calls": [call()]},
    ),
    (
        "anthropic tool use beside its call",
        AIMessage([{"type": "text", "text": "Hm"}, TOOL_USE], tool_calls=[TOOL_CALL]),
        {"content": "Hm", "tool_calls": [call()]},
    ),
    (
        "anthropic tool use alone",
        AIMessage([TOOL_USE]),
        {"content": None, "tool_calls": [call()]},
    ),
    (
        "broken call",
        AIMessage(
            "", invalid_tool_calls=[{"name": "weather", "args": '{"ci', "id": "c-1", "error": "x"}]
        ),
        {"content": None, "tool_calls": [call('{"invalid_arguments": "{\\"ci"}')]},
    ),
    (
        "v1 blocks",
        AIMessage(
            [
                {"type": "reasoning", "reasoning": "Swiss.", "extras": {"signature": "sig"}},
                {"type": "text", "text": "Be", "annotations": []},
                {"type": "text", "text": "rn."},
                {"type": "tool_call", "id": "c-1", "name": "weather", "args": {"city": "Zürich"}},
            ],
            tool_calls=[TOOL_CALL],
        ),
        {
            "content": "Bern.",
            "tool_calls": [call()],
            "reasoning_details": [{"type": "reasoning.text", "text": "Swiss.", "signature": "sig"}],
        },
    ),
    (
        "strings in a list",
        AIMessage(["Be", "rn."]),
        {"content": "Bern."},
    ),
    (
        "cached text",
        AIMessage([{"type": "text", "text": "Bern.", "cache_control": EPHEMERAL}]),
        {"content": [{"type": "text", "text": "Bern.", "cache_control": EPHEMERAL}]},
    ),
    (
        "anthropic thinking",
        AIMessage(
            [
                {"type": "thinking", "thinking": "Swiss.", "signature": "sig"},
                {"type": "redacted_thinking", "data": "opaque"},
                {"type": "text", "text": "Bern."},
            ]
        ),
        {
            "content": "Bern.",
            "reasoning_details": [
                {
                    "type": "reasoning.text",
                    "text": "Swiss.",
                    "signature": "sig",
                    "format": "anthropic-claude-v1",
                },
                {"type": "reasoning.encrypted", "data": "opaque", "format": "anthropic-claude-v1"},
            ],
        },
    ),
    (
        "plain reasoning",
        AIMessage("Bern.", additional_kwargs={"reasoning_content": "Swiss."}),
        {"content": "Bern.", "reasoning": "Swiss."},
    ),
    (
        "details win over plain reasoning",
        AIMessage(
            "Bern.",
            additional_kwargs={
                "reasoning_content": "Swiss.",
                "reasoning_details": [{"type": "reasoning.novel", "x": [1]}],
            },
        ),
        {"content": "Bern.", "reasoning_details": [{"type": "reasoning.novel", "x": [1]}]},
    ),
    (
        "files are replayed, citations are not",
        AIMessage(
            "Bern.",
            additional_kwargs={
                "annotations": [
                    {"type": "file", "file": {"hash": "h", "content": []}},
                    {"type": "url_citation", "url_citation": {"url": "https://x.example"}},
                ]
            },
        ),
        {
            "content": "Bern.",
            "annotations": [{"type": "file", "file": {"hash": "h", "content": []}}],
        },
    ),
    (
        "images, audio, refusal",
        AIMessage(
            "",
            additional_kwargs={
                "images": [IMAGE],
                "audio": {"id": "audio-1", "data": WAV},
                "refusal": "No.",
            },
        ),
        {"content": "", "images": [IMAGE], "audio": {"id": "audio-1"}, "refusal": "No."},
    ),
    (
        "v1 image and refusal",
        AIMessage(
            [
                {"type": "image", "base64": PNG, "mime_type": "image/png"},
                {"type": "non_standard", "value": {"type": "refusal", "refusal": "No."}},
            ]
        ),
        {"content": "", "images": [IMAGE], "refusal": "No."},
    ),
]


@pytest.mark.parametrize(
    ("message", "wire"), [c[1:] for c in ASSISTANT], ids=[c[0] for c in ASSISTANT]
)
def test_what_the_model_said_is_replayed(message: AIMessage, wire: dict[str, Any]) -> None:
    assert messages_to_wire([message]) == [{"role": "assistant", **wire}]


def test_anthropic_tool_results_become_messages_of_their_own() -> None:
    content: Any = [
        {"type": "tool_result", "tool_use_id": "c-1", "content": "Sun."},
        {
            "type": "tool_result",
            "tool_use_id": "c-2",
            "content": [{"type": "text", "text": "Rain."}],
        },
        {
            "type": "tool_result",
            "tool_use_id": "c-3",
            "content": "Snow.",
            "cache_control": EPHEMERAL,
        },
        {"type": "text", "text": "Well?"},
    ]
    assert messages_to_wire([HumanMessage(content)]) == [
        {"role": "tool", "tool_call_id": "c-1", "content": "Sun."},
        {"role": "tool", "tool_call_id": "c-2", "content": [{"type": "text", "text": "Rain."}]},
        {
            "role": "tool",
            "tool_call_id": "c-3",
            "content": [{"type": "text", "text": "Snow.", "cache_control": EPHEMERAL}],
        },
        {"role": "user", "content": [{"type": "text", "text": "Well?"}]},
    ]
    assert [m["role"] for m in messages_to_wire([HumanMessage(content[:2])])] == ["tool", "tool"]


def test_arguments_keep_their_letters(emulator: Emulator, make_model: MakeModel) -> None:
    make_model().invoke(
        [
            HumanMessage("Wetter?"),
            AIMessage("", tool_calls=[TOOL_CALL]),
            ToolMessage("Sonne.", tool_call_id="c-1"),
        ]
    )
    body: Any = emulator.requests[-1].json
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"city": "Zürich"}'


@pytest.mark.parametrize(
    "foreign",
    [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "web_search_call", "id": "ws", "status": "completed"},
        {"type": "mcp_list_tools", "id": "m", "tools": []},
        {"type": "executable_code", "executable_code": "1+1"},
        {"type": "code_execution_result", "outcome": 1},
    ],
)
def test_what_another_vendors_server_did_is_not_content(foreign: dict[str, Any]) -> None:
    (wire,) = messages_to_wire([AIMessage([foreign, {"type": "text", "text": "Bern."}])])
    assert wire == {"role": "assistant", "content": "Bern."}


def test_a_cached_tool_result_stays_cached_in_either_form() -> None:
    for content in ("Sun.", [{"type": "text", "text": "Sun."}]):
        block = {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": content,
            "cache_control": EPHEMERAL,
        }
        (wire,) = messages_to_wire([HumanMessage([block])])  # type: ignore[list-item]
        cached = {"type": "text", "text": "Sun.", "cache_control": EPHEMERAL}
        assert wire == {"role": "tool", "tool_call_id": "t", "content": [cached]}


def test_a_text_that_came_as_data_is_text() -> None:
    block = {"type": "text-plain", "base64": "QmVybi4=", "mime_type": "text/plain"}
    (wire,) = messages_to_wire([HumanMessage([block])])  # type: ignore[list-item]
    assert wire["content"] == [{"type": "text", "text": "Bern."}]
    with pytest.raises(BadRequestError, match="holds no text"):
        messages_to_wire([HumanMessage([{**block, "base64": "!"}])])  # type: ignore[list-item]


def test_reasoning_of_a_history_in_the_wires_own_form_is_sent() -> None:
    history = convert_to_messages(
        [{"role": "assistant", "content": "Bern.", "reasoning": "Swiss."}]
    )
    (wire,) = messages_to_wire(history)
    assert wire == {"role": "assistant", "content": "Bern.", "reasoning": "Swiss."}
