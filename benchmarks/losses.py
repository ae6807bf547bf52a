"""What happens to routing preferences and routing facts in the packages people use today, and in this one.

Each case writes down the same wish for each package, in the words that package offers, sends it to a scripted server
on loopback, and looks at the bytes that arrived or at what the caller got back. `python -m benchmarks.losses` prints
the table; `--write` puts it into the README. Ours runs in this environment, the others in `.cache/peers`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import ROOT, peer_python
from tests.scripted_server import ScriptedServer, json_answer

Outcome = dict[str, Any]
Bodies = list[dict[str, Any]]

ANSWER = {
    "id": "gen-1",
    "object": "chat.completion",
    "created": 1763800000,
    "model": "openai/gpt-4o-mini",
    "provider": "Azure",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello."},
            "finish_reason": "stop",
            "native_finish_reason": "completed",
        }
    ],
    "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
        "cost": 0.0001,
        "is_byok": True,
        "cost_details": {
            "upstream_inference_cost": 0.0009,
            "upstream_inference_prompt_cost": 0.0005,
            "upstream_inference_completions_cost": 0.0004,
        },
    },
    "openrouter_metadata": {
        "requested": "openai/gpt-5-mini",
        "strategy": "fallback",
        "region": "iad",
        "summary": "available=2, selected=Azure",
        "attempt": 2,
        "is_byok": True,
        "endpoints": {"total": 2, "available": []},
        "attempts": [{"provider": "OpenAI", "model": "openai/gpt-5-mini", "status": 503}],
    },
}


START, END = "<!-- make compare writes this table -->", "<!-- end -->"


@dataclass(frozen=True)
class Case:
    """One wish, written for each package; `kept` judges what came of it."""

    wish: str
    snippets: dict[str, str]
    kept: Callable[[Outcome, Bodies], bool]
    lost: str
    test: str


def _provider(bodies: Bodies) -> dict[str, Any]:
    return bodies[-1].get("provider", {}) if bodies else {}


def _refused(outcome: Outcome, bodies: Bodies) -> bool:
    return "error" in outcome and not bodies


LC, LI, OUR_LC, OUR_LI = (
    "langchain-openrouter",
    "llama-index-llms-openrouter",
    "ours (LangChain)",
    "ours (LlamaIndex)",
)
PACKAGES = (LC, LI, OUR_LC, OUR_LI)

_IMPORTS = {
    LC: "langchain_openrouter import ChatOpenRouter",
    LI: "llama_index.llms.openrouter import OpenRouter",
    OUR_LC: "langchain_openrouter_routing import ChatOpenRouter",
    OUR_LI: "llamaindex_openrouter_routing import OpenRouter",
}
_ADDRESS = {
    LC: "base_url=URL",
    LI: "api_base=URL, max_retries=0",
    OUR_LC: "base_url=URL, on_violation='ignore'",
    OUR_LI: "api_base=URL, on_violation='ignore'",
}
_PRELUDE = {
    package: f"from {_IMPORTS[package]} as M\n"
    f"kw = dict(model='openai/gpt-5-mini', api_key='sk-or-1', {_ADDRESS[package]})\n"
    for package in PACKAGES
}
_TOOL = "def tool(city: str) -> str:\n    'Look a city up.'\n    return city\n"
_LLAMAINDEX_TOOL = (
    _TOOL
    + "from llama_index.core.tools import FunctionTool\n"
    + "tools = [FunctionTool.from_defaults(tool)]\n"
)


def _chat(li: str = "") -> str:
    return f"from llama_index.core.llms import ChatMessage\nr = m.chat([ChatMessage(role='user', content='Hi')]{li})\n"


def _metadata(package: str) -> str:
    return (
        "meta = dict(r.response_metadata)\n"
        if package in (LC, OUR_LC)
        else "meta = dict(r.additional_kwargs)\n"
    )


def _in_all(
    lc: str, li: str, our_li: str | None = None, our_lc: str | None = None
) -> dict[str, str]:
    return {
        LC: lc,
        LI: li,
        OUR_LC: our_lc or lc.replace("openrouter_provider", "provider"),
        OUR_LI: our_li or li,
    }


def _constructed(provider: str) -> dict[str, str]:
    return _in_all(
        f"m = M(**kw, openrouter_provider={provider})\nr = m.invoke('Hi')\n",
        f"m = M(**kw, additional_kwargs={{'extra_body': {{'provider': {provider}}}}})\n" + _chat(),
        f"m = M(**kw, provider={provider})\n" + _chat(),
    )


def _read_metadata() -> dict[str, str]:
    return {
        package: f"m = M(**kw)\n{'r = m.invoke(chr(72))' if package in (LC, OUR_LC) else _chat()}\n{_metadata(package)}"
        for package in PACKAGES
    }


def _with_fallback() -> dict[str, str]:
    asked = "models=['openai/gpt-4o-mini']"
    calls = {
        LC: f"r = m.invoke('Hi', {asked})\n",
        LI: _chat(", extra_body={'models': ['openai/gpt-4o-mini']}"),
        OUR_LC: f"r = m.invoke('Hi', {asked})\n",
        OUR_LI: _chat(f", {asked}"),
    }
    return {package: f"m = M(**kw)\n{call}{_metadata(package)}" for package, call in calls.items()}


CASES = (
    Case(
        "`zdr=True` with a price limit in numbers",
        _constructed("{'zdr': True, 'max_price': {'prompt': 1}}"),
        lambda _, bodies: _provider(bodies).get("zdr") is True,
        "sent without any preference",
        "tests/core/test_preferences.py",
    ),
    Case(
        "a typo (`oder`) is an error",
        _constructed("{'oder': ['azure']}"),
        _refused,
        "sent, preference gone or refused by the server",
        "tests/core/test_preferences.py",
    ),
    Case(
        "a string where a list belongs is an error",
        _constructed("{'order': 'azure'}"),
        _refused,
        "sent, preference gone or refused by the server",
        "tests/core/test_preferences.py",
    ),
    Case(
        "a per-call `sort` keeps the model's `zdr`",
        _in_all(
            "m = M(**kw, openrouter_provider={'zdr': True})\nr = m.invoke('Hi', provider={'sort': 'price'})\n",
            "m = M(**kw, additional_kwargs={'extra_body': {'provider': {'zdr': True}}})\n"
            + _chat(", extra_body={'provider': {'sort': 'price'}}"),
            "m = M(**kw, provider={'zdr': True})\n" + _chat(", provider={'sort': 'price'}"),
        ),
        lambda _, bodies: _provider(bodies).get("zdr") is True and "sort" in _provider(bodies),
        "one of the two is lost",
        "tests/core/test_resolution.py",
    ),
    Case(
        "preferences survive `bind_tools` / `chat_with_tools`",
        _in_all(
            _TOOL
            + "m = M(**kw).bind(provider={'only': ['azure']}).bind_tools([tool])\nr = m.invoke('Hi')\n",
            _LLAMAINDEX_TOOL
            + "m = M(**kw, order=['azure'], is_function_calling_model=True)\n"
            + "only = {'provider': {'only': ['azure']}}\n"
            + "r = m.chat_with_tools(tools, user_msg='Hi', extra_body=only)\n",
            _LLAMAINDEX_TOOL
            + "m = M(**kw, order=['azure'])\n"
            + "r = m.chat_with_tools(tools, user_msg='Hi', provider={'only': ['azure']})\n",
            _TOOL
            + "m = M(**kw).with_routing(only=['azure']).bind_tools([tool])\nr = m.invoke('Hi')\n",
        ),
        lambda _, bodies: _provider(bodies).get("only") == ["azure"],
        "lost",
        "tests/langchain/test_every_way.py",
    ),
    Case(
        "the answer tells the provider and the native finish reason",
        _read_metadata(),
        lambda outcome, _: (
            outcome.get("meta", {}).get("provider") == "Azure"
            and outcome["meta"].get("native_finish_reason") == "completed"
        ),
        "dropped",
        "tests/langchain/test_chat_model.py",
    ),
    Case(
        "the answer tells that a fallback model served",
        _with_fallback(),
        lambda outcome, _: outcome.get("meta", {}).get("fallback_used") is True,
        "not told",
        "tests/core/test_route.py",
    ),
    Case(
        "the answer tells who was tried before (router metadata)",
        _read_metadata(),
        lambda outcome, _: "openrouter_metadata" in outcome.get("meta", {}),
        "dropped",
        "tests/core/test_route.py",
    ),
    Case(
        "the cost is there, and BYOK with it",
        _read_metadata(),
        lambda outcome, _: (
            outcome.get("meta", {}).get("cost") == 0.0001 and outcome["meta"].get("is_byok") is True
        ),
        "incomplete",
        "tests/core/test_route.py",
    ),
    Case(
        "nothing is sent that was not set",
        _in_all("m = M(**kw)\nr = m.invoke('Hi')\n", "m = M(**kw)\n" + _chat()),
        lambda _, bodies: bool(bodies) and set(bodies[-1]) <= {"model", "messages", "stream"},
        "defaults are added",
        "tests/core/test_request.py",
    ),
    Case(
        "the key does not show in `repr` and dumps",
        _in_all(
            "m = M(**kw)\nmeta = {'shown': 'sk-or-1' in repr(m) + repr(m.model_dump())}\n",
            "m = M(**kw)\nmeta = {'shown': 'sk-or-1' in repr(m) + repr(m.to_dict())}\n",
        ),
        lambda outcome, _: outcome.get("meta", {}).get("shown") is False,
        "shows",
        "tests/core/test_secrets.py",
    ),
)


def run_case(package: str, case: Case) -> bool:
    """Run one case with one package; returns whether the wish was kept."""
    with ScriptedServer() as server:
        server.play(json_answer(ANSWER))
        code = (
            f"import json\nURL = {server.base_url!r}\nout = {{}}\nmeta = None\ntry:\n"
            + "".join(
                f"    {line}\n"
                for line in (_PRELUDE[package] + case.snippets[package]).splitlines()
            )
            + "    out['meta'] = meta\nexcept Exception as error:\n    out['error'] = type(error).__name__\n"
            + "print('OUTCOME ' + json.dumps(out, default=str))\n"
        )
        python = peer_python() if package in (LC, LI) else Path(sys.executable)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("OPENROUTER_")
        }
        done = subprocess.run(
            [python, "-W", "ignore", "-c", code],
            capture_output=True, text=True, check=False, timeout=120, cwd=ROOT, env=environment,
        )  # fmt: skip
        lines = [line for line in done.stdout.splitlines() if line.startswith("OUTCOME ")]
        if not lines:
            raise RuntimeError(f"{package}, {case.wish}: no outcome\n{done.stderr}")
        outcome = json.loads(lines[-1].removeprefix("OUTCOME "))
        bodies = [request.json for request in server.requests if request.body]
        return case.kept(outcome, bodies)


def _row(case: Case, kept: dict[str, bool]) -> str:
    cells = ["kept" if kept[package] else case.lost for package in (LC, LI)]
    ours = "kept" if kept[OUR_LC] and kept[OUR_LI] else "LOST"
    return f"| {case.wish} | {' | '.join(cells)} | {ours} | [{Path(case.test).stem}]({case.test}) |"


def write_readme(rows: list[str]) -> None:
    """Put the table between its two marks in the README."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(START)
    after = rest.partition(END)[2]
    head = [
        "| what you ask for | langchain-openrouter 0.2.9 | llama-index-llms-openrouter 0.6.0 | ours | held by |",
        "|---|---|---|---|---|",
    ]
    table = "\n".join([*head, *rows])
    readme.write_text(f"{before}{START}\n{table}\n{END}{after}")


def main() -> int:
    """Run all cases and print the table; the exit code is 1 where ours loses anything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    write = parser.parse_args().write
    rows = []
    failed = False
    for case in CASES:
        kept = {package: run_case(package, case) for package in PACKAGES}
        failed = failed or not (kept[OUR_LC] and kept[OUR_LI])
        rows.append((case, kept))
        marks = "  ".join(f"{'kept' if kept[package] else 'LOST':>4}" for package in PACKAGES)
        print(f"{marks}  {case.wish}")
    if write:
        write_readme([_row(case, kept) for case, kept in rows])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
