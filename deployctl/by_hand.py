"""The way back by hand: the kubectl commands that return to stable without deployctl. docs/by-hand.md explains them.

The order is the law: traffic first, then the Deployment in one patch, then what is ours comes off. A pod that
no gate has vouched for is gone before any Service stops asking for the label.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployctl.autoscaling.held import resource_of
from deployctl.autoscaling.through import given_back
from deployctl.by_hand_ordinals import OrdinalsByHand
from deployctl.gates.http import port_of
from deployctl.memory import ANNOTATION, COST, DETACHED_COST, LABEL, Memory, Settings, annotation
from deployctl.observe import Snapshot, made, observe, replica_set
from deployctl.observe import Witness as Nothing
from deployctl.prepare import selector_of
from deployctl.workload import HASH, stateful
from strategies.model import Observed, Side

Json = dict[str, Any]
NODES_SECONDS = 3  # until every node has heard of a changed selector
DARK_SECONDS = 2  # until the controller has taken the pods that are first to go


@dataclass(frozen=True, slots=True)
class ByHand:
    """Builds the commands; `kubectl` is how kubectl is called for this cluster."""

    kubectl: str
    look: Snapshot
    memory: Memory

    def commands(self) -> tuple[str, ...]:
        """Give the commands in order; none where the old ReplicaSet is gone, and with it the template."""
        back = self._back()
        return (*back, *self._scalers()) if back else ()

    def _scalers(self) -> Iterator[str]:
        """Give the autoscaler its own bounds again."""
        for one in self.look.scalers:
            if request := given_back(one):
                body = {**request.body, "metadata": {"annotations": request.body["metadata"]["annotations"]}}
                kind = resource_of(one).removesuffix("s")
                name = one["metadata"]["name"]
                yield f"{self.kubectl} patch {kind} {name} --type merge -p '{_compact(body)}'"

    def _back(self) -> tuple[str, ...]:
        owner = replica_set(self.look.replica_sets, self.memory.stable)
        if owner is None:
            return ()
        seen = observe(self.look, self.memory.stable, self.memory.preview, Nothing())
        old = owner["metadata"]["name"]
        if stateful(self.look.deployment):
            selector = selector_of(self.look.deployment)
            return OrdinalsByHand(self.kubectl, self.look, self.memory, seen, old, selector).commands()
        return (
            *self._traffic(seen),
            *self._dark(seen),
            self._deployment(old),
            *self._ours(seen),
            *self._front(seen),
            *self._consumers(seen),
            *self._clean(seen),
        )

    def _traffic(self, seen: Observed) -> Iterator[str]:
        """Take the traffic off the preview: to stable where that is whole, else to both sides."""
        shifted = [one.name for one in seen.services if one.pin and one.pin == seen.preview.revision]
        whole = len(seen.stable.ready) >= max(1, seen.replicas)
        for name in shifted:
            yield self._select(name, {HASH: seen.stable.revision if whole else None})
        if shifted:
            yield f"sleep {NODES_SECONDS}"

    def _dark(self, seen: Observed) -> Iterator[str]:
        """Let the pods that no gate has vouched for be the first to go."""
        if seen.valve and any(not pod.labelled for pod in seen.preview.pods):
            chosen = f"-l '{HASH}={seen.preview.revision},!{LABEL}'"
            yield f"{self.kubectl} annotate pods {chosen} --overwrite {COST}={DETACHED_COST}"

    def _deployment(self, old: str) -> str:
        """One patch: the old template without the hash that its ReplicaSet added, and the user's own settings."""
        name = self.look.deployment["metadata"]["name"]
        template = f"'\"$({self.kubectl} get replicaset {old} -o jsonpath='{{.spec.template}}')\"'"
        ops = [
            f'{{"op":"add","path":"/spec/template","value":{template}}}',
            f'{{"op":"remove","path":"/spec/template/metadata/labels/{HASH}"}}',
            *map(_compact, _own(self.memory.own)),
            *([_compact(_FORGET)] if annotation(self.look.deployment) else []),
        ]
        return f"{self.kubectl} patch deployment {name} --type json -p '[\n  " + ",\n  ".join(ops) + "]'"

    def _ours(self, seen: Observed) -> Iterator[str]:
        """Let the Services select as their manifests say: pinned ones once the preview is gone."""
        narrowed = [one.name for one in seen.services if one.pin or one.valve]
        rolled = f"{self.kubectl} rollout status deployment {self.look.deployment['metadata']['name']}"
        undo = [self._select(name, {HASH: None, LABEL: None}, forget=True) for name in narrowed]
        yield from (f"sleep {DARK_SECONDS}", *undo, rolled) if seen.valve else (rolled, *undo)

    def _front(self, seen: Observed) -> Iterator[str]:
        """Put the preview Service back: delete our own, take the pin off the user's."""
        front = seen.preview_service
        there = self.look.other(front.name) if front and front.ours else None
        if front and there:
            undo = self._select(front.name, {HASH: None}, forget=True)
            yield f"{self.kubectl} delete service {front.name}" if made(there, self.memory.app) else undo

    def _consumers(self, seen: Observed) -> Iterator[str]:
        """Tell every pod of stable to consume, the preview's having ended; under a later seal than any of ours."""
        page, pods = self.memory.consumes, self.look.pods
        port = port_of(pods[0], self.look.services[0], page.port) if page and pods else None
        if page is None or not page.told or port is None:
            return
        mine = selector_of(self.look.deployment)
        gone = f"-l '{mine},{HASH}={seen.preview.revision}'"
        yield f"{self.kubectl} wait --for=delete pods {gone} --timeout=10m || true"
        chosen = f"-l '{mine},{HASH}={seen.stable.revision}'"
        names = f"$({self.kubectl} get pods {chosen} -o jsonpath='{{.items[*].metadata.name}}')"
        space = self.look.deployment["metadata"]["namespace"]
        where = f"/api/v1/namespaces/{space}/pods/$pod:{port}/proxy{page.path}"
        order = '{\\"consume\\": true, \\"seal\\": \\"$(date -u +%FT%TZ)/999999\\"}'
        yield f'for pod in {names}; do echo "{order}" | {self.kubectl} create --raw {where} -f -; done'

    def _clean(self, seen: Observed) -> Iterator[str]:
        chosen = f"-l '{selector_of(self.look.deployment)}'"
        if any(_marked(side) for side in (seen.stable, seen.preview)) or seen.valve:
            yield f"{self.kubectl} label pods {chosen} {LABEL}-"
            yield f"{self.kubectl} annotate pods {chosen} {COST}-"
        yield f"{self.kubectl} annotate replicasets {chosen} {ANNOTATION}-"

    def _select(self, name: str, change: dict[str, str | None], *, forget: bool = False) -> str:
        body: Json = {"spec": {"selector": change}}
        if forget:
            body["metadata"] = {"annotations": {ANNOTATION: None}}
        return f"{self.kubectl} patch service {name} --type merge -p '{_compact(body)}'"


_FORGET: Json = {"op": "remove", "path": "/metadata/annotations/" + ANNOTATION.replace("/", "~1")}


def _own(own: Settings) -> tuple[Json, ...]:
    values = {
        "minReadySeconds": own.min_ready_seconds,
        "progressDeadlineSeconds": own.progress_deadline_seconds,
        "strategy": own.strategy,
        "paused": own.paused,
    }
    return tuple({"op": "add", "path": f"/spec/{key}", "value": value} for key, value in values.items())


def _marked(side: Side) -> bool:
    return any(pod.labelled or pod.detached for pod in side.pods)


def _compact(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"))
