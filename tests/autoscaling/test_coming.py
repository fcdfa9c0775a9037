"""A plan warns of the events that its release would run into."""

from __future__ import annotations

import datetime as dt
from typing import Any

from deployctl.autoscaling import held, obligations
from deployctl.autoscaling.coming import coming, run_into
from deployctl.autoscaling.held import Hold
from deployctl.autoscaling.outlook import by_itself
from deployctl.autoscaling.peak import Peak
from deployctl.cli.planning import Asked, planned
from deployctl.cli.session import Subject
from deployctl.record import Record
from tests.autoscaling.objects import hpa, scaled_object, served
from tests.autoscaling.test_applying import MEASURED, Place
from tests.sandbox.rehearsing import loaded

Json = dict[str, Any]
KICK_OFF = dt.datetime(2026, 4, 11, 15, tzinfo=dt.UTC)
DERBY = Peak(name="derby", at="2026-04-11 16:00 Europe/London", floor="3x")
HOUR = 3600.0


def told(hours: float, lasts_hours: float) -> list[str]:
    """Say what a release that begins so many hours after the kick-off runs into."""
    request = held.write(hpa(), (), obligations.remembered((DERBY,), KICK_OFF - dt.timedelta(days=1)))
    assert request is not None
    scaler = served(hpa(), request.body)
    now = KICK_OFF + dt.timedelta(hours=hours)
    return list(run_into(coming((scaler,), 6, now), lasts_hours * HOUR))


def test_an_event_that_begins_before_the_release_is_over_is_named() -> None:
    [one] = told(-1.5, lasts_hours=1)
    assert one.startswith("the event derby wants 18 pods from 2026-04-11T14:00:00Z, and this release ")
    assert one.endswith(" may last 1h: it would run into it")


def test_one_that_is_on_is_named_and_one_that_is_over_or_far_away_is_not() -> None:
    assert told(1, lasts_hours=1) == ["the event derby is on until 2026-04-11T17:40:00Z, and wants 18 pods"]
    assert told(-3, lasts_hours=1) == []
    assert told(3, lasts_hours=1) == []


def test_a_factor_of_an_event_that_is_on_is_of_what_ran_when_it_began() -> None:
    request = held.write(hpa(), (), obligations.remembered((DERBY,), KICK_OFF - dt.timedelta(days=1)))
    assert request is not None
    raised = obligations.carried_out(served(hpa(), request.body), 6, KICK_OFF)
    assert raised is not None
    scaler = served(served(hpa(), request.body), raised.body)
    assert [one.floor for one in coming((scaler,), 18, KICK_OFF)] == [18]


def test_the_plan_of_a_release_has_it_among_its_warnings() -> None:
    place = Place(hpa=True)
    event = {"name": "cup", "at": "2026-11-23T13:20:00Z", "floor": "10"}
    request = held.write(place.hpa, (), (event,))
    assert request is not None
    place.api.send(request)
    whole = loaded("balances")
    subject = Subject(whole.apps[0], whole.objects[0], Record(place.api, "igaming", "balances").read())
    plan = planned(
        place.api, subject, Asked(["any/image:2"], restart=False, promote="", wait="finished")
    ).plan
    assert any(
        one.startswith("the event cup wants 10 pods from 2026-11-23T12:20:00Z") for one in plan.warnings
    )


def test_what_an_autoscaler_wants_by_itself_is_told_whoever_holds_it() -> None:
    request = held.take(hpa(), Hold("surge", 20))
    assert request is not None
    scaler = {**served(hpa(), request.body), "status": {"currentMetrics": [MEASURED]}}
    assert by_itself(scaler, 6, 6) == 9
    assert by_itself(scaler, 6, 12) == 18  # its average is one of twelve pods, six of them a preview
    assert by_itself(hpa(), 6, 6) is None
    assert by_itself(scaled_object(), 6, 6) is None
