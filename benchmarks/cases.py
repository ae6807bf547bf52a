"""What is measured: the rows of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One row.

    Attributes:
        name: The method of the clients that does the work; a client without it has an empty cell.
        title: What the table calls the row.
        repeat: How many units of work one round does.
        goal: How many times the floor the work may cost, where there is a floor and a goal.
        quick: Whether the row belongs to the quick subset.
        rounds: How many rounds at most.
        parts: The least that can be done of it; 0 where it is all or nothing.
    """

    name: str
    title: str
    repeat: int
    goal: float | None = None
    quick: bool = False
    rounds: int = 100
    parts: int = 1


CASES = (
    Case("invoke", "one answer, sync", 50, 1.5, quick=True),
    Case("ainvoke", "one answer, async", 50),
    Case("in_flight", "one answer with 64 in flight, async", 256, 1.8, quick=True, parts=64),
    Case("threads", "one answer in a batch over 8 threads", 96),
    Case("stream", "one streamed chunk, sync", 2000, 1.5, quick=True),
    Case("astream", "one streamed chunk, async", 2000, 1.5, quick=True),
    Case("coalesced_stream", "one streamed chunk with coalesce=True, sync", 2000, 1.0),
    Case("coalesced_astream", "one streamed chunk with coalesce=True, async", 2000, 1.0),
    Case("long_stream", "one chunk of a stream of 50,000", 50_000, rounds=2, parts=0),
    Case("single_stream", "one streamed chunk in an HTTP chunk of its own, sync", 2000),
    Case("tool_stream", "one fragment of a tool call", 1000, quick=True),
    Case("reasoning_stream", "one chunk of reasoning", 1000, quick=True),
    Case(
        "argument_stream",
        "one of 10,000 fragments of a 200 kB tool argument",
        10_000,
        rounds=1,
        parts=0,
    ),
    Case("agent", "the same in a FunctionAgent, 1,000 fragments", 1000, rounds=1, parts=0),
    Case("structured", "one structured answer", 20),
    Case("routed_invoke", "one answer with preferences of model and call", 50),
    Case("reconfigure", "one model made by configurable_fields", 100),
    Case("history", "one answer to 1,000 messages", 2, rounds=4),
    Case("image", "one answer to a 5 MB image", 1, rounds=4),
)

IMPORTS = {
    "httpx": "import httpx, pydantic",
    "core": "import openrouter_routing",
    "langchain floor": "from langchain_core.language_models import BaseChatModel",
    "langchain": (
        "from langchain_openrouter_routing import ChatOpenRouter\n"
        "ChatOpenRouter(model='openai/gpt-4o-mini', api_key='k')"
    ),
    "langchain-openrouter": (
        "from langchain_openrouter import ChatOpenRouter\n"
        "ChatOpenRouter(model='openai/gpt-4o-mini', api_key='k')"
    ),
    "langchain-openai": (
        "from langchain_openai import ChatOpenAI\n"
        "ChatOpenAI(model='openai/gpt-4o-mini', api_key='k')"
    ),
    "llamaindex floor": "from llama_index.core.llms.function_calling import FunctionCallingLLM",
    "llamaindex": (
        "from llamaindex_openrouter_routing import OpenRouter\n"
        "OpenRouter('openai/gpt-4o-mini', api_key='k')"
    ),
    "llama-index-llms-openrouter": (
        "from llama_index.llms.openrouter import OpenRouter\n"
        "OpenRouter(model='openai/gpt-4o-mini', api_key='k')"
    ),
}
"""What "import and construct" means for each client."""
