"""Our LLM through the conformance suite, and the suite's own command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llamaindex_openrouter_routing import OpenRouter
from tests.llamaindex.conformance import CHECKS, Check, main, markdown, run_check


@pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
def test_our_llm(check: Check) -> None:
    assert run_check(check, OpenRouter) is None


def test_a_class_that_does_not_conform_is_told_why() -> None:
    class Silent(OpenRouter):
        def chat(self, messages, **kwargs):  # type: ignore[no-untyped-def]
            raise ValueError("no answer")

    reasons = {check.name: run_check(check, Silent) for check in CHECKS[:2]}
    assert reasons == {
        "eight_methods": "ValueError: no answer",
        "nothing_unset": "ValueError: no answer",
    }


def test_columns_of_other_environments_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.llamaindex.conformance.CHECKS", CHECKS[:1])
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"other:LLM": {"eight_methods": "a | b"}}), encoding="utf-8")
    assert main(["--markdown", "--add", str(other)]) == 0
    table = capsys.readouterr().out
    assert "| all eight methods answer | yes | no: a \\| b |" in table
    assert "**1 of 1** | **0 of 1**" in table
    assert main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "llamaindex_openrouter_routing:OpenRouter": {"eight_methods": None}
    }
    assert markdown({}).startswith("| |")
