"""Knows who belongs to whom: objects by the uids of their owners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployctl.sandbox.controllers.selecting import labels_of, selects
from deployctl.sandbox.resources import BY_KIND, BY_NAME, RESOURCES
from deployctl.sandbox.store import Event, Store

Json = dict[str, Any]
Member = tuple[str, str, str]  # resource, namespace, name

KINDS = frozenset(
    {"pods", "replicasets", "controllerrevisions"}
)  # of them the ones without a controller are known, too


def controller_of(one: Json) -> Json | None:
    """Give the owner that controls an object."""
    for owner in one["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def reference(owner: Json, kind: str) -> Json:
    """Refer to an object as the controller of another."""
    return {
        "apiVersion": BY_KIND[kind].api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


class Kin:
    """An index of the store by ownerReferences; it must hear of a change before any controller does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._of: dict[str, set[Member]] = {}
        for resource in RESOURCES:
            for one in store.list(resource.name):
                self._add(resource.name, one)
        store.listeners.insert(0, self._heard)

    def controlled(self, resource: str, owner: Json) -> list[Json]:
        """Give the objects of a kind that an object controls, in the order of their names."""
        uid = owner["metadata"]["uid"]
        return [one for one in self._members(resource, uid) if (controller_of(one) or {}).get("uid") == uid]

    def orphans(self, resource: str, namespace: str) -> list[Json]:
        """Give the pods or ReplicaSets of a namespace that nothing controls."""
        return self._members(resource, f"/{namespace}")

    def owned(self, uid: str) -> list[tuple[str, Json]]:
        """Give every object, with its resource, that names an owner."""
        found = sorted(self._of.get(uid, ()))
        return [(each[0], one) for each in found if (one := self._store.get(*each)) is not None]

    def claimed(
        self, resource: str, owner: Json, kind: str, fits: Callable[[Json], bool] = lambda _: True
    ) -> list[Json]:
        """Give what an object controls and selects; adopt what is free and `fits`, let go of what it selects no more."""
        mine = [one for one in self.controlled(resource, owner) if self._kept(resource, owner, one)]
        if "deletionTimestamp" in owner["metadata"]:
            return mine
        selector, me = owner["spec"]["selector"], reference(owner, kind)
        free = self.orphans(resource, owner["metadata"]["namespace"])
        return mine + [
            self._adopted(resource, one, me)
            for one in free
            if selects(selector, labels_of(one)) and "deletionTimestamp" not in one["metadata"] and fits(one)
        ]

    def _kept(self, resource: str, owner: Json, one: Json) -> bool:
        if selects(owner["spec"]["selector"], labels_of(one)):
            return True
        if "deletionTimestamp" not in owner["metadata"]:
            uid, meta = owner["metadata"]["uid"], dict(one["metadata"])
            meta["ownerReferences"] = [each for each in meta["ownerReferences"] if each["uid"] != uid]
            if not meta["ownerReferences"]:
                del meta["ownerReferences"]
            self._store.update(resource, {**one, "metadata": meta})
        return False

    def _adopted(self, resource: str, one: Json, owner: Json) -> Json:
        owners = [*(one["metadata"].get("ownerReferences") or ()), owner]
        return self._store.update(
            resource, {**one, "metadata": {**one["metadata"], "ownerReferences": owners}}
        )

    def _members(self, resource: str, uid: str) -> list[Json]:
        found = sorted(each for each in self._of.get(uid, ()) if each[0] == resource)
        return [one for each in found if (one := self._store.get(*each)) is not None]

    def _heard(self, event: Event) -> None:
        before, after = event.before, event.object
        owners = before["metadata"].get("ownerReferences") if before else None
        if event.change == "MODIFIED" and owners == after["metadata"].get("ownerReferences"):
            return
        if before is not None:
            for uid in _uids(event.resource, before):
                self._of[uid].discard(_member(event.resource, before))
        if event.change != "DELETED":
            self._add(event.resource, after)

    def _add(self, resource: str, one: Json) -> None:
        for uid in _uids(resource, one):
            self._of.setdefault(uid, set()).add(_member(resource, one))


def _member(resource: str, one: Json) -> Member:
    namespace = one["metadata"]["namespace"] if BY_NAME[resource].namespaced else ""
    return resource, namespace, one["metadata"]["name"]


def _uids(resource: str, one: Json) -> list[str]:
    uids = [each["uid"] for each in one["metadata"].get("ownerReferences") or ()]
    if resource in KINDS and controller_of(one) is None:
        uids.append(f"/{one['metadata']['namespace']}")
    return uids
