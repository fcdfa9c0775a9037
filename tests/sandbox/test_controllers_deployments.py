"""What the controllers of a Deployment write down: revisions, conditions, history."""

from __future__ import annotations

from typing import Any

from tests.sandbox.imagination import HOLD, Json, Practice, template

REVISION = "deployment.kubernetes.io/revision"


def at_rest(replicas: int = 3, **spec: Any) -> Practice:
    practice = Practice()
    practice.deploy(replicas, **spec)
    practice.run()
    return practice


def notes(one: Json) -> Json:
    return one["metadata"]["annotations"]


def annotate(practice: Practice, **new: str | None) -> None:
    held = practice.deployment
    kept = {key: value for key, value in {**notes(held), **new}.items() if value is not None}
    practice.store.update("deployments", {**held, "metadata": {**held["metadata"], "annotations": kept}})


def conditions(practice: Practice) -> dict[str, tuple[str, str]]:
    told = practice.deployment["status"]["conditions"]
    return {one["type"]: (one["status"], one["reason"]) for one in told}


def test_a_new_deployment_is_available_and_has_progressed():
    practice = at_rest()
    assert conditions(practice) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    name = practice.sets()[0]["metadata"]["name"]
    assert practice.deployment["status"]["conditions"][1]["message"] == (
        f'ReplicaSet "{name}" has successfully progressed.'
    )
    assert practice.deployment["metadata"]["generation"] == 1
    assert practice.deployment["status"]["observedGeneration"] == 1


def test_a_replica_set_is_named_by_the_hash_of_its_template():
    [held] = at_rest().sets()
    digest = held["metadata"]["labels"]["pod-template-hash"]
    assert held["metadata"]["name"] == f"wallet-{digest}"
    assert held["spec"]["selector"]["matchLabels"] == {"app": "wallet", "pod-template-hash": digest}
    assert notes(held) == {
        REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }


def test_the_deployment_s_annotations_go_to_the_new_replica_set_and_stay_there():
    practice = at_rest()
    annotate(practice, mine="1", **{"kubectl.kubernetes.io/last-applied-configuration": "{}"})
    practice.run()
    annotate(practice, mine=None)
    practice.run()
    held = notes(practice.sets()[0])
    assert held["mine"] == "1"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in held


def test_a_template_that_comes_back_reuses_its_replica_set_under_a_new_revision():
    practice = at_rest()
    first = practice.sets()[0]["metadata"]["name"]
    practice.change(template=template("app:2"))
    practice.run()
    practice.change(template=template("app:1"))
    practice.run()
    again = practice.sets()[-1]
    assert again["metadata"]["name"] == first
    assert (notes(again)[REVISION], notes(again)["deployment.kubernetes.io/revision-history"]) == ("3", "1")
    assert notes(practice.deployment)[REVISION] == "3"


def test_only_as_many_old_revisions_stay_as_the_history_limit_says():
    practice = at_rest(2, revisionHistoryLimit=1)
    for image in ("app:2", "app:3", "app:4"):
        practice.change(template=template(image))
        practice.run()
    assert [notes(one)[REVISION] for one in practice.sets()] == ["3", "4"]


def test_a_name_that_is_taken_counts_a_collision():
    practice = at_rest(1)
    taken = practice.sets()[0]
    practice.store.update("replicasets", {**taken, "spec": {**taken["spec"], "template": template("x:1")}})
    practice.run()
    assert practice.deployment["status"]["collisionCount"] == 1
    assert len(practice.sets()) == 2


def test_a_pause_is_told_and_its_end():
    practice = at_rest()
    practice.change(paused=True)
    practice.run()
    assert conditions(practice)["Progressing"] == ("Unknown", "DeploymentPaused")
    practice.change(paused=False)
    practice.run(0.1)
    assert conditions(practice)["Progressing"][1] in {"DeploymentResumed", "NewReplicaSetAvailable"}


def test_a_paused_deployment_scales_but_does_not_roll():
    practice = at_rest(2)
    practice.change(paused=True, template=template("app:2"), replicas=4)
    practice.run()
    assert practice.sizes() == [4]


def test_a_rollout_that_does_not_get_on_misses_its_deadline():
    practice = at_rest(2, progressDeadlineSeconds=30)
    practice.change(template=template("app:2", NEVER_READY="1"))
    practice.run(20)
    assert conditions(practice)["Progressing"] == ("True", "ReplicaSetUpdated")
    practice.run(20)
    assert conditions(practice)["Progressing"] == ("False", "ProgressDeadlineExceeded")
    name = practice.sets()[1]["metadata"]["name"]
    assert f'ReplicaSet "{name}" has timed out progressing.' in [
        one["message"] for one in practice.deployment["status"]["conditions"]
    ]


def test_a_deadline_of_all_seconds_means_none():
    practice = at_rest(2)
    practice.change(template=template("app:2", NEVER_READY="1"), **HOLD)
    practice.run(900)
    assert conditions(practice) == {"Available": ("True", "MinimumReplicasAvailable")}


def test_recreate_waits_for_the_end_of_every_old_pod():
    practice = at_rest(3, strategy={"type": "Recreate"})
    slow = {"preStop": {"sleep": {"seconds": 5}}}
    made = template("app:2")
    made["spec"]["containers"][0]["lifecycle"] = slow
    practice.change(template=made)
    practice.run()
    practice.change(template=template("app:3"))
    practice.run(4)
    assert practice.sizes() == [0, 0]
    practice.run(10)
    assert (practice.sizes(), practice.ready("app:3")) == ([0, 0, 3], 3)


def test_pods_count_as_available_after_min_ready_seconds():
    practice = at_rest(2, minReadySeconds=60)
    assert practice.deployment["status"].get("availableReplicas", 0) == 0
    practice.run(55)
    assert practice.deployment["status"]["availableReplicas"] == 2


def test_scaling_is_told_in_events():
    practice = at_rest(3)
    practice.change(replicas=5)
    practice.run()
    name = practice.sets()[0]["metadata"]["name"]
    assert set(practice.events("ScalingReplicaSet")) == {
        f"Scaled up replica set {name} from 0 to 3",
        f"Scaled up replica set {name} from 3 to 5",
    }


def test_terminating_pods_are_counted():
    made = template()
    made["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
    practice = at_rest(3, template=made)
    practice.change(replicas=1)
    practice.run(2)
    assert practice.deployment["status"]["terminatingReplicas"] == 2
    practice.run(10)
    assert practice.deployment["status"]["terminatingReplicas"] == 0


def test_the_default_rolling_keeps_three_quarters_ready_and_adds_a_quarter():
    practice = at_rest(8)
    practice.change(template=template("app:2"))
    least, most = 8, 8
    for _ in range(100):
        practice.run(0.05)
        least, most = min(least, practice.ready()), max(most, len(practice.pods()))
    assert (least >= 6, most <= 10, practice.ready("app:2")) == (True, True, 8)
