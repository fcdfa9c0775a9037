"""The documents that `status` and `plan` publish with -o json, and what their text is written from."""

from __future__ import annotations

from typing import Literal

import msgspec

from deployctl.errors import DeployctlError


class Shown(msgspec.Struct, frozen=True, rename="camel"):
    """Fields are written in camelCase."""


Outcome = Literal["promoted", "aborted", "rolledBack", "degraded", "endedByHand", "running", "unknown"]


class Word(Shown, frozen=True):
    """Who did what to a release, when, and the reason they gave; `verb` is the command that they ran."""

    verb: str
    by: str
    at: str
    reason: str = ""


class FlagMoved(Shown, frozen=True):
    """A flag that a release has moved, by its record alone: no server was asked.

    `was` is what it was before, `setTo` what it was set to last; `done` says whether that write is known to be made.
    `back` is what the way back made of it.
    """

    key: str
    was: str
    set_to: str
    at: str
    by: str
    done: bool
    back: str = ""


class Revision(Shown, frozen=True):
    """One revision with pods, or of the release. `number` is kubectl's, `created` the time it first came.

    `openRounds` is by the pods' own word while a release is in flight, null where they were not asked or one did not say.
    """

    role: Literal["live", "stable", "preview", "other"]
    number: int
    hash: str
    images: dict[str, str]
    ready: int
    pods: int
    desired: int
    created: str
    trouble: str = ""
    open_rounds: int | None = None
    oldest_round_seconds: float = 0.0


class Traffic(Shown, frozen=True):
    """Ready endpoints of a Service by pod-template-hash; `pin` and `valve` are what is ours in its selector."""

    service: str
    endpoints: dict[str, int]
    pin: str = ""
    valve: bool = False


class Moved(Shown, frozen=True):
    """Where the requests of a release in flight really go, by pod-template-hash, as the spec's census counts them.

    `requestsPerSecond` is by the pods' own counters over one second; `frontDoor` counts answers on new connections,
    under "other" those that no revision says, under "failed" those that were none. `problems` is what was not told.
    """

    requests_per_second: dict[str, float]
    front_door: dict[str, int]
    problems: tuple[str, ...] = ()


class Consuming(Shown, frozen=True):
    """How many pods of one side consume events, and how many do not, by their own word.

    `unknown` counts those that do not say, `unheard` is why the first of them does not; `since` is when the last
    of the others began or stopped, where the app tells.
    """

    role: Literal["stable", "preview"]
    hash: str
    consuming: int
    paused: int
    unknown: int = 0
    unheard: str = ""
    since: str = ""


class Consumers(Shown, frozen=True):
    """How the app's consumers go over, and who consumes now; of separateGroup only `group`, for nobody is asked.

    `awaited` says that the release waits for pods to begin or to stop.
    """

    mode: str
    group: str = ""
    sides: tuple[Consuming, ...] = ()
    awaited: bool = False


class Release(Shown, frozen=True):
    """A release in flight. `moved` is when it last wrote; `holder` the process that lives, if any."""

    id: str
    strategy: str
    phase: str
    stable: str
    preview: str
    by: str
    begun: str
    moved: str
    holder: str = ""
    holder_since: str = ""
    waits_for: str = ""
    wish: str = ""
    why: str = ""
    due: str = ""  # armed: when Kubernetes itself retires the old side
    gates: tuple[str, ...] = ()
    trouble: str = ""
    words: tuple[Word, ...] = ()
    flags: tuple[FlagMoved, ...] = ()
    consumers: Consumers | None = None  # null where the app's spec has no `consumes`


class Last(Shown, frozen=True):
    """The newest release of the record; `outcome` is empty where nobody wrote down how it ended."""

    id: str
    started: str
    ended: str
    outcome: str
    reason: str
    by: str
    images: dict[str, str]
    gates: tuple[str, ...] = ()
    words: tuple[Word, ...] = ()


class Target(Shown, frozen=True):
    """A revision that is there: kubectl's number, which changes when it comes back, and its hash."""

    number: int
    hash: str
    images: dict[str, str]


class Released(Shown, frozen=True):
    """One release of the record. `revision` is what it was for, of a rollback what it went to; `before` the other.

    `digests` are what its pods really ran, by container: several where a tag moved. `reason` says why it ended so,
    `words` what people said. `outcome` is `endedByHand` where nobody wrote down the end and nothing is in flight,
    `unknown` where a newer deployctl wrote it down. `live` and `way_back` mark the newest release of a revision.
    """

    app: str
    namespace: str
    id: str
    outcome: Outcome
    started: str
    ended: str
    duration_seconds: float | None
    by: str
    strategy: str
    revision: str
    before: str
    images: dict[str, str]
    digests: dict[str, tuple[str, ...]]
    reason: str
    words: tuple[Word, ...]
    gates: tuple[str, ...]
    live: bool = False
    way_back: bool = False
    flags: tuple[FlagMoved, ...] = ()


class History(Shown, frozen=True):
    """Everything that `history APP` knows, the newest release first; `way_back` is where `rollback` goes."""

    app: str
    namespace: str
    releases: tuple[Released, ...]
    now: str
    live: Target | None = None
    way_back: Target | None = None
    api_version: str = "deployctl.dev/v1alpha1"
    kind: str = "History"


class Histories(Shown, frozen=True):
    """The releases of several apps, the newest first; no `way_back` is told."""

    items: tuple[Released, ...]
    now: str
    api_version: str = "deployctl.dev/v1alpha1"
    kind: str = "HistoryList"


class Foreign(Shown, frozen=True):
    """Somebody else's write to the Deployment since the release began."""

    manager: str
    at: str
    fields: tuple[str, ...]


class HeldScaler(Shown, frozen=True):
    """An autoscaler that somebody holds: at least at `floor`, until the holder gives it back or `until`.

    `wants` is the size that its metrics ask for within the user's own bounds; null where it has not measured.
    """

    name: str
    floor: int
    holder: str
    since: str = ""
    until: str = ""
    wants: int | None = None


class Status(Shown, frozen=True):
    """Everything that `status APP` knows; `unknown_record` is the format of a record that is not read here."""

    app: str
    namespace: str
    deployment: str
    services: tuple[str, ...]
    replicas: int
    revisions: tuple[Revision, ...]
    traffic: tuple[Traffic, ...]
    now: str
    release: Release | None = None
    workload: str = "Deployment"  # or StatefulSet: `deployment` is its name either way
    last: Last | None = None
    unknown_record: str = ""
    foreign: tuple[Foreign, ...] = ()
    next: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    held: tuple[HeldScaler, ...] = ()
    moved: Moved | None = None  # null unless a release is in flight and the spec has a census
    api_version: str = "deployctl.dev/v1alpha1"
    kind: str = "Status"


class Row(Shown, frozen=True):
    """One app of a list."""

    app: str
    namespace: str
    state: str
    ready: int
    desired: int
    images: dict[str, str]
    since: str
    by: str


class Statuses(Shown, frozen=True):
    items: tuple[Row, ...]
    now: str
    api_version: str = "deployctl.dev/v1alpha1"
    kind: str = "StatusList"


class Change(Shown, frozen=True):
    """One path of the pod template: `old` and `new` as JSON, empty where there is nothing."""

    path: str
    old: str = ""
    new: str = ""
    note: str = ""


class Difference(Shown, frozen=True):
    """The changes from one revision's template to another's."""

    app: str
    namespace: str
    old: Target
    new: Target
    changes: tuple[Change, ...]
    api_version: str = "deployctl.dev/v1alpha1"
    kind: str = "Difference"


class PlannedStep(Shown, frozen=True):
    """One step in words, or several alike; seconds from its beginning to its end."""

    does: str
    writes: dict[str, int]
    expected_seconds: float
    worst_seconds: float
    extra_pods: int


class Span(Shown, frozen=True):
    expected_seconds: float
    worst_seconds: float


class Safety(Shown, frozen=True):
    """How long a bad revision can go unnoticed, and how long the way back takes, before and after it has traffic."""

    detect_before: Span
    detect_after: Span
    back_before: Span
    back_after: Span


class Problem(Shown, frozen=True):
    """What would stop the release now, with the exit code it would end with."""

    message: str
    advice: str
    exit_code: int

    @classmethod
    def of(cls, error: DeployctlError) -> Problem:
        return cls(str(error), error.advice, error.exit_code)


class InFlight(Shown, frozen=True):
    id: str
    phase: str
    by: str
    begun: str
    same_template: bool


class Saved(Shown, frozen=True):
    """Where a plan was written, and how to carry it out."""

    file: str
    digest: str
    expires: str
    next: str


class PlannedGate(Shown, frozen=True):
    """One gate as it will be asked; `says` is what the spec, or its profile, says of it, without the defaults."""

    stage: str
    name: str
    says: str
    expected_seconds: float
    worst_seconds: float


class Plan(Shown, frozen=True):
    """Everything that `plan` says; `saved` only with --out."""

    app: str
    namespace: str
    context: str
    strategy: str
    replicas: int
    changes: tuple[Change, ...]
    not_released: tuple[str, ...]
    steps: tuple[PlannedStep, ...] = ()
    total: Span = Span(0.0, 0.0)
    waits_for_a_person: bool = False
    peak_extra_pods: int = 0
    writes: dict[str, int] = msgspec.field(default_factory=dict)
    safety: Safety | None = None
    ends_hold: tuple[str, ...] = ()
    autoscaling: tuple[str, ...] = ()  # what is held for the release, and put back
    warnings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    in_flight: InFlight | None = None
    saved: Saved | None = None
    workload: str = "Deployment"
    gates: tuple[PlannedGate, ...] = ()
    profile: str = ""
    flags_back: tuple[str, ...] = ()  # what the way back does to the flags, before the traffic
    consumers: tuple[str, ...] = ()  # who consumes events, and when
    room: str = ""  # what is not known of the room for the extra pods
    fit: str = ""  # what --fit has made smaller, and why
    api_version: str = "deployctl.dev/v1alpha1"
    kind: str = "Plan"
