"""Gives each namespace its root certificate, and empties one that is to go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.api.deleting import Wish, removed
from deployctl.sandbox.controllers.conditions import updated
from deployctl.sandbox.resources import RESOURCES, Resource
from deployctl.sandbox.store import Event, Store, stamp

Json = dict[str, Any]
Key = tuple[str, str]

ROOT = "kube-root-ca.crt"
EXPLANATION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints "
    "such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across "
    "distributions of Kubernetes clusters."
)


class Namespaces:
    """The controller."""

    name = "namespaces"

    def __init__(self, store: Store) -> None:
        self._store = store

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at the namespace itself, at one that waits for what has gone, at one without its certificate."""
        if event.resource == "namespaces":
            return (("", event.name),)
        if event.change != "DELETED" or not event.namespace:
            return ()
        held = self._store.get("namespaces", "", event.namespace)
        is_root = event.resource == "configmaps" and event.name == ROOT
        if held is not None and (is_root or "deletionTimestamp" in held["metadata"]):
            return (("", event.namespace),)
        return ()

    def reconcile(self, namespace: str, name: str) -> None:
        del namespace
        held = self._store.get("namespaces", "", name)
        if held is None:
            return
        if "deletionTimestamp" in held["metadata"]:
            self._empty(name)
        elif self._store.get("configmaps", name, ROOT) is None:
            self._store.create("configmaps", _root(name))

    def _empty(self, name: str) -> None:
        """Delete everything in it; the namespace goes when nothing is left."""
        for resource, one in self._content(name):
            if "deletionTimestamp" not in one["metadata"]:
                removed(self._store, resource, one, Wish(policy="Background"))
        left = self._content(name)
        if not left:
            self._store.remove("namespaces", "", name)
            return
        held = self._store.get("namespaces", "", name)
        if held is not None:
            conditions = list(held["status"].get("conditions") or ())
            for each in _remaining(left):
                conditions = updated(conditions, each, stamp(self._store.clock()))
            status = {**held["status"], "conditions": conditions}
            self._store.update("namespaces", {**held, "status": status}, counted=False)

    def _content(self, name: str) -> list[tuple[Resource, Json]]:
        kinds = (each for each in RESOURCES if each.namespaced)
        return [(each, one) for each in kinds for one in self._store.list(each.name, name)]


OK = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


def _remaining(left: list[tuple[Resource, Json]]) -> list[Json]:
    """Say what is left in a namespace, by its kind and by what keeps it."""
    kinds = Counter(f"{each.name}.{each.group}" for each, _ in left)
    keepers = Counter(keeper for _, one in left for keeper in one["metadata"].get("finalizers") or ())
    told: dict[str, tuple[str, str]] = {}
    rest = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
    told["NamespaceContentRemaining"] = ("SomeResourcesRemain", f"Some resources are remaining: {rest}")
    if keepers:
        kept = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(keepers.items()))
        message = f"Some content in the namespace has finalizers remaining: {kept}"
        told["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", message)
    return [
        {"type": kind, "status": str(kind in told), "reason": words[0], "message": words[1]}
        for kind, words in {**OK, **told}.items()
    ]


def _root(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": ROOT,
            "namespace": name,
            "annotations": {"kubernetes.io/description": EXPLANATION},
        },
        "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"},
    }
