"""What the server fills in: an object as it is kept, from one as it was sent.

The sources: k8s.io/kubernetes/pkg/apis/{core/v1,apps/v1,autoscaling/v2,discovery/v1}/defaults.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployctl.sandbox.objects.fields import keep
from deployctl.sandbox.objects.pod_defaults import containers, pod_spec
from deployctl.sandbox.objects.shaping import decoded
from deployctl.sandbox.resources import BY_NAME

Json = dict[str, Any]
UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
DOWN = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}
CPU_OF_80 = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
THREE_HOURS = 10800


def defaulted(resource: str, one: Json) -> Json:
    """Give an object of a resource (`pods`) as the server reads it, with its defaults.

    Refused (400) where a value is of a wrong type; unknown and empty fields are left out.
    """
    known = BY_NAME[resource]
    read = decoded(known.kind, one)
    read["kind"], read["apiVersion"] = known.kind, known.api_version
    if fill := FILL.get(resource):
        fill(read)
    if "template" in (read.get("spec") or {}):
        keep(read["spec"]["template"])
    return read


def _deployment(one: Json) -> None:
    spec = one["spec"]
    spec.setdefault("replicas", 1)
    strategy = spec["strategy"]
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    pod_spec(spec["template"]["spec"])


def _stateful_set(one: Json) -> None:
    spec = one["spec"]
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec["updateStrategy"]
    if "type" not in strategy:
        strategy.update(type="RollingUpdate", rollingUpdate=strategy.get("rollingUpdate") or {})
    if (rolling := strategy.get("rollingUpdate")) is not None:
        rolling.pop("maxUnavailable", None)  # its gate is off
        if strategy["type"] == "RollingUpdate":
            rolling.setdefault("partition", 0)
    kept = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Retain", "whenScaled": "Retain", **kept}
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    pod_spec(spec["template"]["spec"])


def _replica_set(one: Json) -> None:
    spec = one["spec"]
    spec.setdefault("replicas", 1)
    pod_spec(spec["template"]["spec"])


def _pod(one: Json) -> None:
    spec = one["spec"]
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in containers(spec):
        resources = container["resources"]
        if "limits" in resources:
            resources["requests"] = {**resources["limits"], **resources.get("requests", {})}
        for port in container.get("ports", []) if spec.get("hostNetwork") else []:
            port.setdefault("hostPort", port["containerPort"])


def _service(one: Json) -> None:
    spec = one["spec"]
    kind = spec.setdefault("type", "ClusterIP")
    if spec.setdefault("sessionAffinity", "None") == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        _sticky(spec)
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        if port["targetPort"] in (0, ""):
            port["targetPort"] = port["port"]
    if kind in {"NodePort", "LoadBalancer"} or (kind == "ClusterIP" and spec.get("externalIPs")):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind in {"NodePort", "LoadBalancer", "ClusterIP"}:
        spec.setdefault("internalTrafficPolicy", "Cluster")
        _families(spec)
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _families(spec: Json) -> None:
    """Fill in the address families of a cluster that has one, IPv4; headless without a selector may be of both."""
    open_to_all = spec.get("clusterIP") == "None" and not spec.get("selector")
    spec.setdefault("ipFamilyPolicy", "RequireDualStack" if open_to_all else "SingleStack")
    spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if open_to_all else ["IPv4"])


def _sticky(spec: Json) -> None:
    if spec.get("sessionAffinityConfig", {}).get("clientIP", {}).get("timeoutSeconds") is None:
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": THREE_HOURS}}


def _autoscaler(one: Json) -> None:
    spec = one["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        spec["metrics"] = [CPU_OF_80]
    if "behavior" in spec:
        behavior = spec["behavior"]
        behavior["scaleUp"] = {**UP, **behavior.get("scaleUp", {})}
        behavior["scaleDown"] = {**DOWN, **behavior.get("scaleDown", {})}


def _namespace(one: Json) -> None:
    meta = one["metadata"]
    if "name" in meta:
        meta["labels"] = {**meta.get("labels", {}), "kubernetes.io/metadata.name": meta["name"]}
    if "uid" not in meta:
        one["spec"].setdefault("finalizers", ["kubernetes"])
    one["status"].setdefault("phase", "Active")


def _node(one: Json) -> None:
    if "capacity" in one["status"]:
        one["status"].setdefault("allocatable", one["status"]["capacity"])


def _endpoint_slice(one: Json) -> None:
    for port in one["ports"] or []:
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


FILL: dict[str, Callable[[Json], None]] = {
    "deployments": _deployment,
    "replicasets": _replica_set,
    "statefulsets": _stateful_set,
    "pods": _pod,
    "services": _service,
    "horizontalpodautoscalers": _autoscaler,
    "namespaces": _namespace,
    "nodes": _node,
    "endpointslices": _endpoint_slice,
}
