"""The spec file: what is released, how, and which gates it must pass."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, cast

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from deployctl import document, manifest, plugins
from deployctl.autoscaling.policy import Policy
from deployctl.consumes import Consumes
from deployctl.document import Document, Place, Table
from deployctl.errors import Problem, SpecError
from deployctl.flags.values import check_places
from deployctl.gates.credential import Credential, FilePath
from deployctl.gates.fetch import Url, check_url
from deployctl.notify import WHATS, What, check_template
from deployctl.profiles import Profile, gates_of
from deployctl.reading import INVALID, Reader, node, written
from deployctl.shapes import Chosen, default, key, shape
from deployctl.workload import DEPLOYMENT, STATEFUL_SET
from strategies import model
from strategies.analysis import Analysis
from strategies.flags import Moves
from strategies.model import Strategy
from strategies.ordinal import Ordinal
from strategies.quantities import NONE
from strategies.rolling import Rolling

DEFAULT_FILE = "deployctl.yaml"
DNS_LABEL = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
UID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

Label = Annotated[
    str,
    Meta(
        pattern=DNS_LABEL,
        max_length=63,
        extra={"expected": "a DNS-1123 label such as wallet"},
    ),
]
Subdomain = Annotated[
    str,
    Meta(
        pattern=DNS_SUBDOMAIN,
        max_length=253,
        extra={"expected": "a DNS-1123 subdomain such as wallet"},
    ),
]
ClusterId = Annotated[str, Meta(pattern=UID, extra={"expected": "the UID of the namespace kube-system"})]
FileName = Annotated[str, Meta(pattern=r"^[^\x00-\x1f]+$", extra={"expected": "the path of a file"})]
AtLeastOne = Annotated[int, Meta(ge=1)]
HostPattern = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.:*/-]+$",
        extra={"expected": "a host such as prometheus.monitoring.svc, a pattern of them or a network"},
    ),
]
NotNegative = Annotated[int, Meta(ge=0)]


class Metadata(Struct, frozen=True, kw_only=True):
    """The name of the app.

    name: names the release, its record and its lock
    namespace: where everything of it lives; the context's own unless it is given
    cluster: the UID of the namespace kube-system of the only cluster that this file is for
    """

    name: Label
    namespace: Label | None = None
    cluster: ClusterId | None = None


class Workload(Struct, frozen=True, kw_only=True):
    """The Kubernetes objects that are released.

    manifests: files beside this one; what is not in them is taken from the cluster
    deployment: the name of the Deployment, where it is one
    statefulSet: the name of the StatefulSet, where it is one; exactly one of the two is given
    services: every Service that sends traffic to its pods, in the order in which they are shifted
    """

    manifests: Annotated[tuple[FileName, ...], Meta(extra={"unique": ""})] = ()
    deployment: Subdomain | None = None
    stateful_set: Subdomain | None = None
    services: Annotated[tuple[Label, ...], Meta(min_length=1, extra={"unique": ""})]

    def __post_init__(self) -> None:
        if self.deployment and self.stateful_set:
            raise ValueError("statefulSet: given beside deployment; expected one of the two")
        if not (self.deployment or self.stateful_set):
            raise ValueError("neither deployment nor statefulSet is given; expected one of the two")

    @property
    def kind(self) -> str:
        return STATEFUL_SET if self.stateful_set else DEPLOYMENT

    @property
    def name(self) -> str:
        return self.stateful_set or self.deployment or ""


class Rounds(Struct, frozen=True, kw_only=True):
    """Where each pod tells how many rounds are open on it.

    path: of a page that answers with a JSON object
    field: in that object, the number of open rounds
    oldest: in that object, the age of the oldest one in seconds, where it tells
    port: number or name; the targetPort of the first listed Service unless it is given
    """

    path: Annotated[str, Meta(pattern="^/", extra={"expected": "a path that starts with /"})]
    field: str = "open"
    oldest: str = "oldestSeconds"
    port: int | str | None = None


class Drain(Struct, frozen=True, kw_only=True):
    """How pods lose their traffic before they go.

    preStop: sleep of a container that has no preStop of its own; `keep` leaves the template alone
    rounds: where a pod tells how many rounds are open on it; it is not removed before there is none
    timeout: how long that is waited for
    onTimeout: then let a person decide (hold), or remove the pods all the same (proceed)
    """

    pre_stop_seconds: float | Literal["keep"] = 5.0
    rounds: Rounds | None = None
    timeout_seconds: float = 600.0
    on_timeout: Literal["hold", "proceed"] = "hold"

    @property
    def patience(self) -> model.Drain | None:
        """Say to a strategy how long rounds are waited for; None where the app tells of none."""
        return model.Drain(self.timeout_seconds, self.on_timeout == "proceed") if self.rounds else None


class Gate(Struct, frozen=True, kw_only=True):
    """A question, and how often it is asked until the answer stands.

    name: unique in its stage
    interval: from one measurement to the next
    count: how many measurements
    failureLimit: how many of them may fail
    consecutiveErrorLimit: how many may come to no answer, one after the other
    consecutiveSuccessLimit: how many passes one after the other are an early yes; 0 is never
    inconclusiveLimit: how many may be inconclusive; with one more a person decides
    noData: what it means that there is nothing to measure: a failure, no answer, a pass
    minSamples: with fewer observations behind it a measurement is no answer
    maxAge: with older ones neither
    dryRun: measure, tell, and act on nothing of it
    timeout: for one measurement
    initialDelay: before the first one
    """

    name: Label
    interval_seconds: float = 1.0
    count: AtLeastOne = 1
    failure_limit: NotNegative = 0
    consecutive_error_limit: NotNegative = 4
    consecutive_success_limit: NotNegative = 0
    inconclusive_limit: NotNegative = 0
    no_data: Literal["fail", "wait", "pass"] = "wait"
    min_samples: NotNegative = 0
    max_age_seconds: float | None = None
    dry_run: bool = False
    timeout_seconds: float = 5.0
    initial_delay_seconds: float = 0.0
    ask: Annotated[Chosen, Meta(extra={"group": plugins.GATES, "beside": True})]

    def __post_init__(self) -> None:
        if self.failure_limit >= self.count:
            raise ValueError(f"failureLimit: {self.failure_limit} of {self.count}; expected less than count")
        if self.timeout_seconds <= 0:
            raise ValueError("timeout: no time at all; expected a duration above 0s")

    @property
    def analysis(self) -> Analysis:
        """Say how its measurements are folded."""
        return Analysis(
            count=self.count,
            failure_limit=self.failure_limit,
            consecutive_error_limit=self.consecutive_error_limit,
            consecutive_success_limit=self.consecutive_success_limit,
            inconclusive_limit=self.inconclusive_limit,
            no_data=self.no_data,
            min_samples=self.min_samples,
            max_age_seconds=math.inf if self.max_age_seconds is None else self.max_age_seconds,
        )


class Metrics(Struct, frozen=True, kw_only=True):
    """A Prometheus, or what answers as one does; its host is allowed by being named here.

    url: up to the path before /api/v1
    token: sent as a bearer token
    ca: a file of certificates that it is trusted by, instead of the usual
    """

    url: Url
    token: Credential | None = None
    ca: FilePath | None = None

    def __post_init__(self) -> None:
        check_url(self.url)


class Requests(Struct, frozen=True, kw_only=True):
    """Where each pod tells how many requests it has had; exactly one of metric and field is given.

    path: of the page
    metric: a counter of the Prometheus text format on that page, added up over its labels
    field: of the JSON object that the page is
    port: number or name; the targetPort of the first listed Service unless it is given
    """

    path: Annotated[str, Meta(pattern="^/", extra={"expected": "a path that starts with /"})] = "/metrics"
    metric: str | None = None
    field: str | None = None
    port: int | str | None = None

    def __post_init__(self) -> None:
        if bool(self.metric) == bool(self.field):
            raise ValueError("expected exactly one of metric and field")


class FrontDoor(Struct, frozen=True, kw_only=True):
    """A page that is asked as players' clients ask, on new connections, to see which revision answers.

    url: of the page; redirects are not followed
    field: of the JSON object that it answers with, different from one revision to the other
    requests: how many are sent
    """

    url: Url
    field: str
    requests: AtLeastOne = 20

    def __post_init__(self) -> None:
        check_url(self.url)


class Census(Struct, frozen=True, kw_only=True):
    """How `status` sees where the traffic of a release in flight really is.

    requests: each pod's own count; kept connections show there, too
    frontDoor: who answers new connections
    """

    requests: Requests | None = None
    front_door: FrontDoor | None = None


Stage = Annotated[tuple[Gate, ...], Meta(extra={"unique": "name"})]


class Gates(Struct, frozen=True, kw_only=True):
    """What must be answered with yes, and when.

    before: asked of pods without traffic
    during: asked after a batch was let in, before the next one
    after: asked once all traffic has moved
    profile: gates for a kind of service, besides those above; one of the same name and stage stands instead
    without: names of gates of the profile that are left out
    hosts: that gates may ask besides loopback and the pods: names, patterns such as *.igaming.svc, networks
    metrics: the Prometheus of gates that name none
    deadline: for all gates of a stage together, from its first question; a gate without a verdict then said no
    """

    before: Stage = ()
    during: Stage = ()
    after: Stage = ()
    profile: Profile | None = None
    without: Annotated[tuple[Label, ...], Meta(extra={"unique": ""})] = ()
    hosts: Annotated[tuple[HostPattern, ...], Meta(extra={"unique": ""})] = ()
    metrics: Metrics | None = None
    deadline_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.profile:
            self._add(gates_of(self.profile))
        lost = next((one.name for one in self.all if _without_metrics(one, self.metrics)), None)
        if lost:
            raise ValueError(
                f"gate {lost} asks a Prometheus and none is named; expected metrics: {{url: ...}}"
            )

    @property
    def all(self) -> tuple[Gate, ...]:
        return (*self.before, *self.during, *self.after)

    def _add(self, preset: dict[str, Any]) -> None:
        """Add the gates of a profile, before those that the spec names itself."""
        names = {one["name"] for stage in preset.values() for one in stage}
        if strange := set(self.without) - names:
            raise ValueError(f"without: {min(strange)} is none of {', '.join(sorted(names))}")
        for stage, gates in preset.items():
            own: Stage = getattr(self, stage)
            taken = {*self.without, *(one.name for one in own)}
            more = (_gate(one) for one in gates if one["name"] not in taken)
            force_setattr(self, stage, (*more, *own))


def _gate(said: dict[str, Any]) -> Gate:
    """Read a gate as a spec file says it."""
    reader = Reader([])
    found: Gate = reader.read(node(said, Place("profile")), shape(Gate), "")
    if reader.problems:
        raise SpecError(reader.problems)
    return found


def _without_metrics(gate: Gate, metrics: Metrics | None) -> bool:
    return gate.ask.kind == "prometheus" and not gate.ask.options.url and metrics is None


class FlagContext(Struct, frozen=True, kw_only=True):
    """For whom flags are evaluated: their value depends on it.

    key: the targeting key, such as a user's id
    fields: what rules look at besides; ${app}, ${namespace}, and ${stable} and ${preview}, the hashes of the revisions
    """

    key: str = "deployctl"
    fields: dict[str, str] = {}

    def __post_init__(self) -> None:
        check_places(self.fields)


class Flags(Struct, frozen=True, kw_only=True):
    """The app's feature flags.

    provider: where they are kept and evaluated
    context: for whom they are evaluated
    expect: what a flag has to be, at every endpoint, when a stage's gates are asked; what a release sets counts from then on
    before: what a flag is set to before the first gates are asked
    during: flags whose per cent follows the preview's share of the traffic
    after: what a flag is set to once all traffic has moved, before the gates after
    onRollback: what a flag is set to on the way back; one that is not here goes back to what it was
    bake: how long a change is watched before the gates are asked
    bound: how long the traffic's way back waits for the flags, at most
    """

    provider: Annotated[Chosen, Meta(extra={"group": plugins.FLAGS})]
    context: FlagContext = FlagContext()
    expect: dict[str, bool | int | float | str] = {}
    before: dict[str, bool | int | float | str] = {}
    during: dict[str, Literal["follow"]] = {}
    after: dict[str, bool | int | float | str] = {}
    on_rollback: dict[str, bool | int | float | str] = {}
    bake_seconds: float = 0.0
    bound_seconds: float = 2.0

    def __post_init__(self) -> None:
        if both := set(self.during) & {*self.before, *self.after}:
            raise ValueError(f"during: {min(both)} follows the traffic; expected it nowhere else")

    @property
    def moves(self) -> Moves:
        """Say which flags move, and when."""
        return Moves(self.before, tuple(self.during), self.after, self.on_rollback)


class Notify(Struct, frozen=True, kw_only=True):
    """Somebody who is told of the app's releases; who cannot be told holds nothing up.

    name: unique among them
    when: what is told; everything unless it is given
    text: what is said, with places such as ${app}, ${what} and ${reason}; our own words unless it is given
    timeout: for one notice, and at the end for all that are left
    """

    name: Label
    when: Annotated[tuple[What, ...], Meta(min_length=1, extra={"unique": ""})] = WHATS
    text: str = ""
    timeout_seconds: float = 5.0
    to: Annotated[Chosen, Meta(extra={"group": plugins.NOTIFIERS, "beside": True})]

    def __post_init__(self) -> None:
        check_template(self.text)
        if self.timeout_seconds <= 0:
            raise ValueError("timeout: no time at all; expected a duration above 0s")


class Spec(Struct, frozen=True, kw_only=True):
    """What is released and how.

    workload: the Kubernetes objects
    strategy: the one strategy, with its options
    drain: how pods lose their traffic
    gates: what must be answered with yes
    census: where the requests of a release in flight can be counted
    autoscaling: how many pods it has, written by `autoscale apply`
    flags: where feature flags are, and for whom they are evaluated
    consumes: how it takes events, where it does
    notify: who is told of its releases
    """

    workload: Workload
    strategy: Annotated[Chosen, Meta(extra={"group": plugins.STRATEGIES})]
    drain: Drain = Drain()
    gates: Gates = Gates()
    census: Census | None = None
    autoscaling: Policy | None = None
    flags: Flags | None = None
    consumes: Consumes | None = None
    notify: Annotated[tuple[Notify, ...], Meta(extra={"unique": "name"})] | None = None

    def __post_init__(self) -> None:
        if self.workload.stateful_set and self.consumes and self.consumes.told:
            raise ValueError(
                f"consumes: {self.consumes.mode} needs old and new pods side by side, and a StatefulSet has one of each name; expected separateGroup"
            )
        if (lost := self._asks_no_provider()) is not None:
            raise ValueError(
                f"gates: {lost} asks for a flag and no provider is named; expected flags: {{provider: ...}}"
            )
        if self.workload.stateful_set and (why := _not_by_ordinals(self.strategy)):
            raise ValueError(f"strategy: {why}")
        surge = getattr(self.strategy.options, "surge", None)
        if self.drain.rounds and surge == NONE and not self.workload.stateful_set:
            raise ValueError(
                "drain: rounds without a surge leave the app a batch short for as long as they last; expected surge above 0"
            )

    def _asks_no_provider(self) -> str | None:
        asking = (one.name for one in self.gates.all if one.ask.kind == "flag")
        return next(asking, None) if self.flags is None else None

    @property
    def walk(self) -> Strategy:
        """The strategy as the workload has it: rolling takes a StatefulSet by its ordinals."""
        options: Strategy = self.strategy.options
        if self.workload.stateful_set and isinstance(options, Rolling):
            return Ordinal(options.batch, options.surge, options.bake_seconds)
        return options


def _not_by_ordinals(chosen: Chosen) -> str:
    """Say why a StatefulSet cannot be released so; nothing where it can."""
    options = chosen.options
    if not isinstance(options, Rolling):
        return f"{chosen.kind} needs old and new pods side by side, and a StatefulSet has one of each name; expected rolling"
    if options.surge not in (None, NONE):
        return f"surge {options.surge}: a StatefulSet has one pod of each name and no room for more; expected 0, or none"
    return ""


class Header(Struct, frozen=True, kw_only=True):
    """What kind of document this is."""

    api_version: Literal["deployctl.dev/v1alpha1"]
    kind: Literal["App"]


class App(Header, frozen=True, kw_only=True):
    """One app that deployctl releases."""

    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str | None:
        return self.metadata.namespace

    @property
    def shakes_off(self) -> bool:
        """Say whether old pods are restarted so that their connections move."""
        return getattr(self.spec.strategy.options, "shake_off_after_seconds", None) is not None

    @property
    def preview_service(self) -> str:
        """Name the front door of the preview, where its strategy has one."""
        return str(getattr(self.spec.strategy.options, "preview_service", ""))


class Loaded(Struct, frozen=True):
    """The apps of a file with the objects of their manifests, one tuple each, and what may be meant otherwise."""

    apps: tuple[App, ...]
    objects: tuple[tuple[dict[str, Any], ...], ...]
    warnings: tuple[Problem, ...]


def read(path: str | Path, *, stdin: BinaryIO | None = None) -> Loaded:
    """Read a spec file, DIR/deployctl.yaml, or with `-` the standard input; raise SpecError with all problems."""
    file, folder, text = _source(str(path), stdin)
    documents, problems = document.compose(text, file)
    readers = [(one, Reader(problems)) for one in documents]
    apps = [_app(one, reader) for one, reader in readers]
    _names(readers, problems)
    for _, reader in readers:
        reader.problems += _shown_live(reader)
    objects = [tuple(_objects(reader, folder)) for _, reader in readers]
    if problems:
        raise SpecError(sorted(problems, key=lambda one: (one.file != file, one.file, one.line, one.column)))
    return Loaded(tuple(apps), tuple(objects), tuple(w for _, reader in readers for w in _warnings(reader)))


def _source(path: str, stdin: BinaryIO | None) -> tuple[str, Path, str]:
    """Give the name to show, the folder that its manifests are relative to, and the text."""
    if path == "-":
        return "stdin", Path(), document.decode((stdin or sys.stdin.buffer).read(), "stdin")
    file = Path(path) / DEFAULT_FILE if Path(path).is_dir() else Path(path)
    return str(file), file.parent, document.text_of(file)


def _app(one: Document, reader: Reader) -> Any:
    """Read one document as an App; one of another kind is only told so."""
    root = one.root
    if isinstance(root, Table):
        head = {name: pair for name, pair in root.pairs.items() if name in ("apiVersion", "kind")}
        if reader.read(Table(root.place, head), shape(Header), "") is INVALID:
            return INVALID
    return reader.read(root, shape(App), "")


def _names(readers: list[tuple[Document, Reader]], problems: list[Problem]) -> None:
    """Report apps of one name in one namespace."""
    seen: dict[tuple[str, str | None], Place] = {}
    for _, reader in readers:
        place, name = reader.found.get("metadata.name", (None, ""))
        namespace = reader.found.get("metadata.namespace", (None, None))[1]
        if place and (first := seen.setdefault((name, namespace), place)) is not place:
            again = f"{name} again, first at {first.line}:{first.column}"
            problems.append(
                place.problem("metadata.name", f"{again}; expected one app of a name in a namespace")
            )


def _objects(reader: Reader, folder: Path) -> Iterator[dict[str, Any]]:
    """Read the manifests of one app; what is wrong in them joins the reader's problems."""
    for path, (place, name) in list(reader.found.items()):
        if not path.startswith("spec.workload.manifests["):
            continue
        try:
            raw = (folder / name).read_bytes()
        except OSError as error:
            reader.problems.append(
                place.problem(path, f"{folder / name}: {error.strerror}; expected a manifest")
            )
            continue
        try:
            yield from manifest.objects(document.decode(raw, str(folder / name)), str(folder / name))
        except SpecError as error:
            reader.problems += error.problems


def _shown_live(reader: Reader) -> Iterator[Problem]:
    """Report a preview Service that is listed, too: it cannot show the preview and carry the live traffic."""
    where = "spec.strategy.blueGreen.previewService"
    place, name = reader.found.get(where, (None, ""))
    if place and name in reader.found.get("spec.workload.services", (None, ()))[1]:
        yield place.problem(where, f"{name} is in spec.workload.services, too; expected a name of its own")


def _warnings(reader: Reader) -> Iterator[Problem]:
    place, stage = reader.found.get("spec.gates.during", (None, ()))
    if place and stage and reader.found["spec.strategy"][1].kind == "blueGreen":
        yield place.problem(
            "spec.gates.during", "never asked by blueGreen, which shifts once; expected before or after"
        )


def said(gate: Gate) -> str:
    """Write a gate in a line, as a spec file may say it: without its name and what is so by default."""
    plain = Gate(name=gate.name, ask=gate.ask)
    whole, usual = written(gate), written(plain)
    kind = gate.ask.kind
    own = {
        key: value for key, value in whole.items() if key not in (kind, "name") and value != usual.get(key)
    }
    return _flow({kind: lean(gate.ask.options), **own})[1:-1]


def lean(options: Any) -> dict[str, Any]:
    """Write the options of a gate without those that are so by default."""
    cls: Any = type(options)
    own = {key(one.name) for one in shape(cls).fields if getattr(options, one.name) != default(one)}
    return {name: value for name, value in written(options).items() if name in own}


def _flow(value: Any) -> str:
    """Write plain JSON as YAML has it in a line: {path: /healthz, expect: [200, 204]}."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    text = value if isinstance(value, str) else json.dumps(value)
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z/][\w./-]*|[0-9.]+(ms|s|m|h)", text)
    return text if plain or not isinstance(value, str) else json.dumps(text, ensure_ascii=False)


def canonical(app: App) -> dict[str, Any]:
    """Write an app as plain JSON with every default spelled out: what the record in the cluster keeps."""
    whole: dict[str, Any] = written(app)
    return whole


def from_canonical(whole: dict[str, Any], *, source: str = "record") -> App:
    """Read back what `canonical` wrote; raise SpecError where this version cannot."""
    reader = Reader([])
    app = _app(Document(node(whole, Place(source))), reader)
    if reader.problems:
        raise SpecError(reader.problems)
    return cast("App", app)


def digest(app: App, objects: tuple[dict[str, Any], ...]) -> str:
    """Name an app and its manifests by their content (sha256): the same input has the same digest."""
    whole = {"app": canonical(app), "objects": objects}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
