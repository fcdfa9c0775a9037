"""What is to be seen of a sandbox: its Services, who answers there, and its pods."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from deployctl.sandbox.practice.client import Client
from deployctl.sandbox.practice.front import OF_SERVICE
from deployctl.sandbox.practice.home import State

Json = dict[str, Any]
HASH = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Door:
    """One port of a Service, and the share of its ready endpoints by pod-template-hash."""

    name: str
    url: str
    shares: dict[str, float]

    def __str__(self) -> str:
        shares = ", ".join(f"{share:.0%} {revision}" for revision, share in self.shares.items())
        return f"{self.name:28} {self.url:24} {shares or 'no endpoint is ready'}"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a sandbox; `wanted` counts the replicas of its Deployments."""

    doors: tuple[Door, ...]
    pods: tuple[Json, ...]
    wanted: int
    expected: int  # Services whose address is not known yet
    installed: bool

    @property
    def ready(self) -> int:
        return sum(is_ready(pod) for pod in self.pods)

    @property
    def is_settled(self) -> bool:
        """Whether every pod is ready, in an endpoint, and every Service has its address."""
        there = self.installed and not self.expected and self.ready >= self.wanted
        return there and all(door.shares for door in self.doors)

    def told(self) -> Json:
        pods = {f"{_namespace(pod)}/{_name(pod)}": is_ready(pod) for pod in self.pods}
        shares = {door.name: door.shares for door in self.doors}
        return {"shares": shares, "pods": {name: {"ready": ready} for name, ready in pods.items()}}

    def text(self, state: State) -> str:
        minutes, seconds = divmod(int(time.time() - state.started), 60)
        return "\n".join(
            (
                f"The sandbox runs since {state.since} ({minutes}m{seconds}s), pid {state.pid}, on port {state.port}.",
                f"{self.ready} of {len(self.pods)} pods are ready.",
                *(f"  {door}" for door in self.doors),
            )
        )


def look(client: Client, state: State) -> Look:
    """Ask the API what there is."""
    pods = _items(client, "/api/v1/pods")
    slices = _items(client, "/apis/discovery.k8s.io/v1/endpointslices")
    deployments = _items(client, "/apis/apps/v1/deployments")
    services = _items(client, "/api/v1/services")
    ours = {f"{_namespace(one)}/{_name(one)}" for one in services if one["spec"].get("clusterIP") != "None"}
    known = {name.partition(":")[0] for name in state.services}
    doors = (_door(name, address, pods, slices) for name, address in sorted(state.services.items()))
    return Look(
        tuple(doors),
        tuple(pods),
        sum(one["spec"].get("replicas", 1) for one in deployments),
        len({one for one in ours if one != "default/kubernetes"} - known),
        state.installed,
    )


def is_ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _door(name: str, address: str, pods: list[Json], slices: list[Json]) -> Door:
    namespace, service = name.partition(":")[0].split("/")
    revisions = {pod["metadata"]["uid"]: _revision(pod) for pod in pods}
    ready = Counter(
        revisions.get(endpoint["targetRef"]["uid"], "?")
        for one in slices
        if _namespace(one) == namespace and (one["metadata"].get("labels") or {}).get(OF_SERVICE) == service
        for endpoint in one.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
    )
    whole = ready.total()
    return Door(name, f"http://{address}", {one: count / whole for one, count in ready.most_common()})


def _revision(pod: Json) -> str:
    return str((pod["metadata"].get("labels") or {}).get(HASH, "?"))


def _items(client: Client, path: str) -> list[Json]:
    return list((client.get(path) or {}).get("items") or [])


def _namespace(one: Json) -> str:
    return str(one["metadata"].get("namespace", ""))


def _name(one: Json) -> str:
    return str(one["metadata"]["name"])
