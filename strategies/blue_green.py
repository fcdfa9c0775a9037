"""Blue-green: the whole preview beside the whole stable side, then one shift of the Services.

The laws of this walk: the Services are pinned to one revision from the first write to the last; a preview
that waits stays one pod under the full size (a full one would retire the old side if somebody wrote
minReadySeconds); the old side is untouched until the shift is verified and the gates after it have passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from strategies.consuming import early, go_over, keep, silent
from strategies.model import (
    Begin,
    Finish,
    Hold,
    Observed,
    Pause,
    Phase,
    Stage,
    Stand,
    Step,
    Turn,
    Wish,
)
from strategies.quantities import WHOLE, Amount, surge_percent
from strategies.steps import (
    arriving,
    ask,
    carried,
    drained,
    finish,
    go_back,
    guard,
    linger,
    pin,
    rehold,
    seen_by_all,
    shake_off,
    show,
)


@dataclass(frozen=True, slots=True)
class BlueGreen:
    """Options of `strategy.blueGreen`; durations in seconds."""

    promote: Literal["auto", "manual"] = "auto"
    promote_after_seconds: float = 0.0
    preview_replicas: Amount = WHOLE
    keep_old_seconds: float = 300.0
    shake_off_after_seconds: float | None = None  # None: old pods keep the connections they have
    preview_service: str = ""  # known to the walk by what is seen of it

    def __post_init__(self) -> None:
        if not self.preview_replicas.value:
            raise ValueError(f"previewReplicas: {self.preview_replicas}; expected at least one pod")
        if self.preview_service and not _is_label(self.preview_service):
            raise ValueError(f"previewService: got {self.preview_service}; expected a DNS-1123 label")

    def decide(self, seen: Observed) -> Step:
        """Give the one next step."""
        match seen.phase:
            case None:
                return Begin()
            case Phase.TRYING:
                return guard(seen) or _bereft(seen) or self._try(seen)
            case Phase.PROMOTING:
                return self._promote(seen)
            case Phase.FINISHING:
                return finish(seen)
            case Phase.RETURNING:  # pragma: no branch - there is no other
                return go_back(seen)

    def _try(self, seen: Observed) -> Step:
        size = self.waiting_size(seen.replicas)
        return (
            pin(seen, seen.stable.revision)
            or show(seen)
            or early(seen, seen.preview.pods)
            or keep(seen)
            or _bring_up(seen, size, Phase.TRYING)
            or silent(seen, seen.preview.pods)
            or ask(seen, Stage.BEFORE, seen.preview.revision, seen.preview.pods)
            or self._approval(seen)
            or Hold(seen.replicas, seen.replicas, Phase.PROMOTING, proportional=True)
        )

    def waiting_size(self, replicas: int) -> int:
        """Size the preview while it waits: under the full size, a size that a percentage can state.

        Of 6 that is 5 (83% rounds up to 5); of 1 it is 1, for there is nothing smaller to try.
        """
        wanted = max(1, min(self.preview_replicas.of(replicas), replicas - 1))
        return Amount(max(1, surge_percent(replicas, wanted)), percent=True).of(replicas)

    def _approval(self, seen: Observed) -> Step | None:
        if seen.wish is Wish.PROMOTE:
            return None
        if self.promote == "manual":
            return Stand("the preview passed its gates and waits for a person to promote it")
        return linger(seen, "promoteAfter", self.promote_after_seconds, "promoteAfter to pass")

    def _promote(self, seen: Observed) -> Step:
        return (
            (_kept_up(seen) if seen.shifted else guard(seen) or _bereft(seen) or _ready_to_shift(seen))
            or _standing(seen)
            or seen_by_all(seen)
            or pin(seen, seen.preview.revision)
            or carried(seen, seen.preview, seen.stable)
            or go_over(seen)
            or ask(seen, Stage.AFTER, seen.preview.revision, seen.preview.pods)
            or self._shake_off(seen)
            or self._keep(seen)
            or drained(seen, seen.stable.pods, seen.stable, "old side")
            or Finish()
        )

    def _shake_off(self, seen: Observed) -> Step | None:
        """Let the connections move that no shift of a Service moves, and ask the gates of all the traffic then."""
        if self.shake_off_after_seconds is None or seen.wish is Wish.FINISH or seen.stable.gone:
            return None
        return (
            linger(seen, "shakeOffAfter", self.shake_off_after_seconds, "connections to move by themselves")
            or shake_off(seen)
            or ask(seen, Stage.AFTER, f"{seen.preview.revision} with all that moved", seen.preview.pods)
        )

    def _keep(self, seen: Observed) -> Step | None:
        if seen.wish is Wish.FINISH or seen.stable.gone:
            return None
        return linger(seen, "keepOld", self.keep_old_seconds, "keepOld to pass; the old side stands ready")


def _is_label(name: str) -> bool:
    """Say whether this may be the name of a Service: `wallet-preview`."""
    letters = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
    return len(name) <= 63 and letters.issuperset(name) and name[0] != "-" != name[-1]


def _bereft(seen: Observed) -> Step | None:
    """Turn round where the stable side went under us: scaled to nothing and back, all pods come back as the preview."""
    if seen.stable.gone and seen.preview.desired:
        return Turn("the stable side is gone: scaled to 0 and back in mid-release")
    return None


def _kept_up(seen: Observed) -> Step | None:
    """Put the hold back, and go back where all that serves was taken away."""
    return rehold(seen) if seen.replicas else Turn("scaled to 0 in mid-release")


def _ready_to_shift(seen: Observed) -> Step | None:
    """Bring the approved preview to full size; its gates are asked again where this process has not heard them."""
    return (
        pin(seen, seen.stable.revision)
        or show(seen)
        or early(seen, seen.preview.pods)
        or keep(seen)
        or _bring_up(seen, seen.replicas, Phase.PROMOTING)
        or silent(seen, seen.preview.pods)
        or ask(seen, Stage.BEFORE, seen.preview.revision, seen.preview.pods)
    )


def _bring_up(seen: Observed, size: int, phase: Phase) -> Step | None:
    """Bring the preview to a size, all ready, and pause there."""
    if seen.preview.desired < size and (seen.paused or seen.partitioned):
        return Hold(seen.replicas, size, phase, proportional=True)
    if not (seen.settled and seen.preview.complete and seen.preview.desired >= size):
        return arriving(seen)
    return None if seen.paused else Pause()


def _standing(seen: Observed) -> Step | None:
    """Go on only with a full preview; turn round when it falls down for good."""
    if seen.preview.complete and seen.preview.desired >= seen.replicas:
        return None
    return arriving(seen)
