"""What `kubectl get` shows: a meta.k8s.io/v1 Table, its columns and cells as the server prints them.

The source: k8s.io/kubernetes/pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployctl.sandbox.tables import cells
from deployctl.sandbox.tables.ages import age
from deployctl.sandbox.tables.pods import pod
from deployctl.sandbox.tables.scaling import autoscaler

Json = dict[str, Any]
WORKLOAD = ("Containers*", "Images*", "Selector*")

# A column is a string, or an integer where its name ends with #; with * only `-o wide` shows it.
COLUMNS: dict[str, tuple[str, ...]] = {
    "pods": (
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
        "IP*",
        "Node*",
        "Nominated Node*",
        "Readiness Gates*",
    ),
    "deployments": ("Name", "Ready", "Up-to-date", "Available", "Age", *WORKLOAD),
    "replicasets": ("Name", "Desired#", "Current#", "Ready#", "Age", *WORKLOAD),
    "statefulsets": ("Name", "Ready", "Age", "Containers*", "Images*"),
    "controllerrevisions": ("Name", "Controller", "Revision", "Age"),
    "services": ("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector*"),
    "namespaces": ("Name", "Status", "Age"),
    "nodes": (
        *("Name", "Status", "Roles", "Age", "Version", "Internal-IP*", "External-IP*"),
        *("OS-Image*", "Kernel-Version*", "Container-Runtime*"),
    ),
    "configmaps": ("Name", "Data", "Age"),
    "events": (
        *("Last Seen", "Type", "Reason", "Object", "Subobject*", "Source*", "Message"),
        *("First Seen*", "Count*", "Name*"),
    ),
    "resourcequotas": ("Name", "Request", "Limit", "Age"),
    "horizontalpodautoscalers": ("Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"),
    "poddisruptionbudgets": ("Name", "Min Available", "Max Unavailable", "Allowed Disruptions#", "Age"),
    "endpointslices": ("Name", "AddressType", "Ports", "Endpoints", "Age"),
    "leases": ("Name", "Holder", "Age"),
}
CELLS: dict[str, Callable[[Json, float], list[Any]]] = {
    "pods": pod,
    "deployments": cells.deployment,
    "replicasets": cells.replica_set,
    "statefulsets": cells.stateful_set,
    "controllerrevisions": cells.controller_revision,
    "services": cells.service,
    "namespaces": cells.namespace,
    "nodes": cells.node,
    "configmaps": cells.config_map,
    "events": cells.event,
    "resourcequotas": cells.quota,
    "horizontalpodautoscalers": autoscaler,
    "poddisruptionbudgets": cells.budget,
    "endpointslices": cells.endpoint_slice,
    "leases": cells.lease,
}
ENDED = {
    "Succeeded": ("Succeeded", "The pod has completed successfully."),
    "Failed": ("Failed", "The pod failed."),
}


def table(resource: str, objects: list[Json], now: float, *, wide: bool = True) -> Json:
    """Give the Table of objects of a resource (`pods`) at a moment; `wide` has the columns of `-o wide`, too."""
    columns = [_column(name) for name in COLUMNS.get(resource, ("Name", "Age"))]
    shown = [at for at, one in enumerate(columns) if wide or not one["priority"]]
    written = CELLS.get(resource, _plain)
    rows = [_row(one, [cell for at, cell in enumerate(written(one, now)) if at in shown]) for one in objects]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [columns[at] for at in shown],
        "rows": rows,
    }


def _plain(one: Json, now: float) -> list[Any]:
    return [one["metadata"]["name"], age(one["metadata"].get("creationTimestamp"), now)]


def _column(name: str) -> Json:
    known = name.rstrip("*#")
    return {
        "name": known,
        "type": "integer" if name.endswith("#") else "string",
        "format": "name" if known == "Name" else "",
        "description": "",
        "priority": int(name.endswith("*")),
    }


def _row(one: Json, shown: list[Any]) -> Json:
    row: Json = {"cells": shown, "object": one}
    phase = (one.get("status") or {}).get("phase")
    if one.get("kind") == "Pod" and phase in ENDED:
        reason, message = ENDED[phase]
        row["conditions"] = [{"type": "Completed", "status": "True", "reason": reason, "message": message}]
    return row
