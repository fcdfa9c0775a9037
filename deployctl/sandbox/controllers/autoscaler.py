"""Scales what a HorizontalPodAutoscaler names by what its pods use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.controllers.behaviour import History, bounded, stabilized
from deployctl.sandbox.controllers.conditions import updated
from deployctl.sandbox.controllers.proposals import TOLERANCE, Proposal, Source, Unknown, proposed
from deployctl.sandbox.controllers.recording import Recorder
from deployctl.sandbox.controllers.selecting import labels_of, selects
from deployctl.sandbox.controllers.sizes import size
from deployctl.sandbox.controllers.wording import about, named, no_kind, shown, wanted
from deployctl.sandbox.objects.amounts import amount
from deployctl.sandbox.resources import BY_KIND
from deployctl.sandbox.store import Event, Store, stamp

Json = dict[str, Any]
Key = tuple[str, str]

PERIOD_SECONDS = 15.0
NO_SERVER = (
    "unable to fetch metrics from resource metrics API: "
    "the server could not find the requested resource (get pods.metrics.k8s.io)"
)
SCALED = frozenset({"Deployment", "ReplicaSet", "StatefulSet"})


class Autoscalers:
    """The controller. `metrics` tells what a pod uses; without it there is no metrics server."""

    name = "autoscaler"

    def __init__(self, store: Store, metrics: Source | None = None) -> None:
        self.metrics = metrics
        self._store = store
        self._events = Recorder(store, "horizontal-pod-autoscaler")
        self._histories: dict[str, History] = {}

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at a new one; then every 15 seconds, whatever changes."""
        is_new = event.resource == "horizontalpodautoscalers" and event.change == "ADDED"
        return ((event.namespace, event.name),) if is_new else ()

    def reconcile(self, namespace: str, name: str) -> float | None:
        one = self._store.get("horizontalpodautoscalers", namespace, name)
        if one is None:
            return None
        uid = one["metadata"]["uid"]
        if uid in self._histories:
            self._look(one, self._histories[uid])
        else:
            self._histories[uid] = History()
        return PERIOD_SECONDS

    def _look(self, one: Json, history: History) -> None:
        ref, now = one["spec"]["scaleTargetRef"], self._store.clock()
        kind = BY_KIND.get(ref["kind"]) if ref["kind"] in SCALED else None
        target = self._store.get(kind.name, one["metadata"]["namespace"], ref["name"]) if kind else None
        if kind is None or target is None:
            self._fail_scale(one, f'{kind.qualified} "{ref["name"]}" not found' if kind else no_kind(ref))
            return
        message = "the HPA controller was able to get the target's current scale"
        one = self._with(one, "AbleToScale", "True", "SucceededGetScale", message)
        current = size(target)
        history.forget(now)
        if not history.recommended:
            history.recommended.append((now, current))
        self._decide(one, target, kind.name, history)

    def _decide(self, one: Json, target: Json, resource: str, history: History) -> None:
        """Scale into the bounds without a look at metrics, else as the metrics say."""
        spec, current = one["spec"], size(target)
        least = spec.get("minReplicas", 1)
        if current == 0 and least:
            message = "scaling is disabled since the replica count of the target is zero"
            one = self._with(one, "ScalingActive", "False", "ScalingDisabled", message)
            self._write(one, current, current, None)
        elif current > spec["maxReplicas"]:
            reason = "Current number of replicas above Spec.MaxReplicas"
            self._rescale(one, target, resource, (spec["maxReplicas"], reason), [], history)
        elif current < least:
            reason = "Current number of replicas below Spec.MinReplicas"
            self._rescale(one, target, resource, (least, reason), [], history)
        else:
            self._measure(one, target, resource, history)

    def _measure(self, one: Json, target: Json, resource: str, history: History) -> None:
        current, now = size(target), self._store.clock()
        found, problems = self._proposals(one, target)
        metrics = [shown(metric, each) for metric, each in found]
        best = max(
            ((each.replicas, metric) for metric, each in found if each), default=(0, {}), key=lambda it: it[0]
        )
        if problems and (best[0] < current or len(problems) == len(found)):
            self._fail_metrics(one, current, metrics, problems)
            return
        text = f"the HPA was able to successfully calculate a replica count from {named(best[1])}"
        one = self._with(one, "ScalingActive", "True", "ValidMetricFound", text)
        stable, told = stabilized(one["spec"].get("behavior"), history, current, best[0], now)
        one = self._with(one, "AbleToScale", "True", *told)
        desired, told = bounded(one["spec"], history, current, stable, now)
        one = self._with(one, "ScalingLimited", str(desired != stable), *told)
        if desired == current:
            self._write(one, current, current, metrics)
            return
        reason = f"{named(best[1])} above target" if best[0] > current else "All metrics below target"
        self._rescale(
            one, target, resource, (desired, reason if best[0] != current else ""), metrics, history
        )

    def _proposals(self, one: Json, target: Json) -> tuple[list[tuple[Json, Proposal | None]], list[str]]:
        """Ask each metric; give its proposal, None where it has none, and what was wrong with those."""
        pods = [
            each
            for each in self._store.list("pods", one["metadata"]["namespace"])
            if selects(target["spec"]["selector"], labels_of(each))
        ]
        found: list[tuple[Json, Proposal | None]] = []
        problems = []
        for metric in one["spec"].get("metrics") or ():
            try:
                found.append((metric, self._proposal(one, metric, pods, size(target))))
            except Unknown as unknown:
                found.append((metric, None))
                problems.append(f"failed to get {wanted(metric)}: {unknown}")
        return found, problems

    def _proposal(self, one: Json, metric: Json, pods: list[Json], current: int) -> Proposal:
        if metric["type"] != "Resource":
            raise Unknown("unable to fetch metrics from custom metrics API: no custom metrics API registered")
        if self.metrics is None:
            raise Unknown(f"unable to get metrics for resource {metric['resource']['name']}: {NO_SERVER}")
        behaviour = one["spec"].get("behavior") or {}
        ways = (behaviour.get(way) or {} for way in ("scaleDown", "scaleUp"))
        down, up = (float(amount(way["tolerance"])) if "tolerance" in way else TOLERANCE for way in ways)
        return proposed(pods, self.metrics, metric["resource"], current, (down, up), self._store.clock())

    # what it writes

    def _with(self, one: Json, kind: str, status: str, reason: str, message: str) -> Json:
        new = {"type": kind, "status": status, "reason": reason, "message": message}
        conditions = list(one.get("status", {}).get("conditions") or ())
        conditions = updated(conditions, new, stamp(self._store.clock()))
        return {**one, "status": {**one.get("status", {}), "conditions": conditions}}

    def _write(self, one: Json, current: int, desired: int, metrics: list[Json] | None) -> None:
        status = {**one["status"], "currentReplicas": current, "desiredReplicas": desired}
        status["currentMetrics"] = metrics
        self._store.update("horizontalpodautoscalers", {**one, "status": status}, counted=False)

    def _rescale(  # noqa: PLR0913, PLR0917 - what it saw, what it wants and why
        self,
        one: Json,
        target: Json,
        resource: str,
        wish: tuple[int, str],
        metrics: list[Json],
        history: History,
    ) -> None:
        desired, reason = wish
        current, now = size(target), self._store.clock()
        self._store.update(resource, {**target, "spec": {**target["spec"], "replicas": desired}})
        text = f"the HPA controller was able to update the target scale to {desired}"
        one = self._with(one, "AbleToScale", "True", "SucceededRescale", text)
        message = f"New size: {desired}; reason: {reason}"
        self._events.normal(one, "HorizontalPodAutoscaler", "SuccessfulRescale", message)
        history.scaled(current, desired, now)
        one = {**one, "status": {**one["status"], "lastScaleTime": stamp(now)}}
        self._write(one, current, desired, metrics or None)

    def _fail_scale(self, one: Json, problem: str) -> None:
        self._events.warning(one, "HorizontalPodAutoscaler", "FailedGetScale", problem)
        message = f"the HPA controller was unable to get the target's current scale: {problem}"
        one = self._with(one, "AbleToScale", "False", "FailedGetScale", message)
        status = {"currentMetrics": None, "desiredReplicas": 0, **one["status"]}
        self._store.update("horizontalpodautoscalers", {**one, "status": status}, counted=False)

    def _fail_metrics(self, one: Json, current: int, metrics: list[Json], problems: list[str]) -> None:
        for problem in problems:
            self._events.warning(one, "HorizontalPodAutoscaler", "FailedGetResourceMetric", problem)
        message = f"the HPA was unable to compute the replica count: {problems[0]}"
        one = self._with(one, "ScalingActive", "False", "FailedGetResourceMetric", message)
        self._write(one, current, one["status"].get("desiredReplicas", 0), metrics)
        counted = f"invalid metrics ({len(problems)} invalid out of {len(metrics)})"
        message = f"{counted}, first error is: {about(one, problems[0])}"
        self._events.warning(one, "HorizontalPodAutoscaler", "FailedComputeMetricsReplicas", message)
