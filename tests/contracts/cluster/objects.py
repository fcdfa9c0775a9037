"""The objects that probes make, as small as the API takes them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
PAUSE = "localhost/pause:1"
APP = "localhost/igaming:1"
ODDS = "localhost/igaming-odds:1"


def container(image: str = PAUSE, /, *, probed: bool = False, **env: str) -> Json:
    """Give a container; `probed` asks the example application whether it is ready, every second."""
    ready = {
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": 8080},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
        }
    }
    more = {"env": [{"name": key, "value": value} for key, value in env.items()]} if env else {}
    return {"name": "app", "image": image, **more, **(ready if probed else {})}


def template(image: str = PAUSE, /, *, labels: Json | None = None, probed: bool = False, **env: str) -> Json:
    quick = {"terminationGracePeriodSeconds": 0, "containers": [container(image, probed=probed, **env)]}
    return {"metadata": {"labels": labels or {"app": "web"}}, "spec": quick}


def deployment(name: str = "web", /, replicas: int = 2, pods: Json | None = None, **spec: Any) -> Json:
    wanted = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": pods or template(),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {**wanted, **spec},
    }


def replica_set(name: str = "web", /, replicas: int = 2, pods: Json | None = None) -> Json:
    return {**deployment(name, replicas, pods), "kind": "ReplicaSet"}


def stateful_set(name: str = "web", /, replicas: int = 2, pods: Json | None = None, **spec: Any) -> Json:
    wanted = deployment(name, replicas, pods, serviceName="peers", **spec)
    return {**wanted, "kind": "StatefulSet"}


def pod(name: str = "one", image: str = PAUSE, /, *, labels: Json | None = None, **env: str) -> Json:
    made = template(image, labels=labels, **env)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": made["metadata"]["labels"]},
        "spec": made["spec"],
    }


def service(name: str = "web", /, **selector: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector or {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def config_map(name: str = "notes", /, labels: Json | None = None, **data: str) -> Json:
    meta = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def lease(name: str = "lock", /, **meta: Any) -> Json:
    moment = "2026-01-01T00:00:00.000000Z"
    held = {"holderIdentity": "me/1", "leaseDurationSeconds": 10, "acquireTime": moment, "renewTime": moment}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, **meta},
        "spec": held,
    }


def quota(name: str = "small", /, **hard: str) -> Json:
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": hard}}


def budget(name: str = "web", /, **spec: Any) -> Json:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
    }


def autoscaler(name: str = "web", /, **spec: Any) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 4, **spec},
    }
