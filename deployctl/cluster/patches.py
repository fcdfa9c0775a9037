"""Each action as the one call that carries it out. Pure: built here, sent elsewhere.

Every write to the Deployment is one JSON patch that begins with tests: that the generation is the one we
looked at, so that a change of the spec in between is a lost race, and that our own annotation is the very
string we read, so that whoever raised the fence meanwhile has the last word; where there is none, that the
whole object is the one we read. `add` sets or replaces (RFC 6902 4.1). Never the replicas, never server-side
apply.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from deployctl.cluster.api import JSON_PATCH, MERGE_PATCH, Request
from deployctl.cluster.paths import path
from deployctl.memory import (
    ANNOTATION,
    COST,
    DETACHED_COST,
    FIELD_MANAGER,
    HELD_SECONDS,
    LABEL,
    LABEL_VALUE,
    NO_DEADLINE,
    Memory,
    Settings,
    annotation,
    narrowed,
    rolling_update,
)
from deployctl.observe import Snapshot, counted_available, made, replica_set, way_back
from deployctl.traffic.service import ServiceTraffic
from deployctl.workload import resource_of, revisions_resource
from strategies.model import (
    Action,
    Admit,
    Arm,
    Begin,
    Clean,
    Detach,
    Discard,
    Finish,
    Hold,
    Lower,
    Pause,
    Phase,
    Pin,
    Rehold,
    Restore,
    Return,
    Show,
    Tell,
    Turn,
    Valve,
)
from strategies.quantities import surge_percent

Json = dict[str, Any]
KEY = "/metadata/annotations/" + ANNOTATION.replace("/", "~1")


@dataclass(frozen=True, slots=True)
class Writer:
    """Builds the calls of one release. Templates are whole pod templates as the API server defaults them."""

    look: Snapshot
    memory: Memory
    stable: Json
    preview: Json

    def request(self, action: Action) -> Request:  # noqa: C901, PLR0912 - one line an action
        """Give the call for an action, decided on this look."""
        match action:
            case Begin():
                return self._begin()
            case Hold():
                return self._hold(action)
            case Pause():
                return self._settings(self._held(paused=True))
            case Rehold():
                return self._rehold()
            case Arm(seconds):
                return self._arm(seconds)
            case Finish():
                return self._finish()
            case Turn(reason):
                return self.remember(
                    msgspec.structs.replace(self.memory, phase=Phase.RETURNING.value, why=reason)
                )
            case Return(held):
                return self._return(held=held)
            case Restore(outcome):
                return self._restore(self.preview if outcome.value == "promoted" else self.stable)
            case Pin(service, revision):
                return ServiceTraffic().pin(self._service(service), revision, self.memory.dump())
            case Show():
                return self._show(action)
            case Valve(service, on):
                return ServiceTraffic().valve(self._service(service), self.memory.dump(), on=on)
            case Admit() | Detach() | Clean():
                return self._pod(action)
            case Discard(pod):
                return self._discard(pod)
            case Lower():
                raise TypeError(f"{action}: only a StatefulSet has ordinals")
            case Tell():
                raise TypeError(f"{action}: said to a pod, not written to the cluster")

    def remember(self, memory: Memory) -> Request:
        """Write the memory alone: to raise the fence, or to turn round."""
        return self._patch(self._kept(memory))

    def _begin(self) -> Request:
        """Pause, and write down the user's settings, in one patch on exactly the object that was looked at."""
        wrote = msgspec.structs.replace(self.memory.own, paused=True)
        memory = msgspec.structs.replace(self.memory, wrote=wrote)
        return self._patch([add("/spec/paused", value=True), *self._kept(memory)])

    def _hold(self, hold: Hold) -> Request:
        replicas = self.look.deployment["spec"].get("replicas", 1)
        retired, extra = replicas - hold.stable, hold.stable + hold.preview - replicas
        surge: int | str = f"{surge_percent(replicas, extra)}%" if hold.proportional else extra
        if hold.open:
            retired, surge = self._stable_left(), 0
        own = self.memory.own
        settings = Settings(
            own.min_ready_seconds if hold.open else HELD_SECONDS,
            own.progress_deadline_seconds if hold.open else NO_DEADLINE,
            rolling_update(retired, surge),
        )
        memory = msgspec.structs.replace(
            self.memory, phase=hold.phase.value, wrote=settings, replicas=replicas
        )
        return self._settings(settings, memory, self.preview)

    def _stable_left(self) -> int:
        """Count the old pods that are left: what the last batch may retire at once where nothing may surge."""
        owner = replica_set(self.look.replica_sets, self.memory.stable)
        return int(owner["spec"]["replicas"]) if owner else 1

    def _held(self, *, paused: bool) -> Settings:
        return msgspec.structs.replace(self._last(), paused=paused)

    def _last(self) -> Settings:
        return self.memory.wrote or self.memory.own

    def _rehold(self) -> Request:
        """Put our settings back; our template too where the controller would act on another one.

        Paused where somebody lowered minReadySeconds: the ReplicaSet's count of available pods follows later than
        the controller looks, and unpaused it would retire an old pod for each of them.
        """
        now, last = Settings.of(self.look.deployment), self._last()
        lowered = now.min_ready_seconds < last.min_ready_seconds
        settings = msgspec.structs.replace(last, paused=last.paused or lowered)
        return self._settings(settings, template=None if last.paused else self.preview)

    def _arm(self, seconds: float) -> Request:
        """Let the controller retire the old side by itself when the oldest new pod has this much more age."""
        settings = msgspec.structs.replace(self._held(paused=True), min_ready_seconds=math.ceil(seconds))
        return self._settings(settings)

    def _finish(self) -> Request:
        own = self.memory.own
        settings = msgspec.structs.replace(
            self._held(paused=True),
            min_ready_seconds=own.min_ready_seconds,
            progress_deadline_seconds=own.progress_deadline_seconds,
        )
        memory = msgspec.structs.replace(self.memory, phase=Phase.FINISHING.value, wrote=settings)
        return self._settings(settings, memory, self.preview)

    def _return(self, *, held: bool) -> Request:
        """Bring stable back; beside a preview that stays, paused in its hold until stable's own count knows of it."""
        settings = way_back(self.memory.own, held=held)
        if held and counted_available(self.look, self.memory.stable):
            settings = self._held(paused=True)
        memory = msgspec.structs.replace(self.memory, phase=Phase.RETURNING.value, wrote=settings)
        return self._settings(settings, memory, self.stable)

    def _restore(self, template: Json) -> Request:
        forget: list[Json] = [{"op": "remove", "path": KEY}] if annotation(self.look.deployment) else []
        return self._patch([add("/spec/template", value=template), *self._spec(self.memory.own), *forget])

    def _settings(
        self, settings: Settings, memory: Memory | None = None, template: Json | None = None
    ) -> Request:
        memory = memory or msgspec.structs.replace(self.memory, wrote=settings)
        pods = [add("/spec/template", value=template)] if template else []
        return self._patch([*pods, *self._spec(settings), *self._kept(memory)])

    def _spec(self, settings: Settings) -> list[Json]:
        return [
            add("/spec/paused", value=settings.paused),
            add("/spec/minReadySeconds", value=settings.min_ready_seconds),
            add("/spec/progressDeadlineSeconds", value=settings.progress_deadline_seconds),
            add("/spec/strategy", value=settings.strategy),
        ]

    def _kept(self, memory: Memory) -> list[Json]:
        bare = not self.look.deployment["metadata"].get("annotations")
        text = msgspec.structs.replace(memory, turn=memory.turn + 1).dump()
        return [*([add("/metadata/annotations", value={})] if bare else []), add(KEY, value=text)]

    def _patch(self, ops: Iterable[Json]) -> Request:
        meta, ours = self.look.deployment["metadata"], annotation(self.look.deployment)
        guards = [
            _test("/metadata/generation", meta["generation"]),
            _test(KEY, ours) if ours else _test("/metadata/resourceVersion", meta["resourceVersion"]),
        ]
        where = path(meta["namespace"], resource_of(self.look.deployment), meta["name"])
        return Request("PATCH", where, [*guards, *ops], JSON_PATCH, {"fieldManager": FIELD_MANAGER})

    def _show(self, show: Show) -> Request:
        """Make, point, unpin or delete the preview Service, as it is there or not, ours or the user's."""
        there, traffic = self.look.other(show.service), ServiceTraffic()
        if there is None:
            return traffic.create(show.revision, self.look.services[0], self.look.deployment, self.memory)
        if not show.revision and made(there, self.memory.app):
            return traffic.delete(there)
        return traffic.pin(there, show.revision, self.memory.dump())

    def _service(self, name: str) -> Json:
        return next(one for one in self.look.services if one["metadata"]["name"] == name)

    def _pod(self, action: Admit | Detach | Clean) -> Request:
        label = LABEL_VALUE if isinstance(action, Admit) else None
        cost = DETACHED_COST if isinstance(action, Detach) else None
        marks = {"labels": {LABEL: label}, "annotations": {COST: cost}}
        body = {"metadata": {**marks, **self._only(action.pod)}}
        where = path(self.look.deployment["metadata"]["namespace"], "pods", action.pod)
        return Request("PATCH", where, body, MERGE_PATCH, {"fieldManager": FIELD_MANAGER})

    def _only(self, _name: str) -> Json:
        """Say which pod of a name is meant, where names come back; a Deployment's never do."""
        return {}

    def _discard(self, name: str) -> Request:
        """Delete the very pod that was looked at, with the grace that it asks for."""
        meta, where = self._known(name), path(self.look.deployment["metadata"]["namespace"], "pods", name)
        options = {"apiVersion": "v1", "kind": "DeleteOptions"}
        only = {"preconditions": {"uid": meta["uid"]}} if meta else {}
        return Request("DELETE", where, {**options, **only})

    def _known(self, name: str) -> Json:
        found = (one["metadata"] for one in self.look.pods if one["metadata"]["name"] == name)
        return next(found, {})


def forget_copies(replica_sets: Iterable[Json], services: Iterable[Json]) -> list[Request]:
    """Take our annotation off everything that still has a copy of it, once the release is over."""
    marked = (ServiceTraffic().mark(one, None) for one in services if annotation(one) and not narrowed(one))
    return [*(forget_copy(one) for one in replica_sets if annotation(one)), *marked]


def forget_copy(replica_set: Json) -> Request:
    """Take off a revision the copy of our annotation that the workload's controller made."""
    meta = replica_set["metadata"]
    body = {"metadata": {"annotations": {ANNOTATION: None}}}
    where = path(meta["namespace"], revisions_resource(replica_set), meta["name"])
    return Request("PATCH", where, body, MERGE_PATCH, {"fieldManager": FIELD_MANAGER})


def add(where: str, *, value: Any) -> Json:
    return {"op": "add", "path": where, "value": value}


def _test(where: str, value: Any) -> Json:
    return {"op": "test", "path": where, "value": value}


def oldest_ready_seconds(pods: Iterable[Json], now: dt.datetime) -> float:
    """Age the pod that has been ready longest, in seconds."""
    ages = [(now - since).total_seconds() for pod in pods if (since := _ready_since(pod))]
    return max(ages, default=0.0)


def _ready_since(pod: Json) -> dt.datetime | None:
    conditions = pod.get("status", {}).get("conditions") or []
    found = [one for one in conditions if one["type"] == "Ready" and one["status"] == "True"]
    return dt.datetime.fromisoformat(found[0]["lastTransitionTime"]) if found else None
