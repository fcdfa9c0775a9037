"""One line a change, for pipelines and logs: what was done, and what is waited for and since when."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from deployctl.gates.stage import Stages
from deployctl.observe import Snapshot
from deployctl.render import words
from strategies.model import Action, Ask, Observed, Step, Wait

HEARTBEAT_SECONDS = 30.0


class Lines:
    """Tells the story on standard error. `tell` writes one line."""

    def __init__(
        self, app: str, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._tell, self._clock = app, tell, clock
        self._last, self._last_at, self._since = "", clock(), clock()
        self._gates: dict[str, bool] = {}
        self._alike: tuple[type[Any] | None, int] = (None, 0)

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None:
        """Tell what is waited for when that changes, and that it still is from time to time."""
        del look
        self._tell_gates(stages)
        if isinstance(step, Wait | Ask):
            self._wait(words.step(step, seen))

    def did(self, action: Action, seen: Observed) -> None:
        self._line(words.did(action, seen))
        self._last = ""

    def note(self, text: str) -> None:
        self._line(text)

    def _wait(self, text: str) -> None:
        if text != self._last:
            self._last, self._since = text, self._clock()
            self._line(text)
        elif self._clock() - self._last_at >= HEARTBEAT_SECONDS:
            self._line(f"{text} (for {self._clock() - self._since:.0f}s)")

    def _tell_gates(self, stages: Stages) -> None:
        for question, askings in list(stages.asked.items()):
            for one in askings:
                key = f"{question.stage.value} {question.about} {one.gate.name}"
                if one.verdict and key not in self._gates:
                    self._gates[key] = one.verdict.passed
                    answer = "passed" if one.verdict.passed else "said no"
                    self._line(f"gate {one.gate.name} {answer}: {one.verdict.evidence}")

    def _line(self, text: str) -> None:
        self._last_at = self._clock()
        self._tell(f"{self._app}: {text}")
