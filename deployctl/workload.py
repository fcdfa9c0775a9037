"""What is released: a Deployment, or a StatefulSet in its place; what differs between the two is read here.

A StatefulSet keeps its revisions as ControllerRevisions, names its pods by ordinals, and is held by a partition
that no ordinal reaches: nothing acts on its template then, and a pod that dies comes back as the current revision.
The API leaves `kind` out of the items of a list, so an object is told by its fields.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

DEPLOYMENT, STATEFUL_SET = "Deployment", "StatefulSet"
RESOURCES = {DEPLOYMENT: "deployments", STATEFUL_SET: "statefulsets"}
REVISIONS = {DEPLOYMENT: "replicasets", STATEFUL_SET: "controllerrevisions"}
HASH = "pod-template-hash"
REVISION_HASH = "controller-revision-hash"

HELD_PARTITION = 2_147_483_647  # no ordinal reaches it
ON_DELETE: Json = {
    "type": "OnDelete"
}  # nothing is made anew but what is deleted, and that from the new template


def stateful(workload: Json) -> bool:
    """Tell a StatefulSet from a Deployment."""
    return "updateStrategy" in workload["spec"]


def kind_of(workload: Json) -> str:
    return STATEFUL_SET if stateful(workload) else DEPLOYMENT


def resource_of(workload: Json) -> str:
    return RESOURCES[kind_of(workload)]


def revisions_resource(revision: Json) -> str:
    return REVISIONS[STATEFUL_SET if "data" in revision else DEPLOYMENT]


def ordered(workload: Json) -> bool:
    """Say whether this is a StatefulSet that replaces no pod while one of its pods is not ready."""
    return stateful(workload) and workload["spec"].get("podManagementPolicy") != "Parallel"


def update_strategy(own: Json, partition: int) -> Json:
    """Give a StatefulSet's `updateStrategy` with another partition; what else the user's own says stays."""
    rolling = {**(own.get("rollingUpdate") or {}), "partition": partition}
    return {"type": "RollingUpdate", "rollingUpdate": rolling}


def partition(workload: Json) -> int:
    """Read from which ordinal on pods are made anew from the template; 0 where nothing says so."""
    rolling = workload["spec"]["updateStrategy"].get("rollingUpdate") or {}
    return int(rolling.get("partition") or 0)


def first_ordinal(workload: Json) -> int:
    return int((workload["spec"].get("ordinals") or {}).get("start", 0))


def ordinal(name: str) -> int:
    """Read the ordinal that ends the name of a StatefulSet's pod; 0 where none does."""
    number = name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def governs(service: Json, workload: Json) -> bool:
    """Say whether a Service is the headless one that gives a StatefulSet's pods their names.

    Its peers find each other by it while they come up, so nothing narrows it, and no client should use it.
    """
    named = service["metadata"]["name"], service["spec"].get("clusterIP")
    return named == (workload["spec"].get("serviceName"), "None")


def template_in(revision: Json) -> Json:
    """Give the pod template that a ReplicaSet or a ControllerRevision keeps."""
    kept: Json = (revision.get("data") or revision)["spec"]["template"]
    return kept


def hash_of(revision: Json) -> str:
    """Name a revision as its pods' label does."""
    meta = revision["metadata"]
    return str(meta["name"] if "data" in revision else meta["labels"][HASH])


def hash_in(labels: Json) -> str:
    """Read from a pod's labels which revision it is of."""
    return str(labels.get(HASH) or labels.get(REVISION_HASH, ""))
