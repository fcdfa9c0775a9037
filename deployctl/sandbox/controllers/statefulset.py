"""Keeps the pods of a StatefulSet, each under its own name, and makes them anew from the highest ordinal down.

The source: k8s.io/kubernetes/pkg/controller/statefulset/stateful_set_control.go, with the gates as 1.35 has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from deployctl.sandbox.api.deleting import Wish, removed
from deployctl.sandbox.calls import Refused
from deployctl.sandbox.controllers.history import History, revision_of
from deployctl.sandbox.controllers.kin import Kin, controller_of
from deployctl.sandbox.controllers.ordinals import Ordinals, identified, is_member, is_told, ordinal
from deployctl.sandbox.controllers.pods import FINAL, available_in, is_leaving, phase
from deployctl.sandbox.controllers.recording import Recorder
from deployctl.sandbox.controllers.rollout import Admit
from deployctl.sandbox.controllers.selecting import labels_of, selects
from deployctl.sandbox.resources import BY_NAME
from deployctl.sandbox.store import Event, Store

Json = dict[str, Any]
Key = tuple[str, str]

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.005, 1000.0


class StatefulSets:
    """The controller. `admit` lets a new pod pass the API server's admission, or raises `Refused`."""

    name = "statefulset"

    def __init__(self, store: Store, kin: Kin, admit: Admit) -> None:
        self.admit = admit
        self._store, self._kin = store, kin
        self._events = Recorder(store, "statefulset-controller")
        self._failures: dict[Key, int] = {}

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at the StatefulSet itself, at the owner of a pod, at every one that might adopt it."""
        if event.resource == "statefulsets":
            return ((event.namespace, event.name),)
        if event.resource != "pods":
            return ()
        owners = {_owner(event.object), _owner(event.before) if event.before else ""} - {""}
        if not owners and controller_of(event.object) is None:
            owners = self._suitors(event.object)
        return [(event.namespace, owner) for owner in sorted(owners)]

    def _suitors(self, pod: Json) -> set[str]:
        every = self._store.list("statefulsets", pod["metadata"]["namespace"])
        return {one["metadata"]["name"] for one in every if selects(one["spec"]["selector"], labels_of(pod))}

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Make or delete pods, then say in the status what there is."""
        held = self._store.get("statefulsets", namespace, name)
        if held is None:
            self._failures.pop((namespace, name), None)
            return None
        pods = self._kin.claimed("pods", held, "StatefulSet", partial(is_member, held))
        history = History.of(self._store, self._kin, self.admit, held)
        current = history.current()
        update, collisions = history.update()
        look = Ordinals(held, pods, current or update, update, collisions, self._store.clock())
        problem, anew = self._acted(look)
        self._report(look, removed=anew)
        alive = {look.current["metadata"]["name"], update["metadata"]["name"], *map(revision_of, pods)}
        history.truncate(alive)
        return self._again((namespace, name), look, problem)

    def _again(self, key: Key, look: Ordinals, problem: Refused | None) -> float | None:
        if problem is not None:
            failed = self._failures[key] = self._failures.get(key, -1) + 1
            return float(min(FIRST_RETRY_SECONDS * 2 ** min(failed, 20), LAST_RETRY_SECONDS))
        self._failures.pop(key, None)
        waits = (available_in(pod, look.least_seconds, look.now) for pod in look.pods)
        return min(filter(None, waits), default=None)

    def _acted(self, look: Ordinals) -> tuple[Refused | None, bool]:
        """Act; give what was refused, and whether a pod was deleted to be made anew."""
        if "deletionTimestamp" in look.held["metadata"]:
            return None, False
        try:
            return None, self._act(look)
        except Refused as refused:
            return refused, False

    def _act(self, look: Ordinals) -> bool:
        """Bring up what is missing, then remove what is too much, then make anew; one after the other where it is ordered."""
        there = {ordinal(pod): pod for pod in look.pods}
        for number in look.range:
            stop, there[number] = self._replica(look, number, there.get(number))
            if stop and look.is_monotonic:
                return False
        if self._shrink(look) and look.is_monotonic:
            return False
        if look.held["spec"]["updateStrategy"]["type"] == "OnDelete":
            return False
        return self._renew(look, [there[number] for number in look.range])

    def _replica(self, look: Ordinals, number: int, pod: Json | None) -> tuple[bool, Json]:
        """See to the pod of one ordinal; say whether an ordered StatefulSet goes no further, and give the pod."""
        if pod is None:
            return True, self._create(look, number)
        if phase(pod) in FINAL:
            if not is_leaving(pod):
                self._delete(look, pod)
            return True, pod
        if look.is_monotonic and (is_leaving(pod) or not look.is_healthy(pod)):
            return True, pod
        changed = identified(pod)
        return False, self._store.update("pods", changed) if changed else pod

    def _shrink(self, look: Ordinals) -> bool:
        """Delete pods beyond the size: where it is ordered the highest, unless another is not healthy yet."""
        sick = next((pod for pod in reversed(look.condemned) if look.is_unavailable(pod)), None)
        for pod in look.condemned:
            waits = is_leaving(pod) or not (look.is_healthy(pod) or pod is sick)
            if not is_leaving(pod) and not (look.is_monotonic and waits):
                self._delete(look, pod)
            if look.is_monotonic:
                return True
        return bool(look.condemned)

    def _renew(self, look: Ordinals, replicas: list[Json]) -> bool:
        """Delete the highest pod at or above the partition that is not of the new revision; wait for those above it."""
        new = look.update["metadata"]["name"]
        for pod in reversed(replicas[look.partition :]):
            if revision_of(pod) != new and not is_leaving(pod):
                self._delete(look, pod)
                return True
            if look.is_unavailable(pod):
                return False
        return False

    def _create(self, look: Ordinals, number: int) -> Json:
        pod = look.pod(number)
        try:
            made = self._store.create("pods", self.admit("pods", pod))
        except Refused as refused:
            self._tell(look, "Create", pod, refused)
            raise
        self._tell(look, "Create", pod)
        return made

    def _delete(self, look: Ordinals, pod: Json) -> None:
        removed(self._store, BY_NAME["pods"], pod, Wish())
        self._tell(look, "Delete", pod)

    def _tell(self, look: Ordinals, verb: str, pod: Json, refused: Refused | None = None) -> None:
        name, whose = pod["metadata"]["name"], look.held["metadata"]["name"]
        said = f"{verb} Pod {name} in StatefulSet {whose}"
        if refused:
            message = f"{said} failed error: {refused.message}"
            self._events.warning(look.held, "StatefulSet", f"Failed{verb}", message)
        else:
            self._events.normal(look.held, "StatefulSet", f"Successful{verb}", f"{said} successful")

    def _report(self, look: Ordinals, *, removed: bool) -> None:
        status = look.status(removed=removed)
        held = self._store.get(
            "statefulsets", look.held["metadata"]["namespace"], look.held["metadata"]["name"]
        )
        if held is not None and not is_told(held, status):
            self._store.update("statefulsets", {**held, "status": status}, counted=False)


def _owner(pod: Json) -> str:
    owner = controller_of(pod)
    return str(owner["name"]) if owner and owner["kind"] == "StatefulSet" else ""
