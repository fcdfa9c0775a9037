"""The events notifier writes Kubernetes Events on the workload, where `kubectl describe` shows them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError, Forbidden
from deployctl.gates import Asked
from deployctl.notify import BAD, Notice
from deployctl.workload import RESOURCES

MOST_LETTERS = 1000  # the API takes 1024 of a note


@dataclass(frozen=True)
class Events:
    """Write a Kubernetes Event on the Deployment or StatefulSet, which the cluster keeps for an hour."""

    RIGHTS: ClassVar = ("create of events",)

    def tell(self, notice: Notice, asked: Asked) -> None:
        where = path(notice.namespace, RESOURCES[notice.kind], notice.workload)
        try:
            uid = asked.cluster.get(where)["metadata"]["uid"]
            asked.cluster.post(path(notice.namespace, "events"), event(notice, uid))
        except Forbidden as error:
            raise DeployctlError(f"events are left out: {error}; docs/rbac.md has the right") from error


def event(notice: Notice, uid: str) -> dict[str, Any]:
    """Make the Event of a notice."""
    about = {
        "apiVersion": "apps/v1",
        "kind": notice.kind,
        "namespace": notice.namespace,
        "name": notice.workload,
        "uid": uid,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{notice.workload}.{time.time_ns():x}",
            "namespace": notice.namespace,
        },
        "involvedObject": about,
        "reason": f"Release{notice.what[0].upper()}{notice.what[1:]}",
        "message": notice.text[:MOST_LETTERS],
        "type": "Warning" if notice.what in BAD else "Normal",
        "source": {"component": "deployctl"},
        "reportingComponent": "deployctl",
        "reportingInstance": notice.by[:128],
        "firstTimestamp": notice.at,
        "lastTimestamp": notice.at,
        "count": 1,
    }
