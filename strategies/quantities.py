"""Quantities that carry their unit: durations, and numbers of pods given as counts or percentages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
LONGEST_SECONDS = 2**31 - 1  # what Kubernetes keeps seconds in
_DIGITS = frozenset("0123456789")


def seconds(text: str) -> float:
    """Read a duration as Kubernetes users write it, to a millisecond: `90s`, `1h30m`, `250ms`.

    Raise ValueError otherwise, and for more than 68 years.
    """
    parts = tuple(_parts(text))
    total = sum(number * UNITS[unit] for number, unit in parts)
    if not parts or total > LONGEST_SECONDS:
        raise ValueError(f"{text!r} is not a duration")
    return round(total, 3)


def _parts(text: str) -> Iterator[tuple[float, str]]:
    while text:
        number = "".join(takewhile(lambda c: c in _DIGITS or c == ".", text))
        unit = "".join(takewhile(str.isalpha, text[len(number) :]))
        if unit not in UNITS or number.strip(".") == "" or number.count(".") > 1:
            raise ValueError(f"{text!r} is not a duration")
        yield float(number), unit
        text = text[len(number) + len(unit) :]


def duration(span_seconds: float) -> str:
    """Write a duration so that `seconds` reads it back, to a tenth of a second: 90.04 -> `1m30s`."""
    tenths = round(span_seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    whole = f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes)
    return whole + f"{rest / 10:g}s" if rest or not whole else whole


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of pods, as a count or as a percentage of the whole (Kubernetes' IntOrString)."""

    value: int
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Amount:
        """Read `3` or `25%`; raise ValueError otherwise."""
        digits = text.removesuffix("%")
        if not digits or not _DIGITS.issuperset(digits) or (text.endswith("%") and int(digits) > 100):
            raise ValueError(f"{text!r} is neither a count nor a percentage")
        return cls(int(digits), text.endswith("%"))

    def of(self, replicas: int) -> int:
        """Count the pods, rounded up and at most all of them: 25% of 6 is 2, and 9 of 6 is 6."""
        count = math.ceil(replicas * self.value / 100) if self.percent else self.value
        return min(count, replicas)

    def __str__(self) -> str:
        return f"{self.value}%" if self.percent else str(self.value)


WHOLE = Amount(100, percent=True)
NONE = Amount(0)


def targets(replicas: int, batch: int) -> tuple[int, ...]:
    """List how many pods are on the preview after each batch: 6 in batches of 4 is (4, 6)."""
    return (*range(batch, replicas, batch), replicas)


def next_target(replicas: int, batch: int, reached: int) -> int:
    """Find where the batch after `reached` pods ends: after 4 of 6 in batches of 4, at 6."""
    return min(replicas, (reached // batch + 1) * batch)


def surge_percent(replicas: int, wanted: int) -> int:
    """Give the largest percentage that Kubernetes rounds up to at most `wanted` extra pods.

    maxSurge is rounded up (apps/v1 RollingUpdateDeployment), and a percentage keeps its meaning when
    somebody scales: for 5 extra of 6 it is 83, since ceil(0.83 * 6) = 5 while 84 would make it 6.
    """
    return wanted * 100 // replicas
