"""Several releases on one clock."""

from __future__ import annotations

from dataclasses import replace

from deployctl.render.answers import answers
from deployctl.render.cells import ASCII, Glyphs, painted
from deployctl.render.folding import timeline
from deployctl.render.overview import Overview
from tests.render.told import BEGAN, PROMOTED, REFUSED, REPORT

SEEN = {"wallet": answers([REPORT])}
LATER = replace(timeline(REFUSED, "Refused"), began=BEGAN + 12)
BOTH = Overview([timeline(PROMOTED, "Blue-green"), LATER], SEEN)


def test_two_releases_on_one_clock():
    assert (
        "\n" + painted(BOTH.rows(60, Glyphs()), color=False)
        == """
time      0s            5s            10s           15s
wallet    ├──────────1───────────┤         ├──────2──────┤
  r1      ███████████▂
  r2                 ▄█████████████▅

  1  promoted after 8s         Blue-green
  2  back on stable after 5s   Refused"""
    )


def test_it_reaches_from_the_first_answer_to_the_end_of_the_last_release():
    assert (BOTH.began, round(BOTH.seconds, 1)) == (BEGAN, 17.3)


def test_no_row_is_wider_than_the_terminal():
    assert max(len(row) for row in painted(BOTH.rows(44, ASCII), color=False).splitlines()) <= 44


def test_an_app_without_answers_has_its_releases_all_the_same():
    rows = painted(Overview([LATER], {}).rows(60, ASCII), color=False).splitlines()
    assert rows[-1] == "  1  back on stable after 5s   Refused"
