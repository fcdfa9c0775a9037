"""Deletes of the API server: at once, after a grace, or when the last finalizer has gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.reading import held, shown
from deployctl.sandbox.api.routing import Target
from deployctl.sandbox.api.selecting import selector
from deployctl.sandbox.api.sent import is_dry
from deployctl.sandbox.calls import Answer, Call
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.resources import BY_NAME, Resource
from deployctl.sandbox.store import Store, moment, stamp

Json = dict[str, Any]

PROTECTED = frozenset({"default", "kube-system", "kube-public"})
SHOWN_WHEN_GONE = frozenset({"pods", "services", "resourcequotas", "namespaces"})
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
POLICY_FINALIZERS = {"Orphan": [ORPHAN], "Foreground": [FOREGROUND], "Background": []}
GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants of a delete."""

    grace_seconds: int | None = None
    uid: str = ""
    version: str = ""
    policy: str = ""
    dry: bool = False


def wish(call: Call) -> Wish:
    """Read the options of a delete, from its body or its query."""
    told: Mapping[str, Any] = call.body if isinstance(call.body, dict) and call.body else call.query
    conditions = told.get("preconditions") or {}
    grace, policy = told.get("gracePeriodSeconds"), str(told.get("propagationPolicy") or "")
    if policy and policy not in POLICY_FINALIZERS:
        allowed = 'supported values: "Foreground", "Background", "Orphan", "nil"'
        cause = ("FieldValueNotSupported", f'Unsupported value: "{policy}": {allowed}', "propagationPolicy")
        raise refusals.invalid("DeleteOptions", "meta.k8s.io", "", [cause])
    return Wish(
        None if grace is None else (1 if int(grace) < 0 else int(grace)),
        str(conditions.get("uid") or ""),
        str(conditions.get("resourceVersion") or ""),
        policy,
        is_dry(call) or told.get("dryRun") == ["All"],
    )


def delete(cluster: Cluster, at: Target, call: Call) -> Answer:
    """Answer a DELETE of an object."""
    asked = wish(call)
    one = held(cluster.store, at)
    last, gone = removed(cluster.store, at.resource, one, asked)
    if gone and at.resource.name not in SHOWN_WHEN_GONE:
        return Answer(200, _success(at.resource, one))
    return shown(cluster.store, at.resource, last, call)


def _success(resource: Resource, one: Json) -> Json:
    details = {**refusals.named(resource, one["metadata"]["name"]), "uid": one["metadata"]["uid"]}
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**status, "details": details}


def delete_all(cluster: Cluster, at: Target, call: Call) -> Answer:
    """Answer a DELETE of a collection: with what it held."""
    store, asked = cluster.store, wish(call)
    wanted = selector(at.resource, call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
    every = [one for one in store.list(at.resource.name, at.namespace) if not wanted or wanted(one)]
    meta = {"resourceVersion": str(store.version)}
    for one in every:
        removed(store, at.resource, one, asked)
    items = [{key: value for key, value in one.items() if key not in {"kind", "apiVersion"}} for one in every]
    kind = {"kind": f"{at.resource.kind}List", "apiVersion": at.resource.api_version}
    return Answer(200, {**kind, "metadata": meta, "items": items})


def removed(store: Store, resource: Resource, one: Json, asked: Wish) -> tuple[Json, bool]:
    """Delete an object as far as it can go now; give it as it is then, and whether it is gone."""
    _check(resource, one, asked)
    if resource.name == "namespaces":
        return _terminated(store, one, asked)
    finalizers = _finalizers(one, asked)
    if resource.name == "pods":
        return _pod(store, one, asked, finalizers)
    if not finalizers:
        return _gone(store, resource, one, asked)
    if "deletionTimestamp" in one["metadata"]:
        again = {**one, "metadata": {**one["metadata"], "finalizers": finalizers}}
        return (again if asked.dry else store.update(resource.name, again)), False
    marked = _marked(store.clock(), one, finalizers, 0)
    return (marked if asked.dry else store.update(resource.name, marked)), False


def _check(resource: Resource, one: Json, asked: Wish) -> None:
    meta = one["metadata"]
    name = meta["name"]
    if resource.name == "namespaces" and name in PROTECTED:
        raise refusals.forbidden(resource, name, "this namespace may not be deleted")
    for known, wanted, key in (
        ("UID", asked.uid, "uid"),
        ("ResourceVersion", asked.version, "resourceVersion"),
    ):
        if wanted and wanted != meta[key]:
            ends = "deleted and then recreated" if known == "UID" else "modified"
            raise refusals.conflict(
                Resource(resource.kind, resource.kind, resource.group),
                name,
                f"the {known} in the precondition ({wanted}) does not match the {known} in record ({meta[key]}). "
                f"The object might have been {ends}",
            )


def _finalizers(one: Json, asked: Wish) -> list[str]:
    """Give the finalizers of an object that is being deleted by a policy."""
    there = list(one["metadata"].get("finalizers") or [])
    if not asked.policy:
        return there
    return [each for each in there if each not in {ORPHAN, FOREGROUND}] + POLICY_FINALIZERS[asked.policy]


def _terminated(store: Store, one: Json, asked: Wish) -> tuple[Json, bool]:
    """Let a namespace go as soon as it is empty; its controller sees to that."""
    if "deletionTimestamp" in one["metadata"]:
        return one, False
    meta = {**one["metadata"], "deletionTimestamp": stamp(store.clock())}
    status = {**(one.get("status") or {}), "phase": "Terminating"}
    going = {**one, "metadata": meta, "status": status}
    return (going if asked.dry else store.update("namespaces", going)), False


def _pod(store: Store, one: Json, asked: Wish, finalizers: list[str]) -> tuple[Json, bool]:
    resource, meta = BY_NAME["pods"], one["metadata"]
    grace = _grace(one, asked)
    if "deletionTimestamp" in meta:
        left = meta.get("deletionGracePeriodSeconds")
        if left and (asked.grace_seconds is None or grace >= left):
            return one, False
        if not left:
            return (one, False) if finalizers else _gone(store, resource, one, asked)
    marked = _marked(store.clock(), one, finalizers, grace)
    if not asked.dry:
        marked = store.update("pods", marked)
    return (marked, False) if grace or finalizers else _gone(store, resource, marked, asked)


def _grace(pod: Json, asked: Wish) -> int:
    """Give the seconds that a pod has left; one that does not run has none."""
    if not pod["spec"].get("nodeName") or pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    told = pod["spec"].get("terminationGracePeriodSeconds", GRACE_SECONDS)
    return int(told if asked.grace_seconds is None else asked.grace_seconds)


def _marked(now: float, one: Json, finalizers: list[str], grace: int) -> Json:
    """Note on an object that it is being deleted; a later wish can only bring its end nearer."""
    meta, began = one["metadata"], now
    if "deletionTimestamp" in meta:
        began = moment(meta["deletionTimestamp"]) - (meta.get("deletionGracePeriodSeconds") or 0)
    late = began + grace < now
    meta = {
        **meta,
        "deletionTimestamp": stamp(now if late else began + grace),
        "deletionGracePeriodSeconds": 1 if late and grace else grace,
    }
    return {**one, "metadata": {**meta, "finalizers": finalizers} if finalizers else meta}


def _gone(store: Store, resource: Resource, one: Json, asked: Wish) -> tuple[Json, bool]:
    meta = one["metadata"]
    if asked.dry:
        return one, True
    return store.remove(resource.name, meta.get("namespace", ""), meta["name"]), True
