"""What a running release leaves on the objects it changes: one annotation, written in the same patch.

It comes back with `kubectl rollout undo` (annotations are copied to ReplicaSets and back), so it is believed
only where the Deployment's own fields agree with it: `believed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

ANNOTATION = "deployctl.dev/release"
LABEL = "deployctl.dev/serving"
LABEL_VALUE = "yes"
COST = "controller.kubernetes.io/pod-deletion-cost"
DETACHED_COST = "-1000000"
HASH = "pod-template-hash"

HELD_SECONDS = 1_000_000_000  # minReadySeconds of a hold: no pod of ours is ever available
NO_DEADLINE = 2_147_483_647  # progressDeadlineSeconds that means none
DEFAULT_DEADLINE = 600

Json = dict[str, Any]


class Settings(msgspec.Struct, frozen=True, rename="camel"):
    """The fields of a Deployment's spec that a hold writes over."""

    min_ready_seconds: int
    progress_deadline_seconds: int
    strategy: Json
    paused: bool = False

    @classmethod
    def of(cls, deployment: Json) -> Settings:
        spec = deployment["spec"]
        return cls(
            spec.get("minReadySeconds", 0),
            spec.get("progressDeadlineSeconds", DEFAULT_DEADLINE),
            spec["strategy"],
            spec.get("paused", False),
        )


def rolling_update(unavailable: int | str, surge: int | str) -> Json:
    """Build the `strategy` field of a Deployment."""
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}}


class Memory(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One release in flight. `stable` and `preview` are digests of pod templates, not names."""

    id: str
    app: str
    strategy: str
    phase: str
    stable: str
    preview: str
    own: Settings  # the user's
    services: tuple[str, ...]
    replicas: int
    fence: int = 1
    wrote: Settings | None = None  # what the last write left in the Deployment
    by: str = ""
    at: str = ""
    why: str = ""

    def dump(self) -> str:
        return msgspec.json.encode(self).decode()


def load(text: str) -> Memory | None:
    """Read the annotation; None where it cannot be read, for then it is nobody's."""
    try:
        return msgspec.json.decode(text, type=Memory)
    except msgspec.MsgspecError:
        return None


def annotation(thing: Json) -> str:
    found: str = (thing["metadata"].get("annotations") or {}).get(ANNOTATION, "")
    return found


def remembered(deployment: Json) -> Memory | None:
    """Read the release in flight off a Deployment, unless `rollout undo` brought back a stale one."""
    memory = load(annotation(deployment))
    return memory if memory and believed(memory, deployment) else None


def recalled(deployment: Json, copies: Iterable[Json]) -> Memory | None:
    """Read the release in flight, from a copy where somebody took the annotation off a held Deployment."""
    found = remembered(deployment)
    if found or Settings.of(deployment).min_ready_seconds < HELD_SECONDS:
        return found
    memories = [memory for one in copies if (memory := load(annotation(one)))]
    return max(memories, key=lambda memory: (memory.at, memory.fence), default=None)


def believed(memory: Memory, deployment: Json) -> bool:
    """Say whether any field that a release in flight sets is still as a release in flight sets it."""
    now = Settings.of(deployment)
    return now.paused or now.min_ready_seconds >= HELD_SECONDS or now != memory.own
