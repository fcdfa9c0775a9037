"""How long a release of an app takes: its Deployment as arithmetic, its pods and gates in seconds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from statistics import median
from typing import Any

from deployctl.memory import Settings
from deployctl.observe import live, ready
from deployctl.prepare import Prepared
from deployctl.spec import App, Gate
from deployctl.template import lingers
from deployctl.workload import ordered, stateful
from strategies.model import Stage
from strategies.quantities import Amount
from strategies.ranks import Ranks
from strategies.simulator import Settings as Room
from strategies.simulator import World
from strategies.steps import SPREAD_SECONDS
from strategies.walk import Pace

Json = dict[str, Any]
READY_SECONDS = 10.0  # where no live pod tells how long one takes


def world_of(found: Prepared, preview_service: str = "") -> World:
    """Give the workload as arithmetic."""
    calm = lingers(found.stable, SPREAD_SECONDS)
    if stateful(found.deployment):
        replicas, parallel = found.deployment["spec"].get("replicas", 1), not ordered(found.deployment)
        return Ranks.of(replicas, found.names.services, lingers=calm, parallel=parallel)
    own, replicas = Settings.of(found.deployment), found.deployment["spec"].get("replicas", 1)
    rolling = own.strategy.get("rollingUpdate") or {}
    unavailable, surge = (
        Amount.parse(str(rolling.get(key, "25%"))) for key in ("maxUnavailable", "maxSurge")
    )
    users = Room(unavailable=unavailable, surge=surge)
    return World.at_rest(replicas, found.names.services, users, lingers=calm, preview_service=preview_service)


def pace_of(found: Prepared, app: App, pods: Iterable[Json]) -> Pace:
    """Tell how long things take: pods as long as the live ones took, gates as long as they may."""
    taken = [span for pod in pods if (span := _coming_seconds(pod)) is not None]
    spec, replicas = found.deployment["spec"], found.deployment["spec"].get("replicas", 1)
    gates = {stage: getattr(app.spec.gates, stage.value) for stage in Stage}
    return Pace(
        ready_seconds=float(median(taken)) if taken else READY_SECONDS,
        deadline_seconds=float(spec.get("progressDeadlineSeconds", 600)),
        gates={
            stage: _with_flags(app, stage, _stage_seconds(each, replicas))
            for stage, each in gates.items()
            if each or _flagged(app, stage)
        },
    )


def _flagged(app: App, stage: Stage) -> bool:
    flags = app.spec.flags
    return flags is not None and (bool(flags.expect) or stage in flags.moves.stages)


def _with_flags(app: App, stage: Stage, span: tuple[float, float]) -> tuple[float, float]:
    """Add what moving flags takes before the gates are asked: at worst as long as they may take to spread."""
    flags = app.spec.flags
    if flags is None or not _flagged(app, stage):
        return span
    bake, spread = flags.bake_seconds, float(flags.provider.options.spread_seconds)
    return span[0] + bake, span[1] + bake + spread


def _coming_seconds(pod: Json) -> float | None:
    """Measure from a live pod's creation to its readiness."""
    if not (live(pod) and ready(pod)):
        return None
    conditions = pod["status"]["conditions"]
    came = next(one["lastTransitionTime"] for one in conditions if one["type"] == "Ready")
    born = pod["metadata"]["creationTimestamp"]
    return (dt.datetime.fromisoformat(came) - dt.datetime.fromisoformat(born)).total_seconds()


def _stage_seconds(gates: tuple[Gate, ...], pods: int) -> tuple[float, float]:
    """Tell how long a stage takes, expected and at worst: its gates are asked side by side."""
    spans = [gate_seconds(one, pods) for one in gates]
    return max((one for one, _ in spans), default=0.0), max((worst for _, worst in spans), default=0.0)


def gate_seconds(gate: Gate, pods: int) -> tuple[float, float]:
    """Tell how long a gate takes to a verdict, expected and at worst.

    A count of 3 every 1s is 2s. At worst each answer comes after as many silences as are tolerated, 4 by default,
    and each measurement takes its whole timeout of 5s: 15 measurements, 14 intervals, 89s. A gate that asks pod
    after pod takes that for each.
    """
    expected = gate.initial_delay_seconds + (gate.count - 1) * gate.interval_seconds
    most = gate.count * (gate.consecutive_error_limit + 1)
    once = gate.timeout_seconds * (pods if _asks_pods(gate) else 1)
    return expected, gate.initial_delay_seconds + most * once + (most - 1) * gate.interval_seconds


def _asks_pods(gate: Gate) -> bool:
    return bool(getattr(gate.ask.options, "pod_wise", False))
