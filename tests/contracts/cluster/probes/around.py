"""What stands around a Deployment: slices, budgets, autoscalers, owners, namespaces."""

from __future__ import annotations

import json
from typing import Any

from tests.contracts.cluster.objects import (
    APP,
    autoscaler,
    budget,
    config_map,
    container,
    deployment,
    pod,
    service,
    template,
)
from tests.contracts.cluster.probe import Json, Probe
from tests.contracts.cluster.probes.resting import conditions, pods, ready, steady

OF_WEB = "kubernetes.io/service-name=web"


def _slices(p: Probe) -> list[Any]:
    return p.items("endpointslices", OF_WEB)


def _endpoints(p: Probe) -> list[Any]:
    return [each for one in _slices(p) for each in one.get("endpoints") or []]


def _serving(p: Probe) -> int:
    return sum(bool(each["conditions"].get("ready")) for each in _endpoints(p))


def _app(name: str, **env: str) -> Json:
    one = pod(name, APP)
    one["spec"]["containers"] = [container(APP, probed=True, **env)]
    return one


def a_slice_lists_the_pods_of_a_service(p: Probe) -> None:
    """Ready pods with address and target; the port as the pod has it; labels and owner of the slice."""
    p.make("services", service())
    p.make("pods", _app("one"))
    p.make("pods", _app("two", NEVER_READY="1"))
    p.until(lambda: _serving(p) == 1 and len(_endpoints(p)) == 2, "both endpoints")
    found = _slices(p)[0]
    p.note("slice", {key: value for key, value in found.items() if key != "metadata"})
    meta = found["metadata"]
    p.note("metadata", {key: meta[key] for key in ("generateName", "labels", "ownerReferences")})


def a_service_without_pods_has_an_empty_slice(p: Probe) -> None:
    """The slice is there before the pods, with null for endpoints and ports."""
    p.make("services", service())
    p.until(lambda: _slices(p), "the slice")
    found = _slices(p)[0]
    p.note("slice", {key: found.get(key) for key in ("endpoints", "ports", "addressType")})


def a_service_without_a_selector_has_no_slice(p: Probe) -> None:
    """Somebody else looks after its endpoints."""
    one = service()
    del one["spec"]["selector"]
    p.make("services", one)
    p.make("services", service("other"))
    p.until(lambda: p.items("endpointslices", "kubernetes.io/service-name=other"), "the other's slice")
    p.note("slices", _slices(p))


def a_slice_goes_with_its_service(p: Probe) -> None:
    """It is owned, so the garbage collector takes it."""
    p.make("services", service())
    p.until(lambda: _slices(p), "the slice")
    p.see(p.delete("services", "web"))
    p.until(lambda: not _slices(p), "the slice to go")


def a_named_port_is_each_pods_own(p: Probe) -> None:
    """targetPort by name is looked up in the pod."""
    one = service()
    one["spec"]["ports"] = [{"name": "main", "port": 80, "targetPort": "http"}]
    p.make("services", one)
    app = _app("one")
    app["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}]
    p.make("pods", app)
    p.until(lambda: _serving(p) == 1, "the endpoint")
    p.note("ports", _slices(p)[0]["ports"])


def a_pod_without_the_label_leaves_the_slice(p: Probe) -> None:
    """deployctl detaches a pod by a label: it leaves the slice and lives on, owned as before."""
    p.make("services", service("web", app="web", serving="y"))
    p.make("deployments", deployment())
    ready(p, 2)
    p.note("nobody has the label", _serving(p))
    names = sorted(one["metadata"]["name"] for one in pods(p))
    for name in names:
        p.patch("pods", name, {"metadata": {"labels": {"serving": "y"}}})
    p.until(lambda: _serving(p) == 2, "both to serve")
    p.patch("pods", names[0], {"metadata": {"labels": {"serving": None}}})
    p.until(lambda: len(_endpoints(p)) == 1, "one to leave")
    p.note("left", [one["targetRef"]["name"] == names[1] for one in _endpoints(p)])
    p.note("pods", [len(pods(p)), "ownerReferences" in p.get("pods", names[0]).body["metadata"]])


def a_flip_is_one_write_of_the_slice(p: Probe) -> None:
    """A selector that moves from one set of pods to another: the slice goes over in one update."""
    p.make("services", service("web", app="web", side="a"))
    for side in "ab":
        for number in "12":
            p.make("pods", pod(f"{side}{number}", labels={"app": "web", "side": side}))
    p.until(lambda: _serving(p) == 2, "the first side")
    p.until(
        lambda: all(p.get("pods", f"b{n}")["status.containerStatuses.0.ready"] for n in "12"),
        "the second side",
    )
    p.pass_time(1)
    since = p.get("endpointslices")["metadata.resourceVersion"]
    watch = p.watch(p.path("endpointslices"), resourceVersion=since, labelSelector=OF_WEB)
    p.patch("services", "web", {"spec": {"selector": {"side": "b"}}})
    p.until(lambda: watch.lines, "the update")
    p.pass_time(1.5)
    shown = [json.loads(line) for line in list(watch.lines)]
    p.note(
        "writes",
        [
            [one["type"], sorted(each["targetRef"]["name"] for each in one["object"]["endpoints"])]
            for one in shown
        ],
    )


def a_terminating_pod_is_an_endpoint_that_serves(p: Probe) -> None:
    """While it sleeps before its end: not ready, serving, terminating."""
    p.make("services", service())
    one = _app("one")
    one["spec"]["terminationGracePeriodSeconds"] = 15
    one["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 4}}}
    p.make("pods", one)
    p.until(lambda: _serving(p) == 1, "the endpoint")
    p.delete("pods", "one")
    p.until(lambda: _endpoints(p)[0]["conditions"]["terminating"], "the mark")
    p.note("conditions", _endpoints(p)[0]["conditions"])
    p.until(lambda: not _endpoints(p), "its end")


def a_budget_counts(p: Probe) -> None:
    """How many are wanted, healthy and may go; in numbers and per cent, up and down."""
    p.make("deployments", deployment(replicas=3))
    ready(p, 3)
    for number, bound in enumerate(
        ({"minAvailable": 2}, {"maxUnavailable": 1}, {"minAvailable": "50%"}, {"maxUnavailable": "50%"})
    ):
        p.make("poddisruptionbudgets", budget(f"b{number}", **bound))
        p.until(
            lambda number=number: p.get("poddisruptionbudgets", f"b{number}")["status.expectedPods"] == 3,
            "its status",
        )
        found = p.get("poddisruptionbudgets", f"b{number}").body
        p.note(str(bound), {key: value for key, value in found["status"].items() if key != "conditions"})
        p.note("conditions", conditions(found))


def a_budget_without_pods_allows_nothing(p: Probe) -> None:
    """Nothing is healthy, nothing is wanted, nothing may go."""
    p.make("poddisruptionbudgets", budget(minAvailable=1))
    p.until(lambda: p.get("poddisruptionbudgets", "web")["status.observedGeneration"], "its status")
    p.see(p.get("poddisruptionbudgets", "web"), "status")


def an_eviction_asks_the_budget(p: Probe) -> None:
    """Allowed it deletes the pod; not allowed it is a 429 that names the budget."""
    p.make("deployments", deployment(replicas=2))
    ready(p, 2)
    p.make("poddisruptionbudgets", budget(minAvailable=1))
    p.until(lambda: p.get("poddisruptionbudgets", "web")["status.disruptionsAllowed"] == 1, "room for one")
    p.patch("poddisruptionbudgets", "web", {"spec": {"minAvailable": 2}})
    p.until(lambda: p.get("poddisruptionbudgets", "web")["status.disruptionsAllowed"] == 0, "no room")
    name = pods(p)[0]["metadata"]["name"]
    wish = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    p.see(p.post("pods", wish, name, "eviction"))
    p.patch("poddisruptionbudgets", "web", {"spec": {"minAvailable": 1}})
    p.until(lambda: p.get("poddisruptionbudgets", "web")["status.disruptionsAllowed"] == 1, "room for one")
    p.see(p.post("pods", wish, name, "eviction"))
    p.until(lambda: name not in {one["metadata"]["name"] for one in pods(p)}, "the pod to go")
    p.see(p.post("pods", {**wish, "metadata": {"name": "none"}}, "none", "eviction"))


def an_autoscaler_without_metrics_says_so(p: Probe) -> None:
    """It can see the scale and no metric: ScalingActive=False, nothing is scaled."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.make("horizontalpodautoscalers", autoscaler())
    p.until(lambda: p.get("horizontalpodautoscalers", "web")["status.conditions"], "its status")
    one = p.get("horizontalpodautoscalers", "web").body
    p.note("conditions", [[each["type"], each["status"], each["reason"]] for each in conditions(one)])
    p.note("replicas", [one["status"].get("currentReplicas"), one["status"].get("desiredReplicas")])


def an_autoscaler_keeps_its_bounds(p: Probe) -> None:
    """Below the least or above the most it scales at once, without any metric; at 0 it does nothing."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.make("horizontalpodautoscalers", autoscaler(minReplicas=2, maxReplicas=3))
    p.until(lambda: p.get("deployments", "web")["spec.replicas"] == 2, "the least")
    p.patch("deployments", "web", {"spec": {"replicas": 4}}, sub="scale")
    p.until(lambda: p.get("deployments", "web")["spec.replicas"] == 3, "the most")
    p.patch("deployments", "web", {"spec": {"replicas": 0}}, sub="scale")

    def disabled() -> bool:
        found = conditions(p.get("horizontalpodautoscalers", "web").body)
        return any(each["reason"] == "ScalingDisabled" for each in found)

    p.until(disabled, "the word")
    p.note("at 0", conditions(p.get("horizontalpodautoscalers", "web").body))


def what_is_owned_goes_with_its_owner(p: Probe) -> None:
    """A Deployment, then its ReplicaSet, then the pods; the answer is a Status."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.see(p.delete("deployments", "web"))
    p.until(lambda: not p.items("replicasets") and not p.items("pods"), "all to go")


def orphans_stay(p: Probe) -> None:
    """propagationPolicy Orphan: the ReplicaSet stays, without an owner."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.see(p.delete("deployments", "web", propagationPolicy="Orphan"), "kind", "metadata.finalizers", "status")
    p.until(lambda: p.get("deployments", "web").status == 404, "the end")
    p.note("owner", [one["metadata"].get("ownerReferences") for one in p.items("replicasets")])
    p.note("pods", len(pods(p)))


def the_owner_may_go_last(p: Probe) -> None:
    """propagationPolicy Foreground: a finalizer holds the owner until what it owns is gone."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.see(p.delete("deployments", "web", propagationPolicy="Foreground"), "kind", "metadata.finalizers")
    p.until(lambda: p.get("deployments", "web").status == 404, "the end")
    p.note("left", [len(p.items("replicasets")), len(p.items("pods"))])
    p.see(p.delete("deployments", "web", propagationPolicy="Sideways"))


def an_owner_that_is_not_there_takes_what_it_owns(p: Probe) -> None:
    """A reference to a uid that is gone: garbage."""
    owner = p.make("configmaps", config_map("owner"))["metadata"]
    one = config_map("owned")
    one["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    ]
    p.make("configmaps", one)
    p.delete("configmaps", "owner")
    p.until(lambda: p.get("configmaps", "owned").status == 404, "the end")
    p.note("gone", p.get("configmaps", "owned").status)


def a_namespace_takes_all_with_it(p: Probe) -> None:
    """While it ends it takes nothing new; then it is gone, and everything in it."""
    name = f"{p.namespace}-2"
    p.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    where = f"/api/v1/namespaces/{name}"
    held = config_map()
    held["metadata"]["finalizers"] = ["example.com/keep"]
    p.send("POST", f"{where}/configmaps", held)
    p.see(p.send("GET", where), "metadata.labels", "spec", "status")
    p.see(p.send("DELETE", where), "kind", "status.phase", "metadata.deletionTimestamp")
    p.until(lambda: p.send("GET", where)["status.conditions"], "its conditions")
    p.see(p.send("POST", f"{where}/configmaps", config_map("late")))
    p.send(
        "PATCH",
        f"{where}/configmaps/notes",
        {"metadata": {"finalizers": None}},
        "application/merge-patch+json",
    )
    p.until(lambda: p.send("GET", where).status == 404, "the end", 60)
    p.note("left", p.send("GET", f"{where}/configmaps")["items"])


def a_replica_set_of_no_deployment_lives(p: Probe) -> None:
    """A Deployment adopts a ReplicaSet that its selector chooses and that nobody owns."""
    p.make("deployments", deployment(replicas=1))
    ready(p, 1)
    p.delete("deployments", "web", propagationPolicy="Orphan")
    p.until(lambda: p.get("deployments", "web").status == 404, "the end")
    names = [one["metadata"]["name"] for one in p.items("replicasets")]
    p.make("deployments", deployment(replicas=1))
    steady(p)
    p.note("the same", names == [one["metadata"]["name"] for one in p.items("replicasets")])
    p.note("owned", [one["kind"] for one in p.items("replicasets")[0]["metadata"]["ownerReferences"]])


def two_templates_of_one_text_are_one(p: Probe) -> None:
    """Defaults that are written out do not make a new revision."""
    p.make("deployments", deployment(replicas=0))
    steady(p)
    full = template()
    full["spec"] |= {
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
    }
    p.patch("deployments", "web", {"spec": {"template": full}})
    steady(p)
    p.note("ReplicaSets", len(p.items("replicasets")))
