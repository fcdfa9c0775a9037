"""The http gate asks every pod on trial for one page."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.foreign import printable
from deployctl.gates import Asked, Page
from deployctl.gates.credential import Credential, FilePath, Revealed, revealed
from deployctl.gates.fetch import Url, check_url, fetch, scrubbed, shown
from deployctl.gates.field import Field
from strategies.analysis import Answer, Measurement

Json = dict[str, Any]

Path = Annotated[str, Meta(pattern="^/", extra={"expected": "a path that starts with /"})]
Status = Annotated[int, Meta(ge=100, le=599, extra={"expected": "a status from 100 to 599"})]
Port = Annotated[int, Meta(ge=1, le=65535, extra={"expected": "a port from 1 to 65535"})]
PortName = Annotated[str, Meta(pattern="^[a-z0-9-]{1,15}$", extra={"expected": "the name of one"})]
Quantile = Annotated[float, Meta(ge=0, le=1, extra={"expected": "a share from 0 to 1 such as 0.95"})]
Requests = Annotated[int, Meta(ge=1, le=1000)]
Way = Callable[[float], Page]


@dataclass(frozen=True)
class Http:
    """Ask every pod on trial for a page; redirects are not followed, and all must answer as expected.

    path: what is asked for
    expect: the status, or any of several
    contains: text that the answer must hold
    field: a field of an answer in JSON, and what it must be
    headers: that the answer must have; each holds the text that is given
    within: the longest that an answer may take, at the quantile
    quantile: the share of the answers that must be within that time
    requests: how often each pod is asked in one measurement
    port: number or name; the targetPort of the first listed Service unless it is given
    scheme: how the pods are asked
    url: ask this address instead of the pods; its host must be among spec.gates.hosts
    token: sent to the url as a bearer token
    ca: a file of certificates that the url is trusted by, instead of the usual
    """

    RIGHTS: ClassVar = ("get pods/proxy, unless `url` is given",)
    UNKNOWNS: ClassVar = (
        "no pod, no answer in time, an answer of the API server in a pod's place",
        "a field that the answer lacks, an answer that is not JSON, a host that is not allowed",
    )

    path: Path = "/"
    expect: Status | tuple[Status, ...] = 200
    contains: str = ""
    field: Field | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    within_seconds: float | None = None
    quantile: Quantile = 0.95
    requests: Requests = 1
    port: Port | PortName | None = None
    scheme: Literal["http", "https"] = "http"
    url: Url | None = None
    token: Credential | None = None
    ca: FilePath | None = None

    def __post_init__(self) -> None:
        check_url(self.url)
        if self.token and not self.url:
            raise ValueError("token: pods are asked with the API server's own login; expected url beside it")

    @property
    def pod_wise(self) -> bool:
        """Say whether it asks pod after pod, each with the gate's whole time."""
        return not self.url

    def measure(self, asked: Asked) -> Measurement:
        """Ask every pod or the one address; the first that does not answer as expected decides."""
        try:
            bearer = revealed(self.token, asked)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, str(error))
        return scrubbed(self._asked(self._ways(asked, bearer), asked), bearer)

    def _asked(self, ways: list[tuple[str, Way]], asked: Asked) -> Measurement:
        answers = []
        for where, way in ways:
            answers.append(self._ask(where, way, asked.timeout_seconds))
            if answers[-1].answer is not Answer.PASS:
                return answers[-1]
        return self._all(answers)

    def _ways(self, asked: Asked, bearer: Revealed) -> list[tuple[str, Way]]:
        """List whom it asks, each with the way to it: (time in seconds) -> its page."""
        if self.url:
            return [(shown(self.url), self._way_to_url(self.url, asked, bearer))]
        return [(f"{pod['metadata']['name']}{self.path}", self._way_to(pod, asked)) for pod in asked.pods]

    def _way_to_url(self, url: str, asked: Asked, bearer: Revealed) -> Way:
        def ask(seconds: float) -> Page:
            here = replace(asked, timeout_seconds=seconds)
            return fetch(here, url, bearer=bearer, authority=self.ca)

        return ask

    def _way_to(self, pod: Json, asked: Asked) -> Way:
        name = pod["metadata"]["name"]
        port = port_of(pod, asked.service, self.port)

        def ask(seconds: float) -> Page:
            if port is None:
                raise DeployctlError(f"{name} has no port named {self.port or 'by the Service'}")
            if self.headers:
                return asked.page(name, port, self.scheme, self.path, seconds)
            status, body = asked.proxy(name, port, self.scheme, self.path, seconds)
            return Page(status, {}, body)

        return ask

    def _all(self, answers: list[Measurement]) -> Measurement:
        if not answers:
            return Measurement(Answer.UNKNOWN, "there is no pod to ask")
        if self.url:
            return answers[0]
        timed = [one.value for one in answers if one.value is not None]
        slowest = f", p{self.quantile * 100:g} at most {max(timed):.3f}s" if timed else ""
        told = f"{self.path}: {self._wanted()} from {len(answers)} of {len(answers)} pods{slowest}"
        return Measurement(Answer.PASS, told, max(timed, default=None), self._samples(answers))

    def _samples(self, answers: list[Measurement]) -> float | None:
        return sum(one.samples or 0 for one in answers) if self.within_seconds is not None else None

    def _ask(self, where: str, way: Way, seconds: float) -> Measurement:
        """Ask one as often as the spec says; the first answer that is not as expected decides."""
        end, taken, judged = time.monotonic() + seconds, [], _none(where)
        for at in range(self.requests):
            began = time.monotonic()
            if at and began >= end:
                return Measurement(
                    Answer.UNKNOWN, f"{where}: {at} of {self.requests} answers in {seconds:g}s"
                )
            try:
                page = way(end - began if at else seconds)
            except DeployctlError as error:
                return Measurement(Answer.UNKNOWN, _of(where, str(error)))
            taken.append(time.monotonic() - began)
            judged = self._judge(where, page)
            if judged.answer is not Answer.PASS:
                return judged
        return judged if self.within_seconds is None else self._timed(where, taken, self.within_seconds)

    def _timed(self, where: str, taken: list[float], most: float) -> Measurement:
        at = nearest(taken, self.quantile)
        told = f"{where}: p{self.quantile * 100:g} of {len(taken)} is {at:.3f}s, at most {most:g}s"
        return Measurement(Answer.PASS if at <= most else Answer.FAIL, told, at, len(taken))

    def _judge(self, where: str, page: Page) -> Measurement:
        refusal = _of_the_api(page.status, page.body) if not self.url else ""
        if refusal:
            return Measurement(Answer.UNKNOWN, f"{where}: {refusal}")
        if page.status not in self._expected():
            return Measurement(Answer.FAIL, f"{where}: {page.status}, expected {self._wanted()}")
        return self._inside(where, page) or Measurement(Answer.PASS, f"{where}: {page.status}")

    def _inside(self, where: str, page: Page) -> Measurement | None:
        """Judge what is in the answer; None where that is as expected."""
        if self.contains and self.contains.encode() not in page.body:
            return Measurement(Answer.FAIL, f"{where}: the answer lacks {self.contains!r}")
        for name, wanted in self.headers.items():
            if wanted.lower() not in page.headers.get(name.lower(), "").lower():
                return Measurement(Answer.FAIL, f"{where}: the header {name} lacks {wanted!r}")
        judged = self.field.judge(page.body, where) if self.field else None
        return judged if judged and judged.answer is not Answer.PASS else None

    def _expected(self) -> tuple[int, ...]:
        return self.expect if isinstance(self.expect, tuple) else (self.expect,)

    def _wanted(self) -> str:
        return " or ".join(map(str, self._expected()))


def nearest(taken: Sequence[float], quantile: float) -> float:
    """Give the nearest rank: p95 of 20 is the 19th of them in order."""
    return sorted(taken)[max(0, math.ceil(quantile * len(taken)) - 1)]


def _none(where: str) -> Measurement:
    return Measurement(Answer.UNKNOWN, f"{where}: it was not asked")


def _of(where: str, said: str) -> str:
    """Name whom it is about, unless that is said already."""
    told = said.startswith((where, f"{where.partition('/')[0]} has"))
    return said if told else f"{where}: {said}"


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
