"""Embeddings and reranking: what is sent, and how the answers are read."""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openrouter_routing import errors
from openrouter_routing._json_values import as_mapping, as_number
from openrouter_routing.completion import Completion
from openrouter_routing.request import checked_model
from openrouter_routing.route import Route

if TYPE_CHECKING:
    from openrouter_routing._call import Call


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The vectors of a batch, in the order of its texts.

    Attributes:
        vectors: A vector for each text.
        route: Where the request went and what it cost.
        raw: The wire object.
    """

    vectors: list[list[float]]
    route: Route
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One reranked document: its place in the request and its score, the higher the better."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The documents of a rerank request, best first.

    Attributes:
        results: Places and scores.
        route: Where the request went and what it cost.
        raw: The wire object.
    """

    results: list[Ranked]
    route: Route
    raw: dict[str, Any]


def embeddings_body(
    model: object,
    texts: Sequence[str],
    *,
    dimensions: int | None = None,
    encoding_format: str | None = None,
    input_type: str | None = None,
) -> dict[str, Any]:
    """Build the body of an embeddings request.

    Raises:
        BadRequestError: The model or the batch is empty, or an entry is no text.
    """
    if not texts or isinstance(texts, str):
        raise errors.BadRequestError("an embeddings request takes a list with at least one text")
    for place, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            raise errors.BadRequestError(
                f"text {place} of the batch is empty or no text; the API takes neither"
            )
    body: dict[str, Any] = {"model": checked_model(model), "input": list(texts)}
    named = {
        "dimensions": dimensions,
        "encoding_format": encoding_format,
        "input_type": input_type,
    }
    body.update({name: value for name, value in named.items() if value is not None})
    return body


def rerank_body(
    model: object,
    query: str,
    documents: Sequence[str | Mapping[str, Any]],
    top_n: int | None = None,
) -> dict[str, Any]:
    """Build the body of a rerank request.

    Raises:
        BadRequestError: The model, the query or the documents are empty, or `top_n` is below 1.
    """
    if not query:
        raise errors.BadRequestError("query is empty: a rerank request needs one")
    if not documents or isinstance(documents, str):
        raise errors.BadRequestError("a rerank request takes a list with at least one document")
    if top_n is not None and top_n < 1:
        raise errors.BadRequestError(f"top_n must be 1 or more, got {top_n}")
    body: dict[str, Any] = {
        "model": checked_model(model),
        "query": query,
        "documents": list(documents),
    }
    if top_n is not None:
        body["top_n"] = top_n
    return body


def read_embeddings(call: Call, body: Any, headers: Mapping[str, str], count: int) -> Embeddings:
    """Read an embeddings answer and put its vectors in the order of the texts.

    Raises:
        ResponseParseError: There is not exactly one vector for each text.
    """
    completion = call.completion(body if isinstance(body, dict) else {}, headers)
    call.record(completion.route)
    vectors: dict[int, list[float]] = {}
    repeated: list[int] = []
    for place, entry in enumerate(_entries(completion, "data")):
        index, vector = entry.get("index"), _vector(entry.get("embedding"))
        if index is None:
            index = place
        if type(index) is int and vector is not None:
            if index in vectors:
                repeated.append(index)
            vectors[index] = vector
    if repeated or sorted(vectors) != list(range(count)):
        twice = f", text {repeated[0]} twice" if repeated else ""
        raise _unusable(
            call,
            completion,
            f"{len(vectors) + len(repeated)} vectors for {count} texts{twice}; check that it is an embedding model: "
            "https://openrouter.ai/models?output_modalities=embeddings",
        )
    call.check_route(completion)
    return Embeddings([vectors[index] for index in range(count)], completion.route, completion.raw)


def read_ranking(call: Call, body: Any, headers: Mapping[str, str], count: int) -> Ranking:
    """Read a rerank answer.

    Raises:
        ResponseParseError: It holds no results, one that cannot be read, or one for a document that was not sent or
            has one already.
    """
    completion = call.completion(body if isinstance(body, dict) else {}, headers)
    call.record(completion.route)
    scores: dict[int, float] = {}
    entries = _entries(completion, "results")
    for entry in entries:
        index, score = entry.get("index"), _score(entry.get("relevance_score"))
        if type(index) is int and 0 <= index < count and score is not None:
            scores[index] = score
    if not scores or len(scores) < len(entries):
        raise _unusable(
            call,
            completion,
            f"{len(entries)} results, {len(scores)} of them usable, for {count} documents; "
            "check that it is a rerank model",
        )
    call.check_route(completion)
    results = [Ranked(index, score) for index, score in scores.items()]
    results.sort(key=lambda result: -result.score)
    return Ranking(results, completion.route, completion.raw)


def _entries(completion: Completion, name: str) -> list[Mapping[str, Any]]:
    entries = completion.raw.get(name)
    return [as_mapping(entry) for entry in entries] if isinstance(entries, list) else []


def _unusable(call: Call, completion: Completion, what: str) -> errors.ResponseParseError:
    return errors.ResponseParseError(
        f"{call.model} answered with {what}",
        status=call.status,
        provider=completion.route.provider,
        generation_id=completion.route.generation_id,
        retryable=False,
    )


def _score(score: object) -> float | None:
    """Return a score, or None where it is no number: a text is none, as it is none in the API."""
    return None if isinstance(score, str) else as_number(score)


def _vector(embedding: object) -> list[float] | None:
    """Return a vector, or None where the entry holds none: the caller misses it then."""
    try:
        if isinstance(embedding, str):
            numbers = array("f")
            numbers.frombytes(base64.b64decode(embedding, validate=True))
            vector = numbers.tolist()
        elif isinstance(embedding, list) and (kinds := set(map(type, embedding))) <= {float, int}:
            vector = list(embedding) if kinds == {float} else [float(n) for n in embedding]
        else:
            return None
    except (ValueError, OverflowError):
        return None
    # The sum tells of most vectors that they are finite, in a third of the time.
    finite = math.isfinite(sum(vector)) or all(map(math.isfinite, vector))
    return vector if vector and finite else None
