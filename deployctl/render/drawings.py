"""The drawings of a release's picture, in SVG: shares, answers and pods on one clock.

They are as wide as the page: only x is stretched, and words are HTML beside or above them.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby

from deployctl.render.answers import FINEST_SECONDS
from deployctl.render.marking import lane, percent, plot, tag
from deployctl.render.timeline import Moment, Pods, Timeline

Stretch = tuple[float, float]
WIDE = 1000.0  # the width of every drawing in its own units
SHARE_PIXELS, ANSWERS_PIXELS, POD_PIXELS, GAP_PIXELS = 84.0, 54.0, 7.0, 2.0
MOST_POD_ROWS = 12
PIECES = 100


def drawing(of: Timeline, content: str, high: float, title: str) -> str:
    """Make the SVG of one lane, with a thin line where something moved."""
    guides = "".join(
        tag("line", x1=x_of(of, one.at), x2=x_of(of, one.at), y1=0, y2=high, klass="guide")
        for one in of.numbered()
    )
    return tag(
        "svg", tag("title", escape(title)) + content + guides,
        viewBox=f"0 0 {WIDE:.0f} {high:.0f}", height=high, preserveAspectRatio="none", role="img",
    )  # fmt: skip


def x_of(of: Timeline, at: float) -> float:
    return WIDE * part(of, at)


def part(of: Timeline, at: float) -> float:
    return min(1.0, max(0.0, at / max(of.seconds, 0.1)))


def rect(of: Timeline, across: Stretch, down: Stretch, klass: str, title: str = "") -> str:
    """Draw from one time to another, and from one height to another."""
    inner = tag("title", escape(title)) if title else ""
    x, wide = x_of(of, across[0]), max(1.5, x_of(of, across[1]) - x_of(of, across[0]))
    return tag("rect", inner, x=x, y=down[0], width=wide, height=down[1] - down[0], klass=klass)


def share(of: Timeline) -> str:
    """Draw who gets new connections: stable above, the preview's share rising from below."""
    drawn = "".join("".join(_shared(of, run)) for _, run in groupby(of.pieces(), key=_carried))
    title = "Share of new connections: " + ", ".join(_shares(of))
    return plot(drawing(of, drawn, SHARE_PIXELS, title) + "".join(_within(of)))


def _carried(piece: tuple[Moment, float]) -> int | None:
    """Give the preview's share; None where nobody serves."""
    moment, _ = piece
    return moment.share if moment.stable.serving + moment.preview.serving else None


def _shared(of: Timeline, run: Iterator[tuple[Moment, float]]) -> Iterator[str]:
    pieces = list(run)
    across, share = (pieces[0][0].at, pieces[-1][1]), _carried(pieces[0])
    if share is None:
        yield rect(of, across, (0, SHARE_PIXELS), "nobody", f"{when(*across)}: nobody serves")
        return
    split = SHARE_PIXELS * (1 - share / 100)
    yield rect(of, across, (0, split), "stable") if share < 100 else ""
    yield rect(of, across, (split, SHARE_PIXELS), "preview") if share else ""
    said = f"{when(*across)}: {100 - share}% stable, {share}% preview"
    yield rect(of, across, (0, SHARE_PIXELS), "hover", said)


def when(began: float, ended: float) -> str:
    return f"{began:.1f} to {ended:.1f} s"


def _shares(of: Timeline) -> Iterator[str]:
    for share, run in groupby(of.moments, key=lambda one: one.share):
        yield f"{share}% preview from {next(run).at:.1f} s"


def _within(of: Timeline) -> Iterator[str]:
    """Write the share into each stretch that is wide enough for a word."""
    for share, run in groupby(of.pieces(), key=_carried):
        pieces = list(run)
        began, ended = part(of, pieces[0][0].at), part(of, pieces[-1][1])
        if ended - began >= 0.12:
            text = {None: "nobody serves", 0: "100% stable", 100: "100% preview"}.get(share, f"{share}%")
            where = f"left:{percent(began)};max-width:{percent(ended - began)}"
            yield tag("span", text, klass="within", style=where)


def answered(of: Timeline) -> str:
    """Draw what clients got, second by second, stacked by revision; failures in red above."""
    seen = of.answers
    if seen is None or not seen.requests:
        return ""
    wide = max(FINEST_SECONDS, of.seconds / PIECES)
    pieces = [at * wide for at in range(int(of.seconds / wide) + 1)]
    most = max(sum(_rate(of, one, at, wide) for one in seen.revisions) for at in pieces) or 1.0
    bars = "".join("".join(_piece(of, at, wide, most)) for at in pieces)
    failures = "".join(
        rect(of, (at - of.began, at - of.began + 0.2), (0, ANSWERS_PIXELS), "failure", "a failed request")
        for at in seen.failures
    )
    picture = drawing(
        of, bars + failures, ANSWERS_PIXELS, f"Answers a second, at most {most:.0f}; {seen.closing()}"
    )
    return lane("answers", f"{most:.0f} a second at most, {seen.failed} failed", plot(picture))


def _rate(of: Timeline, revision: str, at: float, wide: float) -> float:
    ended = min(of.seconds, at + wide)
    return of.answers.rate(revision, of.began + at, of.began + ended) if of.answers and ended > at else 0.0


def _piece(of: Timeline, at: float, wide: float, most: float) -> Iterator[str]:
    """Stack the answers of one piece of the time."""
    seen, y = of.answers, ANSWERS_PIXELS
    for revision in sorted(seen.revisions, key=lambda one: _role(of, one)) if seen else ():
        rate = _rate(of, revision, at, wide)
        top = y - ANSWERS_PIXELS * rate / most
        said = (
            f"{at:.1f} s: {rate:.0f} answers a second of {seen.names.get(revision, revision) if seen else ''}"
        )
        across = (at, min(of.seconds, at + wide))
        yield rect(of, across, (top, y), _role(of, revision), said) if rate else ""
        y = top


def _role(of: Timeline, revision: str) -> str:
    stable, preview = of.revisions
    return {stable: "stable", preview: "preview"}.get(revision, "other")


def pods(of: Timeline) -> str:
    """Draw a row a pod: in traffic, ready without traffic, coming up."""
    rows = min(of.replicas, MOST_POD_ROWS)
    high = rows * POD_PIXELS
    stable = "".join("".join(_row(of, "stable", row, row * POD_PIXELS)) for row in range(rows))
    below = high + 2 * GAP_PIXELS
    preview = "".join("".join(_row(of, "preview", row, below + row * POD_PIXELS)) for row in range(rows))
    return plot(drawing(of, stable + preview, 2 * high + 2 * GAP_PIXELS, "Pods of both sides"))


def _row(of: Timeline, side: str, row: int, y: float) -> Iterator[str]:
    each = max(1.0, of.replicas / MOST_POD_ROWS)

    def state(piece: tuple[Moment, float]) -> str:
        return _state(getattr(piece[0], side), row * each, side)

    for kind, run in groupby(of.pieces(), key=state):
        pieces = list(run)
        if kind:
            said = f"{side} pod {int(row * each) + 1}: {_says(kind)}, {when(pieces[0][0].at, pieces[-1][1])}"
            across = (pieces[0][0].at, pieces[-1][1])
            yield rect(of, across, (y, y + POD_PIXELS - GAP_PIXELS), kind, said)


def _state(pods: Pods, at: float, side: str) -> str:
    """Tell what the pod at this place does: those in traffic come first, then ready ones, then the others."""
    if pods.serving > at:
        return side
    if pods.ready > at:
        return f"{side}-ready"
    return "coming" if pods.pods > at else ""


def _says(kind: str) -> str:
    return (
        "coming up" if kind == "coming" else "ready, no traffic" if kind.endswith("-ready") else "in traffic"
    )
