"""How a fault spoils the answer of an endpoint, streamed or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openrouter_routing.emulator._chunks import COMMENT, DONE, event
from openrouter_routing.emulator._errors import ServiceError, availability_error
from openrouter_routing.emulator._faults import FAILURES, Fault
from openrouter_routing.emulator._replies import HangUp, Pause, Reply, Step, json_bytes, json_reply
from openrouter_routing.endpoint import Endpoint

_HTML = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
_ALIVE_EVERY = 0.05
_CHAT_ONLY = frozenset({"mid_stream_error", "choice_error", "empty", "no_finish"})


def spoil_body(fault: Fault, body: Mapping[str, Any], endpoint: Endpoint) -> Reply:
    """Spoil an answer that is not streamed."""
    whole = json_bytes(body)
    if "choices" not in body and fault.kind in _CHAT_ONLY:
        return json_reply(_upstream_error(fault, endpoint).body())
    if fault.kind == "slow":
        return Reply(200, [Pause(fault.delay or 0.0), whole])
    if fault.kind == "stall":
        return Reply(200, [Pause(fault.delay), whole])
    if fault.kind == "reset":
        return Reply(200, [HangUp(reset=True)], chunked=True)
    if fault.kind == "cut":
        return Reply(200, [whole[: len(whole) // 2], HangUp(reset=False)], chunked=True)
    if fault.kind in ("half_json", "bad_data_line"):
        return Reply(200, [whole[: len(whole) // 2]])
    if fault.kind == "invalid_utf8":
        return Reply(200, [whole.replace(b'"content":"', b'"content":"\xff\xfe', 1)])
    if fault.kind in ("mid_stream_error", "choice_error"):
        return json_reply(_with_choice_error(body, fault, endpoint))
    if fault.kind == "empty":
        return json_reply(_emptied(body))
    if fault.kind == "no_finish":
        return json_reply(_unfinished(body))
    return _instead(fault, endpoint, body, "application/json") or json_reply(body)


def spoil_stream(
    fault: Fault,
    chunks: Sequence[Mapping[str, Any]],
    endpoint: Endpoint,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Reply:
    """Spoil a stream."""
    instead = _instead(fault, endpoint, body, "text/event-stream")
    if instead is not None:
        return instead
    steps = _spoiled(fault, chunks, endpoint)
    return Reply(200, steps, headers, "text/event-stream", chunked=True)


def _instead(fault: Fault, endpoint: Endpoint, body: Mapping[str, Any], media: str) -> Reply | None:
    """Give what comes instead of an answer of whatever form."""
    if fault.kind == "html":
        return Reply(fault.status or 502, [_HTML], _retry_after(fault), "text/html; charset=utf-8")
    if fault.kind == "empty_body":
        return Reply(fault.status or 200, [], {}, media)
    if fault.kind == "error_in_200":
        error = json_bytes(_upstream_error(fault, endpoint).body())
        if media == "application/json":
            return Reply(200, [error])
        return Reply(200, [b"data: " + error + b"\n\n", DONE], {}, media, chunked=True)
    if fault.kind == "availability":
        details = {name: value for name, value in fault.details.items() if name != "code"}
        code, retry = str(fault.details["code"]), fault.retry_after
        models = [str(body.get("model"))]
        return availability_error(code, models, retry_after=retry, **_only_known(details)).reply()
    return None


def _only_known(details: Mapping[str, object]) -> dict[str, Any]:
    """Keep `message` a text; everything else goes into the body as it is."""
    return {name: str(value) if name == "message" else value for name, value in details.items()}


def _spoiled(
    fault: Fault, chunks: Sequence[Mapping[str, Any]], endpoint: Endpoint
) -> Iterator[Step]:
    kind = fault.kind
    yield COMMENT
    if kind == "slow":
        yield Pause(fault.delay or 0.0)
        yield from (event(chunk) for chunk in chunks)
        yield DONE
        return
    if kind == "empty":
        yield from (event(_without_tokens(chunk)) for chunk in chunks if not _says_something(chunk))
        yield DONE
        return
    if kind in ("no_done", "no_finish", "duplicate_finish"):
        yield from _odd_end(kind, chunks)
        return
    before = chunks[: fault.after_chunks]
    yield from (event(chunk) for chunk in before)
    rest = chunks[fault.after_chunks :]
    if kind == "reset":
        yield HangUp(reset=True)
    elif kind == "cut" and fault.details.get("abrupt"):
        yield HangUp(reset=False)
    elif kind == "half_json":
        whole = event((rest or chunks)[0])
        yield whole[: len(whole) // 2]
    elif kind in ("mid_stream_error", "choice_error"):
        yield event(_error_chunk(fault, chunks[0], endpoint))
        yield DONE
    elif kind == "stall":
        yield from _stalled(fault)
        yield from (event(chunk) for chunk in rest)
        yield DONE
    elif kind in ("bad_data_line", "invalid_utf8"):
        yield b'data: {"id": "gen-\n\n' if kind == "bad_data_line" else _not_utf8(chunks[0])
        yield from (event(chunk) for chunk in rest)
        yield DONE


def _stalled(fault: Fault) -> Iterator[Step]:
    """Wait, for ever unless the fault has a delay; with `comments` there are signs of life."""
    if not fault.details.get("comments"):
        yield Pause(fault.delay)
        return
    waited = 0.0
    while fault.delay is None or waited < fault.delay:
        yield COMMENT
        yield Pause(_ALIVE_EVERY)
        waited += _ALIVE_EVERY


def _odd_end(kind: str, chunks: Sequence[Mapping[str, Any]]) -> Iterator[Step]:
    for chunk in chunks:
        finishing = any(choice.get("finish_reason") for choice in chunk["choices"])
        if kind == "no_finish" and finishing:
            continue
        yield event(chunk)
        if kind == "duplicate_finish" and finishing:
            yield event(chunk)
    if kind != "no_done":
        yield DONE


def _says_something(chunk: Mapping[str, Any]) -> bool:
    ignored = {"role", "content"}
    deltas = [choice["delta"] for choice in chunk["choices"]]
    return any(d.get("content") or d.keys() - ignored for d in deltas)


def _not_utf8(chunk: Mapping[str, Any]) -> bytes:
    delta = {"role": "assistant", "content": "?"}
    choice = {**chunk["choices"][0], "delta": delta}
    return event({**chunk, "choices": [choice]}).replace(b'"?"', b'"\xff\xfe"')


def _upstream_error(fault: Fault, endpoint: Endpoint) -> ServiceError:
    status = fault.status or 502
    details = {
        "provider_name": endpoint.provider,
        "raw": fault.details.get("raw", "upstream connection lost"),
        "provider_code": str(fault.details.get("provider_code", status)),
    }
    kind = fault.details.get("error_type", "provider_unavailable")
    message = str(fault.details.get("message", "Provider disconnected"))
    return ServiceError(status, message, error_type=str(kind), metadata=details)


def _error(fault: Fault, endpoint: Endpoint) -> dict[str, Any]:
    whole: Any = _upstream_error(fault, endpoint).body()["error"]
    return {name: whole[name] for name in ("code", "message", "metadata")}


def _error_chunk(fault: Fault, like: Mapping[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "delta": {"role": "assistant", "content": ""}}
    choice |= {"finish_reason": "error", "native_finish_reason": "error", "logprobs": None}
    error = _error(fault, endpoint)
    chunk = {name: value for name, value in like.items() if name != "choices"}
    if fault.kind == "choice_error":
        return {**chunk, "choices": [{**choice, "error": error}]}
    return {**chunk, "choices": [choice], "error": error}


def _with_choice_error(body: Mapping[str, Any], fault: Fault, endpoint: Endpoint) -> dict[str, Any]:
    first = dict(body["choices"][0])
    content = first["message"].get("content") or ""
    first["message"] = {**first["message"], "content": content[: len(content) // 2]}
    first |= {"finish_reason": "error", "native_finish_reason": "error"}
    return {**body, "choices": [{**first, "error": _error(fault, endpoint)}]}


def _emptied(body: Mapping[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": ""}
    choices = [{**choice, "message": message} for choice in body["choices"]]
    return _without_tokens({**body, "choices": choices})


def _without_tokens(body: Mapping[str, Any]) -> dict[str, Any]:
    """Count no completion tokens, as the service does for an answer that holds nothing."""
    usage = body.get("usage")
    if not isinstance(usage, Mapping):
        return dict(body)
    counted = {"completion_tokens": 0, "total_tokens": usage.get("prompt_tokens", 0)}
    return {**body, "usage": {**usage, **counted}}


def _unfinished(body: Mapping[str, Any]) -> dict[str, Any]:
    ending = {"finish_reason": None, "native_finish_reason": None}
    return {**body, "choices": [{**choice, **ending} for choice in body["choices"]]}


def _retry_after(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}


def spoil_listing(fault: Fault, reply: Reply) -> Reply:
    """Spoil the answer of a path that only tells, such as `/models`.

    Raises:
        ServiceError: The fault answers with an error.
    """
    status = fault.failure_status
    if status is not None:
        _, kind, message = FAILURES[fault.kind]
        raise ServiceError(
            status,
            str(fault.details.get("message", message)),
            error_type=str(fault.details.get("error_type", kind)),
            headers=_retry_after(fault),
        )
    whole = b"".join(step for step in reply.steps if isinstance(step, bytes))
    if fault.kind in ("reset", "cut"):
        return Reply(200, [HangUp(reset=fault.kind == "reset")], chunked=True)
    if fault.kind in ("slow", "stall"):
        return Reply(200, [Pause(fault.delay), whole])
    if fault.kind == "html":
        return Reply(fault.status or 502, [_HTML], _retry_after(fault), "text/html; charset=utf-8")
    if fault.kind == "invalid_utf8":
        return Reply(200, [whole.replace(b'"', b'"\xff\xfe', 1)])
    return Reply(200, [] if fault.kind == "empty_body" else [whole[: len(whole) // 2]])
