"""All releases of a page on one clock in HTML: which was on when, and which revision answered meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from deployctl.render import words
from deployctl.render.answers import Answers, grouped
from deployctl.render.cells import style_of
from deployctl.render.marking import lane, percent, tag
from deployctl.render.overview import STYLES, Overview
from deployctl.render.scale import ticks

WIDE, HIGH, PIECES = 1000.0, 26.0, 100


def whole(of: Overview) -> str:
    """Draw an app's releases above the answers of its revisions, app below app."""
    rows = "".join("".join(_app(of, app)) for app in of.apps)
    axis = lane("", "", tag("div", _ticks(of), klass="plot axis"))
    heading = tag("h2", "What the clients got", id="whole")
    said = "Answers a second of each revision; the numbered bars are the releases below."
    figure = tag("figure", rows + axis, role="group", aria_label=said)
    return tag(
        "section", heading + tag("p", said, klass="facts") + figure, klass="card", aria_labelledby="whole"
    )


def _app(of: Overview, app: str) -> Iterator[str]:
    releases = "".join(_release(of, number) for number, _ in of.releases(app))
    yield lane(app, "", tag("div", releases, klass="plot track"))
    seen = of.seen.get(app, Answers())
    most = max((one for each in seen.revisions for _, one in _rates(of, seen, each)), default=1.0)
    for number, revision in enumerate(seen.revisions):
        told, name = f"{grouped(seen.total(revision))} answers", seen.names.get(revision, revision)
        style = STYLES[number % len(STYLES)]
        bars = "".join(_bar(of, at, rate / most, style) for at, rate in _rates(of, seen, revision) if rate)
        yield lane(name, told, tag("div", _drawing(f"{app} {name}: {told}", bars), klass="plot"))


def _rates(of: Overview, seen: Answers, revision: str) -> list[tuple[float, float]]:
    """Give the answers a second in each piece of the time, with when it begins."""
    wide = of.seconds / PIECES
    return [
        (at * wide, seen.rate(revision, of.began + at * wide, of.began + (at + 1) * wide))
        for at in range(PIECES)
    ]


def _release(of: Overview, number: int) -> str:
    one = of.of[number - 1]
    began, wide = (one.began - of.began) / of.seconds, one.seconds / of.seconds
    title = f"{number}. {one.title or one.app}: {one.ended} after {words.age(one.seconds)}"
    where = f"left:{percent(began)};width:{percent(wide)}"
    return tag("span", str(number), klass=f"span {style_of(one.outcome)}", style=where, title=title)


def _drawing(title: str, bars: str) -> str:
    return tag(
        "svg", tag("title", escape(title)) + bars,
        viewBox=f"0 0 {WIDE:.0f} {HIGH:.0f}", height=HIGH, preserveAspectRatio="none", role="img",
    )  # fmt: skip


def _bar(of: Overview, at: float, part: float, style: str) -> str:
    high = HIGH * part
    return tag("rect", x=WIDE * at / of.seconds, y=HIGH - high, width=WIDE / PIECES, height=high, klass=style)


def _ticks(of: Overview) -> str:
    told = ((at / of.seconds, text) for at, text in ticks(of.seconds, 0.11))
    return "".join(tag("span", text, style=f"left:{percent(at)}") for at, text in told if at < 0.98)
