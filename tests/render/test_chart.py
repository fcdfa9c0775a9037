"""A timeline in the terminal, character for character."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.render.answers import answers
from deployctl.render.cells import ASCII, painted
from deployctl.render.chart import Chart
from deployctl.render.folding import timeline
from tests.render.told import PROMOTED, REFUSED, REPORT

GOOD = timeline(PROMOTED, "Blue-green", answers([REPORT]))
BAD = timeline(REFUSED)


def test_a_promoted_release():
    assert (
        "\n" + painted(Chart(GOOD, 60).rows(), color=False)
        == """
Blue-green
wallet   r1 5f94844648 → r2 7f9c4d6b88   promoted after 8s
time      0s         2s          4s          6s          8s
traffic   0%─────────────────100%──────────────────────────
          ░░░░░░░░░░░░░░░░░░░██████████████████████████████
          ░░░░░░░░░░░░░░░░░░░██████████████████████████████
          ░░░░░░░░░░░░░░░░░░░██████████████████████████████
stable    3──────────────────────────────────────────────0─
preview   0──────────3─────────────────────────────────────
r1/s      ███████████████████████▄
r2/s                              █████████████████████████
clients   90 requests, 1 failed
before                ├────✓ smoke: 200 from 3 of 3
wait                          ······················· keepO…
what        1               2                        3    4
  1   0.4s  hold 3 stable and 3 preview pods (of 3)
  2   3.1s  shift 100% of wallet to 7f9c4d6b88 (1 of 1 gate…
  3   7.4s  retire the old side: 3 pods
  4   8.2s  restore the user's settings; promoted"""
    )


def test_a_refused_release_in_ascii():
    assert (
        "\n" + painted(Chart(BAD, 60, ASCII).rows(), color=False)
        == """
wallet   5f94844648 -> 7f9c4d6b88   back on stable after 5s
time      0s       1s       2s       3s       4s        5s
traffic   0%-----------------------------------------------
          .................................................
          .................................................
          .................................................
stable    3------------------------------------------------
preview   0-----------------3---------------------------0--
before    smoke: 500, <expe~ |----------------x
what         1                                 23         4
  1   0.4s  hold 3 stable and 3 preview pods (of 3)
  2   4.1s  turn round: gate smoke said no: 500, <expected>~
  3   4.2s  bring stable 5f94844648 back to 3 pods
  4   5.2s  restore the user's settings; back on stable"""
    )


@pytest.mark.parametrize("width", [40, 57, 80, 132])
def test_no_row_is_wider_than_the_terminal(width: int):
    rows = painted(Chart(GOOD, width).rows(), color=False).splitlines()
    assert max(len(row) for row in rows) <= width


def test_ascii_is_ascii():
    assert painted(Chart(GOOD, 80, ASCII).rows(), color=False).isascii()


def test_colour_changes_no_character():
    import re

    colored = painted(Chart(GOOD, 80).rows(), color=True)
    plain = re.sub(r"\x1b\[[\d;]*m", "", colored)
    assert colored != plain
    assert [one.rstrip() for one in plain.splitlines()] == painted(
        Chart(GOOD, 80).rows(), color=False
    ).splitlines()


def test_a_release_that_told_nothing_says_so():
    assert painted(Chart(timeline([], "Nothing")).rows(), color=False) == "Nothing  nothing happened"


def test_a_release_of_no_time_at_all_is_drawn():
    assert painted(Chart(replace(BAD, seconds=0.0), 60).rows(), color=False)


def test_what_a_terminal_would_obey_is_not_written():
    told = [dict(one, text="\x1b[2J\nx") if one["type"] == "action" else one for one in REFUSED]
    assert "\x1b[2J" not in painted(Chart(timeline(told)).rows(), color=False)
