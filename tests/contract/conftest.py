from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openrouter_routing.emulator import Emulator

from .environments import python_of
from .foreign import KEY, ForeignClient


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            # The first test may have to build an environment, and that takes as long as it takes.
            item.add_marker(pytest.mark.timeout(60, func_only=True))


def _python(name: str) -> Path:
    try:
        return python_of(name)
    except subprocess.CalledProcessError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(
            f"no {name} environment and pip cannot build it: run `make contract` (pip: {error.returncode})"
        )


@pytest.fixture(scope="session")
def newest() -> Path:
    return _python("contract-newest")


@pytest.fixture(scope="session")
def with_langchain() -> Path:
    return _python("contract-langchain")


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    shared_emulator.clear()
    return shared_emulator


@pytest.fixture(scope="session")
def guarded() -> Iterator[Emulator]:
    """An emulator that knows one key only, and cuts its writes in the middle of characters."""
    with Emulator(api_key=KEY, split_bytes=3) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def sdk_newest_process(shared_emulator: Emulator, newest: Path) -> Iterator[ForeignClient]:
    with ForeignClient(newest, "openrouter_client.py", shared_emulator, "openrouter") as client:
        yield client


@pytest.fixture(scope="session")
def sdk_older_process(shared_emulator: Emulator, with_langchain: Path) -> Iterator[ForeignClient]:
    with ForeignClient(
        with_langchain, "openrouter_client.py", shared_emulator, "openrouter"
    ) as client:
        yield client


@pytest.fixture(params=["newest", "older"])
def sdk(request: pytest.FixtureRequest, emulator: Emulator) -> ForeignClient:
    """The official SDK: its newest version, and the one langchain-openrouter keeps to."""
    return request.getfixturevalue(f"sdk_{request.param}_process")


@pytest.fixture(scope="session")
def openai_process(shared_emulator: Emulator, newest: Path) -> Iterator[ForeignClient]:
    with ForeignClient(newest, "openai_client.py", shared_emulator, "openai") as client:
        yield client


@pytest.fixture
def openai(openai_process: ForeignClient, emulator: Emulator) -> ForeignClient:
    return openai_process


@pytest.fixture(scope="session")
def llamaindex_process(shared_emulator: Emulator, newest: Path) -> Iterator[ForeignClient]:
    script, package = "llamaindex_client.py", "llama_index.llms.openrouter"
    with ForeignClient(newest, script, shared_emulator, package) as client:
        yield client


@pytest.fixture
def llamaindex(llamaindex_process: ForeignClient, emulator: Emulator) -> ForeignClient:
    return llamaindex_process


@pytest.fixture(scope="session")
def langchain_process(shared_emulator: Emulator, with_langchain: Path) -> Iterator[ForeignClient]:
    script, package = "langchain_client.py", "langchain_openrouter"
    with ForeignClient(with_langchain, script, shared_emulator, package) as client:
        yield client


@pytest.fixture
def langchain(langchain_process: ForeignClient, emulator: Emulator) -> ForeignClient:
    return langchain_process


@pytest.fixture(scope="session")
def migrated_langchain(shared_emulator: Emulator) -> Iterator[ForeignClient]:
    """The same code with the other import, in this environment."""
    script, package = "langchain_client.py", "langchain_openrouter_routing"
    with ForeignClient(sys.executable, script, shared_emulator, package) as client:
        yield client


@pytest.fixture(scope="session")
def migrated_llamaindex(shared_emulator: Emulator) -> Iterator[ForeignClient]:
    """The same code with the other import, in this environment."""
    script, package = "llamaindex_client.py", "llamaindex_openrouter_routing"
    with ForeignClient(sys.executable, script, shared_emulator, package) as client:
        yield client
