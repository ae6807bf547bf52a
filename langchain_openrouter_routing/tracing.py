"""`OpenRouterTracer`: LangSmith's tracer, told what each run was billed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from langchain_core.tracers.langchain import LangChainTracer
from langchain_core.tracers.schemas import Run

from langchain_openrouter_routing.answers import PROVIDER
from openrouter_routing.route import Route


class OpenRouterTracer(LangChainTracer):
    """Traces to LangSmith as LangChain does, and adds to each answer of OpenRouter what it was billed.

    LangSmith computes costs from its own table of prices, which knows neither OpenRouter's models nor which provider
    served. It takes a `total_cost` instead where a run's `usage_metadata` has one. LangChain cannot put it there: it
    adds those counts up and refuses all but whole numbers. So it goes into the trace and stays out of the message.

    Hand it to the outermost call; runs below inherit it, and the tracer that `LANGSMITH_TRACING` would add stays away.
    It takes what `LangChainTracer` takes: without a `client` it uses the one that the environment describes.

    Example:
        >>> from langsmith import Client
        >>> from langchain_openrouter_routing import ChatOpenRouter
        >>> client = Client("https://eu.api.smith.langchain.com", api_key="lsv2-...", auto_batch_tracing=False)
        >>> tracer = OpenRouterTracer(project_name="bern", client=client)
        >>> llm = ChatOpenRouter(model="openai/gpt-5-mini")
        >>> answer = llm.invoke("Where is Bern?", config={"callbacks": [tracer]})  # doctest: +SKIP

    See https://docs.langchain.com/langsmith/cost-tracking
    """

    @staticmethod
    def _update_run_single(run: Run) -> None:
        usage = run.metadata.get("usage_metadata")
        costs = list(_costs_of(run.outputs or {}))
        # What LangChain's own cache answered has a cost already: 0.
        if usage is not None and costs and "total_cost" not in usage:
            run.metadata["usage_metadata"] = {**usage, "total_cost": float(sum(costs))}
        LangChainTracer._update_run_single(run)  # noqa: SLF001 (the one place before a run is sent)


def _costs_of(outputs: Mapping[str, Any]) -> Iterator[Decimal]:
    """Yield what was billed for each answer of OpenRouter among the outputs of a run, in USD."""
    for generations in outputs.get("generations") or ():
        # One request may bring several generations, each with the metadata of all.
        message = generations[0].get("message") if generations else None
        told = message.get("kwargs", {}).get("response_metadata") if message else None
        if not told or told.get("model_provider") != PROVIDER:
            continue
        if (cost := Route.of(told).total_cost) is not None:
            yield cost
