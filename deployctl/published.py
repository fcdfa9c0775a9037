"""The documents that `status` and `plan` publish with -o json, and what their text is written from."""

from __future__ import annotations

from typing import Literal

import msgspec

from deployctl.errors import DeployctlError


class Shown(msgspec.Struct, frozen=True, rename="camel"):
    """Fields are written in camelCase."""


class Revision(Shown, frozen=True):
    """One revision with pods, or of the release. `number` is kubectl's, `created` the time it first came."""

    role: Literal["live", "stable", "preview", "other"]
    number: int
    hash: str
    images: dict[str, str]
    ready: int
    pods: int
    desired: int
    created: str
    trouble: str = ""


class Traffic(Shown, frozen=True):
    """Ready endpoints of a Service by pod-template-hash; `pin` and `valve` are what is ours in its selector."""

    service: str
    endpoints: dict[str, int]
    pin: str = ""
    valve: bool = False


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


class Foreign(Shown, frozen=True):
    """Somebody else's write to the Deployment since the release began."""

    manager: str
    at: str
    fields: tuple[str, ...]


class Status(Shown, frozen=True):
    """Everything that `status APP` knows."""

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
    foreign: tuple[Foreign, ...] = ()
    next: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
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
    warnings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    in_flight: InFlight | None = None
    saved: Saved | None = None
    workload: str = "Deployment"
    api_version: str = "deployctl.dev/v1alpha1"
    kind: str = "Plan"
