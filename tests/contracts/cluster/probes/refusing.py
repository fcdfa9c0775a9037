"""What is refused, in the server's words: specs that are invalid, fields that nobody knows, wrong types."""

from __future__ import annotations

import copy
from typing import Any

from tests.contracts.cluster.objects import (
    autoscaler,
    budget,
    config_map,
    container,
    deployment,
    lease,
    pod,
    quota,
    replica_set,
    service,
    template,
)
from tests.contracts.cluster.probe import Json, Probe


def _with(change: Json, **spec: Any) -> Json:
    """Give a Deployment whose container has a change."""
    pods = template()
    pods["spec"]["containers"][0].update(change)
    return deployment("bad", 1, pods, **spec)


def _rolling(unavailable: Any, surge: Any) -> Json:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}}


def nothing_can_move_with_no_room(p: Probe) -> None:
    """maxUnavailable and maxSurge may not both be 0, as numbers or per cent."""
    p.see(p.post("deployments", deployment(strategy=_rolling(0, 0))))
    p.see(p.post("deployments", deployment(strategy=_rolling("0%", "0%"))))


def amounts_of_a_rollout_are_whole_and_not_too_many(p: Probe) -> None:
    """Numbers over 0 or per cents, at most 100% unavailable."""
    for pair in ((-1, 1), ("150%", 1), (1, "many"), (1, -1), (1.5, 1)):
        p.see(p.post("deployments", deployment(strategy=_rolling(*pair))))


def a_strategy_is_of_its_type(p: Probe) -> None:
    """Recreate has no rollingUpdate, and there are two types."""
    p.see(p.post("deployments", deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}})))
    p.see(p.post("deployments", deployment(strategy={"type": "BlueGreen"})))


def the_template_must_match_its_selector(p: Probe) -> None:
    """A selector that chooses other pods, or none at all."""
    p.see(p.post("deployments", deployment(pods=template(labels={"app": "other"}))))
    p.see(p.post("deployments", deployment(selector={})))
    p.see(p.post("deployments", deployment(selector=None)))
    p.see(p.post("replicasets", replica_set(pods=template(labels={"app": "other"}))))
    p.see(
        p.post("deployments", deployment(selector={"matchExpressions": [{"key": "app", "operator": "In"}]}))
    )


def a_selector_never_changes(p: Probe) -> None:
    """spec.selector of a Deployment is immutable."""
    p.make("deployments", deployment(replicas=0))
    change = {
        "spec": {
            "selector": {"matchLabels": {"app": "new"}},
            "template": {"metadata": {"labels": {"app": "new"}}},
        }
    }
    p.see(p.patch("deployments", "web", change))


def times_of_a_deployment_have_their_order(p: Probe) -> None:
    """The deadline is longer than minReadySeconds; nothing is below 0."""
    p.see(p.post("deployments", deployment(minReadySeconds=10, progressDeadlineSeconds=10)))
    p.see(p.post("deployments", deployment(minReadySeconds=-1)))
    p.see(p.post("deployments", deployment(replicas=-1)))
    p.see(p.post("deployments", deployment(revisionHistoryLimit=-1)))
    p.see(p.post("deployments", deployment(minReadySeconds=1000000000)))
    p.see(
        p.post("deployments", deployment(minReadySeconds=1000000000, progressDeadlineSeconds=2147483647)),
        "spec",
    )


def a_container_needs_name_and_image(p: Probe) -> None:
    """Names are DNS labels, and two containers have two names."""
    p.see(p.post("deployments", _with({"name": ""})))
    p.see(p.post("deployments", _with({"name": "My App"})))
    p.see(p.post("deployments", _with({"image": ""})))
    p.see(p.post("deployments", _with({"image": " localhost/x "})))
    two = template()
    two["spec"]["containers"] *= 2
    p.see(p.post("deployments", deployment(pods=two)))
    none = template()
    none["spec"]["containers"] = []
    p.see(p.post("deployments", deployment(pods=none)))


def ports_have_their_range_and_names(p: Probe) -> None:
    """1 to 65535; names of at most 15 characters; each number and name once."""
    p.see(p.post("deployments", _with({"ports": [{"containerPort": 0}]})))
    p.see(p.post("deployments", _with({"ports": [{"containerPort": 70000}]})))
    p.see(p.post("deployments", _with({"ports": [{"containerPort": 80, "name": "Much_Too_Long_A_Name"}]})))
    p.see(
        p.post(
            "deployments",
            _with({"ports": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]}),
        )
    )
    p.see(p.post("deployments", _with({"ports": [{"containerPort": 80, "protocol": "HTTP"}]})))


def variables_have_names_and_one_source(p: Probe) -> None:
    """A value or a source; the name without `=`."""
    p.see(p.post("deployments", _with({"env": [{"name": ""}]})))
    p.see(p.post("deployments", _with({"env": [{"name": "A=B", "value": "x"}]})))
    both = {"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    p.see(p.post("deployments", _with({"env": [both]})))


def a_probe_has_one_way_and_sane_times(p: Probe) -> None:
    """One handler; the times are not below their least."""
    http = {"httpGet": {"path": "/", "port": 80}}
    p.see(p.post("deployments", _with({"readinessProbe": {}})))
    p.see(p.post("deployments", _with({"readinessProbe": {**http, "tcpSocket": {"port": 80}}})))
    p.see(
        p.post("deployments", _with({"readinessProbe": {**http, "periodSeconds": -1, "timeoutSeconds": -1}}))
    )
    p.see(p.post("deployments", _with({"readinessProbe": {"httpGet": {"path": "/", "port": 0}}})))
    p.see(p.post("deployments", _with({"livenessProbe": {**http, "successThreshold": 2}})))


def a_pre_stop_sleep_fits_the_grace(p: Probe) -> None:
    """deployctl adds one: it must be shorter than the grace period."""
    pods = template()
    pods["spec"]["terminationGracePeriodSeconds"] = 5
    pods["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 9}}}
    p.see(p.post("deployments", deployment(pods=pods)))
    pods["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 3}}}
    done = p.post("deployments", deployment(replicas=0, pods=pods))
    p.note("fits", [done.status, done["spec.template.spec.containers.0.lifecycle"]])
    pods["spec"]["containers"][0]["lifecycle"] = {"preStop": {}}
    p.see(p.post("deployments", deployment("other", pods=pods)))


def amounts_of_resources_are_quantities(p: Probe) -> None:
    """Requests are not over limits, and both can be read."""
    p.see(
        p.post("deployments", _with({"resources": {"requests": {"cpu": "200m"}, "limits": {"cpu": "100m"}}}))
    )
    p.see(p.post("deployments", _with({"resources": {"requests": {"cpu": "lots"}}})))
    p.see(p.post("deployments", _with({"resources": {"requests": {"memory": "-1"}}})))
    p.see(p.post("deployments", _with({"resources": {"requests": {"bananas": "1"}}})))


def a_template_restarts_always(p: Probe) -> None:
    """A Deployment's pods have no other restartPolicy; a pull policy and a DNS policy are one of their kind."""
    pods = template()
    pods["spec"]["restartPolicy"] = "Never"
    p.see(p.post("deployments", deployment(pods=pods)))
    p.see(p.post("deployments", _with({"imagePullPolicy": "Sometimes"})))


def labels_have_a_form(p: Probe) -> None:
    """At most 63 characters, of the right kind, at both ends, too; annotations have keys of the same form."""
    p.see(p.post("configmaps", config_map(labels={"a": "b c"})))
    p.see(p.post("configmaps", config_map(labels={"a": "x" * 64})))
    p.see(p.post("configmaps", config_map(labels={"-a": "b"})))
    bad = config_map()
    bad["metadata"]["annotations"] = {"a b": "c"}
    p.see(p.post("configmaps", bad))


def what_is_changed_is_checked_more_than_once(p: Probe) -> None:
    """A bad label in an update has a cause for every time that it was looked at."""
    p.make("configmaps", config_map())
    p.make("services", service())
    p.make("leases", lease())
    p.make("deployments", deployment(replicas=0))
    for kind, name in {
        "configmaps": "notes",
        "services": "web",
        "leases": "lock",
        "deployments": "web",
    }.items():
        bad = p.patch(kind, name, {"metadata": {"labels": {"a": "b c"}}})
        p.note(kind, [one["field"] for one in bad["details.causes"] or [{"field": bad["message"]}]])
    p.see(p.patch("leases", "lock", {"metadata": {"labels": {"a": "b c"}}}))


def an_unknown_field_is_refused_when_strict(p: Probe) -> None:
    """deployctl asks for Strict: each unknown or doubled field is named."""
    one = deployment(replicas=0, minReadySecond=5)
    one["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    p.see(p.post("deployments", one, fieldValidation="Strict"))
    p.make("deployments", deployment(replicas=0))
    ops = [{"op": "add", "path": "/spec/template/spec/containers/0/imagee", "value": "x"}]
    p.see(p.patch("deployments", "web", ops, fieldValidation="Strict"))
    p.see(p.patch("deployments", "web", {"spec": {"pawsed": True}}, fieldValidation="Strict"))
    double = (
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1"},"data":{"a":"2"}}'
    )
    p.see(p.send("POST", p.path("configmaps"), double, fieldValidation="Strict"))


def an_unknown_field_is_a_warning_else(p: Probe) -> None:
    """Warn says so in a header, Ignore does not; the field is dropped. Warn is what happens without a wish."""
    one = deployment(replicas=0, minReadySecond=5)
    p.see(p.post("deployments", one, fieldValidation="Warn", dryRun="All"), "spec.minReadySecond")
    p.see(p.post("deployments", one, dryRun="All"), "spec.minReadySecond")
    p.see(p.post("deployments", one, fieldValidation="Ignore", dryRun="All"), "spec.minReadySecond")
    p.see(p.post("deployments", one, fieldValidation="Maybe", dryRun="All"))


def a_wrong_type_is_400(p: Probe) -> None:
    """A text for a number, a list for an object: the decoder says which Go type it could not fill."""
    p.see(p.post("deployments", deployment(replicas="two")))
    p.see(p.post("deployments", deployment(template=[])))
    p.see(p.post("deployments", deployment(paused="yes")))
    p.see(p.post("configmaps", {**config_map(), "data": {"a": 1}}))
    p.make("deployments", deployment(replicas=0))
    p.see(p.patch("deployments", "web", {"spec": {"replicas": "two"}}))
    p.see(p.patch("deployments", "web", [{"op": "add", "path": "/spec/replicas", "value": "two"}]))


def a_body_that_is_no_json_is_400(p: Probe) -> None:
    """Cut off, empty, a list."""
    p.see(p.send("POST", p.path("configmaps"), b'{"kind": '))
    p.see(p.send("POST", p.path("configmaps"), b""))
    p.see(p.send("POST", p.path("configmaps"), b"[]"))
    p.make("configmaps", config_map())
    p.see(p.send("PATCH", p.path("configmaps", "notes"), b'{"data": ', "application/merge-patch+json"))


def a_service_has_its_rules(p: Probe) -> None:
    """Ports, their names and their range; the address never changes."""
    bad = service("bad")
    bad["spec"]["ports"] = []
    p.see(p.post("services", bad))
    bad["spec"]["ports"] = [{"port": 80}, {"port": 81}]
    p.see(p.post("services", bad))
    bad["spec"]["ports"] = [{"port": 0}]
    p.see(p.post("services", bad))
    bad["spec"] = {"type": "Sometimes", "ports": [{"port": 80}]}
    p.see(p.post("services", bad))
    p.see(p.post("services", service("bad", **{"bad key": "x"})))
    p.make("services", service())
    p.see(p.patch("services", "web", {"spec": {"clusterIP": "10.96.77.77"}}))


def a_budget_has_one_bound(p: Probe) -> None:
    """minAvailable or maxUnavailable."""
    p.see(p.post("poddisruptionbudgets", budget(minAvailable=1, maxUnavailable=1)))
    p.see(p.post("poddisruptionbudgets", budget(minAvailable=-1)))
    p.see(p.post("poddisruptionbudgets", budget(minAvailable="150%")))


def an_autoscaler_has_bounds_in_order(p: Probe) -> None:
    """The most is not below the least, and there is a target."""
    p.see(p.post("horizontalpodautoscalers", autoscaler(minReplicas=5, maxReplicas=2)))
    p.see(p.post("horizontalpodautoscalers", autoscaler(minReplicas=0)))
    p.see(p.post("horizontalpodautoscalers", autoscaler(maxReplicas=0)))
    p.see(p.post("horizontalpodautoscalers", autoscaler(scaleTargetRef={"kind": "", "name": ""})))


def a_pod_does_not_change_its_spec(p: Probe) -> None:
    """But for the image and a few more, the spec of a pod is for life."""
    p.make("pods", pod())
    p.see(p.patch("pods", "one", {"spec": {"terminationGracePeriodSeconds": 7}}))
    p.see(p.patch("pods", "one", {"spec": {"hostname": "x"}}))
    box = {"spec": {"containers": [{"name": "app", "image": "localhost/igaming:1"}]}}
    p.note("image", p.patch("pods", "one", box, "application/strategic-merge-patch+json").status)


def a_quota_stops_a_pod(p: Probe) -> None:
    """deployctl tries a pod as a dry run: the quota answers with what was asked, used and allowed."""
    p.make("resourcequotas", quota(pods="1"))
    p.until(lambda: p.get("resourcequotas", "small")["status.hard"], "the quota's status")
    p.make("pods", pod("one"))
    p.see(p.post("pods", pod("two"), dryRun="All"))
    p.see(p.post("pods", pod("two")))
    p.until(lambda: p.get("resourcequotas", "small")["status.used.pods"] == "1", "the count")
    p.see(p.get("resourcequotas", "small"), "status")


def a_quota_of_cpu_wants_requests(p: Probe) -> None:
    """Where cpu is bounded every container says what it needs."""
    p.make("resourcequotas", quota(**{"requests.cpu": "100m", "limits.memory": "64Mi"}))
    p.until(lambda: p.get("resourcequotas", "small")["status.hard"], "the quota's status")
    p.see(p.post("pods", pod("none"), dryRun="All"))
    big = copy.deepcopy(pod("big"))
    big["spec"]["containers"] = [
        {**container(), "resources": {"requests": {"cpu": "200m"}, "limits": {"memory": "32Mi"}}}
    ]
    p.see(p.post("pods", big, dryRun="All"))
