"""Works out how many pods a resource metric asks for, as replica_calculator.go does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deployctl.sandbox.controllers.conditions import condition
from deployctl.sandbox.controllers.pods import is_leaving, phase
from deployctl.sandbox.objects.amounts import amount
from deployctl.sandbox.store import moment

Json = dict[str, Any]
Source = Callable[[Json], Mapping[str, str]]  # what a pod uses now: {"cpu": "250m"}; empty where nobody knows

TOLERANCE = 0.1
WINDOW_SECONDS = 30.0  # over which usage is measured
STARTING_SECONDS, FIRST_READY_SECONDS = 300.0, 30.0


class Unknown(Exception):
    """The metrics do not say how many pods there should be."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the pods use of a resource, in thousandths; `target` is per cent of the requests, or an amount."""

    resource: str
    target: int
    is_share: bool
    used: dict[str, int]
    requests: dict[str, int]

    def ratio(self) -> tuple[float, int, int]:
        """Give the ratio to the target, the average share in per cent and the average amount."""
        total, wanted = sum(self.used.values()), sum(self.requests[name] for name in self.used)
        average = total // len(self.used)
        if not self.is_share:
            return average / self.target, 0, average
        if not wanted:
            raise Unknown("no metrics returned matched known pods")
        share = total * 100 // wanted
        return share / self.target, share, average


@dataclass(frozen=True, slots=True)
class Proposal:
    """How many pods a metric asks for, and what it saw."""

    replicas: int
    share: int
    average: int


def proposed(  # noqa: PLR0913, PLR0917 - what is asked, of whom, and when
    pods: list[Json], source: Source, metric: Json, current: int, tolerances: tuple[float, float], now: float
) -> Proposal:
    """Work out a proposal of a Resource metric; Unknown where it cannot."""
    resource, target = metric["name"], metric["target"]
    known = {one["metadata"]["name"]: told for one in pods if (told := source(one))}
    if not known:
        raise Unknown(
            f"unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
        )
    if not pods:
        raise Unknown("no pods returned by selector while calculating replica count")
    used = {name: _thousandths(told[resource]) for name, told in known.items() if resource in told}
    ready, unready, missing = _grouped(pods, set(used), resource, now)
    used = {name: used[name] for name in used if name in ready}
    if not used:
        raise Unknown("did not receive metrics for targeted pods (pods might be unready)")
    is_share = "averageUtilization" in target
    aim = target["averageUtilization"] if is_share else _thousandths(target["averageValue"])
    requests = {one["metadata"]["name"]: _request(one, resource) if is_share else 0 for one in pods}
    usage = Usage(resource, aim, is_share, used, requests)
    return _decided(usage, ready, unready, missing, current, tolerances)


def _decided(  # noqa: PLR0913, PLR0917 - the pods come in three groups
    usage: Usage,
    ready: set[str],
    unready: set[str],
    missing: set[str],
    current: int,
    tolerances: tuple[float, float],
) -> Proposal:
    """Take pods that say nothing for what they at least, or at most, could use, and never turn the direction."""
    ratio, share, average = usage.ratio()
    stay = Proposal(current, share, average)
    dampened = set(unready) if ratio > 1 else set()
    if not dampened and not missing:
        return stay if _within(ratio, tolerances) else Proposal(math.ceil(ratio * len(ready)), share, average)
    guess = dict.fromkeys(dampened | (missing if ratio > 1 else set()), 0)
    if ratio < 1:
        guess = {name: _full(usage, name) for name in missing}
    filled = Usage(usage.resource, usage.target, usage.is_share, {**usage.used, **guess}, usage.requests)
    again = filled.ratio()[0]
    if _within(again, tolerances) or (ratio < 1 < again) or (again < 1 < ratio):
        return stay
    replicas = math.ceil(again * len(filled.used))
    turned = (again < 1 and replicas > current) or (again > 1 and replicas < current)
    return stay if turned else Proposal(replicas, share, average)


def _full(usage: Usage, name: str) -> int:
    return usage.requests[name] * max(100, usage.target) // 100 if usage.is_share else usage.target


def _within(ratio: float, tolerances: tuple[float, float]) -> bool:
    return 1 - tolerances[0] <= ratio <= 1 + tolerances[1]


def _grouped(
    pods: list[Json], known: set[str], resource: str, now: float
) -> tuple[set[str], set[str], set[str]]:
    """Tell the pods that count from those that are not ready yet and those that say nothing."""
    ready, unready, missing = set(), set(), set()
    for pod in pods:
        name = pod["metadata"]["name"]
        if is_leaving(pod) or phase(pod) == "Failed":
            continue
        if phase(pod) == "Pending" or (name in known and resource == "cpu" and _is_unready(pod, now)):
            unready.add(name)
        elif name in known:
            ready.add(name)
        else:
            missing.add(name)
    return ready, unready, missing


def _is_unready(pod: Json, now: float) -> bool:
    """Say whether a pod's CPU does not count: it starts, or never was ready."""
    told, started = condition(pod, "Ready"), pod.get("status", {}).get("startTime")
    if told is None or started is None:
        return True
    began, since = moment(started), moment(told["lastTransitionTime"])
    if began + STARTING_SECONDS > now:
        return told["status"] == "False" or now < since + WINDOW_SECONDS
    return told["status"] == "False" and began + FIRST_READY_SECONDS > since


def _request(pod: Json, resource: str) -> int:
    total = 0
    for container in pod["spec"]["containers"]:
        asked = ((container.get("resources") or {}).get("requests") or {}).get(resource)
        if asked is None:
            names = container["name"], pod["metadata"]["name"]
            raise Unknown(f"missing request for {resource} in container {names[0]} of Pod {names[1]}")
        total += _thousandths(asked)
    return total


def _thousandths(text: str) -> int:
    return math.ceil(amount(text) * 1000)
