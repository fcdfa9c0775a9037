"""What the other controllers see to: endpoints, garbage, namespaces, quotas, budgets, autoscaling."""

from __future__ import annotations

from typing import Any

import pytest

from deployctl.sandbox.api.deleting import Wish, removed
from deployctl.sandbox.controllers.autoscaler import Autoscalers
from deployctl.sandbox.resources import BY_NAME
from tests.sandbox.imagination import Json, Practice, template


def at_rest(replicas: int = 3, **spec: Any) -> Practice:
    practice = Practice()
    practice.serve()
    practice.deploy(replicas, **spec)
    practice.run()
    return practice


def delete(practice: Practice, resource: str, name: str, namespace: str = "default", **options: Any) -> None:
    held = practice.store.get(resource, namespace, name)
    assert held is not None
    removed(practice.store, BY_NAME[resource], held, Wish(**options))


def made(practice: Practice, resource: str, name: str, spec: Json, **meta: Any) -> Json:
    kind = BY_NAME[resource]
    whole = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec}
    return practice.store.create(
        resource, {**whole, "metadata": {"name": name, "namespace": "default", **meta}}
    )


def slices(practice: Practice) -> list[Json]:
    return practice.store.list("endpointslices", "default")


# endpoints


def test_a_slice_says_where_each_pod_of_a_service_answers():
    practice = at_rest(1)
    [held], [pod] = slices(practice), practice.pods()
    assert held["metadata"]["labels"] == {
        "kubernetes.io/service-name": "wallet",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert held["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    assert held["endpoints"] == [
        {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {
                "kind": "Pod",
                "namespace": "default",
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            },
            "nodeName": "sandbox",
        }
    ]


def test_a_port_may_be_called_by_its_name():
    practice = at_rest(1)
    practice.change("services", ports=[{"port": 80, "targetPort": "http", "protocol": "TCP"}])
    practice.run(1)
    assert slices(practice)[0]["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]


def test_a_service_without_pods_has_an_empty_slice_that_is_filled_later():
    practice = Practice()
    practice.serve()
    practice.run(1)
    [empty] = slices(practice)
    assert (empty["endpoints"], empty["ports"]) == (None, None)
    practice.deploy(1)
    practice.run()
    assert [one["metadata"]["name"] for one in slices(practice)] == [empty["metadata"]["name"]]
    assert practice.endpoints() == 1


def test_a_service_that_publishes_the_unready_says_all_are_ready():
    practice = at_rest(2, template=template(NEVER_READY="1"))
    assert practice.endpoints() == 0
    practice.change("services", publishNotReadyAddresses=True)
    practice.run(1)
    assert practice.endpoints() == 2


def test_a_slice_holds_a_hundred_endpoints():
    practice = at_rest(105)
    sizes = [len(one["endpoints"]) for one in slices(practice)]
    assert (len(sizes), sum(sizes), max(sizes) <= 100) == (2, 105, True)


def test_a_flip_of_a_hundred_is_one_write():
    practice = at_rest(100)
    [before] = slices(practice)
    practice.change("services", selector={"app": "nobody"})
    practice.run(1)
    practice.change("services", selector={"app": "wallet"})
    practice.run(1)
    [after] = slices(practice)
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 2
    assert practice.endpoints() == 100


def test_a_deleted_service_takes_its_slices_along():
    practice = at_rest(1)
    delete(practice, "services", "wallet")
    practice.run(1)
    assert slices(practice) == []


# garbage


def test_a_deleted_deployment_takes_its_replica_sets_and_pods_along():
    practice = at_rest(3)
    delete(practice, "deployments", "wallet", policy="Background")
    practice.run()
    assert (practice.store.list("replicasets"), practice.store.list("pods")) == ([], [])


def test_orphans_stay():
    practice = at_rest(3)
    delete(practice, "deployments", "wallet", policy="Orphan")
    practice.run()
    [left] = practice.store.list("replicasets")
    assert "ownerReferences" not in left["metadata"]
    assert practice.ready() == 3


def test_orphans_are_adopted_again():
    practice = at_rest(2)
    [name] = [one["metadata"]["name"] for one in practice.store.list("replicasets")]
    delete(practice, "deployments", "wallet", policy="Orphan")
    practice.run()
    practice.deploy(2)
    practice.run()
    [held] = practice.store.list("replicasets")
    assert (held["metadata"]["name"], held["metadata"]["ownerReferences"][0]["name"]) == (name, "wallet")


def test_in_the_foreground_the_owner_goes_last():
    practice = at_rest(2)
    delete(practice, "deployments", "wallet", policy="Foreground")
    assert practice.deployment["metadata"]["finalizers"] == ["foregroundDeletion"]
    gone: list[str | None] = []
    practice.store.listeners.append(
        lambda event: gone.append(event.resource) if event.change == "DELETED" else None
    )
    practice.run()
    kept = [one for one in gone if one in {"pods", "replicasets", "deployments"}]
    assert kept == ["pods", "pods", "replicasets", "deployments"]


def test_what_belongs_to_nobody_goes():
    practice = Practice()
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone", "uid": "1"}
    made(practice, "configmaps", "left", {}, ownerReferences=[owner])
    practice.run()
    assert practice.store.get("configmaps", "default", "left") is None


# namespaces


def test_a_namespace_gets_the_root_certificate_again_and_again():
    practice = Practice()
    practice.run()
    delete(practice, "configmaps", "kube-root-ca.crt")
    practice.run()
    assert practice.store.get("configmaps", "default", "kube-root-ca.crt") is not None


def test_a_deleted_namespace_is_emptied_and_goes():
    practice = Practice()
    meta = {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop"}}
    spec = {"finalizers": ["kubernetes"]}
    practice.store.create(
        "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta, "spec": spec}
    )
    held = practice.deploy(2)
    practice.store.remove("deployments", "default", "wallet")
    alone = {key: value for key, value in held["metadata"].items() if key in {"name", "uid"}}
    practice.store.create("deployments", {**held, "metadata": {**alone, "namespace": "shop"}})
    practice.run()
    assert len(practice.store.list("pods", "shop")) == 2
    delete(practice, "namespaces", "shop", namespace="")
    practice.run(60)
    assert practice.store.get("namespaces", "", "shop") is None
    assert practice.store.list("events", "shop") == []


def test_a_namespace_says_what_keeps_it():
    practice = Practice()
    spec, meta = {"finalizers": ["kubernetes"]}, {"name": "shop"}
    whole = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": meta,
        "spec": spec,
        "status": {"phase": "Active"},
    }
    practice.store.create("namespaces", whole)
    made(practice, "configmaps", "kept", {}, namespace="shop", finalizers=["example.com/keep"])
    practice.run()
    delete(practice, "namespaces", "shop", namespace="")
    practice.run()
    held = practice.store.get("namespaces", "", "shop")
    assert held is not None
    told = {one["type"]: one["message"] for one in held["status"]["conditions"] if one["status"] == "True"}
    assert told == {
        "NamespaceContentRemaining": "Some resources are remaining: configmaps. has 1 resource instances",
        "NamespaceFinalizersRemaining": (
            "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances"
        ),
    }


# quotas


def test_a_quota_lets_some_pods_in_and_the_rest_later():
    practice = Practice()
    made(practice, "resourcequotas", "few", {"hard": {"pods": "4"}})
    practice.run()
    practice.deploy(6)
    practice.run(1)
    quota = practice.store.list("resourcequotas")[0]["status"]
    assert (quota, practice.ready()) == ({"hard": {"pods": "4"}, "used": {"pods": "4"}}, 4)
    [failure] = practice.sets()[0]["status"]["conditions"]
    assert failure["message"].endswith(
        "is forbidden: exceeded quota: few, requested: pods=1, used: pods=4, limited: pods=4"
    )
    assert practice.events("FailedCreate")[0].startswith('Error creating: pods "wallet-')
    practice.change("resourcequotas", "few", hard={"pods": "9"})
    practice.run(30)
    assert practice.ready() == 6


def test_a_quota_counts_down_when_pods_go():
    practice = Practice()
    made(practice, "resourcequotas", "few", {"hard": {"pods": "4"}})
    practice.run()
    practice.deploy(3)
    practice.run()
    practice.change(replicas=1)
    practice.run()
    assert practice.store.list("resourcequotas")[0]["status"]["used"] == {"pods": "1"}


def test_a_quota_on_replica_sets_stops_a_rollout_before_it_begins():
    practice = at_rest(1)
    made(practice, "resourcequotas", "few", {"hard": {"count/replicasets.apps": "1"}})
    practice.run()
    practice.change(template=template("app:2"))
    practice.run(5)
    told = {one["type"]: one for one in practice.deployment["status"]["conditions"]}["Progressing"]
    assert told["reason"] == "ReplicaSetCreateError"
    assert "exceeded quota: few, requested: count/replicasets.apps=1" in told["message"]
    assert practice.sizes() == [1]


# events


def test_events_are_forgotten_after_an_hour():
    practice = at_rest(1)
    assert practice.events("Started")
    practice.run(3700)
    assert practice.store.list("events") == []


# budgets


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"minAvailable": 2}, (1, 3, 2, 3)),
        ({"minAvailable": "100%"}, (0, 3, 3, 3)),
        ({"minAvailable": "50%"}, (1, 3, 2, 3)),
        ({"maxUnavailable": 1}, (1, 3, 2, 3)),
        ({"maxUnavailable": "50%"}, (2, 3, 1, 3)),
    ],
)
def test_a_budget_says_how_many_pods_may_go(rule, expected):
    practice = at_rest(3)
    made(practice, "poddisruptionbudgets", "wallet", {**rule, "selector": {"matchLabels": {"app": "wallet"}}})
    practice.run()
    status = practice.store.list("poddisruptionbudgets")[0]["status"]
    counts = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    assert tuple(status[key] for key in counts) == expected
    [told] = status["conditions"]
    assert told["reason"] == ("SufficientPods" if expected[0] else "InsufficientPods")


def test_an_unready_pod_uses_a_budget_up():
    practice = at_rest(3)
    made(
        practice,
        "poddisruptionbudgets",
        "wallet",
        {"minAvailable": 2, "selector": {"matchLabels": {"app": "wallet"}}},
    )
    practice.runtime.answer_readyz(practice.pods()[0], 503)
    practice.run()
    assert practice.store.list("poddisruptionbudgets")[0]["status"]["disruptionsAllowed"] == 0


# autoscaling


def requesting(cpu: str = "100m") -> Json:
    asked = template()
    asked["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
    return asked


def autoscaled(cpu: str | None, replicas: int = 3, **spec: Any) -> Practice:
    """Let pods that ask for 100m each use so much, and aim at half of it."""
    practice = Practice()
    practice.deploy(replicas, template=requesting())
    practice.run(60)
    scaler = practice.cluster.controllers["autoscaler"]
    assert isinstance(scaler, Autoscalers)
    scaler.metrics = None if cpu is None else lambda _pod: {"cpu": cpu}
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "wallet"}
    rules = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 10, **spec}
    made(
        practice,
        "horizontalpodautoscalers",
        "wallet",
        {**rules, "metrics": [{"type": "Resource", "resource": metric}]},
    )
    return practice


def scaler_status(practice: Practice) -> Json:
    return practice.store.list("horizontalpodautoscalers")[0]["status"]


def told(practice: Practice) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in scaler_status(practice)["conditions"]}


def test_twice_the_load_is_twice_the_pods_at_the_first_sync():
    practice = autoscaled("100m")
    practice.run(10)
    assert practice.sizes() == [3]
    practice.run(10)
    assert practice.sizes() == [6]
    assert practice.events("SuccessfulRescale") == [
        "New size: 6; reason: cpu resource utilization (percentage of request) above target"
    ]
    assert told(practice) == {
        "AbleToScale": ("True", "SucceededRescale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    assert scaler_status(practice)["currentMetrics"] == [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "current": {"averageUtilization": 100, "averageValue": "100m"}},
        }
    ]


@pytest.mark.parametrize("cpu", ["45m", "50m", "55m"])
def test_within_a_tenth_of_the_target_nothing_happens(cpu):
    practice = autoscaled(cpu)
    practice.run(600)
    assert practice.sizes() == [3]


def test_down_it_waits_for_five_minutes():
    practice = autoscaled("10m")
    practice.run(290)
    assert (practice.sizes(), told(practice)["AbleToScale"]) == ([3], ("True", "ScaleDownStabilized"))
    practice.run(60)
    assert practice.sizes() == [2]
    assert told(practice)["ScalingLimited"] == ("True", "TooFewReplicas")


def test_up_it_doubles_at_most():
    practice = autoscaled("500m", 5)
    practice.run(20)
    assert practice.sizes() == [10]
    assert told(practice)["ScalingLimited"] == ("True", "TooManyReplicas")
    practice = autoscaled("500m", 3, maxReplicas=50)
    practice.run(20)
    assert (practice.sizes(), told(practice)["ScalingLimited"]) == ([6], ("True", "ScaleUpLimit"))


def test_a_behaviour_limits_the_rate():
    slow = {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}
    practice = autoscaled("500m", 3, behavior=slow)
    practice.run(20)
    assert practice.sizes() == [4]
    practice.run(30)
    assert practice.sizes() == [4]
    practice.run(60)
    assert practice.sizes() == [5]


def test_a_disabled_way_down_stays():
    practice = autoscaled("10m", behavior={"scaleDown": {"selectPolicy": "Disabled"}})
    practice.run(900)
    assert practice.sizes() == [3]


def test_a_window_of_nothing_scales_down_at_once():
    practice = autoscaled("10m", behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    practice.run(40)
    assert practice.sizes() == [2]


def test_without_a_metrics_server_it_says_so():
    practice = autoscaled(None)
    practice.run(20)
    assert told(practice) == {
        "AbleToScale": ("True", "SucceededGetScale"),
        "ScalingActive": ("False", "FailedGetResourceMetric"),
    }
    problem = (
        "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from "
        "resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
    )
    assert scaler_status(practice)["conditions"][1]["message"] == (
        f"the HPA was unable to compute the replica count: {problem}"
    )
    assert practice.events("FailedGetResourceMetric") == [problem]


def test_a_target_that_is_not_there_cannot_be_scaled():
    practice = autoscaled("100m", scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"})
    practice.run(20)
    assert told(practice) == {"AbleToScale": ("False", "FailedGetScale")}


def test_a_target_out_of_bounds_is_brought_back_without_metrics():
    practice = autoscaled(None, 1)
    practice.run(20)
    assert practice.sizes() == [2]
    assert practice.events("SuccessfulRescale") == [
        "New size: 2; reason: Current number of replicas below Spec.MinReplicas"
    ]


def test_a_target_of_nothing_is_left_alone():
    practice = autoscaled("100m", 3)
    practice.change(replicas=0)
    practice.run(60)
    assert (practice.sizes(), told(practice)["ScalingActive"]) == ([0], ("False", "ScalingDisabled"))


def test_idle_pods_of_a_second_version_dilute_the_load():
    practice = autoscaled("100m", 3, behavior={"scaleDown": {"selectPolicy": "Disabled"}})
    practice.hold(0, "100%", template={**requesting(), "metadata": {"labels": {"app": "wallet", "v": "2"}}})
    scaler = practice.cluster.controllers["autoscaler"]
    assert isinstance(scaler, Autoscalers)
    scaler.metrics = lambda pod: {"cpu": "0" if pod["metadata"]["labels"].get("v") else "100m"}
    practice.run(120)
    assert practice.sizes() == [3, 3]  # twice the target in all, diluted into the tolerance
