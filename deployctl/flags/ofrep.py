"""The ofrep provider asks every endpoint that speaks OpenFeature's remote evaluation protocol: flagd, GO Feature Flag, Flipt.

The protocol only evaluates. Where flags are kept says `kept`, and what is written there is read back at the endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta

from deployctl.errors import DeployctlError, UsageError
from deployctl.flags import Context, Provider, Reading, Value
from deployctl.flags.calling import Server, server, side_by_side
from deployctl.flags.config_map import ConfigMap
from deployctl.flags.elsewhere import NOT_NOW, Elsewhere
from deployctl.flags.file import File
from deployctl.flags.values import plain
from deployctl.gates import Asked, Page
from deployctl.gates.credential import Credential, FilePath
from deployctl.gates.fetch import Url, check_url, shown
from deployctl.gates.field import parsed


@dataclass(frozen=True)
class Kept:
    """Where the endpoints have their flags from; exactly one of the two.

    file: a file on the machine that deployctl runs on
    configMap: a ConfigMap of the app's namespace
    """

    file: File | None = None
    config_map: ConfigMap | None = None

    def __post_init__(self) -> None:
        if (self.file is None) == (self.config_map is None):
            raise ValueError("expected exactly one of file and configMap")

    @property
    def keeping(self) -> Provider:
        return self.file or self.config_map  # type: ignore[return-value]


@dataclass(frozen=True)
class Ofrep(Elsewhere):
    """Flags as endpoints of the OpenFeature Remote Evaluation Protocol evaluate them; each of these is asked.

    endpoints: addresses up to the path before /ofrep/v1; their hosts are allowed by being named here
    kept: where they have their flags from; without it flags are read and never written
    token: sent to each
    header: as a bearer token, or as X-API-Key
    ca: a file of certificates that they are trusted by, instead of the usual
    spread: how long they may take to see a write
    """

    endpoints: Annotated[tuple[Url, ...], Meta(min_length=1, extra={"unique": ""})]
    kept: Kept | None = None
    token: Credential | None = None
    header: Literal["bearer", "apiKey"] = "bearer"
    ca: FilePath | None = None
    spread_seconds: float = 120.0

    def __post_init__(self) -> None:
        for one in self.endpoints:
            check_url(one, "endpoints")

    def read(self, key: str, context: Context, asked: Asked) -> tuple[Reading, ...]:
        return side_by_side(lambda one: self._reading(one, key, context, asked), self.endpoints)

    def _reading(self, endpoint: str, key: str, context: Context, asked: Asked) -> Reading:
        body = {"context": {"targetingKey": context.key, **dict(context.fields)}}
        try:
            there = self._server(endpoint, asked)
            page = there.page("POST", f"/ofrep/v1/evaluate/flags/{quote(key, safe='')}", body)
            value, why = evaluated(key, page)
            return Reading(shown(endpoint), value, there.token.scrub(why))
        except DeployctlError as error:
            return Reading(shown(endpoint), None, str(error))

    def _server(self, endpoint: str, asked: Asked) -> Server:
        header, scheme = ("Authorization", "Bearer ") if self.header == "bearer" else ("X-API-Key", "")
        return server(asked, endpoint, self.token, header=header, scheme=scheme, authority=self.ca)

    @property
    def _kept(self) -> Provider:
        if self.kept is None:
            raise UsageError(
                "these endpoints only evaluate flags",
                advice="say where the flags are kept: provider.ofrep.kept: {file: ...} or {configMap: ...}",
            )
        return self.kept.keeping


def evaluated(key: str, page: Page) -> tuple[Value | None, str]:
    """Give the value of an answer, or why there is none; what has no value is never false."""
    try:
        found: Any = parsed(page.body)
    except DeployctlError as error:
        return None, f"{error} (HTTP {page.status})"
    if not isinstance(found, dict):
        return None, f"the answer is no object (HTTP {page.status})"
    if page.status != 200:
        return None, f"{found.get('errorCode') or 'no value'} (HTTP {page.status})"
    reason = str(found.get("reason", ""))
    if found.get("key", key) != key:
        return None, "the answer is about another flag"
    if reason in NOT_NOW:
        return None, f"its reason is {reason}"
    if found.get("value") is None:
        return None, f"it has no value ({reason or 'no reason given'})"
    value = plain(found["value"])
    return value, "" if value is not None else "its value is an object"
