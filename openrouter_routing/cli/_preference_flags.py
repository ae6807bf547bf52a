"""A flag for each routing preference, read off the preferences themselves: a new field is a new flag."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from openrouter_routing.errors import PreferencesError
from openrouter_routing.preferences import (
    PROVIDER_FIELDS,
    ProviderPreferences,
    RoutingPreferences,
    preferences_of,
)

PROVIDER_PANEL = "Which providers may serve it"
ROUTING_PANEL = "What else the request says"
_PREFIX = "preference_"
_FILE = "preferences_file"

Kind = Literal["switch", "names", "pairs", "json", "number", "text"]
_METAVARS: Mapping[Kind, str] = {
    "names": "NAME,...",
    "pairs": "KEY=VALUE,...",
    "json": "JSON",
    "number": "VALUE",
    "text": "TEXT",
}


@dataclass(frozen=True, slots=True)
class PreferenceFlag:
    """One field of the preferences as a flag.

    Args:
        field: The field's name.
        kind: How its value is written on a command line.
        scalar: For pairs: whether one value by itself will do too.
        help: What it means.
        panel: Under which heading the help lists it.
        keys: For pairs: the keys.
    """

    field: str
    kind: Kind
    scalar: bool
    help: str
    panel: str
    keys: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """How the flag is spelled."""
        return f"--{self.field.replace('_', '-')}"

    def parameter(self) -> inspect.Parameter:
        """Describe the flag to typer."""
        if self.kind == "switch":
            spelled = f"{self.flag}/--no-{self.flag[2:]}"
            option = typer.Option(
                spelled, help=self.help, rich_help_panel=self.panel, show_default=False
            )
            annotation: Any = Annotated[bool | None, option]
        else:
            metavar = "VALUE|KEY=VALUE" if self.scalar else _METAVARS[self.kind]
            option = typer.Option(
                self.flag, help=self.help, metavar=metavar, rich_help_panel=self.panel
            )
            repeats = self.kind in ("names", "pairs")
            annotation = Annotated[list[str] | None if repeats else str | None, option]
        return inspect.Parameter(
            f"{_PREFIX}{self.field}",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=annotation,
        )

    def read(self, given: Any) -> Any:
        """Turn what stood on the command line into the field's value.

        Raises:
            PreferencesError: It cannot be read.
        """
        if self.kind in ("switch", "text"):
            return given
        if self.kind == "names":
            return listed(given)
        if self.kind == "pairs":
            return self._pairs([part.strip() for text in given for part in text.split(",")])
        try:
            return json.loads(given)
        except ValueError:
            raise PreferencesError(f"{self.flag} takes JSON, got {given!r}") from None

    def _pairs(self, parts: list[str]) -> Any:
        if self.scalar and len(parts) == 1 and "=" not in parts[0]:
            return _number_or_text(parts[0])
        pairs: dict[str, Any] = {}
        for part in parts:
            name, equals, value = part.partition("=")
            if not (name and equals and value):
                alone = " or one value" if self.scalar else ""
                raise PreferencesError(
                    f"{self.flag} takes KEY=VALUE pairs{alone}, got {part!r}; keys: {', '.join(self.keys)}"
                )
            pairs[name.strip()] = _number_or_text(value.strip())
        return pairs


def listed(given: Sequence[str] | None) -> list[str]:
    """Read names that stand after a flag, after several, or after one with commas between them.

    Example:
        >>> listed(["groq, azure", "openai"])
        ['groq', 'azure', 'openai']
    """
    return [name.strip() for text in given or () for name in text.split(",") if name.strip()]


def preference_flags() -> tuple[PreferenceFlag, ...]:
    """List the flags of all preferences; `provider` stands there by its own fields."""
    flags = [
        *_flags_of(ProviderPreferences, PROVIDER_PANEL),
        *_flags_of(RoutingPreferences, ROUTING_PANEL),
    ]
    return tuple(flag for flag in flags if flag.field != "provider")


def preference_parameters() -> list[inspect.Parameter]:
    """Describe to typer the flags of all preferences, and the file that holds many of them."""
    option = typer.Option(
        "--preferences",
        metavar="FILE",
        help="A JSON file of preferences, as `probe --save` writes it; the flags go over it.",
        rich_help_panel=PROVIDER_PANEL,
    )
    file = inspect.Parameter(
        _FILE,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[Path | None, option],
    )
    return [file, *(flag.parameter() for flag in preference_flags())]


def take_preferences(arguments: dict[str, Any]) -> RoutingPreferences:
    """Take the preferences out of the arguments that typer read.

    Raises:
        PreferencesError: A preference is malformed, or the file cannot be read.
    """
    file = arguments.pop(_FILE)
    fields: dict[str, Any] = {}
    for flag in preference_flags():
        given = arguments.pop(f"{_PREFIX}{flag.field}")
        if given is not None and given != []:
            fields[flag.field] = flag.read(given)
    return preferences_of(None if file is None else read_preferences(file), **fields)


def read_preferences(path: Path) -> RoutingPreferences:
    """Read a file of preferences.

    Raises:
        PreferencesError: It cannot be read, is no JSON object, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PreferencesError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise PreferencesError(f"{path}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise PreferencesError(f"{path}: expected a JSON object of preferences")
    try:
        return preferences_of(**value)
    except PreferencesError as error:
        raise PreferencesError(f"{path}: {error}") from None


def _flags_of(
    model: type[ProviderPreferences | RoutingPreferences], panel: str
) -> Iterator[PreferenceFlag]:
    described = field_descriptions(model)
    for name, field in model.model_fields.items():
        types = set(_alternatives(field.annotation))
        kind, scalar = _kind(types)
        words = described.get(name, "")
        if kind == "switch":
            negated = f"--no-{name.replace('_', '-')}: "
            words = words.removeprefix("True: ").replace("False: ", negated, 1)
            words = words[:1].upper() + words[1:]
        keys = [key for one in types if hasattr(one, "model_fields") for key in one.model_fields]
        keys = list(dict.fromkeys(keys))
        if keys:
            words = f"{words} Keys: {', '.join(keys)}."
        yield PreferenceFlag(name, kind, scalar, words, panel, tuple(keys))


def field_descriptions(model: type) -> dict[str, str]:
    """Read what a class's docstring says of each field."""
    _, _, section = (inspect.getdoc(model) or "").partition("Args:\n")
    section = section.partition("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, flags=re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text).replace("`", "") for name, text in entries}


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Take an annotation apart: unions and `Annotated` fall away, what is left are plain types."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin is None or origin in (list, dict, Literal):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from _alternatives(part)


def _kind(types: set[Any]) -> tuple[Kind, bool]:
    """Choose how a value of one of these types is written, and whether a scalar will do for pairs."""
    types = types - {NoneType}
    if types == {bool}:
        return "switch", False
    models = {one for one in types if isinstance(one, type) and hasattr(one, "model_fields")}
    if models:
        return "pairs", bool(types - models)
    containers = {get_origin(one) for one in types}
    if list in containers and any(_holds_text(one) for one in types):
        return "names", False
    if list in containers or dict in containers:
        return "json", False
    return ("text", False) if str in types or Literal in containers else ("number", False)


def _holds_text(annotation: Any) -> bool:
    return get_origin(annotation) is list and str in set(_alternatives(get_args(annotation)[0]))


def _number_or_text(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def wire_summary(preferences: RoutingPreferences) -> list[str]:
    """Say in a few words each what the preferences ask for, in wire order."""
    wire = preferences.to_wire()
    provider = wire.pop("provider", {})
    ordered = [*((name, provider[name]) for name in PROVIDER_FIELDS if name in provider)]
    return [_words(name, value) for name, value in (*ordered, *wire.items())]


def _words(name: str, value: object) -> str:
    if value is True:
        return name
    if value is False:
        return f"no {name}"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return f"{name} {', '.join(value)}"
    if isinstance(value, dict) and not any(
        isinstance(item, dict | list) for item in value.values()
    ):
        return f"{name} " + ", ".join(f"{key} {item}" for key, item in value.items())
    return f"{name} {value if isinstance(value, str) else json.dumps(value)}"
