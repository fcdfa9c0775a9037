"""Whether an object may be stored, and the server's words where it may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from deployctl.sandbox.objects.validation import metadata, pods, scaling, services, small, workloads
from deployctl.sandbox.objects.validation.words import Cause, Causes, refusal
from deployctl.sandbox.resources import BY_NAME, Resource

__all__ = ["validate"]

Json = dict[str, Any]

CHECKS: dict[str, Callable[[Json, Json | None], Causes]] = {
    "deployments": workloads.deployment,
    "replicasets": workloads.replica_set,
    "statefulsets": workloads.stateful_set,
    "controllerrevisions": workloads.controller_revision,
    "pods": pods.pod,
    "services": services.service,
    "horizontalpodautoscalers": scaling.autoscaler,
    "poddisruptionbudgets": scaling.budget,
    "configmaps": small.config_map,
    "leases": small.lease,
    "endpointslices": small.endpoint_slice,
    "resourcequotas": small.quota,
}


def validate(resource: str, one: Json, before: Json | None = None) -> None:
    """Refuse (422) an object of a resource (`pods`) that is wrong, or is no lawful change of what was before."""
    known = BY_NAME[resource]
    causes = [*_about(known, one, before), *_checked(resource, one, before)]
    if causes:
        raise refusal(known, one["metadata"].get("name", ""), causes)


def _about(resource: Resource, one: Json, before: Json | None) -> list[Cause]:
    """Check the metadata; of an update the server tells each cause as often as it meets it."""
    if before is None:
        return list(metadata.created(resource, one))
    changed, marked = list(metadata.changed(resource, one, before)), list(metadata.marked(one["metadata"]))
    return [*changed, *changed, *marked, *(marked if resource.name == "configmaps" else ())]


def _checked(resource: str, one: Json, before: Json | None) -> Iterator[Cause]:
    check = CHECKS.get(resource)
    if check and (resource == "pods" or not before or _content(before) != _content(one)):
        yield from check(one, before)


def _content(one: Json) -> Json:
    return {key: value for key, value in one.items() if key not in {"metadata", "status"}}
