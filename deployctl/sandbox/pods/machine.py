"""What a kubelet has to run pods with, and how it tells of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from deployctl.sandbox.cluster import Runtime
from deployctl.sandbox.controllers.recording import Recorder
from deployctl.sandbox.pods.podstatus import Life
from deployctl.sandbox.store import Store

Json = dict[str, Any]

CREATING_SECONDS = (0.05, 0.2)  # from the binding of a pod to its first container's start
POLL_SECONDS = 0.5  # for an end that nobody has told
NEVER = math.inf


@dataclass
class Machine:
    """One node's runtime. `unpullable` are patterns of images that no registry has."""

    store: Store
    runtime: Runtime
    events: Recorder
    unpullable: set[str] = field(default_factory=set)
    creating_seconds: tuple[float, float] = CREATING_SECONDS

    def tell(self, life: Life, reason: str, message: str, *, warns: bool = False) -> None:
        """Record an Event about a pod's container."""
        place = f"spec.containers{{{first(life)['name']}}}"
        record = self.events.warning if warns else self.events.normal
        record(life.pod, "Pod", reason, message, field=place)

    def until_change(self, life: Life) -> float:
        """Give the seconds until a container that was told to end may have."""
        known = self.runtime.due(life.pod)
        return POLL_SECONDS if known is None else known


def first(life: Life) -> Json:
    """Give the first container of a pod: it stands for all."""
    container: Json = life.pod["spec"]["containers"][0]
    return container
