"""From what went wrong on the wire to the error that says what to do: one table per thing the wire may tell."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from openrouter_routing import errors
from openrouter_routing._json_values import as_mapping, as_number, as_text
from openrouter_routing._replay import UNKNOWN_ITEM
from openrouter_routing.preferences import NO_PREFERENCES, RoutingPreferences

if TYPE_CHECKING:
    import httpx

    from openrouter_routing.completion import Completion

RAW_LIMIT = 500
"""How many characters of a provider's own text an error message shows; `metadata` keeps the whole."""

_BY_AVAILABILITY: dict[str, type[errors.OpenRouterError]] = {
    "model_not_found": errors.ModelNotFoundError,
    "wrong_endpoint": errors.BadRequestError,
    "no_endpoints": errors.NoEndpointsError,
    "model_deprecated": errors.ModelNotFoundError,
    "model_unavailable_upstream": errors.NoEndpointsError,
    "capacity_exhausted": errors.RateLimitError,
    "temporarily_unavailable": errors.ServiceUnavailableError,
    "region_restricted": errors.PermissionDeniedError,
    "privacy_restricted": errors.NoEndpointsError,
    "constraint_filtered": errors.NoEndpointsError,
    "free_variant_ended": errors.ModelNotFoundError,
}

_BY_ERROR_TYPE: dict[str, type[errors.OpenRouterError]] = {
    "context_length_exceeded": errors.ContextLengthError,
    "max_tokens_exceeded": errors.ContextLengthError,
    "token_limit_exceeded": errors.ContextLengthError,
    "string_too_long": errors.ContextLengthError,
    "authentication": errors.AuthenticationError,
    "permission_denied": errors.PermissionDeniedError,
    "payment_required": errors.InsufficientCreditsError,
    "rate_limit_exceeded": errors.RateLimitError,
    "provider_overloaded": errors.ProviderError,
    "provider_unavailable": errors.ProviderError,
    "invalid_request": errors.BadRequestError,
    "invalid_prompt": errors.BadRequestError,
    "precondition_failed": errors.BadRequestError,
    "payload_too_large": errors.BadRequestError,
    "unprocessable": errors.BadRequestError,
    "content_policy_violation": errors.PermissionDeniedError,
    "refusal": errors.PermissionDeniedError,
    "invalid_image": errors.BadRequestError,
    "image_too_large": errors.BadRequestError,
    "image_too_small": errors.BadRequestError,
    "unsupported_image_format": errors.BadRequestError,
    "image_not_found": errors.BadRequestError,
    "image_download_failed": errors.BadRequestError,
    "server": errors.ServiceUnavailableError,
    "timeout": errors.APITimeoutError,
}

NOT_RECORDED = "not_recorded"
"""The code of an error that says of a generation that it is not there yet."""

_BY_STATUS: dict[int, type[errors.OpenRouterError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    402: errors.InsufficientCreditsError,
    403: errors.PermissionDeniedError,
    404: errors.ModelNotFoundError,
    408: errors.APITimeoutError,
    409: errors.ServiceUnavailableError,
    413: errors.BadRequestError,
    422: errors.BadRequestError,
    429: errors.RateLimitError,
    500: errors.ServiceUnavailableError,
    502: errors.ProviderError,
    503: errors.ServiceUnavailableError,
    504: errors.APITimeoutError,
    524: errors.APITimeoutError,
    529: errors.ProviderError,
}

# Older answers say in words alone what newer ones say in `availability` and `error_type`.
_BY_WORDS: tuple[tuple[re.Pattern[str], type[errors.OpenRouterError]], ...] = (
    (
        re.compile(r"no (endpoints|allowed providers)|data policy", re.IGNORECASE),
        errors.NoEndpointsError,
    ),
    (
        re.compile(r"not a valid model|model .*(not found|does not exist)", re.IGNORECASE),
        errors.ModelNotFoundError,
    ),
    (
        re.compile(r"context (length|window)|maximum context|too many tokens", re.IGNORECASE),
        errors.ContextLengthError,
    ),
)
_PATH = "/api/v1"
_DAILY = re.compile(r"per[- ]day|daily", re.IGNORECASE)
_KEY = re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{6,}|(?i:(?<=bearer ))[^\s\"',;}]{8,}")

_EXCLUDED_BY = {
    "data_policy:zdr": "provider.zdr",
    "data_policy:training": "provider.data_collection",
    "max_price": "provider.max_price",
    "require_parameters": "provider.require_parameters",
    "quantization": "provider.quantizations",
    "allowed_providers": "provider.only / provider.ignore",
    "context_length": "the length of the prompt and max_tokens",
    "geo": "the region of your request",
    "data_region": "the data region of your account",
}

_ADVICE: dict[type[errors.OpenRouterError], str] = {
    errors.AuthenticationError: "check the key at https://openrouter.ai/keys",
    errors.InsufficientCreditsError: "add credits at https://openrouter.ai/credits, or lower max_tokens",
    errors.BadRequestError: "change the request as the answer says; the parameters are at "
    "https://openrouter.ai/docs/api-reference/parameters",
    errors.ContextLengthError: "shorten the input, lower max_tokens, or take a model with a longer context",
    errors.ModelNotFoundError: "check the name at https://openrouter.ai/models",
    errors.RateLimitError: "wait, raise max_retries, or add models= or more providers to fall back on",
    errors.ProviderError: "send it again, or let more providers serve it (order, only, allow_fallbacks, models)",
    errors.ServiceUnavailableError: "send it again later; https://status.openrouter.ai tells of outages",
    errors.APITimeoutError: "send it again, raise timeout=, or prefer a faster provider (sort='latency')",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """What an error message may say of the request: no message, no key."""

    model: str | None = None
    names_model: bool = True
    preferences: RoutingPreferences = NO_PREFERENCES
    base_url: str | None = None


def error_in(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the error of an answer or a chunk: at the top, at a choice, or as its finish reason."""
    error = body.get("error")
    if error:
        return error if isinstance(error, Mapping) else {"message": str(error)}
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if not isinstance(choice, dict):
            continue
        error = choice.get("error")
        if error:
            return error if isinstance(error, Mapping) else {"message": str(error)}
        if choice.get("finish_reason") == "error":
            return {"message": "the provider ended the answer with an error and gave no reason"}
    return None


def error_class(
    error: Mapping[str, Any], status: int | None, *, names_model: bool = True
) -> type[errors.OpenRouterError]:
    """Choose the class: availability code first, then error type, then status and words.

    Args:
        error: The `error` object.
        status: The HTTP status.
        names_model: Whether the request named a model, so that 404 is about that.
    """
    availability = as_mapping(error.get("availability"))
    if known := _BY_AVAILABILITY.get(str(availability.get("code"))):
        return known
    metadata = as_mapping(error.get("metadata"))
    kind = _BY_ERROR_TYPE.get(str(_error_type(error, metadata)))
    if kind is errors.ServiceUnavailableError and metadata.get("provider_name"):
        return errors.ProviderError
    if kind is not None:
        return kind
    by_status = _BY_STATUS.get(status or 0)
    if by_status in (errors.BadRequestError, errors.ModelNotFoundError):
        if not names_model:
            return errors.BadRequestError
        words = str(error.get("message"))
        # Only of this is the provider's own text, which may quote anybody's words, asked.
        if UNKNOWN_ITEM.search(f"{words} {metadata.get('raw')}"):
            return errors.BadRequestError
        return next((cls for pattern, cls in _BY_WORDS if pattern.search(words)), by_status)
    if by_status is not None:
        return by_status
    if status is not None and 400 <= status < 500:
        return errors.BadRequestError
    return errors.ProviderError


def error_from_wire(
    error: Mapping[str, Any],
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    response: httpx.Response | None = None,
    sent: Sent | None = None,
) -> errors.OpenRouterError:
    """Build the error for an `error` object, wherever on the wire it stood.

    Args:
        error: The `error` object.
        status: The HTTP status; that of the error's own `code` counts where this is 200 or missing.
        headers: The headers of the answer.
        body: The JSON around the error.
        response: The HTTP response, to keep.
        sent: What was asked for.
    """
    headers, body, sent = headers or {}, body or {}, sent or Sent()
    metadata = as_mapping(error.get("metadata"))
    availability = as_mapping(error.get("availability"))
    status = _status(error, status)
    kind = error_class(error, status, names_model=sent.names_model)
    details = failure_details(error, headers=headers, body=body)
    retryable = availability.get("retryable")
    if not isinstance(retryable, bool):
        retryable = kind.retryable_by_default and not _DAILY.search(str(error.get("message")))
    code = availability.get("code") or error.get("code")
    text = compose(
        f"OpenRouter answered {status or 'with an error'}"
        f"{f' {code}' if code not in (None, status, str(status)) else ''}: {error.get('message') or 'no message'}",
        model=availability.get("requested_models") or sent.model or sent.preferences.models,
        provider=details["provider"],
        raw=metadata.get("raw"),
        generation_id=details["generation_id"],
        more=(
            *_previous_errors(metadata),
            *(_exclusions(availability, sent) if kind is errors.NoEndpointsError else ()),
            *_suggestions(availability),
        ),
        advice=_advice(kind, metadata, sent),
    )
    return kind(text, status=status, code=code, retryable=retryable, response=response, **details)


def interruption(
    known: errors.OpenRouterError, partial: Completion, what: str
) -> errors.StreamInterruptedError:
    """Build the error for an answer that had begun when it failed; the failure itself becomes its cause.

    Args:
        known: The failure.
        partial: What had arrived.
        what: What broke off.
    """
    error = errors.StreamInterruptedError(
        f"{what}: {known.message}\n  what had arrived is in .partial",
        partial=partial,
        status=known.status,
        code=known.code,
        error_type=known.error_type,
        provider=known.provider,
        generation_id=known.generation_id,
        retryable=known.retryable,
        retry_after=known.retry_after,
        availability=known.availability,
        metadata=known.metadata,
        openrouter_metadata=known.openrouter_metadata,
    )
    error.__cause__ = known
    return error


def failure_details(
    error: Mapping[str, Any], *, headers: Mapping[str, str], body: Mapping[str, Any]
) -> dict[str, Any]:
    """Read what every error class keeps from an `error` object and what stands around it."""
    metadata = as_mapping(error.get("metadata"))
    availability = as_mapping(error.get("availability"))
    provider = metadata.get("provider_name") or body.get("provider")
    return {
        "error_type": _error_type(error, metadata),
        "provider": provider if isinstance(provider, str) else None,
        "generation_id": headers.get("x-generation-id") or as_text(body.get("id")),
        "retry_after": retry_after(headers, availability, metadata),
        "availability": availability or None,
        "metadata": metadata or None,
        "openrouter_metadata": as_mapping(body.get("openrouter_metadata")) or None,
    }


def compose(
    what: str,
    *,
    model: object = None,
    provider: str | None = None,
    raw: object = None,
    generation_id: str | None = None,
    more: tuple[str, ...] = (),
    advice: str | None = None,
) -> str:
    """Put an error message together: what happened, who, which request, what to do."""
    lines = [what]
    if model:
        named = ", ".join(map(str, model)) if isinstance(model, list) else model
        lines.append(f"  model: {named}")
    if provider:
        said = f", which said: {shorten(raw)}" if raw else ""
        lines.append(f"  provider: {provider}{said}")
    elif raw:
        lines.append(f"  the provider said: {shorten(raw)}")
    if generation_id:
        lines.append(f"  generation: {generation_id}")
    lines.extend(f"  {line}" for line in more)
    if advice:
        lines.append(f"  what to do: {advice}")
    return redact("\n".join(lines))


def shorten(text: object) -> str:
    """Bound a text that somebody else wrote."""
    plain = text if isinstance(text, str) else repr(text)
    return plain if len(plain) <= RAW_LIMIT else f"{plain[:RAW_LIMIT]}... ({len(plain)} characters)"


def redact(text: str) -> str:
    """Take out everything that looks like a key."""
    return _KEY.sub("(key)", text)


def retry_after(
    headers: Mapping[str, str], availability: Mapping[str, Any], metadata: Mapping[str, Any]
) -> float | None:
    """Read how many seconds to wait: `Retry-After`, else `availability.retry_after`, else `X-RateLimit-Reset`."""
    if (told := _seconds_or_date(headers.get("retry-after"))) is not None:
        return told
    if (told := as_number(availability.get("retry_after"))) is not None:
        return max(told, 0.0)
    inner = {str(key).lower(): value for key, value in as_mapping(metadata.get("headers")).items()}
    reset = as_number(headers.get("x-ratelimit-reset") or inner.get("x-ratelimit-reset"))
    if reset is None:
        return None
    # Milliseconds or seconds since 1970, or plain seconds from now.
    at = reset / 1000 if reset > 1e11 else reset if reset > 1e9 else time.time() + reset
    return max(at - time.time(), 0.0)


def _seconds_or_date(value: str | None) -> float | None:
    if value is None:
        return None
    if (seconds := as_number(value)) is not None:
        return max(seconds, 0.0)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def _exclusions(availability: Mapping[str, Any], sent: Sent) -> tuple[str, ...]:
    lines = []
    excluded_by = availability.get("excluded_by")
    if isinstance(excluded_by, list) and excluded_by:
        said = {path for path, value in sent.preferences.settings().items() if value is not None}
        named = ", ".join(_excluding(str(rule), said) for rule in excluded_by)
        lines.append(f"excluded the last endpoints: {named}")
    constraint = as_mapping(availability.get("constraint"))
    if constraint:
        lines.append(f"constraint: {constraint.get('field')}: {constraint.get('detail')}")
    lines.append("preferences that were sent:")
    lines.extend(f"  {line}" for line in sent.preferences.describe().splitlines())
    return tuple(lines)


def _excluding(rule: str, said: Collection[str]) -> str:
    """Name what a rule is about: of several preferences those that were said."""
    named = _EXCLUDED_BY.get(rule, rule).split(" / ")
    return " / ".join([path for path in named if path in said] or named)


def _suggestions(availability: Mapping[str, Any]) -> tuple[str, ...]:
    lines = []
    suggested = availability.get("fallback_models")
    if isinstance(suggested, list) and suggested:
        lines.append(f"models that would do: {', '.join(map(str, suggested))}")
    if docs := availability.get("docs_url"):
        lines.append(f"see {docs}")
    return tuple(lines)


def _previous_errors(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    earlier = metadata.get("previous_errors")
    told = [
        # The code often is the status once more.
        " ".join(
            dict.fromkeys(
                str(entry[key]) for key in ("provider", "status", "code") if entry.get(key)
            )
        )
        for entry in (earlier if isinstance(earlier, list) else ())
        if isinstance(entry, Mapping)
    ]
    return (f"tried before: {', '.join(told)}",) if told else ()


def _advice(
    kind: type[errors.OpenRouterError], metadata: Mapping[str, Any], sent: Sent
) -> str | None:
    if kind is errors.NoEndpointsError:
        return (
            "loosen one of these preferences, or add models= to fall back on; nothing is loosened for you. "
            f"openrouter-routing explain {sent.model or 'MODEL'} shows who is left, and why the others are not"
        )
    if kind is errors.BadRequestError and UNKNOWN_ITEM.search(str(metadata.get("raw"))):
        return (
            "the provider does not know the reasoning of an earlier turn: with max_retries=1 or more the request is "
            "sent again without its ids; session_id keeps a conversation on one provider"
        )
    if kind is errors.PermissionDeniedError:
        reasons = metadata.get("reasons") or metadata.get("patterns")
        return f"change the input (flagged for: {reasons})" if reasons else "see the reason above"
    if kind is errors.ModelNotFoundError and sent.base_url and not sent.base_url.endswith(_PATH):
        return f"check base_url ({sent.base_url}; OpenRouter's ends in {_PATH}), then the name at https://openrouter.ai/models"
    return _ADVICE.get(kind)


def _status(error: Mapping[str, Any], status: int | None) -> int | None:
    if status is not None and status >= 400:
        return status
    for told in (error.get("http_status"), error.get("code")):
        number = as_number(told)
        if number is not None and 400 <= number < 600:
            return int(number)
    return status


def _error_type(error: Mapping[str, Any], metadata: Mapping[str, Any]) -> str | None:
    return as_text(metadata.get("error_type")) or as_text(error.get("error_type"))
