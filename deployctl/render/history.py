"""`history` in words: a document of `deployctl.past` in, text out.

What people wrote into the record is foreign text: nothing of it reaches the terminal that a terminal would obey.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deployctl.published import Histories, History, Released, Target
from deployctl.render import words
from deployctl.render.status import since, table
from deployctl.spoken import because, cut, harmless

HEAD = ("RELEASE", "AGE", "OUTCOME", "TOOK", "BY", "STRATEGY", "REVISION", "IMAGES", "NOW", "WHY")
DROPPED = ("STRATEGY", "TOOK", "IMAGES", "BY", "AGE")  # in this order, where a terminal is too narrow
LEAST_WHY = 16  # letters
SPOKEN = {"rolledBack": "rolled back", "endedByHand": "ended by hand"}


def text(one: History, width: int | None = None) -> str:
    """Write one line a release, and where `rollback` goes; `width` is the terminal's, None where there is none."""
    if not one.releases:
        return f"{one.app} in {one.namespace}: no release on record"
    rows = [(_row(each, one.now)) for each in one.releases]
    return _plain([*fitted(HEAD, rows, width), "", *_where(one)])


def listing(found: Histories, *, everywhere: bool, width: int | None = None) -> str:
    """Write one line a release of several apps."""
    place = ("NAMESPACE", "APP") if everywhere else ("APP",)
    rows = [
        ((each.namespace, each.app) if everywhere else (each.app,)) + _row(each, found.now)
        for each in found.items
    ]
    return _plain(fitted((*place, *HEAD), rows, width))


def whole(one: History) -> str:
    """Write everything about each release."""
    if not one.releases:
        return text(one)
    parts = [line for each in one.releases for line in (*_whole(each, one.now), "")]
    return _plain([*parts, *_where(one)])


def fitted(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], width: int | None) -> list[str]:
    """Set a table: on a terminal less columns and a shorter reason, where it is too narrow for all."""
    cells = [head, *rows]
    if width is None:
        return table(cells)
    for name in DROPPED:
        if _least(cells) <= width:
            break
        gone = cells[0].index(name)
        cells = [(*row[:gone], *row[gone + 1 :]) for row in cells]
    return [cut(line, width) for line in table(cells)]


def _least(cells: list[tuple[str, ...]]) -> int:
    """Give the width that a table takes with the shortest reasons that still say something."""
    short = [(*row[:-1], row[-1][:LEAST_WHY]) for row in cells]
    return max(map(len, table(short)))


def _row(each: Released, now: str) -> tuple[str, ...]:
    return (
        each.id,
        since(each.started, now),
        outcome(each),
        took(each),
        words.who(each.by) or "-",
        each.strategy,
        each.revision or "-",
        ",".join(each.images.values()) or "-",
        marks(each),
        why(each),
    )


def outcome(each: Released) -> str:
    return SPOKEN.get(each.outcome, each.outcome)


def took(each: Released) -> str:
    return "-" if each.duration_seconds is None else words.age(each.duration_seconds)


def marks(each: Released) -> str:
    """Mark what serves now, and where `rollback` goes."""
    return ", ".join(filter(None, ("live" if each.live else "", "way back" if each.way_back else ""))) or "-"


def why(each: Released) -> str:
    """Say why it ended so, else what the person who began it said."""
    given = next((one.reason for one in each.words if one.reason), "")
    return each.reason or (quoted(given) if given else "")


def quoted(reason: str) -> str:
    return f'"{reason}"'


def _whole(each: Released, now: str) -> Iterator[str]:
    yield f"release {each.id} of {each.app} in {each.namespace}: {outcome(each)}"
    yield f"  began {each.started}, {since(each.started, now)} ago, by {each.by or 'nobody knows whom'}"
    if each.ended:
        yield f"  ended {each.ended}, after {took(each)}"
    yield f"  strategy {each.strategy}"
    yield f"  revision {each.revision or 'unknown'}{_marked(each)}, in place of {each.before or 'unknown'}"
    for name, image in each.images.items():
        yield f"  {name} is {image}{_digests(each.digests.get(name, ()))}"
    if each.reason:
        yield f"  it ended so because: {each.reason}" if each.ended else f"  it stands: {each.reason}"
    if each.words:
        yield from ("", "said", *(f"  {_said(one.verb, one.by, one.at, one.reason)}" for one in each.words))
    if each.gates:
        yield from ("", "gates", *(f"  {gate}" for gate in each.gates))
    if each.flags:
        yield from ("", "flags", *(f"  {words.flag(one)} (at {one.at}, by {one.by})" for one in each.flags))


def _marked(each: Released) -> str:
    return f" ({marks(each)})" if each.live or each.way_back else ""


def _digests(found: tuple[str, ...]) -> str:
    """Write the digest that ran, or all of them where the tag moved between two pods."""
    if not found:
        return ""
    return f", which was {' and '.join(found)}" + (": the tag moved" if len(found) > 1 else "")


def _said(verb: str, by: str, at: str, reason: str) -> str:
    return because(f"{verb} by {by} at {at}", quoted(reason) if reason else "")


def _where(one: History) -> Iterator[str]:
    """Say what serves and where `rollback` goes, also where no release of the record is about it."""
    yield f"live is {_named(one.live)}" if one.live else "live is a template that no revision keeps"
    if one.way_back:
        yield f"`deployctl rollback {one.app}` goes to {_named(one.way_back)}"
    else:
        yield f"`deployctl rollback {one.app}` has no earlier revision to go to by itself"


def _named(one: Target) -> str:
    return f"revision {one.number} ({one.hash}), {','.join(one.images.values())}"


def _plain(lines: Iterable[str]) -> str:
    return "\n".join(map(harmless, lines))
