"""`Call`: one request on its way: what is sent, what is known so far, and how its answer is read.

Everything here is plain functions of bytes and dicts, used by the sync and the async client alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from openrouter_routing import errors
from openrouter_routing._failures import (
    Sent,
    compose,
    error_from_wire,
    error_in,
    interruption,
    redact,
    shorten,
)
from openrouter_routing._warning import warn
from openrouter_routing.completion import Completion, read_completion
from openrouter_routing.preferences import NO_PREFERENCES, RoutingPreferences
from openrouter_routing.recording import RouteLog, current_logs
from openrouter_routing.route import Route
from openrouter_routing.settings import ClientSettings, HiddenHeaders
from openrouter_routing.violations import (
    find_model_violation,
    find_violation,
    unjudged,
    unjudged_model,
)

if TYPE_CHECKING:
    import httpx


@dataclass(slots=True)
class Call:
    """One request, from what the caller said to what came of it."""

    url: str
    headers: HiddenHeaders = field(repr=False)
    content: bytes = field(repr=False)
    model: str | None
    preferences: RoutingPreferences
    settings: ClientSettings
    method: str = "POST"
    choices: int = 1
    logs: tuple[RouteLog, ...] = ()
    status: int | None = None
    retries: int = 0
    started_at: float = 0.0
    first_token_at: float | None = None
    recorded: bool = False

    @property
    def sent(self) -> Sent:
        """What an error message may say of the request."""
        preferences = self.preferences
        names_model = bool(self.model or preferences.models or preferences.preset)
        return Sent(self.model, names_model, preferences, self.settings.base_url)

    def begin(self, attempt: int) -> None:
        """Note that an attempt (the first is 1) begins.

        Raises:
            BudgetExceeded: An enclosing `record_routes(max_cost=)` has spent its money, on other requests or this one.
        """
        for log in self.logs:
            log.check_budget()
        self.retries = attempt - 1
        self.status = None
        self.first_token_at = None
        # An attempt that was answered emptily, or broke off, was recorded too: it may have been billed.
        self.recorded = False
        self.started_at = time.monotonic()

    def completion(
        self, body: dict[str, Any], headers: Mapping[str, str], *, until: float | None = None
    ) -> Completion:
        """Read an answer together with what only this side knows of it.

        Args:
            body: The answer.
            headers: The headers it came with.
            until: When the last of it came, by `time.monotonic()`; now unless given.
        """
        first = self.first_token_at
        if not body.get("id") and (told := headers.get("x-generation-id")):
            body["id"] = told
        return read_completion(
            body,
            requested_model=self.model,
            requested_models=self.preferences.models or (),
            cache_status=headers.get("x-openrouter-cache-status"),
            retries=self.retries,
            time_to_first_token=None if first is None else first - self.started_at,
            elapsed=(time.monotonic() if until is None else until) - self.started_at,
        )

    def record(self, route: Route) -> None:
        """Hand the route of this attempt to the enclosing `record_routes()` blocks, once."""
        if not self.recorded:
            self.recorded = True
            for log in self.logs:
                log.add(route)

    def read_json(self, response: httpx.Response, content: bytes) -> Any:
        """Read the JSON of an answer, or raise what it says went wrong.

        Raises:
            OpenRouterError: The answer is an error, or no JSON.
        """
        self.status = response.status_code
        if 300 <= self.status < 400:
            raise errors.APIConnectionError(
                f"{self.url} redirects to {response.headers.get('location')!r}; the key is not sent there: "
                "set base_url to the new address if you trust it",
                status=self.status,
                retryable=False,
            )
        try:
            body = from_json(content)
        except ValueError:
            body = None
        if self.status >= 400 or (isinstance(body, dict) and body.get("error")):
            raise self._error(body, response, content)
        if body is None:
            raise self.unreadable(response, content, "JSON")
        return body

    def read_answer(self, response: httpx.Response, content: bytes) -> Completion:
        """Read a chat answer that was not streamed.

        Raises:
            OpenRouterError: The answer is an error, unreadable, empty, or from a provider the preferences exclude.
        """
        body = self.read_json(response, content)
        if (
            not isinstance(body, dict)
            or not isinstance(body.get("choices"), list)
            or not body["choices"]
        ):
            raise self.unreadable(response, content, "an answer with choices")
        completion = self.completion(body, response.headers)
        if not completion.choices:
            raise self.unreadable(response, content, "an answer with choices")
        self.record(completion.route)
        if error := error_in(body):
            raise self._broken_answer(error, completion, response)
        self.check_route(completion)
        self.check_content(completion)
        return completion

    def check_route(self, completion: Completion) -> None:
        """Compare the serving provider and model with what was asked for, as `on_violation` says.

        Raises:
            RoutingViolation: One of them is excluded.
        """
        self.check_model(completion.route.model, lambda: completion)
        self.check_provider(completion.route.provider, lambda: completion)

    def check_model(self, model: str | None, answer: Callable[[], Completion]) -> None:
        """Compare the serving model with the requested ones, as `on_violation` says.

        Args:
            model: The serving model.
            answer: Returns what has arrived; asked only where there is something to say.

        Raises:
            RoutingViolation: It is none of them.
        """
        if self.settings.on_violation != "ignore" and model != self.model:
            asked = (model, self.model, self.preferences)
            self._judge(find_model_violation(*asked), unjudged_model(*asked), answer)

    def check_provider(self, provider: str | None, answer: Callable[[], Completion]) -> None:
        """Compare the serving provider with the preferences, as `on_violation` says.

        Args:
            provider: The serving provider.
            answer: Returns what has arrived; asked only where there is something to say.

        Raises:
            RoutingViolation: It is one that they exclude.
        """
        if self.settings.on_violation != "ignore" and self.preferences.provider is not None:
            asked = (provider, self.preferences, self.model)
            self._judge(find_violation(*asked), unjudged(*asked), answer)

    def _judge(
        self, broken: str | None, doubt: str | None, answer: Callable[[], Completion]
    ) -> None:
        if broken is None:
            if doubt is not None:
                text = f"the routing of this answer cannot be checked: {doubt}"
                warn(text)
            return
        completion = answer()
        route = completion.route
        text = compose(
            f"{broken}{self._said_by(broken)}",
            model=route.requested_model,
            generation_id=route.generation_id,
            advice="report it to OpenRouter; on_violation='warn' or 'ignore' lets such answers pass",
        )
        if self.settings.on_violation == "warn":
            warn(text)
            return
        self.record(route)
        raise errors.RoutingViolation(
            text,
            route=route,
            status=self.status,
            provider=route.provider,
            generation_id=route.generation_id,
            openrouter_metadata=completion.raw.get("openrouter_metadata"),
        )

    def _said_by(self, broken: str) -> str:
        """Name the layer that set the preference which a sentence about a violation names."""
        sources = self.preferences.sources()
        said = [layer for path, layer in sources.items() if f"{path}=" in broken]
        return f" (set by the {said[0]})" if said else ""

    def check_content(self, completion: Completion) -> None:
        """Refuse a finished answer that holds nothing, as `on_empty` says.

        Raises:
            EmptyResponseError: It holds nothing.
        """
        if self.settings.on_empty == "ignore":
            return
        usage = completion.usage
        text_missing = not any(
            choice.text or choice.tool_calls or choice.refusal or choice.images or choice.audio
            for choice in completion.choices
        )
        all_reasoning = (
            text_missing
            and completion.finish_reason == "length"
            and bool(usage.reasoning_tokens or completion.reasoning)
        )
        if not all_reasoning and not (completion.is_empty and not usage.completion_tokens):
            return
        what, advice = (
            (
                f"the whole answer went into reasoning ({usage.reasoning_tokens or 'all'} tokens) and none was "
                "left for text",
                "raise max_tokens, or lower reasoning effort",
            )
            if all_reasoning
            else (
                "the answer is empty: no text, no tool call, no refusal, no tokens",
                "send it again, or try another provider",
            )
        )
        route = completion.route
        raise errors.EmptyResponseError(
            compose(
                what,
                model=route.requested_model,
                provider=route.provider,
                generation_id=route.generation_id,
                advice=advice,
            ),
            completion=completion,
            status=self.status,
            code="reasoning_exhausted" if all_reasoning else "empty",
            provider=route.provider,
            generation_id=route.generation_id,
            retryable=not all_reasoning,
        )

    def _error(self, body: Any, response: httpx.Response, content: bytes) -> errors.OpenRouterError:
        error = body.get("error") if isinstance(body, dict) else None
        if isinstance(error, str):
            error = {"message": error}
        if not isinstance(error, Mapping):
            error = {
                "message": f"an answer that is no error of OpenRouter: {shorten(_text(content))}"
            }
        return error_from_wire(
            error,
            status=self.status,
            headers=response.headers,
            body=body if isinstance(body, dict) else {},
            response=_without_request(response, content),
            sent=self.sent,
        )

    def _broken_answer(
        self, error: Mapping[str, Any], completion: Completion, response: httpx.Response
    ) -> errors.OpenRouterError:
        known = error_from_wire(
            error, status=self.status, headers=response.headers, body=completion.raw, sent=self.sent
        )
        known.partial = completion
        if completion.is_empty:
            return known
        return interruption(known, completion, "the answer broke off")

    def cut(
        self, response: httpx.Response, content: bytes, error: BaseException
    ) -> errors.ResponseParseError:
        """Build the error for an answer whose connection broke in the middle: it is never asked for again by itself."""
        return errors.ResponseParseError(
            compose(
                f"the connection broke in the middle of the answer, after {len(content)} bytes: "
                f"{redact(str(error)) or type(error).__name__}",
                model=self.model,
                generation_id=response.headers.get("x-generation-id"),
                advice="send it again; it may have been billed, so that is not done for you",
            ),
            status=response.status_code,
            code="cut",
            generation_id=response.headers.get("x-generation-id"),
        )

    def unreadable(
        self, response: httpx.Response, content: bytes, wanted: str
    ) -> errors.ResponseParseError:
        """Build the error for an answer that is not what was wanted."""
        kind = response.headers.get("content-type", "no content type")
        return errors.ResponseParseError(
            compose(
                f"OpenRouter answered {self.status} with something that is not {wanted} ({kind}): "
                f"{shorten(_text(content)) or 'nothing at all'}",
                model=self.model,
                generation_id=response.headers.get("x-generation-id"),
                advice=f"check base_url ({self.settings.base_url}) and the proxies in between; then send it again",
            ),
            status=self.status,
            generation_id=response.headers.get("x-generation-id"),
            response=_without_request(response, content),
        )


def prepare(
    settings: ClientSettings,
    path: str,
    body: Mapping[str, Any],
    *,
    preferences: RoutingPreferences = NO_PREFERENCES,
    extra_headers: Mapping[str, str] | None = None,
) -> Call:
    """Encode a request that generates something, and is billed.

    Raises:
        BadRequestError: The body holds what JSON cannot.
    """
    try:
        content = to_json(body)
    except PydanticSerializationError as error:
        raise errors.BadRequestError(f"the request holds what JSON cannot: {error}") from None
    return Call(
        url=settings.base_url + path,
        headers=settings.request_headers(extra_headers or {}),
        content=content,
        model=body.get("model"),
        preferences=preferences,
        settings=settings,
        choices=asked if isinstance(asked := body.get("n"), int) else 1,
        logs=current_logs(),
    )


def prepare_lookup(settings: ClientSettings, path: str, *, model: str | None = None) -> Call:
    """Prepare a request that only looks something up, of a model where one is named."""
    return Call(
        url=settings.base_url + path,
        headers=settings.request_headers(),
        content=b"",
        model=model,
        preferences=NO_PREFERENCES,
        settings=settings,
        method="GET",
    )


def _without_request(response: httpx.Response, content: bytes) -> httpx.Response:
    """Copy a response without the request it answers: that one carries the key."""
    import httpx

    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    ]
    return httpx.Response(response.status_code, headers=headers, content=content)


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace").strip()
