"""Ask one package's model each case of `reliability`, with a hard time limit; runs in that package's own environment.

Reads a JSON list of cases on stdin (`url`, `stream`, `options`) and prints one JSON line for each.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

LIMIT = 20.0
"""Seconds after which a call that has not ended counts as hanging."""
TIMEOUT = 3
"""Seconds: the timeout that each model is given, in the unit it takes."""
KEY = "sk-or-v1-0123456789"


def langchain(package: str, case: dict[str, Any]) -> str:
    """Ask a LangChain model; return its text."""
    if package == "langchain-openrouter":
        from langchain_openrouter import ChatOpenRouter

        timeout = TIMEOUT * 1000
    else:
        from langchain_openrouter_routing import ChatOpenRouter

        timeout = TIMEOUT
    model = ChatOpenRouter(
        model="openai/gpt-5-mini",
        api_key=KEY,
        base_url=case["url"],
        timeout=timeout,
        **case["options"],
    )
    if case["stream"]:
        return "".join(chunk.content for chunk in model.stream("Hi"))
    return model.invoke("Hi").content


def llamaindex(package: str, case: dict[str, Any]) -> str:
    """Ask a LlamaIndex model; return its text."""
    from llama_index.core.llms import ChatMessage

    if package == "llama-index-llms-openrouter":
        from llama_index.llms.openrouter import OpenRouter
    else:
        from llamaindex_openrouter_routing import OpenRouter
    options = {"max_retries": 2, **case["options"]}
    model = OpenRouter(
        model="openai/gpt-5-mini", api_key=KEY, api_base=case["url"], timeout=TIMEOUT, **options
    )
    message = ChatMessage(role="user", content="Hi")
    if case["stream"]:
        return "".join(chunk.delta or "" for chunk in model.stream_chat([message]))
    return model.chat([message]).message.content or ""


def run(package: str, case: dict[str, Any]) -> dict[str, Any]:
    """Ask one case."""
    outcome: dict[str, Any] = {}

    def ask() -> None:
        try:
            outcome["text"] = (langchain if "langchain" in package else llamaindex)(package, case)
        except BaseException as error:
            outcome["error"] = type(error).__name__
            partial = getattr(error, "partial", None)
            outcome["partial"] = partial.text if partial is not None else None

    started = time.monotonic()
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(case.get("limit", LIMIT))
    outcome = dict(outcome) if not thread.is_alive() else {"hangs": True}
    return {**outcome, "seconds": time.monotonic() - started}


def main() -> None:
    """Run all cases."""
    package = sys.argv[1]
    for case in json.load(sys.stdin):
        print("OUTCOME " + json.dumps(run(package, case)), flush=True)
    # Calls that hang are not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
