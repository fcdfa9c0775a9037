"""What a record tells of an app's releases, beside what the cluster still has of their revisions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from deployctl.cluster.api import Api, NotFound
from deployctl.cluster.paths import path
from deployctl.cluster.view import Names
from deployctl.errors import SpecError, UsageError
from deployctl.glance import Listed
from deployctl.memory import Memory, recalled
from deployctl.observe import owned_by, replica_set, revision
from deployctl.prepare import found, names_of, selector_of
from deployctl.published import FlagMoved, Histories, History, Outcome, Released, Target
from deployctl.published import Word as Said
from deployctl.record import Entry, Kept, Record
from deployctl.releases import ROLLBACK
from deployctl.revisions import earlier
from deployctl.spec import from_canonical
from deployctl.template import digest, images
from deployctl.workload import REVISIONS, hash_of, kind_of, template_in
from strategies.model import Phase

Json = dict[str, Any]
SHIFTED = {Phase.PROMOTING.value, Phase.FINISHING.value}
OUTCOMES: dict[str, Outcome] = {
    "promoted": "promoted",
    "aborted": "aborted",
    "rolledBack": "rolledBack",
    "degraded": "degraded",
}


@dataclass(frozen=True, slots=True)
class Past:
    """An app's record, with its Deployment and that one's ReplicaSets where they are there."""

    namespace: str
    app: str
    kept: Kept
    deployment: Json | None
    memory: Memory | None
    sets: tuple[Json, ...] = ()

    @property
    def releases(self) -> tuple[Entry, ...]:
        """The releases of the record, the newest first, and the one in flight though the record may not know it."""
        kept, now = self.kept.releases, self.memory
        if now is None or now.id in {one.id for one in kept}:
            return kept
        return (Entry(now.id, now.strategy, now.stable, now.preview, now.by, now.at), *kept)

    @property
    def live(self) -> str:
        """The digest of the template that serves."""
        if self.memory:
            return self.memory.preview if self.memory.phase in SHIFTED else self.memory.stable
        return digest(self.deployment["spec"]["template"]) if self.deployment else ""

    @property
    def way_back(self) -> Json | None:
        """The ReplicaSet that `rollback` goes to."""
        if self.deployment is None or (self.memory and self.memory.strategy == ROLLBACK):
            return None
        if self.memory:
            return replica_set(self.sets, self.memory.stable)
        return earlier(self.deployment, self.sets, self.kept.releases)


def past(api: Api, name: str) -> Past:
    """Read what is known of one app; raise UsageError where there is nothing, or what cannot be read here."""
    record = Record(api, api.namespace, name)
    kept = record.writable()
    names = _names(api, kept, name)
    if not kept.releases:
        found(api, names, names.resource, names.deployment)
    deployment = _perhaps(api, path(api.namespace, names.resource, names.deployment))
    sets = _sets(api, deployment) if deployment else ()
    memory = recalled(deployment, sets) if deployment else None
    return Past(api.namespace, name, kept, deployment, memory, sets)


def _names(api: Api, kept: Kept, name: str) -> Names:
    try:
        return names_of(from_canonical(kept.spec or {}), api.namespace)
    except SpecError:
        return Names(api.namespace, name, name, ())


def _perhaps(api: Api, where: str) -> Json | None:
    try:
        return api.get(where)
    except NotFound:
        return None


def _sets(api: Api, deployment: Json) -> tuple[Json, ...]:
    where = path(deployment["metadata"]["namespace"], REVISIONS[kind_of(deployment)])
    answer = api.get(where, labelSelector=selector_of(deployment))
    return tuple(one for one in answer["items"] if owned_by(one, deployment))


def history(one: Past, now: dt.datetime, release: str = "") -> History:
    """State an app's releases; with `release` only the one whose id begins so."""
    there = one.way_back
    return History(
        app=one.app,
        namespace=one.namespace,
        releases=_chosen(one, tuple(_released(one, now)), release),
        now=_time(now),
        live=_target(replica_set(one.sets, one.live)),
        way_back=_target(there),
    )


def histories(pasts: Iterable[Past], now: dt.datetime) -> Histories:
    """State the releases of several apps, the newest first."""
    every = [each for one in pasts for each in _released(one, now)]
    return Histories(tuple(sorted(every, key=lambda one: one.started, reverse=True)), _time(now))


def of_listed(one: Listed) -> Past:
    """Take an app of a list, of whose ReplicaSets nothing was read."""
    return Past(one.namespace, one.app, one.kept, one.deployment, one.memory)


def _chosen(one: Past, releases: tuple[Released, ...], release: str) -> tuple[Released, ...]:
    chosen = tuple(each for each in releases if each.id.startswith(release))
    if release and len(chosen) != 1:
        ids = ", ".join(each.id for each in chosen or releases) or "none"
        problem = "several begin so" if chosen else "no such release on record"
        raise UsageError(f"{release}: {problem}; there are {ids}", advice=f"deployctl history {one.app}")
    return chosen


def _released(one: Past, now: dt.datetime) -> list[Released]:
    """State each release, the newest first; the newest of a revision has its marks."""
    there, marked = one.way_back, set[str]()
    back = digest(there["spec"]["template"]) if there else ""
    told = []
    for each in one.releases:
        aim = _aim(each)
        new = aim not in marked
        marked.add(aim)
        told.append(_told(one, each, now, live=new and aim == one.live, way_back=new and aim == back))
    return told


def _told(one: Past, each: Entry, now: dt.datetime, *, live: bool, way_back: bool) -> Released:
    outcome = _outcome(one, each)
    aim, other = (each.stable, each.preview) if _is_rollback(each) else (each.preview, each.stable)
    hashes = {each.stable: each.stable_hash, each.preview: each.preview_hash}
    return Released(
        app=one.app,
        namespace=one.namespace,
        id=each.id,
        outcome=outcome,
        started=each.started,
        ended=each.ended,
        duration_seconds=_duration(each, now, running=outcome == "running"),
        by=each.by,
        strategy=each.strategy,
        revision=_hash(one, aim) or hashes[aim],
        before=_hash(one, other) or hashes[other],
        images=each.images,
        digests=each.image_ids,
        reason=each.reason,
        words=said(each),
        gates=each.gates,
        live=live,
        way_back=way_back,
        flags=moved(each),
    )


def moved(each: Entry) -> tuple[FlagMoved, ...]:
    """Give the flags that a release has moved as they are published."""
    return tuple(
        FlagMoved(one.key, str(one.before), str(one.ours[-1]), one.at, one.by, one.done, one.back)
        for one in each.flags
        if one.ours
    )


def said(each: Entry) -> tuple[Said, ...]:
    """Give what people said of a release as it is published."""
    return tuple(Said(word.verb, word.by, word.at, word.reason) for word in each.words)


def _is_rollback(each: Entry) -> bool:
    return each.strategy == ROLLBACK


def _aim(each: Entry) -> str:
    """Name the template that a release was for: of a rollback the one it went to."""
    return each.stable if _is_rollback(each) else each.preview


def _outcome(one: Past, each: Entry) -> Outcome:
    if each.outcome:
        return OUTCOMES.get(each.outcome, "unknown")
    return "running" if one.memory and one.memory.id == each.id else "endedByHand"


def _duration(each: Entry, now: dt.datetime, *, running: bool) -> float | None:
    """Give the seconds that a release took, or has taken so far; None where nobody wrote down its end."""
    began, ended = _moment(each.started), now if running else _moment(each.ended)
    return max(0.0, round((ended - began).total_seconds(), 1)) if began and ended else None


def _moment(text: str) -> dt.datetime | None:
    try:
        found_ = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found_ if found_.tzinfo else None


def _hash(one: Past, template: str) -> str:
    owner = replica_set(one.sets, template)
    return hash_of(owner) if owner else ""


def _target(owner: Json | None) -> Target | None:
    return target(owner) if owner else None


def target(owner: Json) -> Target:
    return Target(revision(owner), hash_of(owner), images(template_in(owner)))


def _time(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
