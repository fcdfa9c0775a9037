"""Turn one look at the cluster into the facts that a strategy decides on. Pure: raw objects in, `Observed` out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deployctl.consumers import Word
from deployctl.memory import (
    COST,
    DETACHED_COST,
    FIELD_MANAGER,
    HELD_SECONDS,
    LABEL,
    NO_DEADLINE,
    PREVIEW_OF,
    Memory,
    Settings,
    annotation,
    load,
    newest,
    recalled,
    rolling_update,
)
from deployctl.ranked import ranked
from deployctl.template import digest, lingers
from deployctl.workload import (
    HASH,
    REVISION_HASH,
    hash_in,
    hash_of,
    kind_of,
    ordered,
    ordinal,
    stateful,
    template_in,
)
from strategies.model import (
    Consumers,
    Drain,
    Observed,
    Phase,
    Pod,
    PreviewService,
    Question,
    Service,
    Side,
    Stage,
    Template,
    Verdict,
    Wish,
)
from strategies.quantities import Amount
from strategies.steps import SPREAD_SECONDS

Json = dict[str, Any]

STUCK = {  # a container that waits for one of these will not come up by waiting longer
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
}
RETURNING_STRATEGY = rolling_update(0, "100%")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The raw objects of one look; `services` are the listed ones in the spec's order, `others` those not listed.

    `deployment` may be a StatefulSet: then `replica_sets` are its ControllerRevisions.
    `known` is what the looking process itself wrote last, for where somebody took it off the Deployment.
    """

    deployment: Json
    replica_sets: tuple[Json, ...]
    pods: tuple[Json, ...]
    services: tuple[Json, ...]
    slices: tuple[Json, ...]
    known: Memory | None = None
    others: tuple[Json, ...] = ()
    scalers: tuple[Json, ...] = ()  # what scales the workload

    @property
    def memory(self) -> Memory | None:
        return newest((self.known, recalled(self.deployment, (*self.services, *self.replica_sets))))

    def other(self, name: str) -> Json | None:
        """Find a Service that is not listed."""
        return next((one for one in self.others if one["metadata"]["name"] == name), None)


@dataclass(frozen=True, slots=True)
class Open:
    """How many rounds are open on a pod, by its own word; None where it has not said, and why."""

    count: int | None = None
    oldest_seconds: float = 0.0
    mute: str = ""


@dataclass(frozen=True, slots=True)
class Witness:
    """What this process has seen happen and no object shows."""

    verdicts: Mapping[Question, Verdict] = field(default_factory=dict)
    waited: Mapping[str, float] = field(default_factory=dict)
    labels_age_seconds: float = math.inf
    gone_age_seconds: float = math.inf
    wish: Wish | None = None
    drain: Drain | None = None
    rounds: Mapping[str, Open] = field(default_factory=dict)  # by the pod's UID
    consumers: Consumers | None = None
    words: Mapping[str, Word] = field(default_factory=dict)  # whether a pod consumes, by its UID
    fast: bool = False
    reheld: bool = False  # somebody wrote over the hold and we put it back
    gated: frozenset[Stage] = frozenset()


def observe(look: Snapshot, stable: str, preview: str, witness: Witness) -> Observed:
    """State the facts of one look; `stable` and `preview` are digests of pod templates."""
    memory, spec = look.memory, look.deployment["spec"]
    rounds = None if witness.drain is None else witness.rounds
    words = None if witness.consumers is None else witness.words
    sides = _connected(side(look, stable, rounds, words), look, preview), side(look, preview, rounds, words)
    template, settings = _template(spec["template"], stable, preview), Settings.of(look.deployment)
    whole = Observed(
        replicas=spec.get("replicas", 1),
        stable=sides[0],
        preview=sides[1],
        services=tuple(_service(one, replica_set(look.replica_sets, preview)) for one in look.services),
        leaving=_leaving(look),
        preview_service=_preview_service(look, memory),
        phase=Phase(memory.phase) if memory else None,
        template=template,
        settled=settled(look.deployment) and not _miscounted(look, memory, stable),
        paused=settings.paused,
        partitioned=_partitioned(look.deployment, memory, *sides),
        returned=_returned(look.deployment, memory, stable),
        recalled=_returned(look.deployment, memory, stable, held=True),
        tampered=_tampered(look.deployment, memory),
        retiring=template is Template.PREVIEW and settings.min_ready_seconds < HELD_SECONDS,
        shrunk=witness.reheld and _shrunk(look.deployment, memory, sides[0]),
        workload=kind_of(look.deployment),
        ordered=ordered(look.deployment),
        strays=_strays(look, *sides),
        wish=witness.wish,
        drain=witness.drain,
        consumers=witness.consumers,
        fast=witness.fast,
        gated=witness.gated,
        labels_age_seconds=witness.labels_age_seconds,
        gone_age_seconds=witness.gone_age_seconds,
        dying=_dying(look),
        deadline_seconds=_deadline(memory),
        verdicts=witness.verdicts,
        waited=witness.waited,
    )
    return ranked(whole, look.deployment) if stateful(look.deployment) else whole


def _connected(stable: Side, look: Snapshot, preview: str) -> Side:
    """Mark the pods of stable that were born before the last Service moved: connections stay where they were made."""
    owner = replica_set(look.replica_sets, preview)
    shifted = _shifted_at(look, hash_of(owner)) if owner else ""
    born = {one["metadata"]["name"]: one["metadata"].get("creationTimestamp") or "" for one in look.pods}
    pods = tuple(replace(pod, connected=born[pod.name] <= shifted) for pod in stable.pods)
    return replace(stable, pods=pods)


def _shifted_at(look: Snapshot, revision: str) -> str:
    """Tell when we last wrote to a Service that is pinned to a revision, by the API server's own clock.

    That may be later than the shift: whoever takes a release over marks its Services. Idle pods are taken for
    connected then, and restarted once more.
    """
    moved = (one for one in look.services if (one["spec"].get("selector") or {}).get(HASH) == revision)
    entries = (entry for one in moved for entry in one["metadata"].get("managedFields") or [])
    return max((entry.get("time", "") for entry in entries if entry["manager"] == FIELD_MANAGER), default="")


def _strays(look: Snapshot, stable: Side, preview: Side) -> tuple[Pod, ...]:
    """State the live pods that are the workload's own and of neither side: only a StatefulSet's are."""
    known, behind = {pod.name for pod in (*stable.pods, *preview.pods)}, _behind(look)
    mine = (one for one in look.pods if owned_by(one, look.deployment) and live(one))
    return tuple(_pod(one, behind, None, None) for one in mine if one["metadata"]["name"] not in known)


def settled(deployment: Json) -> bool:
    """Say whether the Deployment controller has seen the newest spec."""
    seen: int = deployment.get("status", {}).get("observedGeneration", 0)
    return seen >= int(deployment["metadata"]["generation"])


def _template(template: Json, stable: str, preview: str) -> Template:
    found = digest(template)
    return {preview: Template.PREVIEW, stable: Template.STABLE}.get(found, Template.FOREIGN)


def _service(service: Json, preview: Json | None) -> Service:
    selector = service["spec"].get("selector") or {}
    blind = preview is not None and not selects(service, template_in(preview))
    return Service(service["metadata"]["name"], selector.get(HASH, ""), LABEL in selector, blind)


def selects(service: Json, template: Json) -> bool:
    """Say whether the pods of a template have the labels that a Service asks for, what is ours aside."""
    labels = template["metadata"].get("labels") or {}
    asked = (service["spec"].get("selector") or {}).items()
    return all(labels.get(key) == value for key, value in asked if key not in (HASH, LABEL))


def _preview_service(look: Snapshot, memory: Memory | None) -> PreviewService | None:
    if memory is None or not memory.preview_service:
        return None
    name = memory.preview_service
    there = look.other(name)
    if there is None:
        return PreviewService(name)
    return PreviewService(
        name, _service(there, None).pin, ours=made(there, memory.app) or bool(annotation(there))
    )


def _leaving(look: Snapshot) -> int:
    """Count the pods that are going, where a listed Service publishes them for as long as they are there.

    With publishNotReadyAddresses an endpoint is ready whatever its pod is, terminating ones included.
    """
    if not any(one["spec"].get("publishNotReadyAddresses") for one in look.services):
        return 0
    return sum("deletionTimestamp" in one["metadata"] for one in look.pods)


def made(service: Json, app: str) -> bool:
    """Say whether a Service is one that we made to show the preview of an app."""
    labels: Json = service["metadata"].get("labels") or {}
    return bool(labels.get(PREVIEW_OF) == app)


def _deadline(memory: Memory | None) -> float:
    return float(memory.own.progress_deadline_seconds) if memory else 600.0


def _numbers(settings: Settings, replicas: int) -> tuple[int, int]:
    """Resolve maxUnavailable (rounded down) and maxSurge (rounded up) to numbers of pods."""
    rolling = settings.strategy.get("rollingUpdate") or {}
    unavailable, surge = (
        Amount.parse(str(rolling.get(key, "25%"))) for key in ("maxUnavailable", "maxSurge")
    )
    down = replicas * unavailable.value // 100 if unavailable.percent else unavailable.value
    return min(down, replicas), surge.of(replicas) if surge.percent else surge.value


def _partitioned(deployment: Json, memory: Memory | None, stable: Side, preview: Side) -> bool:
    """Say whether both sides have the sizes that the hold in the Deployment leads to."""
    settings, replicas = Settings.of(deployment), deployment["spec"].get("replicas", 1)
    unavailable, surge = _numbers(settings, replicas)
    if memory and settings.min_ready_seconds == memory.own.min_ready_seconds:
        return settled(deployment) and stable.gone and preview.desired >= replicas
    there = len(stable.pods) == stable.desired and len(preview.pods) == preview.desired
    sizes = stable.desired <= replicas - unavailable and preview.desired >= min(replicas, unavailable + surge)
    return settled(deployment) and there and sizes


def _returned(deployment: Json, memory: Memory | None, stable: str, *, held: bool = False) -> bool:
    if memory is None or memory.phase != Phase.RETURNING.value:
        return False
    there = Settings.of(deployment) == way_back(memory.own, held=held)
    return there and digest(deployment["spec"]["template"]) == stable


def counted_available(look: Snapshot, stable: str) -> int:
    """Count the pods of stable that its ReplicaSet still takes as available."""
    owner = replica_set(look.replica_sets, stable)
    return int((owner or {}).get("status", {}).get("availableReplicas", 0))


def _miscounted(look: Snapshot, memory: Memory | None, stable: str) -> bool:
    """Say whether stable, to come back beside a preview that stays, still counts old pods as available.

    Its ReplicaSet hears of the hold later than the controller, which would retire a preview pod for each of them.
    """
    if memory is None or memory.phase != Phase.RETURNING.value or stateful(look.deployment):
        return False
    now, there = Settings.of(look.deployment), digest(look.deployment["spec"]["template"]) == stable
    return (
        there and now.paused and now.min_ready_seconds >= HELD_SECONDS and counted_available(look, stable) > 0
    )


def way_back(own: Settings, *, held: bool) -> Settings:
    """Give the settings under which stable comes back: beside a preview that goes as it comes or, held, that stays."""
    if held:
        return Settings(HELD_SECONDS, NO_DEADLINE, RETURNING_STRATEGY)
    return Settings(own.min_ready_seconds, own.progress_deadline_seconds, RETURNING_STRATEGY)


def _tampered(deployment: Json, memory: Memory | None) -> bool:
    """Say whether somebody wrote over the hold or its memory, or over the template that the controller acts on."""
    if memory is None or memory.wrote is None:
        return False
    if load(annotation(deployment)) != memory:
        return True
    acting = not memory.wrote.paused and memory.phase in {Phase.TRYING.value, Phase.PROMOTING.value}
    other = digest(deployment["spec"]["template"]) != memory.preview
    return memory.wrote != Settings.of(deployment) or (acting and other)


def _shrunk(deployment: Json, memory: Memory | None, stable: Side) -> bool:
    """Say whether the stable side is smaller than our last hold leaves it at an unchanged size."""
    replicas = deployment["spec"].get("replicas", 1)
    if memory is None or memory.wrote is None or memory.replicas != replicas:
        return False
    held = memory.phase == Phase.TRYING.value and memory.wrote.min_ready_seconds >= HELD_SECONDS
    return held and stable.desired < replicas - _numbers(memory.wrote, replicas)[0]


def replica_set(replica_sets: Iterable[Json], template: str) -> Json | None:
    """Find the ReplicaSet of a template; of several (a hash collision) the newest."""
    found = [one for one in replica_sets if digest(template_in(one)) == template]
    return max(found, key=revision, default=None)


def revision(replica_set: Json) -> int:
    """Read kubectl's revision number."""
    kept = (replica_set["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision", 0)
    return int(replica_set.get("revision", kept))


def side(
    look: Snapshot,
    template: str,
    rounds: Mapping[str, Open] | None = None,
    words: Mapping[str, Word] | None = None,
) -> Side:
    """State one revision: its ReplicaSet, its live pods with the rounds and consumers on them, its trouble."""
    owner = replica_set(look.replica_sets, template)
    if owner is None:
        return Side("", trouble="")
    pods = [one for one in pods_of(owner, look) if live(one)]
    behind = _behind(look)
    return Side(
        revision=hash_of(owner),
        desired=owner.get("spec", {}).get("replicas", 0),
        pods=tuple(_pod(one, behind, rounds, words) for one in sorted(pods, key=_age)),
        trouble=_refused(owner) or next((why for one in pods if (why := stuck(one))), ""),
        lingers=lingers(template_in(owner), SPREAD_SECONDS),
        ending=()
        if words is None
        else tuple(_pod(one, behind, rounds, words) for one in ending(owner, look)),
    )


def ending(owner: Json, look: Snapshot) -> list[Json]:
    """List the pods of a revision that were told to go and whose processes may still run."""
    return [
        one
        for one in pods_of(owner, look)
        if not live(one) and one.get("status", {}).get("phase") not in {"Succeeded", "Failed"}
    ]


def holders(look: Snapshot, template: str) -> list[Json]:
    """List the pods of a revision that may consume: the live ones, and those whose processes may still run."""
    owner = replica_set(look.replica_sets, template)
    return [*filter(live, pods_of(owner, look)), *ending(owner, look)] if owner else []


def pods_of(owner: Json, look: Snapshot) -> list[Json]:
    """List the pods of a revision: a ReplicaSet owns them, of a ControllerRevision they carry the name."""
    if "data" not in owner:
        return [one for one in look.pods if owned_by(one, owner)]
    mine = (one for one in look.pods if owned_by(one, look.deployment))
    return [one for one in mine if hash_in(one["metadata"].get("labels") or {}) == hash_of(owner)]


def image_ids(look: Snapshot, template: str) -> dict[str, set[str]]:
    """Name the image digests that the pods of a template really run, by container; several where a tag moved."""
    owner = replica_set(look.replica_sets, template)
    found: dict[str, set[str]] = {}
    for pod in pods_of(owner, look) if owner else ():
        for name, one in _image_ids(pod):
            found.setdefault(name, set()).add(one)
    return found


def _image_ids(pod: Json) -> Iterator[tuple[str, str]]:
    """Read `docker-pullable://shop/wallet@sha256:1f..` as `sha256:1f..`; of an image that has no digest, its id."""
    for one in pod.get("status", {}).get("containerStatuses") or []:
        digest_ = one.get("imageID", "").rpartition("@")[2].rpartition("://")[2]
        if digest_:
            yield one["name"], digest_


def _dying(look: Snapshot) -> int:
    """Count the pods that go and that the endpoints still name: the slices follow a second or more behind at times."""
    named = _behind(look)
    return sum(named[one["metadata"]["name"]] > 0 for one in look.pods if not live(one))


def _age(pod: Json) -> tuple[str, str]:
    return pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]


def owned_by(one: Json, owner: Json) -> bool:
    return any(ref["uid"] == owner["metadata"]["uid"] for ref in one["metadata"].get("ownerReferences") or [])


def live(pod: Json) -> bool:
    ended = pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
    return not ended and "deletionTimestamp" not in pod["metadata"]


def dark(pods: Iterable[Json], look: Snapshot) -> frozenset[str]:
    """Name, by their UIDs, the pods that no listed Service sends new connections to."""
    behind = _behind(look)
    return frozenset(one["metadata"]["uid"] for one in pods if not behind[one["metadata"]["name"]])


def _behind(look: Snapshot) -> Counter[str]:
    """Count for each pod the listed Services that send it new connections; several slices of one count once."""
    listed = {one["metadata"]["name"] for one in look.services}
    mine = (one for one in look.slices if _of_service(one) in listed)
    pairs = {(_of_service(one), name) for one in mine for name in ready_endpoints(one)}
    return Counter(name for _, name in pairs)


def _pod(
    pod: Json,
    behind: Counter[str],
    rounds: Mapping[str, Open] | None,
    words: Mapping[str, Word] | None,
) -> Pod:
    meta = pod["metadata"]
    ranked_ = REVISION_HASH in (meta.get("labels") or {})
    told = Open(0) if rounds is None else rounds.get(meta["uid"], Open())
    word = Word(consumes=False) if words is None else words.get(meta["uid"], Word())
    return Pod(
        name=meta["name"],
        ready=ready(pod),
        labelled=LABEL in (meta.get("labels") or {}),
        detached=(meta.get("annotations") or {}).get(COST) == DETACHED_COST,
        endpoints=behind[meta["name"]],
        ordinal=ordinal(meta["name"]) if ranked_ else 0,
        uid=meta["uid"] if ranked_ else "",
        rounds=told.count,
        oldest_seconds=told.oldest_seconds,
        mute=told.mute,
        consumes=word.consumes,
        unheard=word.unheard,
        late_seconds=word.late_seconds,
    )


def ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _of_service(endpoint_slice: Json) -> str:
    return str(endpoint_slice["metadata"]["labels"]["kubernetes.io/service-name"])


def ready_endpoints(endpoint_slice: Json) -> frozenset[str]:
    """Name the pods that this slice sends new connections to."""
    return frozenset(
        one["targetRef"]["name"]
        for one in endpoint_slice.get("endpoints") or []
        if (one.get("conditions") or {}).get("ready") is not False
        and one.get("targetRef", {}).get("kind") == "Pod"
    )


def _refused(owner: Json) -> str:
    """Tell why the ReplicaSet cannot make its pods: quota, admission, limits."""
    conditions = owner.get("status", {}).get("conditions") or []
    return next(
        (
            one.get("message", "")
            for one in conditions
            if one["type"] == "ReplicaFailure" and one["status"] == "True"
        ),
        "",
    )


def stuck(pod: Json) -> str:
    """Tell why a pod will not become ready however long one waits, or nothing."""
    status = pod.get("status", {})
    for one in (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])):
        waiting = one.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in STUCK:
            detail = (waiting.get("message") or "").strip()
            return f"{pod['metadata']['name']}: {one['name']}: {waiting['reason']}" + (
                f": {detail}" if detail else ""
            )
    return ""


def unplaced(pods: Iterable[Json]) -> str:
    """Tell how many pods no node takes, in the scheduler's words. It turns nothing round: a node more may mend it."""
    said = [why for one in pods if (why := _unschedulable(one))]
    return f"no node takes {len(said)} pod{'s' * (len(said) != 1)}: {said[0].rstrip('.')}" if said else ""


def _unschedulable(pod: Json) -> str:
    conditions = pod.get("status", {}).get("conditions") or []
    found = (one for one in conditions if one["type"] == "PodScheduled" and one["status"] == "False")
    return next((one.get("message") or one.get("reason") or "unknown" for one in found), "")
