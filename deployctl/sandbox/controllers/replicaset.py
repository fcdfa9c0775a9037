"""Keeps as many pods of a template as a ReplicaSet wants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.api.deleting import Wish, removed
from deployctl.sandbox.calls import Refused
from deployctl.sandbox.controllers.conditions import condition, settled, without
from deployctl.sandbox.controllers.kin import Kin, controller_of, reference
from deployctl.sandbox.controllers.pods import (
    available_in,
    is_active,
    is_available,
    is_ready,
    is_terminating,
)
from deployctl.sandbox.controllers.recording import Recorder
from deployctl.sandbox.controllers.rollout import Admit
from deployctl.sandbox.controllers.selecting import holds, labels_of, selects
from deployctl.sandbox.controllers.victims import victims
from deployctl.sandbox.objects.defaulting import defaulted
from deployctl.sandbox.resources import BY_NAME
from deployctl.sandbox.store import Event, Store, stamp

Json = dict[str, Any]
Key = tuple[str, str]

BURST = 500  # pods made or deleted at one look
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.005, 1000.0


class ReplicaSets:
    """The controller. `admit` lets a new pod pass the API server's admission, or raises `Refused`."""

    name = "replicaset"

    def __init__(self, store: Store, kin: Kin, admit: Admit) -> None:
        self.admit = admit
        self._store, self._kin = store, kin
        self._events = Recorder(store, "replicaset-controller")
        self._failures: dict[Key, int] = {}

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at the set itself, at the owner of a pod, at every set that might adopt one."""
        if event.resource == "replicasets":
            return ((event.namespace, event.name),)
        if event.resource != "pods":
            return ()
        owners = {_owner(event.object), _owner(event.before) if event.before else ""}
        if "" not in owners:
            return ((event.namespace, owner) for owner in sorted(owners))
        return self._perhaps(event, owners - {""})

    def _perhaps(self, event: Event, owners: set[str]) -> list[Key]:
        sets = self._store.list("replicasets", event.namespace)
        labels = labels_of(event.object)
        owners |= {one["metadata"]["name"] for one in sets if selects(one["spec"]["selector"], labels)}
        return [(event.namespace, owner) for owner in sorted(owners)]

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Make or delete pods, then say in the status what there is."""
        held = self._store.get("replicasets", namespace, name)
        if held is None:
            self._failures.pop((namespace, name), None)
            return None
        claimed = self._kin.claimed("pods", held, "ReplicaSet")
        pods = [each for each in claimed if is_active(each)]
        problem = None if "deletionTimestamp" in held["metadata"] else self._bring(held, pods)
        leaving = sum(map(is_terminating, claimed))
        self._report(held, pods, leaving, problem)
        if problem is not None:
            return self._retry_in((namespace, name))
        self._failures.pop((namespace, name), None)
        least = held["spec"].get("minReadySeconds", 0)
        now = self._store.clock()
        return min(filter(None, (available_in(each, least, now) for each in pods)), default=None)

    def _retry_in(self, key: Key) -> float:
        failed = self._failures[key] = self._failures.get(key, -1) + 1
        return float(min(FIRST_RETRY_SECONDS * 2 ** min(failed, 20), LAST_RETRY_SECONDS))

    def _bring(self, held: Json, pods: list[Json]) -> Refused | None:
        missing = held["spec"]["replicas"] - len(pods)
        if missing > 0:
            return self._create(held, min(missing, BURST))
        if missing < 0:
            related = self._related(held)
            for pod in victims(pods, related, min(-missing, BURST), self._store.clock()):
                removed(self._store, BY_NAME["pods"], pod, Wish())
                name = pod["metadata"]["name"]
                self._events.normal(held, "ReplicaSet", "SuccessfulDelete", f"Deleted pod: {name}")
        return None

    def _related(self, held: Json) -> list[Json]:
        owner = controller_of(held)
        if owner is None:
            return self._kin.controlled("pods", held)
        sets = self._kin.controlled("replicasets", {"metadata": owner})
        return [pod for one in sets for pod in self._kin.controlled("pods", one)]

    def _create(self, held: Json, count: int) -> Refused | None:
        """Create pods in batches of 1, 2, 4...; a refusal lets its batch end and gives up the rest."""
        batch, spec = 1, defaulted("pods", {"spec": held["spec"]["template"]["spec"]})["spec"]
        while count > 0:
            batch = min(batch, count)
            refusals = [each for each in (self._one(held, spec) for _ in range(batch)) if each]
            if refusals:
                return refusals[0]
            count, batch = count - batch, batch * 2
        return None

    def _one(self, held: Json, spec: Json) -> Refused | None:
        try:
            made = self._store.create("pods", self.admit("pods", self._pod(held, spec)))
        except Refused as refused:
            if not _is_ending(refused):
                message = f"Error creating: {refused.message}"
                self._events.warning(held, "ReplicaSet", "FailedCreate", message)
            return None if _is_ending(refused) else refused
        message = f"Created pod: {made['metadata']['name']}"
        self._events.normal(held, "ReplicaSet", "SuccessfulCreate", message)
        return None

    def _pod(self, held: Json, spec: Json) -> Json:
        template, meta = held["spec"]["template"], held["metadata"]
        kept = {k: v for k, v in template["metadata"].items() if k in {"labels", "annotations", "finalizers"}}
        metadata = {
            "generateName": f"{meta['name']}-",
            "name": f"{meta['name']}-{self._store.suffix()}",
            "namespace": meta["namespace"],
            **kept,
            "ownerReferences": [reference(held, "ReplicaSet")],
        }
        status = {"phase": "Pending"}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": spec,
            "status": status,
        }

    def _report(self, held: Json, pods: list[Json], leaving: int, problem: Refused | None) -> None:
        labels = held["spec"]["template"]["metadata"].get("labels") or {}
        least, now = held["spec"].get("minReadySeconds", 0), self._store.clock()
        counts = {
            "fullyLabeledReplicas": sum(holds(labels, labels_of(each)) for each in pods),
            "readyReplicas": sum(map(is_ready, pods)),
            "availableReplicas": sum(is_available(each, least, now) for each in pods),
            "observedGeneration": held["metadata"]["generation"],
        }
        status: Json = {"replicas": len(pods), **{k: v for k, v in counts.items() if v}}
        status["terminatingReplicas"] = leaving
        if conditions := self._conditions(held, len(pods), problem):
            status["conditions"] = conditions
        self._store.update("replicasets", {**held, "status": status}, counted=False)

    def _conditions(self, held: Json, count: int, problem: Refused | None) -> list[Json]:
        conditions = held.get("status", {}).get("conditions") or []
        if problem is None:
            return without(conditions, "ReplicaFailure")
        if condition(held, "ReplicaFailure"):
            return list(conditions)
        failure = {
            "type": "ReplicaFailure",
            "status": "True",
            "reason": "FailedCreate" if count < held["spec"]["replicas"] else "FailedDelete",
            "message": problem.message,
            "lastTransitionTime": stamp(self._store.clock()),
        }
        return settled(list(conditions), failure)


def _owner(pod: Json) -> str:
    owner = controller_of(pod)
    return str(owner["name"]) if owner and owner["kind"] == "ReplicaSet" else ""


def _is_ending(refused: Refused) -> bool:
    causes = (refused.details or {}).get("causes") or ()
    return any(each.get("reason") == "NamespaceTerminating" for each in causes)
