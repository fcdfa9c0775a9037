"""Says in a Deployment's status what there is, and whether it gets on."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.controllers.conditions import condition, settled, without
from deployctl.sandbox.controllers.sizes import FOR_EVER, available, may_miss, size, wants
from deployctl.sandbox.store import moment, stamp

Json = dict[str, Any]

COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def has_deadline(deployment: Json) -> bool:
    return bool(deployment["spec"].get("progressDeadlineSeconds", FOR_EVER) != FOR_EVER)


def told(kind: str, status: str, reason: str, message: str, now: float) -> Json:
    """Make a condition of a Deployment."""
    times = {"lastUpdateTime": stamp(now), "lastTransitionTime": stamp(now)}
    return {"type": kind, "status": status, "reason": reason, "message": message, **times}


def counted(deployment: Json, new: Json | None, sets: list[Json], now: float) -> Json:
    """Count the pods of all ReplicaSets and say whether enough of them are available."""
    ready = sum(available(one) for one in sets)
    counts = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": _sum("replicas", sets),
        "updatedReplicas": _sum("replicas", [new] if new else []),
        "readyReplicas": _sum("readyReplicas", sets),
        "availableReplicas": ready,
        "unavailableReplicas": max(0, sum(map(size, sets)) - ready),
    }
    before = deployment.get("status", {})
    status: Json = {key: value for key, value in counts.items() if value}
    if before.get("collisionCount") is not None:
        status["collisionCount"] = before["collisionCount"]
    synced = [one["status"] for one in sets if one.get("status", {}).get("observedGeneration")]
    status["terminatingReplicas"] = sum(one.get("terminatingReplicas", 0) for one in synced)
    status["conditions"] = settled(list(before.get("conditions") or ()), _enough(deployment, ready, now))
    return status


def _sum(count: str, sets: list[Json]) -> int:
    return sum(one.get("status", {}).get(count, 0) for one in sets)


def _enough(deployment: Json, ready: int, now: float) -> Json:
    if ready >= wants(deployment) - may_miss(deployment):
        message = "Deployment has minimum availability."
        return told("Available", "True", "MinimumReplicasAvailable", message, now)
    message = "Deployment does not have minimum availability."
    return told("Available", "False", "MinimumReplicasUnavailable", message, now)


def is_complete(deployment: Json, status: Json) -> bool:
    """Say whether every wanted pod is new and available and no old one is left."""
    wanted = wants(deployment)
    counts = (status.get(key, 0) for key in ("updatedReplicas", "replicas", "availableReplicas"))
    observed = status.get("observedGeneration", 0)
    return all(count == wanted for count in counts) and observed >= deployment["metadata"]["generation"]


def rolled(deployment: Json, new: Json | None, sets: list[Json], now: float) -> Json:
    """Give the whole status in a rollout: the counts, the progress, the failure of a ReplicaSet."""
    status = counted(deployment, new, sets, now)
    if not has_deadline(deployment):
        status["conditions"] = without(status["conditions"], "Progressing")
    elif step := _step(deployment, status, new, now):
        status["conditions"] = settled(status["conditions"], step)
    failures = [each for one in ([new] if new else []) + sets if (each := condition(one, "ReplicaFailure"))]
    if failures:
        failure = {**failures[0], "lastUpdateTime": failures[0]["lastTransitionTime"]}
        status["conditions"] = settled(status["conditions"], failure)
    else:
        status["conditions"] = without(status["conditions"], "ReplicaFailure")
    return status


def _step(deployment: Json, status: Json, new: Json | None, now: float) -> Json | None:
    """Give the Progressing condition that follows; None where there is nothing new to say."""
    last = condition(deployment, "Progressing")
    all_new = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if all_new and last and last["reason"] == "NewReplicaSetAvailable":
        return None
    who = f'Deployment "{deployment["metadata"]["name"]}"'
    if new:
        who = f'ReplicaSet "{new["metadata"]["name"]}"'
    if is_complete(deployment, status):
        message = f"{who} has successfully progressed."
        return told("Progressing", "True", "NewReplicaSetAvailable", message, now)
    if _gets_on(deployment.get("status", {}), status):
        return _getting_on(status, last, who, now)
    if _timed_out(deployment, last, now):
        message = f"{who} has timed out progressing."
        return told("Progressing", "False", "ProgressDeadlineExceeded", message, now)
    return None


def _getting_on(status: Json, last: Json | None, who: str, now: float) -> Json:
    """Say it anew at every step: the deadline counts from the last one."""
    step = told("Progressing", "True", "ReplicaSetUpdated", f"{who} is progressing.", now)
    if last and last["status"] == "True":
        step["lastTransitionTime"] = last["lastTransitionTime"]
    status["conditions"] = without(status["conditions"], "Progressing")
    return step


def _gets_on(before: Json, after: Json) -> bool:
    def old(status: Json) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    more = any(
        after.get(key, 0) > before.get(key, 0)
        for key in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return more or old(after) < old(before)


def _timed_out(deployment: Json, last: Json | None, now: float) -> bool:
    if last is None or last["reason"] == "NewReplicaSetAvailable":
        return False
    deadline = moment(last["lastUpdateTime"]) + deployment["spec"]["progressDeadlineSeconds"]
    return bool(last["reason"] == "ProgressDeadlineExceeded" or deadline < now)


def look_again_in(deployment: Json, status: Json, now: float) -> float | None:
    """Give the seconds until the progress deadline has to be looked at; None where it cannot pass."""
    last = condition(deployment, "Progressing")
    if not has_deadline(deployment) or last is None or is_complete(deployment, status):
        return None
    if last["reason"] == "ProgressDeadlineExceeded":
        return None
    left: float = moment(last["lastUpdateTime"]) + deployment["spec"]["progressDeadlineSeconds"] - now
    return left + 1 if left >= 1 else max(0.0, left) + 0.05
