"""The http gate asks every pod on trial for one page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.foreign import printable
from deployctl.gates import Asked
from strategies.analysis import Answer, Measurement

Json = dict[str, Any]

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

    def __post_init__(self) -> None:
        try:
            _ = urlsplit(self.url or "").port
        except ValueError as error:
            raise ValueError(f"url: {error}; expected one such as https://wallet.example/ready") from error

    def measure(self, asked: Asked) -> Measurement:
        """Ask once, every pod or the one address; the first that does not answer as expected decides."""
        if self.url:
            return self._judge(_shown(self.url), *fetch(self.url, asked.timeout_seconds))
        answers = (self._ask(pod, asked) for pod in asked.pods)
        bad = next((one for one in answers if one.answer is not Answer.PASS), None)
        return bad or self._all(len(asked.pods))

    def _all(self, pods: int) -> Measurement:
        if not pods:
            return Measurement(Answer.UNKNOWN, "there is no pod to ask")
        return Measurement(Answer.PASS, f"{self.path}: {self._wanted()} from {pods} of {pods} pods")

    def _ask(self, pod: Json, asked: Asked) -> Measurement:
        name = pod["metadata"]["name"]
        port = port_of(pod, asked.service, self.port)
        if port is None:
            return Measurement(Answer.UNKNOWN, f"{name} has no port named {self.port or 'by the Service'}")
        try:
            answer = asked.proxy(name, port, self.scheme, self.path, asked.timeout_seconds)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, f"{name}{self.path}: {error}")
        refusal = _of_the_api(*answer)
        if refusal:
            return Measurement(Answer.UNKNOWN, f"{name}{self.path}: {refusal}")
        return self._judge(f"{name}{self.path}", *answer)

    def _judge(self, where: str, status: int, body: bytes) -> Measurement:
        if not status:
            return Measurement(Answer.UNKNOWN, f"{where}: {body.decode(errors='replace')}")
        if status not in self._expected():
            return Measurement(Answer.FAIL, f"{where}: {status}, expected {self._wanted()}")
        if self.contains and self.contains.encode() not in body:
            return Measurement(Answer.FAIL, f"{where}: the answer lacks {self.contains!r}")
        return Measurement(Answer.PASS, f"{where}: {status}")

    def _expected(self) -> tuple[int, ...]:
        return self.expect if isinstance(self.expect, tuple) else (self.expect,)

    def _wanted(self) -> str:
        return " or ".join(map(str, self._expected()))


def port_of(pod: Json, service: Json, wanted: int | str | None = None) -> int | None:
    """Find the number of a pod's port: the one that is wanted, else where the Service sends its first port.

    As a Service looks: the containers first, then sidecars among the init containers.
    """
    first = (service["spec"].get("ports") or [{}])[0]
    wanted = wanted or first.get("targetPort") or first.get("port")
    if isinstance(wanted, int):
        return wanted
    spec = pod["spec"]
    boxes = [*spec["containers"], *(one for one in spec.get("initContainers") or [] if _stays(one))]
    ports = [one for box in boxes for one in box.get("ports") or []]
    return next((int(one["containerPort"]) for one in ports if one.get("name") == wanted), None)


def _stays(container: Json) -> bool:
    """Say whether an init container is a sidecar, which runs as long as the pod."""
    return container.get("restartPolicy") == "Always"


def fetch(url: str, timeout_seconds: float) -> tuple[int, bytes]:
    """Fetch an address; no answer is status 0 with the reason as its body."""
    import httpx

    try:
        answer = httpx.get(url, timeout=timeout_seconds, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return 0, str(error or type(error).__name__).encode()
    return answer.status_code, answer.content


def _of_the_api(status: int, body: bytes) -> str:
    """Tell why the API server has no answer of the pod: what it says itself is a Status, and no word of the pod's.

    503 with "error trying to reach service" is an error of the way, not a failure of the revision.
    """
    if status < 400 or b'"Status"' not in body:
        return ""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    ours = isinstance(said, dict) and (said.get("kind"), said.get("apiVersion")) == ("Status", "v1")
    return printable(str(said.get("message") or f"HTTP {status}")) if ours else ""


def path_of(url: str) -> str:
    """Give what is asked for at an address: `/version?full=1`."""
    parts = urlsplit(url)
    return urlunsplit(("", "", parts.path or "/", parts.query, ""))


def _shown(url: str) -> str:
    """Give an address without what may be secret in it: user and password, the query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
