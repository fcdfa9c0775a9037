"""Says how many pods of a PodDisruptionBudget may be evicted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.controllers.conditions import updated
from deployctl.sandbox.controllers.kin import controller_of
from deployctl.sandbox.controllers.pods import is_leaving, is_ready
from deployctl.sandbox.controllers.recording import Recorder
from deployctl.sandbox.controllers.selecting import labels_of, selects
from deployctl.sandbox.controllers.sizes import in_pods, size
from deployctl.sandbox.resources import BY_KIND
from deployctl.sandbox.store import Event, Store, stamp

Json = dict[str, Any]
Key = tuple[str, str]


class Budgets:
    """The controller."""

    name = "disruption"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events = Recorder(store, "controllermanager")

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at a budget itself, at those of a pod, and at all of a namespace where something is scaled."""
        if event.resource == "poddisruptionbudgets":
            return ((event.namespace, event.name),)
        if event.resource not in {"pods", "deployments", "replicasets", "statefulsets"}:
            return ()
        budgets = self._store.list("poddisruptionbudgets", event.namespace)
        if event.resource == "pods":
            labels = labels_of(event.object)
            budgets = [one for one in budgets if selects(one["spec"].get("selector"), labels)]
        return [(event.namespace, one["metadata"]["name"]) for one in budgets]

    def reconcile(self, namespace: str, name: str) -> None:
        budget = self._store.get("poddisruptionbudgets", namespace, name)
        if budget is None:
            return
        selector = budget["spec"].get("selector")
        pods = [one for one in self._store.list("pods", namespace) if selects(selector, labels_of(one))]
        if not pods:
            self._events.normal(budget, "PodDisruptionBudget", "NoPods", "No matching pods found")
        expected, desired = self._expected(budget, pods)
        healthy = sum(is_ready(one) and not is_leaving(one) for one in pods)
        allowed = max(0, healthy - desired) if expected > 0 else 0
        self._write(budget, (healthy, desired, expected, allowed))

    def _expected(self, budget: Json, pods: list[Json]) -> tuple[int, int]:
        """Give the number of pods that should be there, and of them that must be healthy."""
        spec = budget["spec"]
        if (most := spec.get("maxUnavailable")) is not None:
            expected = self._scale(pods)
            return expected, max(0, expected - in_pods(most, expected, up=True))
        least = spec.get("minAvailable", 1)
        if isinstance(least, int):
            return len(pods), least
        expected = self._scale(pods)
        return expected, in_pods(least, expected, up=True)

    def _scale(self, pods: list[Json]) -> int:
        """Add up the sizes of the Deployments and StatefulSets, or the ReplicaSets alone, that the pods belong to."""
        owners = {one["metadata"]["uid"]: one for pod in pods if (one := self._top(pod)) is not None}
        return sum(size(one) for one in owners.values())

    def _top(self, one: Json) -> Json | None:
        top = None
        while (owner := controller_of(one)) and owner["kind"] in BY_KIND:
            held = self._store.get(BY_KIND[owner["kind"]].name, one["metadata"]["namespace"], owner["name"])
            if held is None or held["metadata"]["uid"] != owner["uid"]:
                break
            top = one = held
        return top

    def _write(self, budget: Json, counts: tuple[int, int, int, int]) -> None:
        healthy, desired, expected, allowed = counts
        generation = budget["metadata"]["generation"]
        told = {
            "type": "DisruptionAllowed",
            "status": "True" if allowed else "False",
            "reason": "SufficientPods" if allowed else "InsufficientPods",
            "message": "",
            "observedGeneration": generation,
        }
        before = list(budget.get("status", {}).get("conditions") or ())
        status = {
            **{key: value for key, value in budget.get("status", {}).items() if key == "disruptedPods"},
            "observedGeneration": generation,
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
            "conditions": updated(before, told, stamp(self._store.clock())),
        }
        self._store.update("poddisruptionbudgets", {**budget, "status": status}, counted=False)
