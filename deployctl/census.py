"""Where the traffic really is: endpoints say where new connections go, not where the requests arrive.

Kept connections stay where they were made (a pool, a WebSocket, a gRPC channel), so a Service that has moved for
100% may still have most of its requests answered by the old side.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from deployctl.errors import DeployctlError
from deployctl.foreign import printable
from deployctl.gates import Asked
from deployctl.gates.fetch import fetch
from deployctl.gates.http import port_of
from deployctl.spec import Census, FrontDoor, Requests

Json = dict[str, Any]
SPAN_SECONDS = 1.0  # between two readings of a counter
TIMEOUT_SECONDS = 2.0
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted: requests a second by the pods' UIDs, answers of the front door by revision, and what was not.

    `answers` are by hash; those that no revision says are under "other", those that failed under "failed".
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def counted(
    census: Census,
    asked: Asked,
    sides: Mapping[str, tuple[Json, ...]],
    sleep: Callable[[float], None] = time.sleep,
) -> Counted:
    """Count for the pods of each revision, by its hash; takes a second where pods count their requests.

    `asked` has the ways to the pods and the hosts that may be asked; its own pods are of no account.
    """
    pods = tuple(pod for side in sides.values() for pod in side)
    rates, silent = _rates(census.requests, asked, pods, sleep) if census.requests else ({}, ())
    door, unsaid = _door(census.front_door, asked, sides) if census.front_door else ({}, ())
    return Counted(rates, door, (*silent, *unsaid))


def _rates(
    requests: Requests, asked: Asked, pods: tuple[Json, ...], sleep: Callable[[float], None]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Read every pod's counter twice. One that went back (its process began anew) has had what it says now.

    A counter with labels is there from its first request on: where any pod tells it, the others have had none.
    """
    ask = partial(_count, requests, asked)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        began = time.monotonic()
        first = list(threads.map(ask, pods))
        sleep(SPAN_SECONDS)
        second = list(threads.map(ask, pods))
        span = max(time.monotonic() - began, SPAN_SECONDS)
    none = 0.0 if any(isinstance(one, float) for one in second) else _untold(requests)
    rates, problems = {}, []
    for pod, *both in zip(pods, first, second, strict=True):
        before, now = (none if one is None else one for one in both)
        if isinstance(before, str) or isinstance(now, str):
            problems.append(f"{pod['metadata']['name']}: {before if isinstance(before, str) else now}")
        else:
            rates[pod["metadata"]["uid"]] = (now - before if now >= before else now) / span
    return rates, tuple(problems)


def _untold(requests: Requests) -> str:
    return f"{requests.path} does not tell {requests.field or requests.metric}"


def _count(requests: Requests, asked: Asked, pod: Json) -> float | str | None:
    """Ask one pod how many requests it has had; None where its page has no such counter, text where it has no page."""
    port = port_of(pod, asked.service, requests.port)
    if port is None:
        return "it has no such port"
    try:
        status, body = asked.proxy(
            pod["metadata"]["name"], port, "http", requests.path, asked.timeout_seconds
        )
    except DeployctlError as error:
        return printable(str(error))[:200]
    if status != 200:
        return f"{requests.path}: {status}"
    count = _field(body, requests.field) if requests.field else _metric(body, requests.metric or "")
    return float(count) if isinstance(count, int | float) and not isinstance(count, bool) else None


def _field(body: bytes, name: str) -> Any:
    """Read a field of a JSON object; None where there is none."""
    try:
        return json.loads(body)[name]
    except (ValueError, LookupError, TypeError):
        return None


def _metric(body: bytes, name: str) -> float | None:
    """Add up a counter over its labels, in the Prometheus text format; None where it is not there.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    found = [_sample(line) for line in body.decode(errors="replace").splitlines() if _named(line, name)]
    return sum(found) if found and None not in found else None  # type: ignore[arg-type]


def _named(line: str, name: str) -> bool:
    return line.startswith(name) and line[len(name) : len(name) + 1] in ("{", " ", "\t")


def _sample(line: str) -> float | None:
    """Read the value of `name{label="a b"} 1027 1395066363000`: the first word after the labels."""
    try:
        return float(line.rpartition("}")[2].split()[0] if "}" in line else line.split()[1])
    except (ValueError, IndexError):
        return None


def _door(
    door: FrontDoor, asked: Asked, sides: Mapping[str, tuple[Json, ...]]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Ask the front door on new connections, and tell by what pods of each revision say who answered."""
    says = {name: _says(door, asked, side) for name, side in sides.items() if side}
    unclear = [name for name, one in says.items() if one is None]
    if unclear:
        return {}, (f"front door: a pod of {unclear[0]} does not tell {door.field} at {path_of(door.url)}",)
    if len(set(says.values())) < len(says):
        return {}, (f"front door: every revision says {door.field} {next(iter(says.values()))!r}",)
    known = {value: name for name, value in says.items() if value is not None}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = threads.map(lambda _: _answered(door, asked, known), range(door.requests))
        return dict(Counter(answers)), ()


def _says(door: FrontDoor, asked: Asked, side: Iterable[Json]) -> str | None:
    """Ask pods of one revision for the page of the front door until one says who it is."""
    for pod in side:
        port = port_of(pod, asked.service)
        if port is None:
            continue
        try:
            status, body = asked.proxy(
                pod["metadata"]["name"], port, "http", path_of(door.url), asked.timeout_seconds
            )
        except DeployctlError:
            continue
        value = _field(body, door.field) if status == 200 else None
        if value is not None:
            return str(value)
    return None


def _answered(door: FrontDoor, asked: Asked, known: Mapping[str, str]) -> str:
    try:
        page = fetch(asked, door.url)
    except DeployctlError:
        return "failed"
    return known.get(str(_field(page.body, door.field)), "other") if 200 <= page.status < 300 else "failed"


def path_of(url: str) -> str:
    """Give what is asked for at an address: `/version?full=1`."""
    parts = urlsplit(url)
    return urlunsplit(("", "", parts.path or "/", parts.query, ""))
