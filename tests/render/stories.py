"""A release made of arithmetic, told to whoever listens; gates pass at once, every look is a second later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployctl.gates.stage import Asking, Stages
from deployctl.observe import Snapshot
from deployctl.rollout import Story
from deployctl.shapes import Chosen
from deployctl.spec import Gate
from strategies.analysis import Answer, Measurement
from strategies.model import Ask, End, Observed, Question, Restore, Stand, Step, Strategy, Verdict, Wait
from strategies.simulator import World
from strategies.walk import after

NOTHING = Snapshot({}, (), (), (), ())


@dataclass
class Clock:
    """A clock that a test sets."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def gate(name: str = "smoke", count: int = 1) -> Gate:
    return Gate(name=name, count=count, ask=Chosen("http", None))


def asking(*answers: str, count: int = 1, passed: bool | None = None) -> Asking:
    """One gate with the measurements it has taken."""
    taken = [Measurement(Answer(one), f"/healthz: {one}") for one in answers]
    verdict = None if passed is None else Verdict(passed, taken[-1].evidence)
    return Asking(gate(count=count), taken, verdict)


def stages(*askings: tuple[Question, Asking]) -> Stages:
    made = Stages(lambda: None)
    made.asked = {question: [one] for question, one in askings}
    return made


def tell(story: Story, strategy: Strategy, world: World, clock: Clock, **witnessed: Any) -> None:
    """Walk to the end, or where a person must act."""
    asked = stages()
    waited: dict[str, float] = {}
    for seen, step in _walk(strategy, world, asked, waited, witnessed):
        story.turn(NOTHING, seen, step, asked)
        match step:
            case Ask(question):
                asked.asked[question] = [asking("pass", passed=True)]
            case Wait(key, _, seconds, unbroken) if seconds and not unbroken:
                waited[key] = seconds
                clock.seconds += seconds
            case Wait() | Stand() | End():
                clock.seconds += 2
            case _:
                story.did(step, seen)
                clock.seconds += 0.25
    story.close()


def _walk(
    strategy: Strategy, world: World, asked: Stages, waited: dict[str, float], witnessed: dict[str, Any]
) -> Iterator[tuple[Observed, Step]]:
    going = True
    while going:
        seen = world.observe(verdicts=asked.verdicts(), waited=waited, **witnessed)
        step = strategy.decide(seen)
        yield seen, step
        world = after(step, world)
        going = not isinstance(step, Restore | Stand | End)
