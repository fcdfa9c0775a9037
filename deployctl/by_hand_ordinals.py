"""The way back by hand of a StatefulSet: the kubectl commands that return to stable, pod by pod.

The order is the law: stable's template first, where nothing acts on it; then the preview's pods are deleted, those
without traffic first and the highest ordinal first; then the Services, and the user's settings last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployctl.memory import ANNOTATION, COST, LABEL, LABEL_VALUE, Memory, annotation
from deployctl.observe import Snapshot
from deployctl.workload import ON_DELETE
from strategies.model import Observed, Pod

Json = dict[str, Any]
NODES_SECONDS = 3  # until every node has heard that a pod left
READY_SECONDS = 600


@dataclass(frozen=True, slots=True)
class OrdinalsByHand:
    """Builds the commands; `old` is the ControllerRevision to go back to, `selector` finds the pods."""

    kubectl: str
    look: Snapshot
    memory: Memory
    seen: Observed
    old: str
    selector: str

    def commands(self) -> tuple[str, ...]:
        """Give the commands in order."""
        return (self._template(), *self._pods(), *self._services(), self._own(), *self._clean())

    @property
    def _name(self) -> str:
        return str(self.look.deployment["metadata"]["name"])

    def _template(self) -> str:
        """One patch: the old template, less the directive that its ControllerRevision keeps, and nothing acting."""
        kept = f"{self.kubectl} get controllerrevision {self.old} -o jsonpath='{{.data.spec.template}}'"
        template = f"'\"$({kept})\"'"
        return self._patch(
            f'{{"op":"add","path":"/spec/template","value":{template}}}',
            '{"op":"remove","path":"/spec/template/$patch"}',
            _compact({"op": "add", "path": "/spec/updateStrategy", "value": ON_DELETE}),
        )

    def _pods(self) -> Iterator[str]:
        """Delete the dark pods together, for a broken one holds up those above it; the others one by one."""
        new = sorted(self.seen.preview.pods, key=lambda pod: -pod.ordinal)
        dark = [pod.name for pod in new if self.seen.valve and not pod.labelled]
        if dark:
            yield f"{self.kubectl} delete pod {' '.join(dark)}"
            yield from self._back(dark)
        waiting = [pod.name for pod in self.seen.stable.pods if self.seen.valve and not pod.labelled]
        if waiting:
            yield self._let_in(waiting)
        for pod in new:
            yield from self._one(pod) if pod.name not in dark else ()

    def _one(self, pod: Pod) -> Iterator[str]:
        if self.seen.valve:
            yield f"{self.kubectl} label pod {pod.name} {LABEL}-"
            yield f"sleep {NODES_SECONDS}"
        yield f"{self.kubectl} delete pod {pod.name}"
        yield from self._back([pod.name])

    def _back(self, names: list[str]) -> Iterator[str]:
        pods = " ".join(f"pod/{name}" for name in names)
        yield f"{self.kubectl} wait --for=create {pods} --timeout={READY_SECONDS}s"
        yield f"{self.kubectl} wait --for=condition=Ready {pods} --timeout={READY_SECONDS}s"
        if self.seen.valve:
            yield self._let_in(names)

    def _let_in(self, names: list[str]) -> str:
        return f"{self.kubectl} label pod {' '.join(names)} --overwrite {LABEL}={LABEL_VALUE}"

    def _services(self) -> Iterator[str]:
        body = _compact(
            {"spec": {"selector": {LABEL: None}}, "metadata": {"annotations": {ANNOTATION: None}}}
        )
        for one in self.seen.services:
            if one.valve:
                yield f"{self.kubectl} patch service {one.name} --type merge -p '{body}'"

    def _own(self) -> str:
        """Give the user's own settings back, and forget the release."""
        own = {"op": "add", "path": "/spec/updateStrategy", "value": self.memory.own.strategy}
        forget = {"op": "remove", "path": "/metadata/annotations/" + ANNOTATION.replace("/", "~1")}
        there = annotation(self.look.deployment)
        return self._patch(_compact(own), *([_compact(forget)] if there else []))

    def _clean(self) -> Iterator[str]:
        chosen = f"-l '{self.selector}'"
        yield f"{self.kubectl} rollout status statefulset {self._name}"
        yield f"{self.kubectl} label pods {chosen} {LABEL}-"
        yield f"{self.kubectl} annotate pods {chosen} {COST}-"
        yield f"{self.kubectl} annotate controllerrevisions {chosen} {ANNOTATION}-"

    def _patch(self, *ops: str) -> str:
        return (
            f"{self.kubectl} patch statefulset {self._name} --type json -p '[\n  " + ",\n  ".join(ops) + "]'"
        )


def _compact(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"))
