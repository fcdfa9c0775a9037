"""One look at an app without watches: a handful of reads, side by side where they do not need each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deployctl.cluster.api import Api, Denied, NotFound
from deployctl.cluster.paths import path
from deployctl.cluster.proxy import through
from deployctl.cluster.view import Names
from deployctl.errors import SpecError
from deployctl.memory import Memory, recalled
from deployctl.observe import Open, Snapshot, live, owned_by, pods_of, replica_set
from deployctl.prepare import found, guess, names_of, selector_of
from deployctl.record import Kept, Record, parse
from deployctl.spec import App, from_canonical
from deployctl.workload import DEPLOYMENT, hash_of, kind_of

if TYPE_CHECKING:
    from deployctl.census import Counted
    from deployctl.consumers import Word

Json = dict[str, Any]
LABELLED = "app.kubernetes.io/managed-by=deployctl"
PREFIX = "deployctl-"


@dataclass(frozen=True, slots=True)
class Glance:
    """An app as it was found; `now` is the server's clock, `app` None where the record holds no readable spec."""

    names: Names
    look: Snapshot
    kept: Kept
    lease: Json | None
    now: dt.datetime
    app: App | None = None
    rounds: Mapping[str, Open] = field(
        default_factory=dict
    )  # by the pods' UIDs, while a release is in flight
    counted: Counted | None = None  # where the requests of a release in flight go
    words: Mapping[str, Word] = field(default_factory=dict)  # who consumes, by the pods' UIDs

    @property
    def memory(self) -> Memory | None:
        return self.look.memory


@dataclass(frozen=True, slots=True)
class Listed:
    """One app of a namespace, as its record and its Deployment tell; either may be missing."""

    namespace: str
    app: str
    kept: Kept
    deployment: Json | None
    memory: Memory | None


def glance(api: Api, name: str) -> Glance:
    """Look at one app; raise UsageError where there is neither a record nor a Deployment of that name."""
    kept, lease = _beside(
        lambda: Record(api, api.namespace, name).read(),
        lambda: _perhaps(api, path(api.namespace, "leases", PREFIX + name)),
    )
    app = _spec(kept)
    names = names_of(app, api.namespace) if app else guess(api, name)
    look = snapshot(api, names)
    rounds, counts, words = _beside(
        lambda: _rounds(api, look, app), lambda: _counted(api, look, app), lambda: _consumers(api, look)
    )
    return Glance(names, look, kept, lease, api.now(), app, rounds, counts, words)


def _rounds(api: Api, look: Snapshot, app: App | None) -> Mapping[str, Open]:
    """Ask the pods of a release in flight how many rounds are open on them, where the app tells."""
    rounds = app.spec.drain.rounds if app else None
    if rounds is None or look.memory is None:
        return {}
    from deployctl.rounds import asked_once

    namespace = look.deployment["metadata"]["namespace"]
    return asked_once(rounds, through(api, namespace), look.services[0], filter(live, look.pods))


def _consumers(api: Api, look: Snapshot) -> Mapping[str, Word]:
    """Ask the pods of a release in flight whether they consume, where it tells them to."""
    memory = look.memory
    if memory is None or memory.consumes is None or not memory.consumes.told:
        return {}
    from deployctl.overheard import asked_once, may_consume

    proxy = through(api, look.deployment["metadata"]["namespace"])
    return asked_once(memory.consumes, proxy, look.services[0], may_consume(look, memory))


def _counted(api: Api, look: Snapshot, app: App | None) -> Counted | None:
    """Count the requests of a release in flight by revision, where the app tells."""
    memory = look.memory
    if app is None or memory is None or app.spec.census is None:
        return None
    from deployctl.census import TIMEOUT_SECONDS, counted
    from deployctl.gates import Asked

    owners = (replica_set(look.replica_sets, one) for one in (memory.stable, memory.preview))
    sides = {hash_of(one): tuple(filter(live, pods_of(one, look))) for one in owners if one}
    namespace = look.deployment["metadata"]["namespace"]
    proxy, hosts = through(api, namespace), app.spec.gates.hosts
    return counted(app.spec.census, Asked((), look.services[0], proxy, TIMEOUT_SECONDS, hosts=hosts), sides)


def snapshot(api: Api, names: Names) -> Snapshot:
    """Read everything that belongs to an app."""
    deployment, slices, *services = _beside(
        lambda: found(api, names, names.resource, names.deployment),
        lambda: _slices(api, names),
        *(lambda name=name: found(api, names, "services", name) for name in names.services),
    )
    selector, where = selector_of(deployment), names.namespace
    sets, pods = _beside(
        lambda: api.get(path(where, names.revisions), labelSelector=selector)["items"],
        lambda: api.get(path(where, "pods"), labelSelector=selector)["items"],
    )
    owned = tuple(one for one in sets if owned_by(one, deployment))
    look = Snapshot(
        deployment, owned, tuple(pods), tuple(services), tuple(slices), scalers=_scalers(api, names)
    )
    front = look.memory.preview_service if look.memory else ""
    there = _perhaps(api, path(where, "services", front)) if front else None
    return replace(look, others=(there,) if there else ())


def _scalers(api: Api, names: Names) -> tuple[Json, ...]:
    from deployctl.autoscaling.through import scalers_of

    try:
        return scalers_of(api, names)
    except Denied:
        return ()


def _slices(api: Api, names: Names) -> list[Json]:
    chosen = f"kubernetes.io/service-name in ({','.join(names.services)})"
    found_slices: list[Json] = api.get(path(names.namespace, "endpointslices"), labelSelector=chosen)["items"]
    return found_slices if names.services else []


def _spec(kept: Kept) -> App | None:
    try:
        return from_canonical(kept.spec) if kept.spec else None
    except SpecError:
        return None


def _perhaps(api: Api, where: str) -> Json | None:
    """Read what may not be there, or not for our eyes."""
    try:
        return api.get(where)
    except (NotFound, Denied):
        return None


def _beside(*reads: Callable[[], Any]) -> list[Any]:
    """Do several reads at once."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(reads)) as pool:
        return [one.result() for one in [pool.submit(read) for read in reads]]


def listed(api: Api, *, everywhere: bool = False) -> tuple[Listed, ...]:
    """List every app with a record, and every workload with a release in flight."""
    records, deployments, stateful_sets = _beside(
        lambda: api.get(_all("configmaps", api, everywhere=everywhere), labelSelector=LABELLED)["items"],
        lambda: api.get(_all("deployments", api, everywhere=everywhere))["items"],
        lambda: (_perhaps(api, _all("statefulsets", api, everywhere=everywhere)) or {"items": []})["items"],
    )
    workloads = [*deployments, *stateful_sets]
    apps = [*_recorded(records, workloads)]
    known = {(one.namespace, one.app) for one in apps}
    apps += (one for one in _held(workloads) if (one.namespace, one.app) not in known)
    return tuple(sorted(apps, key=lambda one: (one.namespace, one.app)))


def _all(resource: str, api: Api, *, everywhere: bool) -> str:
    where = path(api.namespace, resource)
    return where.replace(f"/namespaces/{api.namespace}/", "/") if everywhere else where


def _recorded(records: list[Json], workloads: list[Json]) -> Iterator[Listed]:
    there = {(one["metadata"]["namespace"], kind_of(one), one["metadata"]["name"]): one for one in workloads}
    for record in records:
        meta, kept = record["metadata"], parse(record)
        if not meta["name"].startswith(PREFIX):
            continue
        name, app = meta["name"].removeprefix(PREFIX), _spec(kept)
        kind, called = (app.spec.workload.kind, app.spec.workload.name) if app else (DEPLOYMENT, name)
        deployment = there.get((meta["namespace"], kind, called))
        memory = recalled(deployment, ()) if deployment else None
        yield Listed(meta["namespace"], name, kept, deployment, memory)


def _held(workloads: list[Json]) -> Iterator[Listed]:
    for one in workloads:
        if memory := recalled(one, ()):
            yield Listed(one["metadata"]["namespace"], memory.app, Kept(), one, memory)
