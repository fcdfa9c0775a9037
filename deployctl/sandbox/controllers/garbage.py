"""Deletes what belongs to nobody any more, lets orphans go, and holds owners until their dependents have gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.api.deleting import FOREGROUND, ORPHAN, Wish, removed
from deployctl.sandbox.controllers.kin import Kin
from deployctl.sandbox.resources import BY_KIND, BY_NAME
from deployctl.sandbox.store import Event, Store

Json = dict[str, Any]
Key = tuple[str, str]


class Garbage:
    """The controller; its keys name a resource, too: `("default", "pods/wallet-1")`."""

    name = "garbage"

    def __init__(self, store: Store, kin: Kin) -> None:
        self._store, self._kin = store, kin

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at the dependents of what has gone, at the owners that wait for it, at what is to go."""
        meta = event.object["metadata"]
        if event.change == "DELETED":
            dependents = self._kin.owned(meta["uid"])
            return [_key(*each) for each in dependents] + self._waiting(event.object)
        owners = meta.get("ownerReferences")
        if "deletionTimestamp" in meta and meta.get("finalizers"):
            return (_key(event.resource, event.object),)
        if owners and (event.before is None or event.before["metadata"].get("ownerReferences") != owners):
            return (_key(event.resource, event.object),)
        return ()

    def _waiting(self, one: Json) -> list[Key]:
        found = []
        for owner in one["metadata"].get("ownerReferences") or ():
            held = self._owner(one, owner)
            if held is not None and "deletionTimestamp" in held["metadata"]:
                found.append(_key(BY_KIND[owner["kind"]].name, held))
        return found

    def reconcile(self, namespace: str, name: str) -> None:
        resource, _, name = name.partition("/")
        one = self._store.get(resource, namespace, name)
        if one is None:
            return
        finalizers = one["metadata"].get("finalizers") or ()
        if "deletionTimestamp" not in one["metadata"]:
            self._judge(resource, one)
        elif ORPHAN in finalizers:
            self._orphan(one)
            self._finish(resource, one, ORPHAN)
        elif FOREGROUND in finalizers:
            self._empty(resource, one)

    def _owner(self, one: Json, owner: Json) -> Json | None:
        kind = BY_KIND.get(owner["kind"])
        if kind is None:
            return None
        namespace = one["metadata"].get("namespace", "") if kind.namespaced else ""
        held = self._store.get(kind.name, namespace, owner["name"])
        return held if held is not None and held["metadata"]["uid"] == owner["uid"] else None

    def _judge(self, resource: str, one: Json) -> None:
        """Delete an object whose owners have all gone or wait for it; else forget those owners."""
        owners = one["metadata"].get("ownerReferences") or []
        solid = [owner for owner in owners if self._is_solid(one, owner)]
        if len(solid) == len(owners):
            return
        if solid:
            self._store.update(resource, {**one, "metadata": {**one["metadata"], "ownerReferences": solid}})
            return
        waits = any(self._owner(one, owner) for owner in owners)
        self._delete(resource, one, "Foreground" if waits else "")

    def _is_solid(self, one: Json, owner: Json) -> bool:
        if owner["kind"] not in BY_KIND:
            return True  # nobody can say
        held = self._owner(one, owner)
        return held is not None and FOREGROUND not in (held["metadata"].get("finalizers") or ())

    def _delete(self, resource: str, one: Json, policy: str) -> None:
        if policy and not self._kin.owned(one["metadata"]["uid"]):
            policy = ""
        removed(self._store, BY_NAME[resource], one, Wish(policy=policy))

    def _orphan(self, owner: Json) -> None:
        uid = owner["metadata"]["uid"]
        for resource, one in self._kin.owned(uid):
            left = [each for each in one["metadata"]["ownerReferences"] if each["uid"] != uid]
            meta = {**one["metadata"], "ownerReferences": left}
            if not left:
                del meta["ownerReferences"]
            self._store.update(resource, {**one, "metadata": meta})

    def _empty(self, resource: str, owner: Json) -> None:
        """Delete the dependents; the owner goes when none is left that blocks it."""
        uid = owner["metadata"]["uid"]
        for kind, one in self._kin.owned(uid):
            if "deletionTimestamp" not in one["metadata"]:
                self._judge(kind, one)
        left = [each for _, one in self._kin.owned(uid) for each in one["metadata"]["ownerReferences"]]
        if not any(each["uid"] == uid and each.get("blockOwnerDeletion") for each in left):
            self._finish(resource, owner, FOREGROUND)

    def _finish(self, resource: str, one: Json, finalizer: str) -> None:
        """Take a finalizer off; with its last one an object goes."""
        meta = one["metadata"]
        left = [each for each in meta["finalizers"] if each != finalizer]
        if left:
            self._store.update(resource, {**one, "metadata": {**meta, "finalizers": left}})
        elif resource != "pods" or not meta.get("deletionGracePeriodSeconds"):
            self._store.remove(resource, meta.get("namespace", ""), meta["name"])
        else:
            kept = {key: value for key, value in meta.items() if key != "finalizers"}
            self._store.update(resource, {**one, "metadata": kept})


def _key(resource: str, one: Json) -> Key:
    return one["metadata"].get("namespace", ""), f"{resource}/{one['metadata']['name']}"
