"""Autoscalers as an API server gives them, and what it makes of a patch."""

from __future__ import annotations

import copy
from typing import Any

from deployctl.autoscaling.held import DEFAULT_DOWN, DEFAULT_UP
from tests.fake import merged

Json = dict[str, Any]
META: Json = {"namespace": "igaming", "resourceVersion": "100", "uid": "h"}
TARGET: Json = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "wallet"}
CPU: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
}


def hpa(least: int = 6, most: int = 60, **spec: Any) -> Json:
    """Build a HorizontalPodAutoscaler of the Deployment wallet; more `spec` goes in as it is."""
    bounds = {"minReplicas": least, "maxReplicas": most}
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "wallet", **META},
        "spec": {"scaleTargetRef": TARGET, **bounds, "metrics": [CPU], **spec},
    }


def scaled_object(**spec: Any) -> Json:
    """Build a ScaledObject of the Deployment wallet, of which neither bound is said."""
    trigger = {
        "type": "cron",
        "metadata": {
            "timezone": "Europe/Malta",
            "start": "0 17 * * 6",
            "end": "0 23 * * 6",
            "desiredReplicas": "20",
        },
    }
    return {
        "kind": "ScaledObject",
        "metadata": {"name": "wallet", **META},
        "spec": {"scaleTargetRef": {"name": "wallet"}, "triggers": [trigger], **spec},
    }


def served(scaler: Json, body: Json | None) -> Json:
    """Give the object after a merge patch, with the defaults that the API server fills in (autoscaling/v2)."""
    if body is None:
        return scaler
    assert body["metadata"]["resourceVersion"] == scaler["metadata"]["resourceVersion"]
    changed: Json = merged(copy.deepcopy(scaler), body)
    if not changed["metadata"].get("annotations"):
        changed["metadata"].pop("annotations", None)
    behavior = changed["spec"].get("behavior")
    if behavior is not None:
        behavior["scaleUp"] = {**DEFAULT_UP, **behavior.get("scaleUp", {})}
        behavior["scaleDown"] = {**DEFAULT_DOWN, **behavior.get("scaleDown", {})}
    changed["metadata"]["resourceVersion"] = str(int(scaler["metadata"]["resourceVersion"]) + 1)
    return changed
