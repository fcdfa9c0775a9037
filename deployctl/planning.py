"""What a release would do, as one published document: `plan -o json`. A function of its inputs, without a clock."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import msgspec

from deployctl.autoscaling.coming import Coming, run_into
from deployctl.autoscaling.through import planned
from deployctl.difference import changes
from deployctl.errors import DeployctlError
from deployctl.events import told as told_of_events
from deployctl.pace import gate_seconds, pace_of, world_of
from deployctl.prepare import Prepared
from deployctl.published import InFlight, Plan, PlannedGate, PlannedStep, Problem, Safety, Span
from deployctl.render import words
from deployctl.room import for_release, told
from deployctl.spec import App, Flags, said
from deployctl.template import digest
from deployctl.workload import DEPLOYMENT, STATEFUL_SET, stateful
from strategies.fit import need
from strategies.flags import Moves, State, share
from strategies.model import Admit, Ask, Finish, Hold, Lower, Pin, Restore, Stand, Strategy, Turn, Wait, Wish
from strategies.room import Need, Room
from strategies.simulator import World
from strategies.walk import Pace, Planned, after, walk

Json = dict[str, Any]
HELD_BY = {DEPLOYMENT: ("minReadySeconds", "strategy", "paused"), STATEFUL_SET: ("updateStrategy",)}


@dataclass(frozen=True, slots=True)
class Around:
    """What else bears on a plan: the live pods, who scales them, and what stands against a release."""

    context: str = ""
    pods: tuple[Json, ...] = ()
    autoscalers: tuple[Json, ...] = ()
    unheld: tuple[str, ...] = ()  # why an autoscaler cannot be held
    problems: tuple[DeployctlError, ...] = ()
    until_promoted: bool = False
    room: Room | None = None  # for more pods; None where nobody looked
    fit: str = ""  # what --fit has made smaller, and why
    lacking: tuple[str, ...] | None = None  # what is short even so, where --fit was given
    coming: tuple[Coming, ...] = ()  # the events that are written on its autoscaler


def plan(found: Prepared, app: App, around: Around) -> Plan:
    """Plan a release of what was prepared."""
    one = Plan(
        app=found.names.app,
        namespace=found.names.namespace,
        context=around.context,
        strategy=app.spec.strategy.kind,
        replicas=found.deployment["spec"].get("replicas", 1),
        changes=tuple(changes(found)),
        not_released=tuple(_not_released(found)),
        ends_hold=tuple(_ends_hold(found)),
        autoscaling=tuple(_autoscaling(found, around.autoscalers)),
        warnings=(*found.warnings, *around.unheld),
        problems=tuple(map(Problem.of, around.problems)),
        in_flight=_in_flight(found),
        workload=found.names.kind,
    )
    if not one.changes or found.memory or not one.replicas:
        return one
    return _walked(one, found, app, around)


def _walked(one: Plan, found: Prepared, app: App, around: Around) -> Plan:
    options = app.spec.walk
    pace = pace_of(found, app, around.pods)
    consumes = app.spec.consumes
    world = _world(found, app)
    taken = _whole(options, world, pace)
    if around.until_promoted:
        taken = _until_promoted(taken)
    peak = max((each.extra_pods for each in taken), default=0)
    total = _sum(taken)
    return msgspec.structs.replace(
        one,
        warnings=(
            *one.warnings,
            *run_into(around.coming, total.worst_seconds),
            *_lacking(around, one.strategy, need(taken, one.replicas)),
        ),
        fit=around.fit,
        room=told(around.room) if around.room and peak else "",
        steps=tuple(_told(_grouped(_worded(taken, app, world, one.workload), app))),
        consumers=tuple(told_of_events(consumes)),
        flags_back=tuple(_flags_back(app.spec.flags)),
        total=total,
        waits_for_a_person=any(isinstance(each.step, Stand) for each in taken),
        peak_extra_pods=peak,
        writes=dict(Counter(each.writes for each in taken if each.writes)),
        safety=_safety(options, world, pace),
        gates=tuple(_gates(app, world.replicas)),
        profile=app.spec.gates.profile or "",
    )


def _lacking(around: Around, strategy: str, more: Need) -> tuple[str, ...]:
    """Say what is short for the pods more that a release needs."""
    if around.lacking is not None:
        return around.lacking
    return tuple(for_release(around.room, strategy, more)) if around.room else ()


def _world(found: Prepared, app: App) -> World:
    consumes = app.spec.consumes
    return world_of(found, app.preview_service).consuming(consumes.consumers if consumes else None)


def needed(found: Prepared, app: App) -> Need:
    """Count the pods beyond the size that a release of what was prepared needs."""
    size = found.deployment["spec"].get("replicas", 1)
    if found.nothing_to_do or not size:
        return Need()
    return need(_whole(app.spec.walk, _world(found, app), pace_of(found, app, ())), size)


def _gates(app: App, pods: int) -> Iterator[PlannedGate]:
    """List the gates that will be asked, in full."""
    stages = ("before", "after") if app.spec.strategy.kind == "blueGreen" else ("before", "during", "after")
    for stage in stages:
        for gate in getattr(app.spec.gates, stage):
            expected, worst = gate_seconds(gate, pods)
            yield PlannedGate(stage, gate.name, said(gate), expected, worst)


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


def _sum(steps: Iterable[Planned]) -> Span:
    spans = [(one.expected_seconds, one.worst_seconds) for one in steps]
    return Span(math.fsum(one for one, _ in spans), math.fsum(worst for _, worst in spans))


def _worded(
    taken: tuple[Planned, ...], app: App, world: World, workload: str
) -> Iterator[tuple[str, Planned]]:
    """Put steps into words, each flag's move in its place before the gates of its stage."""
    flags, known = app.spec.flags, dict[str, State]()
    for one in taken:
        if flags and isinstance(one.step, Ask):
            due = flags.moves.due(one.step.question.stage, share(world.observe()))
            yield from (
                (_moved(key, state), _UNTIMED) for key, state in due.items() if known.get(key) != state
            )
            known |= due
        if flags and isinstance(one.step, Restore):
            yield from ((_moved(key, State(value=True)), _UNTIMED) for key in _short(flags, known))
        yield words.planned(one.step, workload), one
        world = after(one.step, world)


def _grouped(worded: Iterable[tuple[str, Planned]], app: App) -> Iterator[tuple[str, Planned]]:
    """Say after the step that brings the first new pods that they consume at once, where they have a group of their own."""
    group = app.spec.consumes.group if app.spec.consumes else None
    for does, one in worded:
        yield does, one
        if group and isinstance(one.step, Hold | Lower):
            yield (
                f"the new pods consume in group {group}: from here on each event is handled by both",
                _UNTIMED,
            )
            group = None


_UNTIMED = Planned(Stand(""))


def _moved(key: str, state: State) -> str:
    return f"flag {key}: {state}, seen at every endpoint"


def _short(flags: Flags, known: dict[str, State]) -> Iterator[str]:
    """Name the flags that follow and are not given to all yet when the last old pods go."""
    return (key for key in flags.moves.following if known.get(key) != State(value=True))


def _flags_back(flags: Flags | None) -> Iterator[str]:
    """Say what the way back does to each flag, before it moves the traffic."""
    moves = flags.moves if flags else Moves()
    for key in moves.keys:
        if key in moves.on_rollback:
            yield f"flag {key}: {State(moves.on_rollback[key])}"
        else:
            yield f"flag {key}: as it was before the release, where it is still as the release set it"
    if flags and moves.keys:
        yield f"the traffic, {flags.bound_seconds:g}s later at most, whether or not a flag's server answers"


def _told(worded: Iterable[tuple[str, Planned]]) -> Iterator[PlannedStep]:
    """Join several steps alike in one."""
    for does, group in groupby(worded, key=lambda one: one[0]):
        alike = tuple(one for _, one in group)
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
    """Expect stable pods to come as fast as others, at worst by their deadline; tidying up after that is not on the way."""
    match one.step:
        case Wait("stable"):
            return replace(one, expected_seconds=pace.ready_seconds)
        case Wait("gone"):
            return replace(one, expected_seconds=0.0, worst_seconds=0.0)
        case _:
            return one


def _not_released(found: Prepared) -> Iterator[str]:
    """Leave out what differs only because a release in flight holds it."""
    ours = tuple(
        f"{found.names.kind} {found.names.deployment}: spec.{field}" for field in HELD_BY[found.names.kind]
    )
    return (one for one in found.not_released if not (found.memory and one.startswith(ours)))


def _in_flight(found: Prepared) -> InFlight | None:
    held = found.memory
    if held is None:
        return None
    return InFlight(held.id, held.phase, held.by, held.at, held.preview == digest(found.preview))


def _ends_hold(found: Prepared) -> Iterator[str]:
    """Name whoever may write over the hold in mid-release."""
    applied, held_by = _last_applied(found.deployment), HELD_BY[found.names.kind]
    for field in held_by:
        if field in applied:
            yield f"kubectl apply of the manifest: its last-applied copy states spec.{field}"
    for entry in found.deployment["metadata"].get("managedFields") or []:
        stated = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        fields = [field for field in held_by if f"f:{field}" in stated]
        if fields and entry.get("operation") == "Apply":
            yield f"server-side apply by {entry['manager']}: it states spec.{', spec.'.join(fields)}"


def _autoscaling(found: Prepared, autoscalers: tuple[Json, ...]) -> Iterator[str]:
    """Say what happens to the autoscaler."""
    for one in autoscalers:
        yield from planned(one, found.deployment["spec"].get("replicas", 1))
    if autoscalers and stateful(found.deployment):
        yield "growth adds the highest ordinals, which are the preview's"


def _last_applied(thing: Json) -> Json:
    text = (thing["metadata"].get("annotations") or {}).get(
        "kubectl.kubernetes.io/last-applied-configuration"
    )
    stated: Json = json.loads(text).get("spec") or {} if text else {}
    return stated
