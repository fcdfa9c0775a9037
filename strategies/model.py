"""The vocabulary of a release: what is observed, and the one thing that is decided next.

A strategy is a frozen dataclass of options with `decide(seen: Observed) -> Step`. The loop carries out
the step (at most one write), looks again and asks again, so nothing has to be remembered between two
decisions but what the cluster shows and what this process has witnessed (`verdicts`, `waited`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Phase(Enum):
    """How far the release has come, as the cluster remembers it."""

    TRYING = "trying"  # a preview is being brought up or, rolling, let in batch by batch
    PROMOTING = "promoting"  # blue-green: approved; to full size, shift, gates after, keep the old side
    FINISHING = "finishing"  # the old side is being retired; no way back but a rollback
    RETURNING = "returning"  # on the way back to stable


class Template(Enum):
    """Whose pod template the Deployment carries."""

    STABLE = "stable"
    PREVIEW = "preview"
    FOREIGN = "foreign"


class Stage(Enum):
    """When a gate is asked."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


class Outcome(Enum):
    """How a release ended."""

    PROMOTED = "promoted"
    ABORTED = "aborted"
    DEGRADED = "degraded"


class Wish(Enum):
    """What a person asked of the running release."""

    PROMOTE = "promote"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Pod:
    """One live pod (no deletionTimestamp)."""

    name: str
    ready: bool = True
    labelled: bool = False  # carries the valve's label
    detached: bool = False  # marked to go: first in line when its ReplicaSet shrinks
    endpoints: int = 0  # in how many listed Services it is a ready endpoint
    connected: bool = False  # born before the shift: connections from before it may still be open
    rounds: int | None = 0  # open on it by its own word, given twice and fresh; None: it has not said
    oldest_seconds: float = 0.0  # how long the oldest of them has been open
    mute: str = ""  # why it has not said
    ordinal: int = 0  # its place in its StatefulSet, from 0
    uid: str = ""  # where a name comes back (StatefulSet): which pod of that name this is
    consumes: bool | None = (
        False  # events, or may begin to at any moment, by its own word; None: it has not said
    )
    unheard: str = ""  # why it has not said
    late_seconds: float = 0.0  # since when it has said nothing, or not what it was told

    @property
    def identity(self) -> str:
        """Tell this pod from the one that had its name before: a gate's answer does not pass from one to the other."""
        return f"{self.name}/{self.uid}" if self.uid else self.name


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two revisions: its ReplicaSet (or the ordinals that are to have it) and its live pods."""

    revision: str  # pod-template-hash or controller-revision-hash; empty while the revision does not exist
    desired: int = 0  # spec.replicas of the ReplicaSet, or how many ordinals are to have it
    pods: tuple[Pod, ...] = ()
    trouble: str = ""  # why its pods will not come: CrashLoopBackOff, quota, denied ...
    lingers: bool = False  # every container sleeps in preStop long enough for endpoints to spread
    ending: tuple[Pod, ...] = ()  # told to go and not over yet: they may consume still

    @property
    def ready(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods if pod.ready)

    @property
    def complete(self) -> bool:
        """Whether every pod that is wanted is there and ready."""
        return len(self.ready) == len(self.pods) == self.desired

    @property
    def carries(self) -> bool:
        """Whether any of its pods gets traffic."""
        return any(pod.endpoints for pod in self.pods)

    @property
    def gone(self) -> bool:
        return not self.desired and not self.pods


@dataclass(frozen=True, slots=True)
class Service:
    """A listed Service: the revision it is pinned to, if any, and whether it asks for the valve's label.

    `blind`: it asks for a label that the preview's pods do not have, so a shift would leave it without endpoints.
    """

    name: str
    pin: str = ""
    valve: bool = False
    blind: bool = False


@dataclass(frozen=True, slots=True)
class PreviewService:
    """The front door of the preview: a Service for those who try it, of no account to the live traffic.

    `ours`: we made it, or wrote into the user's own; either way it is to be put back.
    """

    name: str
    pin: str = ""
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """The gates of one stage, asked about one thing: a revision, a batch, a number of pods.

    `pods` are those that the answer vouches for one by one; none where it is given for the whole.
    """

    stage: Stage
    about: str
    pods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The folded answer of a stage's gates; `evidence` names what decided. One that is undecided is a person's."""

    passed: bool
    evidence: str = ""
    undecided: bool = False


@dataclass(frozen=True, slots=True)
class Drain:
    """How long pods that lost their traffic may take to end their rounds, and whether they go then all the same."""

    seconds: float = 600.0
    proceed: bool = False


@dataclass(frozen=True, slots=True)
class Consumers:
    """The app consumes events, of which HTTP traffic is no measure: pods begin, and stop, when they are told.

    `exclusive`: never both revisions at once, not even where a pod does not say; `seconds`: how long that is waited for.
    """

    exclusive: bool = False
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Observed:
    """One consistent look. Times in seconds, witnessed by this process on a clock that cannot jump."""

    replicas: int  # spec.replicas, just read
    stable: Side
    preview: Side
    services: tuple[Service, ...]
    phase: Phase | None = None  # None: nothing of ours is in the cluster
    template: Template = Template.STABLE
    settled: bool = True  # observedGeneration has caught up
    paused: bool = False
    partitioned: bool = False  # both ReplicaSets have the sizes that the hold asks for
    returned: bool = False  # the way-back settings stand: old template, maxUnavailable 0, unpaused
    recalled: bool = False  # the same, held: stable comes back beside the preview, which stays
    tampered: bool = False  # the hold's own fields are not as we wrote them
    retiring: bool = (
        False  # the preview's template with the user's minReadySeconds: old pods go once it is available
    )
    shrunk: bool = False  # the stable side lost pods to somebody's write, not to scaling
    workload: str = "Deployment"  # its kind
    ordered: bool = False  # an OrderedReady StatefulSet: it replaces no pod while one is not ready
    strays: tuple[Pod, ...] = ()  # pods of neither side: somebody else's template, let through by a partition
    wish: Wish | None = None
    drain: Drain | None = None  # None: the app tells of no rounds
    consumers: Consumers | None = None  # None: the app consumes nothing that a release has to do with
    fast: bool = False  # rollback --fast: no waiting for drains on the way back
    gated: frozenset[Stage] = frozenset(Stage)  # the stages that have gates at all
    labels_age_seconds: float = math.inf  # since this process last labelled a pod
    gone_age_seconds: float = math.inf  # since this process last saw a pod of either side go
    dying: int = 0  # pods on their way out that the endpoints still name as ready
    deadline_seconds: float = 600.0  # the Deployment's own progressDeadlineSeconds
    verdicts: Mapping[Question, Verdict] = field(default_factory=dict)
    waited: Mapping[str, float] = field(default_factory=dict)
    leaving: int = 0  # pods told to go that a Service sends to until they are gone, unless it is narrowed
    preview_service: PreviewService | None = None  # where the release has one

    @property
    def serving(self) -> int:
        """How many ready pods get traffic from every listed Service."""
        every = len(self.services)
        return sum(pod.endpoints == every for pod in (*self.stable.ready, *self.preview.ready))

    @property
    def shifted(self) -> bool:
        return any(service.pin and service.pin == self.preview.revision for service in self.services)

    @property
    def valve(self) -> bool:
        """Whether any Service asks for the label: then a pod without it is dark."""
        return any(service.valve for service in self.services)


@dataclass(frozen=True, slots=True)
class Begin:
    """Pause the workload and write down the user's settings: nobody's template edit can act from here."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Unpause the Deployment with exactly `stable` old and `preview` new pods, and the preview's template.

    `proportional` states the surge in per cent, which keeps its meaning when somebody scales;
    `open` leaves the user's minReadySeconds in force (the last batch where there is no room to surge).
    """

    stable: int
    preview: int
    phase: Phase = Phase.TRYING
    proportional: bool = False
    open: bool = False


@dataclass(frozen=True, slots=True)
class Lower:
    """Lower a StatefulSet's partition: its controller makes the pods from this ordinal on anew, the highest first."""

    partition: int


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete a pod that gets no new connections, so that its owner makes it anew: from the template it has now."""

    pod: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Pause the held workload, so that nobody's edit acts while we look."""


@dataclass(frozen=True, slots=True)
class Rehold:
    """Put back the hold that somebody's write has changed."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Let one Service select one revision only; an empty revision takes the pin away."""

    service: str
    revision: str


@dataclass(frozen=True, slots=True)
class Show:
    """Let the preview Service select one revision only, and make it where there is none.

    With an empty revision put it back as it was: delete our own, take the pin off the user's.
    """

    service: str
    revision: str


@dataclass(frozen=True, slots=True)
class Valve:
    """Let one Service ask for the label in place of a revision (on), or no more (off)."""

    service: str
    on: bool


@dataclass(frozen=True, slots=True)
class Admit:
    """Label a pod, so that it gets traffic when it is ready; it is no longer first to go."""

    pod: str


@dataclass(frozen=True, slots=True)
class Detach:
    """Take a pod out of the endpoints and mark it as the first to go; it keeps running."""

    pod: str


@dataclass(frozen=True, slots=True)
class Clean:
    """Take our label and mark off a pod."""

    pod: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell a pod to consume events, or to consume no more; what it says afterwards is what counts."""

    pod: str
    consume: bool


@dataclass(frozen=True, slots=True)
class Finish:
    """Put the user's minReadySeconds back while paused: the controller retires the old side at once."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Let Kubernetes itself retire the old side in `seconds`, also when no process of ours lives."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Write down that the release goes back, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Return:
    """The old template with room to surge and none to lose: stable comes back, then the preview goes.

    `held`: the preview stays, for rounds are open on pods of it that serve.
    """

    held: bool = False


@dataclass(frozen=True, slots=True)
class Restore:
    """Put back all settings that are the user's, unpause, and forget: the last write of a release."""

    outcome: Outcome


Action = (
    Begin
    | Hold
    | Lower
    | Discard
    | Pause
    | Rehold
    | Pin
    | Show
    | Valve
    | Admit
    | Detach
    | Clean
    | Tell
    | Finish
    | Arm
    | Turn
    | Return
    | Restore
)


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the gates of a stage; `pods` are those that a pod-wise gate is asked of."""

    question: Question
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until something changes or, when `seconds` is given, that much time has gone.

    `key` names the timer that `Observed.waited` reports from the first time this wait is returned;
    an `unbroken` one starts anew whenever something else was decided in between.
    """

    key: str
    reason: str
    seconds: float | None = None
    unbroken: bool = False


@dataclass(frozen=True, slots=True)
class Stand:
    """Only a person can continue: the process may end, the state stands."""

    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The release is over."""

    outcome: Outcome
    reason: str = ""


Step = Action | Ask | Wait | Stand | End


class Strategy(Protocol):
    """The walk from stable to preview. `decide` is a function of what it is shown and nothing else."""

    def decide(self, seen: Observed) -> Step: ...
