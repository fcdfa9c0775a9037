"""`status` and `why` in words: a document of `deployctl.standing` in, text out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from deployctl.published import (
    Consumers,
    Consuming,
    HeldScaler,
    Moved,
    Release,
    Revision,
    Status,
    Statuses,
    Traffic,
    Word,
)
from deployctl.render import words
from deployctl.render.words import age
from deployctl.spoken import because, harmless

COLUMN_GAP = "   "


def table(rows: Iterable[Iterable[str]]) -> list[str]:
    """Set columns as kubectl does: as wide as their widest cell, nothing cropped."""
    cells = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        COLUMN_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def since(then: str, now: str) -> str:
    """Tell how long ago something was, as kubectl writes ages."""
    if not then:
        return "<unknown>"
    return age((dt.datetime.fromisoformat(now) - dt.datetime.fromisoformat(then)).total_seconds())


def listing(found: Statuses, *, everywhere: bool) -> str:
    """Write one line an app."""
    head = ("NAME", "STATE", "READY", "IMAGES", "SINCE", "BY")
    rows = [
        (
            one.app,
            one.state,
            f"{one.ready}/{one.desired}",
            ",".join(one.images.values()) or "-",
            since(one.since, found.now),
            words.who(one.by) or "-",
        )
        for one in found.items
    ]
    where = [
        ("NAMESPACE", *head),
        *((one.namespace, *row) for one, row in zip(found.items, rows, strict=True)),
    ]
    return "\n".join(table(where if everywhere else [head, *rows]))


def text(one: Status) -> str:
    """Write everything about one app, the most important first."""
    lines = [line for part in (_headline(one), *_sections(one)) for line in part.split("\n")]
    return "\n".join(map(harmless, lines))


def _sections(one: Status) -> Iterator[str]:
    yield from ("", *_revisions(one), "", *_traffic(one))
    yield from _moved(one.moved) if one.moved else ()
    if one.release and one.release.gates:
        yield from ("", "gates", *(f"  {gate}" for gate in one.release.gates))
    if one.release and one.release.flags:
        yield from ("", "flags, by the record", *(f"  {words.flag(each)}" for each in one.release.flags))
    if one.release and one.release.consumers:
        yield from ("", *_consumers(one.release.consumers, one.now))
    if one.held:
        yield from ("", "autoscaling", *(f"  {_held(each)}" for each in one.held))
    if one.foreign:
        yield from ("", "written by others since the release began")
        yield from (f"  {by.manager} wrote {', '.join(by.fields)} at {by.at}" for by in one.foreign)
    if one.next:
        yield from ("", "next", *(f"  {command}" for command in one.next))
    if one.by_hand:
        yield from ("", *_by_hand(one))


def _headline(one: Status) -> str:
    where = f"{one.app} in {one.namespace}"
    if one.release is None:
        return f"{where}: at rest; {_last(one)}"
    lines = [f"{where}: {one.release.strategy} release {one.release.id}, {phase(one.release)}"]
    lines += [f"  {line}" for line in _running(one, one.release)]
    return "\n".join(lines)


def phase(release: Release) -> str:
    """Say how far a release has come."""
    said = {
        "trying": "the preview is on trial",
        "promoting": "promoted: the old side is kept for the way back" if release.due else "being promoted",
        "finishing": "the old side is being retired",
        "returning": f"on the way back to stable{f': {release.why}' if release.why else ''}",
    }
    return said.get(release.phase, release.phase)


def _running(one: Status, release: Release) -> Iterator[str]:
    yield because(
        f"begun {since(release.begun, one.now)} ago by {words.who(release.by)}", _given(release.words)
    )
    yield from _later(release.words, one.now)
    if release.holder:
        yield f"run by {release.holder} for {since(release.holder_since, one.now)}"
    elif not release.due:
        yield f"no process runs it; what stands has stood for {since(release.moved, one.now)}"
    if release.due:
        yield _due(one, release)
    elif release.waits_for:
        yield f"waits for {release.waits_for}" if _names_a_thing(release) else release.waits_for
    if release.wish:
        yield f"asked to {release.wish}; nobody has acted on it yet"
    if release.trouble:
        yield f"trouble: {release.trouble}"


def _given(said: tuple[Word, ...]) -> str:
    """Quote the reason that was given when the release began."""
    return f'"{said[0].reason}"' if said and said[0].verb == "release" and said[0].reason else ""


def _later(said: tuple[Word, ...], now: str) -> Iterator[str]:
    """Tell who said what since: `promote 3m ago by bob@desk: "QA is done"`."""
    for one in said:
        if one.reason and one.verb not in {"release", "pause"}:  # a pause says itself what it waits for
            yield f'{one.verb} {since(one.at, now)} ago by {words.who(one.by)}: "{one.reason}"'


def _names_a_thing(release: Release) -> bool:
    return " waits for " not in release.waits_for and not release.waits_for.startswith("paused")


def _due(one: Status, release: Release) -> str:
    left = dt.datetime.fromisoformat(release.due) - dt.datetime.fromisoformat(one.now)
    if left.total_seconds() > 0:
        return f"Kubernetes retires the old side by itself in {age(left.total_seconds())}, at {release.due}"
    return f"the old side was due to go at {release.due}: deployctl finish {one.app}"


def _last(one: Status) -> str:
    last = one.last
    if one.unknown_record:
        return f"its record has format {one.unknown_record}, which this deployctl does not know"
    if last is None:
        return "no release on record"
    if not last.outcome:
        begun = f"the last release began {since(last.started, one.now)} ago by {words.who(last.by)}"
        return f"{begun} and was ended by hand, or its end was not written down"
    told = f"last {last.outcome} {since(last.ended, one.now)} ago by {words.who(last.by)}"
    return because(told, last.reason or _given(last.words))


def _revisions(one: Status) -> list[str]:
    head = ("REVISION", "HASH", "ROLE", "READY", "IMAGES", "AGE", "")
    rows = (
        (
            str(each.number),
            each.hash,
            each.role,
            _ready(each),
            ",".join(each.images.values()),
            since(each.created, one.now),
            "; ".join(filter(None, (each.trouble, _rounds(each)))),
        )
        for each in one.revisions
    )
    return table([head, *rows])


def _rounds(one: Revision) -> str:
    """Count open rounds where there are any: `5 open rounds, the oldest 1m30s`."""
    if not one.open_rounds:
        return ""
    oldest = f", the oldest {age(one.oldest_round_seconds)}" if one.oldest_round_seconds else ""
    return f"{one.open_rounds} open round{'s' * (one.open_rounds != 1)}{oldest}"


def _ready(one: Revision) -> str:
    return f"{one.ready}/{one.desired}"


def _traffic(one: Status) -> list[str]:
    rows = [("SERVICE", "TRAFFIC", "ENDPOINTS", "")]
    return table(
        [*rows, *((each.service, _shares(each), _endpoints(each), _ours(each)) for each in one.traffic)]
    )


def _shares(one: Traffic) -> str:
    whole = sum(one.endpoints.values())
    shares = (f"{round(100 * count / whole)}% {name}" for name, count in one.endpoints.items())
    return ", ".join(shares) if whole else "nobody: no ready endpoint"


def _endpoints(one: Traffic) -> str:
    return str(sum(one.endpoints.values()))


def _ours(one: Traffic) -> str:
    pinned = f"pinned to {one.pin}" if one.pin else ""
    return ", ".join(filter(None, (pinned, "only labelled pods serve" if one.valve else "")))


def _consumers(one: Consumers, now: str) -> Iterator[str]:
    """Tell who consumes events, in which mode: a line a side."""
    yield f"consumers, {one.mode}"
    if one.group:
        yield f"  {_apart(one)}"
    yield from (f"  {_consuming(side, now)}" for side in one.sides)


def _apart(one: Consumers) -> str:
    return f"the preview consumes in group {one.group}: each event is handled by both revisions"


def _consuming(one: Consuming, now: str) -> str:
    """Write `stable 5f94844648: 2 of 3 pods consume, 1 does not say (wallet-1: it has no such port)`."""
    pods = one.consuming + one.paused + one.unknown
    said = f"{one.role} {one.hash}: {one.consuming} of {pods} pod{'s' * (pods != 1)} consume"
    mute = f"{one.unknown} do{'es' * (one.unknown == 1)} not say ({one.unheard})" if one.unknown else ""
    last = f"the last change {since(one.since, now)} ago" if one.since else ""
    return ", ".join(filter(None, (said, mute, last)))


def _held(one: HeldScaler) -> str:
    """Write who keeps an autoscaler up: `... wants 14, and is held at 20 by release 4f0c until it is over`."""
    until = one.until or ("it is over" if one.holder.startswith("release ") else "it is given back")
    wish = "" if one.wants is None else f" wants {one.wants}, and"
    return f"{one.name}{wish} is held at {one.floor} by {one.holder} until {until}"


def _moved(moved: Moved) -> Iterator[str]:
    """Tell where requests really go: `requests: 83% 5c9f, 17% 7d61, of 120/s`, and who answers new connections."""
    yield from ("", *filter(None, (_requests(moved.requests_per_second), _door(moved.front_door))))
    yield from moved.problems


def _requests(rates: dict[str, float]) -> str:
    whole = sum(rates.values())
    if not whole:
        return "requests: none in the last second" if rates else ""
    shares = (f"{round(100 * rate / whole)}% {name}" for name, rate in rates.items())
    return f"requests: {', '.join(shares)}, of {whole:.0f}/s, kept connections and all"


def _door(answers: dict[str, int]) -> str:
    counts = (f"{count} {name}" for name, count in answers.items())
    return f"front door: {', '.join(counts)}, of {sum(answers.values())} new connections" if answers else ""


def _by_hand(one: Status) -> Iterator[str]:
    yield "back by hand, without deployctl (docs/by-hand.md)"
    if one.release and one.release.holder:
        yield f"  # first stop {one.release.holder}: while it runs, `deployctl abort {one.app}` is the way"
    yield from (f"  {line}" for command in one.by_hand for line in command.splitlines())


def why(one: Status) -> str:
    """Say in a few sentences what stands, what it waits for, since when, and what to run next."""
    return "\n".join(f"{harmless(sentence)}." for sentence in _sentences(one))


def _sentences(one: Status) -> Iterator[str]:
    release = one.release
    if release is None:
        yield f"{one.app} is at rest: {_last(one)}"
        yield _live(one)
        yield from map(_held, one.held)
        return
    yield f"{one.app} is in a {release.strategy} release begun {since(release.begun, one.now)} ago: {phase(release)}"
    if given := _given(release.words):
        yield f"The reason that was given is {given}"
    yield from map(_capital, list(_running(one, release))[1:])
    yield _capital(_standing(one, release))
    yield from _handed_over(release.consumers, one.now)
    yield from map(_held, one.held)
    if release.gates:
        yield f"Gate {release.gates[-1]}"
    yield from (f"Flag {words.flag(each)}" for each in release.flags)
    yield from (
        f"{_capital(by.manager)} wrote {', '.join(by.fields)} of the {one.workload} at {by.at}"
        for by in one.foreign
    )
    if one.next:
        yield f"Next: {' or '.join(f'`{command}`' for command in one.next)}"


def _handed_over(consumers: Consumers | None, now: str) -> Iterator[str]:
    """Tell who consumes, where that is what is waited for."""
    if consumers and consumers.awaited:
        sides = "; ".join(_consuming(side, now) for side in consumers.sides)
        yield f"Consumers ({consumers.mode}): {sides}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _live(one: Status) -> str:
    now = next((each for each in one.revisions if each.role == "live"), None)
    if now is None:
        return "No pod of its template is there"
    return f"Revision {now.number} ({now.hash}) has {now.ready} of {now.desired} pods ready"


def _standing(one: Status, release: Release) -> str:
    sides = [
        f"{each.role} {each.hash} has {each.ready} of {each.desired} pods ready"
        for each in one.revisions
        if each.role in {"stable", "preview"}
    ]
    traffic = [f"{each.service} sends {_shares(each)}" for each in one.traffic]
    del release
    return "; ".join([*sides, *traffic])
