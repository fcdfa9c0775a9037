"""Every reason not to begin a release of a StatefulSet, and what its owner should know before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployctl.errors import Conflict, UsageError
from deployctl.observe import replica_set, settled
from deployctl.template import digest
from deployctl.workload import HELD_PARTITION, ordered, partition

Json = dict[str, Any]


def startable(workload: Json, name: str, revisions: tuple[Json, ...], *, gap: bool) -> None:
    """Raise for the first thing that stands against beginning; `gap` accepts that one pod alone is down meanwhile."""
    _by_partition(workload, name)
    if not workload["spec"].get("replicas", 1):
        raise UsageError(
            f"StatefulSet {name} has 0 replicas: there is nothing to gate", advice="kubectl apply will do"
        )
    if workload["spec"].get("replicas", 1) == 1 and not gap:
        raise UsageError(
            f"StatefulSet {name} has one pod, which has to end before the new one begins: nothing serves meanwhile",
            advice="`surge: 0` in spec.strategy.rolling accepts that; or scale it to 2",
        )
    _at_rest(workload, name)
    if replica_set(revisions, digest(workload["spec"]["template"])) is None:
        raise Conflict(
            f"no ControllerRevision keeps the template of StatefulSet {name} as the API server reads it now",
            advice=f"kubectl rollout restart statefulset/{name}, which writes one, and release then",
        )


def _by_partition(workload: Json, name: str) -> None:
    strategy, patch = workload["spec"]["updateStrategy"], f"kubectl patch statefulset/{name} -p"
    if strategy.get("type") == "OnDelete":
        rolling = """'{"spec":{"updateStrategy":{"type":"RollingUpdate"}}}'"""
        raise UsageError(
            f"StatefulSet {name} has updateStrategy OnDelete, which leaves it to a person; expected RollingUpdate",
            advice=f"{patch} {rolling}",
        )
    most = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
    if most not in (1, "1"):
        raise UsageError(
            f"StatefulSet {name} has maxUnavailable {most}; deployctl takes pods out by batch and expects 1, or none",
            advice="leave maxUnavailable out, and state rolling.batch in the spec",
        )
    if partition(workload) >= HELD_PARTITION:
        raise Conflict(
            f"StatefulSet {name} is held by a partition of {partition(workload)}, and no release of ours is in flight",
            advice="apply its manifest again, or set the partition back",
        )


def _at_rest(workload: Json, name: str) -> None:
    """Raise where a rollout is under way, or where the controller would wait for a pod for ever."""
    status, wanted = workload.get("status", {}), workload["spec"].get("replicas", 1)
    between = status.get("currentRevision") != status.get("updateRevision")
    if between or not settled(workload) or status.get("updatedReplicas", 0) < wanted:
        raise Conflict(
            f"StatefulSet {name} is in the middle of a rollout: {status.get('updatedReplicas', 0)} of {wanted} pods"
            f" have its template",
            advice=f"wait for `kubectl rollout status statefulset/{name}`, or set its partition to 0",
        )
    ready = status.get("readyReplicas", 0)
    if ordered(workload) and ready < wanted:
        raise Conflict(
            f"StatefulSet {name} has {ready} of {wanted} pods ready, and an OrderedReady one replaces no pod until"
            " all are",
            advice="mend the pod that is not ready, or `deployctl rollback` to the revision before",
        )


def warnings(workload: Json, services: tuple[Json, ...]) -> Iterator[str]:
    """Say what is otherwise than with a Deployment."""
    if workload["spec"].get("replicas", 1) == 1:
        yield "it has one pod: nothing serves from its end until the new one has passed its gates"
    governing = workload["spec"].get("serviceName")
    if any(one["metadata"]["name"] == governing for one in services):
        yield (
            f"Service {governing} is listed and gives the pods their names: a pod that is gated has none there;"
            " leave it out where its peers need it to come up"
        )
