"""The types that preference fields are made of: strict about shape and spelling, open to what the market adds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from openrouter_routing import _vocabulary as vocabulary
from openrouter_routing.providers import known_providers, meant_provider, provider_slug

_PLAIN_NUMBER = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class StrictModel(BaseModel):
    """A frozen model that refuses unknown fields and names the one that was probably meant."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_fields(cls, value: object) -> object:
        if isinstance(value, Mapping):
            unknown = [str(key) for key in value if key not in cls.model_fields]
            if unknown:
                raise ValueError("; ".join(map(cls.unknown_field, unknown)))
        return value

    @classmethod
    def unknown_field(cls, name: str) -> str:
        """Say that there is no such field, and which was probably meant."""
        return vocabulary.unknown_name("field", name, cls.model_fields)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # None is not "not set" here: it clears. So what was not set does not show.
        return (
            (name, getattr(self, name))
            for name in type(self).model_fields
            if name in self.model_fields_set
        )

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object to send: what was set and is not None, nothing else."""
        return {
            name: to_json(value)
            for name in type(self).model_fields
            if name in self.model_fields_set and (value := getattr(self, name)) is not None
        }


def to_json(value: Any) -> Any:
    """Turn one preference value into what JSON can hold, unchanged in meaning."""
    if isinstance(value, StrictModel):
        return value.to_wire()
    return str(value) if isinstance(value, Decimal) else value


def _list(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"takes a list, got the string {value!r}; write [{value!r}]")  # noqa: TRY004
    return list(value) if isinstance(value, tuple) else value


def _distinct_and_filled(values: list[str]) -> list[str]:
    for position, value in enumerate(values):
        if not value.strip():
            raise ValueError(f"entry {position} is empty")
        if value in values[:position]:
            raise ValueError(f"{value!r} is listed twice")
    return values


def _not_empty(names: list[str]) -> list[str]:
    # What was computed in code and came out empty must not mean "anybody".
    if not names:
        raise ValueError("is empty, so that nobody may serve; None clears it")
    return names


def _distinct_providers(names: list[str]) -> list[str]:
    seen: dict[str, str] = {}
    for name in names:
        base, _, variant = name.partition("/")
        slug = provider_slug(base)
        if slug is None and (
            near := meant_provider(base)
            or vocabulary.misspelling_of(base, known_providers(), cutoff=0.84)
        ):
            raise ValueError(
                f"unknown provider {name!r}; did you mean {near!r}? "
                "(one that is really new goes into extra_body={'provider': ...})"
            )
        identity = f"{slug or base.lower()}/{variant}"
        if identity in seen:
            raise ValueError(f"{name!r} is the same provider as {seen[identity]!r}; list it once")
        seen[identity] = name
    return names


def open_vocabulary(
    kind: str, known: tuple[str, ...], *, cutoff: float = 0.8
) -> Callable[[str], str]:
    """Return a check that accepts known and new words and refuses the misspelling of a known one."""

    def check(word: str) -> str:
        if not word.strip():
            raise ValueError(f"the {kind} is empty")
        if near := vocabulary.misspelling_of(word, known, cutoff=cutoff):
            raise ValueError(f"unknown {kind} {word!r}; did you mean {near!r}?")
        return word

    return check


def closed_vocabulary(kind: str, known: tuple[str, ...]) -> BeforeValidator:
    """Refuse every word that is not known, naming the nearest that is."""

    def check(word: object) -> object:
        if isinstance(word, str) and word not in known:
            raise ValueError(vocabulary.unknown_name(kind, word, known))
        return word

    return BeforeValidator(check)


def positive(value: object) -> object:
    """Let a finite number greater than 0 pass, as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"takes a number greater than 0, got {value!r}")  # noqa: TRY004
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"must be greater than 0, got {value!r}")
    return value


def _price(value: object) -> object:
    problem = f"takes a price in USD, a number or numeric string of 0 or more, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise ValueError(problem)  # noqa: TRY004
    # A text goes over the wire as it is, so it must be a number there too: no blanks, no underscores.
    if isinstance(value, str) and not _PLAIN_NUMBER.fullmatch(value):
        raise ValueError(problem)
    amount = Decimal(str(value))
    if not amount.is_finite() or amount < 0:
        raise ValueError(problem)
    return value


# Unions keep 1, 1.0 and "1" apart: what was set is what is sent.
Positive = Annotated[int | float, BeforeValidator(positive)]
Price = Annotated[int | float | str | Decimal, BeforeValidator(_price)]
Names = Annotated[list[str], BeforeValidator(_list), AfterValidator(_distinct_and_filled)]
ProviderNames = Annotated[Names, AfterValidator(_distinct_providers)]
SomeProviderNames = Annotated[ProviderNames, AfterValidator(_not_empty)]
check_sort = open_vocabulary("sort", vocabulary.SORTS)
# A little more alike than elsewhere: the next format may be a known one with a prefix (`mxint8` beside `int8`).
Quantization = Annotated[
    str, AfterValidator(open_vocabulary("quantization", vocabulary.QUANTIZATIONS, cutoff=0.81))
]
Quantizations = Annotated[
    list[Quantization],
    BeforeValidator(_list),
    AfterValidator(_distinct_and_filled),
    AfterValidator(_not_empty),
]
SortKey = Annotated[str, AfterValidator(check_sort)]
ServiceTier = Annotated[
    str, AfterValidator(open_vocabulary("service tier", vocabulary.SERVICE_TIERS))
]
LegacyRoute = Annotated[str, AfterValidator(open_vocabulary("route", vocabulary.LEGACY_ROUTES))]
