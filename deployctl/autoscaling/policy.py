"""`spec.autoscaling`: between how many pods an app runs, what they are counted by, how fast, and what may be evicted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from deployctl.autoscaling.peak import Floor, Peak, Step, check_step
from deployctl.gates.credential import FilePath
from deployctl.gates.fetch import check_url, shown
from strategies.quantities import Amount

QUANTITY = r"([0-9]+(\.[0-9]+)?|\.[0-9]+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?"
LONGEST_AHEAD = 366 * 86400.0
LONGEST_WINDOW, LONGEST_PERIOD = 3600.0, 1800.0  # of autoscaling/v2

Quantity = Annotated[
    str, Meta(pattern=f"^{QUANTITY}$", extra={"expected": "a quantity of Kubernetes such as 500m or 64Mi"})
]
Target = Annotated[
    str,
    Meta(
        pattern=f"^([1-9][0-9]*%|{QUANTITY})$",
        extra={"expected": "a percentage of what is requested such as 60%, or a quantity a pod such as 500m"},
    ),
]
SafeUrl = Annotated[str, Meta(pattern="^https://[^/]", extra={"expected": "a URL that starts with https://"})]
Text = Annotated[str, Meta(min_length=1, extra={"expected": "text"})]
Labels = dict[str, str]
AtLeastOne = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]


class PodsMetric(Struct, frozen=True, kw_only=True):
    """A number that each pod has of its own (custom.metrics.k8s.io).

    metric: its name
    average: over the pods
    selector: labels of the metric
    """

    metric: Text
    average: Quantity
    selector: Labels = {}


class ObjectMetric(Struct, frozen=True, kw_only=True):
    """A number that one object of the namespace has; exactly one of value and average is given.

    metric: its name
    kind: of the object, such as Ingress
    name: of the object
    apiVersion: of the object
    value: that it is kept at
    average: that its share of one pod is kept at
    selector: labels of the metric
    """

    metric: Text
    kind: Text
    name: Text
    api_version: Text = "v1"
    value: Quantity | None = None
    average: Quantity | None = None
    selector: Labels = {}

    def __post_init__(self) -> None:
        _one_of(self, "value", "average")


class ExternalMetric(Struct, frozen=True, kw_only=True):
    """A number of something outside the cluster (external.metrics.k8s.io); one of value and average is given.

    metric: its name
    value: that it is kept at; while a release runs with both sides, `average` is the one that stays right
    average: that its share of one pod is kept at
    selector: labels of the metric
    """

    metric: Text
    value: Quantity | None = None
    average: Quantity | None = None
    selector: Labels = {}

    def __post_init__(self) -> None:
        _one_of(self, "value", "average")


class ContainerMetric(Struct, frozen=True, kw_only=True):
    """What one container uses, without its sidecars; exactly one of cpu and memory is given.

    name: of the container
    cpu: of what it requests, or a quantity a pod
    memory: of what it requests, or a quantity a pod
    """

    name: Text
    cpu: Target | None = None
    memory: Target | None = None

    def __post_init__(self) -> None:
        _one_of(self, "cpu", "memory")


class Metric(Struct, frozen=True, kw_only=True):
    """One number more that pods are counted by; exactly one of these.

    pods: of each pod
    object: of one object of the namespace
    external: of something outside the cluster
    container: of one container of each pod
    """

    pods: PodsMetric | None = None
    object: ObjectMetric | None = None
    external: ExternalMetric | None = None
    container: ContainerMetric | None = None

    def __post_init__(self) -> None:
        _one_of(self, "pods", "object", "external", "container")


class Rule(Struct, frozen=True, kw_only=True):
    """How much may change in a while; exactly one of percent and pods is given.

    percent: of the pods that there are
    pods: that many
    every: in which while, at most 30m
    """

    percent: AtLeastOne | None = None
    pods: AtLeastOne | None = None
    every_seconds: float

    def __post_init__(self) -> None:
        _one_of(self, "percent", "pods")
        _whole("every", self.every_seconds, 1.0, LONGEST_PERIOD)


class Side(Struct, frozen=True, kw_only=True):
    """How fast the number of pods changes one way.

    window: how long the wish has to stand, at most 1h
    select: of several policies the one that changes most or least; or never this way
    policies: the limits
    """

    window_seconds: float | None = None
    select: Literal["max", "min", "disabled"] = "max"
    policies: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        if self.window_seconds is not None:
            _whole("window", self.window_seconds, 0.0, LONGEST_WINDOW)


class Behavior(Struct, frozen=True, kw_only=True):
    """How fast the number of pods changes; what is not said is as Kubernetes has it.

    up: to more pods
    down: to fewer
    """

    up: Side = Side()
    down: Side = Side()


class Kafka(Struct, frozen=True, kw_only=True):
    """How far a consumer group lags.

    brokers: as host:port, several with commas
    group: of the consumers
    topic: that they read; without one, all that the group reads
    lag: of one pod
    """

    brokers: Text
    group: Text
    topic: Text | None = None
    lag: AtLeastOne = 10


class RabbitMQ(Struct, frozen=True, kw_only=True):
    """How long a queue is, or how fast it grows; one of length and rate is given.

    queue: its name
    hostFromEnv: the environment variable of the pods that has the address with its password
    length: messages a pod
    rate: messages a second and pod
    """

    queue: Text
    host_from_env: Text | None = None
    length: AtLeastOne | None = None
    rate: AtLeastOne | None = None

    def __post_init__(self) -> None:
        _one_of(self, "length", "rate")


class Query(Struct, frozen=True, kw_only=True):
    """What a Prometheus answers.

    url: of the Prometheus, as the operator of KEDA reaches it
    query: one number
    threshold: of it, what one pod takes
    """

    url: Text
    query: Text
    threshold: Quantity


class Cron(Struct, frozen=True, kw_only=True):
    """A floor at hours that repeat; for one that has a date there are `peaks`.

    timezone: such as Europe/Malta
    start: as cron has it, such as 0 17 * * 6
    end: likewise
    replicas: the floor between the two
    """

    timezone: Text
    start: Text
    end: Text
    replicas: AtLeastOne

    def __post_init__(self) -> None:
        _known_zone(self.timezone)
        for name in ("start", "end"):
            if len(getattr(self, name).split()) != 5:
                raise ValueError(f"{name}: {getattr(self, name)}; expected five fields such as 0 17 * * 6")
        if self.start == self.end:
            raise ValueError("end: the same as start; expected another moment")


class Trigger(Struct, frozen=True, kw_only=True):
    """What KEDA counts pods by; exactly one of kafka, rabbitmq, prometheus and cron is given.

    kafka: the lag of a consumer group
    rabbitmq: a queue
    prometheus: a query
    cron: hours that repeat
    authentication: the TriggerAuthentication of the namespace that it needs
    """

    kafka: Kafka | None = None
    rabbitmq: RabbitMQ | None = None
    prometheus: Query | None = None
    cron: Cron | None = None
    authentication: Text | None = None

    def __post_init__(self) -> None:
        _one_of(self, "kafka", "rabbitmq", "prometheus", "cron")


class Budget(Struct, frozen=True, kw_only=True):
    """How many pods an eviction leaves (PodDisruptionBudget); exactly one of the two.

    minAvailable: so many stay
    maxUnavailable: so many may be away at once
    """

    min_available: Amount | None = None
    max_unavailable: Amount | None = None

    def __post_init__(self) -> None:
        _one_of(self, "min_available", "max_unavailable")


class Calendar(Struct, frozen=True, kw_only=True):
    """Events that several apps share; exactly one of file and url is given.

    file: beside this one; iCalendar where its name ends in .ics, else YAML
    url: of an iCalendar
    ca: a file of certificates that its server is trusted by, instead of the usual
    jurisdictions: only events of these, and those that are of none in particular
    ahead: how far into the future its events are taken, at most a year
    floor: of events that say none
    before: of events that say none
    after: of events that say none
    step: of events that say none
    every: of events that say none
    """

    file: FilePath | None = None
    url: SafeUrl | None = None
    ca: FilePath | None = None
    jurisdictions: Annotated[tuple[Text, ...], Meta(extra={"unique": ""})] = ()
    ahead_seconds: float = 720 * 3600.0
    floor: Floor | None = None
    before_seconds: float | None = None
    after_seconds: float | None = None
    step: Step | None = None
    every_seconds: float | None = None

    def __post_init__(self) -> None:
        _one_of(self, "file", "url")
        check_url(self.url)
        if not 0 < self.ahead_seconds <= LONGEST_AHEAD:
            raise ValueError(f"ahead: {self.ahead_seconds:g}s; expected more than 0s and at most 8784h")
        if self.step or self.every_seconds is not None:
            every = 1.0 if self.every_seconds is None else self.every_seconds
            check_step(self.step or Amount(1), every)

    @property
    def where(self) -> str:
        return self.file or shown(self.url or "")


class Policy(Struct, frozen=True, kw_only=True):
    """How many pods the app has, written by `autoscale apply` as native objects.

    min: the fewest; 0 only with KEDA
    max: the most
    cpu: of what the pods request, or a quantity a pod
    memory: likewise
    metrics: what else pods are counted by; the highest wish counts
    behavior: how fast
    keda: what KEDA counts pods by; then a ScaledObject is written instead of a HorizontalPodAutoscaler
    pdb: how many pods an eviction leaves
    peaks: floors for events with a date
    calendars: where more of them are
    """

    min: NotNegative
    max: AtLeastOne
    cpu: Target | None = None
    memory: Target | None = None
    metrics: tuple[Metric, ...] = ()
    behavior: Behavior | None = None
    keda: tuple[Trigger, ...] = ()
    pdb: Budget | None = None
    peaks: Annotated[tuple[Peak, ...], Meta(extra={"unique": "name"})] = ()
    calendars: tuple[Calendar, ...] = ()

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError(f"min: {self.min} is over max {self.max}; expected at most {self.max}")
        if self.min == 0 and not self.keda:
            raise ValueError(
                "min: 0 needs KEDA, for a HorizontalPodAutoscaler starts at 1; expected at least 1"
            )
        if self.metrics and self.keda:
            raise ValueError(
                "metrics: given beside keda; expected triggers of KEDA alone, besides cpu and memory"
            )
        if not (self.cpu or self.memory or self.metrics or self.keda):
            raise ValueError("nothing to count pods by; expected one of cpu, memory, metrics, keda")
        self._floors()

    def _floors(self) -> None:
        for one in self.peaks:
            if one.count and one.count > self.max:
                raise ValueError(
                    f"peaks: floor {one.count} of {one.name} is over max {self.max}; expected at most {self.max}"
                )
        if self.pdb and self.pdb.min_available and self.pdb.min_available == Amount(100, percent=True):
            raise ValueError("pdb: minAvailable 100% lets no node be drained; expected less")


def _one_of(value: Any, *names: str) -> None:
    """Raise unless exactly one of these fields is given."""
    given = [one for one in names if getattr(value, one) is not None]
    if len(given) != 1:
        said = " and ".join(map(_key, given)) or "none"
        raise ValueError(f"{said} given; expected exactly one of {', '.join(map(_key, names))}")


def _key(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(map(str.capitalize, more))


def _whole(name: str, seconds: float, least: float, most: float) -> None:
    """Raise unless Kubernetes can keep it: in whole seconds, within its bounds."""
    if seconds % 1 or not least <= seconds <= most:
        raise ValueError(f"{name}: {seconds:g}s; expected whole seconds from {least:g}s to {most:g}s")


def _known_zone(name: str) -> None:
    from deployctl.autoscaling.peak import zone

    try:
        zone(name)
    except ValueError as error:
        raise ValueError(f"timezone: {error}") from error
