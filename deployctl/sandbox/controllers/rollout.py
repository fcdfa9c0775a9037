"""One look at one Deployment and its ReplicaSets: what its controller writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deployctl.sandbox.calls import Refused
from deployctl.sandbox.controllers.conditions import condition, settled
from deployctl.sandbox.controllers.kin import Kin, controller_of, reference
from deployctl.sandbox.controllers.progress import (
    counted,
    has_deadline,
    look_again_in,
    rolled,
    told,
)
from deployctl.sandbox.controllers.recording import Recorder
from deployctl.sandbox.controllers.revisions import (
    REVISION,
    copied,
    new_set,
    newest_of,
    next_revision,
    notes_of,
    plain,
    sizes_noted,
    with_annotations,
)
from deployctl.sandbox.controllers.signing import signed
from deployctl.sandbox.controllers.sizes import (
    by_creation,
    size,
    size_of_new,
)
from deployctl.sandbox.store import Store, stamp

Json = dict[str, Any]
Admit = Callable[[str, Json], Json]  # lets a new object pass the API server's admission, or raises Refused


@dataclass
class Rollout:
    """A Deployment as it is read, `sets` all its ReplicaSets; both follow every write."""

    store: Store
    kin: Kin
    events: Recorder
    admit: Admit
    deployment: Json
    sets: list[Json]

    def __post_init__(self) -> None:
        self.new: Json | None = None
        self.sort()

    def sort(self) -> None:
        """Tell the new ReplicaSet from the old ones."""
        self.new = newest_of(self.deployment, self.sets)
        uid = self.new["metadata"]["uid"] if self.new else None
        self.old = sorted((one for one in self.sets if one["metadata"]["uid"] != uid), key=by_creation)

    @property
    def latest(self) -> Json:
        """Give the new ReplicaSet where it is known to be there."""
        assert self.new is not None  # noqa: S101 - created before anybody asks
        return self.new

    # what is said

    def _write_status(self, status: Json, noted: dict[str, str] | None = None) -> None:
        deployment = {**self.deployment, "status": status}
        if noted:
            deployment = with_annotations(deployment, noted)
        if deployment != self.deployment:
            deployment = signed(deployment, stamp(self.store.clock()))
        self.deployment = self.store.update("deployments", deployment, counted=False)

    def _conditioned(self, *new: Json) -> Json:
        status = self.deployment.get("status", {})
        conditions = list(status.get("conditions") or ())
        for each in new:
            conditions = settled(conditions, each)
        return {**status, "conditions": conditions} if conditions else dict(status)

    def _progress(self, status: str, reason: str, message: str) -> Json:
        return told("Progressing", status, reason, message, self.store.clock())

    def tell_pause(self) -> None:
        """Say that it is paused or goes on, so that no deadline passes in the meantime."""
        last = condition(self.deployment, "Progressing")
        reason = last["reason"] if last else ""
        if not has_deadline(self.deployment) or reason == "ProgressDeadlineExceeded":
            return
        paused = bool(self.deployment["spec"].get("paused"))
        if paused and reason != "DeploymentPaused":
            new = self._progress("Unknown", "DeploymentPaused", "Deployment is paused")
            self._write_status(self._conditioned(new))
        elif not paused and reason == "DeploymentPaused":
            new = self._progress("Unknown", "DeploymentResumed", "Deployment is resumed")
            self._write_status(self._conditioned(new))

    def count(self) -> None:
        status = counted(self.deployment, self.new, self.sets, self.store.clock())
        if status != self.deployment.get("status"):
            self._write_status(status)

    def report(self) -> float | None:
        now = self.store.clock()
        status = rolled(self.deployment, self.new, self.sets, now)
        if status == self.deployment.get("status"):
            return look_again_in(self.deployment, status, now)
        self._write_status(status)
        return None

    # which ReplicaSet is the new one

    def adopt_revision(self) -> None:
        """Bring the new ReplicaSet's annotations and minReadySeconds, then the Deployment's revision, up to date."""
        if self.new is None:
            return
        number = next_revision(self.old)
        changed = with_annotations(self.new, copied(self.deployment, self.new, number))
        least = self.deployment["spec"].get("minReadySeconds", 0)
        if least != self.new["spec"].get("minReadySeconds", 0):
            changed["spec"] = {**changed["spec"], "minReadySeconds": least}
            if not least:
                del changed["spec"]["minReadySeconds"]
        if changed != self.new:
            self._replace(self.store.update("replicasets", changed))
        found = condition(self.deployment, "Progressing") is None and has_deadline(self.deployment)
        status = dict(self.deployment.get("status", {}))
        if found:
            message = f'Found new replica set "{self.new["metadata"]["name"]}"'
            status = self._conditioned(self._progress("True", "FoundNewReplicaSet", message))
        self._write_status(status, self._revision(notes_of(self.new).get(REVISION, "")))

    def _revision(self, number: str) -> dict[str, str]:
        return {} if notes_of(self.deployment).get(REVISION) == number else {REVISION: number}

    def _replace(self, one: Json) -> None:
        uid = one["metadata"]["uid"]
        self.sets = [one if each["metadata"]["uid"] == uid else each for each in self.sets]
        self.old = [one if each["metadata"]["uid"] == uid else each for each in self.old]
        if self.new and self.new["metadata"]["uid"] == uid:
            self.new = one

    def create(self) -> bool:
        """Create the new ReplicaSet, of the size that it may have; False where its name is taken or it is refused."""
        made = new_set(self.deployment, self.old, reference(self.deployment, "Deployment"))
        count = size_of_new(self.deployment, [*self.old, made], made)
        made["spec"]["replicas"] = count
        meta = made["metadata"]
        if taken := self.store.get("replicasets", meta["namespace"], meta["name"]):
            return self._resolve(taken)
        try:
            created = self.store.create("replicasets", self.admit("replicasets", made))
        except Refused as refused:
            return self._refused(meta["name"], refused)
        self.sets.append(created)
        self.sort()
        if count:
            self._tell_scaled("up", meta["name"], 0, count)
        status = self.deployment.get("status", {})
        if has_deadline(self.deployment):
            message = f'Created new replica set "{meta["name"]}"'
            status = self._conditioned(self._progress("True", "NewReplicaSetCreated", message))
        self._write_status(status, self._revision(str(next_revision(self.old))))
        return True

    def _refused(self, name: str, refused: Refused) -> bool:
        message = f'Failed to create new replica set "{name}": {refused.message}'
        if has_deadline(self.deployment):
            failed = self._progress("False", "ReplicaSetCreateError", message)
            self._write_status(self._conditioned(failed))
        self.events.warning(self.deployment, "Deployment", "ReplicaSetCreateError", message)
        return False

    def _resolve(self, taken: Json) -> bool:
        """Count a collision of hashes: the next look makes another name."""
        owner = controller_of(taken) or {}
        same = plain(taken["spec"]["template"]) == plain(self.deployment["spec"]["template"])
        if not (same and owner.get("uid") == self.deployment["metadata"]["uid"]):
            status = self.deployment.get("status", {})
            self._write_status({**status, "collisionCount": status.get("collisionCount", 0) + 1})
        return False

    # sizes

    def set_size(self, one: Json, count: int) -> bool:
        """Write a ReplicaSet's size and note for which size of the Deployment; tell whether it changed."""
        before = size(one)
        changed = with_annotations(
            {**one, "spec": {**one["spec"], "replicas": count}}, sizes_noted(self.deployment)
        )
        self._replace(self.store.update("replicasets", changed))
        if count != before:
            way = "up" if count > before else "down"
            self._tell_scaled(way, one["metadata"]["name"], before, count)
        return count != before

    def resize(self, one: Json, count: int) -> bool:
        return size(one) != count and self.set_size(one, count)

    def _tell_scaled(self, way: str, name: str, before: int, count: int) -> None:
        message = f"Scaled {way} replica set {name} from {before} to {count}"
        self.events.normal(self.deployment, "Deployment", "ScalingReplicaSet", message)
