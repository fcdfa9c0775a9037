"""Where an app stands, as one published document: `status -o json`, and what `status` and `why` put into words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Literal

from deployctl.autoscaling.held import holds
from deployctl.autoscaling.outlook import by_itself
from deployctl.autoscaling.through import called
from deployctl.by_hand import ByHand
from deployctl.consumers import Word
from deployctl.glance import Glance, Listed
from deployctl.lock import fresh, holder_of
from deployctl.memory import FIELD_MANAGER, HELD_SECONDS, LABEL, Memory
from deployctl.observe import (
    Open,
    Snapshot,
    Witness,
    holders,
    live,
    observe,
    owned_by,
    pods_of,
    ready,
    ready_endpoints,
    replica_set,
    revision,
    stuck,
    unplaced,
)
from deployctl.past import moved, said
from deployctl.published import (
    Consumers,
    Consuming,
    Foreign,
    HeldScaler,
    Last,
    Moved,
    Release,
    Revision,
    Row,
    Status,
    Statuses,
    Traffic,
)
from deployctl.record import Entry, Kept
from deployctl.render import words
from deployctl.template import digest, images
from deployctl.workload import HASH, hash_in, hash_of, kind_of, template_in
from strategies.model import Ask, Observed, Phase, Stage, Stand, Step, Tell, Wait

Json = dict[str, Any]
WRITTEN = (
    *("template", "minReadySeconds", "progressDeadlineSeconds", "strategy", "paused", "replicas"),
    "updateStrategy",
)


def status(at: Glance, kubectl: str = "kubectl") -> Status:
    """State where an app stands; `kubectl` is how its by-hand commands call it."""
    memory, look = at.memory, at.look
    seen = _seen(at, memory) if memory else None
    release = _release(at, memory, seen) if memory and seen else None
    return Status(
        app=at.names.app,
        namespace=at.names.namespace,
        deployment=at.names.deployment,
        services=at.names.services,
        replicas=look.deployment["spec"].get("replicas", 1),
        revisions=tuple(_revisions(at)),
        traffic=tuple(_traffic(look, one) for one in look.services),
        now=_time(at.now),
        release=release,
        workload=kind_of(look.deployment),
        last=_last(at.kept),
        unknown_record=at.kept.unknown,
        foreign=tuple(_foreign(look.deployment, memory.at)) if memory else (),
        next=_next(at, seen, release),
        by_hand=ByHand(kubectl, look, memory).commands() if memory else (),
        held=tuple(_held(look)),
        moved=_requests(at),
    )


def _held(look: Snapshot) -> Iterator[HeldScaler]:
    size = look.deployment["spec"].get("replicas", 1)
    for scaler in look.scalers:
        wants = by_itself(scaler, size, sum(map(ready, look.pods)))
        yield from (
            HeldScaler(called(scaler), one.floor, one.holder, one.since, one.until, wants)
            for one in holds(scaler)
        )


def rows(apps: tuple[Listed, ...], now: dt.datetime) -> Statuses:
    return Statuses(tuple(map(_row, apps)), _time(now))


def _row(one: Listed) -> Row:
    deployment: Json = one.deployment or {"spec": {"replicas": 0, "template": {"spec": {"containers": []}}}}
    last = one.kept.releases[0] if one.kept.releases else None
    memory = one.memory
    return Row(
        app=one.app,
        namespace=one.namespace,
        state=memory.phase if memory else _ended(one, last),
        ready=deployment.get("status", {}).get("readyReplicas", 0),
        desired=deployment["spec"].get("replicas", 1),
        images=images(deployment["spec"]["template"]),
        since=memory.at if memory else (last.ended or last.started if last else ""),
        by=memory.by if memory else (last.by if last else ""),
    )


def _ended(one: Listed, last: Entry | None) -> str:
    if one.deployment is None:
        return "no Deployment"
    if one.kept.unknown:
        return "unknown record"
    return (last.outcome or "ended by hand") if last else ""


def _seen(at: Glance, memory: Memory) -> Observed:
    gates = at.app.spec.gates if at.app else None
    gated = frozenset(stage for stage in Stage if gates and getattr(gates, stage.value))
    patience = at.app.spec.drain.patience if at.app else None
    wanted = memory.consumes.consumers if memory.consumes and _heard(at) else None
    witness = Witness(gated=gated, drain=patience, rounds=at.rounds, consumers=wanted, words=at.words)
    return observe(at.look, memory.stable, memory.preview, witness)


def _heard(at: Glance) -> bool:
    """Say whether any pod said who consumes: where none does it may be us who may not ask, and the release goes on."""
    return any(word.consumes is not None for word in at.words.values())


def _release(at: Glance, memory: Memory, seen: Observed) -> Release:
    entry = next((one for one in at.kept.releases if one.id == memory.id), None)
    alive = bool(at.lease and holder_of(at.lease) and fresh(at.lease))
    lease: Json = at.lease["spec"] if at.lease and alive else {}
    return Release(
        id=memory.id,
        strategy=memory.strategy,
        phase=memory.phase,
        stable=seen.stable.revision,
        preview=seen.preview.revision,
        by=entry.by if entry else memory.by,
        begun=memory.at,
        moved=_moved(at.look) or memory.at,
        holder=lease.get("holderIdentity", ""),
        holder_since=lease.get("acquireTime", ""),
        waits_for=_waits_for(at, seen, entry, alive=alive),
        wish=at.kept.intent.wish if at.kept.intent and at.kept.intent.release == memory.id else "",
        why=memory.why,
        due=_due(at.look, memory),
        gates=entry.gates if entry else (),
        trouble=seen.preview.trouble or seen.stable.trouble or unplaced(filter(live, at.look.pods)),
        words=said(entry) if entry else (),
        flags=moved(entry) if entry else (),
        consumers=_consumers(at, memory, seen),
    )


def _waits_for(at: Glance, seen: Observed, entry: Entry | None, *, alive: bool) -> str:
    """Say what is waited for: what the last run stopped at, else what the strategy decides on this look."""
    if not alive and entry and entry.reason:
        return entry.reason
    step = _step(at, seen)
    match step:
        case None:
            return ""
        case Ask(question):
            return f"the gates {question.stage.value}"
        case Stand(reason):
            return reason
        case Tell(pod, consume):
            return f"{pod} {words.to_consume(consume=consume)}"
        case Wait():
            return words.step(step, seen).removeprefix("waiting for ")
        case _:
            return f"its next step: {words.step(step, seen)}"


def _step(at: Glance, seen: Observed) -> Step | None:
    memory = at.memory
    if at.app is None or memory is None or memory.strategy != at.app.spec.strategy.kind:
        return None
    return at.app.spec.walk.decide(seen)


def _consumers(at: Glance, memory: Memory, seen: Observed) -> Consumers | None:
    """State who consumes; of a group of the preview's own its name is all there is to say."""
    page = memory.consumes
    if page is None:
        return None
    group = (page.group or "").replace("${preview}", seen.preview.revision or "${preview}")
    sides = _consuming(at, "stable", memory.stable), _consuming(at, "preview", memory.preview)
    match _step(at, seen):
        case Tell() | Wait("consumers" | "holders"):
            awaited = True
        case _:
            awaited = False
    return Consumers(page.mode, group, tuple(filter(None, sides)) if page.told else (), awaited)


def _consuming(at: Glance, role: Literal["stable", "preview"], template: str) -> Consuming | None:
    """Count the pods of one side by what they say; None where that side is not there."""
    owner = replica_set(at.look.replica_sets, template)
    if owner is None:
        return None
    pods = {one["metadata"]["uid"]: one["metadata"]["name"] for one in holders(at.look, template)}
    said = [(name, at.words.get(uid, Word())) for uid, name in pods.items()]
    consumes = [word.consumes for _, word in said]
    return Consuming(
        role=role,
        hash=hash_of(owner),
        consuming=consumes.count(True),
        paused=consumes.count(False),
        unknown=consumes.count(None),
        unheard=next((f"{name}: {word.unheard}" for name, word in said if word.consumes is None), ""),
        since=max((word.since for _, word in said), default=""),
    )


def _next(at: Glance, seen: Observed | None, release: Release | None) -> tuple[str, ...]:
    if release is None or seen is None:
        return (f"deployctl rollback {at.names.app}",) if len(at.look.replica_sets) > 1 else ()
    if release.holder:
        return (f"deployctl status {at.names.app} -w", f"deployctl abort {at.names.app}")
    if release.due:
        return (f"deployctl finish {at.names.app}", f"deployctl abort {at.names.app}")
    at_gate = "promote" in release.waits_for and seen.phase is Phase.TRYING
    return words.next_commands(at.names.app, seen, stands_at_gate=at_gate)


def _revisions(at: Glance) -> Iterator[Revision]:
    look = at.look
    roles = _roles(look, at.memory)
    for one in sorted(look.replica_sets, key=revision, reverse=True):
        role = roles.get(one["metadata"]["name"], "other")
        pods = [pod for pod in pods_of(one, look) if live(pod)]
        if role == "other" and not pods:
            continue
        yield Revision(
            role=role,
            number=revision(one),
            hash=hash_of(one),
            images=images(template_in(one)),
            ready=sum(map(ready, pods)),
            pods=len(pods),
            desired=one.get("spec", {}).get("replicas", len(pods)),
            created=one["metadata"].get("creationTimestamp") or "",
            trouble=next((why for pod in pods if (why := stuck(pod))), ""),
            open_rounds=_open(at, pods),
            oldest_round_seconds=max((one.oldest_seconds for one in _told(at, pods)), default=0.0),
        )


def _open(at: Glance, pods: list[Json]) -> int | None:
    """Count the open rounds on pods; None where they were not asked, or one has not said."""
    told = _told(at, pods)
    counts = [one.count for one in told if one.count is not None]
    return sum(counts) if told and len(counts) == len(pods) else None


def _told(at: Glance, pods: list[Json]) -> list[Open]:
    uids = (one["metadata"]["uid"] for one in pods) if at.rounds else ()
    return [at.rounds[uid] for uid in uids if uid in at.rounds]


def _roles(look: Snapshot, memory: Memory | None) -> dict[str, Literal["live", "stable", "preview", "other"]]:
    """Name the ReplicaSets that matter by what they are."""
    if memory is None:
        now = replica_set(look.replica_sets, digest(look.deployment["spec"]["template"]))
        return {now["metadata"]["name"]: "live"} if now else {}
    stable = replica_set(look.replica_sets, memory.stable)
    preview = replica_set(look.replica_sets, memory.preview)
    named = {preview["metadata"]["name"]: "preview"} if preview else {}
    return {**named, **({stable["metadata"]["name"]: "stable"} if stable else {})}  # type: ignore[dict-item]


def _traffic(look: Snapshot, service: Json) -> Traffic:
    name, selector = service["metadata"]["name"], service["spec"].get("selector") or {}
    hashes = {pod["metadata"]["name"]: hash_in(pod["metadata"].get("labels", {})) for pod in look.pods}
    mine = (one for one in look.slices if one["metadata"]["labels"]["kubernetes.io/service-name"] == name)
    names = sorted({pod for one in mine for pod in ready_endpoints(one)})
    counted = [hashes.get(pod, "") or "other" for pod in names]
    endpoints = {one: counted.count(one) for one in dict.fromkeys(counted)}
    return Traffic(name, endpoints, selector.get(HASH, ""), LABEL in selector)


def _requests(at: Glance) -> Moved | None:
    """Add up by revision what was counted; a revision whose pods did not tell is not there."""
    if at.counted is None:
        return None
    rates: dict[str, float] = {}
    for pod in at.look.pods:
        rate = at.counted.rates.get(pod["metadata"]["uid"])
        if rate is not None:
            name = hash_in(pod["metadata"].get("labels") or {})
            rates[name] = round(rates.get(name, 0.0) + rate, 1)
    return Moved(rates, dict(at.counted.answers), at.counted.problems)


def _last(kept: Kept) -> Last | None:
    if not kept.releases:
        return None
    one = kept.releases[0]
    return Last(
        id=one.id,
        started=one.started,
        ended=one.ended,
        outcome=one.outcome,
        reason=one.reason,
        by=one.by,
        images=one.images,
        gates=one.gates,
        words=said(one),
    )


def _moved(look: Snapshot) -> str:
    """Tell when we last wrote to the Deployment or a Service."""
    ours = (
        entry
        for thing in (look.deployment, *look.services)
        for entry in thing["metadata"].get("managedFields") or []
        if entry["manager"] == FIELD_MANAGER
    )
    return max((entry.get("time", "") for entry in ours), default="")


def _foreign(deployment: Json, since: str) -> Iterator[Foreign]:
    for entry in deployment["metadata"].get("managedFields") or []:
        if entry["manager"] == FIELD_MANAGER or entry.get("time", "") < since:
            continue
        written = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        fields = tuple(one for one in WRITTEN if f"f:{one}" in written)
        if fields and entry.get("subresource") != "status":
            yield Foreign(entry["manager"], entry["time"], fields)


def _due(look: Snapshot, memory: Memory) -> str:
    """Tell when an armed Deployment retires the old side: when its youngest new pod has the age it asks for."""
    spec = look.deployment["spec"]
    seconds = spec.get("minReadySeconds", 0)
    armed = memory.phase == Phase.PROMOTING.value and spec.get("paused") and 0 < seconds < HELD_SECONDS
    owner = replica_set(look.replica_sets, memory.preview)
    if not armed or seconds == memory.own.min_ready_seconds or owner is None:
        return ""
    since = [_ready_since(pod) for pod in look.pods if owned_by(pod, owner) and ready(pod)]
    return _time(max(since) + dt.timedelta(seconds=seconds)) if since else ""


def _ready_since(pod: Json) -> dt.datetime:
    conditions = pod["status"]["conditions"]
    return dt.datetime.fromisoformat(
        next(one["lastTransitionTime"] for one in conditions if one["type"] == "Ready")
    )


def _time(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
