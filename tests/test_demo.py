"""`make demo`: a person reads the table, and it is true."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def printed() -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "openrouter_routing.cli.demo"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _row(printed: str, call: str) -> str:
    return "\n".join(line for line in printed.splitlines() if line.strip().startswith(call))


def test_a_pinned_call_is_served_by_the_provider_it_named(printed: str) -> None:
    assert "Groq" in _row(printed, "provider= per call")


def test_a_fallback_model_serves_while_the_primary_is_down(printed: str) -> None:
    row = _row(printed, "models= per call")
    assert "anthropic/claude-haiku-4" in row
    assert "end_turn" in row
    assert "yes" in row


def test_the_query_engine_answers_from_the_guide(printed: str) -> None:
    assert "zero data retention, which keep no prompt at all" in printed
    assert "DeepInfra" in _row(printed, "query, sort=price")


def test_the_totals_add_up(printed: str) -> None:
    assert "10 requests, 1 served by a fallback model" in printed


def test_live_without_a_key_says_what_to_do() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "openrouter_routing.cli.demo", "--live"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "--live talks to OpenRouter: set OPENROUTER_API_KEY first" in done.stdout
