"""Tells of a release while it runs: beside it, in time or not at all, and never in its way."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Protocol

from deployctl.cluster.asking import asked
from deployctl.errors import DeployctlError, SpecError
from deployctl.gates import About, Asked
from deployctl.gates.stage import Stages
from deployctl.notify import WHATS, Notice, What
from deployctl.observe import Snapshot
from deployctl.record import Record, now
from deployctl.releases import Run
from deployctl.render import words
from deployctl.rollout import Story
from deployctl.spec import Gates, Notify, from_canonical
from deployctl.spoken import cut, harmless
from strategies.model import Action, Begin, Observed, Phase, Step, Turn

TRIES = 2
MOST_LETTERS = 500  # of a reason
ENDS: Mapping[str, What] = {"interrupted": "stopped", "left": "stopped"}  # what ends a run, by another name


class Job(Protocol):
    """What is around a run and hears how it ended."""

    def __enter__(self) -> Any: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def ends(self, code: int, outcome: str, reason: str = "") -> int: ...


@dataclass
class Teller:
    """Tells one party in a thread of its own, one notice after the other; keeps the first thing that went wrong."""

    to: Notify
    asked: Asked
    wrong: Callable[[str], None]
    waits: queue.SimpleQueue[Notice | None] = field(default_factory=queue.SimpleQueue)
    broken: bool = False

    def __post_init__(self) -> None:
        name = f"notify {self.to.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, notice: Notice) -> None:
        if notice.what in self.to.when:
            self.waits.put(replace(notice, text=notice.filled(self.to.text)))

    def close(self, deadline: float) -> None:
        """Let it tell what is left; what has no time any more is told of."""
        self.waits.put(None)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._complain("no answer in time; not everything was told")

    def _run(self) -> None:
        while notice := self.waits.get():
            if problem := self._told(notice):
                self._complain(problem)

    def _told(self, notice: Notice) -> str:
        """Tell it, and once again where that went wrong; say what did."""
        problem = ""
        for _ in range(TRIES):
            try:
                self.to.to.options.tell(notice, self.asked)
            except DeployctlError as error:
                problem = str(error)
            else:
                return ""
        return problem

    def _complain(self, problem: str) -> None:
        if not self.broken:
            self.broken = True
            self.wrong(f"{self.to.name} is not told, and the release goes on: {problem}")


class Notifying:
    """A job around a run whose spec names somebody to tell; the run's story passes through it."""

    def __init__(
        self, run: Run, job: Job, to: tuple[Notify, ...], gates: Gates, say: Callable[[str], None]
    ) -> None:
        self._run, self._job, self._say = run, job, say
        self._complaints: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._tellers = [self._teller(one, gates) for one in to]
        self._seconds = max(one.timeout_seconds for one in to)

    def __enter__(self) -> Any:
        entered = self._job.__enter__()
        self._run.story = Listening(self._run.story, self.notify, self._heard)
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(self._run.story, Listening):
            self._run.story = self._run.story.told
        self._job.__exit__(kind, error, trace)

    def ends(self, code: int, outcome: str, reason: str = "") -> int:
        """Tell how it ended, and wait no longer than the longest time-out for all of it to be told."""
        what = ENDS.get(outcome, outcome)
        if what in WHATS:
            self.notify(what, reason, self._run.last)
        deadline = time.monotonic() + self._seconds
        for one in self._tellers:
            one.close(deadline)
        for text in self._heard():
            self._say(f"{self._run.plan.names.app}: warning: {text}")
        return self._job.ends(code, outcome, reason)

    def notify(self, what: What, reason: str, seen: Observed | None) -> None:
        plan = self._run.plan
        names, memory = plan.names, plan.memory
        notice = Notice(
            what=what,
            app=names.app,
            namespace=names.namespace,
            release=memory.id,
            strategy=memory.strategy,
            stable=seen.stable.revision if seen else "",
            preview=seen.preview.revision if seen else "",
            by=memory.by,
            reason=cut(harmless(reason), MOST_LETTERS),
            at=now(),
            kind=names.kind,
            workload=names.deployment,
        )
        for one in self._tellers:
            one.put(notice)

    def _teller(self, to: Notify, gates: Gates) -> Teller:
        names = self._run.plan.names
        about = About(names.app, names.namespace, kind=names.kind, workload=names.deployment)
        whole = asked(self._run.api, about, (), {}, gates)
        return Teller(to, replace(whole, timeout_seconds=to.timeout_seconds), self._complaints.put)

    def _heard(self) -> Iterable[str]:
        while not self._complaints.empty():
            yield self._complaints.get()


class Listening:
    """A story that is told on, and hears what is worth a notice."""

    def __init__(
        self,
        told: Story,
        notify: Callable[[What, str, Observed | None], None],
        complaints: Callable[[], Iterable[str]],
    ) -> None:
        self.told, self._notify, self._complaints = told, notify, complaints
        self._partly = False

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None:
        forward = seen.phase in {Phase.TRYING, Phase.PROMOTING}
        share = words.percent(seen)
        if forward and self._partly and share == 100:
            self._notify("shifted", "", seen)
        self._partly = forward and share < 100
        for text in self._complaints():
            self.told.note(f"warning: {text}")
        self.told.turn(look, seen, step, stages)

    def did(self, action: Action, seen: Observed) -> None:
        match action:
            case Begin():
                self._notify("begun", "", seen)
            case Turn(reason):
                self._notify("turned", reason, seen)
        self.told.did(action, seen)

    def note(self, text: str) -> None:
        self.told.note(text)

    def close(self) -> None:
        self.told.close()


def notifying(run: Run, job: Job, say: Callable[[str], None]) -> Job:
    """Put what tells of a run around it, where the app's spec names somebody."""
    whole = run.plan.spec or _recorded(run) or {}
    if not whole.get("spec", {}).get("notify"):
        return job
    try:
        spec = from_canonical(whole).spec
    except SpecError:
        return job  # a record of another version: it names nobody whom we know how to tell
    return Notifying(run, job, spec.notify or (), spec.gates, say)


def _recorded(run: Run) -> dict[str, Any] | None:
    """Read the spec that the record keeps; the way back does without."""
    try:
        return Record(run.api, run.plan.names.namespace, run.plan.names.app).read().spec
    except DeployctlError:
        return None
