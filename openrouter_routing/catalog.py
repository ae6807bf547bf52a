"""Catalogs: which models there are and which endpoints serve them, as a value and as a file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib import resources
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from openrouter_routing._catalog_fields import Entry, FieldError
from openrouter_routing._json_lines import line_of
from openrouter_routing._json_text import readable_json
from openrouter_routing.endpoint import Endpoint, PercentileStats
from openrouter_routing.errors import OpenRouterError
from openrouter_routing.pricing import Pricing

if TYPE_CHECKING:
    from openrouter_routing._tables import DataTable

__all__ = ["Catalog", "CatalogError", "Endpoint", "Model", "PercentileStats", "Pricing"]

FORMAT = "openrouter-routing catalog 1"


class CatalogError(OpenRouterError):
    """A catalog that cannot be read, or a model that it does not have.

    Args:
        reason: What is wrong.
        path: The file, if it came from one.
        line: The line in it, counted from 1.
        field: The way to the field, such as `models[2].endpoints[0].pricing.prompt`.
    """

    def __init__(
        self,
        reason: str,
        *,
        path: str | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        place = ":".join(str(part) for part in (path, line) if part is not None)
        super().__init__(": ".join(part for part in (place, field, reason) if part))
        self.reason = reason
        self.path = path
        self.line = line
        self.field = field


class ModelSource(Protocol):
    """What `Catalog.from_api` needs of a client."""

    def models(self) -> Iterable[Mapping[str, object]]:
        """List the models, as the wire's objects."""
        ...

    def endpoints(self, model: str, /) -> Mapping[str, object] | Iterable[Mapping[str, object]]:
        """List the endpoints of one model, as the wire's objects."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model and the endpoints that serve it.

    Args:
        id: Such as `"meta-llama/llama-3.3-70b-instruct:free"`.
        name: Its display name.
        canonical_slug: Its dated, permanent id.
        created: Unix time, in seconds.
        context_length: In tokens, None when not stated.
        input_modalities: Such as `("text", "image")`.
        output_modalities: Such as `("text",)`, `("embeddings",)`.
        alias_of: For `~author/family-latest`: the id of the model it stands for.
        endpoints: Who serves it.
        wire: The wire's model object as it came, without endpoints.

    Renders as a table of its endpoints with rich and in notebooks.
    """

    id: str
    name: str
    canonical_slug: str
    created: int = 0
    context_length: int | None = None
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    alias_of: str | None = None
    endpoints: tuple[Endpoint, ...] = ()
    wire: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    @classmethod
    def read(cls, entry: Entry, endpoints: Iterable[Entry], aliases: tuple[str, ...]) -> Model:
        """Read the wire's model object and its endpoints.

        Raises:
            FieldError: A field is missing or of the wrong type.
        """
        identity = entry.text("id")
        canonical = entry.optional_text("canonical_slug") or identity
        names = tuple(dict.fromkeys(a for a in (canonical, *aliases) if a != identity))
        architecture = entry.optional_entry("architecture")
        target = entry.optional_entry("alias_target")
        return cls(
            id=identity,
            name=entry.optional_text("name") or identity,
            canonical_slug=canonical,
            created=entry.optional_integer("created") or 0,
            context_length=entry.optional_integer("context_length"),
            input_modalities=(architecture.texts("input_modalities") if architecture else ())
            or ("text",),
            output_modalities=(architecture.texts("output_modalities") if architecture else ())
            or ("text",),
            alias_of=target.text("slug") if target else None,
            endpoints=tuple(Endpoint.read(e, model=identity, aliases=names) for e in endpoints),
            wire=entry.rest({"endpoints"}),
        )

    def to_wire(self) -> dict[str, object]:
        """Write the model as `/models` lists it."""
        return dict(self.wire)

    def __reduce__(self) -> tuple[object, ...]:
        # Mapping proxies do not pickle; the snapshot does.
        aliases = self.endpoints[0].model_aliases if self.endpoints else ()
        return (_restore, (self.to_snapshot(), aliases))

    def to_snapshot(self) -> dict[str, object]:
        """Write the model and its endpoints for a catalog file."""
        return {**self.wire, "endpoints": [e.to_snapshot() for e in self.endpoints]}

    def __rich__(self) -> DataTable:
        from openrouter_routing._catalog_view import endpoint_table

        return endpoint_table(self.endpoints, self.id)

    def _repr_html_(self) -> str:
        return self.__rich__()._repr_html_()


def _restore(snapshot: Mapping[str, object], aliases: tuple[str, ...]) -> Model:
    entry = Entry(snapshot, ())
    return Model.read(entry, entry.entries("endpoints"), aliases)


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Models and endpoints at one point in time.

    Args:
        models: All models.
        date: When the figures were taken, ISO 8601.
        note: What they are, in words.

    Renders as a table of its models with rich and in notebooks.

    Example:
        >>> catalog = Catalog.sample()
        >>> catalog.model("openai/gpt-4o-mini").endpoints[0].provider
        'OpenAI'
    """

    models: tuple[Model, ...]
    date: str | None = None
    note: str | None = None

    def __repr__(self) -> str:
        return f"<Catalog: {len(self.models)} models, {len(self.endpoints)} endpoints>"

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints of all models, in the order of the models."""
        return tuple(endpoint for model in self.models for endpoint in model.endpoints)

    @cached_property
    def _by_id(self) -> Mapping[str, Model]:
        slugs = {model.canonical_slug: model for model in reversed(self.models)}
        return slugs | {model.id: model for model in self.models}

    def find(self, model: str) -> Model | None:
        """Find a model by its id, its dated slug or a `~latest` alias; None if there is none."""
        found = self._by_id.get(model)
        if found is not None and found.alias_of is not None:
            return self._by_id.get(found.alias_of)
        return found

    def model(self, model: str) -> Model:
        """Find a model by its id, its dated slug or a `~latest` alias.

        Raises:
            CatalogError: There is none; the message names the nearest ids.
        """
        if (found := self.find(model)) is not None:
            return found
        nearest = self.nearest(model)
        hint = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
        raise CatalogError(f"no model {model!r} among {len(self.models)} models{hint}")

    def nearest(self, model: str, *, count: int = 3) -> list[str]:
        """List the ids most like a given one, best first."""
        by_lower = {identity.lower(): identity for identity in (m.id for m in self.models)}
        names = {identity.partition("/")[2]: identity for identity in by_lower}
        wanted = model.lower()
        close = difflib.get_close_matches(wanted, by_lower, n=count, cutoff=0.6)
        short = difflib.get_close_matches(wanted.rpartition("/")[2], names, n=count, cutoff=0.6)
        merged = dict.fromkeys([*close, *(names[name] for name in short)])
        return [by_lower[identity] for identity in merged][:count]

    def __rich__(self) -> DataTable:
        from openrouter_routing._catalog_view import model_table

        dated = f", {self.date}" if self.date else ""
        return model_table(self.models, f"{len(self.models)} models{dated}")

    def _repr_html_(self) -> str:
        return self.__rich__()._repr_html_()

    @classmethod
    def sample(cls) -> Catalog:
        """Give the bundled sample: real names, made-up but plausible figures, for offline use."""
        return _sample()

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Catalog:
        """Read a catalog file that `save` wrote.

        Args:
            path: The file.

        Raises:
            CatalogError: The file cannot be read or is malformed; says path, line and field.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CatalogError(reason, path=str(path)) from error
        return _parse(text, str(path))

    def save(self, path: str | PathLike[str]) -> None:
        """Write a catalog file that `load` reads.

        Args:
            path: The file; replaced if it is there.

        Raises:
            OSError: It cannot be written.
        """
        Path(path).write_text(readable_json(self.to_dict()) + "\n", encoding="utf-8")

    def to_dict(self) -> dict[str, object]:
        """Write the catalog as the JSON object of a catalog file."""
        head = {"format": FORMAT, "date": self.date, "note": self.note}
        return head | {"models": [model.to_snapshot() for model in self.models]}

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> Catalog:
        """Read the JSON object of a catalog file.

        Raises:
            CatalogError: It is malformed; says the field.
        """
        try:
            return _read(value)
        except FieldError as error:
            raise CatalogError(str(error), field=_dotted(error.path)) from None

    @classmethod
    def from_api(cls, client: ModelSource, models: Iterable[str] | None = None) -> Catalog:
        """Take a snapshot of a live service.

        Endpoints with zero data retention are marked as such when the client also has
        `zdr_endpoints()`, and models for embeddings are found when it has `embedding_models()`.
        Whether an endpoint collects data is not public and stays unknown.

        Args:
            client: Anything with `models()` and `endpoints(model_id)` that give wire objects; a
                list under `data` is unwrapped.
            models: Ids to take; all of them when None, which is one request per model.

        Returns:
            A catalog dated today.

        Raises:
            CatalogError: A model is not listed, or an answer is malformed.
        """
        models = None if models is None else list(models)
        listed = {str(entry.get("id")): entry for entry in _unwrap(client.models())}
        list_embedding = getattr(client, "embedding_models", None)
        if list_embedding is not None and (models is None or not set(models) <= listed.keys()):
            listed |= {str(entry.get("id")): entry for entry in _unwrap(list_embedding())}
        wanted = list(listed) if models is None else models
        chosen: list[dict[str, object]] = []
        for identity in wanted:
            if identity not in listed:
                near = difflib.get_close_matches(identity, listed, n=3)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                raise CatalogError(f"the service lists no model {identity!r}{hint}")
            if listed[identity].get("alias_target"):
                chosen.append({**listed[identity], "endpoints": []})
            else:
                answer = _unwrap(client.endpoints(identity))
                chosen.append({**listed[identity], "endpoints": list(answer)})
        note = "snapshot of a live service"
        catalog = cls.from_dict({"format": FORMAT, "note": note, "models": chosen})
        catalog = replace(catalog, date=datetime.now(UTC).date().isoformat())
        list_zdr = getattr(client, "zdr_endpoints", None)
        return catalog if list_zdr is None else _mark_zdr(catalog, _unwrap(list_zdr()))


def _unwrap(answer: object) -> Iterable[Mapping[str, object]]:
    """Take the list out of `{"data": [...]}` or `{"data": {"endpoints": [...]}}`."""
    while isinstance(answer, Mapping):
        name = "data" if "data" in answer else "endpoints"
        if name not in answer:
            raise CatalogError(f"expected a list under 'data' or 'endpoints', got {sorted(answer)}")
        answer = answer[name]
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise CatalogError(f"expected a list of objects, got {answer!r}")
    entries = list(answer)
    for index, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            raise CatalogError(f"expected an object, got {entry!r}", field=f"data[{index}]")
    return entries


def _mark_zdr(catalog: Catalog, retaining_nothing: Iterable[Mapping[str, object]]) -> Catalog:
    marked = {(entry.get("model_id"), entry.get("tag")) for entry in retaining_nothing}
    models = []
    for model in catalog.models:
        ids = (model.id, model.canonical_slug)
        endpoints = tuple(
            replace(endpoint, zdr=any((identity, endpoint.tag) in marked for identity in ids))
            for endpoint in model.endpoints
        )
        models.append(replace(model, endpoints=endpoints))
    return replace(catalog, models=tuple(models))


def _read(value: object) -> Catalog:
    top = Entry(value, ())
    if top.text("format") != FORMAT:
        raise top.wrong("format", repr(FORMAT))
    entries = top.entries("models")
    aliases: dict[str, list[str]] = {}
    for entry in entries:
        if (target := entry.optional_entry("alias_target")) is not None:
            aliases.setdefault(target.text("slug"), []).append(entry.text("id"))
    models = []
    seen: set[str] = set()
    for entry in entries:
        identity = entry.text("id")
        if identity in seen:
            raise FieldError((*entry.path, "id"), f"the model {identity!r} is listed twice")
        seen.add(identity)
        models.append(
            Model.read(entry, entry.entries("endpoints"), tuple(aliases.get(identity, ())))
        )
    return Catalog(
        models=tuple(models), date=top.optional_text("date"), note=top.optional_text("note")
    )


def _parse(text: str, path: str) -> Catalog:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise CatalogError(f"not JSON: {error.msg}", path=path, line=error.lineno) from None
    try:
        return _read(value)
    except FieldError as error:
        line = line_of(text, error.path)
        raise CatalogError(str(error), path=path, line=line, field=_dotted(error.path)) from None


def _dotted(path: tuple[str | int, ...]) -> str:
    dotted = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return dotted.removeprefix(".")


@cache
def _sample() -> Catalog:
    file = resources.files("openrouter_routing") / "sample_catalog.json"
    return _parse(file.read_text(encoding="utf-8"), "openrouter_routing/sample_catalog.json")
