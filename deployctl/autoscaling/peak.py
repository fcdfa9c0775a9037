"""An event with a date that an app has to be large for: when it is, and what floor it needs.

A moment is written with where its clock hangs, `2026-04-11 16:00 Europe/London`, or with an offset from UTC. One
that a clock shows twice or never, when summer time ends or begins, is refused.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Annotated

from msgspec import Meta, Struct

from strategies.peaks import Course
from strategies.quantities import Amount, seconds

MOMENT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d(:\d\d)?) ?(?P<where>Z|[+-]\d\d:\d\d|[A-Za-z][\w+/-]*)?"
)
CLOCK = re.compile(r"\d\d:\d\d")
EXPECTED = "expected a moment with its zone such as 2026-04-11 16:00 Europe/London, or 2026-04-11T15:00Z"

Floor = Annotated[
    str,
    Meta(
        pattern=r"^([1-9][0-9]*|[1-9][0-9]*(\.[0-9]+)?x)$",
        extra={"expected": "a number of pods such as 40, or a factor of those that run such as 3x"},
    ),
]
Step = Annotated[Amount, Meta(extra={"expected": "a percentage such as 20%, or a number of pods"})]


class Peak(Struct, frozen=True, kw_only=True):
    """One event.

    name: that it is told by
    at: when it begins, with its zone
    floor: so many pods, or a factor of those that run when it is raised
    before: how long before the event it is raised
    after: how long after the beginning of the event it stands whole
    step: by how much of it the floor then comes down
    every: how often
    """

    name: Annotated[str, Meta(min_length=1, max_length=63, extra={"expected": "a short text"})]
    at: str
    floor: Floor
    before_seconds: float = 3600.0
    after_seconds: float = 7200.0
    step: Amount = Amount(20, percent=True)
    every_seconds: float = 600.0

    def __post_init__(self) -> None:
        moment(self.at)
        check_step(self.step, self.every_seconds)

    @property
    def begins(self) -> dt.datetime:
        """Tell when the event begins, in UTC."""
        return moment(self.at)

    @property
    def count(self) -> int | None:
        """Give the floor where it is a number of pods."""
        return None if self.floor.endswith("x") else int(self.floor)

    @property
    def factor(self) -> float:
        """Give the floor where it is a factor; else 1."""
        return float(self.floor[:-1]) if self.floor.endswith("x") else 1.0

    @property
    def course(self) -> Course:
        """Say how the floor goes over time."""
        return Course(
            at=self.begins.timestamp(),
            before=self.before_seconds,
            after=self.after_seconds,
            step=self.step,
            every=self.every_seconds,
        )


def check_step(step: Amount, every_seconds: float) -> None:
    """Raise where a floor would never come down."""
    if not step.value:
        raise ValueError("step: 0 never comes down; expected a percentage such as 20%, or a number of pods")
    if every_seconds <= 0:
        raise ValueError("every: no time at all; expected a duration above 0s")


def moment(text: str) -> dt.datetime:
    """Read a moment with its zone, in UTC; raise ValueError where it has none, or where it is none."""
    found = MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"at: {text}; {EXPECTED}")
    if found["where"] is None:
        raise ValueError(f"at: {text} says no zone; {EXPECTED}")
    try:
        naive = dt.datetime.fromisoformat(f"{found['date']}T{found['time']}")
        return placed(naive, found["where"])
    except ValueError as error:
        raise ValueError(f"at: {text}: {error}; {EXPECTED}") from error


def until(text: str, now: dt.datetime) -> dt.datetime:
    """Read an end: a duration from now, a moment, or the next time that the clocks of a zone show `23:00`."""
    try:
        return now + dt.timedelta(seconds=seconds(text))
    except ValueError:
        pass
    clock, _, where = text.partition(" ")
    try:
        end = _next(dt.time.fromisoformat(clock), where, now) if CLOCK.fullmatch(clock) else moment(text)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("at: ")) from error
    if end <= now:
        raise ValueError("that is past")
    return end


def _next(clock: dt.time, where: str, now: dt.datetime) -> dt.datetime:
    """Give the next moment at which the clocks of a zone show it: at 22:00 there 23:00 is today, 21:00 tomorrow."""
    if not where:
        raise ValueError("it says no zone")
    noon = placed(dt.datetime.combine(now.date(), dt.time(12)), where)
    today = (now + (dt.datetime.combine(now.date(), dt.time(12), dt.UTC) - noon)).date()
    later = (placed(dt.datetime.combine(today + dt.timedelta(days=day), clock), where) for day in range(2))
    return next(one for one in later if one > now)


def placed(naive: dt.datetime, where: str) -> dt.datetime:
    """Give what a clock in a zone shows as a moment; raise ValueError where it shows that twice or never."""
    if where == "Z" or where[0] in "+-":
        return dt.datetime.fromisoformat(naive.isoformat() + where).astimezone(dt.UTC)
    local = naive.replace(tzinfo=zone(where))
    first, second = (local.replace(fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    if first == second:
        return first
    if first.astimezone(local.tzinfo).replace(tzinfo=None) != naive:
        raise ValueError(f"no clock of {where} shows it, for summer time begins there")
    raise ValueError(f"the clocks of {where} show it twice, for summer time ends there: say the offset")


def zone(name: str) -> zoneinfo.ZoneInfo:
    """Find a zone of the IANA database; raise ValueError where there is none of the name."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"{name} is no zone of the IANA database") from error
