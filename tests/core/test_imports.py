"""Importing one part of the house does not open the others: fresh interpreters look at sys.modules."""

from __future__ import annotations

import subprocess
import sys

import pytest

LANGCHAIN = ("langchain_core", "langchain", "langchain_openrouter_routing")
LLAMAINDEX = ("llama_index", "llamaindex_openrouter_routing")
EXTRAS = (
    "openrouter_routing.emulator",
    "openrouter_routing.cli",
    "starlette",
    "uvicorn",
    "typer",
    "rich",
)
TRANSPORTS = ("httpx", "aiohttp", "httpx_aiohttp", "stamina")


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def _loaded_by(module: str, names: tuple[str, ...]) -> list[str]:
    done = _run(f"import sys, {module}; print([n for n in {names!r} if n in sys.modules])")
    assert done.returncode == 0, done.stderr
    return eval(done.stdout)


def test_the_core_imports_no_framework_no_emulator_no_command_line_and_no_transport() -> None:
    assert _loaded_by("openrouter_routing", LANGCHAIN + LLAMAINDEX + EXTRAS + TRANSPORTS) == []


@pytest.mark.parametrize(
    ("adapter", "others"),
    [("langchain_openrouter_routing", LLAMAINDEX), ("llamaindex_openrouter_routing", LANGCHAIN)],
)
def test_an_adapter_imports_neither_the_other_framework_nor_the_extras(
    adapter: str, others: tuple[str, ...]
) -> None:
    forbidden = others + tuple(name for name in EXTRAS if name.startswith("openrouter"))
    assert _loaded_by(adapter, forbidden) == []


@pytest.mark.parametrize(
    ("adapter", "framework"),
    [
        ("langchain_openrouter_routing", "langchain_core.language_models.chat_models"),
        ("llamaindex_openrouter_routing", "llama_index.core.llms.function_calling"),
    ],
)
def test_an_adapter_imports_no_transport_that_its_framework_does_not(
    adapter: str, framework: str
) -> None:
    transports = (*TRANSPORTS, "httpx_sse")
    assert _loaded_by(adapter, transports) == _loaded_by(framework, transports)


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("langchain_openrouter_routing", "langchain_core", "langchain"),
        ("llamaindex_openrouter_routing", "llama_index", "llamaindex"),
        ("openrouter_routing.emulator", "starlette", "emulator"),
    ],
)
def test_a_missing_framework_says_what_to_install(module: str, missing: str, extra: str) -> None:
    done = _run(
        f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
import {module} as module
getattr(module, "Emulator", None)
"""
    )
    assert done.returncode != 0
    assert f"pip install 'openrouter-routing[{extra}]'" in done.stderr
