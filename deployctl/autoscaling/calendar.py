"""Events from a calendar that several apps share: YAML or iCalendar, from a file or over https.

What stands in one is held to what a spec file is: each problem has its place, and nothing is guessed. An event that
says no zone would be raised at another hour in another country, so it is refused.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta, Struct

from deployctl import document
from deployctl.autoscaling.peak import Floor, Peak, Step, check_step, moment
from deployctl.autoscaling.policy import Calendar, Policy
from deployctl.document import Place
from deployctl.errors import DeployctlError, Problem, SpecError, UsageError
from deployctl.gates import Asked
from deployctl.gates.fetch import fetch
from deployctl.reading import INVALID, Reader, node
from deployctl.shapes import shape
from strategies.quantities import Amount

PAST = dt.timedelta(days=2)  # events that began before and may still hold a floor
MOST_EVENTS = 500  # in the annotation of one autoscaler, which takes 256 KiB in all
TIMEOUT_SECONDS = 10.0
LONGEST_NAME = 63
OWN = ("floor", "before_seconds", "after_seconds", "step", "every_seconds")


class Event(Struct, frozen=True, kw_only=True):
    """One event of a calendar; what it does not say, the reference to the calendar says, and else the default.

    name: that it is told by
    at: when it begins, with its zone
    apps: that it is for; without any, for all
    jurisdictions: that it is for; without any, for all
    floor: so many pods, or a factor of those that run when it is raised
    before: how long before the event it is raised
    after: how long after the beginning of the event it stands whole
    step: by how much of it the floor then comes down
    every: how often
    """

    name: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME, extra={"expected": "a short text"})]
    at: str
    apps: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    floor: Floor | None = None
    before_seconds: float | None = None
    after_seconds: float | None = None
    step: Step | None = None
    every_seconds: float | None = None

    def __post_init__(self) -> None:
        moment(self.at)
        check_step(self.step or Amount(1), 1.0 if self.every_seconds is None else self.every_seconds)


class CalendarFile(Struct, frozen=True, kw_only=True):
    """A calendar in YAML.

    apiVersion: of the format
    kind: Calendar
    events: each of its own name
    """

    api_version: Literal["deployctl.dev/v1alpha1"]
    kind: Literal["Calendar"]
    events: Annotated[tuple[Event, ...], Meta(extra={"unique": "name"})]


Placed = tuple[Place, Event]


class Source(Protocol):
    """Gives the text of an address; raises DeployctlError where there is no answer."""

    def __call__(self, calendar: Calendar) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """For whom calendars are read: the app, the folder of its spec file (None where only its record is there), now."""

    app: str
    folder: Path | None
    now: dt.datetime
    ask: Source


def extended(policy: Policy, reading: Reading) -> tuple[Policy, tuple[str, ...]]:
    """Give a policy with the events of its calendars among its peaks, and what its owner should know.

    Raise SpecError with every problem of every calendar.
    """
    problems: list[Problem] = []
    warnings: list[str] = []
    found: list[tuple[Place, Peak]] = []
    for one in policy.calendars:
        try:
            mine = [
                (place, event) for place, event in _events(one, reading) if _concerns(event, one, reading)
            ]
        except SpecError as error:
            problems += error.problems
            continue
        if not mine:
            warnings.append(f"{one.where} has no event for {reading.app} within its `ahead`")
        found += _peaks(mine, one, problems)
    problems += _against(policy, found)
    if problems:
        raise SpecError(problems)
    peaks = (*policy.peaks, *(peak for _, peak in found))
    return msgspec.structs.replace(policy, peaks=peaks), tuple(warnings)


def _peaks(mine: list[Placed], calendar: Calendar, problems: list[Problem]) -> Iterator[tuple[Place, Peak]]:
    """Give each event with what the reference to its calendar adds; one that has no floor anywhere is a problem."""
    for place, event in mine:
        said = {
            name: value
            for name in OWN
            if (value := _first(getattr(event, name), getattr(calendar, name))) is not None
        }
        if "floor" in said:
            yield place, Peak(name=event.name, at=event.at, **said)
        else:
            problems.append(
                place.problem("floor", f"{event.name} says none; expected one here, or floor of the calendar")
            )


def _first(mine: Any, usual: Any) -> Any:
    return usual if mine is None else mine


def _against(policy: Policy, found: list[tuple[Place, Peak]]) -> Iterator[Problem]:
    """Find what the policy has no room for: a floor over its maximum, a name a second time, too many events."""
    seen = {one.name: Place("spec.autoscaling.peaks") for one in policy.peaks}
    for place, one in found:
        if (first := seen.setdefault(one.name, place)) is not place:
            yield place.problem("name", f"{one.name} again, first in {first.file}; expected another name")
        if one.count and one.count > policy.max:
            yield place.problem(
                "floor", f"{one.floor} of {one.name} is over max {policy.max}; expected at most {policy.max}"
            )
    if len(found) > MOST_EVENTS:
        place = found[MOST_EVENTS][0]
        yield place.problem(
            "events", f"{len(found)} of them are to come; expected at most {MOST_EVENTS}: a shorter `ahead`"
        )


def _concerns(event: Event, calendar: Calendar, reading: Reading) -> bool:
    """Say whether an event is of this app, of a jurisdiction that is wanted, and near enough."""
    if event.apps and reading.app not in event.apps:
        return False
    wanted = set(calendar.jurisdictions)
    if wanted and event.jurisdictions and not wanted & set(event.jurisdictions):
        return False
    ahead = dt.timedelta(seconds=calendar.ahead_seconds)
    return reading.now - PAST <= moment(event.at) <= reading.now + ahead


def _events(calendar: Calendar, reading: Reading) -> Iterable[Placed]:
    """Read a calendar; raise SpecError with all that is wrong in it."""
    if calendar.url:
        return _icalendar(reading.ask(calendar), calendar, reading)
    if reading.folder is None:
        raise UsageError(
            f"{calendar.file} is a file beside the spec of {reading.app}, and only its record is here",
            advice="give the spec file instead of the app's name",
        )
    path = reading.folder / (calendar.file or "")
    if path.suffix.lower() == ".ics":
        return _icalendar(document.text_of(path).encode(), calendar, reading, str(path))
    return _yaml(document.text_of(path), str(path))


def _icalendar(raw: bytes, calendar: Calendar, reading: Reading, file: str = "") -> tuple[Placed, ...]:
    from deployctl.autoscaling.icalendar import Window, occurrences

    window = Window(reading.now - PAST, reading.now + dt.timedelta(seconds=calendar.ahead_seconds))
    where = file or calendar.where
    found: list[Placed] = []
    problems: list[Problem] = []
    for one in occurrences(document.decode(raw, where), where, window):
        try:
            found.append((one.place, _event(one.said, one.place)))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return tuple(_named_apart(found))


def _event(said: dict[str, Any], place: Place) -> Event:
    """Read what an iCalendar says as a YAML file would have said it."""
    reader = Reader([])
    event: Event = reader.read(node(said, place), shape(Event), "")
    if reader.problems:
        raise SpecError(reader.problems)
    return event


def _named_apart(found: list[Placed]) -> Iterator[Placed]:
    """Add its moment to each name that several have: a derby every week is `derby 2036-06-07T15:00Z`."""
    times = Counter(event.name for _, event in found)
    for place, event in found:
        if times[event.name] == 1:
            yield place, event
            continue
        at = f" {moment(event.at):%Y-%m-%dT%H:%MZ}"
        yield place, msgspec.structs.replace(event, name=event.name[: LONGEST_NAME - len(at)].rstrip() + at)


def _yaml(text: str, file: str) -> tuple[Placed, ...]:
    documents, problems = document.compose(text, file)
    reader = Reader(problems)
    if len(documents) != 1:
        raise SpecError([Place(file).problem("text", f"{len(documents)} documents; expected one Calendar")])
    read = reader.read(documents[0].root, shape(CalendarFile), "")
    if read is INVALID or problems:
        raise SpecError(problems)
    return tuple((reader.found[f"events[{number}]"][0], event) for number, event in enumerate(read.events))


def checked(policy: Policy | None, app: str, folder: Path) -> None:
    """Raise SpecError with all that is wrong in the calendars that are files; nobody is asked for the others."""
    files = tuple(one for one in policy.calendars if one.file) if policy else ()
    if policy and files:
        alone = msgspec.structs.replace(policy, calendars=files)
        extended(alone, Reading(app, folder, dt.datetime.now(dt.UTC), over_https))


def over_https(calendar: Calendar) -> bytes:
    """Ask the server that a calendar names for it; raise DeployctlError where it has no answer of 200."""
    from urllib.parse import urlsplit

    url = calendar.url or ""
    host = urlsplit(url).hostname or ""
    asked = Asked((), {}, lambda *_: (0, b""), timeout_seconds=TIMEOUT_SECONDS, hosts=(host,))
    page = fetch(asked, url, headers={"Accept": "text/calendar"}, authority=calendar.ca)
    if page.status != 200:
        raise DeployctlError(f"{calendar.where}: {page.status}, expected 200 and an iCalendar")
    return page.body
