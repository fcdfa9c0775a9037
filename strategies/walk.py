"""The walk a strategy takes when all goes well: its steps in order, their seconds, their pods and writes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from strategies.model import (
    Admit,
    Ask,
    Clean,
    Detach,
    Discard,
    End,
    Pin,
    Question,
    Restore,
    Show,
    Stage,
    Stand,
    Step,
    Strategy,
    Tell,
    Valve,
    Verdict,
    Wait,
    Wish,
)
from strategies.simulator import World


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds; gates as (expected, at worst)."""

    ready_seconds: float = 10.0
    deadline_seconds: float = 600.0
    drain_seconds: float = 0.0
    gates: Mapping[Stage, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """One step of a walk, how long it is expected to take and at worst, and the pods beyond the size after it."""

    step: Step
    expected_seconds: float = 0.0
    worst_seconds: float = 0.0
    extra_pods: int = 0
    workload: str = "deployment"

    @property
    def writes(self) -> str:
        """What kind of object this step writes: deployment or statefulset, service, pod, or nothing."""
        match self.step:
            case Ask() | Wait() | Stand() | End() | Tell():
                return ""
            case Pin() | Show() | Valve():
                return "service"
            case Admit() | Detach() | Clean() | Discard():
                return "pod"
            case _:
                return self.workload


def walk(
    strategy: Strategy, world: World, pace: Pace | None = None, wish: Wish | None = None
) -> tuple[Planned, ...]:
    """Take the walk with every gate passing and every pod coming up, to its end or where a person must act."""
    return tuple(_walked(strategy, world, pace or Pace(), wish))


def _walked(strategy: Strategy, world: World, pace: Pace, wish: Wish | None) -> Iterator[Planned]:
    verdicts: dict[Question, Verdict] = {}
    waited: dict[str, float] = {}
    gone_age_seconds = math.inf
    going = True
    while going:
        seen = world.observe(
            verdicts=verdicts,
            waited=waited,
            wish=wish,
            gated=frozenset(pace.gates),
            deadline_seconds=pace.deadline_seconds,
            gone_age_seconds=gone_age_seconds,
        )
        step = strategy.decide(seen)
        before, world = world, after(step, world)
        gone_age_seconds = _gone_age(step, before, world, gone_age_seconds)
        expected, worst = _seconds(step, pace)
        yield Planned(step, expected, worst, len(world.pods) - world.replicas, seen.workload.lower())
        match step:
            case Ask(question):
                verdicts[question] = Verdict(passed=True)
            case Wait(key, _, seconds, unbroken) if seconds and not unbroken:
                waited[key] = waited.get(key, 0.0) + seconds
            case Restore() | Stand() | End() | Wait(seconds=None):
                going = False


def _gone_age(step: Step, before: World, now: World, age_seconds: float) -> float:
    """Tell since when no pod has gone; whatever takes its time outlasts that."""
    if {pod.name for pod in before.pods} - {pod.name for pod in now.pods}:
        return 0.0
    return math.inf if isinstance(step, Wait) and step.seconds else age_seconds


def after(step: Step, world: World) -> World:
    """Give the world that a step leads to: a write acted on by the controllers, or a wait that ended well."""
    match step:
        case Ask() | Stand() | End():
            return world
        case Wait():
            return world.come().controllers().published()
        case _:
            return world.apply(step).controllers().published()


def _seconds(step: Step, pace: Pace) -> tuple[float, float]:
    """Tell how long a step takes when all goes well, and when everything takes as long as it may."""
    match step:
        case Ask(question):
            return pace.gates[question.stage]
        case Wait(_, _, seconds, unbroken) if unbroken:
            return pace.ready_seconds, seconds or pace.ready_seconds
        case Wait(key, _, seconds) if seconds:
            return seconds, seconds + pace.drain_seconds * key.startswith("spread")
        case _:
            return 0.0, 0.0
