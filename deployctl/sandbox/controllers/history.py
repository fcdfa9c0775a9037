"""Keeps the templates that a StatefulSet has had, as ControllerRevisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deployctl.sandbox.controllers.kin import Kin, reference
from deployctl.sandbox.controllers.revisions import hash_of, notes_of
from deployctl.sandbox.controllers.rollout import Admit
from deployctl.sandbox.controllers.selecting import labels_of
from deployctl.sandbox.store import Store, moment

Json = dict[str, Any]

RESOURCE = "controllerrevisions"
HASH = "controller.kubernetes.io/hash"
POD_REVISION = "controller-revision-hash"  # of a pod: the name of its revision


@dataclass
class History:
    """The ControllerRevisions of one StatefulSet, the newest last."""

    store: Store
    admit: Admit
    held: Json
    revisions: list[Json]

    @classmethod
    def of(cls, store: Store, kin: Kin, admit: Admit, held: Json) -> History:
        return cls(store, admit, held, sorted(kin.claimed(RESOURCE, held, "StatefulSet"), key=_by_revision))

    def update(self) -> tuple[Json, int]:
        """Give the revision of the template, made now where there is none, and how often its name was taken."""
        kept, collisions = self._kept(), int(self.held.get("status", {}).get("collisionCount") or 0)
        equal = [one for one in self.revisions if one["data"] == kept]
        if not equal:
            return self._made(kept, collisions)
        if self.revisions[-1]["data"] == kept:
            return self.revisions[-1], collisions
        return self.store.update(RESOURCE, {**equal[-1], "revision": self._next()}), collisions

    def current(self) -> Json | None:
        """Find the revision that the status calls current."""
        name = self.held.get("status", {}).get("currentRevision")
        return next((one for one in self.revisions if one["metadata"]["name"] == name), None)

    def truncate(self, alive: set[str]) -> None:
        """Delete the oldest that nobody lives by, beyond revisionHistoryLimit."""
        past = [one for one in self.revisions if one["metadata"]["name"] not in alive]
        limit = self.held["spec"]["revisionHistoryLimit"]
        for one in past[: max(0, len(past) - limit)] if limit >= 0 else ():
            self.store.remove(RESOURCE, one["metadata"]["namespace"], one["metadata"]["name"])

    def _kept(self) -> Json:
        """Give what is kept of a StatefulSet: a patch that puts its template back."""
        return {"spec": {"template": {**self.held["spec"]["template"], "$patch": "replace"}}}

    def _next(self) -> int:
        return int(self.revisions[-1]["revision"]) + 1 if self.revisions else 1

    def _made(self, kept: Json, collisions: int) -> tuple[Json, int]:
        meta = self.held["metadata"]
        while True:
            digest = hash_of(kept, collisions)
            name = f"{meta['name']}-{digest}"
            there = self.store.get(RESOURCE, meta["namespace"], name)
            if there is None:
                made = self._revision(name, digest, kept)
                return self.store.create(RESOURCE, self.admit(RESOURCE, made)), collisions
            if there["data"] == kept:
                return there, collisions
            collisions += 1

    def _revision(self, name: str, digest: str, kept: Json) -> Json:
        metadata = {
            "name": name,
            "namespace": self.held["metadata"]["namespace"],
            "labels": {**labels_of(self.held["spec"]["template"]), HASH: digest},
            "ownerReferences": [reference(self.held, "StatefulSet")],
        }
        if notes := notes_of(self.held):
            metadata["annotations"] = dict(notes)
        return {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": metadata,
            "data": kept,
            "revision": self._next(),
        }


def revision_of(pod: Json) -> str:
    return labels_of(pod).get(POD_REVISION, "")


def template_in(revision: Json) -> Json:
    kept: Json = revision["data"]["spec"]["template"]
    return {key: value for key, value in kept.items() if key != "$patch"}


def _by_revision(one: Json) -> tuple[int, float, str]:
    meta = one["metadata"]
    return int(one["revision"]), moment(meta["creationTimestamp"]), str(meta["name"])
