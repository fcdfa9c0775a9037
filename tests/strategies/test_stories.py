"""Each file of stories/ is one walk: the strategy, the world, what others do and when, ---- and every step.

`after N: EVENT` happens when N steps are taken; an event is `abort`, `no`, `died`, `scale N`, `fail POD`,
`tamper strategy` or `tamper minReadySeconds`. `pytest --rewrite` writes down what the strategies do now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from strategies.blue_green import BlueGreen
from strategies.model import (
    Admit,
    Ask,
    Begin,
    Clean,
    Detach,
    Discard,
    End,
    Finish,
    Hold,
    Pause,
    Phase,
    Pin,
    Question,
    Rehold,
    Restore,
    Return,
    Show,
    Stand,
    Step,
    Turn,
    Valve,
    Verdict,
    Wait,
)
from strategies.quantities import Amount
from strategies.rolling import Rolling
from strategies.simulator import World

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))
MOST_STEPS = 200


def strategy_of(line: str) -> BlueGreen | Rolling:
    name, *options = line.split()
    given = dict(option.split("=") for option in options)
    if name == "blueGreen":
        preview = Amount.parse(given.get("previewReplicas", "100%"))
        promote = given.get("promote", "auto")
        shake = float(given["shakeOffAfter"]) if "shakeOffAfter" in given else None
        after, keep = float(given.get("promoteAfter", 0)), float(given.get("keepOld", 300))
        return BlueGreen(promote, after, preview, keep, shake)
    surge = Amount.parse(given["surge"]) if "surge" in given else None
    return Rolling(Amount.parse(given.get("batch", "25%")), surge)


def told(step: Step) -> str:
    match step:
        case Begin():
            return "begin: pause, write down the user's settings"
        case Hold(stable, preview, phase, proportional, open_):
            how = " in per cent" * proportional + " with the user's minReadySeconds" * open_
            return f"hold {stable} old and {preview} new{how}, {phase.value}"
        case Pause() | Rehold() | Finish() | Return():
            return type(step).__name__.lower()
        case Pin(service, revision):
            return f"pin {service} to {revision}" if revision else f"unpin {service}"
        case Show(service, revision):
            return f"show {revision} at {service}" if revision else f"put {service} back"
        case Valve(service, on):
            return f"valve of {service} {'on' if on else 'off'}"
        case Admit(pod) | Detach(pod) | Clean(pod) | Discard(pod):
            return f"{type(step).__name__.lower()} {pod}"
        case Turn(reason):
            return f"turn round: {reason}"
        case Restore(outcome):
            return f"restore the user's settings: {outcome.value}"
        case Ask(question, pods):
            return f"ask {question.stage.value} about {question.about} ({len(pods)} pods)"
        case Wait(_, reason, seconds):
            return f"wait for {reason}" + (f" ({seconds:g}s)" if seconds else "")
        case Stand(reason):
            return f"stand: {reason}"
        case End(outcome, reason):
            return f"end: {outcome.value}: {reason}"
    return str(step)


def shape(world: World) -> str:
    serving = "+".join(str(len(names)) for names in world.slices)
    return f"{world.stable.desired} old {world.preview.desired} new, {serving} serve"


@dataclass
class Teller:
    """Takes a walk, lets the events of a story happen, and says what is seen."""

    strategy: BlueGreen | Rolling
    world: World
    events: dict[int, str]
    verdicts: dict[Question, Verdict] = field(default_factory=dict)
    waited: dict[str, float] = field(default_factory=dict)
    no: bool = False

    def tell(self) -> Iterator[str]:
        for number in range(1, MOST_STEPS):
            step = self.strategy.decide(self.world.observe(verdicts=self.verdicts, waited=self.waited))
            self._take(step)
            yield f"{number:3} {told(step):<88} | {shape(self.world)}"
            if isinstance(step, Restore | Stand | End):
                return
            if number in self.events:
                self._happen(self.events[number])
                yield f"    -- {self.events[number]:<85} | {shape(self.world)}"

    def _take(self, step: Step) -> None:
        match step:
            case Ask(question):
                self.verdicts[question] = Verdict(not self.no, "gate smoke said no: 500" if self.no else "")
            case Wait(key, _, seconds, unbroken):
                came = self.world.come().controllers().published()
                if seconds and (not unbroken or came == self.world):
                    self.waited[key] = self.waited.get(key, 0.0) + seconds
                self.world = came
            case Stand() | End():
                pass
            case _:
                self.world = self.world.apply(step).controllers().published()

    def _happen(self, event: str) -> None:
        match event.split():
            case ["abort"]:
                self.world = replace(self.world, phase=Phase.RETURNING)
            case ["no"]:
                self.no = True
            case ["died"]:
                self.verdicts, self.waited = {}, {}
            case ["scale", size]:
                self.world = self.world.scale(int(size)).controllers().published()
            case ["fail", pod]:
                self.world = self.world._marked(pod, ready=False).published()
            case ["tamper", "strategy"]:
                foreign = replace(self.world.settings, unavailable=Amount(1), surge=Amount(1))
                self.world = replace(self.world, settings=foreign).controllers().published()
            case ["tamper", "minReadySeconds"]:
                foreign = replace(self.world.settings, held=False)
                self.world = replace(self.world, settings=foreign).controllers().published()
            case _:
                raise ValueError(event)


def read(story: str) -> Teller:
    head = dict(line.split(": ", 1) for line in story.split("----", maxsplit=1)[0].strip().splitlines())
    events = {int(key.split()[1]): value for key, value in head.items() if key.startswith("after")}
    services = tuple(head.get("services", "app").split())
    world = World.at_rest(int(head["replicas"]), services, preview_service=head.get("previewService", ""))
    return Teller(strategy_of(head["strategy"]), world, events)


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_goes_as_it_is_told(path, rewrite):
    story = path.read_text()
    head = story.split("----")[0]
    now = f"{head}----\n" + "".join(f"{line.rstrip()}\n" for line in read(story).tell())
    if rewrite:
        path.write_text(now)
    assert path.read_text() == now
