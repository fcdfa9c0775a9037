"""One app as the cluster shows it, kept up to date by watches; a look costs no call."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from deployctl.cluster.api import Api, NotFound, Request, Unreachable
from deployctl.cluster.paths import path
from deployctl.cluster.watch import Collection, Signal
from deployctl.errors import DeployctlError
from deployctl.observe import Snapshot, owned_by
from deployctl.workload import DEPLOYMENT, RESOURCES, REVISIONS

Json = dict[str, Any]
SYNC_SECONDS = 30.0
SCALERS = ("horizontalpodautoscalers", "scaledobjects")


@dataclass(frozen=True, slots=True)
class Names:
    """What an app is made of; `deployment` names the workload, which may be a StatefulSet."""

    namespace: str
    app: str
    deployment: str
    services: tuple[str, ...]
    kind: str = DEPLOYMENT

    @property
    def resource(self) -> str:
        return RESOURCES[self.kind]

    @property
    def revisions(self) -> str:
        """Name the resource that keeps the workload's revisions."""
        return REVISIONS[self.kind]

    @property
    def record(self) -> str:
        return f"deployctl-{self.app}"


class View:
    """Watches the objects of one app and gives whole looks at them."""

    def __init__(self, api: Api, names: Names, selector: str) -> None:
        self.names, self.api, self.signal = names, api, Signal()
        services = f"kubernetes.io/service-name in ({','.join(names.services)})"
        self._all = {
            names.resource: self._watch(
                names.resource, {"fieldSelector": f"metadata.name={names.deployment}"}
            ),
            names.revisions: self._watch(names.revisions, {"labelSelector": selector}),
            "pods": self._watch("pods", {"labelSelector": selector}),
            "services": self._watch("services", {}),
            "endpointslices": self._watch("endpointslices", {"labelSelector": services}),
            "configmaps": self._watch(
                "configmaps", {"fieldSelector": f"metadata.name={names.record}"}, needed=False
            ),
        }

    def _watch(self, resource: str, query: dict[str, str], *, needed: bool = True) -> Collection:
        where = path(self.names.namespace, resource)
        return Collection(self.api, where, query, self.signal, needed=needed)

    def start(self) -> View:
        """Begin to watch; return once every collection was listed."""
        until = time.monotonic() + SYNC_SECONDS
        for collection in self._all.values():
            collection.start()
        for resource, collection in self._all.items():
            while not collection.synced.wait(0.05):
                self._still_hopeful(resource, until)
        return self

    def _still_hopeful(self, resource: str, until: float) -> None:
        if self.signal.failure:
            raise self.signal.failure
        if time.monotonic() > until:
            raise Unreachable(
                f"{self.api.host} did not list the {resource} of {self.names.namespace} in {SYNC_SECONDS:g}s",
                advice="what was released so far stands as it is; run the command again",
            )

    def follow(self, resource: str, name: str) -> None:
        """Watch one object more, which is no part of the app: without the right to, looks go on without it."""
        one = self._watch(resource, {"fieldSelector": f"metadata.name={name}"}, needed=False)
        self._all[resource] = one.start()
        one.synced.wait(SYNC_SECONDS)

    def stop(self) -> None:
        for collection in self._all.values():
            collection.stop()

    def look(self) -> Snapshot:
        """Give the newest state of everything that belongs to the app."""
        deployment = self._one(self.names.resource, self.names.deployment)
        owned = tuple(one for one in self._objects(self.names.revisions) if owned_by(one, deployment))
        return Snapshot(
            deployment=deployment,
            replica_sets=owned,
            pods=tuple(self._objects("pods")),
            services=tuple(self._one("services", name) for name in self.names.services),
            slices=tuple(self._objects("endpointslices")),
            others=tuple(
                one for one in self._objects("services") if one["metadata"]["name"] not in self.names.services
            ),
            scalers=tuple(one for kind in SCALERS if kind in self._all for one in self._objects(kind)),
        )

    def record(self) -> Json | None:
        return self._all["configmaps"].store.objects.get(self.names.record)

    def services(self) -> tuple[Json, ...]:
        """Give every Service of the namespace, listed or not."""
        return tuple(self._objects("services"))

    def absorb(self, resource: str, one: Json) -> None:
        """Take in the answer to a write, so that the next look has it before the watch brings it."""
        self._all[resource].store.put(one)

    def reread(self, request: Request) -> None:
        """Read anew the object that a request was meant for, or forget it where it is gone."""
        where = path(self.names.namespace, request.resource, request.name)
        try:
            self.absorb(request.resource, self.api.get(where))
        except NotFound:
            self.forget(request.resource, request.name)

    def forget(self, resource: str, name: str) -> None:
        """Take in that an object is gone, before the watch tells."""
        store = self._all[resource].store
        if name in store.objects:
            store.drop(store.objects[name])

    def _objects(self, resource: str) -> Iterable[Json]:
        return self._all[resource].store.objects.values()

    def _one(self, resource: str, name: str) -> Json:
        found = self._all[resource].store.objects.get(name)
        if found is None:
            kind = "Service" if resource == "services" else self.names.kind
            raise DeployctlError(
                f"{kind} {name} is gone from namespace {self.names.namespace}",
                advice="create it again from its manifest, then run the command again",
            )
        return found
