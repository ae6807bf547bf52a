"""What the documentation shows runs: the examples of every public docstring, and the blocks of the README."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("openrouter_routing", "langchain_openrouter_routing", "llamaindex_openrouter_routing")
# Starting these as modules is their job.
SCRIPTS = ("__main__", "openrouter_routing.emulator.pytest_plugin")


def _modules() -> list[str]:
    names = []
    for package in PACKAGES:
        root = importlib.import_module(package)
        names.append(package)
        names.extend(
            found.name
            for found in pkgutil.walk_packages(root.__path__, f"{package}.")
            if not found.name.endswith(SCRIPTS)
        )
    return names


@pytest.mark.parametrize("name", _modules())
def test_the_examples_of_a_module_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(name)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-example")
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(module, optionflags=flags).failed == 0


def _undocumented(module: ModuleType) -> list[str]:
    missing = []
    for name in getattr(module, "__all__", ()):
        public = getattr(module, name)
        if (
            not isinstance(public, (str, tuple))
            and not (getattr(public, "__doc__", None) or "").strip()
        ):
            missing.append(name)
    return missing


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_public_is_documented(package: str) -> None:
    assert _undocumented(importlib.import_module(package)) == []


def _blocks() -> list[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    return [block for block in blocks if ">>>" not in block]


def test_the_errors_of_the_readme_are_what_is_raised() -> None:
    from langchain_openrouter_routing import ChatOpenRouter

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r">>> (.+)\n(\w+: .+)\n", readme)
    names = {
        "ChatOpenRouter": ChatOpenRouter,
        "model": ChatOpenRouter(model="openai/gpt-5-mini", api_key="sk-or-example"),
    }
    assert len(shown) == 2
    for code, error in shown:
        with pytest.raises(Exception) as caught:
            eval(code, dict(names))
        assert f"{type(caught.value).__name__}: {caught.value}" == error


def test_the_readme_has_an_example_for_each_framework() -> None:
    assert len(_blocks()) >= 2


@pytest.mark.parametrize("block", _blocks(), ids=lambda block: block.split("\n", 1)[0][:40])
def test_an_example_of_the_readme_runs(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from openrouter_routing.emulator import Emulator

    with Emulator() as emulator:
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-example")
        exec(compile(block, "README.md", "exec"), {})
        assert emulator.requests


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    ],
)
def test_links_inside_the_repository_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [
        target
        for target in targets
        if target and "://" not in target and not (ROOT / page).parent.joinpath(target).exists()
    ]
    assert missing == []
