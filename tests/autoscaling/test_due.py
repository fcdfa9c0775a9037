"""Whatever command comes next carries out what is due of an autoscaler, and none fails for it."""

from __future__ import annotations

from typing import Any

import pytest

from deployctl.autoscaling import held
from deployctl.autoscaling.due import carry_out
from deployctl.autoscaling.held import Hold
from deployctl.autoscaling.obligations import peaks
from deployctl.cluster.api import MERGE_PATCH, Request
from deployctl.errors import DeployctlError
from deployctl.prepare import find
from deployctl.releases import forget_copies
from tests.autoscaling.test_applying import Place

OVER = Hold("surge", 14, by="ann@laptop", until="2026-11-01T00:00:00Z", why="derby")
ON = Hold("surge", 14, by="ann@laptop", until="2030-11-01T00:00:00Z", why="derby")
RELEASE = Hold("release r42", 9, still=True)


@pytest.fixture
def place() -> Place:
    return Place(hpa=True)


def written(place: Place, *events: dict[str, Any]) -> None:
    request = held.write(place.hpa, held.holds(place.hpa), events)
    assert request is not None
    place.api.send(request)


def test_a_surge_that_is_over_is_ended_by_the_next_command_and_told(place: Place) -> None:
    place.hold(OVER)
    told = forget_copies(place.api, find(place.api, place.names))
    assert told == ("HorizontalPodAutoscaler balances: surge is over, as was due",)
    assert place.hpa["spec"]["minReplicas"] == 6


def test_a_release_in_flight_keeps_its_own_hold(place: Place) -> None:
    place.hold(RELEASE)
    place.hold(OVER)
    carry_out(place.api, place.names)
    assert [one.holder for one in held.holds(place.hpa)] == ["release r42"]
    assert place.hpa["spec"]["minReplicas"] == 9


def test_one_that_is_not_due_stands_and_nothing_is_written(place: Place) -> None:
    place.hold(ON)
    before = place.hpa["metadata"]["resourceVersion"]
    assert carry_out(place.api, place.names) == ()
    assert place.hpa["metadata"]["resourceVersion"] == before


def test_an_event_that_begins_is_raised_and_comes_down(place: Place) -> None:
    written(place, {"name": "cup", "at": "2026-11-23T12:30:00Z", "floor": "10"})
    assert carry_out(place.api, place.names) == (
        "HorizontalPodAutoscaler balances: held at 10 by peak cup, as was due",
    )
    place.scene.world.pass_time(2.6 * 3600)
    assert carry_out(place.api, place.names) == (
        "HorizontalPodAutoscaler balances: peak cup holds 8 now, as was due",
    )


def test_an_autoscaler_that_nobody_holds_is_left_alone(place: Place) -> None:
    before = place.hpa
    assert carry_out(place.api, place.names) == ()
    assert place.hpa == before


def test_what_cannot_be_read_stands_in_nobodys_way(place: Place) -> None:
    where = "/apis/autoscaling/v2/namespaces/igaming/horizontalpodautoscalers/balances"
    change = {"metadata": {"annotations": {held.ANNOTATION: "{"}}}
    place.api.send(Request("PATCH", where, change, MERGE_PATCH))
    assert carry_out(place.api, place.names) == ()


def test_an_event_that_somebody_broke_says_how_to_write_it_anew(place: Place) -> None:
    written(place, {"name": "cup", "at": "at noon", "floor": "10"})
    with pytest.raises(DeployctlError, match="an event that is written on an autoscaler cannot be read"):
        peaks(place.hpa)
    assert carry_out(place.api, place.names) == ()
