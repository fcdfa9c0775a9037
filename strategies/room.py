"""How many pods more fit: on nodes, each of them alone, and in quotas; what of a release fits where that is too few.

Amounts are in thousandths, by the resource's name; `pods` is one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Amounts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit of a namespace, and how many pods more it allows: `team` has requests.cpu 4."""

    name: str
    key: str
    hard: str
    more: int


@dataclass(frozen=True, slots=True)
class Room:
    """How many pods more of one kind fit; `nodes` is None where nobody may look, and `unknown` says why."""

    nodes: int | None = None
    quotas: tuple[Quota, ...] = ()
    unknown: str = ""
    uncounted: tuple[str, ...] = ()  # what the scheduler looks at and this does not

    @property
    def more(self) -> int | None:
        """Give how many pods more fit for certain; None where nothing limits them that is known."""
        known = [one for one in (self.allowed, self.nodes) if one is not None]
        return min(known, default=None)

    @property
    def allowed(self) -> int | None:
        """Give how many pods more the quotas allow; None where there is none."""
        return min((one.more for one in self.quotas), default=None)

    @property
    def batch(self) -> int | None:
        """Give the batch that fits: a quota counts it twice, for as many old pods go while it comes."""
        halved = None if self.allowed is None else self.allowed // 2
        return min((one for one in (halved, self.nodes) if one is not None), default=None)


@dataclass(frozen=True, slots=True)
class Need:
    """How many pods more a release has at its peak, and how many a quota counts: one that goes until it is gone."""

    places: int = 0
    counted: int = 0


def fitting(need: Amounts, free: Iterable[Amounts]) -> int:
    """Count the pods that fit on nodes with so much free: 250m on nodes with 600m and 1 are 2 and 4, so 6."""
    return sum(_on(need, one) for one in free)


def _on(need: Amounts, free: Amounts) -> int:
    return min((max(0, free.get(name, 0)) // amount for name, amount in need.items() if amount), default=0)


def whole(containers: Iterable[Amounts], sidecars: Iterable[Amounts], starting: Iterable[Amounts]) -> Amounts:
    """Give what a pod takes: all that runs at once, or where that is more what one init container needs to start.

    100m and a sidecar of 50m are 150m; with an init container of 300m, beside that sidecar, 350m.
    """
    beside = total(sidecars)
    running = total((*containers, beside))
    starts = [total((one, beside)) for one in starting]
    names = {name for one in (running, *starts) for name in one}
    return {name: max(one.get(name, 0) for one in (running, *starts)) for name in names}


def total(amounts: Iterable[Amounts]) -> dict[str, int]:
    """Add up amounts by their names."""
    summed: dict[str, int] = {}
    for one in amounts:
        for name, amount in one.items():
            summed[name] = summed.get(name, 0) + amount
    return summed


def left(allocatable: Amounts, used: Amounts) -> dict[str, int]:
    """Give what is free of a node: 2 CPUs less 1500m are 500m."""
    return {name: amount - used.get(name, 0) for name, amount in allocatable.items()}
