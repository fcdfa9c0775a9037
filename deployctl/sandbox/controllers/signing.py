"""Notes in managedFields what a Deployment's controller has written: its status and the revision."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.controllers.revisions import REVISION

Json = dict[str, Any]

MANAGER = "kube-controller-manager"
CONDITION = ("lastTransitionTime", "lastUpdateTime", "message", "reason", "status", "type")


def signed(deployment: Json, at: str) -> Json:
    """Give the Deployment with an entry for its status as it is now; where nobody has signed, nobody is noted."""
    entries = deployment["metadata"].get("managedFields")
    if not entries:
        return deployment
    others = [one for one in entries if not _is_ours(one)]
    fields: Json = {"f:status": _status(deployment.get("status", {}))}
    if REVISION in (deployment["metadata"].get("annotations") or {}):
        fields = {"f:metadata": {"f:annotations": _annotations(others)}, **fields}
    entry = {
        "manager": MANAGER,
        "operation": "Update",
        "apiVersion": "apps/v1",
        "time": at,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        "subresource": "status",
    }
    ordered = sorted([*others, entry], key=_place)
    return {**deployment, "metadata": {**deployment["metadata"], "managedFields": ordered}}


def _is_ours(entry: Json) -> bool:
    return bool(entry["manager"] == MANAGER and entry.get("subresource") == "status")


def _place(entry: Json) -> tuple[bool, str, str]:
    return entry["operation"] != "Apply", entry.get("time", ""), entry["manager"]


def _annotations(others: list[Json]) -> Json:
    """Own the revision, and the map itself where it is nobody else's."""
    own: Json = {f"f:{REVISION}": {}}
    held = (one["fieldsV1"].get("f:metadata", {}).get("f:annotations", {}) for one in others)
    return own if any("." in each for each in held) else {".": {}, **own}


def _status(status: Json) -> Json:
    fields: Json = {f"f:{key}": {} for key in status if key != "conditions"}
    if conditions := status.get("conditions"):
        parts: Json = {".": {}, **{f"f:{key}": {} for key in CONDITION}}
        fields["f:conditions"] = {".": {}}
        fields["f:conditions"] |= {f'k:{{"type":"{one["type"]}"}}': parts for one in conditions}
    return fields
