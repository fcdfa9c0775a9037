"""The arithmetic of a Deployment: how many pods may be missing, may be extra, and go to which ReplicaSet."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.store import moment

Json = dict[str, Any]

DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
FOR_EVER = 2**31 - 1  # a progress deadline or a history limit that means none


def in_pods(amount: int | str, whole: int, *, up: bool) -> int:
    """Read `25%` of a whole, rounded up or down, or a number."""
    if isinstance(amount, int):
        return amount
    share = int(amount.removesuffix("%")) * whole
    return -(-share // 100) if up else share // 100


def wants(deployment: Json) -> int:
    return int(deployment["spec"]["replicas"])


def size(one: Json) -> int:
    return int(one["spec"]["replicas"])


def available(one: Json) -> int:
    return int(one.get("status", {}).get("availableReplicas", 0))


def is_rolling(deployment: Json) -> bool:
    return bool(deployment["spec"]["strategy"]["type"] == "RollingUpdate")


def _fences(deployment: Json) -> tuple[int, int]:
    """Give maxSurge and maxUnavailable in pods; never both 0."""
    rules, whole = deployment["spec"]["strategy"].get("rollingUpdate") or {}, wants(deployment)
    surge = in_pods(rules.get("maxSurge", 0), whole, up=True)
    missing = in_pods(rules.get("maxUnavailable", 0), whole, up=False)
    return surge, missing if surge or missing else 1


def may_exceed(deployment: Json) -> int:
    """Give maxSurge in pods: 25% of 6 are 2."""
    return _fences(deployment)[0] if is_rolling(deployment) else 0


def may_miss(deployment: Json) -> int:
    """Give maxUnavailable in pods: 25% of 6 is 1."""
    if not is_rolling(deployment) or not wants(deployment):
        return 0
    return min(_fences(deployment)[1], wants(deployment))


def size_of_new(deployment: Json, sets: list[Json], new: Json) -> int:
    """Give the size of the new ReplicaSet: into the room that maxSurge leaves, up to what is wanted."""
    if not is_rolling(deployment):
        return wants(deployment)
    room = wants(deployment) + may_exceed(deployment) - sum(map(size, sets))
    return size(new) if room <= 0 else size(new) + min(room, wants(deployment) - size(new))


def by_creation(one: Json) -> tuple[float, str]:
    return moment(one["metadata"]["creationTimestamp"]), one["metadata"]["name"]


def only_active(sets: list[Json]) -> list[Json]:
    return [one for one in sets if size(one) > 0]


def active_or_latest(new: Json | None, old: list[Json]) -> Json | None:
    """Give the only ReplicaSet with pods, or the newest where none has; None where several have."""
    newest_first = sorted(old, key=by_creation, reverse=True)
    active = only_active([*newest_first, *([new] if new else [])])
    if len(active) == 1:
        return active[0]
    return None if active else new or next(iter(newest_first), None)


def is_saturated(deployment: Json, new: Json | None) -> bool:
    """Say whether the new ReplicaSet has every pod that is wanted, all available."""
    if new is None:
        return False
    wanted = wants(deployment)
    desired = (new["metadata"].get("annotations") or {}).get(DESIRED, "")
    return size(new) == wanted and desired == str(wanted) and available(new) == wanted


def proportional(deployment: Json, sets: list[Json]) -> list[tuple[Json, int]]:
    """Share the change of a Deployment's size among its ReplicaSets, the largest first; it takes the rest, too.

    5 old and 5 new of 10, scaled to 15 with no surge, become 7 old and 8 new.
    """
    allowed = wants(deployment) + may_exceed(deployment) if wants(deployment) else 0
    change = allowed - sum(map(size, sets))
    ordered = sorted(sets, key=by_creation, reverse=change > 0)
    ordered.sort(key=size, reverse=True)
    added, sizes = 0, []
    for one in ordered:
        share = _share(one, deployment, change, added)
        added += share
        sizes.append((one, size(one) + share))
    if sizes and change:
        first, count = sizes[0]
        sizes[0] = (first, max(0, count + change - added))
    return sizes


def _share(one: Json, deployment: Json, change: int, added: int) -> int:
    if not size(one) or not change or change == added:
        return 0
    bound = min if change > 0 else max
    return bound(_fraction(one, deployment), change - added)


def _fraction(one: Json, deployment: Json) -> int:
    """Give the change of one ReplicaSet in proportion to the whole, rounded half away from nothing."""
    if not wants(deployment):
        return -size(one)
    noted = (one["metadata"].get("annotations") or {}).get(MOST, "")
    before = int(noted) if noted.isdecimal() else 0
    before = before or deployment.get("status", {}).get("replicas", 0)
    if not before:
        return 0
    return int(size(one) * (wants(deployment) + may_exceed(deployment)) / before + 0.5) - size(one)
