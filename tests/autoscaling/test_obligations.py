"""What is due is carried out by whoever looks next: events raise, stand and come down, surges end."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deployctl.autoscaling import held, obligations
from deployctl.autoscaling.held import Hold
from deployctl.autoscaling.peak import Peak
from tests.autoscaling.objects import hpa, served

Json = dict[str, Any]
KICK_OFF = dt.datetime(2026, 4, 11, 15, tzinfo=dt.UTC)
DERBY = Peak(name="derby", at="2026-04-11 16:00 Europe/London", floor="3x")
CUP = Peak(name="cup", at="2026-04-11T16:00Z", floor="25")


def planned(*events: Peak, at: float = -24) -> Json:
    scaler = hpa()
    request = held.write(scaler, (), obligations.remembered(events, moment(at)))
    return served(scaler, request.body if request else None)


def moment(hours: float) -> dt.datetime:
    return KICK_OFF + dt.timedelta(hours=hours)


def looked(scaler: Json, hours: float, running: int = 6) -> Json:
    request = obligations.carried_out(scaler, running, moment(hours))
    return served(scaler, request.body if request else None)


def test_summer_time_is_of_the_day_of_the_event_and_not_of_the_day_it_is_written() -> None:
    assert DERBY.begins == KICK_OFF
    assert Peak(name="x", at="2026-03-28 16:00 Europe/London", floor="2x").begins.hour == 16


def test_an_event_is_known_before_it_holds_anything() -> None:
    before = looked(planned(DERBY), -2)
    assert before["spec"] == hpa()["spec"]
    assert [one.name for one in obligations.peaks(before)] == ["derby"]


def test_an_event_raises_the_floor_an_hour_before_and_takes_it_down_in_steps() -> None:
    scaler, floors = planned(DERBY), []
    for hours in (-1.01, -1, 0, 1.99, 2, 2.2, 2.4, 2.7):
        scaler = looked(scaler, hours, running=scaler["spec"]["minReplicas"])
        floors.append(scaler["spec"]["minReplicas"])
    assert floors == [6, 18, 18, 18, 14, 10, 6, 6]


def test_nothing_is_left_after_the_last_event() -> None:
    scaler = looked(looked(planned(DERBY), 0), 5)
    assert scaler["spec"] == hpa()["spec"]
    assert "annotations" not in scaler["metadata"]


def test_of_events_that_overlap_the_higher_floor_wins_and_factors_have_one_base() -> None:
    double = Peak(name="double", at="2026-04-11T15:30Z", floor="4x")
    scaler = looked(planned(DERBY, CUP, double), -1)
    assert scaler["spec"]["minReplicas"] == 18
    scaler = looked(scaler, 0, running=18)
    assert scaler["spec"]["minReplicas"] == 25
    assert {one.holder: one.floor for one in held.holds(scaler)} == {
        "peak derby": 18,
        "peak cup": 25,
        "peak double": 24,
    }


def test_a_surge_ends_when_it_is_due_and_an_event_that_is_on_stays() -> None:
    scaler = looked(planned(DERBY), 0)
    request = held.take(scaler, Hold("surge", floor=50, until=moment(1).isoformat()))
    assert request is not None
    scaler = served(scaler, request.body)
    assert looked(scaler, 0.9)["spec"]["minReplicas"] == 50
    assert looked(scaler, 1)["spec"]["minReplicas"] == 18


def test_what_was_carried_out_is_not_written_again() -> None:
    scaler = looked(planned(DERBY), 0)
    assert obligations.carried_out(scaler, 18, moment(0.1)) is None


def test_an_event_is_taken_up_late_where_nobody_looked_in_time() -> None:
    assert looked(planned(DERBY), 1.5)["spec"]["minReplicas"] == 18


@given(st.lists(st.floats(-3, 6), min_size=1, max_size=12).map(sorted))
def test_whenever_somebody_looks_the_floor_is_what_the_calendar_says(hours: list[float]) -> None:
    scaler = planned(DERBY, CUP)
    for one in hours:
        scaler = looked(scaler, one)
        now = moment(one).timestamp()
        wanted = max(6, DERBY.course.floor(18, now), CUP.course.floor(25, now))
        assert scaler["spec"]["minReplicas"] == wanted
    assert looked(scaler, 9)["spec"] == hpa()["spec"]
