"""What a real cluster was measured to do with a held Deployment, row by row."""

from __future__ import annotations

import pytest

from deployctl.sandbox.controllers.victims import deletion_cost
from tests.sandbox.imagination import Practice, template

STEADY = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}


def at_rest(replicas: int, image: str = "app:1") -> Practice:
    practice = Practice()
    practice.serve()
    practice.deploy(replicas, image)
    practice.run()
    return practice


def held(replicas: int, unavailable: int | str, surge: int | str, **env: str) -> Practice:
    practice = at_rest(replicas)
    practice.hold(unavailable, surge, template=template("app:2", **env))
    practice.run()
    return practice


def scaled(practice: Practice, *sizes: int) -> list[list[int]]:
    found = []
    for size in sizes:
        practice.change(replicas=size)
        practice.run()
        found.append(practice.sizes())
    return found


@pytest.mark.parametrize(
    ("replicas", "unavailable", "surge", "split"),
    [
        (1, 0, 1, [1, 1]),
        (1, 1, 0, [0, 1]),
        (2, 0, 1, [2, 1]),
        (2, 1, 1, [1, 2]),
        (3, 1, 0, [2, 1]),
        (3, 0, 2, [3, 2]),
        (6, 0, 6, [6, 6]),
        (6, 1, 0, [5, 1]),
        (6, 0, 1, [6, 1]),
        (6, 2, 2, [4, 4]),
        (7, 3, 1, [4, 4]),
        (10, 5, 0, [5, 5]),
        (10, 3, 0, [7, 3]),
        (10, "50%", 0, [5, 5]),
        (10, "30%", 1, [7, 4]),
        (6, 6, 0, [0, 6]),
    ],
)
def test_a_hold_keeps_n_less_k_old_and_k_plus_s_new(replicas, unavailable, surge, split):
    assert held(replicas, unavailable, surge).sizes() == split


@pytest.mark.parametrize("env", [{"NEVER_READY": "1"}, {"CRASH_AFTER": "0s"}])
@pytest.mark.parametrize("replicas", [1, 3, 6])
def test_a_hold_is_exact_for_a_build_that_never_works_down_to_the_last_old_pod(replicas, env):
    practice = held(replicas, 0, 1, **env)
    assert practice.sizes() == [replicas, 1]
    practice.hold(replicas, 0)
    practice.run()
    assert (practice.sizes(), practice.ready()) == ([0, replicas], 0)


def test_the_deployment_calls_itself_available_with_no_pod_ready_where_all_may_be_missing():
    practice = held(3, 3, 0, NEVER_READY="1")
    conditions = {one["type"]: one["status"] for one in practice.deployment["status"]["conditions"]}
    assert conditions == {"Available": "True"}


def test_a_hold_has_no_progressing_condition_and_counts_only_old_pods_as_available():
    status = held(4, 0, 2).deployment["status"]
    assert [one["type"] for one in status["conditions"]] == ["Available"]
    assert (status["availableReplicas"], status["updatedReplicas"], status["unavailableReplicas"]) == (
        4,
        2,
        2,
    )


def test_the_end_of_a_hold_is_new_replica_set_available_without_a_restart():
    practice = held(3, 1, 0)
    practice.change(minReadySeconds=None, progressDeadlineSeconds=600)
    practice.run()
    progressing = practice.deployment["status"]["conditions"][1]
    assert (practice.sizes(), progressing["reason"]) == ([0, 3], "NewReplicaSetAvailable")
    assert {one["status"]["containerStatuses"][0]["restartCount"] for one in practice.pods()} == {0}


def test_a_foreign_template_takes_all_held_new_pods_at_once():
    practice = held(6, 2, 0)
    practice.change(template=template("app:3"))
    practice.run(0.15)
    assert practice.sizes()[:2] == [4, 0]
    practice.run()
    assert practice.sizes() == [4, 0, 2]


def test_a_foreign_template_after_a_blue_green_flip_takes_every_pod_that_serves():
    practice = held(6, 0, 6)
    green = practice.sets()[1]["metadata"]["labels"]["pod-template-hash"]
    practice.change("services", selector={"pod-template-hash": green})
    practice.run(1)
    assert practice.endpoints() == 6
    practice.change(template=template("app:3"))
    practice.run(0.15)
    assert (practice.sizes()[1], practice.endpoints()) == (0, 0)


def test_paused_a_foreign_template_is_stored_and_does_nothing():
    practice = held(6, 2, 0)
    practice.change(paused=True)
    practice.run()
    practice.change(template=template("app:3"))
    practice.run()
    assert practice.sizes() == [4, 2]


def test_a_hold_written_before_the_template_makes_the_old_pods_unavailable():
    practice = at_rest(3)
    practice.hold(0, 1)
    practice.run()
    status = practice.deployment["status"]
    assert status.get("availableReplicas", 0) == 0
    assert status["conditions"][0]["reason"] == "MinimumReplicasUnavailable"


def test_a_held_side_is_replaced_by_its_own_version():
    practice = held(6, 2, 0)
    for image in ("app:1", "app:2"):
        pod = practice.pods(image)[0]
        practice.store.remove("pods", "default", pod["metadata"]["name"])
    practice.run()
    assert (len(practice.pods("app:1")), len(practice.pods("app:2"))) == (4, 2)


def test_the_split_stays_when_old_pods_turn_unready_and_the_next_step_takes_these_first():
    practice = held(6, 2, 0)
    lame = practice.pods("app:1")[:2]
    for pod in lame:
        practice.runtime.answer_readyz(pod, 503)
    practice.run()
    assert practice.sizes() == [4, 2]
    practice.hold(4, 0)
    practice.run()
    names = {one["metadata"]["name"] for one in practice.pods("app:1")}
    assert (practice.sizes(), names & {one["metadata"]["name"] for one in lame}) == ([2, 4], set())


def test_the_new_side_of_a_hold_never_shrinks():
    practice = held(4, 0, 4)
    practice.hold(2, 0)
    practice.run()
    assert practice.sizes() == [2, 4]


@pytest.mark.parametrize(
    ("replicas", "unavailable", "surge", "sizes", "splits"),
    [
        (10, 5, 0, (15, 10, 6, 4, 10), [[7, 8], [5, 5], [1, 5], [0, 4], [0, 10]]),
        (10, 3, 0, (12, 10, 5, 3), [[8, 4], [7, 3], [2, 3], [0, 3]]),
        (6, 0, 6, (8, 6, 3, 6), [[7, 7], [6, 6], [3, 3], [4, 6]]),
        (10, "50%", 0, (15, 10, 6, 4, 10), [[7, 8], [5, 5], [3, 3], [2, 2], [5, 5]]),
        (6, 0, "100%", (8, 6, 3, 6), [[8, 8], [6, 6], [3, 3], [6, 6]]),
        (10, "30%", 1, (12, 10, 5, 3), [[8, 5], [7, 4], [4, 2], [3, 1]]),
        (4, 0, "100%", (0, 4), [[0, 0], [0, 4]]),
        (4, 2, 1, (0, 4), [[0, 0], [0, 4]]),
    ],
)
def test_scaling_a_running_hold(replicas, unavailable, surge, sizes, splits):
    assert scaled(held(replicas, unavailable, surge), *sizes) == splits


@pytest.mark.parametrize(
    ("replicas", "unavailable", "surge", "sizes", "splits"),
    [
        (10, 5, 0, (15, 10, 6, 4, 10), [[7, 8], [5, 5], [3, 3], [2, 2], [5, 5]]),
        (10, 3, 1, (12, 10, 5, 3, 10), [[8, 5], [7, 4], [4, 2], [3, 1], [8, 3]]),
        (6, 0, "100%", (8, 6, 3, 6), [[8, 8], [6, 6], [3, 3], [6, 6]]),
        (4, 0, "100%", (0, 4), [[0, 0], [0, 4]]),
        (4, 2, 1, (0, 4), [[0, 0], [0, 4]]),
    ],
)
def test_scaling_a_paused_hold(replicas, unavailable, surge, sizes, splits):
    practice = held(replicas, unavailable, surge)
    practice.change(paused=True)
    practice.run()
    assert scaled(practice, *sizes) == splits


def test_a_paused_hold_that_has_drifted_is_exact_again_once_it_runs():
    practice = held(10, 3, 1)
    practice.change(paused=True)
    practice.run()
    scaled(practice, 12, 10, 5, 3, 10)
    practice.hold(4, 0, paused=False)
    practice.run()
    assert practice.sizes() == [6, 4]


def test_a_pause_with_more_surge_than_old_pods_lets_the_new_side_grow():
    practice = held(6, 5, 1)
    assert practice.sizes() == [1, 6]
    practice = held(6, 5, 0)
    practice.hold(5, 2, paused=True)
    practice.run()
    assert practice.sizes() == [1, 7]


def back(practice: Practice, strategy: dict[str, object]) -> None:
    practice.change(
        template=template("app:1"),
        paused=False,
        minReadySeconds=None,
        progressDeadlineSeconds=600,
        strategy={"type": "RollingUpdate", "rollingUpdate": strategy},
    )


@pytest.mark.parametrize(("unavailable", "surge"), [(1, 0), (3, 0), (5, 1), (6, 0), (0, 6)])
def test_the_way_back_never_falls_under_the_wanted_capacity(unavailable, surge):
    practice = held(6, unavailable, surge)
    blue = practice.sets()[0]["metadata"]["name"]
    back(practice, {"maxUnavailable": 0, "maxSurge": "100%"})
    least = 6
    for _ in range(100):
        practice.run(0.05)
        least = min(least, practice.ready())
    assert (least, practice.ready("app:1"), practice.ready("app:2")) == (6, 6, 0)
    assert practice.sets()[-1]["metadata"]["name"] == blue  # reused by its template


def test_an_undo_of_a_hold_takes_all_new_pods_at_once():
    practice = held(6, 6, 0)
    practice.change(template=template("app:1"))
    least = 6
    for _ in range(10):
        practice.run(0.01)
        least = min(least, practice.ready())
    assert least == 0


def test_the_native_finish_comes_when_the_pods_reach_their_age():
    practice = held(4, 0, 4)
    practice.run(50)
    oldest = min(one["status"]["conditions"][2]["lastTransitionTime"] for one in practice.pods("app:2"))
    assert oldest.endswith("Z")
    practice.change(minReadySeconds=80)
    practice.run(18)
    assert practice.sizes() == [4, 4]
    practice.run(3)
    assert practice.sizes() == [0, 4]


def of_ages_50_30_20_and_10() -> Practice:
    practice = held(4, 0, 1)
    for surge in (2, 3, 4):
        practice.run(10)
        practice.hold(0, surge)
    practice.run(10)
    return practice


def test_of_different_ages_each_new_pod_pays_for_one_old_pod_when_it_reaches_the_age():
    practice = of_ages_50_30_20_and_10()
    practice.change(minReadySeconds=60)
    practice.run(5)
    seen = [practice.sizes()[0]]
    for _ in range(5):
        practice.run(10)
        seen.append(practice.sizes()[0])
    assert seen == [4, 3, 3, 2, 1, 0]


def test_a_finish_by_the_youngest_age_takes_the_older_ones_at_once():
    practice = of_ages_50_30_20_and_10()
    practice.change(minReadySeconds=15)
    practice.run(1)
    assert practice.sizes() == [1, 4]
    practice.run(6)
    assert practice.sizes() == [0, 4]


def test_a_new_pod_that_turns_unready_in_the_countdown_keeps_one_old_pod():
    practice = held(4, 0, 4)
    practice.change(minReadySeconds=30)
    practice.run(5)
    practice.runtime.answer_readyz(practice.pods("app:2")[0], 503)
    practice.run(60)
    assert practice.sizes() == [1, 4]


def test_a_cancelled_finish_retires_nothing():
    practice = held(4, 0, 4)
    practice.change(minReadySeconds=30)
    practice.run(12)
    practice.change(minReadySeconds=1_000_000_000)
    practice.run(3600)
    assert practice.sizes() == [4, 4]


def test_paused_the_old_side_goes_in_one_write_when_every_new_pod_has_the_age():
    practice = held(6, 0, "100%")
    practice.change(paused=True, minReadySeconds=25)
    practice.run(12)
    assert practice.sizes() == [6, 6]
    practice.run(10)
    assert practice.sizes() == [0, 6]


def test_a_paused_finish_retires_all_old_pods_at_once():
    practice = held(6, 0, "100%")
    practice.change(paused=True)
    practice.run()
    practice.change(minReadySeconds=None)
    practice.run(0.2)
    assert practice.sizes() == [0, 6]
    assert "Scaled down replica set {} from 6 to 0".format(
        practice.sets()[0]["metadata"]["name"]
    ) in practice.events("ScalingReplicaSet")


@pytest.mark.parametrize(
    ("surge", "change", "split", "ready"),
    [
        (6, {"minReadySeconds": 1}, [0, 6], 0),
        (5, {"minReadySeconds": 1}, [6, 5], 6),
        (3, {"minReadySeconds": 1}, [6, 3], 6),
        (5, {"minReadySeconds": 1, "strategy": STEADY}, [4, 3], 4),
        (6, {"strategy": STEADY}, [3, 4], 3),
    ],
)
def test_a_foreign_write_to_a_paused_hold_before_the_flip(surge, change, split, ready):
    practice = held(6, 0, surge)
    blue = practice.sets()[0]["metadata"]["labels"]["pod-template-hash"]
    practice.change("services", selector={"pod-template-hash": blue})
    practice.change(paused=True)
    practice.run()
    practice.change(**change)
    practice.run(5)
    assert (practice.sizes(), practice.endpoints()) == (split, ready)


def test_the_flip_of_a_service_is_one_write_of_its_slice():
    practice = held(6, 0, 6)
    blue, green = (one["metadata"]["labels"]["pod-template-hash"] for one in practice.sets())
    practice.change("services", selector={"pod-template-hash": blue})
    practice.run(1)
    before = practice.store.list("endpointslices")[0]["metadata"]["generation"]
    practice.change("services", selector={"pod-template-hash": green})
    practice.run(1)
    assert practice.store.list("endpointslices")[0]["metadata"]["generation"] == before + 1
    assert practice.endpoints() == 6


def test_what_is_marked_cheap_goes_first():
    practice = held(6, 0, 2)
    cheap = practice.pods("app:1")[2:4]
    for pod in cheap:
        notes = {"controller.kubernetes.io/pod-deletion-cost": "-1000"}
        practice.store.update("pods", {**pod, "metadata": {**pod["metadata"], "annotations": notes}})
    practice.hold(2, 0)
    practice.run()
    names = {one["metadata"]["name"] for one in practice.pods("app:1")}
    assert (len(names), names & {one["metadata"]["name"] for one in cheap}) == (4, set())


@pytest.mark.parametrize(
    ("written", "cost"),
    [("5", 5), ("-1000", -1000), ("0", 0), ("007", 0), ("+5", 0), ("cheap", 0), ("4294967296", 0)],
)
def test_a_deletion_cost_is_a_plain_number_of_32_bits(written, cost):
    notes = {"controller.kubernetes.io/pod-deletion-cost": written}
    assert deletion_cost({"metadata": {"annotations": notes}}) == cost


def test_what_is_dear_goes_last():
    practice = at_rest(3)
    dear = practice.pods()[1]
    notes = {"controller.kubernetes.io/pod-deletion-cost": "5"}
    practice.store.update("pods", {**dear, "metadata": {**dear["metadata"], "annotations": notes}})
    practice.change(replicas=1)
    practice.run()
    assert [one["metadata"]["name"] for one in practice.pods()] == [dear["metadata"]["name"]]
