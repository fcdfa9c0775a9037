"""What holds an autoscaler is written on it: one annotation, in the same patch as what it holds.

Of a HorizontalPodAutoscaler two fields are ever held, `minReplicas` and `behavior.scaleDown.selectPolicy`; of a
ScaledObject of KEDA `minReplicaCount` and the annotation `paused-scale-in`. Several may hold one at once, such as a
release and a surge: the highest floor counts, and the user's own values come back with the end of the last. What the
user writes meanwhile is theirs and is kept: a field that is not as we wrote it is their new wish.

Pure: the calls are built here and sent elsewhere. Each is a merge patch that names the resourceVersion looked at.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from deployctl.cluster.api import MERGE_PATCH, Request
from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError
from deployctl.memory import FIELD_MANAGER

Json = dict[str, Any]

HPAS, SCALED_OBJECTS = "horizontalpodautoscalers", "scaledobjects"
ANNOTATION = "deployctl.dev/autoscaling"
VERSION = 1
STILL = "Disabled"  # selectPolicy of a side that never scales
PAUSED_SCALE_IN = "autoscaling.keda.sh/paused-scale-in"

# What the API server makes of a `behavior` that says nothing (pkg/apis/autoscaling/v2/defaults.go).
DEFAULT_UP: Json = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
DEFAULT_DOWN: Json = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


class Hold(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who holds an autoscaler, at least how high, and until when.

    holder: one of a name at a time, such as `release r42` or `surge`
    floor: that it goes under no more; 0 is any
    still: whether it scales down at all
    until: a moment such as 2026-04-11T22:00:00Z; without one, until the holder gives it back
    base: what ran when an event raised it, which a factor is taken of
    """

    holder: str
    floor: int = 0
    still: bool = False
    by: str = ""
    since: str = ""
    until: str = ""
    why: str = ""
    base: int = 0


class Values(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The fields that holds write: the floor, and what stops scaling down; None where nothing is said."""

    floor: int | None = None
    down: str | None = None
    behavior: bool = True  # whether there is a `behavior` at all


class Held(msgspec.Struct, frozen=True, rename="camel"):
    """An autoscaler that is held: the user's own values, what we wrote over them, and who wants what."""

    own: Values
    wrote: Values
    holds: tuple[Hold, ...] = ()
    version: int = VERSION
    peaks: tuple[Json, ...] = ()  # events to come, as a spec file writes them


def keda(scaler: Json) -> bool:
    """Tell a ScaledObject from a HorizontalPodAutoscaler; items of a list do not say their kind."""
    return "triggers" in scaler["spec"]


def read(scaler: Json) -> Held | None:
    """Read who holds it, with the user's own values as they are now; None where nobody does."""
    text = (scaler["metadata"].get("annotations") or {}).get(ANNOTATION)
    if text is None:
        return None
    held = _decoded(text, scaler["metadata"]["name"])
    return msgspec.structs.replace(held, own=_adopted(held, values(scaler)))


def holds(scaler: Json) -> tuple[Hold, ...]:
    """List who holds it."""
    held = read(scaler)
    return held.holds if held else ()


def own(scaler: Json) -> Values:
    """Give the user's own values, whoever holds it."""
    held = read(scaler)
    return held.own if held else values(scaler)


def values(scaler: Json) -> Values:
    """Read the fields that holds write, as they are."""
    spec = scaler["spec"]
    if keda(scaler):
        said = scaler["metadata"].get("annotations") or {}
        return Values(spec.get("minReplicaCount"), said.get(PAUSED_SCALE_IN))
    behavior = spec.get("behavior")
    down = ((behavior or {}).get("scaleDown") or {}).get("selectPolicy")
    return Values(spec.get("minReplicas"), down, behavior is not None)


def ceiling(scaler: Json) -> int:
    """Give the most replicas that it may want; 100 is what KEDA takes where nothing is said."""
    spec = scaler["spec"]
    return int(spec.get("maxReplicaCount", 100) if keda(scaler) else spec["maxReplicas"])


def take(scaler: Json, hold: Hold) -> Request | None:
    """Build the call by which one more holds it, or the same one otherwise; None where all is so already."""
    return write(scaler, (*_without(scaler, hold.holder), hold))


def give_back(scaler: Json, holder: str) -> Request | None:
    """Build the call that ends a hold; None where it is not held by that one and nothing is to mend."""
    return write(scaler, _without(scaler, holder))


def due(scaler: Json, now: dt.datetime) -> tuple[Hold, ...]:
    """List the holds whose end has passed."""
    return tuple(one for one in holds(scaler) if one.until and moment(one.until) <= now)


def carry_out(scaler: Json, now: dt.datetime) -> Request | None:
    """Build the call that ends what is due and puts back what was written over; None where all is as it shall be."""
    ended = due(scaler, now)
    return write(scaler, tuple(one for one in holds(scaler) if one not in ended))


def write(scaler: Json, wanted: tuple[Hold, ...], peaks: tuple[Json, ...] | None = None) -> Request | None:
    """Build the call after which exactly these hold it, and its fields say so; `peaks` are left where none are given."""
    held, now = read(scaler), values(scaler)
    events = peaks if peaks is not None else held.peaks if held else ()
    if held is None and not wanted and not events:
        return None
    own_values = held.own if held else now
    target = _values_of(scaler, own_values, wanted)
    kept = Held(own_values, target, wanted, peaks=events) if wanted or events else None
    if now == target and held is not None and _same(scaler, kept):
        return None
    annotations: Json = {ANNOTATION: msgspec.json.encode(kept).decode() if kept else None}
    spec = _fields(scaler, target, annotations)
    return _patch(scaler, {"metadata": {"annotations": annotations}, "spec": spec})


def rewritten(scaler: Json, spec: Json) -> tuple[Json, Json]:
    """Give a merge patch of its spec, and the annotation with it, so that it is the user's own under what holds it.

    A policy that sets minReplicas 8 under a surge of 40 leaves 40, and 8 is what comes back.
    """
    held = read(scaler)
    if held is None:
        return spec, {}
    floor = "minReplicaCount" if keda(scaler) else "minReplicas"
    behavior = spec.get("behavior") or {}
    down = held.own.down if keda(scaler) else (behavior.get("scaleDown") or {}).get("selectPolicy")
    said = Values(
        spec.get(floor, held.own.floor),
        down or held.own.down,
        held.own.behavior if "behavior" not in spec else bool(behavior),
    )
    target = _values_of({**scaler, "spec": {**scaler["spec"], **spec}}, said, held.holds)
    kept = msgspec.structs.replace(held, own=said, wrote=target)
    whole = {**spec, floor: target.floor}
    if behavior and target.down:
        whole["behavior"] = {**behavior, "scaleDown": {**behavior["scaleDown"], "selectPolicy": target.down}}
    return whole, {ANNOTATION: msgspec.json.encode(kept).decode()}


def moment(text: str) -> dt.datetime:
    """Read a moment as an annotation has it."""
    return dt.datetime.fromisoformat(text)


def _same(scaler: Json, kept: Held | None) -> bool:
    """Say whether the annotation needs no other text."""
    text = scaler["metadata"]["annotations"][ANNOTATION]
    return kept is not None and _decoded(text, scaler["metadata"]["name"]) == kept


def _without(scaler: Json, holder: str) -> tuple[Hold, ...]:
    return tuple(one for one in holds(scaler) if one.holder != holder)


def _decoded(text: str, name: str) -> Held:
    try:
        held = msgspec.json.decode(text, type=Held)
    except msgspec.MsgspecError as error:
        raise DeployctlError(
            f"{name}: the annotation {ANNOTATION} cannot be read: {error}",
            advice="the user's own minReplicas is in it; put that back by hand, then take the annotation off",
        ) from error
    if held.version != VERSION:
        raise DeployctlError(
            f"{name}: the annotation {ANNOTATION} is of version {held.version}, and this deployctl knows {VERSION}",
            advice="use the deployctl that wrote it",
        )
    return held


def _adopted(held: Held, now: Values) -> Values:
    """Take as the user's own what somebody wrote over the hold: 6, then our 20, then their 30 is 30."""
    wrote, old = held.wrote, held.own
    return Values(
        old.floor if now.floor == wrote.floor else now.floor,
        old.down if now.down == wrote.down else now.down,
        old.behavior if now.down == wrote.down and now.behavior else now.behavior,
    )


def _values_of(scaler: Json, own_values: Values, wanted: Iterable[Hold]) -> Values:
    """Give what shall be in the fields; no floor is above the ceiling, for the API refuses that."""
    wanted = tuple(wanted)
    floor = max((one.floor for one in wanted), default=0)
    still = any(one.still for one in wanted)
    held_down = "true" if keda(scaler) else STILL
    up = floor > _least(scaler, own_values)
    return Values(
        min(floor, max(ceiling(scaler), _least(scaler, own_values))) if up else own_values.floor,
        held_down if still else own_values.down,
        own_values.behavior or still,
    )


def _least(scaler: Json, own_values: Values) -> int:
    """Give the user's floor where they may not have said one: 1 of an HPA, 0 of KEDA."""
    return own_values.floor if own_values.floor is not None else 0 if keda(scaler) else 1


def _fields(scaler: Json, target: Values, annotations: Json) -> Json:
    """Build the part of the patch that is the spec; KEDA's other half goes into the annotations."""
    if keda(scaler):
        annotations[PAUSED_SCALE_IN] = target.down
        return {"minReplicaCount": target.floor}
    spec: Json = {"minReplicas": target.floor}
    behavior = scaler["spec"].get("behavior")
    if not target.behavior and behavior is not None and _ours_alone(behavior):
        spec["behavior"] = None
    elif target.down or behavior is not None:
        spec["behavior"] = {"scaleDown": {"selectPolicy": target.down}}
    return spec


def _ours_alone(behavior: Json) -> bool:
    """Say whether a behavior holds nothing but what the API server made of the one field that we wrote."""
    down = {"policies": DEFAULT_DOWN["policies"], **behavior.get("scaleDown", {}), "selectPolicy": "Max"}
    return behavior.get("scaleUp", DEFAULT_UP) == DEFAULT_UP and down == DEFAULT_DOWN


def resource_of(scaler: Json) -> str:
    return SCALED_OBJECTS if keda(scaler) else HPAS


def _patch(scaler: Json, body: Json) -> Request:
    meta = scaler["metadata"]
    body["metadata"]["resourceVersion"] = meta["resourceVersion"]
    where = path(meta["namespace"], resource_of(scaler), meta["name"])
    return Request("PATCH", where, body, MERGE_PATCH, {"fieldManager": FIELD_MANAGER})
