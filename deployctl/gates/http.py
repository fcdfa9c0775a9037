"""The http gate asks every pod on trial for one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

Path = Annotated[str, Meta(pattern="^/", extra={"expected": "a path that starts with /"})]
Status = Annotated[int, Meta(ge=100, le=599, extra={"expected": "a status from 100 to 599"})]
Port = Annotated[int, Meta(ge=1, le=65535, extra={"expected": "a port from 1 to 65535"})]
PortName = Annotated[str, Meta(pattern="^[a-z0-9-]{1,15}$", extra={"expected": "the name of one"})]
Url = Annotated[
    str, Meta(pattern="^https?://[^/]", extra={"expected": "a URL that starts with http:// or https://"})
]


@dataclass(frozen=True)
class Http:
    """Ask every pod on trial for a page; redirects are not followed, and all must answer as expected.

    path: what is asked for
    expect: the status, or any of several
    contains: text that the answer must hold
    port: number or name; the targetPort of the first listed Service unless it is given
    scheme: how the pods are asked
    url: ask this address instead of the pods
    """

    path: Path = "/"
    expect: Status | tuple[Status, ...] = 200
    contains: str = ""
    port: Port | PortName | None = None
    scheme: Literal["http", "https"] = "http"
    url: Url | None = None
