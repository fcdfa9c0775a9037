"""When an event is, and when a surge ends: moments with their zones, as clocks show them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.autoscaling.peak import Peak, until
from deployctl.document import Place
from deployctl.reading import Reader, node
from deployctl.shapes import shape

NOW = dt.datetime(2026, 4, 11, 20, 30, tzinfo=dt.UTC)  # 22:30 in Malta
BEFORE_WINTER = dt.datetime(
    2026, 10, 24, 20, tzinfo=dt.UTC
)  # the clocks of London go back in the coming night


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("3h", "2026-04-11T23:30+00:00"),
        ("23:00 Europe/Malta", "2026-04-11T21:00+00:00"),
        ("22:00 Europe/Malta", "2026-04-12T20:00+00:00"),
        ("23:00 +02:00", "2026-04-11T21:00+00:00"),
        ("20:00 Z", "2026-04-12T20:00+00:00"),
        ("05:00 Pacific/Auckland", "2026-04-12T17:00+00:00"),
        ("15:00 America/Los_Angeles", "2026-04-11T22:00+00:00"),
        ("2026-04-11T22:00Z", "2026-04-11T22:00+00:00"),
        ("2026-04-12 09:00 Europe/London", "2026-04-12T08:00+00:00"),
    ],
)
def test_an_end_is_a_duration_a_clock_or_a_moment(text: str, end: str) -> None:
    assert until(text, NOW) == dt.datetime.fromisoformat(end)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("23:00", "it says no zone"),
        ("23:00 Europe/Valetta", "no zone of the IANA database"),
        ("25:00 Europe/Malta", "hour"),
        ("2026-04-11T20:00Z", "that is past"),
        ("tomorrow", "expected a moment with its zone"),
        ("2026-04-12 09:00", "says no zone"),
    ],
)
def test_an_end_that_nobody_can_tell_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        until(text, NOW)


def test_an_end_that_the_clocks_show_twice_is_refused() -> None:
    assert until("00:30 Europe/London", BEFORE_WINTER).hour == 23
    with pytest.raises(ValueError, match="twice"):
        until("01:30 Europe/London", BEFORE_WINTER)


@given(
    st.integers(0, 120 * 24 * 60),
    st.times(),
    st.sampled_from(["Europe/Malta", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati", "-05:00"]),
)
def test_the_next_time_that_a_clock_shows_it_is_within_a_day(
    minutes: int, clock: dt.time, where: str
) -> None:
    now = dt.datetime(2026, 5, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)  # no clock is changed
    end = until(f"{clock:%H:%M} {where}", now)
    assert dt.timedelta(0) < end - now <= dt.timedelta(days=1)
    assert end.minute == clock.minute


@pytest.mark.parametrize("floor", ["0", "0x", "-3", "x", "3 x"])
def test_a_floor_is_pods_or_a_factor(floor: str) -> None:
    reader = Reader([])
    reader.read(node({"name": "x", "at": "2026-04-11T15:00Z", "floor": floor}, Place("x")), shape(Peak), "")
    assert len(reader.problems) == 1
