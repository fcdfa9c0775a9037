"""Ask an address over HTTP as a gate may: an allowed host, no redirects, an end in time, a body of some size at most."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import Asked, Page
from deployctl.gates.credential import NOTHING, Revealed
from deployctl.gates.hosts import resolved
from strategies.analysis import Measurement

MOST_BYTES = 2**20
MOST_LETTERS = 200  # of somebody else's words in evidence
PORTS = {"http": 80, "https": 443}

Url = Annotated[
    str, Meta(pattern="^https?://[^/]", extra={"expected": "a URL that starts with http:// or https://"})
]


def check_url(url: str | None, key: str = "url") -> None:
    """Raise ValueError, as a class of options does, where a text cannot be an address."""
    try:
        parts = urlsplit(url or "")
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{key}: {error}; expected one such as https://wallet.example/ready") from error
    if url and not parts.hostname:
        raise ValueError(f"{key}: it names no host; expected one such as https://wallet.example/ready")


def shown(url: str) -> str:
    """Give an address without what may be secret in it: user and password, the query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def fetch(  # noqa: PLR0913 - one parameter a part of a request
    asked: Asked,
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    bearer: Revealed = NOTHING,
    authority: str | None = None,
) -> Page:
    """Ask once within the gate's time; raise DeployctlError, without a secret in it, where there is no answer.

    The host is resolved once, and what was checked is what is connected to: the second answer of a name server
    may be another. Redirects are not followed. `authority` is a file of certificates to trust instead of the usual.
    """
    import httpx

    parts, end = urlsplit(url), time.monotonic() + asked.timeout_seconds
    port = parts.port or PORTS[parts.scheme]
    host = parts.hostname or ""
    address = resolved(host, port, asked.hosts)[0]
    sent = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": "deployctl", **(headers or {})}
    if bearer.plain:
        sent["Authorization"] = f"Bearer {bearer.plain}"
    try:
        with _client(asked, authority, parts) as client:
            request = client.build_request(
                method,
                _at(parts, address, port),
                headers=sent,
                content=body,
                extensions={"sni_hostname": host},
            )
            answer = client.send(request, stream=True)
            return Page(
                answer.status_code, _lowered(answer.headers), _read(answer, end, asked.timeout_seconds)
            )
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        words = bearer.scrub(str(error) or type(error).__name__)
        raise DeployctlError(f"{shown(url)}: {words}") from None


def _client(asked: Asked, authority: str | None, parts: SplitResult) -> Any:
    import ssl

    import httpx

    trusted: Any = False
    if parts.scheme == "https":
        trusted = ssl.create_default_context(cafile=authority) if authority else httpx.create_ssl_context()
    login = (parts.username or "", parts.password or "") if parts.username else None
    return httpx.Client(
        timeout=asked.timeout_seconds, verify=trusted, follow_redirects=False, trust_env=False, auth=login
    )


def _at(parts: SplitResult, address: str, port: int) -> str:
    where = f"[{address}]" if ":" in address else address
    return urlunsplit((parts.scheme, f"{where}:{port}", parts.path or "/", parts.query, ""))


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _read(answer: Any, end: float, seconds: float) -> bytes:
    """Read a body to its end, unless that is too long or too late."""
    taken = bytearray()
    for chunk in answer.iter_bytes():
        taken += chunk
        if len(taken) > MOST_BYTES:
            raise DeployctlError(f"the answer is longer than {MOST_BYTES} bytes")
        if time.monotonic() > end:
            raise DeployctlError(f"the answer did not end within {seconds:g}s")
    return bytes(taken)


def scrubbed(one: Measurement, bearer: Revealed) -> Measurement:
    """Take a token out of evidence: a server may repeat what it was sent."""
    return replace(one, evidence=bearer.scrub(one.evidence)) if bearer.plain else one


def cut(text: str) -> str:
    """Give the beginning of somebody else's words, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_LETTERS else f"{line[: MOST_LETTERS - 3]}..."
