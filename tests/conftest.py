"""Settings of the whole test run: no key, no network, and as many hypothesis examples as CI asks for."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci", max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "quick", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "quick")

_OURS = ("OPENROUTER_", "LANGSMITH_", "LANGCHAIN_")


@pytest.fixture(autouse=True)
def _clean_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep keys, proxies and tracing of the machine out of the tests."""
    if request.node.get_closest_marker("live"):
        if not os.environ.get("OPENROUTER_API_KEY"):
            pytest.skip("needs OPENROUTER_API_KEY")
        return
    for name in list(os.environ):
        if name.startswith(_OURS) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
