"""What a running release leaves on the objects it changes: one annotation, written in the same patch.

It comes back with `kubectl rollout undo` (annotations are copied to ReplicaSets and back), so it is believed
only where the facts agree with it: the Deployment's own fields, or something of ours in a Service's selector.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from deployctl import workload
from deployctl.consumes import Consumes
from deployctl.workload import HELD_PARTITION, partition, stateful

FIELD_MANAGER = "deployctl"  # as managedFields name who wrote
ANNOTATION = "deployctl.dev/release"
LABEL = "deployctl.dev/serving"
LABEL_VALUE = "yes"
PREVIEW_OF = "deployctl.dev/preview-of"  # on a Service that we made; its value is the app
COST = "controller.kubernetes.io/pod-deletion-cost"
DETACHED_COST = "-1000000"
HASH = workload.HASH

HELD_SECONDS = 1_000_000_000  # minReadySeconds of a hold: no pod of ours is ever available
NO_DEADLINE = 2_147_483_647  # progressDeadlineSeconds that means none
DEFAULT_DEADLINE = 600

Json = dict[str, Any]


class Settings(msgspec.Struct, frozen=True, rename="camel"):
    """The fields of a workload's spec that a hold writes over.

    Of a StatefulSet that is `updateStrategy` alone, here `strategy`; it is paused by a partition above every ordinal.
    """

    min_ready_seconds: int
    progress_deadline_seconds: int
    strategy: Json
    paused: bool = False

    @classmethod
    def of(cls, deployment: Json) -> Settings:
        spec = deployment["spec"]
        if stateful(deployment):
            stopped = partition(deployment) >= HELD_PARTITION
            return cls(0, DEFAULT_DEADLINE, spec["updateStrategy"], stopped)
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
    preview_service: str = ""
    consumes: Consumes | None = None  # how the app's consumers go over: the way back needs no record for that
    turn: int = 0  # counts the writes to the Deployment: of two copies the higher is the newer

    def dump(self) -> str:
        return msgspec.json.encode(self).decode()


@lru_cache(maxsize=64)  # a loop reads the same annotation several times a turn
def load(text: str) -> Memory | None:
    """Read the annotation; None where it cannot be read, for then it is nobody's."""
    try:
        return msgspec.json.decode(text, type=Memory)
    except msgspec.MsgspecError:
        return None


def annotation(thing: Json) -> str:
    found: str = (thing["metadata"].get("annotations") or {}).get(ANNOTATION, "")
    return found


def recalled(deployment: Json, copies: Iterable[Json] = ()) -> Memory | None:
    """Read the release in flight: the newest of its copies that the facts agree with.

    A copy counts where the Deployment is still held, or where it is on a Service that we still narrow: then
    somebody took the annotation off, or wrote over the whole Deployment.
    """
    now = Settings.of(deployment)
    stays = now.min_ready_seconds >= HELD_SECONDS or (now.paused and stateful(deployment))
    found = [load(annotation(one)) for one in copies if stays or narrowed(one)]
    own, ids = load(annotation(deployment)), {one.id for one in found if one}
    if own and (own.id in ids or believed(own, deployment)):
        found.append(own)
    return newest(found)


def newest(memories: Iterable[Memory | None]) -> Memory | None:
    """Choose the last that was written, of the last release."""
    return max(filter(None, memories), key=lambda one: (one.at, one.fence, one.turn), default=None)


def narrowed(thing: Json) -> bool:
    """Say whether anything of ours is in a Service's selector."""
    selector = (thing.get("spec") or {}).get("selector") or {}
    return HASH in selector or LABEL in selector


def believed(memory: Memory, deployment: Json) -> bool:
    """Say whether a Deployment is as a release in flight leaves it, and as one at rest is not.

    A StatefulSet's annotations do not come back with `kubectl rollout undo`: its ControllerRevisions keep the template.
    """
    now = Settings.of(deployment)
    return stateful(deployment) or held(deployment) or (now == memory.wrote and now != memory.own)


def held(deployment: Json) -> bool:
    """Say whether a Deployment keeps what it has: paused, or with no pod ever available."""
    now = Settings.of(deployment)
    return now.paused or now.min_ready_seconds >= HELD_SECONDS


def adopted(memory: Memory, deployment: Json) -> Memory:
    """Take as the user's own what somebody wrote over the hold: it is what they get back in the end.

    A hold of (maxUnavailable 0, maxSurge 83%) that somebody made (0, 1) leaves maxSurge 1 in `own`.
    """
    if memory.wrote is None:
        return memory
    now, wrote, own = Settings.of(deployment), memory.wrote, memory.own
    merged = Settings(
        _theirs(own.min_ready_seconds, wrote.min_ready_seconds, now.min_ready_seconds),
        _theirs(
            own.progress_deadline_seconds, wrote.progress_deadline_seconds, now.progress_deadline_seconds
        ),
        _theirs(own.strategy, wrote.strategy, now.strategy),
        own.paused,
    )
    return msgspec.structs.replace(memory, own=merged)


def _theirs(own: Any, wrote: Any, now: Any) -> Any:
    """Give the value now where it is not what we wrote, key by key; else the user's own."""
    if now == wrote:
        return own
    if isinstance(now, dict) and isinstance(own, dict) and isinstance(wrote, dict):
        return {key: _theirs(own.get(key, now[key]), wrote.get(key), now[key]) for key in now}
    return now
