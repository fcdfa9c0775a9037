"""A client of a sandbox's API server within one process, in a namespace `shop`, with a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deployctl.sandbox.api.apiserver import ApiServer
from deployctl.sandbox.api.watching import Watch
from deployctl.sandbox.calls import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Answer, Call
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.store import Store

Json = dict[str, Any]

PODS = "/api/v1/namespaces/shop/pods"
SERVICES = "/api/v1/namespaces/shop/services"
CONFIGMAPS = "/api/v1/namespaces/shop/configmaps"
QUOTAS = "/api/v1/namespaces/shop/resourcequotas"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
PATCHES = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH}
BEGAN = 1_800_000_000.0


@dataclass
class Client:
    """Speaks to an API server of its own."""

    now: float = BEGAN
    server: ApiServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = ApiServer(Cluster(lambda: self.now))
        self.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})

    @property
    def store(self) -> Store:
        return self.server.cluster.store

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        answer = self.server.call(Call(method, path, body=body, agent="kubectl/v1.35.4", **more))
        assert isinstance(answer, Answer)
        return answer

    def get(self, path: str, **query: str) -> Json:
        return self.call("GET", path, query=query).body

    def names(self, path: str, **query: str) -> list[str]:
        return [one["metadata"]["name"] for one in self.get(path, **query)["items"]]

    def post(self, path: str, body: Json, **query: str) -> Json:
        return self.call("POST", path, body, query=query).body

    def put(self, path: str, body: Json, **query: str) -> Json:
        return self.call("PUT", path, body, query=query).body

    def patch(self, path: str, body: Any, how: str = "merge", **query: str) -> Json:
        return self.call("PATCH", path, body, content_type=PATCHES[how], query=query).body

    def delete(self, path: str, body: Any = None, **query: str) -> Json:
        return self.call("DELETE", path, body, query=query).body

    def watch(self, path: str, **query: str) -> Watch:
        answer = self.server.call(Call("GET", path, {"watch": "true", **query}))
        assert isinstance(answer, Watch)
        return answer


def configmap(name: str, labels: Json | None = None, **values: str) -> Json:
    meta: Json = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": values}


def pod(name: str, **spec: Any) -> Json:
    containers = [{"name": "app", "image": "web:1", "ports": [{"containerPort": 8080}]}]
    return {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": {"containers": containers, **spec}}


def deployment(name: str = "web", **spec: Any) -> Json:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod(name)["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }


def service(name: str = "web", **spec: Any) -> Json:
    return {"metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec}}
