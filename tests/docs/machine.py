"""The state diagram of a strategy, drawn from walks of the machine itself through a cluster made of arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from strategies.blue_green import BlueGreen
from strategies.model import (
    Admit,
    Ask,
    End,
    Hold,
    Lower,
    Observed,
    Phase,
    Pin,
    Question,
    Restore,
    Side,
    Stand,
    Step,
    Strategy,
    Tell,
    Valve,
    Verdict,
    Wait,
)
from strategies.ordinal import Ordinal
from strategies.quantities import Amount
from strategies.ranks import Ranks
from strategies.rolling import Rolling
from strategies.simulator import Settings, World
from strategies.walk import after

MOST_STEPS = 400
STRATEGIES: dict[str, tuple[Strategy, ...]] = {
    "blueGreen": (
        BlueGreen(),
        BlueGreen(promote="manual"),
        BlueGreen(promote_after_seconds=60.0),
        BlueGreen(shake_off_after_seconds=60.0),
    ),
    "rolling": (Rolling(batch=Amount(2)), Rolling(batch=Amount(2), surge=Amount(0))),
    "ordinal": (Ordinal(batch=Amount(2)),),
}
Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Story:
    """What happens to one walk, and before which of its steps: a no, somebody's write, a scaling, a pod, an abort."""

    no: int = -1
    tampered: int = -1
    scaled: int = -1
    broken: int = -1
    aborted: int = -1


def stories() -> Iterator[Story]:
    yield Story()
    for at in range(1, 60):
        yield Story(no=at)
        yield Story(tampered=at)
        yield Story(scaled=at)
        yield Story(broken=at)
        yield Story(aborted=at)


def edges(name: str) -> dict[Edge, list[str]]:
    """Collect from every walk which phase leads to which, and by what; in the order in which they were met."""
    found: dict[Edge, list[str]] = {}
    for strategy in STRATEGIES[name]:
        for story in stories():
            for edge, label in _walk(strategy, story):
                labels = found.setdefault(edge, [])
                if label not in labels:
                    labels.append(label)
    return found


def diagram(name: str) -> str:
    """Draw the edges as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2"]
    for (start, end), labels in edges(name).items():
        lines.append(f"    {start} --> {end}: {', '.join(labels)}")
    return "\n".join((*lines, "```"))


def _walk(strategy: Strategy, story: Story) -> Iterator[tuple[Edge, str]]:
    verdicts, waited = dict[Question, Verdict](), dict[str, float]()
    world: World = Ranks.of(6) if isinstance(strategy, Ordinal) else World.at_rest(6)
    for number in range(MOST_STEPS):
        if number == story.aborted and world.phase not in {None, Phase.RETURNING}:
            yield (_name(world.phase), Phase.RETURNING.value), "abort"
            world = replace(world, phase=Phase.RETURNING)
        world = _disturbed(world, story, number)
        seen = _seen(world, story, number, verdicts, waited)
        step = strategy.decide(seen)
        before, was = world.phase, world
        world = after(step, world)
        if isinstance(step, Ask):
            verdicts[step.question] = Verdict(passed=number < story.no or story.no < 0)
        if isinstance(step, Wait) and step.seconds and (not step.unbroken or world == was):
            waited[step.key] = waited.get(step.key, 0.0) + step.seconds
        if label := _label(step):
            yield (_name(before), _end(step) or _name(world.phase)), label
        if isinstance(step, Restore | Stand | End):
            return


def _disturbed(world: World, story: Story, number: int) -> World:
    if number == story.tampered and world.wrote:
        return replace(world, settings=Settings(held=True, paused=world.settings.paused))
    if number == story.scaled and world.phase:
        return world.scale(0)
    return world


def _seen(
    world: World, story: Story, number: int, verdicts: Mapping[Question, Verdict], waited: Mapping[str, float]
) -> Observed:
    seen = world.observe(verdicts=verdicts, waited=waited)
    if number >= story.broken >= 0 and seen.phase in {Phase.TRYING, Phase.PROMOTING}:
        return replace(seen, preview=_stuck(seen.preview))
    return seen


def _stuck(side: Side) -> Side:
    pods = tuple(replace(pod, ready=False, endpoints=0) for pod in side.pods)
    return replace(side, pods=pods, trouble="ImagePullBackOff") if pods else side


def _name(phase: Phase | None) -> str:
    return phase.value if phase else "[*]"


def _end(step: Step) -> str:
    return "waits" if isinstance(step, Stand) else ""


def _label(step: Step) -> str:
    """Say what a step is in this diagram; a wait leads nowhere."""
    match step:
        case Wait() | End():
            return ""
        case Ask(question):
            return f"Ask {question.stage.value}"
        case Pin(_, ""):
            return "Unpin"
        case Pin(_, revision):
            return f"Pin to {revision}"
        case Valve(_, on):
            return f"Valve {'on' if on else 'off'}"
        case Admit(pod):
            return f"Admit {pod.partition('-')[0]}"
        case Hold(stable, preview):
            return f"Hold {stable}+{preview}"
        case Lower(partition):
            return f"Lower to {partition}"
        case Tell(pod, consume):
            return f"Tell {pod.partition('-')[0]} {'to consume' if consume else 'to stop'}"
        case Restore(outcome):
            return f"Restore ({outcome.value})"
        case _:
            return type(step).__name__
