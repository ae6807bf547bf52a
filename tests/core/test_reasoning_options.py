from typing import Any

import pytest

from openrouter_routing.errors import BadRequestError
from openrouter_routing.reasoning_options import EFFORTS, SUMMARIES, check_reasoning


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("summary", SUMMARIES)
def test_known_words_pass(effort: str, summary: str) -> None:
    check_reasoning({"effort": effort, "summary": summary, "max_tokens": 7, "exclude": True})


@pytest.mark.parametrize(
    "value", [{}, {"effort": "gigantic"}, {"novel": 1}, {"enabled": None, "effort": None}]
)
def test_what_is_new_passes(value: dict[str, Any]) -> None:
    check_reasoning(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"effort": "hihg"}, "did you mean 'high'"),
        ({"effort": "medum"}, "did you mean 'medium'"),
        ({"efort": "high"}, "unknown key 'efort'; did you mean 'effort'"),
        ({"max_token": 5}, "did you mean 'max_tokens'"),
        ({"summary": "consise"}, "did you mean 'concise'"),
        ("high", "takes an object"),
        (["high"], "takes an object"),
    ],
)
def test_a_near_miss_is_refused(value: Any, text: str) -> None:
    with pytest.raises(BadRequestError, match=text):
        check_reasoning(value)
