"""Ask the gates of a stage side by side, each in a thread of its own, while the loop goes on watching."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from deployctl.gates import Asked
from deployctl.spec import Gate
from strategies.analysis import Answer, Measurement, summary
from strategies.model import Question, Verdict

GRACE_SECONDS = 1.0  # what a gate may take over its own time before it counts as hung
BROKE = "it broke; its traceback is on standard error"


@dataclass
class Asking:
    """One gate being asked: what was measured so far, and the verdict once there is one."""

    gate: Gate
    taken: list[Measurement] = field(default_factory=list)
    verdict: Verdict | None = None

    @property
    def answered(self) -> int:
        return sum(one.answer is not Answer.UNKNOWN for one in self.taken)

    def add(self, one: Measurement) -> None:
        """Take in a measurement, and fold what was measured so far into a verdict."""
        analysis = self.gate.analysis
        self.taken.append(analysis.weigh(one))
        self.end(analysis.fold(self.taken))

    def end(self, verdict: Verdict | None) -> None:
        """Come to a verdict; a dry run's is always yes, and says what it would have been."""
        if verdict and self.gate.dry_run and not verdict.passed:
            verdict = Verdict(passed=True, evidence=f"dry run, it would have said no: {verdict.evidence}")
        self.verdict = verdict


class _Measuring(threading.Thread):
    """One measurement, in a thread that nobody has to wait for. What breaks in it Python tells on standard error."""

    def __init__(self, gate: Gate, asked: Asked) -> None:
        super().__init__(name=f"{threading.current_thread().name}, measuring", daemon=True)
        self._gate, self._asked = gate, asked
        self.answer: Measurement | None = None

    def run(self) -> None:
        self.answer = self._gate.ask.options.measure(self._asked)


def measured(gate: Gate, asked: Asked, most_seconds: float) -> Measurement | None:
    """Measure once. A gate that hangs is no answer when its time is over; None where it broke."""
    measuring = _Measuring(gate, asked)
    measuring.start()
    measuring.join(most_seconds)
    if measuring.is_alive():
        return Measurement(Answer.UNKNOWN, f"no answer within {most_seconds:g}s")
    return measuring.answer


class Stages:
    """All questions of one run and their answers; a stage that is given a deadline has said no when it has passed."""

    def __init__(self, wake: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._wake, self._clock = wake, clock
        self._stop = threading.Event()
        self.asked: dict[Question, list[Asking]] = {}
        self._ends: dict[Question, tuple[float, float]] = {}

    def ask(
        self,
        question: Question,
        gates: tuple[Gate, ...],
        pods: Callable[[], Asked],
        deadline_seconds: float | None = None,
        first: Gate | None = None,
    ) -> None:
        """Begin to ask, once for each question; `pods` is called anew for every measurement.

        `first` is asked before the others, which are not asked where it says no.
        """
        if question in self.asked:
            return
        if deadline_seconds is not None:
            self._ends[question] = (self._clock() + deadline_seconds, deadline_seconds)
        others = [Asking(gate) for gate in gates]
        leads = [Asking(first)] if first else []
        self.asked[question] = [*leads, *others]
        self._start(leads or others, pods, then=others if leads else [])

    def _start(self, askings: list[Asking], pods: Callable[[], Asked], then: list[Asking]) -> None:
        """Ask each in a thread of its own; those that come `then` are asked only after a yes."""
        for asking in askings:
            name = f"gate {asking.gate.name}"
            threading.Thread(target=self._run, args=(asking, pods, then), name=name, daemon=True).start()

    def wake(self) -> None:
        """Have the loop turn now."""
        self._wake()

    def verdicts(self) -> dict[Question, Verdict]:
        """Give the answers that are complete: no as soon as one gate said no, yes when all said yes."""
        for question in self._ends:
            self._end(question)
        folded = {question: _fold(askings) for question, askings in self.asked.items()}
        return {question: verdict for question, verdict in folded.items() if verdict}

    def said(self) -> tuple[str, ...]:
        """Write down what each gate said: its stage, its name, its answer, its evidence, its measurements in short."""
        every = ((question, one) for question, askings in self.asked.items() for one in askings)
        return tuple(_said(question, one) for question, one in every if one.taken)

    def stop(self) -> None:
        self._stop.set()

    def _end(self, question: Question) -> None:
        """Take a gate that has no verdict at the stage's deadline for one that said no."""
        at, seconds = self._ends[question]
        if self._clock() < at:
            return
        for one in self.asked[question]:
            if not one.verdict:
                last = f": {one.taken[-1].evidence}" if one.taken else ""
                one.end(Verdict(passed=False, evidence=f"no verdict within {seconds:g}s{last}"))

    def _run(self, asking: Asking, pods: Callable[[], Asked], then: list[Asking]) -> None:
        """Ask to the end. A gate that breaks has said no: its thread tells how, and nothing waits for it for ever."""
        try:
            self._measure(asking, pods)
        finally:
            if not (asking.verdict or self._stop.is_set()):
                asking.end(Verdict(passed=False, evidence=BROKE))
            if asking.verdict and asking.verdict.passed:
                self._start(then, pods, then=[])
            self._wake()

    def _measure(self, asking: Asking, pods: Callable[[], Asked]) -> None:
        self._stop.wait(asking.gate.initial_delay_seconds)
        while not (asking.verdict or self._stop.is_set()):
            asked = replace(pods(), timeout_seconds=asking.gate.timeout_seconds)
            one = measured(asking.gate, asked, most_seconds(asking.gate, len(asked.pods)))
            if one is None:
                return
            self._take(asking, one)
            if not asking.verdict:
                self._stop.wait(asking.gate.interval_seconds)

    def measure_once(self, asking: Asking, pods: Callable[[], Asked]) -> None:
        """Measure in the caller's own thread."""
        asked = replace(pods(), timeout_seconds=asking.gate.timeout_seconds)
        self._take(asking, asking.gate.ask.options.measure(asked))

    def _take(self, asking: Asking, one: Measurement) -> None:
        """Take in what was measured, unless the stage's deadline came first, and wake the loop."""
        if not asking.verdict:
            asking.add(one)
        self._wake()


def most_seconds(gate: Gate, pods: int) -> float:
    """Say how long one measurement may take: its time, for each pod where it may ask pod after pod."""
    times = max(1, pods) if getattr(gate.ask.options, "pod_wise", True) else 1
    return gate.timeout_seconds * times + GRACE_SECONDS


def _said(question: Question, one: Asking) -> str:
    name = f"{question.stage.value} {one.gate.name}"
    short = summary(one.taken)
    more = f" ({short})" if short else ""
    if one.verdict is None:
        return f"{name} has {one.answered} of {one.gate.count} answers: {one.taken[-1].evidence}{more}"
    return f"{name} {said(one.verdict)}: {one.verdict.evidence}{more}"


def said(verdict: Verdict) -> str:
    """Say a verdict in words."""
    if verdict.undecided:
        return "could not decide"
    return "passed" if verdict.passed else "said no"


def _fold(askings: list[Asking]) -> Verdict | None:
    """Fold the gates of a stage: a no before all else, then what a person must decide, then yes."""
    against = [one for one in askings if one.verdict and not one.verdict.passed]
    for one in sorted(against, key=lambda each: bool(each.verdict and each.verdict.undecided)):
        if one.verdict and (not one.verdict.undecided or all(each.verdict for each in askings)):
            evidence = f"gate {one.gate.name} {said(one.verdict)}: {one.verdict.evidence}"
            return replace(one.verdict, evidence=evidence)
    if not against and all(one.verdict for one in askings):
        return Verdict(passed=True, evidence=f"{len(askings)} of {len(askings)} gates passed")
    return None
