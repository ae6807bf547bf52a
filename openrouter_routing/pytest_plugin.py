"""The pytest fixture `openrouter_emulator`; loaded by every test run, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from openrouter_routing.emulator import Emulator


@pytest.fixture
def openrouter_emulator() -> Iterator[Emulator]:
    """A running emulator of OpenRouter, fresh for each test; see `openrouter_routing.emulator`."""
    from openrouter_routing.emulator import Emulator

    with Emulator() as emulator:
        yield emulator
