"""What becomes of a pod: its node, its start, its probes, its restarts and its end."""

from __future__ import annotations

import pytest

from deployctl.sandbox.api.deleting import Wish, removed
from deployctl.sandbox.calls import Refused
from deployctl.sandbox.pods.kubelet import Kubelet
from deployctl.sandbox.resources import BY_NAME
from tests.sandbox.imagination import Json, Practice, template

LIVENESS = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 3}


def one(practice: Practice) -> Json:
    [pod] = practice.store.list("pods", "default")
    return pod


def running(spec: Json | None = None, **env: str) -> Practice:
    practice = Practice()
    practice.serve()
    practice.deploy(1, template=template(**env) if spec is None else spec)
    practice.run()
    return practice


def with_container(**fields: object) -> Json:
    made = template()
    made["spec"]["containers"][0].update(fields)
    return made


def kubelet(practice: Practice) -> Kubelet:
    found = practice.cluster.controllers["kubelet"]
    assert isinstance(found, Kubelet)
    return found


def state(practice: Practice) -> Json:
    return one(practice)["status"]["containerStatuses"][0]


def delete(practice: Practice, resource: str, name: str, **options: object) -> None:
    held = practice.store.get(resource, "default", name)
    assert held is not None
    removed(practice.store, BY_NAME[resource], held, Wish(**options))


def test_a_pod_comes_up_as_a_kubelet_reports_it():
    pod = one(running())
    status = pod["status"]
    assert (pod["spec"]["nodeName"], status["phase"], status["podIP"]) == ("sandbox", "Running", "10.244.0.3")
    assert [each["type"] for each in status["conditions"]] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert {each["status"] for each in status["conditions"]} == {"True"}
    assert status["containerStatuses"][0]["ready"] is True
    assert status["qosClass"] == "BestEffort"


def test_the_events_of_a_start():
    practice = running()
    name = one(practice)["metadata"]["name"]
    assert practice.events("Scheduled") == [f"Successfully assigned default/{name} to sandbox"]
    assert practice.events("Pulled") == [
        'Container image "app:1" already present on machine and can be accessed by the pod'
    ]
    assert practice.events("Created") == ["Container created"]
    assert practice.events("Started") == ["Container started"]
    assert practice.events("SuccessfulCreate") == [f"Created pod: {name}"]


def test_a_pod_is_ready_after_its_application_is():
    practice = running(READY_AFTER="30s")
    assert practice.ready() == 0
    assert state(practice)["started"] is True
    practice.run(22)
    assert practice.ready() == 1


def test_a_pod_without_probes_is_ready_as_soon_as_it_runs():
    practice = Practice()
    practice.deploy(1, template=template(probe=None, NEVER_READY="1"))
    practice.run(1)
    assert practice.ready() == 1


def test_an_unready_pod_says_why():
    practice = running(NEVER_READY="1")
    ready = one(practice)["status"]["conditions"][2]
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["message"] == "containers with unready status: [app]"
    assert practice.events("Unhealthy") == ["Readiness probe failed: HTTP probe failed with statuscode: 503"]


def test_a_readiness_failure_counts_only_after_its_threshold():
    practice = running()
    practice.runtime.answer_readyz(one(practice), 503)
    practice.run(1.5)
    assert practice.ready() == 1
    practice.run(2.5)
    assert (practice.ready(), practice.endpoints()) == (0, 0)
    practice.runtime.answer_readyz(one(practice), None)
    practice.run(2)
    assert practice.ready() == 1


def test_a_startup_probe_holds_the_other_probes_back():
    startup = {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 30}
    spec = with_container(
        startupProbe=startup, livenessProbe=LIVENESS, env=[{"name": "READY_AFTER", "value": "9s"}]
    )
    practice = Practice()
    practice.deploy(1, template=spec)
    practice.run(5)
    assert (state(practice)["started"], practice.events("Killing")) == (False, [])
    practice.run(10)
    assert (state(practice)["started"], practice.ready()) == (True, 1)


def test_a_failing_liveness_probe_restarts_the_container():
    practice = running(
        with_container(livenessProbe=LIVENESS, env=[{"name": "HEALTHZ_STATUS", "value": "500"}])
    )
    assert practice.events("Killing") == ["Container app failed liveness probe, will be restarted"]
    assert state(practice)["restartCount"] >= 1


def test_a_crash_restarts_at_once_the_first_time_and_then_backs_off():
    practice = running(CRASH_AFTER="0s")
    assert state(practice)["restartCount"] == 1
    waiting = state(practice)["state"]["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff"
    pod = one(practice)["metadata"]
    assert waiting["message"] == (
        f"back-off 10s restarting failed container=app pod={pod['name']}_default({pod['uid']})"
    )
    assert state(practice)["lastState"]["terminated"]["exitCode"] == 1
    practice.run(5)
    assert state(practice)["restartCount"] == 2
    assert state(practice)["state"]["waiting"]["message"].startswith("back-off 20s")
    assert practice.events("BackOff") == [
        f"Back-off restarting failed container app in pod {pod['name']}_default({pod['uid']})"
    ]


def test_a_crash_loop_waits_five_minutes_at_most():
    practice = running(CRASH_AFTER="0s")
    practice.run(3600)
    assert state(practice)["state"]["waiting"]["message"].startswith("back-off 5m0s")
    assert 14 <= state(practice)["restartCount"] <= 17


def test_one_crash_is_one_restart():
    practice = running()
    practice.runtime.crash(one(practice))
    practice.run(3)
    assert (state(practice)["restartCount"], practice.ready()) == (1, 1)


def test_an_image_that_no_registry_has_backs_off():
    practice = Practice()
    kubelet(practice).unpullable.add("gone:*")
    practice.deploy(1, "gone:2")
    practice.run(0.9)
    assert state(practice)["state"]["waiting"]["reason"] == "ErrImagePull"
    practice.run(5)
    assert state(practice)["state"]["waiting"]["reason"] == "ImagePullBackOff"
    assert 'Back-off pulling image "gone:2"' in practice.events("BackOff")
    status = one(practice)["status"]
    assert (status["phase"], status["conditions"][0]["status"], "podIP" in status) == (
        "Pending",
        "True",
        True,
    )
    kubelet(practice).unpullable.clear()
    practice.run(20)
    assert practice.ready() == 1


@pytest.mark.parametrize(
    ("image", "policy", "reason", "message"),
    [
        (
            "Not A Name",
            "IfNotPresent",
            "InvalidImageName",
            (
                'Failed to apply default image tag "Not A Name": couldn\'t parse image name "Not A Name": '
                "invalid reference format: repository name (library/Not A Name) must be lowercase"
            ),
        ),
        (
            "gone:2",
            "Never",
            "ErrImageNeverPull",
            'Container image "gone:2" is not present with pull policy of Never',
        ),
    ],
)
def test_an_image_that_cannot_be_had_says_why(image, policy, reason, message):
    practice = Practice()
    kubelet(practice).unpullable.add("gone:*")
    practice.deploy(1, template=with_container(image=image, imagePullPolicy=policy))
    practice.run()
    assert state(practice)["state"]["waiting"] == {"reason": reason, "message": message}


def test_a_crash_at_once_is_seen_without_any_probe():
    made = template(probe=None, CRASH_AFTER="0s")
    practice = running(made)
    assert state(practice)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert practice.runtime.log(one(practice), previous=True) == "crashing as CRASH_AFTER asks\n"


def test_a_deleted_pod_serves_until_its_pre_stop_is_over():
    practice = Practice()
    practice.serve()
    practice.deploy(1, template=with_container(lifecycle={"preStop": {"sleep": {"seconds": 5}}}))
    practice.run()
    name = one(practice)["metadata"]["name"]
    delete(practice, "pods", name)
    practice.run(3)
    slices = practice.store.list("endpointslices")[0]["endpoints"]
    [leaving] = [each for each in slices if each["targetRef"]["name"] == name]
    assert leaving["conditions"] == {"ready": False, "serving": True, "terminating": True}
    practice.run(3)
    assert practice.store.get("pods", "default", name) is None
    assert practice.events("Killing") == ["Stopping container app"]


def test_a_grace_that_is_shorter_than_the_pre_stop_cuts_it_off():
    practice = Practice()
    practice.deploy(1, template=with_container(lifecycle={"preStop": {"sleep": {"seconds": 25}}}))
    practice.run()
    name = one(practice)["metadata"]["name"]
    delete(practice, "pods", name, grace_seconds=2)
    practice.run(3)
    assert practice.store.get("pods", "default", name) is None


def test_a_pod_deleted_without_grace_is_gone_at_once_and_replaced():
    practice = running()
    name = one(practice)["metadata"]["name"]
    delete(practice, "pods", name, grace_seconds=0)
    assert practice.store.get("pods", "default", name) is None
    practice.run()
    assert practice.ready() == 1


def test_a_pod_whose_gate_is_not_met_is_not_ready():
    spec = template()
    spec["spec"]["readinessGates"] = [{"conditionType": "deployctl.dev/gate"}]
    practice = running(spec)
    assert one(practice)["status"]["conditions"][2]["reason"] == "ReadinessGatesNotReady"
    pod = one(practice)
    gate = {"type": "deployctl.dev/gate", "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z"}
    status = {**pod["status"], "conditions": [*pod["status"]["conditions"], gate]}
    practice.store.update("pods", {**pod, "status": status})
    practice.run(1)
    assert practice.ready() == 1


def test_a_pod_that_is_not_to_live_fails():
    spec = template(probe=None, CRASH_AFTER="0s")
    practice = running()
    pod = one(practice)
    alone = {"name": "job", "namespace": "default", "labels": {"job": "1"}}
    spec["spec"]["restartPolicy"] = "Never"
    practice.store.create("pods", {**pod, "metadata": alone, "spec": spec["spec"], "status": {}})
    practice.run()
    held = practice.store.get("pods", "default", "job")
    assert held is not None
    ended = held["status"]["containerStatuses"][0]
    assert (held["status"]["phase"], ended["state"]["terminated"]["exitCode"], ended["restartCount"]) == (
        "Failed",
        1,
        0,
    )
    assert held["status"]["conditions"][2]["reason"] == "PodFailed"


def test_a_pod_that_fits_on_no_node_waits_with_the_words_of_the_scheduler():
    practice = Practice()
    practice.deploy(2, template=with_container(resources={"requests": {"cpu": "5"}}))
    practice.run()
    [waiting] = [each for each in practice.pods() if not each["spec"].get("nodeName")]
    told = waiting["status"]["conditions"][0]
    assert told["reason"] == "Unschedulable"
    assert told["message"] == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )
    assert practice.events("FailedScheduling") == [told["message"]]
    practice.change(replicas=1)
    practice.run()
    assert practice.ready() == 1
    practice.change(replicas=2)
    practice.run()
    [running_one] = [each for each in practice.pods() if each["spec"].get("nodeName")]
    delete(practice, "pods", running_one["metadata"]["name"])
    practice.run()
    assert practice.ready() == 1


def test_a_pod_larger_than_any_node_is_told_that_nothing_helps():
    practice = Practice()
    practice.deploy(1, template=with_container(resources={"requests": {"cpu": "1000"}}))
    practice.run()
    [told] = practice.events("FailedScheduling")
    assert told.endswith("preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.")


def test_a_full_node_and_a_cordoned_one_say_so():
    practice = Practice()
    node = practice.store.list("nodes")[0]
    full = {**node["status"]["allocatable"], "pods": "1"}
    practice.store.update("nodes", {**node, "status": {**node["status"], "allocatable": full}})
    practice.deploy(2)
    practice.run()
    assert "1 Too many pods." in practice.events("FailedScheduling")[0]
    node = practice.store.list("nodes")[0]
    practice.store.update("nodes", {**node, "spec": {**node["spec"], "unschedulable": True}})
    practice.run()
    assert "1 node(s) were unschedulable." in "".join(practice.events("FailedScheduling"))
    node = practice.store.list("nodes")[0]
    room = {**node["status"], "allocatable": {**full, "pods": "9"}}
    practice.store.update("nodes", {**node, "spec": {}, "status": room})
    practice.run()
    assert practice.ready() == 2


def test_a_refused_pod_is_a_failure_of_the_replica_set_and_retried():
    practice = Practice()

    def at_most_two(_resource: str, pod: Json) -> Json:
        if len(practice.store.list("pods")) >= 2:
            raise Refused(403, "Forbidden", "exceeded quota: few")
        return pod

    practice.cluster.controllers["replicaset"].admit = at_most_two
    practice.deploy(5)
    practice.run(1)
    assert len(practice.pods()) == 2
    [failure] = practice.sets()[0]["status"]["conditions"]
    assert (failure["type"], failure["reason"], failure["message"]) == (
        "ReplicaFailure",
        "FailedCreate",
        "exceeded quota: few",
    )
    assert "ReplicaFailure" in {each["type"] for each in practice.deployment["status"]["conditions"]}
    assert practice.events("FailedCreate") == ["Error creating: exceeded quota: few"]
    practice.cluster.controllers["replicaset"].admit = lambda _resource, pod: pod
    practice.run(10)
    assert practice.ready() == 5
    assert "conditions" not in practice.sets()[0]["status"]


def test_a_pod_whose_labels_no_longer_match_is_let_go_and_replaced():
    practice = running()
    pod = one(practice)
    practice.store.update("pods", {**pod, "metadata": {**pod["metadata"], "labels": {"app": "other"}}})
    practice.run()
    freed = practice.store.get("pods", "default", pod["metadata"]["name"])
    assert freed is not None
    assert "ownerReferences" not in freed["metadata"]
    assert len(practice.pods()) == 2


def test_a_free_pod_that_matches_is_adopted():
    practice = running()
    pod = one(practice)
    alone = {key: value for key, value in pod["metadata"].items() if key not in {"ownerReferences", "uid"}}
    practice.store.create("pods", {**pod, "metadata": {**alone, "name": "stray"}})
    practice.run(0.03)
    stray = practice.store.get("pods", "default", "stray")
    assert stray is not None
    assert stray["metadata"]["ownerReferences"] == pod["metadata"]["ownerReferences"]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_run(seed):
    def run() -> list[str]:
        practice = Practice(seed)
        practice.serve()
        practice.deploy(3)
        practice.run()
        practice.change(template=template("app:2"))
        practice.run()
        return [
            f"{each['metadata']['name']} {each['metadata']['resourceVersion']}" for each in practice.pods()
        ]

    assert run() == run()
