"""What a release would do, as one published document: `plan -o json`. A function of its inputs, without a clock."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median
from typing import Any

import msgspec

from deployctl.errors import DeployctlError
from deployctl.memory import Settings
from deployctl.observe import live, ready
from deployctl.prepare import Prepared
from deployctl.render import words
from deployctl.spec import App, Gate
from deployctl.standing import Shown
from deployctl.template import digest, lingers
from strategies.model import Admit, Ask, Finish, Pin, Stage, Stand, Strategy, Turn, Wait, Wish
from strategies.quantities import Amount
from strategies.simulator import Settings as Room
from strategies.simulator import World
from strategies.steps import SPREAD_SECONDS
from strategies.walk import Pace, Planned, after, walk

Json = dict[str, Any]
READY_SECONDS = 10.0  # where no live pod tells how long one takes
HELD_BY = ("minReadySeconds", "strategy", "paused")
SECRET = re.compile(r"passw|secret|token|credential|api_?key|private", re.IGNORECASE)


class Change(Shown, frozen=True):
    """One path of the pod template: `old` and `new` as JSON, empty where there is nothing."""

    path: str
    old: str = ""
    new: str = ""
    note: str = ""


class PlannedStep(Shown, frozen=True):
    """One step in words, or several alike; seconds from its beginning to its end."""

    does: str
    writes: dict[str, int]
    expected_seconds: float
    worst_seconds: float
    extra_pods: int


class Span(Shown, frozen=True):
    expected_seconds: float
    worst_seconds: float


class Safety(Shown, frozen=True):
    """How long a bad revision can go unnoticed, and how long the way back takes, before and after it has traffic."""

    detect_before: Span
    detect_after: Span
    back_before: Span
    back_after: Span


class Problem(Shown, frozen=True):
    """What would stop the release now, with the exit code it would end with."""

    message: str
    advice: str
    exit_code: int

    @classmethod
    def of(cls, error: DeployctlError) -> Problem:
        return cls(str(error), error.advice, error.exit_code)


class InFlight(Shown, frozen=True):
    id: str
    phase: str
    by: str
    begun: str
    same_template: bool


class Plan(Shown, frozen=True):
    """Everything that `plan` says."""

    app: str
    namespace: str
    context: str
    strategy: str
    replicas: int
    changes: tuple[Change, ...]
    not_released: tuple[str, ...]
    steps: tuple[PlannedStep, ...] = ()
    total: Span = Span(0.0, 0.0)
    waits_for_a_person: bool = False
    peak_extra_pods: int = 0
    writes: dict[str, int] = msgspec.field(default_factory=dict)
    safety: Safety | None = None
    ends_hold: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    in_flight: InFlight | None = None
    api_version: str = "deployctl.dev/v1alpha1"
    kind: str = "Plan"


@dataclass(frozen=True, slots=True)
class Around:
    """What else bears on a plan: the live pods, who scales them, and what stands against a release."""

    context: str = ""
    pods: tuple[Json, ...] = ()
    autoscalers: tuple[Json, ...] = ()
    problems: tuple[DeployctlError, ...] = ()
    until_promoted: bool = False


def plan(found: Prepared, app: App, around: Around) -> Plan:
    """Plan a release of what was prepared."""
    one = Plan(
        app=found.names.app,
        namespace=found.names.namespace,
        context=around.context,
        strategy=app.spec.strategy.kind,
        replicas=found.deployment["spec"].get("replicas", 1),
        changes=tuple(_changes(found)),
        not_released=tuple(_not_released(found)),
        ends_hold=tuple(_ends_hold(found, around.autoscalers)),
        warnings=found.warnings,
        problems=tuple(map(Problem.of, around.problems)),
        in_flight=_in_flight(found),
    )
    if not one.changes or found.memory or not one.replicas:
        return one
    return _walked(one, found, app, around)


def _walked(one: Plan, found: Prepared, app: App, around: Around) -> Plan:
    options: Strategy = app.spec.strategy.options
    pace = pace_of(found, app, around.pods)
    taken = _whole(options, world_of(found), pace)
    if around.until_promoted:
        taken = _until_promoted(taken)
    return msgspec.structs.replace(
        one,
        steps=tuple(_told(taken)),
        total=_sum(taken),
        waits_for_a_person=any(isinstance(each.step, Stand) for each in taken),
        peak_extra_pods=max((each.extra_pods for each in taken), default=0),
        writes=dict(Counter(each.writes for each in taken if each.writes)),
        safety=_safety(options, world_of(found), pace),
    )


def _whole(strategy: Strategy, world: World, pace: Pace) -> tuple[Planned, ...]:
    """Walk to the end, through the place where a person must act."""
    first = walk(strategy, world, pace)
    if not isinstance(first[-1].step, Stand):
        return first
    return (*first, *walk(strategy, world, pace, wish=Wish.PROMOTE)[len(first) - 1 :])


def _until_promoted(taken: tuple[Planned, ...]) -> tuple[Planned, ...]:
    """Stop where the rest is left to Kubernetes."""
    kept = next((at for at, one in enumerate(taken) if getattr(one.step, "key", "") == "keepOld"), len(taken))
    return taken[:kept]


def world_of(found: Prepared) -> World:
    """Give the Deployment as arithmetic."""
    own, replicas = Settings.of(found.deployment), found.deployment["spec"].get("replicas", 1)
    rolling = own.strategy.get("rollingUpdate") or {}
    unavailable, surge = (
        Amount.parse(str(rolling.get(key, "25%"))) for key in ("maxUnavailable", "maxSurge")
    )
    users = Room(unavailable=unavailable, surge=surge)
    calm = lingers(found.stable, SPREAD_SECONDS)
    return World.at_rest(replicas, found.names.services, users, lingers=calm)


def pace_of(found: Prepared, app: App, pods: Iterable[Json]) -> Pace:
    """Tell how long things take: pods as long as the live ones took, gates as long as they may."""
    taken = [span for pod in pods if (span := _coming_seconds(pod)) is not None]
    spec, replicas = found.deployment["spec"], found.deployment["spec"].get("replicas", 1)
    gates = {stage: getattr(app.spec.gates, stage.value) for stage in Stage}
    return Pace(
        ready_seconds=float(median(taken)) if taken else READY_SECONDS,
        deadline_seconds=float(spec.get("progressDeadlineSeconds", 600)),
        gates={stage: _stage_seconds(each, replicas) for stage, each in gates.items() if each},
    )


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
    return max(one for one, _ in spans), max(worst for _, worst in spans)


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
    return gate.ask.kind == "http" and not getattr(gate.ask.options, "url", None)


def _sum(steps: Iterable[Planned]) -> Span:
    spans = [(one.expected_seconds, one.worst_seconds) for one in steps]
    return Span(math.fsum(one for one, _ in spans), math.fsum(worst for _, worst in spans))


def _told(taken: tuple[Planned, ...]) -> Iterator[PlannedStep]:
    """Put steps into words, several alike in one."""
    for does, group in groupby(taken, key=lambda one: words.planned(one.step)):
        alike = tuple(group)
        span = _sum(alike)
        yield PlannedStep(
            does=does.replace("{n}", words.counted(len(alike))),
            writes=dict(Counter(one.writes for one in alike if one.writes)),
            expected_seconds=span.expected_seconds,
            worst_seconds=span.worst_seconds,
            extra_pods=alike[-1].extra_pods,
        )


def _safety(strategy: Strategy, world: World, pace: Pace) -> Safety:
    """Measure the way back from right before the preview gets traffic, and from right before the old side goes."""
    taken = walk(strategy, world, pace, wish=Wish.PROMOTE)
    let_in = _first_traffic(taken)
    asked = [one for one in taken[let_in:] if isinstance(one.step, Ask)]
    last = max((at for at, one in enumerate(taken) if isinstance(one.step, Finish)), default=len(taken))
    return Safety(
        detect_before=_sum(taken[:let_in]),
        detect_after=_sum(taken[let_in : _first_ask(taken, let_in)]) if asked else Span(0.0, 0.0),
        back_before=_back(strategy, _reached(world, taken[:let_in]), pace),
        back_after=_back(strategy, _reached(world, taken[:last]), pace),
    )


def _first_traffic(taken: tuple[Planned, ...]) -> int:
    """Find the first step that gives traffic to the preview."""
    for at, one in enumerate(taken):
        match one.step:
            case Pin(_, "preview"):
                return at
            case Admit(pod) if pod.startswith("preview"):
                return at
            case _:
                pass
    return len(taken)


def _first_ask(taken: tuple[Planned, ...], start: int) -> int:
    """Find where the first gate that is asked of live traffic has answered."""
    found = (at + 1 for at, one in enumerate(taken) if at >= start and isinstance(one.step, Ask))
    return next(found, len(taken))


def _reached(world: World, steps: Iterable[Planned]) -> World:
    for one in steps:
        world = after(one.step, world)
    return world


def _back(strategy: Strategy, world: World, pace: Pace) -> Span:
    if world.phase is None:
        return Span(0.0, 0.0)
    turned = after(Turn("a gate said no"), world)
    return _sum(_coming_back(one, pace) for one in walk(strategy, turned, pace))


def _coming_back(one: Planned, pace: Pace) -> Planned:
    """Expect stable pods to come as fast as others; their deadline is the worst case."""
    waits = isinstance(one.step, Wait) and one.step.key == "stable"
    return replace(one, expected_seconds=pace.ready_seconds) if waits else one


def _not_released(found: Prepared) -> Iterator[str]:
    """Leave out what differs only because a release in flight holds it."""
    ours = tuple(f"Deployment {found.names.deployment}: spec.{field}" for field in HELD_BY)
    return (one for one in found.not_released if not (found.memory and one.startswith(ours)))


def _in_flight(found: Prepared) -> InFlight | None:
    held = found.memory
    if held is None:
        return None
    return InFlight(held.id, held.phase, held.by, held.at, held.preview == digest(found.preview))


def _ends_hold(found: Prepared, autoscalers: tuple[Json, ...]) -> Iterator[str]:
    """Name whoever may write over the hold in mid-release."""
    applied = _last_applied(found.deployment)
    for field in HELD_BY:
        if field in applied:
            yield f"kubectl apply of the manifest: its last-applied copy states spec.{field}"
    for entry in found.deployment["metadata"].get("managedFields") or []:
        stated = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        fields = [field for field in HELD_BY if f"f:{field}" in stated]
        if fields and entry.get("operation") == "Apply":
            yield f"server-side apply by {entry['manager']}: it states spec.{', spec.'.join(fields)}"
    for one in autoscalers:
        yield f"HorizontalPodAutoscaler {one['metadata']['name']} scales it: both sides keep their proportion, the partition moves"


def _last_applied(thing: Json) -> Json:
    text = (thing["metadata"].get("annotations") or {}).get(
        "kubectl.kubernetes.io/last-applied-configuration"
    )
    stated: Json = json.loads(text).get("spec") or {} if text else {}
    return stated


def _changes(found: Prepared) -> Iterator[Change]:
    ours = {f"spec.containers[{name}].lifecycle" for name in found.added_pre_stop}
    for path, old, new in unlike(found.stable, found.preview):
        note = (
            "added so that a pod told to go outlives its endpoint" if any(map(path.startswith, ours)) else ""
        )
        yield Change(path, _shown(path, old), _shown(path, new), note)


def _shown(path: str, value: Any) -> str:
    """Write a value as JSON; one whose name says that it is a secret is not shown."""
    if value is None:
        return ""
    return "(hidden)" if _private(path, value) else json.dumps(value, ensure_ascii=False)


def _private(path: str, value: Any) -> bool:
    """Say whether a literal may be a secret: a variable by its name, arguments by any word in them."""
    if ".args" in path or ".command" in path:
        return bool(SECRET.search(json.dumps(value)))
    literal = path.endswith(".value") or (isinstance(value, dict) and "value" in value)
    name = value.get("name", "") if isinstance(value, dict) else path
    return literal and ".env[" in path and bool(SECRET.search(name))


def unlike(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """List where two templates differ: path, old value, new value; items of a list go by their name."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from unlike(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    elif _named(old) and _named(new):
        before, now = ({one["name"]: one for one in each} for each in (old, new))
        for name in dict.fromkeys((*before, *now)):
            yield from unlike(before.get(name), now.get(name), f"{path}[{name}]")
    elif old != new:
        yield path, old, new


def _named(items: Any) -> bool:
    """Say whether every item of a list has a name of its own."""
    if not isinstance(items, list) or not all(isinstance(one, dict) and "name" in one for one in items):
        return False
    return len({one["name"] for one in items}) == len(items)
