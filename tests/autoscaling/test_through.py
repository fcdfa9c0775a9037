"""An autoscaler through a release: held while two sides stand, and afterwards as it was, whoever ended the release."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from deployctl.autoscaling import held
from deployctl.autoscaling.through import given_back, of_release, put_back, troubled
from deployctl.cluster.api import Denied
from deployctl.errors import LockLost
from deployctl.releases import forget_copies
from deployctl.rollout import Orders
from strategies.blue_green import BlueGreen
from strategies.model import Begin, Outcome, Pause, Pin
from strategies.quantities import Amount
from strategies.rolling import Rolling
from tests.autoscaling.objects import hpa, scaled_object
from tests.fake import Api, Cluster
from tests.objects import NAMES, Json
from tests.run import NO, YES, Release, gates
from tests.test_rollout import Killed, kill, resumed

HPA = ("horizontalpodautoscalers", "wallet")
BLUE_GREEN = BlueGreen(keep_old_seconds=30)
ROLLING = Rolling(batch=Amount(2), bake_seconds=5)
STRATEGIES = pytest.mark.parametrize("strategy", [BLUE_GREEN, ROLLING], ids=["blueGreen", "rolling"])


def scaled(least: int = 2, replicas: int = 6, **spec: Any) -> Cluster:
    """Give a running app that an autoscaler scales."""
    cluster = Cluster.running(replicas=replicas)
    cluster.put("horizontalpodautoscalers", hpa(least, **spec))
    return cluster


def users(cluster: Cluster) -> Json:
    """Give all of the autoscaler that is the user's: what is not its version or its status."""
    one = copy.deepcopy(cluster.objects[HPA])
    for key in ("resourceVersion", "generation"):
        one["metadata"].pop(key, None)
    one.pop("status", None)
    return one


def floors(release: Release) -> list[tuple[int, str]]:
    """Remember what bounds the autoscaler at each of the walk's writes."""
    seen: list[tuple[int, str]] = []

    def note(_: object) -> None:
        spec = release.cluster.objects[HPA]["spec"]
        down = (spec.get("behavior") or {}).get("scaleDown") or {}
        seen.append((spec["minReplicas"], down.get("selectPolicy", "")))

    release.story.on = note
    return seen


def measured(percent: int, **spec: Any) -> Json:
    """Give an autoscaler whose own status says what share of their requests the pods use."""
    one = hpa(2, **spec)
    current = {"name": "cpu", "current": {"averageUtilization": percent, "averageValue": "1"}}
    one["status"] = {"currentMetrics": [{"type": "Resource", "resource": current}]}
    return one


# -- held, and put back ---------------------------------------------------------------------------------


@STRATEGIES
def test_it_is_held_from_the_first_write_on_and_is_afterwards_as_it_was(strategy):
    release = Release(scaled(), strategy, gates(before=YES))
    before, seen = users(release.cluster), floors(release)
    assert release.run().outcome is Outcome.PROMOTED
    assert seen[0] == (2, "")  # at Begin, whose memory says whose the hold is
    assert set(seen[1:-1]) == {(6, "Disabled")}
    assert users(release.cluster) == before


@STRATEGIES
def test_an_aborted_release_leaves_it_as_it_was(strategy):
    release = Release(scaled(), strategy, gates(before=NO))
    before = users(release.cluster)
    assert release.run().outcome is Outcome.ABORTED
    assert users(release.cluster) == before
    assert release.written("horizontalpodautoscalers") == 2


def test_a_behaviour_of_the_users_own_comes_back_whole():
    mine = {"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Min", "policies": []}}
    release = Release(scaled(behavior=mine), BLUE_GREEN)
    before = users(release.cluster)
    release.run()
    assert users(release.cluster) == before


def test_what_the_user_writes_meanwhile_is_kept():
    release = Release(scaled(), BLUE_GREEN)
    raise_floor = {"done": False}

    def edit(_: object) -> None:
        if not raise_floor["done"] and of_release(release.cluster.objects[HPA]):
            release.cluster.edit("horizontalpodautoscalers", "wallet", minReplicas=8, maxReplicas=80)
            raise_floor["done"] = True

    release.story.on = edit
    release.run()
    spec = release.cluster.objects[HPA]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"], spec.get("behavior")) == (8, 80, None)


def test_a_surge_that_holds_it_too_stays():
    cluster = scaled()
    surge = held.take(cluster.objects[HPA], held.Hold("surge", floor=20, until="2026-11-24T00:00:00Z"))
    Api(cluster).send(surge)
    Release(cluster, BLUE_GREEN).run()
    assert [one.holder for one in held.holds(cluster.objects[HPA])] == ["surge"]
    assert cluster.objects[HPA]["spec"]["minReplicas"] == 20


def test_the_story_tells_of_it():
    release = Release(scaled(), BLUE_GREEN)
    release.run()
    told = [one for one in release.story.notes if "HorizontalPodAutoscaler" in one]
    assert told == [
        "HorizontalPodAutoscaler wallet is held: no scaling down, and not under 6, until the release is over",
        "HorizontalPodAutoscaler wallet is as it was",
    ]


def test_a_process_that_stands_leaves_it_held_and_able_to_grow():
    release = Release(scaled(), BlueGreen(promote="manual"))
    assert release.run().stands
    assert of_release(release.cluster.objects[HPA])
    assert "scaleUp" not in release.cluster.objects[HPA]["spec"]["behavior"]


def test_an_armed_release_puts_it_back_before_its_process_ends():
    release = Release(scaled(), BLUE_GREEN, orders=Orders(until_promoted=True, keep_seconds=60))
    before = users(release.cluster)
    assert release.run().armed
    assert users(release.cluster) == before


def test_a_scaled_object_is_held_by_its_own_annotation():
    cluster = Cluster.running()
    owned = hpa(2)
    owned["metadata"]["ownerReferences"] = [{"kind": "ScaledObject", "name": "wallet"}]
    cluster.put("horizontalpodautoscalers", owned)
    cluster.put("scaledobjects", scaled_object(minReplicaCount=2))
    release = Release(cluster, BLUE_GREEN)
    seen: list[tuple[Any, Any]] = []
    release.story.on = lambda _: seen.append(
        (
            cluster.objects["scaledobjects", "wallet"]["spec"]["minReplicaCount"],
            (cluster.objects["scaledobjects", "wallet"]["metadata"].get("annotations") or {}).get(
                held.PAUSED_SCALE_IN
            ),
        )
    )
    release.run()
    assert (seen[0], seen[1]) == ((2, None), (6, "true"))
    assert "annotations" not in cluster.objects["scaledobjects", "wallet"]["metadata"]
    assert cluster.objects["scaledobjects", "wallet"]["spec"]["minReplicaCount"] == 2
    assert release.written("horizontalpodautoscalers") == 0


# -- growth ----------------------------------------------------------------------------------------------


@STRATEGIES
def test_growth_in_mid_release_goes_to_both_sides_and_never_under_the_size(strategy):
    release = Release(scaled(), strategy, gates(before=YES))
    grown = {"at": 0}

    def grow(action: object) -> None:
        if isinstance(action, Pause) and not grown["at"]:
            grown["at"] = 9
            release.cluster.edit("deployments", "wallet", replicas=9)

    release.story.on = grow
    assert release.run().outcome is Outcome.PROMOTED
    assert release.cluster.least() >= 6
    assert release.cluster.serving() == {"wallet:2": 9}


@pytest.mark.parametrize(("average", "floor"), [(62, 12), (30, 6)], ids=["hides the load", "hides nothing"])
def test_idle_pods_that_hide_the_load_raise_the_floor_to_what_the_others_need(average, floor):
    """Six at 124 % and six idle ones are 62 % of a target of 60: the autoscaler would stay at six."""
    cluster = Cluster.running()
    cluster.put("horizontalpodautoscalers", measured(average))
    release = Release(cluster, BlueGreen(promote="manual"))
    release.run()
    cluster.tick(120.0)
    again = resumed(release)
    again.strategy = BlueGreen(promote="manual")
    again.run()
    assert cluster.objects[HPA]["spec"]["minReplicas"] == floor


# -- killed anywhere -------------------------------------------------------------------------------------


def killed(number: int, strategy: Any) -> Release:
    release = Release(scaled(), strategy, gates(before=YES))
    release.cluster.meanwhile = [lambda _: None] * number + [kill]
    with pytest.raises(Killed):
        release.run()
    release.cluster.meanwhile.clear()
    return release


@STRATEGIES
@pytest.mark.parametrize("back", [False, True], ids=["resumed", "aborted"])
@pytest.mark.parametrize("number", range(2, 12))
def test_killed_at_any_write_the_next_process_puts_it_back(strategy, back, number):
    before = users(scaled())
    again = resumed(killed(number, strategy), back=back)
    again.run()
    assert users(again.cluster) == before
    assert again.cluster.leftovers() == []


def killed_after_restore() -> Release:
    """Give a release whose process died between its last write to the Deployment and the autoscaler's."""
    release = Release(scaled(), BLUE_GREEN)

    def die(action: object) -> None:
        if type(action).__name__ == "Restore":
            raise Killed

    release.story.on = die
    with pytest.raises(Killed):
        release.run()
    return release


def test_between_the_last_write_and_the_autoscalers_the_next_command_puts_it_back():
    release = killed_after_restore()
    assert of_release(release.cluster.objects[HPA])
    there = found(release.cluster)
    assert there.memory is None
    forget_copies(release.api, there)  # type: ignore[arg-type]
    assert users(release.cluster) == users(scaled())


def found(cluster: Cluster) -> Any:
    from deployctl.prepare import find

    return find(Api(cluster), NAMES)  # type: ignore[arg-type]


def test_the_next_release_ends_the_hold_of_the_one_before():
    cluster = scaled()
    Api(cluster).send(held.take(cluster.objects[HPA], held.Hold("release r0", floor=9, still=True)))
    Release(cluster, BLUE_GREEN).run()
    assert users(cluster) == users(scaled())


def test_the_hold_of_a_release_in_flight_is_left_alone():
    release = killed(5, BLUE_GREEN)
    assert put_back(release.api, NAMES) == ()  # type: ignore[arg-type]
    assert of_release(release.cluster.objects[HPA])


def test_a_command_that_may_not_put_it_back_does_not_fail():
    release = killed_after_restore()
    release.cluster.answers = [Denied(403, "no")]
    assert put_back(release.api, NAMES) == ()  # type: ignore[arg-type]


# -- what may go wrong -----------------------------------------------------------------------------------


def test_without_the_right_to_write_it_the_release_warns_and_goes_on():
    release = Release(scaled(), BLUE_GREEN)
    refuse = Denied(403, "cannot patch")
    release.story.on = lambda action: (
        release.cluster.answers.append(refuse) if isinstance(action, Begin) else None
    )
    release.lock.confirm = lambda _seconds=0.0: None  # type: ignore[method-assign]
    assert release.run().outcome is Outcome.PROMOTED
    told = [one for one in release.story.notes if "is not held" in one]
    assert told == ["warning: the autoscaler is not held, and may scale down in mid-release: cannot patch"]


def test_an_autoscaler_that_cannot_work_is_told_of_once_and_the_release_goes_on():
    cluster = scaled()
    bad = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetResourceMetric",
        "message": "no metrics",
    }
    cluster.put("horizontalpodautoscalers", {**hpa(2), "status": {"conditions": [bad]}})
    release = Release(cluster, BLUE_GREEN)
    assert release.run().outcome is Outcome.PROMOTED
    told = [one for one in release.story.notes if "cannot scale" in one]
    why = "FailedGetResourceMetric: no metrics"
    assert told == [f"warning: HorizontalPodAutoscaler wallet cannot scale, and the release goes on: {why}"]


def test_one_that_rests_at_zero_is_no_trouble():
    rests = {"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled", "message": "at zero"}
    assert not troubled({**hpa(2), "status": {"conditions": [rests]}})


def test_a_status_that_changes_under_the_write_costs_a_look_and_no_more():
    release = Release(scaled(), BLUE_GREEN)
    race = {"left": 1}

    def rewrite(cluster: Cluster) -> None:
        if race["left"] and len(cluster.writes) > 1:
            race["left"] = 0
            cluster.put(
                "horizontalpodautoscalers", {**cluster.objects[HPA], "status": {"currentReplicas": 6}}
            )

    release.cluster.meanwhile = [rewrite] * 30
    assert release.run().outcome is Outcome.PROMOTED
    assert users(release.cluster) == users(scaled())


def test_a_process_that_lost_the_lock_does_not_write_it():
    release = Release(scaled(), BLUE_GREEN)

    def lose(action: object) -> None:
        if isinstance(action, Begin):
            lease = copy.deepcopy(release.cluster.objects["leases", "deployctl-wallet"])
            lease["spec"]["holderIdentity"] = "bob"
            release.cluster.put("leases", lease)

    release.story.on = lose
    with pytest.raises(LockLost):
        release.run()
    assert held.holds(release.cluster.objects[HPA]) == ()


def test_where_nothing_scales_the_workload_nothing_is_written():
    cluster = Cluster.running()
    other = hpa(2)
    other["spec"]["scaleTargetRef"] = {**other["spec"]["scaleTargetRef"], "name": "other"}
    cluster.put("horizontalpodautoscalers", other)
    release = Release(cluster, BLUE_GREEN)
    release.run()
    assert release.written("horizontalpodautoscalers") == 0


def test_an_autoscaler_that_is_deleted_in_mid_release_is_no_matter():
    release = Release(scaled(), BLUE_GREEN)
    release.story.on = lambda action: (
        release.cluster.drop(*HPA) if isinstance(action, Pin) and HPA in release.cluster.objects else None
    )
    assert release.run().outcome is Outcome.PROMOTED


def test_nothing_is_given_back_where_no_release_holds_it():
    assert given_back(hpa(2)) is None
