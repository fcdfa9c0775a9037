"""The eviction of a pod: a delete that its disruption budget may forbid."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.deleting import Wish, removed
from deployctl.sandbox.api.reading import held
from deployctl.sandbox.api.routing import Target
from deployctl.sandbox.api.selecting import matches
from deployctl.sandbox.api.sent import is_dry
from deployctl.sandbox.calls import Answer, Call, Refused
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.store import Store, stamp

Json = dict[str, Any]

ENDED = frozenset({"Succeeded", "Failed", "Pending"})
TOO_MANY = "Cannot evict pod as it would violate the pod's disruption budget."


def evict(cluster: Cluster, at: Target, call: Call) -> Answer:
    """Answer a POST of an eviction."""
    store, pod = cluster.store, held(cluster.store, at)
    body = call.body if isinstance(call.body, dict) else {}
    if (body.get("metadata") or {}).get("name", at.name) != at.name:
        raise refusals.bad_request("name in URL does not match name in Eviction object")
    options = body.get("deleteOptions") or {}
    dry = is_dry(call) or options.get("dryRun") == ["All"]
    if not _past_budgets(pod):
        _spend(store, pod, dry=dry)
    grace = options.get("gracePeriodSeconds")
    if not dry:
        pod = _targeted(store, pod)
    removed(store, at.resource, pod, Wish(None if grace is None else int(grace), dry=dry))
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return Answer(201, status)


def _past_budgets(pod: Json) -> bool:
    """Say whether a pod may go whatever budgets say: it does not run, or goes already."""
    return pod.get("status", {}).get("phase") in ENDED or "deletionTimestamp" in pod["metadata"]


def _spend(store: Store, pod: Json, *, dry: bool) -> None:
    """Count a disruption, or refuse it."""
    meta = pod["metadata"]
    every = store.list("poddisruptionbudgets", meta["namespace"])
    found = [one for one in every if matches(one["spec"].get("selector") or {}, meta.get("labels") or {})]
    if len(found) > 1:
        why = (
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
        raise Refused(500, "", why)
    if not found:
        return
    budget = found[0]
    status = budget.get("status") or {}
    if not _ready(pod) and _lets_unready_go(budget, status):
        return
    _check(budget, status)
    if not dry:
        _count(store, budget, status, meta["name"])


def _ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _lets_unready_go(budget: Json, status: Json) -> bool:
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    wanted = status.get("desiredHealthy", 0)
    return bool(0 < wanted <= status.get("currentHealthy", 0))


def _check(budget: Json, status: Json) -> None:
    name = budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 1):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", 10)
    if status.get("disruptionsAllowed", 0) > 0:
        return
    wanted, there = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    if there <= wanted:
        raise _too_many(f"The disruption budget {name} needs {wanted} healthy pods and has {there} currently")
    raise _too_many(f"The disruption budget {name} does not allow evicting pods currently")


def _too_many(why: str, retry_seconds: int = 0) -> Refused:
    details: Json = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if not retry_seconds:
        return Refused(429, "TooManyRequests", TOO_MANY, details)
    details["retryAfterSeconds"] = retry_seconds
    return Refused(429, "TooManyRequests", TOO_MANY, details, {"Retry-After": str(retry_seconds)})


def _count(store: Store, budget: Json, status: Json, pod: str) -> None:
    gone = {**(status.get("disruptedPods") or {}), pod: stamp(store.clock())}
    left = {**status, "disruptionsAllowed": status["disruptionsAllowed"] - 1, "disruptedPods": gone}
    store.update("poddisruptionbudgets", {**budget, "status": left}, counted=False)


def _targeted(store: Store, pod: Json) -> Json:
    """Note on a pod that it is evicted."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastTransitionTime": stamp(store.clock()),
    }
    status = pod.get("status") or {}
    others = [one for one in status.get("conditions") or [] if one["type"] != "DisruptionTarget"]
    return store.update(
        "pods", {**pod, "status": {**status, "conditions": [*others, condition]}}, counted=False
    )
