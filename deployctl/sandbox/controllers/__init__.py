"""The controllers of the sandbox: each brings one kind of object nearer to what is wanted."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.api.admission import admitted
from deployctl.sandbox.cluster import Cluster, Runtime
from deployctl.sandbox.controllers.autoscaler import Autoscalers
from deployctl.sandbox.controllers.deployment import Deployments
from deployctl.sandbox.controllers.disruption import Budgets
from deployctl.sandbox.controllers.endpointslice import EndpointSlices
from deployctl.sandbox.controllers.events import Events
from deployctl.sandbox.controllers.garbage import Garbage
from deployctl.sandbox.controllers.kin import Kin
from deployctl.sandbox.controllers.namespaces import Namespaces
from deployctl.sandbox.controllers.quota import Quotas
from deployctl.sandbox.controllers.replicaset import ReplicaSets
from deployctl.sandbox.controllers.scheduler import Scheduler
from deployctl.sandbox.controllers.statefulset import StatefulSets
from deployctl.sandbox.resources import BY_NAME
from deployctl.sandbox.store import stamp

Json = dict[str, Any]

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
NODE, HOST = "sandbox", "172.18.0.2"
ROOM = {"cpu": "8", "ephemeral-storage": "100Gi", "memory": "16Gi", "pods": "250"}


def employ_all(cluster: Cluster, runtime: Runtime) -> None:
    """Let every controller act, and give the cluster its node and its first namespaces."""
    from deployctl.sandbox.pods.kubelet import Kubelet  # itself asks what controllers ask of pods

    store, kin = cluster.store, Kin(cluster.store)

    def admit(resource: str, one: Json) -> Json:
        return admitted(store, BY_NAME[resource], one)

    for controller in (
        Deployments(store, kin, admit),
        ReplicaSets(store, kin, admit),
        StatefulSets(store, kin, admit),
        Scheduler(store),
        Kubelet(cluster, runtime),
        EndpointSlices(store, kin),
        Garbage(store, kin),
        Namespaces(store),
        Quotas(store),
        Budgets(store),
        Autoscalers(store),
        Events(store),
    ):
        cluster.employ(controller)
    with cluster.lock:
        store.create("nodes", node(NODE, stamp(store.clock())))
        for name in NAMESPACES:
            store.create("namespaces", namespace(name))


def namespace(name: str) -> Json:
    """Make a namespace as the API server does."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def node(name: str, at: str) -> Json:
    """Make a node that is ready and has room."""
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "spec": {"podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": HOST}, {"type": "Hostname", "address": name}],
            "allocatable": dict(ROOM),
            "capacity": dict(ROOM),
            "conditions": [{**ready, "lastHeartbeatTime": at, "lastTransitionTime": at}],
            "nodeInfo": {"kubeletVersion": "v1.35.4", "operatingSystem": "linux", "architecture": "amd64"},
        },
    }
