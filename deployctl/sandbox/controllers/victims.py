"""Ranks the pods of a ReplicaSet: who goes first when it shrinks."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cmp_to_key
from typing import Any

from deployctl.sandbox.controllers.pods import is_active, is_ready, node_of, phase, ready_since
from deployctl.sandbox.store import moment

Json = dict[str, Any]

COST = "controller.kubernetes.io/pod-deletion-cost"
NUMBER = re.compile(r"-[0-9]+|0|[1-9][0-9]*")
ORDER_OF_PHASE = {"Pending": 0, "Unknown": 1, "Running": 2}


def victims(pods: list[Json], related: list[Json], count: int, now: float) -> list[Json]:
    """Choose the pods to delete; `related` are all pods of the same Deployment.

    Unassigned, pending, unready, cheap, crowded, lately ready, restarted and young ones go first:
    `ActivePodsWithRanks` of kubernetes/pkg/controller/controller_utils.go.
    """
    if count >= len(pods):
        return pods
    crowd = Counter(node_of(each) for each in related if is_active(each))

    def first(one: Json, other: Json) -> int:
        return _earlier(_rank(one, crowd), _rank(other, crowd)) or _by_times(one, other, now)

    return sorted(pods, key=cmp_to_key(first))[:count]


def _rank(pod: Json, crowd: Counter[str]) -> tuple[int, ...]:
    return (
        node_of(pod) != "",
        ORDER_OF_PHASE.get(phase(pod), 2),
        is_ready(pod),
        deletion_cost(pod),
        -crowd[node_of(pod)],
    )


def deletion_cost(pod: Json) -> int:
    """Read the annotation; what is no number of 32 bits, written plainly, counts as 0."""
    text = (pod["metadata"].get("annotations") or {}).get(COST, "0")
    cost = int(text) if NUMBER.fullmatch(text) else 0
    return cost if -(2**31) <= cost < 2**31 else 0


def _by_times(one: Json, other: Json, now: float) -> int:
    """Compare by the ready time, the restarts and the age; times in powers of two, then by chance (the uid)."""
    since = ready_since(one), ready_since(other)
    if since[0] is not None and since[1] is not None and since[0] != since[1]:
        return _earlier(_log(now - since[0]), _log(now - since[1])) or _by_uid(one, other)
    if restarts := _earlier(_restarts(other), _restarts(one)):
        return restarts
    born = [moment(each["metadata"]["creationTimestamp"]) for each in (one, other)]
    if born[0] == born[1]:
        return 0
    return _earlier(_log(now - born[0]), _log(now - born[1])) or _by_uid(one, other)


def _by_uid(one: Json, other: Json) -> int:
    return _earlier(one["metadata"]["uid"], other["metadata"]["uid"])


def _earlier(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def _log(seconds: float) -> int:
    """Give the power of two of an age, counted in nanoseconds."""
    return int(math.log2(seconds * 1e9)) if seconds > 0 else -1


def _restarts(pod: Json) -> int:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return max((each["restartCount"] for each in statuses), default=0)
