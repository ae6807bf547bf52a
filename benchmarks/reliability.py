"""What each fault does to the packages people use today, and to this one: `python -m benchmarks.reliability`.

Every case is played byte by byte by a scripted server on loopback; the peers run in an environment of their own under
`.cache/peers`, built once. `--write` writes docs/reliability.md. The exit code is 1 where ours ends in the wrong way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers import ROOT, peer_python
from tests.scripted_server import (
    CLOSE,
    COMMENT,
    DONE,
    HANG,
    RESET,
    Answer,
    ScriptedServer,
    answer,
    chunk,
    error_answer,
    http_head,
    json_answer,
    raw_answer,
    stream_answer,
)

PAGE = ROOT / "docs" / "reliability.md"
PEERS = ("langchain-openrouter", "llama-index-llms-openrouter")
OURS = ("ours (langchain)", "ours (llamaindex)")
WHOLE = "Bern."
Outcome = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One fault: what is played, and whether a whole answer or an error is the right end."""

    fault: str
    played: list[Answer]
    stream: bool = False
    usable: bool = False
    requests: int = 1
    options: dict[str, Any] = field(default_factory=lambda: {"max_retries": 0})
    own: dict[str, Any] = field(default_factory=dict)
    redirects: bool = False


def _body(**changes: Any) -> dict[str, Any]:
    """Return an answer with all that OpenRouter's description requires, changed at its choice."""
    body = answer(WHOLE, system_fingerprint="fp_1")
    body["choices"][0].update(logprobs=None, **changes)
    return body


END = chunk(finish_reason="stop", native_finish_reason="completed")
FAILED = {
    "code": 502,
    "message": "Upstream idle timeout",
    "metadata": {"error_type": "provider_unavailable", "provider_name": "OpenAI"},
}
BUSY = error_answer(503, {"code": 503, "message": "Busy"})
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "cost": 0.0001}
NOTHING = {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}
ALL_THOUGHT = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 2}}
OK = json_answer(_body())
OK_STREAM = stream_answer(chunk(WHOLE), END, DONE)
RETRY: dict[str, Any] = {"max_retries": 2}
ON_EMPTY = {"on_empty": "raise"}


def limited(seconds: int) -> Answer:
    """Return a rate limit that names its wait."""
    return error_answer(
        429, {"code": 429, "message": "Slow down"}, headers={"Retry-After": str(seconds)}
    )


CASES = (
    Case("stream closed after the first words", [stream_answer(chunk("Be"))], stream=True),
    Case(
        "stream reset after the first words", [stream_answer(chunk("Be"), 0.1, RESET)], stream=True
    ),
    Case(
        "the documented error event in the stream",
        [stream_answer(chunk("Be"), {**chunk(finish_reason="error"), "error": FAILED}, DONE)],
        stream=True,
    ),
    Case(
        "an error event that also carries usage, with `finish_reason: null`",
        [stream_answer(chunk("Be"), {**chunk(), "error": FAILED, "usage": USAGE})],
        stream=True,
    ),
    Case(
        "an error event without `choices`",
        [stream_answer(chunk("Be"), {"error": FAILED})],
        stream=True,
    ),
    Case(
        '`finish_reason: "error"` and no more',
        [stream_answer(chunk("Be"), chunk(finish_reason="error"), DONE)],
        stream=True,
    ),
    Case("stream that falls silent", [stream_answer(chunk("Be"), HANG)], stream=True),
    Case(
        "stream that only sends keep-alive comments",
        [stream_answer(chunk("Be"), *([COMMENT, 0.2] * 200))],
        stream=True,
        own={"idle_timeout": 2.0},
    ),
    Case(
        "keep-alive comments and never a first token",
        [stream_answer(*([COMMENT, 0.2] * 200))],
        stream=True,
        own={"first_token_timeout": 2.0},
    ),
    Case(
        "a broken data line",
        [stream_answer(chunk("Be"), b'data: {"id": "gen-\n\n', chunk("rn."), END, DONE)],
        stream=True,
    ),
    Case(
        "invalid UTF-8",
        [stream_answer(chunk("Be"), b'data: {"x": "\xff\xfe"}\n\n', chunk("rn."), END, DONE)],
        stream=True,
    ),
    Case(
        "an HTML page with status 200",
        [raw_answer(b"<html>Busy</html>", content_type="text/html")],
        stream=True,
    ),
    Case("a stream with nothing in it", [stream_answer()], stream=True),
    Case(
        "finish and usage chunks sent twice",
        [stream_answer(chunk("Bern."), END, END, {**chunk(), "choices": [], "usage": USAGE}, DONE)],
        stream=True,
        usable=True,
    ),
    Case(
        "`delta: null`, an unknown finish reason, token counts as floats",
        [
            stream_answer(
                chunk(None, delta=None),
                chunk("Bern."),
                chunk(None, delta=None, finish_reason="brand_new"),
                {
                    **chunk(),
                    "choices": [],
                    "usage": {"prompt_tokens": 9.0, "completion_tokens": 2.0, "total_tokens": 11.0},
                },
                DONE,
            )
        ],
        stream=True,
        usable=True,
    ),
    Case(
        "an HTML page with status 200", [raw_answer(b"<html>Busy</html>", content_type="text/html")]
    ),
    Case("an empty body", [raw_answer(b"")]),
    Case("half of the JSON", [raw_answer(b'{"id": "gen-1", "choices": [{"mess')]),
    Case(
        "the connection closes inside the body",
        [
            [
                http_head(200, {"Content-Type": "application/json", "Content-Length": "999"}),
                b'{"id": "gen-1", "choices": [{"mess',
                0.1,
                CLOSE,
            ]
        ],
        options=RETRY,
    ),
    Case("an error in a 200 body", [json_answer({"error": FAILED})]),
    Case(
        "an error at the choice, beside half an answer",
        [
            json_answer(
                _body(
                    message={"role": "assistant", "content": "Be"},
                    finish_reason="error",
                    error=FAILED,
                )
            )
        ],
    ),
    Case(
        "an answer with nothing in it",
        [json_answer({**_body(message={"role": "assistant", "content": ""}), "usage": NOTHING})],
        own=ON_EMPTY,
    ),
    Case(
        "all tokens went into reasoning",
        [
            json_answer(
                {
                    **_body(
                        message={"role": "assistant", "content": "", "reasoning": "Hm."},
                        finish_reason="length",
                    ),
                    "usage": ALL_THOUGHT,
                }
            )
        ],
        own=ON_EMPTY,
    ),
    Case(
        "an answer without `id`, `usage` and `created`, and a new finish reason",
        [json_answer({"choices": [{"message": {"content": WHOLE}, "finish_reason": "brand_new"}]})],
        usable=True,
    ),
    Case("no answer before the timeout", [[HANG]]),
    Case("503 with `max_retries=0`", [BUSY]),
    Case("503, then an answer", [BUSY, OK], usable=True, requests=2, options=RETRY),
    Case(
        "429 with `Retry-After: 1`, then an answer",
        [limited(1), OK],
        usable=True,
        requests=2,
        options=RETRY,
    ),
    Case("429 with `Retry-After: 3600`", [limited(3600)], options=RETRY),
    Case("connection reset, then an answer", [[RESET], OK], usable=True, requests=2, options=RETRY),
    Case(
        "stream cut before its first word, then an answer",
        [stream_answer(COMMENT), OK_STREAM],
        stream=True,
        usable=True,
        requests=2,
        options=RETRY,
    ),
    Case("a redirect to another host", [], redirects=True),
)


def ask(package: str) -> list[Outcome]:
    """Run all cases with one package; returns their outcomes, with the number of requests each took."""
    with ExitStack() as stack:
        servers, elsewhere, cases = [], [], []
        for case in CASES:
            server = stack.enter_context(ScriptedServer())
            other = stack.enter_context(ScriptedServer())
            other.play(OK)
            server.play(*case.played)
            if case.redirects:
                # By its name, so that it is another host than the first one's address.
                target = f"http://localhost:{other.port}/api/v1/chat/completions"
                server.play([http_head(307, {"Location": target, "Content-Length": "0"})])
            own = case.own if package in OURS else {}
            cases.append(
                {
                    "url": server.base_url,
                    "stream": case.stream,
                    "options": {**case.options, **own},
                }
            )
            servers.append(server)
            elsewhere.append(other)
        python = peer_python() if package in PEERS else Path(sys.executable)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("OPENROUTER_")
        }
        done = subprocess.run(
            [python, "-P", "-W", "ignore", ROOT / "benchmarks" / "reliability_worker.py", package],
            input=json.dumps(cases), capture_output=True, text=True, check=False, timeout=900,
            cwd=ROOT, env={**environment, "PYTHONPATH": "" if package in PEERS else str(ROOT)},
        )  # fmt: skip
        outcomes = [
            json.loads(line.removeprefix("OUTCOME "))
            for line in done.stdout.splitlines()
            if line.startswith("OUTCOME ")
        ]
        if len(outcomes) != len(CASES):
            raise RuntimeError(f"{package}: {len(outcomes)} of {len(CASES)} cases\n{done.stderr}")
        for outcome, server, other in zip(outcomes, servers, elsewhere, strict=True):
            outcome["requests"] = len(server.requests)
            outcome["leaked"] = any(
                "authorization" in request.headers for request in other.requests
            )
            outcome["followed"] = bool(other.requests)
        return outcomes


def is_right(case: Case, outcome: Outcome) -> bool:
    """Whether a call ended as it should."""
    if outcome.get("hangs") or outcome["leaked"] or outcome["requests"] != case.requests:
        return False
    return outcome.get("text") == WHOLE if case.usable else "error" in outcome


def tell(case: Case, outcome: Outcome) -> str:
    """Say in a few words how a call ended."""
    if outcome.get("hangs"):
        said = "hangs"
    elif "error" in outcome:
        said = f"`{outcome['error']}`"
        if outcome.get("partial"):
            said += f", keeps {outcome['partial']!r}"
    elif case.redirects and outcome["followed"]:
        said = "follows it" + (" with the key" if outcome["leaked"] else " without the key")
    elif outcome["text"] == WHOLE:
        said = "the whole answer" if case.usable else "**answers as if nothing had happened**"
    else:
        said = f"**returns {outcome['text']!r} as a whole answer**"
    if outcome["requests"] != case.requests:
        said += f", {outcome['requests']} requests"
    return said


def table(outcomes: dict[str, list[Outcome]]) -> list[str]:
    """Return the lines of the table."""
    lines = [
        "| fault | asked for | langchain-openrouter 0.2.9 | llama-index-llms-openrouter 0.6.0 "
        "| ours, in LangChain | ours, in LlamaIndex |",
        "|---|---|---|---|---|---|",
    ]
    for place, case in enumerate(CASES):
        cells = [tell(case, outcomes[package][place]) for package in (*PEERS, *OURS)]
        how = "a stream" if case.stream else "an answer"
        lines.append(f"| {case.fault} | {how} | {' | '.join(cells)} |")
    return lines


INTRODUCTION = """# What goes wrong, and what then happens

This page is written by `python -m benchmarks.reliability --write`. A scripted server on loopback plays each
fault byte by byte to the two packages that are used most, in an environment of their own, and to this one. All
models are given a timeout of 3 seconds in their own unit, and `max_retries=0` except where the row is about
trying again (there it is 2). A call that has not ended after 20 seconds counts as hanging. Where this package
has a switch for the fault that the others lack (`idle_timeout`, `first_token_timeout`, `on_empty`), the row
uses it.

Words in bold are a broken answer that was handed over as a whole one.
"""

RULES = """
## The rules behind our columns

- A stream ends in one of two ways: whole (a finish reason or `[DONE]` was seen), or in a typed error. What had
  arrived by then is in the error's `partial`: text, reasoning, tool calls, usage and route. An error that
  was told in the stream is its `__cause__`.
- A request is sent again only before the first piece of its answer: after connection errors, 408, 409, 429 and
  5xx, and wherever the answer's `availability.retryable` says so. A read timeout is not followed by another
  attempt, because the first one may still be worked on and billed.
- The wait is the one the answer names (`Retry-After`, then `availability.retry_after`, then
  `X-RateLimit-Reset`), else an exponential backoff with jitter. A wait beyond `max_retry_wait` (60 seconds)
  raises the error at once, with `retry_after` set. Daily limits are not waited for.
- Each retry is a line of the logger `openrouter_routing` and is counted in the `retries` of the
  routes that `record_routes()` and the clients hand out.
- Keep-alive comments are no data: they do not reset `idle_timeout`, and `first_token_timeout` counts from the
  request. Time that your own code takes between two pieces is not counted.
- An empty answer is handed over unless `on_empty="raise"` or `"retry"` says otherwise; the error tells apart an
  answer that holds nothing from one whose tokens all went into reasoning.
- No redirect is followed, so the key reaches no other host.
- Leaving a stream's loop, closing it, or cancelling its task closes the connection at once, which ends the
  generation at providers that support it.

`python -m benchmarks.soak` drives the clients with every fault at once, from threads and tasks, and checks that
each request ends in exactly one right way.
"""


def main() -> int:
    """Measure, print the table, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    write = parser.parse_args().write
    peer_python()
    with ThreadPoolExecutor(2) as pool:
        outcomes = dict(zip((*PEERS, *OURS), pool.map(ask, (*PEERS, *OURS)), strict=True))
    lines = table(outcomes)
    print("\n".join(lines))
    wrong = [
        f"{package}: {case.fault}: {outcome}"
        for package in OURS
        for case, outcome in zip(CASES, outcomes[package], strict=True)
        if not is_right(case, outcome)
    ]
    print("\n".join(["", *wrong]) if wrong else "\nOurs ends every case in the right way.")
    if write:
        PAGE.write_text(f"{INTRODUCTION}\n{chr(10).join(lines)}\n{RULES}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
