"""Raw Kubernetes objects as an API server gives them, small ones."""

from __future__ import annotations

from typing import Any

from deployctl.cluster.view import Names
from deployctl.memory import HASH, HELD_SECONDS, NO_DEADLINE, Memory, Settings, rolling_update
from deployctl.observe import Snapshot
from deployctl.template import digest

Json = dict[str, Any]
NAMES = Names("igaming", "wallet", "wallet", ("wallet",))
OWN = rolling_update("25%", "25%")


def template(image: str = "wallet:1", pre_stop: int = 5, **env: str) -> Json:
    """Build a pod template; `pre_stop=0` leaves the preStop out."""
    container: Json = {"name": "app", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    if env:
        container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    if pre_stop:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": pre_stop}}}
    return {
        "metadata": {"labels": {"app": "wallet"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 30},
    }


def hash_of(pod_template: Json) -> str:
    return digest(pod_template)[:8]


def hashed(pod_template: Json) -> Json:
    """Give a Deployment's template as its ReplicaSet has it."""
    labels = {**pod_template["metadata"]["labels"], HASH: hash_of(pod_template)}
    return {**pod_template, "metadata": {**pod_template["metadata"], "labels": labels}}


def deployment(pod_template: Json | None = None, replicas: int = 6, **spec: Any) -> Json:
    """Build a Deployment at rest, seen by its controller; more `spec` goes in as it is."""
    return {
        "kind": "Deployment",
        "metadata": {
            "name": "wallet",
            "namespace": "igaming",
            "uid": "d",
            "generation": 7,
            "resourceVersion": "100",
            "annotations": {"deployment.kubernetes.io/revision": "3"},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "wallet"}},
            "strategy": OWN,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "template": pod_template or template(),
            **spec,
        },
        "status": {
            "observedGeneration": 7,
            "replicas": replicas,
            "readyReplicas": replicas,
            "updatedReplicas": replicas,
        },
    }


def replica_set(pod_template: Json, replicas: int, revision: int = 1, **status: Any) -> Json:
    name = f"wallet-{hash_of(pod_template)}"
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "igaming",
            "uid": f"uid-{name}",
            "resourceVersion": "100",
            "labels": {"app": "wallet", HASH: hash_of(pod_template)},
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [{"kind": "Deployment", "name": "wallet", "uid": "d"}],
        },
        "spec": {"replicas": replicas, "template": hashed(pod_template)},
        "status": status,
    }


def pod(owner: Json, name: str, *, ready: bool = True, **metadata: Any) -> Json:
    labels = {**owner["metadata"]["labels"], **metadata.pop("labels", {})}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "igaming",
            "uid": f"uid-{name}",
            "resourceVersion": "100",
            "labels": labels,
            "ownerReferences": [{"kind": "ReplicaSet", "uid": owner["metadata"]["uid"]}],
            "creationTimestamp": "2026-11-23T12:00:00Z",
            **metadata,
        },
        "spec": owner["spec"]["template"]["spec"],
        "status": {
            "phase": "Running",
            "conditions": [
                {
                    "type": "Ready",
                    "status": str(ready),
                    "lastTransitionTime": "2026-11-23T12:00:05Z",
                }
            ],
        },
    }


def service(name: str = "wallet", **selector: str) -> Json:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "igaming", "resourceVersion": "100"},
        "spec": {
            "selector": {"app": "wallet", **selector},
            "ports": [{"port": 80, "targetPort": "http"}],
        },
    }


def endpoint_slice(*names: str, of: str = "wallet", name: str = "", ready: bool | None = True) -> Json:
    endpoints = [{"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": one}} for one in names]
    return {
        "kind": "EndpointSlice",
        "metadata": {
            "name": name or f"{of}-x",
            "namespace": "igaming",
            "resourceVersion": "100",
            "labels": {"kubernetes.io/service-name": of},
        },
        "endpoints": endpoints,
    }


def own(**fields: Any) -> Settings:
    return Settings(**{"min_ready_seconds": 0, "progress_deadline_seconds": 600, "strategy": OWN, **fields})


def hold(unavailable: int | str, surge: int | str, *, paused: bool = False) -> Settings:
    return Settings(HELD_SECONDS, NO_DEADLINE, rolling_update(unavailable, surge), paused)


def held(settings: Settings) -> Json:
    """Give the fields of a Deployment's spec that hold it so."""
    return {
        "minReadySeconds": settings.min_ready_seconds,
        "progressDeadlineSeconds": settings.progress_deadline_seconds,
        "strategy": settings.strategy,
        "paused": settings.paused,
    }


def memory(stable: Json | None = None, preview: Json | None = None, **fields: Any) -> Memory:
    """Build what a blue-green release from wallet:1 to wallet:2 remembers while it tries."""
    whole = {
        "id": "r1",
        "app": "wallet",
        "strategy": "blueGreen",
        "phase": "trying",
        "stable": digest(stable or template()),
        "preview": digest(preview or template("wallet:2")),
        "own": own(),
        "services": ("wallet",),
        "replicas": 6,
        "by": "ann@build/1",
        "at": "2026-11-23T12:00:00Z",
    }
    return Memory(**{**whole, **fields})


def remembering(thing: Json, kept: Memory) -> Json:
    """Put a release's memory on an object."""
    meta = thing["metadata"]
    annotations = {**(meta.get("annotations") or {}), "deployctl.dev/release": kept.dump()}
    return {**thing, "metadata": {**meta, "annotations": annotations}}


def snapshot(
    thing: Json,
    sets: tuple[Json, ...] = (),
    pods: tuple[Json, ...] = (),
    services: tuple[Json, ...] | None = None,
    slices: tuple[Json, ...] = (),
) -> Snapshot:
    return Snapshot(thing, sets, pods, (service(),) if services is None else services, slices)
