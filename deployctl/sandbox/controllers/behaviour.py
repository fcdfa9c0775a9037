"""Holds an autoscaler back: to its bounds, by its rate, for its stabilization window."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Told = tuple[str, str]  # reason and message of a condition

WINDOW_SECONDS = 300  # of scaling down, where nothing is said
UP: Json = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
DOWN: Json = {
    "stabilizationWindowSeconds": WINDOW_SECONDS,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
READY = ("ReadyForNewScale", "recommended size matches current size")
UP_STABLE = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
DOWN_STABLE = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
IN_RANGE = ("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
TOO_FAST = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
TOO_FAST_DOWN = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
)


@dataclass
class History:
    """What was recommended, and by how much it was scaled up and down, each with its moment."""

    recommended: list[tuple[float, int]] = field(default_factory=list)
    up: list[tuple[float, int]] = field(default_factory=list)
    down: list[tuple[float, int]] = field(default_factory=list)

    def scaled(self, before: int, after: int, now: float) -> None:
        (self.up if after > before else self.down).append((now, abs(after - before)))

    def forget(self, now: float) -> None:
        """Forget what no window, of an hour at most, looks back to."""
        for each in (self.recommended, self.up, self.down):
            each[:] = [one for one in each if one[0] > now - 3600]


def _rules(behaviour: Json | None, way: str, default: Json) -> Json:
    given = (behaviour or {}).get(way) or {}
    return {**default, **{key: value for key, value in given.items() if value is not None}}


def stabilized(
    behaviour: Json | None, history: History, current: int, desired: int, now: float
) -> tuple[int, Told]:
    """Give the recommendation that the last ones allow; up the lowest counts, down the highest."""
    if behaviour is None:
        recent = [count for at, count in history.recommended if at >= now - WINDOW_SECONDS]
        history.recommended.append((now, desired))
        found = max([desired, *recent])
        return found, READY if found == desired else DOWN_STABLE
    up, down = desired, desired
    for at, count in history.recommended:
        if at > now - _rules(behaviour, "scaleUp", UP)["stabilizationWindowSeconds"]:
            up = min(up, count)
        if at > now - _rules(behaviour, "scaleDown", DOWN)["stabilizationWindowSeconds"]:
            down = max(down, count)
    history.recommended.append((now, desired))
    found = min(max(current, up), down)
    if found == desired:
        return found, READY
    return found, UP_STABLE if desired >= current else DOWN_STABLE


def bounded(spec: Json, history: History, current: int, desired: int, now: float) -> tuple[int, Told]:
    """Bring a recommendation within the bounds and the rate of change."""
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    behaviour = spec.get("behavior")
    if behaviour is None:
        limit = max(2 * current, 4)
        if desired < least:
            return least, TOO_FEW
        if desired > min(most, limit):
            return (limit, TOO_FAST) if most > limit else (most, TOO_MANY)
        return desired, IN_RANGE
    if desired > current:
        limit = max(current, _limit(_rules(behaviour, "scaleUp", UP), history, current, now, 1))
        if desired > min(most, limit):
            return (limit, TOO_FAST) if most > limit else (most, TOO_MANY)
    if desired < current:
        limit = min(current, _limit(_rules(behaviour, "scaleDown", DOWN), history, current, now, -1))
        if desired < max(least, limit):
            return (limit, TOO_FAST_DOWN) if least < limit else (least, TOO_FEW)
    return desired, IN_RANGE


def _limit(rules: Json, history: History, current: int, now: float, way: int) -> int:
    """Give the size that the policies of a direction (1 is up) allow."""
    if rules["selectPolicy"] == "Disabled":
        return current
    sizes = [_allowed(policy, history, current, now, way) for policy in rules["policies"]]
    widest = max if (rules["selectPolicy"] == "Max") == (way > 0) else min
    return widest(sizes)


def _allowed(policy: Json, history: History, current: int, now: float, way: int) -> int:
    since = now - policy["periodSeconds"]
    added = sum(count for at, count in history.up if at > since)
    taken = sum(count for at, count in history.down if at > since)
    before = current - added + taken
    if policy["type"] == "Pods":
        return int(before + way * policy["value"])
    share = before * (1 + way * policy["value"] / 100)
    return math.ceil(share) if way > 0 else int(share)
