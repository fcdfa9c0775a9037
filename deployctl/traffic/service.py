"""Traffic through plain Services: a pin to one revision, and the valve that lets in labelled pods only.

Set and get are on one port, so that every write is read back. A Service has no generation, so each write is a
merge patch that carries the resourceVersion it was decided on.
"""

from __future__ import annotations

from typing import Any

from deployctl.cluster.api import MERGE_PATCH, Request
from deployctl.cluster.paths import path
from deployctl.memory import ANNOTATION, FIELD_MANAGER, LABEL, LABEL_VALUE, PREVIEW_OF, Memory
from deployctl.workload import HASH

Json = dict[str, Any]
PORT = ("name", "protocol", "port", "targetPort", "appProtocol")  # what is said of one, but for the node's


class ServiceTraffic:
    """Builds the writes to one Service; whoever sends them reads the Service and its EndpointSlices back."""

    def pin(self, service: Json, revision: str, memory: str) -> Request:
        """Select one revision only, or with "" no longer."""
        return _patch(service, {HASH: revision or None}, memory)

    def valve(self, service: Json, memory: str, *, on: bool) -> Request:
        """Ask pods for the label, in place of a revision where it asks for one, or no longer."""
        return _patch(service, {LABEL: LABEL_VALUE, HASH: None} if on else {LABEL: None}, memory)

    def mark(self, service: Json, memory: str | None) -> Request:
        """Write the copy of the release's memory alone, or take it off.

        Whoever takes a release over marks every Service first: a write to one that was on its way from another
        process then meets another resourceVersion, and is refused.
        """
        meta = service["metadata"]
        body = {"metadata": {"resourceVersion": meta["resourceVersion"], "annotations": {ANNOTATION: memory}}}
        where = path(meta["namespace"], "services", meta["name"])
        return Request("PATCH", where, body, MERGE_PATCH, {"fieldManager": FIELD_MANAGER})

    def create(self, revision: str, like: Json, owner: Json, memory: Memory) -> Request:
        """Make the preview Service, on the ports of one that is listed; it goes when its Deployment goes."""
        meta, selector = owner["metadata"], like["spec"].get("selector") or {}
        own = {key: value for key, value in selector.items() if key not in (HASH, LABEL)}
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"]}
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": memory.preview_service,
                "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER, PREVIEW_OF: memory.app},
                "annotations": {ANNOTATION: memory.dump()},
                "ownerReferences": [reference],
            },
            "spec": {
                "type": "ClusterIP",
                "selector": {**own, HASH: revision},
                "ports": [_port(one) for one in like["spec"].get("ports") or ()],
            },
        }
        where = path(meta["namespace"], "services")
        return Request("POST", where, body, query={"fieldManager": FIELD_MANAGER})

    def delete(self, service: Json) -> Request:
        """Delete exactly the Service that was looked at."""
        meta = service["metadata"]
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]},
        }
        return Request("DELETE", path(meta["namespace"], "services", meta["name"]), body)

    def narrowed(self, service: Json) -> bool:
        """Say whether anything of ours is in the selector."""
        selector = service["spec"].get("selector") or {}
        return HASH in selector or LABEL in selector


def _port(port: Json) -> Json:
    return {key: port[key] for key in PORT if key in port}


def _patch(service: Json, change: dict[str, str | None], memory: str) -> Request:
    """Change the selector; the copy of the release's memory stays as long as anything of ours does."""
    meta = service["metadata"]
    after = {
        key: value for key, value in {**(service["spec"].get("selector") or {}), **change}.items() if value
    }
    kept = memory if HASH in after or LABEL in after else None
    body = {
        "metadata": {"resourceVersion": meta["resourceVersion"], "annotations": {ANNOTATION: kept}},
        "spec": {"selector": change},
    }
    where = path(meta["namespace"], "services", meta["name"])
    return Request("PATCH", where, body, MERGE_PATCH, {"fieldManager": FIELD_MANAGER})
