"""Counts the answers to a container's probes, as a kubelet's workers do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

WAIT_SECONDS = 0.02  # for an answer that is under way
KINDS = ("startup", "liveness", "readiness")


@dataclass
class Probing:
    """One probe of one container since its start. `passes` is None until enough answers are in."""

    kind: str
    spec: Json
    next_at: float
    passes: bool | None = None
    last: bool | None = None
    run: int = 0  # answers in a row like the last one
    is_asking: bool = False

    def look(
        self, now: float, ask: Callable[[], str | None], steady_seconds: float
    ) -> tuple[float, str | None]:
        """Ask where it is time; give the seconds until the next look, and what was wrong ("" for a pass).

        While it passes and no other answer can come (`steady_seconds`), nobody has to ask.
        """
        if not self.is_asking and now < self.next_at:
            return self.next_at - now, None
        wrong = ask()
        self.is_asking = wrong is None
        if wrong is None:
            return WAIT_SECONDS, None
        self._count(wrong == "")
        period = self.spec.get("periodSeconds", 10)
        quiet = steady_seconds if self.passes and self.last else 0.0
        steps = max(1, math.ceil(quiet / period)) if quiet != math.inf else math.inf
        self.next_at = max(self.next_at, now - period) + period * steps
        return max(0.0, self.next_at - now), wrong

    def wake(self, now: float) -> None:
        """Ask at the next turn: answers may have changed."""
        self.next_at = min(self.next_at, now + self.spec.get("periodSeconds", 10))

    def _count(self, passed: bool) -> None:  # noqa: FBT001 - an answer
        self.run = self.run + 1 if passed == self.last else 1
        self.last = passed
        least = self.spec.get("successThreshold", 1) if passed else self.spec.get("failureThreshold", 3)
        if self.run >= least:
            self.passes = passed


def probings(container: Json, epoch: float, started: float) -> dict[str, Probing]:
    """Give a container's probes: the first turn is one period after the pod began, and not before the delay.

    Readiness is asked at the start, too, where it has no delay.
    """
    found = {}
    for kind in KINDS:
        spec = container.get(f"{kind}Probe")
        if spec is None:
            continue
        period, delay = spec.get("periodSeconds", 10), spec.get("initialDelaySeconds", 0)
        turn = epoch + period * max(1, math.ceil((started + delay - epoch) / period))
        found[kind] = Probing(kind, spec, started if kind == "readiness" and not delay else turn)
    return found
