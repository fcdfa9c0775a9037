"""Counts what a namespace uses of its quotas."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from deployctl.sandbox.api.spending import costs
from deployctl.sandbox.controllers.pods import FINAL, phase
from deployctl.sandbox.objects.amounts import written
from deployctl.sandbox.resources import RESOURCES
from deployctl.sandbox.store import Event, Store

Json = dict[str, Any]
Key = tuple[str, str]


class Quotas:
    """The controller; what is new is counted by the API server when it admits it."""

    name = "quota"

    def __init__(self, store: Store) -> None:
        self._store = store

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at a quota itself, and at all of a namespace where something has gone or has ended."""
        if event.resource == "resourcequotas":
            return ((event.namespace, event.name),)
        if not event.namespace or event.resource == "events":
            return ()
        if event.change == "DELETED" or (event.resource == "pods" and phase(event.object) in FINAL):
            quotas = self._store.list("resourcequotas", event.namespace)
            return [(event.namespace, one["metadata"]["name"]) for one in quotas]
        return ()

    def reconcile(self, namespace: str, name: str) -> None:
        quota = self._store.get("resourcequotas", namespace, name)
        if quota is None:
            return
        hard = quota["spec"].get("hard") or {}
        used = self._used(namespace)
        shown = {key: _text(key, used.get(key, Decimal(0))) for key in hard}
        status = {"hard": dict(hard), "used": shown}
        self._store.update("resourcequotas", {**quota, "status": status}, counted=False)

    def _used(self, namespace: str) -> dict[str, Decimal]:
        total: dict[str, Decimal] = {}
        for resource in RESOURCES:
            for one in self._store.list(resource.name, namespace) if resource.namespaced else ():
                for key, cost in costs(resource, one).items():
                    total[key] = total.get(key, Decimal(0)) + cost
        return total


def _text(key: str, value: Decimal) -> str:
    return written(value, binary="memory" in key or "storage" in key)
