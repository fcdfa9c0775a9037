"""The lanes of a release's picture in HTML, below each other on one clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from deployctl.render.drawings import answered, part, pods, share, when
from deployctl.render.marking import lane, percent, plot, tag
from deployctl.render.scale import ticks
from deployctl.render.sizes import sizes
from deployctl.render.timeline import Mark, Span, Timeline

NEAR = 0.05  # dots nearer to each other than this part of the width are put below each other
DOT_PIXELS = 20
LEAST_PART = 0.02  # of the time: a shorter wait is not worth a lane


def lanes(of: Timeline) -> str:
    """Draw all lanes of a release."""
    if not of.moments:
        return tag("p", "No look at the cluster was told.")
    return "".join(
        (
            lane("traffic", "new connections", share(of)),
            answered(of),
            lane("pods", "stable above, preview below", pods(of)),
            *sizes(of),
            *_gates(of),
            *_waits(of),
            lane("what happened", "", _dots(of)),
            lane("", "", _axis(of)),
        )
    )


def _gates(of: Timeline) -> Iterator[str]:
    gates = [one for one in of.spans if one.stage]
    for stage, name in dict.fromkeys((one.stage, one.name) for one in gates):
        asked = [one for one in gates if (one.stage, one.name) == (stage, name)]
        yield lane(f"gate {name}", stage, _track(of, asked))


def _waits(of: Timeline) -> Iterator[str]:
    least = LEAST_PART * of.seconds
    waits = [one for one in of.spans if not one.stage and one.ended - one.began > least]
    for name in dict.fromkeys(one.name for one in waits):
        yield lane("wait", name, _track(of, [one for one in waits if one.name == name]))


def _track(of: Timeline, spans: Sequence[Span]) -> str:
    bars = "".join(_bar(of, one) for one in spans)
    return plot(bars + _said(of, spans), klass="plot track")


def _bar(of: Timeline, one: Span) -> str:
    wide = part(of, one.ended) - part(of, one.began)
    title = f"{one.name}, {when(one.began, one.ended)}: {one.evidence}"
    style = f"right:{percent(1 - part(of, one.ended))};width:{percent(wide)}"
    return tag("span", klass=f"bar {_verdict(one)}", style=style, title=title)


def _verdict(one: Span) -> str:
    return {True: "yes", False: "no", None: ""}[one.passed]


def _said(of: Timeline, spans: Sequence[Span]) -> str:
    """Write what the last one said where there is more room: after it, or before the first."""
    last = spans[-1]
    if not last.stage:
        return ""
    before, after = part(of, spans[0].began), 1 - part(of, last.ended)
    side = "left" if after >= before else "right"
    edge = 1 - after if after >= before else 1 - before
    style = f"{side}:{percent(edge)};max-width:{percent(max(before, after))}"
    return tag(
        "span", escape(last.evidence), klass=f"said {_verdict(last)}", style=style, title=last.evidence
    )


def _dots(of: Timeline) -> str:
    """Put a number where something moved; dots that are near each other stand below each other."""
    placed = list(_placed(of))
    dots = "".join(
        tag("span", str(number), klass=f"dot{' no' if one.bad else ''}", title=f"{one.at:.1f} s: {one.text}",
            style=f"left:{percent(part(of, one.at))};top:{row * DOT_PIXELS}px")
        for number, (one, row) in enumerate(placed, 1)
    )  # fmt: skip
    rows = max((row for _, row in placed), default=0) + 1
    return plot(dots, style=f"height:{rows * DOT_PIXELS}px")


def _placed(of: Timeline) -> Iterator[tuple[Mark, int]]:
    last: dict[int, float] = {}
    for one in of.numbered():
        at = part(of, one.at)
        row = next(row for row in range(len(last) + 1) if at - last.get(row, -1.0) >= NEAR)
        last[row] = at
        yield one, row


def _axis(of: Timeline) -> str:
    told = ((part(of, at), text) for at, text in ticks(max(of.seconds, 0.1), 0.11))
    shown = "".join(tag("span", text, style=f"left:{percent(at)}") for at, text in told if at < 0.98)
    return plot(shown, klass="plot axis")
