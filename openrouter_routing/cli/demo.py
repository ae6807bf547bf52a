"""The main job, end to end: a LangChain chain and a LlamaIndex query engine, routed call by call.

Runs on the emulator, without a key and without a network; `--live` runs the same on OpenRouter. Change a preference in
`langchain_calls` or `query_engine_calls` and run it again: the table says where the request went instead.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openrouter_routing._figures import exact_dollars
from openrouter_routing._log_view import COLUMNS, route_cells
from openrouter_routing._tables import Column, DataTable
from openrouter_routing.errors import OpenRouterError
from openrouter_routing.recording import RouteLog, record_routes
from openrouter_routing.scope import routing

if TYPE_CHECKING:
    from rich.console import Console

    from openrouter_routing.emulator import Emulator

MODEL = "moonshotai/kimi-k2-0905"
FALLBACKS = ["anthropic/claude-haiku-4.5"]
EMBEDDING_MODEL = "openai/text-embedding-3-small"
QUESTION = "What is 17 * 23?"
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


def refusals(emulator: Emulator) -> Iterator[tuple[str, OpenRouterError]]:
    """Ask for what cannot be had, or breaks off; yields what was asked for and the error that says so."""
    from langchain_openrouter_routing import ChatOpenRouter

    model = ChatOpenRouter(model=MODEL, max_retries=0, **MODEL_SETTINGS)
    mistakes: dict[str, dict[str, Any]] = {
        "a name nobody has": {"ignore": ["bedrock"]},
        "call against policy": {"only": ["openai"], "policy": {"only": ["azure", "groq"]}},
        "a broken stream": {},
    }
    outage = emulator.fault(kind="cut")
    for title, preferences in mistakes.items():
        try:
            for _ in model.stream("Count from 1 to 20.", **preferences):
                pass
        except OpenRouterError as error:
            yield title, error
    outage.clear()


def described() -> str:
    """Say what the second of those calls sends, and which layer said so."""
    from langchain_openrouter_routing import ChatOpenRouter

    return ChatOpenRouter(model=MODEL, **MODEL_SETTINGS).describe(provider=PINNED)


def query_engine_calls() -> Iterator[tuple[str, str]]:
    """Ask this package's own guide two questions; yields what was asked for and the answer."""
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.node_parser import MarkdownNodeParser

    from llamaindex_openrouter_routing import OpenRouter, OpenRouterEmbedding

    unwrapped = re.sub(r"(?<!\n)\n(?!\n)", " ", guide_text())
    guide = Document(text=unwrapped, metadata={"title": "How routing preferences work"})
    nodes = MarkdownNodeParser().get_nodes_from_documents([guide])
    index = VectorStoreIndex(nodes, embed_model=OpenRouterEmbedding(model=EMBEDDING_MODEL))
    yield "embed the guide", f"{len(nodes)} sections"

    engine = index.as_query_engine(llm=OpenRouter(model=MODEL), similarity_top_k=2)
    with routing(sort="price"):
        yield "query, sort=price", _asked(engine, DOCUMENT_QUESTIONS[0])
    with routing(zdr=True, models=FALLBACKS):
        yield "query, zdr=True", _asked(engine, DOCUMENT_QUESTIONS[1])


def _asked(engine: Any, question: str) -> str:
    return f"{question} {engine.query(question)}"


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
    """Run the calls, and print a row for each request they made and then the answers."""
    rows: Rows = []
    answers: dict[str, list[str]] = {}
    seen = len(log)
    for call, answer in calls:
        answers.setdefault(textwrap.shorten(answer, 240, placeholder=" ..."), []).append(call)
        rows.extend((call, *route_cells(route)) for route in log.routes[seen:])
        seen = len(log)
    console.print(DataTable((Column("call"), *COLUMNS), rows, title))
    console.print()
    for answer, asked in answers.items():
        who = asked[0] if len(asked) == 1 else f"all {len(asked)} calls"
        console.print(f"  [dim]{who}:[/dim] {answer}", highlight=False, soft_wrap=True)
    console.print()


def _short(error: OpenRouterError) -> str:
    kept = f"; .partial has {error.partial.text!r}" if error.partial is not None else ""
    return f"{type(error).__name__}: {error.message.splitlines()[0]}{kept}"


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
        console.print("--live talks to OpenRouter: set OPENROUTER_API_KEY first.")
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
            f"LangChain: prompt | ChatOpenRouter | StrOutputParser, asked {QUESTION!r}",
            langchain_calls(emulator),
            log,
            console,
        )
        table(
            "LlamaIndex: a query engine over this package's guide to routing",
            query_engine_calls(),
            log,
            console,
        )
        tokens = sum(route.usage.total_tokens or 0 for route in log)
        console.print(
            f"[bold]In all:[/bold] {len(log)} requests, {len(log.fallbacks)} served by a fallback model, "
            f"{len(log.by_provider())} providers, {tokens} tokens, {exact_dollars(log.total_cost)} USD",
            highlight=False,
        )
        if emulator:
            console.print("\n[bold]What is an error, and no answer:[/bold]")
            for title, error in refusals(emulator):
                line = f"  [dim]{title}:[/dim] {_short(error)}"
                console.print(line, highlight=False, soft_wrap=True)
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
