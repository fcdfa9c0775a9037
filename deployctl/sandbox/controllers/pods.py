"""Asks what controllers ask of a pod."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.store import moment

Json = dict[str, Any]

FINAL = frozenset({"Succeeded", "Failed"})


def ready_since(pod: Json) -> float | None:
    """Give the moment since when a pod passes its probes; None where it does not."""
    for each in pod.get("status", {}).get("conditions") or ():
        if each["type"] == "Ready":
            return moment(each["lastTransitionTime"]) if each["status"] == "True" else None
    return None


def is_ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def is_available(pod: Json, least_seconds: int, now: float) -> bool:
    """Say whether a pod has been ready for minReadySeconds."""
    since = ready_since(pod)
    return since is not None and since + least_seconds <= now


def available_in(pod: Json, least_seconds: int, now: float) -> float | None:
    """Give the seconds until a ready pod becomes available; None where it is, or is not ready."""
    since = ready_since(pod)
    wait = None if since is None else since + least_seconds - now
    return wait if wait is not None and wait > 0 else None


def phase(pod: Json) -> str:
    return str(pod.get("status", {}).get("phase") or "Pending")


def is_leaving(pod: Json) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_active(pod: Json) -> bool:
    return phase(pod) not in FINAL and not is_leaving(pod)


def is_terminating(pod: Json) -> bool:
    return phase(pod) not in FINAL and is_leaving(pod)


def node_of(pod: Json) -> str:
    return str(pod["spec"].get("nodeName") or "")
