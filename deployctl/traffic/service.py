"""Traffic through plain Services: a pin to one revision, and the valve that lets in labelled pods only.

Set and get are on one port, so that every write is read back. A Service has no generation, so each write is a
merge patch that carries the resourceVersion it was decided on.
"""

from __future__ import annotations

from typing import Any

from deployctl.cluster.api import FIELD_MANAGER, MERGE_PATCH, Request
from deployctl.cluster.paths import path
from deployctl.memory import ANNOTATION, LABEL, LABEL_VALUE
from deployctl.workload import HASH

Json = dict[str, Any]


class ServiceTraffic:
    """Builds the writes to one Service; whoever sends them reads the Service and its EndpointSlices back."""

    def pin(self, service: Json, revision: str, memory: str) -> Request:
        """Select one revision only, or with "" no longer."""
        return _patch(service, {HASH: revision or None}, memory)

    def valve(self, service: Json, memory: str, *, on: bool) -> Request:
        """Ask pods for the label as well, or no longer."""
        return _patch(service, {LABEL: LABEL_VALUE if on else None}, memory)

    def narrowed(self, service: Json) -> bool:
        """Say whether anything of ours is in the selector."""
        selector = service["spec"].get("selector") or {}
        return HASH in selector or LABEL in selector


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
