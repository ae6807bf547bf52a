"""The main job, end to end: a LangChain chain and a LlamaIndex query engine, routed call by call.

Runs on the emulator, without a key and without a network; `--live` runs the same on OpenRouter. Change a preference in
`langchain_calls` or `query_engine_calls` and run it again: the table says where the request went instead.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openrouter_routing.recording import COLUMNS, RouteLog, record_routes, route_row
from openrouter_routing.scope import routing

if TYPE_CHECKING:
    from rich.console import Console

    from openrouter_routing.emulator import Emulator

MODEL = "moonshotai/kimi-k2-0905"
FALLBACKS = ["anthropic/claude-haiku-4.5"]
EMBEDDING_MODEL = "openai/text-embedding-3-small"
QUESTION = "What is 17 * 23? One provider of many will tell."
MODEL_SETTINGS: dict[str, Any] = {
    "max_tokens": 120,
    "provider": {"data_collection": "deny", "max_price": {"prompt": 2, "completion": 6}},
}
PINNED = {"order": ["groq", "fireworks"], "allow_fallbacks": False}
DOCUMENT_QUESTIONS = (
    "Which field admits only endpoints with zero data retention?",
    "When does a call see the preferences of a routing block?",
)

Rows = list[tuple[str, ...]]


def langchain_calls(emulator: Emulator | None) -> Iterator[tuple[str, str]]:
    """Call one chain in five ways; yields what was asked for and the answer."""
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate

    from langchain_openrouter_routing import ChatOpenRouter

    prompt = ChatPromptTemplate.from_messages([("user", "{question}")])
    model = ChatOpenRouter(model=MODEL, **MODEL_SETTINGS)
    question = {"question": QUESTION}

    chain = prompt | model | StrOutputParser()
    yield "as configured", chain.invoke(question)

    pinned = prompt | model.bind(provider=PINNED)
    yield "provider= per call", (pinned | StrOutputParser()).invoke(question)

    cheapest = prompt | model.with_routing(sort="price") | StrOutputParser()
    yield "with_routing(sort=price)", cheapest.invoke(question)

    # On the emulator all providers of the primary model are down now; OpenRouter's own we cannot switch off.
    outage = emulator.fault(model=MODEL, kind="down") if emulator else None
    fallback = prompt | model.bind(models=FALLBACKS) | StrOutputParser()
    yield "models= per call", fallback.invoke(question)
    if outage is not None:
        outage.clear()

    with routing(sort="throughput"):
        yield "streamed, in routing()", "".join(chain.stream(question))


def described() -> str:
    """Say what the second of those calls sends, and which layer said so."""
    from langchain_openrouter_routing import ChatOpenRouter

    return ChatOpenRouter(model=MODEL, **MODEL_SETTINGS).describe(provider=PINNED)


def query_engine_calls() -> Iterator[tuple[str, str]]:
    """Ask this package's own guide two questions; yields what was asked for and the answer."""
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.node_parser import MarkdownNodeParser

    from llamaindex_openrouter_routing import OpenRouter, OpenRouterEmbedding

    guide = Document(text=guide_text(), metadata={"title": "How routing preferences work"})
    nodes = MarkdownNodeParser().get_nodes_from_documents([guide])
    index = VectorStoreIndex(nodes, embed_model=OpenRouterEmbedding(model=EMBEDDING_MODEL))
    yield "embed the guide", f"{len(nodes)} sections"

    engine = index.as_query_engine(llm=OpenRouter(model=MODEL), similarity_top_k=2)
    with routing(sort="price"):
        yield "query, sort=price", str(engine.query(DOCUMENT_QUESTIONS[0]))
    with routing(zdr=True, models=FALLBACKS):
        yield "query, zdr=True", str(engine.query(DOCUMENT_QUESTIONS[1]))


def guide_text() -> str:
    """Return the guide to routing: from the checkout, or from the installed package."""
    checkout = Path(__file__).parents[2] / "docs" / "routing.md"
    if checkout.exists():
        return checkout.read_text(encoding="utf-8")
    return (resources.files("openrouter_routing.cli") / "routing.md").read_text(encoding="utf-8")


@contextmanager
def service(*, live: bool) -> Iterator[Emulator | None]:
    """Point both frameworks at the emulator, or leave them at OpenRouter; yields the emulator."""
    if live:
        yield None
        return
    from openrouter_routing.emulator import Emulator

    names = ("OPENROUTER_BASE_URL", "OPENROUTER_API_KEY", "NO_PROXY")
    before = {name: os.environ.get(name) for name in names}
    with Emulator() as emulator:
        os.environ["OPENROUTER_BASE_URL"] = emulator.base_url
        os.environ["OPENROUTER_API_KEY"] = "sk-or-demo-not-a-real-key"
        os.environ["NO_PROXY"] = "127.0.0.1,localhost"
        try:
            yield emulator
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def table(title: str, calls: Iterator[tuple[str, str]], log: RouteLog, console: Console) -> None:
    """Run the calls and print a row for each request they made, as it comes in."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for column in ("call", *COLUMNS):
        right = column in ("tokens", "cost USD")
        shown.add_column(column, justify="right" if right else "left", overflow="fold")
    answers = []
    seen = len(log)
    for call, answer in calls:
        answers.append((call, answer))
        for route in log.routes[seen:]:
            style = "yellow" if route.fallback_used else None
            shown.add_row(call, *route_row(route), style=style)
        seen = len(log)
    console.print(shown)
    for call, answer in answers:
        console.print(f"  [dim]{call}:[/dim] {' '.join(answer.split())[:160]}", highlight=False)
    console.print()


def run(*, live: bool = False) -> int:
    """Run the demo and print its tables; returns the exit code."""
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        print(
            "the demo needs more than the core: pip install 'openrouter-routing[all]'",
            file=sys.stderr,
        )
        return 1
    console = Console(width=None if sys.stdout.isatty() else 160)
    if live and not os.environ.get("OPENROUTER_API_KEY"):
        console.print("LIVE=1 talks to OpenRouter: set OPENROUTER_API_KEY first.")
        return 1
    with service(live=live) as emulator, record_routes() as log:
        where = (
            emulator.base_url
            if emulator
            else "openrouter.ai (live: this costs a fraction of a cent)"
        )
        console.print(f"Requests go to {where}\n", highlight=False)
        console.print("What the second call will send, and who said so:", highlight=False)
        console.print(f"{textwrap.indent(described(), '  ')}\n", highlight=False, markup=False)
        table(
            "LangChain: prompt | ChatOpenRouter | StrOutputParser",
            langchain_calls(emulator),
            log,
            console,
        )
        table("LlamaIndex: VectorStoreIndex query engine", query_engine_calls(), log, console)
        total = log.total_cost or Decimal(0)
        tokens = sum(route.usage.total_tokens or 0 for route in log)
        console.print(
            f"[bold]In all:[/bold] {len(log)} requests, {len(log.fallbacks)} served by a fallback model, "
            f"{len(log.by_provider())} providers, {tokens} tokens, {total:.8f} USD",
            highlight=False,
        )
    return 0


def main() -> int:
    """Read the command line of `python -m openrouter_routing.cli.demo`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--live", action="store_true", help="use OpenRouter itself; needs OPENROUTER_API_KEY"
    )
    return run(live=parser.parse_args().live)


if __name__ == "__main__":
    sys.exit(main())
