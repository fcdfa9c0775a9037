"""The lanes of size and load in HTML: ready pods, the size, who wishes what within which bounds, and the metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from deployctl.autoscaling.arithmetic import thousandths
from deployctl.render.drawings import WIDE, drawing, rect, when, x_of
from deployctl.render.marking import lane, plot, tag
from deployctl.render.timeline import Measure, Timeline

SIZE_PIXELS, LOAD_PIXELS = 84.0, 44.0
FAR = 2  # times the largest: a maximum further up would make all the rest small
HEAD = 1.05  # what is drawn beside the largest value, so that a line on top is seen
MOST_LOADS = 3
UNDRAWN = " (not drawn)"
Course = list[tuple[float, float]]  # from when, and how much


def sizes(of: Timeline) -> Iterator[str]:
    """Draw the lanes of a release whose workload something scales."""
    if of.scaling and of.moments:
        yield _size(of)
        yield from (_load(of, one) for one in _names(of)[:MOST_LOADS])


def said(of: Timeline) -> list[str]:
    """Say in words between what each course went; the first word names it."""
    if not of.scaling:
        return []
    lines = _lines(of)
    far = [] if "maximum" in lines else [f"maximum {max(one.most for one in of.scaling)}{UNDRAWN}"]
    return [*(f"{name} {_range(one)}" for name, one in lines.items()), *far]


def loads(of: Timeline) -> Iterator[str]:
    """Say in words between what each metric went, and what it was aimed at."""
    for name in _names(of):
        known = [each for _, each in _told(of, name) if each.now]
        yield f"{name} {_between(known)}" if known else f"{name} not measured"


def _size(of: Timeline) -> str:
    lines = _lines(of)
    top = max(_largest(lines.values()), *_ready(of)) * HEAD
    course = "".join(_line(of, one, top, name) for name, one in reversed(lines.items()))
    drawn = "".join(_pods(of, top)) + course  # the size is drawn last, over the wish that it follows
    picture = drawing(of, drawn, SIZE_PIXELS, f"Pods: {', '.join(said(of))}")
    return lane("size", "ready pods, both sides", plot(picture + _key(said(of))))


def _ready(of: Timeline) -> Iterator[int]:
    return (one.stable.ready + one.preview.ready for one in of.moments)


def _lines(of: Timeline) -> dict[str, Course]:
    """Give each course by its name; what was never said has none."""
    told: dict[str, list[tuple[float, float]]] = {
        "size": [(one.at, one.size) for one in of.moments if one.size],
        "wish": [(one.at, one.wants) for one in of.scaling if one.wants],
        "floor": [(one.at, one.floor) for one in of.scaling],
        "minimum": [(one.at, one.least) for one in of.scaling],
    }
    most: Course = [(one.at, one.most) for one in of.scaling]
    if _largest([most]) <= FAR * max(_largest(told.values()), *_ready(of)):
        told["maximum"] = most
    return {name: one for name, one in told.items() if one}


def _largest(courses: Iterable[Course]) -> float:
    return max((value for one in courses for _, value in one), default=1.0)


def _pods(of: Timeline, top: float) -> Iterator[str]:
    """Stack the ready pods, the preview's on those of stable."""
    for one, ended in of.pieces():
        across, stable, both = (one.at, ended), one.stable.ready, one.stable.ready + one.preview.ready
        said = f"{when(*across)}: {stable} stable and {one.preview.ready} preview pods ready"
        yield rect(of, across, (_y(stable, top), SIZE_PIXELS), "stable", said) if stable else ""
        yield rect(of, across, (_y(both, top), _y(stable, top)), "preview", said) if both > stable else ""


def _y(value: float, top: float, high: float = SIZE_PIXELS) -> float:
    return high * (1 - value / top)


def _line(of: Timeline, course: Course, top: float, klass: str, high: float = SIZE_PIXELS) -> str:
    """Draw a course in steps, to the end."""
    start, value = course[0]
    path = f"M{x_of(of, start):.2f} {_y(value, top, high):.2f}"
    for at, value in course[1:]:
        path += f"H{x_of(of, at):.2f}V{_y(value, top, high):.2f}"
    return tag(
        "path", tag("title", f"{klass} {_range(course)}"), d=f"{path}H{WIDE:.0f}", klass=f"line {klass}"
    )


def _range(course: Course) -> str:
    least, most = min(value for _, value in course), max(value for _, value in course)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def _key(told: Iterable[str]) -> str:
    """Say what each line is; the first word names its style."""
    return tag("ul", "".join(tag("li", _swatch(one) + escape(one)) for one in told), klass="key")


def _swatch(told: str) -> str:
    return "" if told.endswith(UNDRAWN) else tag("i", klass=f"line {told.partition(' ')[0]}") + " "


def _names(of: Timeline) -> list[str]:
    return list(dict.fromkeys(each.name for one in of.scaling for each in one.measures))


def _load(of: Timeline, name: str) -> str:
    """Draw one metric against its target; where it was not measured there is a gap."""
    told = _told(of, name)
    known = [one for _, one in told if one.now]
    if not known:
        return lane(name, "load", plot(tag("span", "not measured", klass="said"), klass="plot track"))
    target = _amount(known[-1].target)
    top = max(target, *(_amount(one.now) for one in known)) * HEAD
    bars = "".join(_measured(of, told, top))
    aim = _line(of, [(0.0, target)], top, "aim", LOAD_PIXELS)
    picture = drawing(of, bars + aim, LOAD_PIXELS, f"{name}: {_between(known)}")
    return lane(name, _between(known), plot(picture))


def _told(of: Timeline, name: str) -> list[tuple[float, Measure]]:
    return [(one.at, each) for one in of.scaling for each in one.measures if each.name == name]


def _between(known: list[Measure]) -> str:
    amounts = sorted(known, key=lambda one: _amount(one.now))
    least, most = amounts[0].now, amounts[-1].now
    return f"{least if least == most else f'{least} to {most}'}, aimed at {known[-1].target}"


def _measured(of: Timeline, told: list[tuple[float, Measure]], top: float) -> Iterator[str]:
    ends = [*(at for at, _ in told[1:]), of.seconds]
    for (at, one), ended in zip(told, ends, strict=True):
        if one.now:
            down = (_y(_amount(one.now), top, LOAD_PIXELS), LOAD_PIXELS)
            yield rect(of, (at, ended), down, "load", f"{when(at, ended)}: {one.now}, aimed at {one.target}")


def _amount(text: str) -> int:
    """Read `95%` or a quantity of Kubernetes, in thousandths."""
    return thousandths(text.removesuffix("%"))
