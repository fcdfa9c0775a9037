"""Runs releases of the app wallet on the cluster in memory, and remembers what was told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deployctl.autoscaling.through import companion
from deployctl.gates import Asked
from deployctl.gates.stage import Stages
from deployctl.lock import Lock
from deployctl.memory import Memory
from deployctl.observe import Snapshot
from deployctl.rollout import Orders, Result, Rollout
from deployctl.shapes import Chosen
from deployctl.spec import Gate, Gates
from strategies.analysis import Answer, Measurement
from strategies.blue_green import BlueGreen
from strategies.model import Action, Hold, Observed, Pin, Step, Strategy
from tests.fake import Api, Cluster, View
from tests.objects import Json, memory, template


@dataclass
class Story:
    """Remembers the story; `on` is called with each action done."""

    actions: list[Action] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    on: Callable[[Action], None] = lambda _: None
    on_turn: Callable[[Step], None] = lambda _: None

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None:
        del look, seen, stages
        self.steps.append(step)
        self.on_turn(step)

    def did(self, action: Action, seen: Observed) -> None:
        del seen
        self.actions.append(action)
        self.on(action)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Says:
    """A gate that answers one thing, after calling `then`."""

    answer: Answer
    then: Callable[[Asked], Any] = lambda _: None

    def measure(self, asked: Asked) -> Measurement:
        self.then(asked)
        return Measurement(self.answer, f"it says {self.answer.value}")


YES, NO = Says(Answer.PASS), Says(Answer.FAIL)


def gate(options: Any = YES, name: str = "smoke", **fields: Any) -> Gate:
    return Gate(name=name, ask=Chosen("says", options), **fields)


def gates(**stages: Any) -> Gates:
    """Give each named stage one gate."""
    return Gates(**{stage: (gate(options),) for stage, options in stages.items()})


@dataclass
class Release:
    """One run of a release from wallet:1 to wallet:2, or to `preview`."""

    cluster: Cluster
    strategy: Strategy = field(default_factory=lambda: BlueGreen(keep_old_seconds=30))
    gates: Gates = field(default_factory=Gates)
    orders: Orders = field(default_factory=Orders)
    memory: Memory | None = None
    preview: Json = field(default_factory=lambda: template("wallet:2"))
    stable: Json = field(default_factory=template)
    story: Story = field(default_factory=Story)
    taken_over: bool = False

    def __post_init__(self) -> None:
        self.api = Api(self.cluster)
        self.lock = Lock(self.api, "igaming", "wallet", "ann@build/1")  # type: ignore[arg-type]

    def rollout(self) -> Rollout:
        kept, view = self.memory or memory(self.stable, self.preview), View(self.api)
        return Rollout(
            api=self.api,  # type: ignore[arg-type]
            view=view,  # type: ignore[arg-type]
            scaling=companion(self.api, view, kept, self.story.note),  # type: ignore[arg-type]
            strategy=self.strategy,
            memory=kept,
            stable=self.stable,
            preview=self.preview,
            gates=self.gates,
            lock=self.lock,
            story=self.story,
            orders=self.orders,
            known=kept if self.taken_over else None,
            clock=lambda: self.cluster.now,
        )

    def run(self) -> Result:
        self.lock.take(force=True)
        self.cluster.writes.clear()
        try:
            return self.rollout().run()
        finally:
            self.lock.release()

    def written(self, resource: str) -> int:
        """Count the writes that arrived at a kind of object."""
        return sum(one.path.rsplit("/", 2)[-2] == resource for one in self.cluster.writes)

    def shifts(self) -> list[str]:
        return [one.revision for one in self.story.actions if isinstance(one, Pin)]

    def holds(self) -> list[tuple[int, int]]:
        return [(one.stable, one.preview) for one in self.story.actions if isinstance(one, Hold)]
