"""What common models can do: context lengths, modalities, abilities, by any spelling of a model's name.

The bundled figures are a start (the file says of when they are); `learn_models` replaces them by what `GET /models`
answers. Both frameworks ask here: LangChain for a model's profile, LlamaIndex for its metadata.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Self

from openrouter_routing._json_values import as_count, as_mapping, as_text


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What one model can do.

    Args:
        id: Such as `"anthropic/claude-sonnet-4.5"`.
        canonical_slug: Its dated, permanent id, where known.
        name: Its display name, where known.
        context_length: Tokens of prompt and answer together.
        max_output_tokens: Tokens of the answer.
        input_modalities: Such as `("text", "image", "file")`.
        output_modalities: Such as `("text",)`, `("embeddings",)`.
        tools: Whether it calls tools.
        tool_choice: Whether a tool call can be forced.
        structured_outputs: Whether it follows a JSON schema.
        response_format: Whether it can be told to answer in JSON.
        reasoning: Whether it can reason.
        reasoning_efforts: The efforts it takes, where it takes any.
        default_reasoning_effort: The effort it uses by itself, where known.
        temperature: Whether it takes a temperature.

    Example:
        >>> ModelInfo(id="acme/small", context_length=8192).context_length
        8192
    """

    id: str
    canonical_slug: str | None = None
    name: str | None = None
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    tools: bool = False
    tool_choice: bool = False
    structured_outputs: bool = False
    response_format: bool = False
    reasoning: bool = False
    reasoning_efforts: tuple[str, ...] = ()
    default_reasoning_effort: str | None = None
    temperature: bool = False

    @classmethod
    def from_wire(cls, entry: Mapping[str, object]) -> Self:
        """Read an entry of `GET /models`; what it does not say stays unknown.

        Args:
            entry: An object of the answer's `data` list.

        Raises:
            ValueError: It has no `id`.

        Example:
            >>> info = ModelInfo.from_wire({"id": "acme/small", "supported_parameters": ["tools"]})
            >>> info.tools, info.reasoning
            (True, False)

        See https://openrouter.ai/docs/api-reference/list-available-models
        """
        architecture = as_mapping(entry.get("architecture"))
        top = as_mapping(entry.get("top_provider"))
        reasoning = as_mapping(entry.get("reasoning"))
        return cls(
            id=_identity(entry),
            canonical_slug=as_text(entry.get("canonical_slug")),
            name=as_text(entry.get("name")),
            context_length=_count(entry, "context_length") or _count(top, "context_length"),
            max_output_tokens=_count(top, "max_completion_tokens"),
            input_modalities=_texts(architecture, "input_modalities") or ("text",),
            output_modalities=_texts(architecture, "output_modalities") or ("text",),
            reasoning_efforts=_texts(reasoning, "supported_efforts"),
            default_reasoning_effort=as_text(reasoning.get("default_effort")),
            **_abilities(entry),
        )


def model_info(model: str) -> ModelInfo | None:
    """Find what is known of a model.

    Args:
        model: Its id, in any of the ways a request may name it: with a variant (`:free`, `:nitro`), a preset
            (`@preset/...`), a date, or a leading `~`.

    Returns:
        What is known, or None for a model the table does not have.

    Example:
        >>> model_info("openai/gpt-5-mini:nitro").context_length
        400000
        >>> print(model_info("acme/unheard-of"))
        None
    """
    table = _current_table()
    for name in _spellings(model):
        if (found := table.get(name)) is not None:
            return found
    return None


def learn_models(entries: Iterable[Mapping[str, object]]) -> None:
    """Replace and extend the table by what `GET /models` answered, for this process.

    Safe to call from several threads; a lookup sees the table before or after, never in between.

    Args:
        entries: The objects of the answer's `data` list, as `OpenRouterClient.models()` returns them.

    Raises:
        ValueError: An entry has no `id`; nothing is learned then.

    Example:
        >>> learn_models([{"id": "acme/brand-new", "context_length": 4096}])
        >>> model_info("acme/brand-new").context_length
        4096
    """
    learned = [ModelInfo.from_wire(entry) for entry in entries]
    global _table
    with _learning:
        _table = {**_current_table(), **_index(learned)}


def _current_table() -> Mapping[str, ModelInfo]:
    global _table
    if _table is None:
        with _learning:
            if _table is None:
                _table = _bundled_table()
    return _table


def _bundled_table() -> Mapping[str, ModelInfo]:
    file = resources.files("openrouter_routing") / "model_table.json"
    entries = json.loads(file.read_text(encoding="utf-8"))["models"]
    return _index([_from_table(entry) for entry in entries])


def _from_table(entry: Mapping[str, object]) -> ModelInfo:
    return ModelInfo(
        id=_identity(entry),
        canonical_slug=as_text(entry.get("canonical_slug")),
        name=as_text(entry.get("name")),
        context_length=_count(entry, "context_length"),
        max_output_tokens=_count(entry, "max_output_tokens"),
        input_modalities=_texts(entry, "input_modalities"),
        output_modalities=_texts(entry, "output_modalities"),
        reasoning_efforts=_texts(entry, "reasoning_efforts"),
        default_reasoning_effort=as_text(entry.get("default_reasoning_effort")),
        **_abilities(entry),
    )


def _index(models: Iterable[ModelInfo]) -> dict[str, ModelInfo]:
    index: dict[str, ModelInfo] = {}
    for info in models:
        for name in (info.id, info.canonical_slug):
            if name is not None:
                index[name.lower().removeprefix("~")] = info
    return index


def _spellings(model: str) -> list[str]:
    """List the names a model may have in the table, the most exact one first."""
    named = model.partition("@")[0].lower().removeprefix("~")
    base = named.partition(":")[0]
    return [named, base, _DATE.sub("", base)]


def _abilities(entry: Mapping[str, object]) -> dict[str, bool]:
    supported = _texts(entry, "supported_parameters")
    return {
        name: name in supported
        for name in (
            "tools",
            "tool_choice",
            "structured_outputs",
            "response_format",
            "reasoning",
            "temperature",
        )
    }


def _identity(entry: Mapping[str, object]) -> str:
    identity = as_text(entry.get("id"))
    if identity is None:
        raise ValueError(f"a model needs an id, got {dict(entry)!r}")
    return identity


def _texts(entry: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = entry.get(name)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _count(entry: Mapping[str, object], name: str) -> int | None:
    found = as_count(entry.get(name))
    return found if found is not None and found > 0 else None


_DATE = re.compile(r"-(?:20\d\d-?\d\d-?\d\d|\d{4}|\d\d-\d\d)$")
_learning = threading.RLock()
_table: Mapping[str, ModelInfo] | None = None
