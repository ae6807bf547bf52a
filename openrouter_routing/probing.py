"""Measuring the providers of a model with real requests: speed, cost, and whether tools and schemas work.

Each request is pinned to one provider (`order=[tag]`, no fallbacks) and sent once, so that a failure shows. The rounds
go through all providers in turn: whoever breaks off has measured each of them equally often.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from openrouter_routing._endpoint_name import endpoint_name, name_of
from openrouter_routing.completion import Completion
from openrouter_routing.endpoint import Endpoint
from openrouter_routing.errors import BadRequestError, OpenRouterError
from openrouter_routing.recording import record_routes
from openrouter_routing.route import Route

if TYPE_CHECKING:
    from rich.console import RenderableType

    from openrouter_routing.client import OpenRouterClient

__all__ = ["Probe", "ProbeReport", "ProbeRun", "ProviderResult", "plan_probes", "send_probe"]

PROMPT = "Explain in about 120 words how a bicycle stays upright."
MAX_TOKENS = 256

Kind = Literal["text", "tools", "schema"]
Best = Literal["cost", "speed", "latency"]
Verdict = Literal["works", "fails", "not offered", "not tried"]

_QUESTION = "What is the weather in Bern right now? Look it up."
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Look up the present weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
_FACTS = "Give the name of the capital of Switzerland and the number of its letters."
_SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "capital",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "letters": {"type": "integer"}},
            "required": ["name", "letters"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True, slots=True)
class Probe:
    """One request to one provider.

    Args:
        endpoint: Whom it is for.
        kind: What it tries: plain text (streamed and timed), a tool call, or an answer by a schema.
        prompt: What it asks.
        ignore: Endpoints that the endpoint's name means too, and that shall not answer for it.
    """

    endpoint: Endpoint
    kind: Kind
    prompt: str
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeRun:
    """What one probe found.

    Args:
        probe: The request.
        route: Where it went, at what cost; None where it failed before an answer.
        problem: What went wrong, in a line; None where nothing did.
    """

    probe: Probe
    route: Route | None = None
    problem: str | None = None

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds."""
        return self.route.time_to_first_token if self.route else None

    @property
    def throughput(self) -> float | None:
        """Tokens per second after the first one; None where they came all at once."""
        route = self.route
        if route is None or route.elapsed is None or route.time_to_first_token is None:
            return None
        writing = route.elapsed - route.time_to_first_token
        count = route.usage.completion_tokens
        return count / writing if count and writing > 0 else None

    @property
    def cost(self) -> Decimal | None:
        """USD."""
        return self.route.total_cost if self.route else None

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain JSON data."""
        return {
            "kind": self.probe.kind,
            "ok": self.problem is None,
            "problem": self.problem,
            "throughput": self.throughput,
            "route": self.route.to_dict() if self.route else None,
        }


@dataclass(frozen=True, slots=True)
class ProviderResult:
    """What all probes of one provider found.

    Args:
        endpoint: Whose.
        runs: The probes that were sent, in order.
    """

    endpoint: Endpoint
    runs: tuple[ProbeRun, ...]

    @property
    def texts(self) -> list[ProbeRun]:
        """The timed runs."""
        return [run for run in self.runs if run.probe.kind == "text"]

    @property
    def answered(self) -> int:
        """How many of the timed runs were answered."""
        return sum(run.problem is None for run in self.texts)

    @property
    def reliable(self) -> bool:
        """Whether all of the timed runs were answered, and there were any."""
        return bool(self.texts) and self.answered == len(self.texts)

    @property
    def time_to_first_token(self) -> float | None:
        """The median, in seconds."""
        return _median(run.time_to_first_token for run in self.texts)

    @property
    def throughput(self) -> float | None:
        """The median, in tokens per second."""
        return _median(run.throughput for run in self.texts)

    @property
    def cost(self) -> Decimal | None:
        """The median of the timed runs, in USD per request."""
        costs = [run.cost for run in self.texts if run.cost is not None]
        return median(costs) if costs else None

    @property
    def finish_reasons(self) -> list[str]:
        """How the answered timed runs ended, each reason once."""
        reasons = [run.route.finish_reason for run in self.texts if run.route and not run.problem]
        return list(dict.fromkeys(reason for reason in reasons if reason))

    @property
    def problems(self) -> list[str]:
        """What went wrong, each problem once."""
        return list(dict.fromkeys(run.problem for run in self.runs if run.problem))

    def verdict(self, kind: Kind) -> Verdict:
        """Say whether tools or schemas work."""
        runs = [run for run in self.runs if run.probe.kind == kind]
        if runs:
            return "works" if all(run.problem is None for run in runs) else "fails"
        return "not tried" if offers(self.endpoint, kind) else "not offered"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON data."""
        cost = self.cost
        return {
            "provider": self.endpoint.provider,
            "tag": self.endpoint.tag,
            "answered": self.answered,
            "sent": len(self.texts),
            "time_to_first_token": self.time_to_first_token,
            "throughput": self.throughput,
            "cost": None if cost is None else float(cost),
            "finish_reasons": self.finish_reasons,
            "tools": self.verdict("tools"),
            "schema": self.verdict("schema"),
            "problems": self.problems,
            "runs": [run.to_dict() for run in self.runs],
        }


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """The providers of a model, compared.

    Args:
        model: The model.
        results: One for each provider that was probed.
        planned: How many requests were planned.
        best: What the providers are ranked by: `"cost"` and `"latency"` the least, `"speed"` the most.

    Renders as a table with rich and in notebooks.

    Example:
        >>> model = "openai/gpt-4o-mini"
        >>> client = OpenRouterClient()  # doctest: +SKIP
        >>> endpoints = Catalog.from_api(client, [model]).endpoints  # doctest: +SKIP
        >>> probes = plan_probes(endpoints, runs=3)  # doctest: +SKIP
        >>> runs = [send_probe(client, probe) for probe in probes]  # doctest: +SKIP
        >>> ProbeReport.of(model, probes, runs)  # doctest: +SKIP

    See https://openrouter.ai/docs/features/provider-routing.
    """

    model: str
    results: tuple[ProviderResult, ...]
    planned: int
    best: Best = "cost"

    @classmethod
    def of(
        cls, model: str, probes: Sequence[Probe], runs: Iterable[ProbeRun], *, best: Best = "cost"
    ) -> ProbeReport:
        """Gather the runs of the probes so far; a provider without any is left out."""
        taken = list(runs)
        endpoints = {probe.endpoint.tag: probe.endpoint for probe in probes}
        results = [
            ProviderResult(endpoint, tuple(run for run in taken if run.probe.endpoint.tag == tag))
            for tag, endpoint in endpoints.items()
        ]
        return cls(model, tuple(result for result in results if result.runs), len(probes), best)

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return sum(len(result.runs) for result in self.results)

    @property
    def total_cost(self) -> Decimal:
        """What all of them cost, in USD."""
        return sum(
            (run.cost for result in self.results for run in result.runs if run.cost is not None),
            Decimal(0),
        )

    def ranking(self) -> list[ProviderResult]:
        """Return the results, best first; who failed comes after who answered."""
        return sorted(self.results, key=lambda result: (-_share(result), _rank(result, self.best)))

    def preferences(self) -> dict[str, Any]:
        """Return preferences that follow the ranking: who answered every time in order, who never did ignored.

        Nobody is ignored by a name that means one who answered, too: `azure` stays where `azure/eu` works.

        Returns:
            `{"provider": {...}}`, for `routing(**...)`, `with_routing(**...)` and `RoutingPreferences(**...)`.

        Raises:
            BadRequestError: No provider answered every time.
        """
        order = [result.endpoint.tag for result in self.ranking() if result.reliable]
        if not order:
            raise BadRequestError("no provider answered every time: there is nothing to prefer")
        provider: dict[str, Any] = {"order": order}
        working = [name_of(result.endpoint) for result in self.results if result.answered]
        failed = [
            result.endpoint.tag
            for result in self.results
            if not result.answered and not any(map(name_of(result.endpoint).matches, working))
        ]
        if failed:
            provider["ignore"] = failed
        return {"provider": provider}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON data, the providers in the order of their ranking."""
        return {
            "model": self.model,
            "best": self.best,
            "planned": self.planned,
            "sent": self.sent,
            "complete": self.sent == self.planned,
            "total_cost": float(self.total_cost),
            "providers": [result.to_dict() for result in self.ranking()],
        }

    def __rich__(self) -> RenderableType:
        from openrouter_routing._probe_view import report_to_rich

        return report_to_rich(self)

    def _repr_html_(self) -> str:
        from openrouter_routing._probe_view import report_to_html

        return report_to_html(self)


def plan_probes(
    endpoints: Iterable[Endpoint],
    *,
    providers: Sequence[str] = (),
    runs: int = 1,
    prompt: str = PROMPT,
    checks: bool = True,
) -> list[Probe]:
    """Plan the requests that compare the providers of a model.

    Args:
        endpoints: The endpoints of one model.
        providers: Whom to probe, by slug; everyone when empty, but service tiers only by name.
        runs: How many timed requests each gets.
        prompt: What they ask.
        checks: Whether to try a tool call and an answer by a schema too, once each, where offered.

    Returns:
        The requests in the order of sending: one round of everything, then further rounds of text.

    Raises:
        BadRequestError: A provider does not serve the model; the message says who does.

    Example:
        >>> from openrouter_routing.catalog import Catalog
        >>> endpoints = Catalog.sample().model("openai/gpt-4o-mini").endpoints
        >>> [probe.kind for probe in plan_probes(endpoints, providers=["openai"], runs=2)]
        ['text', 'tools', 'schema', 'text']
    """
    known = list(endpoints)
    chosen = _chosen(known, providers)
    ignored = {endpoint.tag: _siblings(endpoint, known) for endpoint in chosen}
    rounds: list[tuple[Kind, str]] = [("text", prompt)]
    if checks:
        rounds += [("tools", _QUESTION), ("schema", _FACTS)]
    rounds += [("text", prompt)] * (runs - 1)
    return [
        Probe(endpoint, kind, text, ignored[endpoint.tag])
        for kind, text in rounds
        for endpoint in chosen
        if offers(endpoint, kind)
    ]


def send_probe(
    client: OpenRouterClient,
    probe: Probe,
    *,
    max_tokens: int = MAX_TOKENS,
    timeout: float | None = None,
) -> ProbeRun:
    """Send one request and judge its answer.

    Args:
        client: What to send with.
        probe: The request.
        max_tokens: How long the answer may be.
        timeout: Seconds to wait for the next bytes.

    Returns:
        What it found; an error of the provider is a finding, too.

    Raises:
        OpenRouterError: The key, the credits or the address are wrong, so that no provider can answer.
    """
    options: dict[str, Any] = {
        "model": probe.endpoint.model,
        "order": [probe.endpoint.tag],
        "allow_fallbacks": False,
        "max_tokens": max_tokens,
        "max_retries": 0,
        "timeout": timeout,
        "on_empty": "raise",
    }
    if probe.ignore:
        options["ignore"] = list(probe.ignore)
    if probe.kind == "tools":
        options["tools"] = [_TOOL]
    elif probe.kind == "schema":
        options["response_format"] = _SCHEMA
    messages = [{"role": "user", "content": probe.prompt}]
    with record_routes() as log:
        try:
            if probe.kind == "text":
                with client.stream(messages, **options) as stream:
                    for _ in stream:
                        pass
                    answer = stream.completion
            else:
                answer = client.chat(messages, **options)
        except OpenRouterError as error:
            if error.status in _NOBODY_CAN_ANSWER:
                raise
            return ProbeRun(probe, log[-1] if len(log) else None, _in_a_line(error))
    return ProbeRun(probe, answer.route, _judged(probe.kind, answer))


# No key, no credits: the next provider would answer the same.
_NOBODY_CAN_ANSWER = (401, 402)


def offers(endpoint: Endpoint, kind: Kind) -> bool:
    """Whether an endpoint says that it can do what a probe of this kind tries."""
    if kind == "text":
        return True
    return ("tools" if kind == "tools" else "structured_outputs") in endpoint.supported_parameters


def _chosen(known: Sequence[Endpoint], providers: Sequence[str]) -> list[Endpoint]:
    if not providers:
        return [endpoint for endpoint in known if endpoint.service_tier is None]
    chosen: dict[str, Endpoint] = {}
    for name in providers:
        found = [e for e in known if endpoint_name(name).matches(endpoint_name(e.tag))]
        if not found:
            served = ", ".join(endpoint.tag for endpoint in known) or "nobody"
            model = known[0].model if known else "the model"
            raise BadRequestError(f"{name} does not serve {model}; it is served by {served}")
        chosen |= {endpoint.tag: endpoint for endpoint in found}
    return list(chosen.values())


def _siblings(endpoint: Endpoint, known: Iterable[Endpoint]) -> tuple[str, ...]:
    """Find the other endpoints that the slug of this one means: `azure` is `azure/eu`, too."""
    name = endpoint_name(endpoint.tag)
    return tuple(
        other.tag
        for other in known
        if other.tag != endpoint.tag and name.matches(endpoint_name(other.tag))
    )


def _judged(kind: Kind, answer: Completion) -> str | None:
    """Say in a line what is wrong with an answer; None where nothing is."""
    if kind != "text" and answer.finish_reason == "length":
        return f"{kind}: cut off by max_tokens before the answer was complete"
    if kind == "tools":
        calls = answer.tool_calls
        if not calls:
            return "tools: answered without calling the tool"
        if calls[0].name != "get_weather" or not _is_text((calls[0].arguments or {}).get("city")):
            return f"tools: called {calls[0].name} with {calls[0].arguments_json}"
    if kind == "schema":
        try:
            value = json.loads(answer.text)
        except ValueError:
            return "schema: the answer is not JSON"
        if not (
            isinstance(value, Mapping)
            and value.keys() == {"name", "letters"}
            and _is_text(value["name"])
            and isinstance(value["letters"], int)
        ):
            return "schema: the answer does not follow the schema"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _in_a_line(error: OpenRouterError) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return "; ".join(line for line in lines if not line.startswith(("generation:", "what to do:")))


def _median(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return median(known) if known else None


def _share(result: ProviderResult) -> float:
    return result.answered / len(result.texts) if result.texts else 0.0


def _rank(result: ProviderResult, best: Best) -> tuple[bool, float, str]:
    if best == "cost":
        figure = None if result.cost is None else float(result.cost)
    elif best == "speed":
        figure = None if result.throughput is None else -result.throughput
    else:
        figure = result.time_to_first_token
    return figure is None, figure or 0.0, result.endpoint.tag
