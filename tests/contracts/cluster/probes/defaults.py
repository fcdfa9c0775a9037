"""What the server fills in, and the smaller doors beside an object: scale, log, proxy, eviction, reviews."""

from __future__ import annotations

import re

from tests.contracts.cluster.objects import (
    APP,
    autoscaler,
    budget,
    container,
    deployment,
    pod,
    quota,
    service,
)
from tests.contracts.cluster.probe import Json, Probe

REVIEWS = "/apis/authorization.k8s.io/v1"


def a_deployment_is_completed(p: Probe) -> None:
    """A quarter each way, ten revisions, ten minutes; the pod template likewise."""
    box = {
        **container(APP, probed=True),
        "ports": [{"containerPort": 8080}],
        "livenessProbe": {"httpGet": {"port": 8080}},
        "env": [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    pods = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [box]}}
    p.see(p.post("deployments", deployment(replicas=0, pods=pods)))
    bare = deployment("bare", pods=pods)
    del bare["spec"]["replicas"]
    p.see(
        p.post("deployments", {**bare, "spec": {**bare["spec"], "strategy": {}}}, dryRun="All"),
        "spec.replicas",
        "spec.strategy",
    )


def an_image_decides_its_pull_policy(p: Probe) -> None:
    """Always for `latest` or no tag, else IfNotPresent."""
    told = {}
    for image in ("a", "a:latest", "a:1", "localhost:5000/a", "a@sha256:" + "0" * 64):
        pods = {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": image}]},
        }
        made = p.post("deployments", deployment(pods=pods), dryRun="All")
        told[image] = made["spec.template.spec.containers.0.imagePullPolicy"]
    p.note("policies", told)


def a_rolling_update_is_completed_by_halves(p: Probe) -> None:
    """What of a strategy is left out is 25%."""
    for given in (
        {"rollingUpdate": {"maxSurge": 1}},
        {"rollingUpdate": {"maxUnavailable": 0}},
        {"type": "Recreate"},
    ):
        p.see(p.post("deployments", deployment(strategy=given), dryRun="All"), "spec.strategy")


def a_replica_set_is_completed(p: Probe) -> None:
    """One replica, and the labels of its template."""
    one = {**deployment(), "kind": "ReplicaSet"}
    del one["spec"]["replicas"]
    p.see(p.post("replicasets", one, dryRun="All"), "spec.replicas", "metadata.labels", "status")


def a_service_is_completed(p: Probe) -> None:
    """An address, ClusterIP, TCP, one family."""
    p.see(p.post("services", service()))
    headless = service("headless")
    headless["spec"]["clusterIP"] = "None"
    p.see(p.post("services", headless), "spec.clusterIPs", "spec.ports")
    named = service("named")
    named["spec"] = {"type": "ExternalName", "externalName": "example.com"}
    p.see(p.post("services", named), "spec")


def a_pod_is_completed(p: Probe) -> None:
    """All that admission adds: the service account's volume, tolerations, priority, quality of service."""
    p.see(p.post("pods", pod(), dryRun="All"))


def a_budget_is_completed(p: Probe) -> None:
    """Nothing is added; the status is empty until the controller looks."""
    p.see(p.post("poddisruptionbudgets", budget(maxUnavailable=1), dryRun="All"))


def an_autoscaler_is_completed(p: Probe) -> None:
    """80% of cpu where no metric is named, and how fast it may go up and down."""
    p.see(p.post("horizontalpodautoscalers", autoscaler(), dryRun="All"))
    slow = {"scaleDown": {"selectPolicy": "Disabled"}}
    p.see(p.post("horizontalpodautoscalers", autoscaler(behavior=slow), dryRun="All"), "spec.behavior")


def a_quota_is_completed(p: Probe) -> None:
    """Only what was asked."""
    p.see(p.post("resourcequotas", quota(pods="1"), dryRun="All"))


def scale_is_a_door_to_the_replicas(p: Probe) -> None:
    """`/scale` reads and writes the number alone, and gives the selector as text."""
    p.make("deployments", deployment(replicas=0))
    p.until(lambda: p.get("deployments", "web")["status.observedGeneration"], "the controller")
    p.see(p.get("deployments", "web", "scale"))
    p.see(p.patch("deployments", "web", {"spec": {"replicas": 1}}, sub="scale"), "spec", "kind")
    p.see(p.get("deployments", "web"), "spec.replicas", "metadata.generation")
    p.see(p.patch("deployments", "web", {"spec": {"replicas": -1}}, sub="scale"))
    p.see(p.get("deployments", "none", "scale"))
    stale = p.get("deployments", "web", "scale").body
    p.patch("deployments", "web", {"metadata": {"labels": {"a": "b"}}})
    stale["spec"]["replicas"] = 2
    p.see(p.send("PUT", p.path("deployments", "web", "scale"), stale))


def _running(p: Probe, one: Json) -> None:
    p.make("pods", one)

    def ready() -> bool:
        conditions = p.get("pods", one["metadata"]["name"])["status.conditions"] or []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    p.until(ready, "a ready pod")


def _app(name: str, **env: str) -> Json:
    one = pod(name, APP, **env)
    one["spec"]["containers"] = [container(APP, probed=True, **env)]
    return one


def a_pod_is_asked_through_the_proxy(p: Probe) -> None:
    """What the pod says comes through: status, type and body."""
    _running(p, _app("one", HEALTHZ_STATUS="503"))
    asked = p.get("pods", "one:8080", "proxy", "balances", "canary")
    p.note("page", [asked.status, asked.headers["content-type"], asked["player"], asked["balance"]])
    p.note("bad page", p.get("pods", "one:8080", "proxy", "healthz").status)
    p.note("no page", p.get("pods", "http:one:8080", "proxy", "none").status)
    p.note("query", p.get("pods", "one:8080", "proxy", "readyz", hold_ms=1).status)


def a_pod_that_does_not_answer_is_503_by_the_server(p: Probe) -> None:
    """The server's own Status, whatever the pod: no port, no pod, no address yet."""
    _running(p, _app("one"))
    closed = p.see(p.get("pods", "one:9999", "proxy", "healthz"), "code", "reason", "kind")
    p.note("message", re.sub(r"\d+\.\d+\.\d+\.\d+", "IP", closed["message"]))
    p.see(p.get("pods", "none:8080", "proxy", "healthz"))


def a_log_is_text(p: Probe) -> None:
    """What a container wrote; its end by lines; of a container that is named."""
    _running(p, _app("one", SERVICE="web", REVISION="r1"))
    said = p.get("pods", "one", "log")
    p.note("log", [said.status, said.headers["content-type"], said.raw.decode()])
    p.note("tail", p.get("pods", "one", "log", tailLines=1, container="app").raw.decode())
    p.note("no lines", p.get("pods", "one", "log", tailLines=0).raw.decode())
    p.note("bytes", p.get("pods", "one", "log", limitBytes=3).raw.decode())
    p.see(p.get("pods", "one", "log", container="none"))
    p.see(p.get("pods", "one", "log", previous="true"))
    p.see(p.get("pods", "one", "log", tailLines=-1))


def who_may_what_is_told(p: Probe) -> None:
    """The administrator may everything: reviews say so, with the reason or without."""
    wanted = {"namespace": p.namespace, "group": "apps", "resource": "deployments", "verb": "patch"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    p.see(p.send("POST", f"{REVIEWS}/selfsubjectaccessreviews", review), "kind", "spec", "status.allowed")
    rules = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": p.namespace},
    }
    told = p.send("POST", f"{REVIEWS}/selfsubjectrulesreviews", rules)
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    p.note("rules", [told.status, told["status.incomplete"], everything in told["status.resourceRules"]])
    p.see(p.send("POST", f"{REVIEWS}/selfsubjectaccessreviews", {**review, "spec": {}}))
    p.see(p.send("POST", f"{REVIEWS}/selfsubjectrulesreviews", {**rules, "spec": {}}))
