"""Gives each pod a node with room for it, or says why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from deployctl.sandbox.controllers.conditions import condition, updated
from deployctl.sandbox.controllers.pods import FINAL, is_leaving, node_of, phase
from deployctl.sandbox.controllers.recording import Recorder
from deployctl.sandbox.controllers.selecting import holds, labels_of
from deployctl.sandbox.objects.amounts import amount
from deployctl.sandbox.store import Event, Store, stamp

Json = dict[str, Any]
Key = tuple[str, str]

FITS = ("cpu", "memory", "ephemeral-storage")


class Scheduler:
    """The controller."""

    name = "scheduler"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events = Recorder(store, "default-scheduler", modern=True)
        self._waiting: set[Key] = set()

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at a new pod, and at every waiting one when a pod has gone or a node has changed."""
        if event.resource == "nodes":
            return sorted(self._waiting)
        if event.resource != "pods":
            return ()
        if event.change == "ADDED":
            return ((event.namespace, event.name),)
        if event.change == "DELETED" or phase(event.object) in FINAL:
            return sorted(self._waiting)
        return ()

    def reconcile(self, namespace: str, name: str) -> None:
        pod = self._store.get("pods", namespace, name)
        self._waiting.discard((namespace, name))
        if pod is None or node_of(pod) or is_leaving(pod):
            return
        nodes = self._store.list("nodes")
        reasons = {node["metadata"]["name"]: self._against(node, pod) for node in nodes}
        fitting = sorted(name for name, against in reasons.items() if not against)
        if fitting:
            self._bind(pod, min(fitting, key=lambda node: len(self._on(node))))
            return
        self._waiting.add((namespace, name))
        small = sum(self._is_small(node, pod) for node in nodes)
        self._refuse(pod, [each for against in reasons.values() for each in against], len(nodes), small)

    def _on(self, node: str) -> list[Json]:
        pods = self._store.list("pods")
        return [one for one in pods if node_of(one) == node and phase(one) not in FINAL]

    def _against(self, node: Json, pod: Json) -> list[str]:
        """Name what speaks against a node: a cordon, its labels, its taints, no room."""
        spec = node.get("spec", {})
        tolerated = {one.get("key", "") for one in pod["spec"].get("tolerations") or ()}
        if spec.get("unschedulable") and "node.kubernetes.io/unschedulable" not in tolerated:
            return ["node(s) were unschedulable"]
        for taint in spec.get("taints") or ():
            if taint["effect"] != "PreferNoSchedule" and taint["key"] not in tolerated:
                return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"]
        if not holds(pod["spec"].get("nodeSelector") or {}, labels_of(node)):
            return ["node(s) didn't match Pod's node affinity/selector"]
        return self._full(node, pod)

    def _full(self, node: Json, pod: Json) -> list[str]:
        room = node["status"].get("allocatable") or node["status"]["capacity"]
        there = self._on(node["metadata"]["name"])
        missing = ["Too many pods"] if len(there) + 1 > amount(room.get("pods", "110")) else []
        wanted = requests(pod)
        used: Counter[str] = Counter()
        for one in there if wanted else ():
            used.update(requests(one))
        lacking = [
            key for key in FITS if key in wanted and used[key] + wanted[key] > amount(room.get(key, "0"))
        ]
        return missing + [f"Insufficient {key}" for key in lacking]

    def _is_small(self, node: Json, pod: Json) -> bool:
        """Say whether a node is too small for a pod even where nothing else runs on it."""
        room = node["status"].get("allocatable") or node["status"]["capacity"]
        return any(asked > amount(room.get(key, "0")) for key, asked in requests(pod).items())

    def _bind(self, pod: Json, node: str) -> None:
        status = self._with(pod, {"type": "PodScheduled", "status": "True"})
        bound = self._store.update(
            "pods", {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status}, counted=False
        )
        who = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        message = f"Successfully assigned {who} to {node}"
        self._events.normal(bound, "Pod", "Scheduled", message, action="Binding")

    def _with(self, pod: Json, new: Json) -> Json:
        status = pod.get("status") or {"phase": "Pending"}
        generation = pod["metadata"].get("generation", 1)
        shown = {"lastProbeTime": None, **new, "observedGeneration": generation}
        at = stamp(self._store.clock())
        return {**status, "conditions": updated(list(status.get("conditions") or ()), shown, at)}

    def _refuse(self, pod: Json, reasons: list[str], nodes: int, small: int) -> None:
        message = _words(Counter(reasons), nodes, small)
        before = condition(pod, "PodScheduled") or {}
        if before.get("message") != message:
            new = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
            pod = self._store.update("pods", {**pod, "status": self._with(pod, new)}, counted=False)
        self._events.warning(pod, "Pod", "FailedScheduling", message, action="Scheduling")


def _words(reasons: Counter[str], nodes: int, small: int) -> str:
    """Say it as kube-scheduler 1.35 does; to evict others helps on full nodes that are not too small."""
    if not nodes:
        return "no nodes available to schedule pods"
    counted = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    full = sum(count for reason, count in reasons.items() if reason.startswith(("Insufficient", "Too many")))
    full = max(0, min(full, nodes) - small)
    hopes = Counter(
        {
            "No preemption victims found for incoming pod.": full,
            "Preemption is not helpful for scheduling.": nodes - full,
        }
    )
    helps = ", ".join(f"{count} {hope}" for hope, count in sorted(hopes.items()) if count)
    none = f"0/{nodes} nodes are available"
    return f"{none}: {counted}. no new claims to deallocate, preemption: {none}: {helps}"


def requests(pod: Json) -> dict[str, Decimal]:
    """Sum up what a pod's containers ask for."""
    total: dict[str, Decimal] = {}
    for container in pod["spec"]["containers"]:
        for key, asked in ((container.get("resources") or {}).get("requests") or {}).items():
            total[key] = total.get(key, Decimal(0)) + amount(asked)
    return total
