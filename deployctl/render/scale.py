"""Where the times of an axis stand."""

from __future__ import annotations

from collections.abc import Iterator

from deployctl.render.words import age

TICK_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)


def ticks(seconds: float, least: float) -> Iterator[tuple[float, str]]:
    """Give round times and their words, at least that part of the whole apart."""
    step = next((one for one in TICK_SECONDS if one >= least * seconds), TICK_SECONDS[-1])
    for number in range(int(seconds / step + 1e-9) + 1):
        at = number * step
        yield at, age(at) if at == int(at) else f"{at:.1f}s"
