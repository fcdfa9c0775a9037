"""An autoscaler is held by several at once, and the user's own values come back with the end of the last."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.autoscaling import held
from deployctl.autoscaling.held import ANNOTATION, PAUSED_SCALE_IN, Hold
from deployctl.cluster.api import MERGE_PATCH, Request
from deployctl.errors import DeployctlError
from tests.autoscaling.objects import hpa, scaled_object, served

Json = dict[str, Any]
RELEASE = Hold("release r42", floor=14, still=True, by="ann@laptop", why="until promoted")
SURGE = Hold("surge", floor=40, by="ann@laptop", until="2026-04-11T21:00:00Z", why="derby")
NIGHT = dt.datetime(2026, 4, 11, 21, tzinfo=dt.UTC)


def after(scaler: Json, request: Request | None) -> Json:
    return served(scaler, request.body if request else None)


def taken(scaler: Json, *wanted: Hold) -> Json:
    for one in wanted:
        scaler = after(scaler, held.take(scaler, one))
    return scaler


def given_back(scaler: Json, *holders: str) -> Json:
    for one in holders:
        scaler = after(scaler, held.give_back(scaler, one))
    return scaler


def same(one: Json, other: Json) -> bool:
    """Compare all but the version that each write changes."""
    one, other = copy.deepcopy(one), copy.deepcopy(other)
    one["metadata"].pop("resourceVersion")
    other["metadata"].pop("resourceVersion")
    return one == other


def edited(scaler: Json, **spec: Any) -> Json:
    return served(
        scaler, {"metadata": {"resourceVersion": scaler["metadata"]["resourceVersion"]}, "spec": spec}
    )


def test_a_hold_is_one_guarded_merge_patch_with_its_memory() -> None:
    request = held.take(hpa(), SURGE)
    assert request is not None
    assert (request.method, request.content_type) == ("PATCH", MERGE_PATCH)
    assert request.path == "/apis/autoscaling/v2/namespaces/igaming/horizontalpodautoscalers/wallet"
    assert request.body["metadata"]["resourceVersion"] == "100"
    assert request.body["spec"] == {"minReplicas": 40}
    assert ANNOTATION in request.body["metadata"]["annotations"]


def test_the_highest_floor_counts_and_one_that_wants_it_still_is_enough() -> None:
    both = taken(hpa(), SURGE, RELEASE)
    assert both["spec"]["minReplicas"] == 40
    assert both["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"


def test_a_floor_under_the_users_own_changes_nothing_of_it() -> None:
    assert taken(hpa(20), RELEASE)["spec"]["minReplicas"] == 20


def test_what_was_there_before_is_there_again_after_the_last() -> None:
    before = hpa()
    assert same(given_back(taken(before, SURGE, RELEASE), "surge", "release r42"), before)


def test_one_that_goes_leaves_the_other_its_floor() -> None:
    left = given_back(taken(hpa(), SURGE, RELEASE), "surge")
    assert left["spec"]["minReplicas"] == 14
    assert [one.holder for one in held.holds(left)] == ["release r42"]


def test_the_users_own_behavior_comes_back_as_it_was() -> None:
    down = {
        "selectPolicy": "Min",
        "stabilizationWindowSeconds": 300,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    }
    before = edited(hpa(), behavior={"scaleDown": down})
    held_now = taken(before, RELEASE)
    assert held_now["spec"]["behavior"]["scaleDown"] == {**down, "selectPolicy": "Disabled"}
    assert same(given_back(held_now, "release r42"), before)


def test_what_the_user_writes_meanwhile_is_what_they_get_back() -> None:
    now = edited(taken(hpa(), SURGE), minReplicas=50, maxReplicas=80)
    assert held.own(now).floor == 50
    back = given_back(now, "surge")
    assert (back["spec"]["minReplicas"], back["spec"]["maxReplicas"]) == (50, 80)


def test_a_manifest_that_is_applied_again_meanwhile_does_not_end_the_hold() -> None:
    now = edited(taken(hpa(), SURGE), minReplicas=6)
    again = after(now, held.carry_out(now, NIGHT - dt.timedelta(hours=1)))
    assert again["spec"]["minReplicas"] == 40
    assert given_back(again, "surge")["spec"]["minReplicas"] == 6


def test_rules_for_scaling_up_that_came_meanwhile_are_kept() -> None:
    rules = {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 300, "periodSeconds": 15}],
        }
    }
    back = given_back(edited(taken(hpa(), RELEASE), behavior=rules), "release r42")
    assert back["spec"]["behavior"]["scaleUp"] == rules["scaleUp"]
    assert back["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Max"


def test_scaling_down_comes_back_with_the_end_of_the_one_that_stopped_it() -> None:
    now = taken(edited(hpa(), behavior={"scaleUp": {"selectPolicy": "Min"}}), RELEASE, SURGE)
    left = given_back(now, "release r42")
    assert left["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Max"
    assert left["spec"]["minReplicas"] == 40


def test_no_floor_goes_over_the_ceiling_for_the_api_would_refuse_it() -> None:
    assert taken(hpa(6, 18), SURGE)["spec"]["minReplicas"] == 18


def test_what_is_due_ends_and_nothing_else_does() -> None:
    now = taken(hpa(), SURGE, RELEASE)
    assert held.due(now, NIGHT - dt.timedelta(seconds=1)) == ()
    assert [one.holder for one in held.due(now, NIGHT)] == ["surge"]
    assert after(now, held.carry_out(now, NIGHT))["spec"]["minReplicas"] == 14


def test_what_is_as_it_shall_be_is_not_written_again() -> None:
    now = taken(hpa(), SURGE)
    assert held.take(now, SURGE) is None
    assert held.carry_out(now, NIGHT - dt.timedelta(hours=1)) is None
    assert held.give_back(hpa(), "surge") is None
    assert held.carry_out(hpa(), NIGHT) is None


def test_the_same_holder_holds_once() -> None:
    again = taken(hpa(), SURGE, Hold("surge", floor=20))
    assert again["spec"]["minReplicas"] == 20
    assert len(held.holds(again)) == 1


def test_of_keda_the_scaled_object_is_held_and_not_its_hpa() -> None:
    before = scaled_object()
    now = taken(before, RELEASE)
    assert now["spec"]["minReplicaCount"] == 14
    assert now["metadata"]["annotations"][PAUSED_SCALE_IN] == "true"
    request = held.give_back(now, "release r42")
    assert request is not None
    assert request.path == "/apis/keda.sh/v1alpha1/namespaces/igaming/scaledobjects/wallet"
    assert same(after(now, request), before)


def test_a_pause_of_scaling_in_that_is_the_users_own_stays() -> None:
    before = scaled_object(minReplicaCount=2)
    before["metadata"]["annotations"] = {PAUSED_SCALE_IN: "true"}
    assert same(given_back(taken(before, RELEASE), "release r42"), before)


def test_an_annotation_that_cannot_be_read_stops_every_write() -> None:
    broken = hpa()
    broken["metadata"]["annotations"] = {ANNOTATION: "{"}
    with pytest.raises(DeployctlError, match=r"annotation .* cannot be read"):
        held.take(broken, SURGE)


def test_an_annotation_of_a_later_version_is_left_alone() -> None:
    later = taken(hpa(), SURGE)
    text = later["metadata"]["annotations"][ANNOTATION]
    later["metadata"]["annotations"][ANNOTATION] = text.replace('"version":1', '"version":2')
    with pytest.raises(DeployctlError, match="version 2, and this deployctl knows 1"):
        held.carry_out(later, NIGHT)


HOLDERS = ("release r1", "surge", "peak derby")
MOVES = st.one_of(
    st.tuples(st.just("take"), st.sampled_from(HOLDERS), st.integers(0, 80), st.booleans()),
    st.tuples(st.just("back"), st.sampled_from(HOLDERS)),
    st.tuples(st.just("edit"), st.integers(1, 30)),
)


@given(st.lists(MOVES, max_size=12), st.booleans())
def test_whatever_comes_in_whatever_order_the_users_last_word_is_what_is_left(
    moves: list[tuple[Any, ...]], stated: bool
) -> None:
    scaler = edited(hpa(), behavior={"scaleDown": {"selectPolicy": "Min"}}) if stated else hpa()
    before, wish, holding = scaler, 6, dict[str, int]()
    for kind, *what in moves:
        if kind == "take":
            scaler = taken(scaler, Hold(what[0], what[1], still=what[2]))
            holding[what[0]] = what[1]
        elif kind == "back":
            scaler = given_back(scaler, what[0])
            holding.pop(what[0], None)
        elif what[0] != scaler["spec"]["minReplicas"]:  # what equals our own value cannot be told from it
            scaler, wish = edited(scaler, minReplicas=what[0]), what[0]
            scaler = after(scaler, held.carry_out(scaler, NIGHT))
        assert scaler["spec"]["minReplicas"] == min(60, max(wish, *holding.values(), 0))
    left = given_back(scaler, *HOLDERS)
    assert same(left, edited(before, minReplicas=wish))
