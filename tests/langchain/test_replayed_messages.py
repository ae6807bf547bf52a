"""Messages of other times and places: what cannot be sent is refused, and nothing of the rest is lost."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_openrouter_routing.errors import BadRequestError
from openrouter_routing.emulator import Emulator
from tests.langchain.conftest import MakeModel


@pytest.mark.parametrize("value", [date(2020, 1, 1), float("nan")], ids=["date", "nan"])
@pytest.mark.parametrize("form", ["tool_calls", "tool_use"])
def test_arguments_that_are_no_json_are_refused(
    emulator: Emulator, make_model: MakeModel, value: Any, form: str
) -> None:
    arguments = {"d": value}
    if form == "tool_calls":
        message = AIMessage("", tool_calls=[{"name": "n", "args": arguments, "id": "1"}])
    else:
        message = AIMessage([{"type": "tool_use", "id": "1", "name": "n", "input": arguments}])
    with pytest.raises(BadRequestError, match="the arguments of tool call 'n' are no JSON"):
        make_model().invoke([message])
    assert emulator.requests == []
