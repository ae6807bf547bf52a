"""How requests are sent: key, address, headers, timeouts, retries. Where they may go is in `preferences`."""

from __future__ import annotations

import base64
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from dataclasses import fields as dataclass_fields
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal, Unpack
from urllib.parse import urlsplit

from openrouter_routing import _vocabulary as vocabulary
from openrouter_routing.errors import AuthenticationError, BadRequestError

if TYPE_CHECKING:
    import httpx

    from openrouter_routing.keywords import SettingsFields

BASE_URL = "https://openrouter.ai/api/v1"
TIMEOUT = 600.0
"""Seconds to wait for the next bytes of an answer: reasoning models can be silent for minutes."""
CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection."""
MAX_RETRIES = 2
MAX_RETRY_WAIT = 60.0
"""Seconds: where the answer asks for a longer wait, the error is raised at once."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NOT_IN_HEADERS = re.compile(r"[\r\n\0]|^\s|\s$")

OnViolation = Literal["raise", "warn", "ignore"]
OnEmpty = Literal["raise", "retry", "ignore"]


class HiddenHeaders(dict[str, str]):
    """Headers whose values do not show: not in reprs, logs, pickles or the locals of a traceback."""

    def encoded(self) -> Mapping[str, str] | Mapping[str, bytes]:
        """Return the headers as they go over the wire: UTF-8 where ASCII does not do."""
        return self if all(map(str.isascii, self.values())) else _Encoded(self)

    def __repr__(self) -> str:
        return f"<headers: {', '.join(map(str, self))}>"

    __str__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        veiled = {name: base64.b85encode(value.encode()) for name, value in self.items()}
        return _unpickled_headers, (veiled,)


class _Encoded(dict[str, bytes]):
    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__((name, value.encode()) for name, value in headers.items())

    def __repr__(self) -> str:
        return f"<headers: {', '.join(self)}>"


class Secret:
    """Text that does not show: not in repr, str, dumps or tracebacks.

    Example:
        >>> Secret("sk-or-v1-...")
        Secret('**********')
    """

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        self._reveal = value

    def get_secret_value(self) -> str:
        """Return the text itself."""
        return self._reveal

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._reveal == self._reveal

    def __hash__(self) -> int:
        return hash(self._reveal)

    def __bool__(self) -> bool:
        return bool(self._reveal)

    def __repr__(self) -> str:
        return "Secret('**********')" if self._reveal else "Secret('')"

    __str__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process needs the key, but a pickle that is looked at or searched should not show it. This hides it
        # from eyes, it does not encrypt it.
        return _unpickled, (base64.b85encode(self._reveal.encode()),)


def _unpickled_headers(veiled: Mapping[str, bytes]) -> HiddenHeaders:
    return HiddenHeaders({name: base64.b85decode(text).decode() for name, text in veiled.items()})


def _unpickled(hidden: bytes) -> Secret:
    return Secret(base64.b85decode(hidden).decode())


@dataclass(frozen=True)
class ClientSettings:
    """How requests are sent; one value, shared by the sync and the async client.

    Attributes:
        api_key: The key; without it `OPENROUTER_API_KEY` is read at the first call.
        base_url: Where the API is.
        headers: Extra headers of every request; their values are treated as secrets.
        app_url: Your application's address, for OpenRouter's rankings.
        app_title: Your application's name.
        app_categories: Your application's categories.
        timeout: Seconds to wait for the next bytes, or an `httpx.Timeout`; 600 unless set.
        first_token_timeout: Seconds from the request to the first piece of a streamed answer.
        idle_timeout: Seconds between two pieces of a streamed answer; keep-alive comments do not count.
        coalesce: Whether pieces of text that arrive in one network read are handed on as one; nothing is delayed.
        max_retries: How often a failed request is sent again; 0 means never.
        max_retry_wait: Seconds; the longest wait before sending again.
        on_violation: What to do when a provider answers that the preferences exclude.
        on_empty: What to do with a finished answer that holds nothing.
    """

    api_key: Secret | None = None
    base_url: str = BASE_URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    app_url: str | None = None
    app_title: str | None = None
    app_categories: tuple[str, ...] = ()
    timeout: float | httpx.Timeout | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None
    coalesce: bool = False
    max_retries: int = MAX_RETRIES
    max_retry_wait: float = MAX_RETRY_WAIT
    on_violation: OnViolation = "raise"
    on_empty: OnEmpty = "ignore"

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", checked_base_url(self.base_url))
        object.__setattr__(self, "headers", HiddenHeaders(self.headers))
        for name in ("first_token_timeout", "idle_timeout"):
            check_seconds(name, getattr(self, name))
        # An httpx.Timeout, of whichever httpx, has its own checks.
        if not hasattr(self.timeout, "read"):
            check_seconds("timeout", self.timeout)
        if self.max_retry_wait != 0 or isinstance(self.max_retry_wait, bool):
            check_seconds("max_retry_wait", self.max_retry_wait, needed=True)
        if (
            isinstance(self.max_retries, bool)
            or not isinstance(self.max_retries, int)
            or self.max_retries < 0
        ):
            raise BadRequestError(
                f"max_retries takes a whole number of 0 or more, got {self.max_retries!r}"
            )
        if not isinstance(self.coalesce, bool):
            raise BadRequestError(f"coalesce takes True or False, got {self.coalesce!r}")
        for name, value, known in (
            ("on_violation", self.on_violation, ("raise", "warn", "ignore")),
            ("on_empty", self.on_empty, ("raise", "retry", "ignore")),
        ):
            if value not in known:
                raise BadRequestError(f"{name} takes one of {', '.join(known)}; got {value!r}")

    def request_headers(self, *more: Mapping[str, str]) -> HiddenHeaders:
        """Return all headers of a request; later ones win, whatever their case, and each is there once.

        Raises:
            AuthenticationError: There is no key, neither here nor in the environment nor in the headers.
            BadRequestError: A header is none.
        """
        own = merge_headers(self._app_headers(), self.headers, *more)
        if "authorization" not in map(str.lower, own):
            own["Authorization"] = f"Bearer {self._key()}"
        for name in own:
            if not _HEADER_NAME.fullmatch(name):
                raise BadRequestError(f"{name!r} cannot be the name of a header")
            if not isinstance(own[name], str) or _NOT_IN_HEADERS.search(own[name]):
                raise BadRequestError(
                    f"the value of the header {name} must be a text without line breaks and blanks around it"
                )
        return merge_headers(_fixed_headers(), own)

    def _app_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        if self.app_url:
            headers["HTTP-Referer"] = self.app_url
        if self.app_title:
            headers["X-OpenRouter-Title"] = self.app_title
        if self.app_categories:
            headers["X-OpenRouter-Categories"] = ",".join(self.app_categories)
        return headers

    def _key(self) -> str:
        key = (
            self.api_key.get_secret_value()
            if self.api_key
            else os.environ.get("OPENROUTER_API_KEY")
        )
        if not key:
            raise AuthenticationError(
                "no API key: set the environment variable OPENROUTER_API_KEY or pass api_key=; "
                "keys are made at https://openrouter.ai/keys"
            )
        if _NOT_IN_HEADERS.search(key):
            # Not even as a local of this frame.
            del key
            raise AuthenticationError(
                "the API key holds a line break or blanks around it: strip() what was read from a file"
            )
        return key


@cache
def _fixed_headers() -> Mapping[str, str]:
    """Return the headers that every request carries, whoever sends it."""
    from openrouter_routing import __version__

    return {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "User-Agent": f"openrouter-routing/{__version__}",
    }


_SETTINGS = tuple(item.name for item in dataclass_fields(ClientSettings))


def merge_headers(*layers: Mapping[str, str]) -> HiddenHeaders:
    """Merge headers whatever their case; a later layer wins.

    Raises:
        BadRequestError: A name is no text.

    Example:
        >>> merge_headers({"X-Title": "a"}, {"x-title": "b"})
        <headers: x-title>
    """
    merged: dict[str, tuple[str, str]] = {}
    for layer in layers:
        for name, value in layer.items():
            if not isinstance(name, str):
                raise BadRequestError(f"the name of a header is a text, got {name!r}")
            merged[name.lower()] = (name, value)
    return HiddenHeaders(merged.values())


def checked_base_url(url: str) -> str:
    """Return the address without a trailing slash.

    Raises:
        BadRequestError: It has no scheme or no host, or it holds a password.
    """
    if not isinstance(url, str):
        raise _no_address(url)
    return _without_slash(url)


@lru_cache
def _without_slash(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise _no_address(url)
    if parts.username is not None or parts.password is not None:
        raise BadRequestError(
            f"base_url shows in logs and errors, so it may hold no password: write {parts.hostname!r} without it, "
            "and pass headers={'Authorization': 'Basic ...'}"
        )
    return url.strip().rstrip("/")


def _no_address(url: object) -> BadRequestError:
    return BadRequestError(
        f"base_url must be an address such as {BASE_URL!r}, with http:// or https://; got {url!r}"
    )


def check_seconds(name: str, value: Any, *, needed: bool = False) -> None:
    """Refuse a duration that is not a positive number of seconds.

    Raises:
        BadRequestError: It is not.
    """
    if value is None and not needed:
        return
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not value > 0
        or not math.isfinite(value)
    ):
        raise BadRequestError(f"{name} takes a number of seconds greater than 0, got {value!r}")


def base_url_from_environment() -> str:
    """Return `OPENROUTER_BASE_URL`, or `OPENROUTER_API_BASE`, or OpenRouter's own address."""
    return (
        os.environ.get("OPENROUTER_BASE_URL") or os.environ.get("OPENROUTER_API_BASE") or BASE_URL
    )


def settings_from(
    base: ClientSettings | None = None, **fields: Unpack[SettingsFields]
) -> ClientSettings:
    """Build settings from keywords, filling what was not said from the environment.

    Args:
        base: Settings to start from.
        **fields: Fields of `ClientSettings`; `api_key` may be a text, a `Secret` or a pydantic `SecretStr`.

    Raises:
        BadRequestError: A field is unknown or malformed.

    Example:
        >>> settings_from(base_url="http://localhost:8000/api/v1/", max_retries=0).base_url
        'http://localhost:8000/api/v1'
    """
    if base is not None and not fields:
        return base
    hide_secrets(fields)
    for name in fields:
        if name not in _SETTINGS:
            raise BadRequestError(vocabulary.unknown_name("setting", name, _SETTINGS))
    given: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    if "app_categories" in given:
        given["app_categories"] = tuple(given["app_categories"])
    if base is not None:
        return replace(base, **given) if given else base
    if "base_url" not in given:
        given["base_url"] = base_url_from_environment()
    for name in ("app_url", "app_title"):
        if name not in given and (value := os.environ.get(f"OPENROUTER_{name.upper()}")):
            given[name] = value
    return ClientSettings(**given)


def hide_secrets(fields: Any) -> None:
    """Wrap the key and the headers among keywords, so that no traceback shows them as locals of ours.

    Args:
        fields: A dict of keywords, which for a type checker may be any `TypedDict`; changed in place.

    Raises:
        AuthenticationError: The key is no text.
        BadRequestError: The headers are no mapping.
    """
    if fields.get("api_key") is not None:
        fields["api_key"] = as_secret(fields["api_key"])
    for name in ("headers", "extra_headers"):
        if fields.get(name) is None:
            continue
        if not isinstance(fields[name], Mapping):
            kind = type(fields.pop(name)).__name__
            raise BadRequestError(f"{name} takes a mapping, got {kind}")
        fields[name] = HiddenHeaders(fields[name])


def as_secret(key: object) -> Secret:
    """Wrap an API key, whichever wrapper it came in.

    Raises:
        AuthenticationError: It is no text.
    """
    value = key.get_secret_value() if hasattr(key, "get_secret_value") else key
    if not isinstance(value, str):
        raise AuthenticationError(f"api_key must be a text, got {type(value).__name__}")
    return Secret(value)
