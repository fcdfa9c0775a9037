"""A cluster in virtual time for the tests of controllers: one Deployment, its ReplicaSets, its pods."""

from __future__ import annotations

import copy
from typing import Any

from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.controllers import employ_all
from deployctl.sandbox.controllers.pods import is_leaving, is_ready
from deployctl.sandbox.objects.defaulting import defaulted
from deployctl.sandbox.pods.imagined import Imagined

Json = dict[str, Any]

START = 1_800_000_000.0
HOLD = {"minReadySeconds": 1_000_000_000, "progressDeadlineSeconds": 2_147_483_647}
PROBE = {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 3}


class Practice:
    """The cluster, and what a person would do to it."""

    def __init__(self, seed: int = 0) -> None:
        self.now = START
        self.cluster = Cluster(lambda: self.now, seed)
        self.cluster.lock.acquire()  # every write is ours
        self.store = self.cluster.store
        self.runtime = Imagined(lambda: self.now)
        employ_all(self.cluster, self.runtime)

    def run(self, seconds: float = 10.0) -> None:
        """Let so much time pass."""
        until = self.now + seconds
        while (at := self.cluster.run()) is not None and at <= until:
            self.now = max(self.now, at)
        self.now = until
        self.cluster.run()

    def deploy(self, replicas: int = 3, image: str = "app:1", **spec: Any) -> Json:
        """Create the Deployment `wallet`, defaulted as the API server does it."""
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
        return self.store.create(
            "deployments",
            defaulted(
                "deployments",
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": {"name": "wallet", "namespace": "default"},
                    "spec": {
                        "replicas": replicas,
                        "selector": {"matchLabels": {"app": "wallet"}},
                        "strategy": rolling,
                        "revisionHistoryLimit": 10,
                        "progressDeadlineSeconds": 600,
                        "template": template(image),
                        **spec,
                    },
                    "status": {},
                },
            ),
        )

    def serve(self, **spec: Any) -> Json:
        """Create the Service `wallet`."""
        meta = {"name": "wallet", "namespace": "default"}
        ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
        made = {"selector": {"app": "wallet"}, "ports": ports, "clusterIP": "10.96.0.9", **spec}
        return self.store.create(
            "services", {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": made}
        )

    def change(self, resource: str = "deployments", name: str = "wallet", **spec: Any) -> Json:
        """Merge into an object's spec; None deletes a field."""
        held = self.store.get(resource, "default", name)
        assert held is not None
        new = {key: value for key, value in {**held["spec"], **spec}.items() if value is not None}
        return self.store.update(resource, {**held, "spec": new})

    def hold(self, unavailable: int | str, surge: int | str, **spec: Any) -> Json:
        rules = {"maxUnavailable": unavailable, "maxSurge": surge}
        return self.change(strategy={"type": "RollingUpdate", "rollingUpdate": rules}, **HOLD, **spec)

    @property
    def deployment(self) -> Json:
        held = self.store.get("deployments", "default", "wallet")
        assert held is not None
        return held

    def sets(self) -> list[Json]:
        """Give the ReplicaSets in the order of their revisions."""
        number = "deployment.kubernetes.io/revision"
        return sorted(
            self.store.list("replicasets", "default"),
            key=lambda one: int(one["metadata"]["annotations"][number]),
        )

    def sizes(self) -> list[int]:
        """Give the sizes of the ReplicaSets, the oldest revision first."""
        return [one["spec"]["replicas"] for one in self.sets()]

    def pods(self, image: str = "") -> list[Json]:
        """Give the pods that are not ending, of an image or of all."""
        pods = [one for one in self.store.list("pods", "default") if not is_leaving(one)]
        return [one for one in pods if image in ("", one["spec"]["containers"][0]["image"])]

    def ready(self, image: str = "") -> int:
        return sum(map(is_ready, self.pods(image)))

    def endpoints(self) -> int:
        """Give the number of ready endpoints of the Service."""
        slices = self.store.list("endpointslices", "default")
        return sum(each["conditions"]["ready"] for one in slices for each in one["endpoints"] or ())

    def events(self, reason: str) -> list[str]:
        """Give the messages of all Events of a reason."""
        return [one["message"] for one in self.store.list("events") if one["reason"] == reason]


def template(image: str = "app:1", probe: Json | None = PROBE, **env: str) -> Json:
    """Make a pod template of one container."""
    container: Json = {
        "name": "app",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": name, "value": value} for name, value in env.items()],
    }
    if probe:
        container["readinessProbe"] = copy.deepcopy(probe)
    spec = {"containers": [container], "terminationGracePeriodSeconds": 30, "restartPolicy": "Always"}
    made: Json = {"metadata": {"labels": {"app": "wallet"}}, "spec": spec}
    return defaulted("deployments", {"spec": {"template": made}})["spec"]["template"]
