"""Label and field selectors: what they mean and the server's words where they mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from deployctl.sandbox.api.labelling import Holds, requirements
from deployctl.sandbox.api.refusals import bad_request
from deployctl.sandbox.resources import Resource

Json = dict[str, Any]
Wanted = Callable[[Json], bool]
Labels = dict[str, str]

FIELDS: dict[str, tuple[str, ...]] = {  # k8s.io/kubernetes/pkg/apis/core/v1/conversion.go
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "services": ("spec.clusterIP", "spec.type"),
    "replicasets": ("status.replicas",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}
PLAINLY = frozenset({"pods", "nodes", "namespaces", "services", "replicasets", "events"})


@lru_cache(maxsize=512)
def selector(resource: Resource, labels: str, fields: str) -> Wanted | None:
    """Give what says whether an object is selected; None where every object is."""
    chosen = [*map(_labelled, requirements(labels)), *_fields(resource, fields)]
    if not chosen:
        return None
    return chosen[0] if len(chosen) == 1 else lambda one: all(each(one) for each in chosen)


def _labelled(holds: Holds) -> Wanted:
    return lambda one: holds(one["metadata"].get("labels") or {})


def _fields(resource: Resource, text: str) -> list[Wanted]:
    return [_field(resource, part) for part in text.split(",") if part]


def _field(resource: Resource, part: str) -> Wanted:
    for op in ("!=", "==", "="):
        key, sign, value = part.partition(op)
        if sign:
            return _valued(_known(resource, key), value, equal=op != "!=")
    raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")


def _known(resource: Resource, key: str) -> tuple[str, ...]:
    if key not in {"metadata.name", "metadata.namespace", *FIELDS.get(resource.name, ())}:
        raise bad_request(_unknown(resource, key))
    return ("source", "component") if key == "source" else tuple(key.split("."))


def _unknown(resource: Resource, key: str) -> str:
    if resource.name in PLAINLY:
        return f"field label not supported: {key}"
    return f'"{key}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _valued(way: tuple[str, ...], value: str, *, equal: bool) -> Wanted:
    if way == ("metadata", "name"):
        return lambda one: (one["metadata"]["name"] == value) is equal
    return lambda one: (_text(one, way) == value) is equal


def _text(one: Any, way: tuple[str, ...]) -> str:
    for key in way:
        one = (one or {}).get(key)
    if isinstance(one, bool):
        return str(one).lower()
    return "" if one is None else str(one)


def matches(chosen: Json, labels: Labels) -> bool:
    """Say whether a selector of an object's spec (matchLabels, matchExpressions) selects these labels."""
    plain = (chosen.get("matchLabels") or {}).items() <= labels.items()
    return plain and all(_ruled(rule, labels) for rule in chosen.get("matchExpressions") or [])


def _ruled(rule: Json, labels: Labels) -> bool:
    key, values = rule["key"], rule.get("values") or []
    match rule["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
