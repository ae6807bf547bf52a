"""`explain`: the route of a request before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from openrouter_routing._endpoint_name import endpoint_name
from openrouter_routing._plan_request import CHARACTERS_PER_TOKEN
from openrouter_routing._vocabulary import unknown_name
from openrouter_routing.catalog import Catalog
from openrouter_routing.cli._output import show, show_json
from openrouter_routing.cli._preference_flags import listed, wire_summary
from openrouter_routing.cli._session import Session, plain_model
from openrouter_routing.cli._verb import FAILED
from openrouter_routing.endpoint import Endpoint
from openrouter_routing.errors import BadRequestError
from openrouter_routing.planning import RoutePlan, plan_route
from openrouter_routing.preferences import RoutingPreferences
from openrouter_routing.request import build_body

# What a request would say to use each of these; only that it is there matters to the router.
_USES: Mapping[str, Any] = {
    "tools": [{"type": "function", "function": {"name": "any"}}],
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
    "structured_outputs": {"type": "json_schema"},
    "reasoning": {"effort": "medium"},
    "verbosity": "medium",
    "logprobs": True,
    "seed": 1,
    "stop": ["\n"],
    "temperature": 1,
    "top_p": 1,
    "top_k": 40,
    "min_p": 0.1,
    "frequency_penalty": 1,
    "presence_penalty": 1,
    "repetition_penalty": 1,
    "logit_bias": {"0": 1},
    "parallel_tool_calls": True,
    "web_search_options": {"search_context_size": "low"},
}


def explain(
    session: Session,
    preferences: RoutingPreferences,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Such as openai/gpt-4o-mini.")],
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="The request uses these and admits only endpoints that support them "
            "(require_parameters): tools, structured_outputs, reasoning, ...",
        ),
    ] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="The request uses these; endpoints without them go last or drop them.",
        ),
    ] = None,
    prompt_tokens: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How long the prompt is, for context limits."),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How long the answer may be, for context limits."),
    ] = None,
    outage: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,...", help="Providers to take for failing."),
    ] = None,
    catalog: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Plan over this catalog file instead of asking for the endpoints."
        ),
    ] = None,
) -> int:
    r"""Show a request's route before it is sent.

    Examples:
      openrouter-routing explain openai/gpt-4o-mini
      openrouter-routing explain openai/gpt-5-mini --zdr
      openrouter-routing explain deepseek/deepseek-chat-v3.1 \
          --order fireworks,together --no-allow-fallbacks
      openrouter-routing explain deepseek/deepseek-chat-v3.1 \
          --require tools --max-price completion=0.8
      openrouter-routing explain openai/gpt-5-mini \
          --models openai/gpt-4o-mini --outage openai

    Who is tried, in which order and with what chance; who is out, and by which rule. Nothing is sent
    to a model and nothing is billed: the endpoints and their prices are looked up,
    and OpenRouter's documented rules are applied to them. Exits with 1 when nobody is left.
    """
    if preferences.preset or "@preset/" in model:
        raise BadRequestError(
            "a preset is kept in your account, which a plan cannot see; give its settings as flags or with "
            "--preferences FILE"
        )
    body = _body(model, preferences, listed(require), listed(use), prompt_tokens, max_tokens)
    names = [model, *body.get("models", ())]
    known = session.catalog(names) if catalog is None else Catalog.load(catalog)
    if catalog is not None:
        for name in names:
            known.model(plain_model(name, lambda one: known.find(one) is not None))
    failing = listed(outage)
    _refuse_strangers(failing, known.endpoints)
    plan = plan_route(body, known.endpoints, outages=failing)
    remarks = _strangers(body.get("provider", {}), plan, known.endpoints)
    if session.json:
        shown = {name: value for name, value in body.items() if name != "messages"}
        show_json({"request": shown, **plan.to_dict(), "remarks": remarks})
    else:
        words = [*wire_summary(preferences), *_use_words(require, use, prompt_tokens, max_tokens)]
        show(f"Request: {', '.join([model, *words])}", "", plan, "", _summary(plan))
        show(*(f"Note: {remark}." for remark in remarks))
    return 0 if plan.candidates else FAILED


def _body(
    model: str,
    preferences: RoutingPreferences,
    required: Sequence[str],
    used: Sequence[str],
    prompt_tokens: int | None,
    max_tokens: int | None,
) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for name in (*required, *used):
        if name not in _USES:
            raise BadRequestError(unknown_name("parameter", name, _USES))
        parameters["response_format" if name == "structured_outputs" else name] = _USES[name]
    if max_tokens is not None:
        parameters["max_tokens"] = max_tokens
    prompt = "x" * (CHARACTERS_PER_TOKEN * (prompt_tokens or 1))
    body = build_body(
        model=model,
        messages=[{"content": prompt}],
        parameters=parameters,
        preferences=preferences,
        extra_body={},
    )
    if required:
        body["provider"] = {**body.get("provider", {}), "require_parameters": True}
    return body


def _strangers(
    provider: Mapping[str, Any], plan: RoutePlan, endpoints: Iterable[Endpoint]
) -> list[str]:
    """Name the providers in the preferences that serve none of the models, and who does serve them."""
    asked = {exclusion.endpoint.tag for exclusion in plan.excluded if exclusion.rule != "model"}
    asked |= {candidate.endpoint.tag for candidate in plan.candidates}
    tags = [endpoint.tag for endpoint in endpoints if endpoint.tag in asked]
    remarks = []
    for field in ("order", "only", "ignore"):
        for name in provider.get(field, ()):
            if not any(endpoint_name(name).matches(endpoint_name(tag)) for tag in tags):
                served = ", ".join(dict.fromkeys(tags)) or "nobody"
                remarks.append(
                    f"{name} in {field} does not serve {' or '.join(plan.requested)}; served by {served}"
                )
    return remarks


def _refuse_strangers(outages: Iterable[str], endpoints: Iterable[Endpoint]) -> None:
    """Refuse an outage of somebody who serves none of the models: the plan would look as if it were survived.

    Raises:
        BadRequestError: There is one.
    """
    tags = list(dict.fromkeys(endpoint.tag for endpoint in endpoints))
    for name in outages:
        if not any(endpoint_name(name).matches(endpoint_name(tag)) for tag in tags):
            raise BadRequestError(unknown_name("provider in --outage", name, tags))


def _summary(plan: RoutePlan) -> str:
    out = [exclusion for exclusion in plan.excluded if exclusion.rule != "model"]
    left, total = len(plan.candidates), len(plan.candidates) + len(out)
    if not plan.candidates:
        if not total:
            return "No endpoint of the model is known."
        # Tiers are out because they were not asked for: that is never what has to be loosened.
        rules = dict.fromkeys(one.rule for one in out if one.rule != "service_tier")
        hint = f"; loosen {' or '.join(rules)}" if rules else ""
        return f"0 of {total} endpoints are left{hint}."
    first = plan.candidates[0]
    chance = "" if first.probability == 1 else f" with a chance of {first.probability:.0%}"
    return f"{left} of {total} endpoints may serve it; {first.endpoint.tag} comes first{chance}."


def _use_words(
    require: list[str] | None,
    use: list[str] | None,
    prompt_tokens: int | None,
    max_tokens: int | None,
) -> list[str]:
    words = {"requires": listed(require), "uses": listed(use)}
    sizes = {"prompt of": prompt_tokens, "max_tokens": max_tokens}
    return [
        *(f"{verb} {' + '.join(names)}" for verb, names in words.items() if names),
        *(f"{name} {size:,} tokens" for name, size in sizes.items() if size),
    ]
