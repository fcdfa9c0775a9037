"""One line a change that matters, for pipelines and logs: what was done, and what is waited for and since when."""

from __future__ import annotations

import time
from collections.abc import Callable

from deployctl.gates.stage import Stages
from deployctl.observe import Snapshot
from deployctl.render import words
from strategies.model import Action, Admit, Ask, Clean, Detach, Observed, Step, Tell, Wait

HEARTBEAT_SECONDS = 30.0  # CircleCI kills a job that is silent for ten minutes
BRIEF_SECONDS = 1.0  # what is waited for no longer than this is not worth a line
OneOfMany = Admit | Detach | Clean | Tell


class Lines:
    """Tells the story on standard error. `tell` writes one line; each begins with the seconds since the first.

    With `verbose` each write has a line of its own, and each wait however brief.
    """

    def __init__(
        self,
        app: str,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        verbose: bool = False,
    ) -> None:
        self._app, self._tell, self._clock, self._verbose = app, tell, clock, verbose
        self._brief_seconds = 0.0 if verbose else BRIEF_SECONDS
        self._began = self._last_at = self._since = clock()
        self._waited = ""
        self._told = False
        self._gates: set[str] = set()
        self._alike: list[tuple[OneOfMany, Observed]] = []

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None:
        """Tell what is waited for when that is something else, and that it still is from time to time."""
        del look
        self.answers(step, stages)
        if isinstance(step, Wait | Ask):
            self._wait(step, seen, stages)

    def answers(self, step: Step, stages: Stages) -> None:
        """Tell what the gates said, and what was done to many pods once something else comes next."""
        if self._alike and type(step) is not type(self._alike[0][0]):
            self._flush()
        for key, text in words.verdicts(stages):
            if key not in self._gates:
                self._gates.add(key)
                self._line(text)

    def did(self, action: Action, seen: Observed) -> None:
        self._waited = ""
        if self._verbose or not isinstance(action, OneOfMany):
            self._flush()
            self._line(words.did(action, seen))
            return
        if self._alike and words.about(self._alike[0]) != words.about((action, seen)):
            self._flush()
        self._alike.append((action, seen))

    def note(self, text: str) -> None:
        self._flush()
        self._line(text)

    def close(self) -> None:
        """Tell what was kept back to be told with others alike."""
        self._flush()

    def _wait(self, step: Wait | Ask, seen: Observed, stages: Stages) -> None:
        """Tell a wait once, however its counts change: at once where it is known to last, else when it has."""
        now, key = self._clock(), words.key(step)
        if key != self._waited:
            self._waited, self._since, self._told = key, now, False
        if not self._told and (words.lasts(step) or now - self._since >= self._brief_seconds):
            self._told = True
            self._line(words.step(step, seen))
        elif self._told and now - self._last_at >= HEARTBEAT_SECONDS:
            self._line(f"still {words.still(step, seen, stages)} (for {words.age(now - self._since)})")

    def _flush(self) -> None:
        if self._alike:
            alike, self._alike = self._alike, []
            self._line(words.alike(alike))

    def _line(self, text: str) -> None:
        self._last_at = self._clock()
        self._tell(f"{self._last_at - self._began:5.0f}s  {self._app}: {text}")
