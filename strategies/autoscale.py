"""What a HorizontalPodAutoscaler (autoscaling/v2) makes of its metrics: usage to size, as kube-controller-manager does it.

The source is pkg/controller/podautoscaler of Kubernetes 1.35: replica_calculator.go for one metric, horizontal.go for
the largest of several, for the windows and the rates. Amounts are in thousandths, times in seconds on any one clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

TOLERANCE = 0.1
DOWN_WINDOW_SECONDS = 300.0  # of scaling down, where nothing is said
STARTING_SECONDS, FIRST_READY_SECONDS = 300.0, 30.0  # in which a pod's CPU may not count
DISABLED = "Disabled"


class Target(Enum):
    """What a metric is compared with."""

    UTILIZATION = "Utilization"  # per cent of what the pods request
    AVERAGE = "AverageValue"  # an amount a pod
    VALUE = "Value"  # an amount for all


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of an autoscaler. `of_pods`: each pod tells its own (Resource, ContainerResource, Pods)."""

    name: str
    target: Target
    wanted: int
    of_pods: bool = True
    cpu: bool = False  # its first minutes do not count


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of the target's selector; `uses` and `requests` by the metric's name, absent where it says nothing."""

    name: str
    uses: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    phase: str = "Running"
    ready: bool = True
    leaving: bool = False
    started: float | None = -math.inf
    changed: float | None = -math.inf  # when it became ready, or ceased to be
    measured: float = math.inf
    window_seconds: float = 0.0  # over which it was measured

    def cold(self, now: float) -> bool:
        """Say whether its CPU does not count yet: it starts, or was never ready."""
        if self.started is None or self.changed is None:
            return True
        if self.started + STARTING_SECONDS > now:
            return not self.ready or self.measured < self.changed + self.window_seconds
        return not self.ready and self.started + FIRST_READY_SECONDS > self.changed


@dataclass(frozen=True, slots=True)
class Rate:
    """How much may change in a period: so many pods, or so many per cent."""

    value: int
    period_seconds: float
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """How one direction behaves; `select` is Max, Min or Disabled."""

    window_seconds: float = 0.0
    select: str = "Max"
    rates: tuple[Rate, ...] = ()
    tolerance: float = TOLERANCE


UP = Rules(0.0, "Max", (Rate(4, 15.0), Rate(100, 15.0, percent=True)))
DOWN = Rules(DOWN_WINDOW_SECONDS, "Max", (Rate(100, 15.0, percent=True),))


@dataclass(frozen=True, slots=True)
class Policy:
    """One autoscaler. `plain`: it has no `behavior`, and the older rules apply."""

    least: int
    most: int
    metrics: tuple[Metric, ...]
    up: Rules = UP
    down: Rules = DOWN
    plain: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """What was recommended, and by how many pods it went up and down, each with its moment."""

    recommended: tuple[tuple[float, int], ...] = ()
    up: tuple[tuple[float, int], ...] = ()
    down: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Now:
    """What an autoscaler looks at. `values` are what metrics that are not of pods say, by name."""

    size: int  # spec.replicas
    pods: tuple[Pod, ...] = ()
    values: Mapping[str, int] = field(default_factory=dict)
    counted: int | None = None  # status.replicas, where it is not `size`
    seconds: float = 0.0
    history: History = History()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one metric asks for; `size` is None where it cannot be worked out, and `why` says what of."""

    metric: str
    size: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The size, and why: what each metric asked for, what limited the largest of them."""

    size: int
    reasons: tuple[str, ...]
    proposals: tuple[Proposal, ...] = ()
    recommended: int | None = None  # before windows, rates and bounds


def wanted(policy: Policy, now: Now) -> Wanted:
    """Give the size that the autoscaler sets.

    4 pods at 200m of a target of 100m: ratio 2, so 8; `most` 6 makes it 6.
    """
    if now.size == 0 and policy.least:
        return Wanted(0, ("scaling is disabled at size 0",))
    if now.size > policy.most:
        return Wanted(policy.most, (f"over maxReplicas {policy.most}",))
    if now.size < policy.least:
        return Wanted(policy.least, (f"under minReplicas {policy.least}",))
    asked = proposals(policy, now)
    whys = tuple(one.why for one in asked)
    largest = largest_of(asked, now.size)
    if largest is None:
        return Wanted(now.size, (*whys, "stays, for a metric is missing"), asked)
    size, limits = limited(policy, now, largest)
    return Wanted(size, (*whys, *limits), asked, largest)


def proposals(policy: Policy, now: Now) -> tuple[Proposal, ...]:
    """Ask each metric how many pods there should be."""
    return tuple(_proposal(metric, policy, now) for metric in policy.metrics)


def largest_of(asked: Iterable[Proposal], size: int) -> int | None:
    """Take the largest; None where all are unknown, or one is and the rest would scale down."""
    asked = tuple(asked)
    known = [one.size for one in asked if one.size is not None]
    if not known or (len(known) < len(asked) and max(known) < size):
        return None
    return max(known)


def _proposal(metric: Metric, policy: Policy, now: Now) -> Proposal:
    if metric.of_pods:
        return _of_pods(metric, policy, now)
    value = now.values.get(metric.name)
    if value is None:
        return Proposal(metric.name, None, f"{metric.name} is not known")
    if metric.target is Target.VALUE:
        return _of_value(metric, policy, now, value / metric.wanted)
    there = now.size if now.counted is None else now.counted
    ratio = value / (metric.wanted * there) if there else math.inf
    size = there if _within(ratio, policy) else math.ceil(value / metric.wanted)
    return _said(metric, size, ratio)


def _of_value(metric: Metric, policy: Policy, now: Now, ratio: float) -> Proposal:
    """Multiply the ready pods, idle ones too: at 1.2 of the target, 10 that serve and 10 that do not make 24."""
    if not now.size:
        return _said(metric, math.ceil(ratio), ratio)
    ready = sum(one.phase == "Running" and one.ready for one in now.pods)
    return _said(metric, now.size if _within(ratio, policy) else math.ceil(ratio * ready), ratio)


def _said(metric: Metric, size: int, ratio: float) -> Proposal:
    return Proposal(metric.name, size, f"{metric.name} is at {ratio * 100:.0f}% of its target: {size}")


@dataclass(frozen=True, slots=True)
class _Groups:
    """The pods by what they say: those that count, those not ready, those that are silent."""

    ready: tuple[Pod, ...]
    cold: tuple[Pod, ...]
    silent: tuple[Pod, ...]


def _of_pods(metric: Metric, policy: Policy, now: Now) -> Proposal:
    groups = _grouped(metric, now)
    used = {one.name: one.uses[metric.name] for one in groups.ready}
    if not used:
        return Proposal(metric.name, None, f"no pod that counts says its {metric.name}")
    missing = _without_request(metric, now.pods)
    if missing:
        return Proposal(metric.name, None, f"{missing} requests no {metric.name}")
    requests = {one.name: one.requests.get(metric.name, 0) for one in now.pods}
    ratio = _ratio(metric, used, requests)
    if ratio is None:
        return Proposal(metric.name, None, f"nothing is requested of {metric.name}")
    return _said(metric, _counted(metric, policy, now, groups, used, requests), ratio)


def average(metric: Metric, now: Now) -> int | None:
    """Give the average amount over the pods that count, as an autoscaler's status shows it; None where none does."""
    used = [one.uses[metric.name] for one in _grouped(metric, now).ready]
    return sum(used) // len(used) if used else None


def _without_request(metric: Metric, pods: Iterable[Pod]) -> str:
    """Name a pod without the request that a share is taken of; one is enough for there to be no answer."""
    if metric.target is not Target.UTILIZATION:
        return ""
    return next((one.name for one in pods if metric.name not in one.requests), "")


def _grouped(metric: Metric, now: Now) -> _Groups:
    ready: list[Pod] = []
    cold: list[Pod] = []
    silent: list[Pod] = []
    for one in now.pods:
        if one.leaving or one.phase == "Failed":
            continue
        if one.phase == "Pending":
            cold.append(one)
        elif metric.name not in one.uses:
            silent.append(one)
        else:
            (cold if metric.cpu and one.cold(now.seconds) else ready).append(one)
    return _Groups(tuple(ready), tuple(cold), tuple(silent))


def _ratio(metric: Metric, used: Mapping[str, int], requests: Mapping[str, int]) -> float | None:
    """Compare with the target what these pods use, whole numbers first: 199 of 300 is 66 %, not 66.3."""
    total = sum(used.values())
    if metric.target is not Target.UTILIZATION:
        return total // len(used) / metric.wanted
    asked = sum(requests[name] for name in used)
    return total * 100 // asked / metric.wanted if asked else None


def _counted(  # noqa: PLR0913, PLR0917 - what is asked, of whom, and what they said
    metric: Metric,
    policy: Policy,
    now: Now,
    groups: _Groups,
    used: Mapping[str, int],
    requests: Mapping[str, int],
) -> int:
    """Multiply the pods by the ratio, those that do not count taken for what speaks against a change.

    3 pods at 170 % and a cold one: (170 * 3 + 0) / 4 = 127 %, so 6 of 4 and not 7.
    """
    ratio = _ratio(metric, used, requests) or 0.0
    dampen = groups.cold if ratio > 1 else ()
    if not dampen and not groups.silent:
        return now.size if _within(ratio, policy) else math.ceil(ratio * len(groups.ready))
    filled = {**used, **_guessed(metric, groups, ratio, requests), **{one.name: 0 for one in dampen}}
    again = _ratio(metric, filled, requests) or 0.0
    size = math.ceil(again * len(filled))
    turned = (again - 1) * (ratio - 1) < 0 or (again - 1) * (size - now.size) < 0
    return now.size if _within(again, policy) or turned else size


def _guessed(metric: Metric, groups: _Groups, ratio: float, requests: Mapping[str, int]) -> dict[str, int]:
    """Take a silent pod for idle where it would go up, for full where it would go down."""
    if ratio > 1:
        return {one.name: 0 for one in groups.silent}
    if ratio == 1:
        return {}
    if metric.target is not Target.UTILIZATION:
        return {one.name: metric.wanted for one in groups.silent}
    full = max(100, metric.wanted)
    return {one.name: requests[one.name] * full // 100 for one in groups.silent}


def _within(ratio: float, policy: Policy) -> bool:
    return 1.0 - policy.down.tolerance <= ratio <= 1.0 + policy.up.tolerance


def limited(policy: Policy, now: Now, recommended: int) -> tuple[int, tuple[str, ...]]:
    """Hold a recommendation back: by its windows, then its rates and bounds; say what did."""
    size = stabilized(policy, now, recommended)
    windows = (f"{size} by its stabilization window",) if size != recommended else ()
    kept = bounded(policy, now, size)
    return kept, (*windows, *_bounds_said(policy, now, size, kept))


def _bounds_said(policy: Policy, now: Now, size: int, kept: int) -> tuple[str, ...]:
    if size == kept:
        return ()
    if kept == policy.most:
        return (f"maxReplicas is {policy.most}",)
    if kept == policy.least:
        return (f"minReplicas is {policy.least}",)
    way, rules = ("up", policy.up) if size > now.size else ("down", policy.down)
    return (f"{kept}, for it may not scale {way}" if rules.select == DISABLED else f"{kept} by its rate",)


def stabilized(policy: Policy, now: Now, recommended: int) -> int:
    """Go up by no more than the least of the recent recommendations, down by no more than the largest."""
    recent = now.history.recommended
    if policy.plain:
        lately = (size for at, size in recent if at > now.seconds - DOWN_WINDOW_SECONDS)
        return max((recommended, *lately))
    up, down = (
        [recommended, *(size for at, size in recent if at > now.seconds - rules.window_seconds)]
        for rules in (policy.up, policy.down)
    )
    return min(max(now.size, min(up)), max(down))


def bounded(policy: Policy, now: Now, size: int) -> int:
    """Keep a size within the bounds and the rates."""
    if policy.plain:
        return max(policy.least, min(size, policy.most, max(2 * now.size, 4)))
    if size > now.size:
        limit = max(now.size, _reach(policy.up, now, 1))
        return min(size, policy.most, limit)
    if size < now.size:
        limit = min(now.size, _reach(policy.down, now, -1))
        return max(size, policy.least, limit)
    return size


def _reach(rules: Rules, now: Now, way: int) -> int:
    """Give how far the rates of a direction (1 is up) let it go."""
    if rules.select == DISABLED or not rules.rates:
        return now.size
    sizes = [_step(rate, now, way) for rate in rules.rates]
    return max(sizes) if (rules.select == "Min") != (way > 0) else min(sizes)


def _step(rate: Rate, now: Now, way: int) -> int:
    """Go on from the size at the period's start: 4 more within it, of 10 now, leave 6 and then 4 pods a period."""
    since = now.seconds - rate.period_seconds
    added = sum(change for at, change in now.history.up if at > since)
    taken = sum(change for at, change in now.history.down if at > since)
    before = now.size - added + taken
    if not rate.percent:
        return before + way * rate.value
    share = before * (1 + way * rate.value / 100)
    return math.ceil(share) if way > 0 else int(share)


def remembered(history: History, now: Now, recommended: int | None, size: int) -> History:
    """Give the history after a decision."""
    seen = history.recommended if recommended is None else (*history.recommended, (now.seconds, recommended))
    change = (now.seconds, abs(size - now.size))
    if size == now.size:
        return replace(history, recommended=seen)
    if size > now.size:
        return replace(history, recommended=seen, up=(*history.up, change))
    return replace(history, recommended=seen, down=(*history.down, change))


def undiluted(policy: Policy, now: Now, idle: frozenset[str]) -> int | None:
    """Give the size that the metrics ask for where only the pods that carry traffic count; None where they cannot say.

    Idle pods halve an average: 6 at 200 % of the target and 6 idle ones are 100 %, so an autoscaler stays at 6,
    where of the six alone it would make 12. A Value metric multiplies all ready pods: 1.2 of 12 is 15, of 6 is 8.
    """
    carrying = tuple(one for one in now.pods if one.name not in idle)
    alone = replace(now, pods=carrying, counted=min(now.size, len(carrying)))
    return largest_of(proposals(policy, alone), now.size)


def floor(policy: Policy, now: Now, idle: frozenset[str]) -> int:
    """Give the least size that a release may be at: today's, and what the pods with traffic need of an autoscaler.

    As fast as the autoscaler itself would go up, and within its own bounds.
    """
    needed = undiluted(policy, now, idle)
    if needed is None or needed <= now.size:
        return min(now.size, policy.most)
    return limited(policy, now, needed)[0]
