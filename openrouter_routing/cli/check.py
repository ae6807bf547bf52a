"""`check`: whether requests can work from here, and what to do where they cannot."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from openrouter_routing._figures import dollars
from openrouter_routing.cli._output import console, show_json
from openrouter_routing.cli._session import Session
from openrouter_routing.cli._verb import FAILED
from openrouter_routing.client import OpenRouterClient
from openrouter_routing.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    OpenRouterError,
    PermissionDeniedError,
    ResponseParseError,
)
from openrouter_routing.settings import BASE_URL

if TYPE_CHECKING:
    import httpx

State = Literal["ok", "warning", "failed", "skipped"]
_MARKS: dict[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "warning": ("warn", "yellow"),
    "failed": ("FAIL", "bold red"),
    "skipped": ("skip", "dim"),
}
_PATIENCE = 10.0
_SKEW_WARNING = 60
_SKEW_FAILURE = 300
_LITTLE = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Args:
        check: What was checked.
        state: How it stands.
        detail: What was found.
        advice: What to do, where something is wrong.
    """

    check: str
    state: State
    detail: str
    advice: str = ""


def check(session: Session) -> int:
    r"""Check key, address, proxy, clock, credits.

    Examples:
      openrouter-routing check
      openrouter-routing check --json
      openrouter-routing check \
          --base-url https://eu.openrouter.ai/api/v1

    Says of each what is wrong and what to do. Asks for the limits of the key; nothing is sent to a
    model and nothing is billed. Exits with 1 when something will not work; a warning does not count.
    """
    findings = list(_findings(session))
    healthy = all(finding.state != "failed" for finding in findings)
    if session.json:
        show_json({"ok": healthy, "checks": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    return 0 if healthy else FAILED


def _print(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in findings:
        mark, style = _MARKS[finding.state]
        words = Text(finding.detail)
        if finding.advice:
            words.append(f" -> {finding.advice}", style=style)
        table.add_row(Text(mark, style=style), Text(finding.check, style="bold"), words)
    console().print(table)


def _findings(session: Session) -> Iterator[Finding]:
    key = _key(session)
    yield key
    yield _address(session)
    proxy = Finding("proxy", "ok", "not used") if session.emulated else _proxy(session.base_url)
    yield proxy
    if proxy.state == "failed":
        return
    import httpx

    dates: list[str] = []
    hooks: dict[str, list[Any]] = {
        "response": [lambda response: dates.append(response.headers.get("date", ""))]
    }
    trusting = not session.emulated
    with httpx.Client(event_hooks=hooks, timeout=_PATIENCE, trust_env=trusting) as http:
        yield from _answers(session, http, has_key=key.state != "failed")
    yield _clock(dates)


def _key(session: Session) -> Finding:
    if session.emulated:
        return Finding("key", "ok", "the emulator takes any key")
    key = os.environ.get("OPENROUTER_API_KEY", "")
    if not key:
        return Finding(
            "key",
            "failed",
            "OPENROUTER_API_KEY is not set",
            "make a key at https://openrouter.ai/keys and export it",
        )
    if key != key.strip() or key.strip("'\"") != key:
        return Finding(
            "key",
            "failed",
            "OPENROUTER_API_KEY has blanks or quotes around it",
            "export the bare key",
        )
    if not key.startswith("sk-or-") and _is_openrouter(session.base_url):
        return Finding(
            "key",
            "warning",
            "OPENROUTER_API_KEY does not begin with sk-or-",
            "it may belong to another service",
        )
    return Finding("key", "ok", "OPENROUTER_API_KEY is set")


def _address(session: Session) -> Finding:
    url = session.base_url
    parts = urlsplit(url)
    source = "OpenRouter's own" if url == BASE_URL else "set by you"
    if session.emulated:
        source = "the emulator of this command"
    if _is_openrouter(url) and parts.path != "/api/v1":
        return Finding(
            "address", "warning", f"{url}", "OpenRouter's paths begin with /api/v1: add it"
        )
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        return Finding(
            "address", "warning", f"{url} is not encrypted", "use https://: the key travels with it"
        )
    return Finding("address", "ok", f"{url} ({source})")


def _is_openrouter(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "openrouter.ai" or host.endswith(".openrouter.ai")


def _proxy(url: str) -> Finding:
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies()
    scheme = parts.scheme if parts.scheme in proxies else "all"
    proxy = proxies.get(scheme)
    if proxy is None:
        return Finding("proxy", "ok", "none")
    if proxy_bypass(host):
        return Finding("proxy", "ok", f"none for {host}, by NO_PROXY")
    variable = f"{scheme.upper()}_PROXY"
    shown = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        place = f"{shown.scheme}://{shown.hostname or ''}:{shown.port or ''}".rstrip(":")
    except ValueError:
        return Finding(
            "proxy", "failed", f"{variable} has no port number", "write http://HOST:PORT"
        )
    if shown.scheme not in ("http", "https", "socks5", "socks5h") or not shown.hostname:
        return Finding("proxy", "failed", f"{variable} is {place}", "write http://HOST:PORT")
    if shown.scheme.startswith("socks") and find_spec("socksio") is None:
        return Finding(
            "proxy",
            "failed",
            f"{variable} is a SOCKS proxy, {place}",
            "pip install 'httpx[socks]'",
        )
    return Finding("proxy", "ok", f"{place}, by {variable}; NO_PROXY={host} goes past it")


def _answers(session: Session, http: httpx.Client, *, has_key: bool) -> Iterator[Finding]:
    client = OpenRouterClient(
        session.client.settings,
        http_client=http,
        max_retries=0,
        timeout=_PATIENCE,
        api_key=None if has_key else "none",
    )
    started = time.monotonic()
    try:
        key = client.key()
    except (APIConnectionError, APITimeoutError) as error:
        first = str(error).splitlines()[0]
        yield Finding(
            "connection", "failed", first, "check the address, the network, and the proxy above"
        )
        yield Finding("credits", "skipped", "no connection")
        return
    except ResponseParseError:
        yield Finding(
            "connection",
            "failed",
            "something answers that is not the API (a login page or a gateway, perhaps)",
            f"is the address right? OpenRouter's is {BASE_URL}",
        )
        yield Finding("credits", "skipped", "no answer from the API")
        return
    except OpenRouterError as error:
        yield from _refusal(error, has_key=has_key)
        return
    elapsed = time.monotonic() - started
    yield Finding("connection", "ok", f"answered in {elapsed:.2f} s, and takes the key")
    yield _credits(client, key)


def _refusal(error: OpenRouterError, *, has_key: bool) -> Iterator[Finding]:
    if not isinstance(error, AuthenticationError):
        yield Finding(
            "connection",
            "failed",
            str(error).splitlines()[0],
            "try again later; see https://status.openrouter.ai",
        )
    elif has_key:
        yield Finding(
            "connection",
            "failed",
            "the API answers, and refuses the key",
            "was it deleted or disabled? see https://openrouter.ai/keys",
        )
    else:
        yield Finding("connection", "ok", "the API answers, and asks for a key")
    yield Finding("credits", "skipped", "needs an accepted key")


def _credits(client: OpenRouterClient, key: dict[str, Any]) -> Finding:
    left = key.get("limit_remaining")
    try:
        account = client.credits()
    except (AuthenticationError, PermissionDeniedError):
        account = {}
    except OpenRouterError as error:
        return Finding("credits", "warning", str(error).splitlines()[0])
    amounts = {"of the key's limit": left}
    if isinstance(account.get("total_credits"), int | float):
        amounts["of the account"] = account["total_credits"] - (account.get("total_usage") or 0)
    known = {what: float(rest) for what, rest in amounts.items() if isinstance(rest, int | float)}
    if not known:
        return Finding("credits", "ok", "the key has no limit; the account's are not told to it")
    words = ", ".join(f"{dollars(round(rest, 4))} USD left {what}" for what, rest in known.items())
    if min(known.values()) <= 0:
        return Finding("credits", "failed", words, "add some at https://openrouter.ai/credits")
    if min(known.values()) < _LITTLE:
        return Finding("credits", "warning", words, "soon used up: https://openrouter.ai/credits")
    return Finding("credits", "ok", words)


def _clock(dates: list[str]) -> Finding:
    try:
        theirs = parsedate_to_datetime(dates[-1]).timestamp()
    except (IndexError, ValueError):
        return Finding("clock", "skipped", "no answer told the time")
    skew = time.time() - theirs
    if abs(skew) < _SKEW_WARNING:
        return Finding("clock", "ok", "agrees with the server's")
    words = f"{abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} the server's"
    state: State = "failed" if abs(skew) > _SKEW_FAILURE else "warning"
    return Finding("clock", state, words, "set it: certificates and waits are judged by it")
