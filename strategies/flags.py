"""Feature flags beside a release: which moves are due at which stage, and what the way back does to each.

A state is what a flag is set to: a value for everybody, or the per cent of those who get it. A flag that follows
never runs ahead of the traffic: its per cent is the preview's share, rounded down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from strategies.model import Observed, Stage

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class State:
    """What a flag is set to; with `percent` the value is the share of its users. None is what only its rules know."""

    value: Value | None
    percent: bool = False

    @property
    def plain(self) -> State:
        """Give a share of none as false, and of all as true."""
        ends = {0: False, 100: True}
        whole = self.percent and isinstance(self.value, int) and self.value in ends
        return State(ends[int(self.value or 0)]) if whole else self

    def __str__(self) -> str:
        if self.value is None:
            return "what its rules say"
        shown = str(self.value).lower() if isinstance(self.value, bool) else str(self.value)
        return f"{shown}%" if self.percent else shown


@dataclass(frozen=True, slots=True)
class Moves:
    """The flags of a release: what each is set to before, during and after it, and on the way back."""

    before: Mapping[str, Value] = field(default_factory=dict)
    following: tuple[str, ...] = ()
    after: Mapping[str, Value] = field(default_factory=dict)
    on_rollback: Mapping[str, Value] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """Name every flag that is moved, each once."""
        return tuple(dict.fromkeys((*self.before, *self.following, *self.after, *self.on_rollback)))

    @property
    def stages(self) -> frozenset[Stage]:
        """Name the stages that have moves; a flag that follows has one in each."""
        each = {Stage.BEFORE: self.before, Stage.AFTER: self.after}
        return frozenset(Stage) if self.following else frozenset(one for one, moves in each.items() if moves)

    def due(self, stage: Stage, share: int) -> dict[str, State]:
        """Say what each flag is to be before a stage's gates are asked, at a share of the traffic."""
        fixed = {Stage.BEFORE: self.before, Stage.AFTER: self.after}.get(stage, {})
        follow = {key: State(share, percent=True).plain for key in self.following}
        return {**follow, **{key: State(value) for key, value in fixed.items()}}


def share(seen: Observed) -> int:
    """Give the preview's share of the pods that serve, in whole per cent and never rounded up."""
    preview, stable = (sum(pod.endpoints > 0 for pod in side.ready) for side in (seen.preview, seen.stable))
    return 100 * preview // (preview + stable) if preview else 0


class Back(Enum):
    """What the way back does to a flag."""

    NOTHING = "nothing"  # it is as it was before
    RESTORE = "restore"  # it is as we set it: as it was before, whole
    SET = "set"  # the spec says what it is to be
    LEAVE = "leave"  # somebody else has changed it since


def back(now: State, before: State, ours: tuple[State, ...], wanted: State | None = None) -> Back:
    """Decide about one flag: a switch that the spec names is thrown; else only what is still ours goes back.

    `ours` are the last states that we set, and the one that we may have set when the process died.
    """
    if wanted is not None:
        return Back.NOTHING if now == wanted else Back.SET
    if now in ours and now != before:
        return Back.RESTORE
    return Back.NOTHING if now == before else Back.LEAVE


def foreign(now: State, before: State, ours: tuple[State, ...]) -> bool:
    """Say whether somebody else set a flag: it is neither as it was nor as we set it."""
    return now not in (ours or (before,))
