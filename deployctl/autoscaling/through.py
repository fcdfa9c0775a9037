"""The autoscaler through a release: held while two sides stand, put back byte for byte when it is over.

A hold stops scaling down, and keeps the floor at the size that the release began with. Scaling up is never stopped:
whatever dies, a dead process leaves an app that grows. The hold is written after the release's first write, so that a
hold of a release that is not in flight is known to be left over: `put_back` ends it, with the next command of any kind.
Idle pods halve the average that an autoscaler sees; the floor is raised to what the pods with traffic need.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from deployctl.autoscaling import held
from deployctl.autoscaling.arithmetic import OF_PODS, SOURCES, named, policy_of, thousandths
from deployctl.autoscaling.held import HPAS, SCALED_OBJECTS, Hold, resource_of
from deployctl.cluster import access
from deployctl.cluster.api import Api, ApiError, NotFound, Request, Stale, Unreachable
from deployctl.cluster.paths import path
from deployctl.cluster.view import Names, View
from deployctl.errors import DeployctlError, Forbidden
from deployctl.memory import HELD_SECONDS, Memory, recalled
from deployctl.moved import autoscaled
from deployctl.observe import Snapshot, ready
from strategies.autoscale import History, Metric, Now, Pod, Policy, Target, floor
from strategies.model import Observed, Phase

Json = dict[str, Any]
RELEASE = "release "
WORKS = frozenset({"ScalingActive", "AbleToScale", "Active"})  # conditions
AT_REST = frozenset({"ScalingDisabled", "ScalerNotActive"})  # reasons that are no trouble
TRIES = 5
WARM_SECONDS = (
    60.0  # from ready until an autoscaler's average counts a pod: its window, the metrics' age, a sync
)


def scalers_of(api: Api, names: Names) -> tuple[Json, ...]:
    """Find who scales a workload: HorizontalPodAutoscalers or, where KEDA owns one, its ScaledObject.

    Raise Forbidden where we may not look.
    """
    try:
        every = api.get(path(names.namespace, HPAS))["items"]
    except NotFound:
        return ()
    return tuple(_owner(api, one) for one in every if targets(one, names))


def targets(scaler: Json, names: Names) -> bool:
    ref = scaler["spec"]["scaleTargetRef"]
    return (ref.get("kind", "Deployment"), ref["name"]) == (names.kind, names.deployment)


def _owner(api: Api, hpa: Json) -> Json:
    """Give what is to be written to: KEDA writes its HorizontalPodAutoscaler anew from its own object."""
    owners = hpa["metadata"].get("ownerReferences") or ()
    mine = next((one["name"] for one in owners if one["kind"] == "ScaledObject"), "")
    if not mine:
        return hpa
    with suppress(NotFound, Forbidden):
        return api.get(path(hpa["metadata"]["namespace"], SCALED_OBJECTS, mine))
    return hpa


def called(scaler: Json) -> str:
    kind = "ScaledObject" if held.keda(scaler) else "HorizontalPodAutoscaler"
    return f"{kind} {scaler['metadata']['name']}"


def of_release(scaler: Json) -> Hold | None:
    """Give the hold that a release has on it."""
    return next((one for one in held.holds(scaler) if one.holder.startswith(RELEASE)), None)


def given_back(scaler: Json) -> Request | None:
    """Build the call that ends whatever a release holds, and leaves a surge as it is."""
    return held.write(scaler, _others(scaler)) if of_release(scaler) else None


def _others(scaler: Json) -> tuple[Hold, ...]:
    """Give the holds that no release has."""
    return tuple(one for one in held.holds(scaler) if not one.holder.startswith(RELEASE))


def troubled(scaler: Json) -> str:
    """Say why an autoscaler cannot work, in its own words; empty where it can, or has not said."""
    conditions = scaler.get("status", {}).get("conditions") or ()
    bad = (one for one in conditions if one["status"] == "False" and one["type"] in WORKS)
    return next((f"{one['reason']}: {one['message']}" for one in bad if one["reason"] not in AT_REST), "")


def planned(scaler: Json, size: int) -> Iterator[str]:
    """Say what a release of an app of this size does with its autoscaler, and what bears on that."""
    own = held.own(scaler)
    least = own.floor if own.floor is not None else 0 if held.keda(scaler) else 1
    yield f"{called(scaler)} is held: no scaling down, and not under {max(size, least)} (by itself {least})"
    yield "growth goes to both sides in proportion; at the end it is put back as it is now"
    if why := troubled(scaler):
        yield f"warning: it cannot scale now: {why}"
    for one in () if held.keda(scaler) else policy_of(scaler).metrics:
        if one.target is Target.VALUE:
            yield f"warning: {one.name} is a value for all: it counts idle pods too, and may want twice the size"


def unheld(api: Api, names: Names, workload: Json) -> Iterator[str]:
    """Say why an autoscaler cannot be held, before anything is touched."""
    said = f"the autoscaler of {names.deployment} cannot be held, and may scale down in mid-release"
    try:
        found = scalers_of(api, names)
    except Forbidden as error:
        yield from (f"{said}: {error}",) if autoscaled(workload) else ()
        return
    try:
        access.check(api, names.namespace, access.SCALED if found else ())
    except Forbidden as error:
        yield f"{said}: {error}"


def put_back(api: Api, names: Names) -> tuple[str, ...]:
    """End the holds of releases that are over, whose process died before it did; name what was put back.

    It stands in nobody's way, so no command fails for it: the next one puts back what this one cannot.
    """
    done: list[str] = []
    with suppress(Forbidden, ApiError, Stale, Unreachable):
        for one in scalers_of(api, names):
            request = given_back(one)
            if request and not _in_flight(api, names):
                api.send(request)
                done.append(called(one))
    return tuple(done)


def _in_flight(api: Api, names: Names) -> bool:
    """Look again, after the autoscaler was read: a hold is written after its release has begun."""
    return recalled(api.get(path(names.namespace, names.resource, names.deployment))) is not None


def companion(api: Api, view: View, memory: Memory, note: Callable[[str], None]) -> Scaling | None:
    """Make the companion of a run, and have its autoscaler watched; None where nothing scales the workload."""
    names, workload = view.names, view.look().deployment
    try:
        found = scalers_of(api, names)
    except Forbidden as error:
        if autoscaled(workload):
            note(f"warning: an autoscaler scales {names.deployment}, and is not held: {error}")
        return None
    if len(found) > 1:
        note(f"warning: {', '.join(map(called, found))} scale the same {names.kind}, so none of them works")
    for one in found[:1]:
        view.follow(resource_of(one), one["metadata"]["name"])
        return Scaling(memory)
    return None


@dataclass
class Scaling:
    """The companion of one run: gives at most one call a look, before the walk's own."""

    memory: Memory
    over: bool = False
    told: str = ""  # what the last call does

    def __post_init__(self) -> None:
        self._warned: set[str] = set()
        self._seen: History = History()
        self._size = 0

    def hold(self, look: Snapshot, seen: Observed, now: dt.datetime, clock: float) -> Request | None:
        """Build the call that holds the autoscaler as this look asks for; None where all is so."""
        self._witness(seen.replicas, clock)
        if self.over or not _wanted(look, seen):
            return None
        return next(filter(None, (self._held(one, look, seen, now, clock) for one in look.scalers)), None)

    def give_back(self, look: Snapshot) -> Request | None:
        """Build the call that puts it back; from then on it is not held again by this run."""
        self.over = True
        for one in look.scalers:
            if request := given_back(one):
                self.told = f"{called(one)} is as it was"
                return request
        return None

    def warnings(self, look: Snapshot) -> Iterator[str]:
        """Tell once of an autoscaler that cannot work: the release goes on without it."""
        for one in look.scalers:
            why = troubled(one)
            if why and why.partition(":")[0] not in self._warned:
                self._warned.add(why.partition(":")[0])
                yield f"warning: {called(one)} cannot scale, and the release goes on: {why}"

    def give_up(self, error: DeployctlError) -> str:
        """Stop where the cluster refuses the write: a release does not fail for it."""
        self.over = True
        return f"warning: the autoscaler is not held, and may scale down in mid-release: {error}"

    def _witness(self, size: int, clock: float) -> None:
        """Remember what it grew by, for its own rates count that."""
        if self._size and size > self._size:
            self._seen = replace(self._seen, up=(*self._seen.up, (clock, size - self._size)))
        self._size = size

    def _held(
        self, scaler: Json, look: Snapshot, seen: Observed, now: dt.datetime, clock: float
    ) -> Request | None:
        last = of_release(scaler)
        known = last if last and last.holder == self._holder else None
        base = known.floor if known else seen.replicas
        least = max(base, self._needed(scaler, look, seen, now, clock))
        mine = known or Hold(self._holder, by=self.memory.by, since=self.memory.at, why=self.memory.app)
        mine = msgspec.structs.replace(mine, floor=least, still=True)
        self.told = _told(scaler, least, raised=known is not None and least > base)
        return held.write(scaler, (*_others(scaler), mine))

    @property
    def _holder(self) -> str:
        return f"{RELEASE}{self.memory.id}"

    def _needed(self, scaler: Json, look: Snapshot, seen: Observed, now: dt.datetime, clock: float) -> int:
        """Give what the pods with traffic need beyond today's size, where idle ones hide it; else 0."""
        if held.keda(scaler) or troubled(scaler):
            return 0
        one = alone(scaler, look, seen, now)
        if one is None:
            return 0
        policy, at = one
        more = floor(policy, replace(at, seconds=clock, history=self._seen), frozenset())
        return more if more > seen.replicas else 0


def _told(scaler: Json, least: int, *, raised: bool) -> str:
    if raised:
        return f"{called(scaler)}: floor raised to {least}, for idle pods hide the load of those with traffic"
    return f"{called(scaler)} is held: no scaling down, and not under {least}, until the release is over"


def _wanted(look: Snapshot, seen: Observed) -> bool:
    """Say whether a hold is to be there: from the first write until the old side is let go."""
    if seen.phase is Phase.PROMOTING:
        return bool(look.deployment["spec"].get("minReadySeconds", 0) >= HELD_SECONDS)  # not armed
    return seen.phase is Phase.TRYING


def alone(scaler: Json, look: Snapshot, seen: Observed, now: dt.datetime) -> tuple[Policy, Now] | None:
    """State what the autoscaler would see if it saw only the pods with traffic; None where none is idle.

    Its own status has the average over all pods that count. 12 that count at 100 %, six of them idle, are 6 at 200 %.
    """
    policy = policy_of(scaler)
    averages = dict(_averages(scaler))
    metrics = tuple(one for one in policy.metrics if one.name in averages)
    pods = (*seen.stable.ready, *seen.preview.ready)
    warm = _warm(look, now)
    carrying = [one.name for one in pods if one.endpoints]
    counted = [one for one in pods if one.name in warm]
    if not metrics or not carrying or all(one.endpoints for one in counted):
        return None
    uses = {one.name: averages[one.name] * len(counted) // len(carrying) for one in metrics}
    made = tuple(_made(name, uses, metrics) for name in carrying)
    return replace(policy, metrics=metrics), Now(seen.replicas, made)


def _made(name: str, uses: dict[str, int], metrics: tuple[Metric, ...]) -> Pod:
    return Pod(name, uses, {one.name: 100 for one in metrics})  # a use in per cent is one of a request of 100


def _averages(scaler: Json) -> Iterator[tuple[str, int]]:
    """Give what its status says of each metric that pods tell: per cent, or thousandths."""
    told = scaler.get("status", {}).get("currentMetrics") or ()
    for metric, current in zip(scaler["spec"].get("metrics") or (), told, strict=False):
        if metric["type"] in OF_PODS and current.get("type") == metric["type"]:
            source = SOURCES[metric["type"]]
            values = current[source]["current"]
            share = "averageUtilization" in metric[source]["target"]
            if share and "averageUtilization" in values:
                yield named(metric), int(values["averageUtilization"])
            elif not share and "averageValue" in values:
                yield named(metric), thousandths(values["averageValue"])


def _warm(look: Snapshot, now: dt.datetime) -> frozenset[str]:
    """Name the pods that have been ready long enough for the average to count them."""
    return frozenset(
        one["metadata"]["name"]
        for one in look.pods
        if ready(one) and (now - _ready_since(one)).total_seconds() >= WARM_SECONDS
    )


def _ready_since(pod: Json) -> dt.datetime:
    conditions = pod["status"]["conditions"]
    at = next(one["lastTransitionTime"] for one in conditions if one["type"] == "Ready")
    return dt.datetime.fromisoformat(at)
