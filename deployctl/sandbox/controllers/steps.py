"""Decides what a Deployment's controller does next: scale, roll, recreate, clean up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployctl.sandbox.controllers.progress import is_complete
from deployctl.sandbox.controllers.revisions import REVISION, notes_of
from deployctl.sandbox.controllers.rollout import Rollout
from deployctl.sandbox.controllers.sizes import (
    DESIRED,
    FOR_EVER,
    active_or_latest,
    available,
    is_rolling,
    is_saturated,
    may_miss,
    only_active,
    proportional,
    size,
    size_of_new,
    wants,
)
from deployctl.sandbox.store import moment

Json = dict[str, Any]

SOON = 1.0  # seconds until another look at what could not be finished


def step(rollout: Rollout) -> float | None:
    """Do what is next; give the seconds until the next look where no change will ask for one."""
    if "deletionTimestamp" in rollout.deployment["metadata"]:
        rollout.adopt_revision()
        rollout.count()
        return None
    rollout.tell_pause()
    rollout.adopt_revision()
    if rollout.deployment["spec"].get("paused") or _is_resized(rollout):
        _resize(rollout)
        return None
    return _roll(rollout) if is_rolling(rollout.deployment) else _recreate(rollout)


def _is_resized(rollout: Rollout) -> bool:
    """Say whether somebody scaled the Deployment since its ReplicaSets were last scaled."""
    noted = (notes_of(one).get(DESIRED, "") for one in only_active(rollout.sets))
    return any(each.isdecimal() and int(each) != wants(rollout.deployment) for each in noted)


def _resize(rollout: Rollout) -> None:
    """Scale only: paused, or at a scaling event."""
    _scale(rollout)
    if rollout.deployment["spec"].get("paused"):
        _clean_up(rollout)
    rollout.count()


def _scale(rollout: Rollout) -> None:
    """Scale the only ReplicaSet, or retire the old ones of a saturated new one, or all in proportion."""
    deployment = rollout.deployment
    only = active_or_latest(rollout.new, rollout.old)
    if only is not None:
        rollout.resize(only, wants(deployment))
    elif is_saturated(deployment, rollout.new):
        for one in only_active(rollout.old):
            rollout.set_size(one, 0)
    elif is_rolling(deployment):
        for one, count in proportional(deployment, only_active(rollout.sets)):
            rollout.set_size(one, count)


def _roll(rollout: Rollout) -> float | None:
    """Roll: more new pods first, else fewer old ones, one or the other at a look."""
    if rollout.new is None and not rollout.create():
        return SOON
    if _grow(rollout) or _shrink(rollout):
        return rollout.report()
    if is_complete(rollout.deployment, rollout.deployment.get("status", {})):
        _clean_up(rollout)
    return rollout.report()


def _grow(rollout: Rollout) -> bool:
    """Bring the new ReplicaSet to the size that maxSurge leaves room for."""
    new, wanted = rollout.latest, wants(rollout.deployment)
    if size(new) >= wanted:
        return rollout.resize(new, wanted)
    return rollout.resize(new, size_of_new(rollout.deployment, rollout.sets, new))


def _shrink(rollout: Rollout) -> bool:
    """Take old pods away: first what is not available, then what maxUnavailable allows.

    A ReplicaSet with more pods available than it wants has not followed its last write: nothing goes yet.
    """
    least = wants(rollout.deployment) - may_miss(rollout.deployment)
    pending = size(rollout.latest) - available(rollout.latest)
    spare = sum(map(size, rollout.sets)) - least - pending
    active = only_active(rollout.old)
    if not active or spare <= 0 or any(available(one) > size(one) for one in active):
        return False
    healthy = sum(map(available, rollout.sets)) - least
    unhealthy = _take(rollout, spare, lambda one: size(one) - available(one))
    return _take(rollout, healthy, size) + unhealthy > 0


def _take(rollout: Rollout, count: int, at_most: Callable[[Json], int]) -> int:
    """Take pods from the old ReplicaSets, the oldest first; give how many."""
    taken = 0
    for one in only_active(rollout.old):
        less = min(count - taken, at_most(one))
        if less > 0:
            rollout.set_size(one, size(one) - less)
            taken += less
    return taken


def _recreate(rollout: Rollout) -> float | None:
    """Let every old pod end before the first new one begins."""
    active = only_active(rollout.old)
    for one in active:
        rollout.set_size(one, 0)
    if active or _has_old_pods(rollout):
        return rollout.report()
    if rollout.new is None and not rollout.create():
        return SOON
    rollout.resize(rollout.latest, wants(rollout.deployment))
    if is_complete(rollout.deployment, rollout.deployment.get("status", {})):
        _clean_up(rollout)
    return rollout.report()


def _has_old_pods(rollout: Rollout) -> bool:
    if any(one.get("status", {}).get("replicas", 0) for one in rollout.old):
        return True
    pods = (pod for one in rollout.old for pod in rollout.kin.controlled("pods", one))
    return any(pod.get("status", {}).get("phase") not in {"Failed", "Succeeded"} for pod in pods)


def _clean_up(rollout: Rollout) -> None:
    """Delete the oldest revisions without pods, beyond revisionHistoryLimit."""
    limit = rollout.deployment["spec"].get("revisionHistoryLimit", FOR_EVER)
    if limit == FOR_EVER:
        return
    alive = [one for one in rollout.old if "deletionTimestamp" not in one["metadata"]]
    for one in sorted(alive, key=_by_revision)[: max(0, len(alive) - limit)]:
        if _is_empty(one):
            meta = one["metadata"]
            rollout.store.remove("replicasets", meta["namespace"], meta["name"])


def _by_revision(one: Json) -> tuple[int, float, str]:
    text = notes_of(one).get(REVISION, "0")
    created = moment(one["metadata"]["creationTimestamp"])
    return (int(text) if text.isdecimal() else 0, created, one["metadata"]["name"])


def _is_empty(one: Json) -> bool:
    status, meta = one.get("status", {}), one["metadata"]
    observed = status.get("observedGeneration", 0) >= meta["generation"]
    return not status.get("replicas") and not size(one) and observed
