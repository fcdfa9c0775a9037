"""Ask the gates of a stage side by side, each in a thread of its own, while the loop goes on watching."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from deployctl.gates import Asked
from deployctl.spec import Gate
from strategies.analysis import Analysis, Answer, Measurement
from strategies.model import Question, Verdict


@dataclass
class Asking:
    """One gate being asked: what was measured so far, and the verdict once there is one."""

    gate: Gate
    taken: list[Measurement] = field(default_factory=list)
    verdict: Verdict | None = None

    @property
    def answered(self) -> int:
        return sum(one.answer is not Answer.UNKNOWN for one in self.taken)


class Stages:
    """All questions of one run and their answers."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._stop = threading.Event()
        self.asked: dict[Question, list[Asking]] = {}

    def ask(self, question: Question, gates: tuple[Gate, ...], pods: Callable[[], Asked]) -> None:
        """Begin to ask, once for each question; `pods` is called anew for every measurement."""
        if question in self.asked:
            return
        self.asked[question] = [Asking(gate) for gate in gates]
        for asking in self.asked[question]:
            name = f"gate {asking.gate.name}"
            threading.Thread(target=self._run, args=(asking, pods), name=name, daemon=True).start()

    def verdicts(self) -> dict[Question, Verdict]:
        """Give the answers that are complete: no as soon as one gate said no, yes when all said yes."""
        folded = {question: _fold(askings) for question, askings in self.asked.items()}
        return {question: verdict for question, verdict in folded.items() if verdict}

    def said(self) -> tuple[str, ...]:
        """Write down what each gate said: its stage, its name, its answer, its evidence."""
        every = ((question, one) for question, askings in self.asked.items() for one in askings)
        return tuple(_said(question, one) for question, one in every if one.taken)

    def stop(self) -> None:
        self._stop.set()

    def _run(self, asking: Asking, pods: Callable[[], Asked]) -> None:
        """Ask to the end. A gate that breaks has said no: its thread tells how, and nothing waits for it for ever."""
        try:
            self._measure(asking, pods)
        finally:
            if not (asking.verdict or self._stop.is_set()):
                asking.verdict = Verdict(
                    passed=False, evidence="it broke; its traceback is on standard error"
                )
            self._wake()

    def _measure(self, asking: Asking, pods: Callable[[], Asked]) -> None:
        self._stop.wait(asking.gate.initial_delay_seconds)
        while not (asking.verdict or self._stop.is_set()):
            self.measure_once(asking, pods)
            if not asking.verdict:
                self._stop.wait(asking.gate.interval_seconds)

    def measure_once(self, asking: Asking, pods: Callable[[], Asked]) -> None:
        """Measure, fold what was measured so far into a verdict, and wake the loop."""
        gate = asking.gate
        analysis = Analysis(gate.count, gate.failure_limit, gate.consecutive_error_limit)
        asked = replace(pods(), timeout_seconds=gate.timeout_seconds)
        asking.taken.append(gate.ask.options.measure(asked))
        asking.verdict = analysis.fold(asking.taken)
        self._wake()


def _said(question: Question, one: Asking) -> str:
    name = f"{question.stage.value} {one.gate.name}"
    if one.verdict is None:
        return f"{name} has {one.answered} of {one.gate.count} answers: {one.taken[-1].evidence}"
    return f"{name} {'passed' if one.verdict.passed else 'said no'}: {one.verdict.evidence}"


def _fold(askings: list[Asking]) -> Verdict | None:
    no = next((one for one in askings if one.verdict and not one.verdict.passed), None)
    if no and no.verdict:
        return Verdict(passed=False, evidence=f"gate {no.gate.name} said no: {no.verdict.evidence}")
    if all(one.verdict for one in askings):
        return Verdict(passed=True, evidence=f"{len(askings)} of {len(askings)} gates passed")
    return None
