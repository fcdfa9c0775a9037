"""Runs the pods of one node: starts, probes, restarts and ends them, and says so in their status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.cluster import Cluster, Runtime
from deployctl.sandbox.controllers import NODE
from deployctl.sandbox.controllers.pods import FINAL, is_leaving, node_of, phase
from deployctl.sandbox.controllers.recording import Recorder
from deployctl.sandbox.pods.ending import end
from deployctl.sandbox.pods.machine import NEVER, Machine
from deployctl.sandbox.pods.podstatus import Life, status_of
from deployctl.sandbox.pods.starting import live
from deployctl.sandbox.store import Event

Json = dict[str, Any]
Key = tuple[str, str]


class Kubelet:
    """The controller. `unpullable` are patterns of images that no registry has."""

    name = "kubelet"

    def __init__(self, cluster: Cluster, runtime: Runtime, node: str = NODE) -> None:
        self.machine = Machine(cluster.store, runtime, Recorder(cluster.store, "kubelet", node))
        self.unpullable = self.machine.unpullable
        self._cluster, self._store, self._node = cluster, cluster.store, node
        self._lives: dict[Key, Life] = {}
        self._addresses = 1
        runtime.changed = self.wake

    def wake(self, uid: str) -> None:
        """Look at a pod now: a container ended or a probe was answered. Called from any thread."""
        with self._cluster.lock:
            for key, life in self._lives.items():
                if life.pod["metadata"]["uid"] == uid:
                    for each in life.probes.values():
                        each.wake(self._store.clock())
                    self._cluster.look_at(self.name, key, 0.0)
                    self._cluster.changed.notify_all()
                    return

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at the pods of this node, but not at what it wrote about them itself."""
        if event.resource != "pods" or node_of(event.object) != self._node:
            return ()
        before, after = event.before, event.object
        if event.change == "MODIFIED" and before is not None and before["spec"] is after["spec"]:
            same = before["metadata"].get("deletionTimestamp") == after["metadata"].get("deletionTimestamp")
            if same and not after["spec"].get("readinessGates"):
                return ()
        return ((event.namespace, event.name),)

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Do what is due for one pod, then write its status."""
        key = (namespace, name)
        pod = self._store.get("pods", namespace, name)
        life = self._lives.get(key)
        if life and (pod is None or pod["metadata"]["uid"] != life.pod["metadata"]["uid"]):
            self._forget(key, life)
            life = None
        if pod is None or node_of(pod) != self._node or (life is None and phase(pod) in FINAL):
            return None
        life = self._lives.get(key) or self._begin(key, pod)
        life.pod = pod
        wait = (end if is_leaving(pod) else live)(self.machine, life, self._store.clock())
        if life.gone:
            del self._lives[key]
            return None
        status = status_of(pod, life, self._store.clock())
        life.pod = self._store.update("pods", {**pod, "status": status}, counted=False)
        return None if wait == NEVER else wait

    def _forget(self, key: Key, life: Life) -> None:
        """End a pod that is gone from the API without having been asked to."""
        if life.stage != "over" and self.machine.runtime.running(life.pod):
            self.machine.runtime.stop(life.pod, 1)
        del self._lives[key]

    def _begin(self, key: Key, pod: Json) -> Life:
        self._addresses += 1
        third, fourth = divmod(self._addresses, 254)
        now = self._store.clock()
        start = now + self._store.chance.uniform(*self.machine.creating_seconds)
        life = self._lives[key] = Life(pod, f"10.244.{third}.{fourth + 1}", now, start)
        return life
