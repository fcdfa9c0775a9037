"""What is due of an autoscaler: surges that end, and events that raise it, let it stand and bring it down."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from deployctl.autoscaling import held
from deployctl.autoscaling.held import Hold
from deployctl.autoscaling.peak import Peak
from deployctl.cluster.api import Request
from deployctl.document import Place
from deployctl.errors import DeployctlError
from deployctl.reading import Reader, node, written
from deployctl.shapes import shape
from strategies.peaks import sized

Json = dict[str, Any]
PEAK = "peak "
SURGE = "surge"


def peaks(scaler: Json) -> tuple[Peak, ...]:
    """List the events to come that are written on it, the first one first."""
    kept = held.read(scaler)
    return tuple(sorted(map(_read, kept.peaks if kept else ()), key=lambda one: one.begins))


def remembered(events: tuple[Peak, ...], now: dt.datetime) -> tuple[Json, ...]:
    """Give the events that are not over yet, as the annotation keeps them."""
    return tuple(written(one) for one in events if _over(one) > now.timestamp())


def carried_out(scaler: Json, running: int, now: dt.datetime) -> Request | None:
    """Build the call after which all that is due now is done; None where nothing is.

    `running` is what a factor is taken of, where an event begins.
    """
    events = peaks(scaler)
    surges = tuple(one for one in held.holds(scaler) if not one.holder.startswith(PEAK))
    left = tuple(one for one in surges if not one.until or held.moment(one.until) > now)
    raised = tuple(_raised(scaler, events, running, now))
    return held.write(scaler, (*left, *raised), remembered(events, now))


def floor_of(peak: Peak, running: int) -> int:
    """Give how many pods an event needs: 3x of 6 that run is 18."""
    return peak.count if peak.count is not None else sized(peak.factor, running)


def _raised(scaler: Json, events: tuple[Peak, ...], running: int, now: dt.datetime) -> Iterator[Hold]:
    """Give the hold of each event that is on; those that overlap take their factors of the same base."""
    before = {one.holder: one for one in held.holds(scaler) if one.holder.startswith(PEAK)}
    base = min((one.base for one in before.values() if one.base), default=running)
    for one in events:
        holder = f"{PEAK}{one.name}"
        own = before[holder].base if holder in before else base
        whole = floor_of(one, own)
        floor = one.course.floor(whole, now.timestamp())
        if floor:
            until = dt.datetime.fromtimestamp(one.course.ends(whole), dt.UTC).isoformat()
            yield Hold(holder, floor, until=until, why=one.name, base=own)


def _over(peak: Peak) -> float:
    """Give the moment after which an event is of no more use, whatever its size turned out to be."""
    return peak.course.ends(peak.count or 1000)


def _read(said: Json) -> Peak:
    reader = Reader([])
    found: Peak = reader.read(node(said, Place(held.ANNOTATION)), shape(Peak), "")
    if reader.problems:
        raise DeployctlError(
            f"an event that is written on an autoscaler cannot be read: {reader.problems[0]}",
            advice="deployctl autoscale apply FILE writes the events anew",
        )
    return found
