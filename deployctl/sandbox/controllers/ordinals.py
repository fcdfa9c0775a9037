"""One look at one StatefulSet: its pods by their ordinals, and what its status says of them.

The source: k8s.io/kubernetes/pkg/controller/statefulset/stateful_set_utils.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deployctl.sandbox.controllers.history import POD_REVISION, revision_of, template_in
from deployctl.sandbox.controllers.kin import reference
from deployctl.sandbox.controllers.pods import is_available, is_leaving, is_ready, phase
from deployctl.sandbox.controllers.selecting import labels_of
from deployctl.sandbox.controllers.sizes import size
from deployctl.sandbox.objects.defaulting import defaulted

Json = dict[str, Any]

POD_NAME, POD_INDEX = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"
COUNTED = ("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas")
ALWAYS = frozenset({"replicas", "availableReplicas"})  # told where they are 0, too


def is_member(held: Json, pod: Json) -> bool:
    """Say whether a pod has a name of the StatefulSet's."""
    parent, _, number = pod["metadata"]["name"].rpartition("-")
    return bool(number.isdecimal() and parent == held["metadata"]["name"])


def ordinal(pod: Json) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


@dataclass
class Ordinals:
    """A StatefulSet, its pods at the moment `now`, and the two revisions between which it is."""

    held: Json
    pods: list[Json]
    current: Json
    update: Json
    collisions: int
    now: float

    @property
    def is_monotonic(self) -> bool:
        """Say whether it makes and removes its pods one after the other."""
        return bool(self.held["spec"].get("podManagementPolicy") != "Parallel")

    @property
    def range(self) -> range:
        start = int((self.held["spec"].get("ordinals") or {}).get("start", 0))
        return range(start, start + size(self.held))

    @property
    def least_seconds(self) -> int:
        return int(self.held["spec"].get("minReadySeconds", 0))

    @property
    def condemned(self) -> list[Json]:
        """Give the pods beyond the size, the highest ordinal first."""
        beyond = [pod for pod in self.pods if ordinal(pod) not in self.range]
        return sorted(beyond, key=ordinal, reverse=True)

    @property
    def partition(self) -> int:
        """Give how many of the lowest pods are not made anew."""
        return int((self.held["spec"]["updateStrategy"].get("rollingUpdate") or {}).get("partition") or 0)

    def is_healthy(self, pod: Json) -> bool:
        """Say whether a pod runs, is ready, and has been for minReadySeconds."""
        return phase(pod) == "Running" and is_available(pod, self.least_seconds, self.now)

    def is_unavailable(self, pod: Json) -> bool:
        return is_leaving(pod) or not is_available(pod, self.least_seconds, self.now)

    def pod(self, number: int) -> Json:
        """Make the pod of an ordinal: below the partition of the current revision, else of the new one."""
        revision = self.current if self._is_old(number) else self.update
        template, meta = template_in(revision), self.held["metadata"]
        name = f"{meta['name']}-{number}"
        kept = {
            key: value
            for key, value in template["metadata"].items()
            if key in {"labels", "annotations", "finalizers"}
        }
        known = {POD_NAME: name, POD_INDEX: str(number), POD_REVISION: revision["metadata"]["name"]}
        metadata = {
            **kept,
            "generateName": f"{meta['name']}-",
            "name": name,
            "namespace": meta["namespace"],
            "labels": {**kept.get("labels", {}), **known},
            "ownerReferences": [reference(self.held, "StatefulSet")],
        }
        place = {"hostname": name, "subdomain": self.held["spec"].get("serviceName", "")}
        spec = defaulted("pods", {"spec": template["spec"]})["spec"]
        spec = {**spec, **{key: value for key, value in place.items() if value}}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": spec,
            "status": {"phase": "Pending"},
        }

    def _is_old(self, number: int) -> bool:
        strategy = self.held["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return False
        count = self.partition
        if strategy.get("rollingUpdate") is None:
            count = self.held.get("status", {}).get("currentReplicas", 0)
        return number < self.range.start + count

    def status(self, *, removed: bool) -> Json:
        """Count the pods; one that was `removed` for its new template is not of the current revision any more."""
        counts = {
            "replicas": len(self.pods),
            "readyReplicas": sum(map(_runs, self.pods)),
            "availableReplicas": sum(_runs(pod) and self.is_healthy(pod) for pod in self.pods),
            "currentReplicas": self._of(self.current) - removed,
            "updatedReplicas": self._of(self.update),
        }
        told = {key: value for key, value in counts.items() if value or key in ALWAYS}
        return self._completed(
            {
                "observedGeneration": self.held["metadata"]["generation"],
                "currentRevision": self.current["metadata"]["name"],
                "updateRevision": self.update["metadata"]["name"],
                "collisionCount": self.collisions,
                **told,
            }
        )

    def _of(self, revision: Json) -> int:
        name = revision["metadata"]["name"]
        return sum(revision_of(pod) == name for pod in self.pods if not is_leaving(pod))

    def _completed(self, status: Json) -> Json:
        """Let the new revision be the current one, once every pod is of it and ready."""
        counts = {status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "replicas")}
        if self.held["spec"]["updateStrategy"]["type"] != "RollingUpdate" or counts != {size(self.held)}:
            return status
        status = {**status, "currentRevision": status["updateRevision"]}
        return {**status, "currentReplicas": status["updatedReplicas"]} if size(self.held) else status


def _runs(pod: Json) -> bool:
    return phase(pod) == "Running" and is_ready(pod)


def is_told(held: Json, status: Json) -> bool:
    """Say whether a status is the one that is there already; a new collision alone is not told."""
    before = held.get("status", {})
    same = all(before.get(key, 0) == status.get(key, 0) for key in COUNTED)
    named = all(before.get(key) == status[key] for key in ("currentRevision", "updateRevision"))
    return same and named and status["observedGeneration"] <= before.get("observedGeneration", 0)


def identified(pod: Json) -> Json | None:
    """Give a pod with the labels of its identity put back; None where they are there."""
    name = pod["metadata"]["name"]
    if labels_of(pod).get(POD_NAME) == name:
        return None
    labels = {**labels_of(pod), POD_NAME: name, POD_INDEX: str(ordinal(pod))}
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}}
