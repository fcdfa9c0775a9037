"""The Kubernetes API as raw JSON over the official client's transport and credentials.

The typed models are never used: 500 pods cost 1757 ms through them and 32 ms as JSON.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

import tenacity
import urllib3

from deployctl.cluster.login import IN_CLUSTER, Login, Target, log_in
from deployctl.errors import Conflict, DeployctlError, Forbidden
from deployctl.foreign import printable
from deployctl.memory import FIELD_MANAGER

Json = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
OVERLOADED = frozenset({429, 500, 502, 503, 504})
QUOTED = re.compile(r'"\{\\"(?:[^"\\]|\\.)*"')  # an object as Go quotes it: "{\"kind\":...}"
MOST_PAGE_BYTES = 2**20  # of what a pod says through the proxy; deployctl.gates.fetch holds URLs to the same
MOST_PATIENCE_SECONDS = 10.0  # however long a Retry-After asks for


class ApiError(DeployctlError):
    """The API answered with a Status; `status` is the HTTP code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotFound(ApiError):
    """There is no such object."""


class Stale(Conflict):
    """The object is not as it was when we looked: 409, or 422 for a failed `test` of a JSON patch."""


class Unreachable(DeployctlError):
    """No answer from the API, or one that says to come back later."""

    def __init__(self, message: str, *, advice: str = "", retry_after_seconds: float = 0.0) -> None:
        super().__init__(message, advice=advice)
        self.retry_after_seconds = retry_after_seconds


class Denied(Forbidden):
    """401 or 403; `status` tells which."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(
            message, advice="log in again, or ask for the Role that `deployctl` needs (docs/rbac.md)"
        )
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One call, before it is sent."""

    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def resource(self) -> str:
        """Name the kind of object that it writes, as the API does: `services`."""
        return self.path.rsplit("/", 1 if self.method == "POST" else 2)[-1 if self.method == "POST" else -2]

    @property
    def name(self) -> str:
        """Name the object that it writes."""
        return str(self.body["metadata"]["name"]) if self.method == "POST" else self.path.rpartition("/")[2]

    def dry(self) -> Request:
        """Give the same call as a server dry run."""
        return Request(self.method, self.path, self.body, self.content_type, {**self.query, "dryRun": "All"})


class Api:
    """One cluster as one user. Safe to use from several threads."""

    sleep: Callable[[float], None] = staticmethod(time.sleep)  # between the tries of a read

    def __init__(self, target: Target) -> None:
        self._lock = threading.Lock()
        self._login = log_in(target)
        self._date = ""
        self.host, self.context, self.namespace = (
            self._login.host,
            self._login.context,
            self._login.namespace,
        )
        self.authority = self._login.authority
        same = None if self.context == IN_CLUSTER else self.context
        self.target = replace(target, context=same, namespace=self.namespace)

    def now(self) -> dt.datetime:
        """Tell the time by the server's clock at its last answer, for this machine's may be wrong."""
        return parsedate_to_datetime(self._date) if self._date else dt.datetime.now(dt.UTC)

    def get(self, path: str, **query: str) -> Json:
        """Read; repeated a few times with back-off while the API does not answer."""
        return self._again(self.send, Request("GET", path, query=query))

    def post(self, path: str, body: Json) -> Json:
        return self.send(Request("POST", path, body, query={"fieldManager": FIELD_MANAGER}))

    def send(self, request: Request) -> Json:
        """Send one call once; a rejected credential is renewed and the call repeated."""
        status, body, headers = self._exchange(request)
        if status >= 400:
            raise failure(request, status, body, headers)
        return _document(request, body)

    def raw(self, request: Request, timeout_seconds: float) -> tuple[int, bytes]:
        """Send one call and give its status and body as they are, redirects not followed; raise where it is too long."""
        status, _, body = self.whole(request, timeout_seconds)
        return status, body

    def whole(self, request: Request, timeout_seconds: float) -> tuple[int, dict[str, str], bytes]:
        """Send one call and give its status, its headers by their names in lower case, and its body as they are."""
        status, body, headers = self._exchange(request, timeout_seconds, MOST_PAGE_BYTES)
        return status, {name.lower(): value for name, value in headers.items()}, body

    def dialled(self, path: str) -> tuple[str, list[str], Json]:
        """Give what a WebSocket to the same server as the same user needs: address, headers, whom it trusts."""
        login = self._login
        known: Json = login.pool.connection_pool_kw
        keys = {
            "ca_certs": "ca_certs",
            "cert_file": "certfile",
            "key_file": "keyfile",
            "cert_reqs": "cert_reqs",
        }
        trust = {theirs: known[ours] for ours, theirs in keys.items() if known.get(ours) is not None}
        headers = [
            f"{name}: {value}"
            for name, value in self._headers(login, Request("GET", path)).items()
            if name != "Accept"  # what is upgraded is not JSON
        ]
        return f"ws{login.host.removeprefix('http')}{path}", headers, trust

    def lines(self, request: Request, silence_seconds: float) -> Iterator[Json]:
        """Stream a watch; end when the server ends it or has been silent too long."""
        limit = urllib3.Timeout(connect=self.target.timeout_seconds, read=silence_seconds)
        response = self._authorized(request, limit)
        try:
            if response.status >= 400:
                raise failure(request, response.status, response.read(), response.headers)
            yield from _documents(request, response.stream(65536))
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"the watch of {request.path} broke: {_plain(error)}") from error
        finally:
            response.close()

    def _exchange(
        self, request: Request, timeout_seconds: float | None = None, most_bytes: int | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        limit = urllib3.Timeout(total=timeout_seconds or self.target.timeout_seconds)
        response = self._authorized(request, limit, preload=True, most_bytes=most_bytes)
        self._date = response.headers.get("Date") or self._date
        return response.status, response.data, response.headers

    def _authorized(
        self, request: Request, limit: Any, *, preload: bool = False, most_bytes: int | None = None
    ) -> Any:
        """Open a call; where its credential is rejected, once more with a new one."""
        login = self._login
        read = partial(self._open, request=request, limit=limit, preload=preload, most_bytes=most_bytes)
        response = read(login)
        if response.status != 401 or (preload and _status(response.data).get("kind") != "Status"):
            return response  # a 401 without a Status is a pod's own, through the proxy
        response.close()
        return read(self._renewed(login))

    def _open(
        self, login: Login, request: Request, limit: Any, *, preload: bool, most_bytes: int | None
    ) -> Any:
        end = time.monotonic() + (limit.total or 0)
        try:
            response = login.pool.request(
                request.method,
                login.host + request.url,
                body=None if request.body is None else json.dumps(request.body).encode(),
                headers=self._headers(login, request),
                timeout=limit,
                retries=False,
                redirect=False,
                preload_content=preload and most_bytes is None,
            )
            return response if most_bytes is None else _bounded(response, request, most_bytes, end)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(
                f"{self.host} does not answer {request.method} {request.path}: {_plain(error)}",
                advice="check the context and the network; what was released so far stands as it is",
            ) from error

    def _headers(self, login: Login, request: Request) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "deployctl", **login.credentials}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if self.target.impersonate:
            headers["Impersonate-User"] = self.target.impersonate
        return headers

    def _renewed(self, rejected: Login) -> Login:
        """Log in again, once for all threads, and to no other server than the release began on."""
        with self._lock:
            if self._login is rejected:
                found = log_in(self.target)
                if found.host != self.host:
                    raise Forbidden(
                        f"context {self.context} was {self.host} and is {found.host} now",
                        advice="nothing more is written; look at the kubeconfig, then resume",
                    )
                self._login = found
            return self._login

    def _again(self, call: Any, request: Request) -> Json:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Unreachable),
            stop=tenacity.stop_after_attempt(3),
            wait=_patience,
            sleep=self.sleep,
            reraise=True,
        )
        answer: Json = retrying(call, request)
        return answer


def _bounded(response: Any, request: Request, most_bytes: int, end: float) -> urllib3.HTTPResponse:
    """Read a page to its end, unless that is too long or too late: whoever is asked is not ours."""
    taken = bytearray()
    with closing(response):  # one that was read to its end has let go of its connection, which is kept
        while chunk := response.read1(65536):
            taken += chunk
            if len(taken) > most_bytes:
                raise DeployctlError(f"{request.path}: the answer is longer than {most_bytes} bytes")
            if time.monotonic() > end:
                raise Unreachable(f"{request.path}: the answer did not end in time")
    return urllib3.HTTPResponse(bytes(taken), response.headers, response.status)


def _patience(state: tenacity.RetryCallState) -> float:
    """Wait as long as the server asks for, within reason; else a little, and longer each time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_seconds if isinstance(error, Unreachable) else 0.0
    return max(asked, tenacity.wait_random_exponential(multiplier=0.2, max=2)(state))


def _documents(request: Request, chunks: Iterator[bytes]) -> Iterator[Json]:
    """Cut a stream into lines of JSON; a last line without its end was cut off and is dropped."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (_document(request, line) for line in whole if line)


def _document(request: Request, text: bytes) -> Json:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unreachable(
            f"{request.method} {request.path}: the answer is no JSON object: {_shown(text)}",
            advice="check that the context's server is a Kubernetes API and no login page of a proxy",
        )
    return answer


def failure(request: Request, status: int, body: bytes, headers: Mapping[str, str]) -> DeployctlError:
    """Turn an HTTP error into ours, in the server's own words where it has any."""
    said = _status(body)
    message = f"{request.method} {request.path}: {_message(said, body) or f'HTTP {status}'}"
    if status in {401, 403}:
        return Denied(status, message)
    if status == 404:
        return NotFound(status, message)
    if status == 409 or (status == 422 and request.content_type == JSON_PATCH and not _invalid(said)):
        return Stale(message)
    if status in OVERLOADED:
        return Unreachable(f"{message} (HTTP {status})", retry_after_seconds=_retry_after(headers))
    return ApiError(status, message)


def _status(body: bytes) -> Json:
    """Read the Status object of a failed call; empty where something else answered."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _message(status: Json, body: bytes) -> str:
    """Give the server's words, less the whole objects that it quotes: they may hold somebody's password."""
    return QUOTED.sub("{...}", printable(str(status["message"]))) if status.get("message") else _shown(body)


def _shown(body: bytes) -> str:
    return printable(body[:200].decode(errors="replace")).strip()


def _invalid(status: Json) -> bool:
    """Tell a spec that the server finds invalid, which names causes, from a lost race, which names none."""
    return bool((status.get("details") or {}).get("causes"))


def _retry_after(headers: Mapping[str, str]) -> float:
    """Read how many seconds to wait; a date, which Kubernetes never sends, counts as none (RFC 9110 10.2.3)."""
    asked = headers.get("Retry-After") or ""
    return min(float(asked), MOST_PATIENCE_SECONDS) if asked.isdigit() else 0.0


def _plain(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or error).split(": ", 1)[-1]
