"""How a provider asks its server: within its time, with its token, and as long as the server asks to wait."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from deployctl.errors import Conflict, DeployctlError, Forbidden, UsageError
from deployctl.gates import Asked, Page
from deployctl.gates.credential import NOTHING, Credential, Revealed, revealed
from deployctl.gates.fetch import cut, fetch, shown
from deployctl.gates.field import parsed

Json = dict[str, Any]
JSON = "application/json"
USUAL_WAIT_SECONDS = 1.0  # where a server says 429 and not for how long
WORDS = ("message", "errorDetails", "error", "name")
MOST_AT_ONCE = 16
One = TypeVar("One")
Other = TypeVar("Other")


class Missing(UsageError):
    """The server has no such thing."""


@dataclass(frozen=True)
class Server:
    """One server: its address up to the paths it is asked for, and what is sent with each request."""

    url: str
    asked: Asked
    token: Revealed = NOTHING
    headers: Mapping[str, str] = field(default_factory=dict)
    authority: str | None = None

    def json(self, method: str, path: str, body: Any = None, kind: str = JSON) -> Any:
        """Ask, and give the JSON of the answer; raise what a status means."""
        page = self.page(method, path, body, kind)
        if page.status < 300:
            return self._read(page) if page.body else {}
        told = f"{shown(self.url + path)}: {self._words(page)} (HTTP {page.status})"
        match page.status:
            case 401 | 403:
                raise Forbidden(told, advice="give provider.token a token that has the right to do this")
            case 404:
                raise Missing(told)
            case 409 | 412:
                raise Conflict(told, advice="look at the flag again")
        raise DeployctlError(told)

    def page(self, method: str, path: str, body: Any = None, kind: str = JSON) -> Page:
        """Ask, and ask again where the server says to wait and there is time; a request that it put off did nothing."""
        end = time.monotonic() + self.asked.timeout_seconds
        while True:
            page = self._once(method, path, body, kind, max(0.01, end - time.monotonic()))
            if page.status != 429:
                return page
            wait = _wait_seconds(page.headers)
            if time.monotonic() + wait >= end:
                raise DeployctlError(
                    f"{shown(self.url)}: asks to wait {wait:.0f}s (HTTP 429), longer than there is time"
                )
            threading.Event().wait(wait)

    def _once(self, method: str, path: str, body: Any, kind: str, seconds: float) -> Page:
        headers = {"Accept": JSON, **({"Content-Type": kind} if body is not None else {}), **self.headers}
        content = None if body is None else json.dumps(body).encode()
        timed = replace(self.asked, timeout_seconds=seconds)
        try:
            return fetch(
                timed, self.url + path, method=method, headers=headers, body=content, authority=self.authority
            )
        except DeployctlError as error:
            raise DeployctlError(self.token.scrub(str(error))) from None

    def _read(self, page: Page) -> Any:
        try:
            return parsed(page.body)
        except DeployctlError as error:
            raise DeployctlError(f"{shown(self.url)}: {error}") from None

    def _words(self, page: Page) -> str:
        """Give the server's own words where it has any; nothing else of a body is repeated."""
        try:
            found = parsed(page.body)
        except DeployctlError:
            return "it refused"
        told = [found[key] for key in WORDS if isinstance(found, dict) and isinstance(found.get(key), str)]
        return self.token.scrub(cut(told[0])) if told else "it refused"


def server(  # noqa: PLR0913 - one parameter for each part of how a server is reached
    asked: Asked,
    url: str,
    credential: Credential | None,
    *,
    header: str = "Authorization",
    scheme: str = "",
    authority: str | None = None,
) -> Server:
    """Reach a server that the spec names, whose host is allowed by being named there."""
    token = revealed(credential, asked)
    allowed = replace(asked, hosts=(*asked.hosts, urlsplit(url).hostname or ""))
    headers = {header: f"{scheme}{token.plain}"} if token.plain else {}
    return Server(url.rstrip("/"), allowed, token, headers, authority)


def side_by_side(ask: Callable[[One], Other], each: Iterable[One]) -> tuple[Other, ...]:
    """Ask all at once, and give the answers in the order of the questions."""
    every = tuple(each)
    with ThreadPoolExecutor(min(len(every), MOST_AT_ONCE) or 1) as pool:
        return tuple(pool.map(ask, every))


def _wait_seconds(headers: Mapping[str, str]) -> float:
    """Read Retry-After: seconds, or a date (RFC 9110 10.2.3); else when a window ends, in milliseconds since 1970."""
    told, ends = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if told.isdecimal():
        return float(told)
    if not told and ends.isdecimal():
        return max(0.0, int(ends) / 1000 - time.time())
    try:
        return max(0.0, (parsedate_to_datetime(told) - dt.datetime.now(dt.UTC)).total_seconds())
    except (ValueError, TypeError):
        return USUAL_WAIT_SECONDS
