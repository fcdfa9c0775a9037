"""The events of an iCalendar (RFC 5545) with every time that they repeat, each with its line.

The libraries expand recurrences and know the zones; they keep no lines, so these are counted here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployctl.document import Place
from deployctl.errors import Problem, SpecError
from deployctl.gates.extra import need

LINE = "X-DEPLOYCTL-LINE"  # ours, written on an event while it is read
LONGEST_SUMMARY = 63


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when events are asked for."""

    begins: dt.datetime
    ends: dt.datetime


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an event takes place; `said` is as a YAML calendar writes it."""

    place: Place
    said: dict[str, Any]


def occurrences(text: str, file: str, window: Window) -> Iterator[Occurrence]:
    """List what takes place in a window, the first one first; raise SpecError for what cannot be placed in time."""
    need("icalendar", "calendar")
    need("recurring_ical_events", "calendar", "recurring-ical-events")
    import recurring_ical_events

    calendar = _parsed(text, file)
    lines = _lines(text)
    problems: list[Problem] = []
    for event, line in zip(calendar.walk("VEVENT"), lines, strict=True):
        event.add(LINE, str(line))
        problems += [Place(file, line).problem(key or "VEVENT", why) for key, why in _wrong(event)]
    if problems:
        raise SpecError(problems)
    found = recurring_ical_events.of(calendar).between(window.begins, window.ends)
    whole = (one for one in found if str(one.get("STATUS", "")).upper() != "CANCELLED")
    for one in sorted(whole, key=lambda one: one["DTSTART"].dt.astimezone(dt.UTC)):
        yield Occurrence(Place(file, int(one[LINE])), _said(one))


def _parsed(text: str, file: str) -> Any:
    import icalendar

    try:
        return icalendar.Calendar.from_ical(text)
    except (ValueError, IndexError, KeyError) as error:
        message = f"{error}; expected an iCalendar, from BEGIN:VCALENDAR to END:VCALENDAR"
        raise SpecError([Place(file).problem("text", message)]) from error


def _lines(text: str) -> tuple[int, ...]:
    """Give for each event, in its order, the line of its DTSTART, or where it begins; a calendar nests none."""
    found: list[int] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        word = line.rstrip().upper()
        if word == "BEGIN:VEVENT":
            found.append(number)
            inside = True
        elif word == "END:VEVENT":
            inside = False
        elif inside and word.startswith(("DTSTART:", "DTSTART;")):
            found[-1] = number
    return tuple(found)


def _wrong(event: Any) -> Iterator[tuple[str | None, str]]:
    """Name each property that cannot be read, or why nobody can tell when the event begins."""
    if event.errors:
        yield from event.errors
    elif (why := _nowhere(event)) is not None:
        yield "DTSTART", why


def _nowhere(event: Any) -> str | None:
    """Say why nobody can tell when an event begins."""
    expected = "expected DTSTART;TZID=Europe/London:20360607T160000, or one that ends in Z"
    start = event.get("DTSTART")
    if start is None:
        return f"the event says no beginning; {expected}"
    if not isinstance(start.dt, dt.datetime):
        return f"{event.get('SUMMARY', '')}: a whole day has no hour; {expected}"
    if start.dt.tzinfo is None:
        named = start.params.get("TZID")
        why = f"{named} is no zone that is known" if named else f"{start.dt:%Y-%m-%dT%H:%M} says no zone"
        return f"{why}; {expected}"
    return None


def _said(event: Any) -> dict[str, Any]:
    """Write an event as YAML says it. Categories are jurisdictions; floor and apps have properties of ours."""
    at = event["DTSTART"].dt.astimezone(dt.UTC)
    said: dict[str, Any] = {
        "name": str(event.get("SUMMARY", "")).strip()[:LONGEST_SUMMARY],
        "at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "jurisdictions": _categories(event),
    }
    if apps := str(event.get("X-DEPLOYCTL-APPS", "")):
        said["apps"] = [one.strip() for one in apps.split(",") if one.strip()]
    if floor := str(event.get("X-DEPLOYCTL-FLOOR", "")).strip():
        said["floor"] = floor
    return said


def _categories(event: Any) -> list[str]:
    """List its categories; a property that is there twice is a list of lists."""
    given = event.get("CATEGORIES", [])
    several = given if isinstance(given, list) else [given]
    return [str(name) for one in several for name in one.cats]
