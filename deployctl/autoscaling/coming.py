"""The events that are written on an autoscaler, as a release sees them: what it would run into."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from deployctl.autoscaling import held, obligations
from strategies.quantities import duration

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Coming:
    """One event: from when until when its floor stands, and in how many seconds; under 0 it stands now."""

    name: str
    floor: int
    begins: str
    ends: str
    seconds: float


def coming(scalers: Iterable[Json], running: int, now: dt.datetime) -> Iterator[Coming]:
    """List the events that are not over, the first one first."""
    for scaler in scalers:
        bases = {one.holder: one.base for one in held.holds(scaler)}
        for one in obligations.peaks(scaler):
            floor = obligations.floor_of(one, bases.get(f"{obligations.PEAK}{one.name}") or running)
            begins, ends = one.course.begins, one.course.ends(floor)
            if ends > now.timestamp():
                yield Coming(one.name, floor, _stamp(begins), _stamp(ends), begins - now.timestamp())


def _stamp(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def run_into(events: Iterable[Coming], lasts_seconds: float) -> Iterator[str]:
    """Name each event that a release of this length at worst would meet."""
    for one in events:
        if one.seconds <= 0:
            yield f"the event {one.name} is on until {one.ends}, and wants {one.floor} pods"
        elif one.seconds < lasts_seconds:
            yield (
                f"the event {one.name} wants {one.floor} pods from {one.begins}, and this release"
                f" may last {duration(lasts_seconds)}: it would run into it"
            )
