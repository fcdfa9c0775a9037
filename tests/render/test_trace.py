"""Bars of size and load: each column is what was so at its end, and what was not measured is not drawn."""

from __future__ import annotations

from typing import Any

from deployctl.render.cells import ASCII, UNICODE
from deployctl.render.trace import COLUMNS, MOST_SAMPLES, kept, rows

Json = dict[str, Any]


def sample(at: float, replicas: int | None, cpu: str | None = None) -> tuple[float, Json]:
    return at, {"replicas": replicas, "metrics": [{"name": "cpu", "now": cpu, "target": "60%"}]}


GROWN = (sample(100, 6, "55%"), sample(160, 6, "110%"), sample(175, 12, "110%"), sample(190, 12, "55%"))


def test_size_and_load_are_drawn_on_one_clock() -> None:
    size, cpu = rows(GROWN, UNICODE)
    assert size == f"  size      {'▄' * 39}{'█' * 9} 6 to 12 pods in 90s"
    assert cpu == f"  cpu       {'▄' * 31}{'█' * 16}▄ 55% now, aimed at 60%"


def test_a_terminal_without_unicode_has_bars_too() -> None:
    size, _ = rows(GROWN, ASCII)
    assert size.isascii()
    assert len(size.partition(" 6 to 12")[0]) == 12 + COLUMNS


def test_one_look_has_no_course() -> None:
    assert tuple(rows(GROWN[:1], UNICODE)) == ()


def test_what_was_never_measured_has_no_row_and_a_gap_is_a_gap() -> None:
    [size] = rows((sample(0, 6), sample(30, 6)), UNICODE)
    assert size.endswith(" 6 pods in 30s")
    assert tuple(rows((sample(0, None), sample(30, None)), UNICODE)) == ()
    _, cpu = rows((sample(0, 6), sample(24, 6, "55%"), sample(48, 6)), UNICODE)
    assert cpu == f"  cpu       {' ' * 23}{'█' * 24}  not measured now, aimed at 60%"


def test_quantities_are_drawn_as_percentages_are() -> None:
    _, cpu = rows((sample(0, 6, "500m"), sample(48, 6, "1")), UNICODE)
    assert cpu == f"  cpu       {'▄' * 47}█ 1 now, aimed at 60%"


def test_the_picture_begins_where_the_look_began_however_long_it_lasts() -> None:
    many = tuple(sample(float(at), 6) for at in range(2 * MOST_SAMPLES))
    assert len(kept(many)) == MOST_SAMPLES
    assert (kept(many)[0], kept(many)[-1]) == (many[0], many[-1])
    assert kept(many[:3]) == many[:3]
