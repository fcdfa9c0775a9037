"""Follow a release that another process runs, or that stands: nothing is written, no gate is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from deployctl.cluster.api import Api
from deployctl.cluster.proxy import through
from deployctl.cluster.view import View
from deployctl.gates.stage import Stages
from deployctl.glance import Glance
from deployctl.memory import Memory
from deployctl.observe import Snapshot, Witness, observe
from deployctl.overheard import Overheard, listening, may_consume
from deployctl.prepare import selector_of
from deployctl.record import parse
from deployctl.render import words
from deployctl.rollout import TICK_SECONDS, Story
from strategies.model import Ask, Observed, Phase, Stage, Stand, Step, Wait

WRITTEN_SECONDS = 3.0
PHASES = {
    Phase.TRYING: "the preview is on trial",
    Phase.PROMOTING: "the preview is being promoted",
    Phase.FINISHING: "the old side is being retired",
    Phase.RETURNING: "on the way back to stable",
}


@dataclass
class Follow:
    """Watches one app and tells each change; it knows only what the cluster shows."""

    api: Api
    at: Glance
    story: Story
    clock: Callable[[], float] = time.monotonic
    told: tuple[object, ...] = ()
    heard: Overheard | None = None  # who consumes, by the pods' own word

    def run(self) -> None:
        """Return when no release is in flight any more; at once where none is."""
        if self.at.memory is None:
            return
        view = View(self.api, self.at.names, selector_of(self.at.look.deployment)).start()
        stages = Stages(view.signal.ring)
        self.heard = self._listening(view)
        try:
            while memory := (look := view.look()).memory:
                self._turn(view, look, memory, stages)
                view.signal.wait(TICK_SECONDS)
            self._until_written(view)
        finally:
            view.stop()
            if self.heard:
                self.heard.stop()

    def _listening(self, view: View) -> Overheard | None:
        """Make what asks the pods who consumes, where the release tells them to."""
        page = self.at.memory.consumes if self.at.memory else None
        if page is None or not page.told:
            return None
        look = view.look()
        proxy = through(self.api, look.deployment["metadata"]["namespace"])
        return listening(page, proxy, look.services[0], view.signal.ring)

    def _until_written(self, view: View) -> None:
        """Give the other process the time to write down how it ended."""
        deadline = self.clock() + WRITTEN_SECONDS
        begun = self.at.memory.id if self.at.memory else ""
        while self.clock() < deadline and any(
            one.id == begun and not one.ended for one in parse(view.record()).releases
        ):
            view.signal.wait(0.2)

    def _turn(self, view: View, look: Snapshot, memory: Memory, stages: Stages) -> None:
        gates = self.at.app.spec.gates if self.at.app else None
        gated = frozenset(stage for stage in Stage if gates and getattr(gates, stage.value))
        witness = replace(self._overheard(look, memory), gated=gated)
        seen = observe(look, memory.stable, memory.preview, witness)
        self._tell(seen)
        self.story.turn(look, seen, self._step(seen, memory, _stands(view, memory)), stages)

    def _overheard(self, look: Snapshot, memory: Memory) -> Witness:
        """Have the pods asked who consumes; nothing is made of that until one has said."""
        if self.heard is None or memory.consumes is None:
            return Witness()
        self.heard.ask(may_consume(look, memory))
        words = self.heard.words()
        said = any(word.consumes is not None for word in words.values())
        return Witness(consumers=memory.consumes.consumers if said else None, words=words)

    def _tell(self, seen: Observed) -> None:
        """Tell a change that matters: how far it is, how many pods are meant to be, whom the Services select, who consumes."""
        sizes = seen.stable.desired, seen.preview.desired
        takers = [any(pod.consumes for pod in side.pods) for side in (seen.stable, seen.preview)]
        now = (seen.phase, sizes, seen.services, seen.template, seen.tampered, takers)
        if now != self.told and seen.settled and seen.phase:
            self.told = now
            events = f"; {words.consuming(seen)}" if seen.consumers else ""
            self.story.note(f"{PHASES[seen.phase]}; {words.stands(seen)}{events}")

    def _step(self, seen: Observed, memory: Memory, reason: str) -> Step:
        """Say what comes next: what the last run stopped at, else what the strategy decides on what is seen."""
        if reason:
            return Stand(reason)
        app = self.at.app
        if app is None or app.spec.strategy.kind != memory.strategy:
            return Wait("other", "the process that runs it")
        step = app.spec.walk.decide(seen)
        if not isinstance(step, Ask):
            return step
        stage = step.question.stage.value
        return Wait(
            f"gates {stage}", f"the gates {stage}, or what comes after them, in the process that runs it"
        )


def _stands(view: View, memory: Memory) -> str:
    """Read off the record why the release stands, if it does."""
    releases = parse(view.record()).releases
    return next((one.reason for one in releases if one.id == memory.id), "")
