"""Floors over time: an event is known by its date, and the load of many events is the highest of their floors.

Times are seconds of one clock; whose, the caller knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from strategies.quantities import Amount


@dataclass(frozen=True, slots=True)
class Course:
    """How the floor of one event goes: raised `before` it, whole until `after` it, then down by `step` every while."""

    at: float
    before: float
    after: float
    step: Amount
    every: float

    @property
    def begins(self) -> float:
        return self.at - self.before

    @property
    def comes_down(self) -> float:
        return self.at + self.after

    def steps(self, now: float) -> int:
        """Count the steps down so far: the first is taken the moment it comes down."""
        return 0 if now < self.comes_down else math.floor((now - self.comes_down) / self.every) + 1

    def floor(self, peak: int, now: float) -> int:
        """Give the floor of an event that needs `peak` pods.

        40 pods by 20 % every 10 minutes: 40, and from T+2h on 32, 24, 16, 8, and with the fifth step none.
        """
        if now < self.begins:
            return 0
        by = self.step.of(peak) if self.step.percent else self.step.value
        return max(0, peak - by * self.steps(now))

    def ends(self, peak: int) -> float:
        """Tell when the floor of `peak` pods is gone: the first moment at which `floor` is 0."""
        by = self.step.of(peak) if self.step.percent else self.step.value
        return self.comes_down + (math.ceil(peak / by) - 1) * self.every if peak else self.comes_down

    def changes(self, peak: int) -> tuple[tuple[float, int], ...]:
        """List each moment at which the floor changes, with the floor from then on."""
        down = math.ceil(peak / (self.step.of(peak) if self.step.percent else self.step.value)) if peak else 0
        moments = (self.begins, *(self.comes_down + number * self.every for number in range(down)))
        return tuple((one, self.floor(peak, one)) for one in moments)


def sized(factor: float, running: int) -> int:
    """Give the floor of a factor: 1.5 of 7 that run is 11, for half a pod serves nobody."""
    return math.ceil(round(factor * running, 6))


def highest(courses: Iterable[tuple[Course, int]], now: float) -> int:
    """Give the floor of events that overlap: the higher one wins."""
    return max((course.floor(peak, now) for course, peak in courses), default=0)


def together(courses: Sequence[tuple[Course, int]]) -> tuple[tuple[int, ...], ...]:
    """Group events, by their numbers, of which one begins before those before it are over.

    15 to 18, 16 to 19 and 21 to 23 o'clock are two groups: the first two, and the third.
    """
    groups: list[tuple[int, ...]] = []
    over = -math.inf
    for one in sorted(range(len(courses)), key=lambda one: courses[one][0].begins):
        course, peak = courses[one]
        if course.begins < over:
            groups[-1] = (*groups[-1], one)
        else:
            groups.append((one,))
        over = max(over, course.ends(peak))
    return tuple(groups)


def over_time(courses: Iterable[tuple[Course, int]]) -> tuple[tuple[float, int], ...]:
    """List each moment at which the highest floor changes, with the floor from then on."""
    courses = tuple(courses)
    moments = sorted({moment for course, peak in courses for moment, _ in course.changes(peak)})
    told: list[tuple[float, int]] = []
    for moment in moments:
        floor = highest(courses, moment)
        if not told or told[-1][1] != floor:
            told.append((moment, floor))
    return tuple(told)
