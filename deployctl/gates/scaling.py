"""How many pods an app may have at the most: what its live autoscaler says, else its own replicas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.peers import Connections
from deployctl.workload import RESOURCES

RIGHT = "list horizontalpodautoscalers.autoscaling, where `connections` gives no maxReplicas"


def sized(wanted: Connections | None, asked: Asked) -> Connections | None:
    """Give a budget with its number of pods; raise DeployctlError where neither spec nor cluster tells it."""
    if wanted is None or wanted.max_replicas:
        return wanted
    if not asked.about.workload:
        raise DeployctlError("connections: maxReplicas is not given, and there is no workload to look at")
    try:
        return replace(wanted, max_replicas=max(_autoscaled(asked), default=0) or _replicas(asked))
    except DeployctlError as error:
        raise DeployctlError(f"connections: maxReplicas is not given, and cannot be read: {error}") from error


def _autoscaled(asked: Asked) -> Iterator[int]:
    """List maxReplicas of every autoscaler of the workload."""
    where = path(asked.about.namespace, "horizontalpodautoscalers")
    for one in asked.cluster.get(where)["items"]:
        target = one["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (asked.about.kind, asked.about.workload):
            yield int(one["spec"]["maxReplicas"])


def _replicas(asked: Asked) -> int:
    """Read the size of a workload that nobody scales; 1 is what it is gated at where it stands at 0."""
    about = asked.about
    where = path(about.namespace, RESOURCES[about.kind], about.workload)
    return max(1, int(asked.cluster.get(where)["spec"].get("replicas", 1)))
