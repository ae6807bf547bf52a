"""Finding things in a prompt: numbers, names, quoted words, sums, the sentence that answers."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})+(?:\.\d+)?|(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`")
_NAME = re.compile(r"\b[A-ZÀ-Þ][\w'-]*(?: (?:de |of |von )?[A-ZÀ-Þ][\w'-]*)*")
_EXPRESSION = re.compile(r"(?<![\w.])-?[(\d][\d\s.+*/\u00d7\u00f7()-]*[\d)]")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\w)[^.!?\n]*)*[.!?]*")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SMALL_WORDS = """
a about all also an and any are as at be been by can could did do does for from get give given
had has have how i if in into is it its me more my no not of on one or our out please question
query answer context set she should so some such tell than that the their them then there these
they this those to up us use used user using was we were what when where which who whom whose
why will with would you your
"""
_STOPWORDS = frozenset(_SMALL_WORDS.split())
_SPOKEN = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/"}
_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST_EXPRESSION = 200


def words(text: str) -> list[str]:
    """List the words of a text in lower case, without the small ones that carry no meaning.

    Snake and camel case are taken apart, so that `get_weather` and `getWeather` hold "weather".
    """
    apart = _CAMEL.sub(" ", text).replace("_", " ").lower()
    return [word for word in _WORD.findall(apart) if word not in _STOPWORDS]


def stems(text: str) -> set[str]:
    """Give the words of a text without a plural s, for comparing."""
    return {w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words(text)}


def numbers(text: str) -> list[float]:
    """List the numbers of a text in order."""
    return [float(found.replace(",", "")) for found in _NUMBER.findall(text)]


def quoted(text: str) -> list[str]:
    """List what stands in quotation marks."""
    return [next(part for part in found if part) for found in _QUOTED.findall(text)]


def names(text: str) -> list[str]:
    """List the capitalised words and runs of them, without those that only begin a sentence."""
    found = []
    for match in _NAME.finditer(text):
        name = match.group()
        before = text[: match.start()].rstrip()
        first, _, rest = name.partition(" ")
        starts = not before or before[-1] in ".!?:\n"
        if starts and (first.lower() in _STOPWORDS or not rest):
            name = rest if first.lower() in _STOPWORDS else ""
        if name and name.lower() not in _STOPWORDS:
            found.append(name)
    return found


def expression(text: str) -> str | None:
    """Find the longest sum in a text, such as `2 + 3 * (4 - 1)` or `2 plus 3`."""
    for word, sign in _SPOKEN.items():
        text = re.sub(rf"(?<=\d) +{word} +(?=[-\d(])", f" {sign} ", text)
    candidates = [m.group().strip() for m in _EXPRESSION.finditer(text)]
    sums = [c for c in candidates if evaluate(c) is not None]
    return max(sums, key=len, default=None)


def evaluate(text: str) -> str | None:
    """Work out a sum of at least one operation; None if it is none or cannot be worked out."""
    if len(text) > _LONGEST_EXPRESSION:
        return None
    try:
        tree = ast.parse(
            text.replace("\u00d7", "*").replace("\u00f7", "/").strip(), mode="eval"
        ).body
        if not isinstance(tree, ast.BinOp):
            return None
        result = _value(tree)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError):
        return None
    return number_text(result)


def number_text(number: float) -> str:
    """Write a number without a trailing .0."""
    return str(int(number)) if number == int(number) else f"{number:.10g}"


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError("not a sum")


def sentences(text: str) -> list[str]:
    """Cut a text into sentences; a line break ends one too."""
    return [s for s in (found.strip() for found in _SENTENCE.findall(text)) if _WORD.search(s)]


def best_sentence(context: str, question: str) -> str | None:
    """Find the sentence that shares most words with a question, the first of equals.

    A word counts less the more sentences have it. None when nothing is shared.
    """
    candidates = sentences(context)
    stemmed = [stems(sentence) for sentence in candidates]
    asked = stems(question)
    weights = {w: 1 / max(1, sum(w in s for s in stemmed)) for w in asked}
    scores = [sum(weights[word] for word in asked & found) for found in stemmed]
    best = max(range(len(scores)), key=lambda i: scores[i], default=None)
    return None if best is None or not scores[best] else candidates[best]


def after_label(text: str, label: Sequence[str]) -> str | None:
    """Find what follows a label: `city: Paris`, `city is Paris`, `city = "Paris"`, `in city Paris`."""
    spelled = r"[\s_-]*".join(re.escape(word) for word in label)
    pattern = rf"\b{spelled}\b\s*(?:[:=]|\bis\b|\bof\b|\bto\b|\bas\b|\bnamed\b|\bcalled\b)?\s*"
    match = re.search(pattern + r"(\"[^\"]+\"|'[^']+'|[^\s,.;:!?()\"']+)", text, re.IGNORECASE)
    if match is None:
        return None
    value = match.group(1).strip("\"'")
    return None if value.lower() in _STOPWORDS else value
