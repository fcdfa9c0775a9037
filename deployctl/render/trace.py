"""Size and load of an autoscaler in a terminal, by what was seen of it: a row of bars each, on one clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deployctl.autoscaling.arithmetic import thousandths
from deployctl.autoscaling.outlook import pods
from deployctl.render.cells import LABEL_WIDTH, Glyphs
from deployctl.render.words import age

Json = dict[str, Any]
Sample = tuple[float, Json]  # when, in seconds, and `render.autoscaling.described` of then
MOST_SAMPLES = 500
COLUMNS = 48


def kept(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Keep the latest samples, and the first, where the picture begins."""
    whole = tuple(samples)
    return whole if len(whole) <= MOST_SAMPLES else (whole[0], *whole[1 - MOST_SAMPLES :])


def rows(samples: Sequence[Sample], glyphs: Glyphs) -> Iterator[str]:
    """Draw what the samples say; nothing of a single one, for it has no course."""
    if len(samples) < 2:
        return
    span = age(samples[-1][0] - samples[0][0])
    sizes = [(at, one["replicas"]) for at, one in samples]
    if drawn := _bars(sizes, glyphs):
        yield f"  {'size':<{LABEL_WIDTH}}{drawn} {_range(sizes)} in {span}"
    for name, target in {each["name"]: each["target"] for each in samples[-1][1]["metrics"]}.items():
        loads = [(at, _amount(one, name)) for at, one in samples]
        if drawn := _bars(loads, glyphs):
            yield f"  {name:<{LABEL_WIDTH - 1}} {drawn} {_now(samples, name)} now, aimed at {target}"


def _bars(course: Sequence[tuple[float, int | None]], glyphs: Glyphs) -> str:
    """Draw a course, each column what was so at its end; empty where nothing was ever known."""
    most = max((value for _, value in course if value is not None), default=0)
    if not most:
        return ""
    began, seconds = course[0][0], course[-1][0] - course[0][0]
    ends = (began + seconds * (column + 1) / COLUMNS for column in range(COLUMNS))
    return "".join(glyphs.bar((_at(course, end) or 0) / most) for end in ends)


def _at(course: Sequence[tuple[float, int | None]], end: float) -> int | None:
    """Give the last that was known by then; a rounding of the clock's does not lose the newest."""
    return [value for at, value in course if at <= end + 1e-6][-1]


def _range(sizes: Sequence[tuple[float, int | None]]) -> str:
    known = sorted(value for _, value in sizes if value is not None)
    return pods(known[0]) if known[0] == known[-1] else f"{known[0]} to {known[-1]} pods"


def _now(samples: Sequence[Sample], name: str) -> str:
    return next(
        (str(one["now"] or "not measured") for one in samples[-1][1]["metrics"] if one["name"] == name), ""
    )


def _amount(one: Json, name: str) -> int | None:
    """Give what a metric was at, in thousandths; None where it was not measured."""
    found = next((each["now"] for each in one["metrics"] if each["name"] == name), None)
    return None if found is None else thousandths(found.removesuffix("%"))
