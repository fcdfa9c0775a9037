"""Rolls a Deployment's pods from one template to the next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.controllers.kin import Kin, controller_of
from deployctl.sandbox.controllers.recording import Recorder
from deployctl.sandbox.controllers.rollout import Admit, Rollout
from deployctl.sandbox.controllers.selecting import labels_of, selects
from deployctl.sandbox.controllers.steps import step
from deployctl.sandbox.store import Event, Store

Json = dict[str, Any]
Key = tuple[str, str]


class Deployments:
    """The controller. `admit` is the API server's admission of its ReplicaSets."""

    name = "deployment"

    def __init__(self, store: Store, kin: Kin, admit: Admit) -> None:
        self.admit = admit
        self._store, self._kin = store, kin
        self._events = Recorder(store, "deployment-controller")

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at the Deployment itself, at the owner of a ReplicaSet, of a pod where Recreate waits for its end."""
        match event.resource:
            case "deployments":
                return ((event.namespace, event.name),)
            case "replicasets":
                return self._of_set(event)
            case "pods" if event.change == "DELETED":
                return self._of_pod(event)
        return ()

    def _of_set(self, event: Event) -> list[Key]:
        owners = {_owner(one) for one in (event.object, event.before) if one}
        if "" in owners:
            labels = labels_of(event.object)
            free = self._store.list("deployments", event.namespace)
            owners |= {one["metadata"]["name"] for one in free if selects(one["spec"]["selector"], labels)}
        return [(event.namespace, owner) for owner in sorted(owners - {""})]

    def _of_pod(self, event: Event) -> list[Key]:
        owner = controller_of(event.object)
        held = self._store.get("replicasets", event.namespace, str(owner["name"])) if owner else None
        return [(event.namespace, _owner(held))] if held and _owner(held) else []

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Look at one Deployment."""
        held = self._store.get("deployments", namespace, name)
        if held is None:
            return None
        sets = self._kin.claimed("replicasets", held, "Deployment")
        return step(Rollout(self._store, self._kin, self._events, self.admit, held, sets))


def _owner(one: Json) -> str:
    owner = controller_of(one)
    return str(owner["name"]) if owner and owner["kind"] == "Deployment" else ""
