"""What the documentation shows runs: the examples of every public docstring, the README, and every page in docs/."""

from __future__ import annotations

import doctest
import gc
import importlib
import inspect
import logging
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain.chat_models import base
from llama_index.core import Settings

from openrouter_routing import ClientSettings, OpenRouterError, close_clients, errors, model_table
from openrouter_routing.emulator import Emulator
from openrouter_routing.emulator._faults import FAILURES, SPOILERS
from openrouter_routing.preferences import PROVIDER_FIELDS, ROUTING_FIELDS

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
PACKAGES = ("openrouter_routing", "langchain_openrouter_routing", "llamaindex_openrouter_routing")
# Starting these as modules is their job.
SCRIPTS = ("__main__", "openrouter_routing.emulator.pytest_plugin")
DOCTEST_FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


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
    assert doctest.testmod(module, optionflags=DOCTEST_FLAGS).failed == 0


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
    with Emulator() as emulator:
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-example")
        exec(compile(block, "README.md", "exec"), {})
        assert emulator.requests


# The pages in docs/


def _page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _python_blocks(name: str) -> Iterator[tuple[str, int]]:
    """Yield the Python blocks of a page, each with the number of lines before it."""
    text = _page(name)
    for found in re.finditer(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
        yield found[1], text.count("\n", 0, found.start(1))


def _run(page: str, block: str, before: int, namespace: dict[str, Any]) -> None:
    """Run one block: as a doctest where it shows what comes out, else as a script."""
    if not block.startswith(">>>"):
        exec(compile("\n" * before + block, f"docs/{page}", "exec"), namespace)
        return
    test = doctest.DocTestParser().get_doctest(block, {}, page, f"docs/{page}", before)
    test.globs = namespace
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=DOCTEST_FLAGS)
    assert runner.run(test, out=said.append, clear_globs=False).failed == 0, "".join(said)


@pytest.fixture
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take back what a page may change for the whole process."""
    monkeypatch.setattr(model_table, "_table", model_table._table)
    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", dict(base._BUILTIN_PROVIDERS))
    monkeypatch.setattr(Settings, "_llm", None)
    monkeypatch.setattr(Settings, "_embed_model", None)
    monkeypatch.setattr(logging.getLogger("openrouter_routing"), "level", logging.NOTSET)
    yield
    close_clients()


# What comes from LlamaIndex's agents and from its default memory, which leaves a database open.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.filterwarnings("ignore:asyncio_module")
@pytest.mark.filterwarnings("ignore:is_running called from within a step")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("_as_it_was")
@pytest.mark.parametrize("page", [page for page in PAGES if any(_python_blocks(page))])
def test_a_page_runs_from_top_to_bottom(
    page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The blocks of a page share their names, as in one session; tests that a page shows are run at the end."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with Emulator() as emulator:
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-example")
        for block, before in _python_blocks(page):
            _run(page, block, before, namespace)
        for name in [name for name in namespace if name.startswith("test_")]:
            wanted = inspect.signature(namespace[name]).parameters
            namespace[name](**{fixture: request.getfixturevalue(fixture) for fixture in wanted})
    namespace.clear()
    gc.collect()


@pytest.mark.parametrize("page", PAGES)
def test_no_python_hides_from_these_tests(page: str) -> None:
    fences = re.findall(r"^ *```(\S+)", _page(page), flags=re.MULTILINE)
    assert set(fences) <= {"python", "sh", "console", "text", "diff"}
    assert fences.count("python") == len(list(_python_blocks(page)))


def _links(page: str) -> set[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)}


def test_the_first_page_and_the_readme_lead_to_every_page() -> None:
    others = {page for page in PAGES if page != "index.md"}
    assert others <= _links("docs/index.md")
    assert {f"docs/{page}" for page in PAGES} <= _links("README.md")


_ERRORS = [
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, OpenRouterError)
]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("preferences.md", [*PROVIDER_FIELDS, *ROUTING_FIELDS]),
        ("errors.md", _ERRORS),
        ("testing.md", [*FAILURES, *SPOILERS]),
        ("settings.md", [field.name for field in fields(ClientSettings)]),
    ],
)
def test_a_table_has_a_row_for_each(page: str, names: list[str]) -> None:
    rows = re.findall(r"^\| (.+?) \|", _page(page), flags=re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set(names) - told == set()


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
