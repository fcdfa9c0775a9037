"""Rolling: batch by batch, each brought up dark, gated, and only then let in.

The laws of this walk: a pod of the preview gets its label, and with it traffic, after its gates said yes;
an old pod loses its label, and with it traffic, before it is removed; while the release rests between two
batches no Service asks for the label, so that pods born while nobody watches serve. Ready capacity behind
the Services never falls under the Deployment's size, or where `surge: 0` was chosen, under that less a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from strategies.consuming import batch_silent, go_over, keep, released
from strategies.model import (
    Admit,
    Begin,
    Detach,
    Finish,
    Hold,
    Observed,
    Pause,
    Phase,
    Pod,
    Stage,
    Step,
    Wait,
)
from strategies.quantities import NONE, Amount, next_target
from strategies.steps import (
    admit_newborn,
    arriving,
    ask,
    ask_each,
    drained,
    finish,
    go_back,
    guard,
    linger,
    pin,
    valve_off,
    valve_on,
)

QUARTER = Amount(25, percent=True)


@dataclass(frozen=True, slots=True)
class Rolling:
    """Options of `strategy.rolling`; durations in seconds. No `surge` means as many as the batch."""

    batch: Amount = QUARTER
    surge: Amount | None = None
    bake_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not self.batch.value:
            raise ValueError(f"batch: {self.batch}; expected at least one pod")

    def decide(self, seen: Observed) -> Step:
        """Give the one next step."""
        match seen.phase:
            case None:
                return Begin()
            case Phase.TRYING | Phase.PROMOTING:
                return guard(seen) or self.walk(seen)
            case Phase.FINISHING:
                return finish(seen)
            case Phase.RETURNING:  # pragma: no branch - there is no other
                return go_back(seen)

    def walk(self, seen: Observed) -> Step:
        return (
            admit_newborn(seen, seen.stable)
            or _kept_dark(seen)
            or _arrived(seen)
            or _let_in(seen)
            or _consumers(seen)
            or self._rest(seen)
            or self._narrowed(seen)
            or self._detach(seen)
            or self._advance(seen)
        )

    def _narrowed(self, seen: Observed) -> Step | None:
        """Let in what serves now and nothing else; before the first batch by the revision, which every pod has.

        The labels that the valve asks for are then put on and spread while that batch comes up.
        """
        if seen.preview.desired or seen.valve or seen.stable.gone or self._excess(seen):
            return valve_on(seen)
        return pin(seen, seen.stable.revision)

    def _rest(self, seen: Observed) -> Step | None:
        """Watch a batch that was let in, with the valve off; once, and not where the next is under way."""
        if not seen.preview.desired or _detached(seen) or self._rested(seen):
            return None
        return valve_off(seen) or self._bake(seen) or self._ask_admitted(seen)

    def _rested(self, seen: Observed) -> bool:
        return not (self._bake(seen) or self._ask_admitted(seen))

    def _bake(self, seen: Observed) -> Step | None:
        """Bake each size of the preview once; bringing up the next batch starts another timer."""
        size = seen.preview.desired
        return linger(seen, f"bake {size}", self.bake_seconds, f"{size} preview pods to bake")

    def _ask_admitted(self, seen: Observed) -> Step | None:
        size, pods = seen.preview.desired, seen.preview.pods
        during = ask(seen, Stage.DURING, f"{size} pods", pods)
        return during or (ask(seen, Stage.AFTER, f"{size} pods", pods) if size >= seen.replicas else None)

    def _detach(self, seen: Observed) -> Step | None:
        """Take as many old pods out of the endpoints as the next hold removes, and let them drain."""
        excess = self._excess(seen)
        order = sorted(seen.stable.pods, key=_goes_first)
        going, staying = order[:excess], order[excess:]
        names = ", ".join(pod.name for pod in _detached(seen))
        return (
            next((Admit(pod.name) for pod in staying if pod.detached), None)
            or next((Detach(pod.name) for pod in going if not pod.detached), None)
            or released(seen, _detached(seen))
            or drained(seen, _detached(seen), seen.stable, names)
        )

    def _excess(self, seen: Observed) -> int:
        """Count the old pods that the next hold removes.

        Those that are too many: 6 old beside 2 new of 6 are 2 too many; with `surge: 0` those that make room:
        4 old beside 2 new of 6, in batches of 2, are 2.
        """
        new = seen.preview.desired if self._surge(seen) else self._step(seen)
        return max(0, seen.stable.desired - max(0, seen.replicas - new))

    def _surge(self, seen: Observed) -> int:
        """Count the extra pods; where there is one pod only, one more has to fit."""
        if self.surge == NONE and seen.replicas > 1:
            return 0
        return max(1, (self.surge or self.batch).of(seen.replicas))

    def _step(self, seen: Observed) -> int:
        """Size the preview after the next batch."""
        batch, surge = self.batch.of(seen.replicas), self._surge(seen)
        step = min(batch, surge) if surge else min(batch, seen.replicas - 1)
        return next_target(seen.replicas, step, seen.preview.desired)

    def _advance(self, seen: Observed) -> Step:
        if seen.preview.desired and (asked := self._ask_admitted(seen)):
            return asked
        return Finish() if seen.preview.desired >= seen.replicas else self._next(seen)

    def _next(self, seen: Observed) -> Step:
        """Bring up the next batch."""
        left = seen.stable.desired - self._excess(seen)
        return Hold(left, max(self._step(seen), seen.replicas - left), open=not left)


def _arrived(seen: Observed) -> Step | None:
    """Wait for a batch to be there, dark, and pause."""
    if not seen.preview.desired and seen.paused:
        return None
    if not (seen.settled and seen.preview.complete and (seen.paused or seen.partitioned)):
        return arriving(seen)
    return None if seen.paused else Pause()


def _let_in(seen: Observed) -> Step | None:
    """Ask the gates of the dark pods, label them, and see them serve."""
    dark = _dark(seen)
    if dark:
        return batch_silent(seen, dark) or ask_each(seen, Stage.BEFORE, dark) or Admit(dark[0].name)
    every = len(seen.services)
    if any(pod.endpoints < every for pod in seen.preview.pods):
        return Wait("let in", "the endpoints to take in the preview")
    return None


def _consumers(seen: Observed) -> Step | None:
    """Let the consumers go over with the last batch: until then the old pods that are left consume."""
    return keep(seen) if seen.preview.desired < seen.replicas else go_over(seen)


def _dark(seen: Observed) -> tuple[Pod, ...]:
    """List the pods that no gate has vouched for, whether or not somebody took the valve off."""
    return tuple(pod for pod in seen.preview.pods if not pod.labelled)


def _kept_dark(seen: Observed) -> Step | None:
    """Put the valve back where somebody took it off, or turn it on for a pod that was born without it."""
    return valve_on(seen) if _dark(seen) else None


def _detached(seen: Observed) -> tuple[Pod, ...]:
    return tuple(pod for pod in seen.stable.pods if pod.detached)


def _goes_first(pod: Pod) -> tuple[bool, bool, float, str]:
    """Order old pods as their ReplicaSet removes them: one that is not ready goes first, whatever its mark.

    Of those that are still to be chosen the one with the fewest open rounds.
    """
    return (pod.ready, not pod.detached, math.inf if pod.rounds is None else pod.rounds, pod.name)
