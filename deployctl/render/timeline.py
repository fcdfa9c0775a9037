"""The shape of a release in time: shares, pods, gates, waits, and marks where something happened."""

from __future__ import annotations

from dataclasses import dataclass

from deployctl.render.answers import Answers


@dataclass(frozen=True, slots=True)
class Pods:
    """One side at one moment; `serving` of its pods get traffic."""

    revision: str = ""
    pods: int = 0
    ready: int = 0
    serving: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """What is so from `at` (seconds since the first event) until the next moment; `share` is the preview's."""

    at: float
    share: int
    stable: Pods
    preview: Pods
    size: int = 0  # of the workload; 0 where it was not told


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric as an autoscaler says it: `180%` of `60%`, or quantities of Kubernetes; `now` is empty unmeasured."""

    name: str
    now: str
    target: str


@dataclass(frozen=True, slots=True)
class Scaling:
    """What an autoscaler says of itself from `at` on: its wish, its user's bounds, and the floor in force."""

    at: float
    wants: int
    least: int
    floor: int
    most: int
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A gate that was asked (`stage` before, during or after) or a deliberate wait (`stage` is empty)."""

    stage: str
    name: str
    began: float
    ended: float
    passed: bool | None = None
    evidence: str = ""
    answers: tuple[tuple[float, str], ...] = ()  # when, and pass, fail or unknown


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened: an action by its name, `note`, `stopped` or `result`; `major` where it moves things."""

    at: float
    kind: str
    text: str
    major: bool = True

    @property
    def bad(self) -> bool:
        return self.kind in {"turn", "rehold", "stopped"}


@dataclass(frozen=True, slots=True)
class Timeline:
    """One app's release, or several runs that make one: `began` in seconds since 1970, the rest counts from it."""

    app: str
    began: float
    seconds: float
    moments: tuple[Moment, ...] = ()
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()
    scaling: tuple[Scaling, ...] = ()
    outcome: str = ""
    reason: str = ""
    title: str = ""
    answers: Answers | None = None

    @property
    def ended(self) -> str:
        """Say how it ended, as a person would."""
        said = {
            "aborted": "back on stable",
            "rolledBack": "rolled back",
            "waiting": "waiting for a person",
            "": "no result",
        }
        return said.get(self.outcome, self.outcome)

    @property
    def replicas(self) -> int:
        """The most pods that one side had."""
        return max((max(one.stable.pods, one.preview.pods) for one in self.moments), default=0)

    @property
    def revisions(self) -> tuple[str, str]:
        """Stable's and preview's, as last known."""
        stable = [one.stable.revision for one in self.moments if one.stable.revision]
        preview = [one.preview.revision for one in self.moments if one.preview.revision]
        return (stable or [""])[-1], (preview or [""])[-1]

    def at(self, seconds: float) -> Moment | None:
        """Tell what was so at a time; before the first moment what was so then."""
        past = [one for one in self.moments if one.at <= seconds] or self.moments[:1]
        return past[-1] if past else None

    def numbered(self) -> list[Mark]:
        """Give what moved something; one that only repeats the one before is left out."""
        moved = [one for one in self.marks if one.major]
        return [one for at, one in enumerate(moved) if at == 0 or one.text != moved[at - 1].text]

    def pieces(self) -> list[tuple[Moment, float]]:
        """Give every moment with the time of the next one."""
        ends = [*(one.at for one in self.moments[1:]), self.seconds]
        return list(zip(self.moments, ends, strict=True))
