"""What has moved between a saved plan and its release. Pure: two looks in, every difference at once out.

What does not change the plan is none: the status, pods that were replaced, labels and annotations, and the
number of replicas where an autoscaler chose it, for the walk is computed from the size that is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from deployctl.difference import unlike
from deployctl.identity import Cluster
from deployctl.memory import Memory, Settings
from deployctl.observe import replica_set
from deployctl.others import changes, shown
from deployctl.promise import Ground, Promise, selector_of
from deployctl.record import Entry
from deployctl.render import words
from deployctl.spoken import harmless
from deployctl.template import bare, digest
from deployctl.workload import DEPLOYMENT, STATEFUL_SET, kind_of, template_in

Json = dict[str, Any]
AUTOSCALED_BY = "kube-controller-manager"  # where the HorizontalPodAutoscaler controller runs, KEDA's too


@dataclass(frozen=True, slots=True)
class Now:
    """What is there now of what was planned on; None is gone. `last` is the newest release of the record."""

    cluster: Cluster
    deployment: Json | None
    services: Mapping[str, Json | None]
    replica_sets: tuple[Json, ...] = ()
    memory: Memory | None = None
    last: Entry | None = None


def done(now: Now, preview: str) -> bool:
    """Say whether the template that was promised is live, whoever brought it there; `preview` is its digest."""
    there = now.deployment
    return there is not None and now.memory is None and digest(there["spec"]["template"]) == preview


def begun(promise: Promise, now: Now, preview: str) -> bool:
    """Say whether the release in flight is the one that was promised."""
    held = now.memory
    return held is not None and (held.stable, held.preview) == (promise.deployment.stable, preview)


def moved(promise: Promise, now: Now, preview: str) -> tuple[str, ...]:
    """List everything that is not as it was planned on.

    Of another cluster nothing else is said. Where the plan's own release is in flight it goes on, and where
    its template is live there is nothing left to do: then all that counts is that this is the same Deployment.
    """
    elsewhere = tuple(_another_cluster(promise, now))
    renewed = tuple(_another_deployment(promise, now))
    if elsewhere or (not renewed and (begun(promise, now, preview) or done(now, preview))):
        return elsewhere
    return (
        *renewed,
        *_of_deployment(promise, now),
        *_of_services(promise, now),
        *_of_releases(promise, now, preview),
    )


def autoscaled(deployment: Json) -> bool:
    """Say whether an autoscaler was the last to write the number of replicas."""
    last = _writer(deployment, "replicas")
    return (last.get("manager"), last.get("subresource")) == (AUTOSCALED_BY, "scale")


def _author(thing: Json, name: str) -> str:
    """Name who wrote a field of the spec last, and when, as far as managedFields tell; our own writes count."""
    last = _writer(thing, name)
    if not last:
        return "somebody"
    return f"{last['manager']} at {last['time']}" if last.get("time") else str(last["manager"])


def _writer(thing: Json, name: str) -> Json:
    """Find the newest entry of managedFields that has a field of the spec, or something in it."""
    entries = thing["metadata"].get("managedFields") or []
    owners = (one for one in entries if f"f:{name}" in ((one.get("fieldsV1") or {}).get("f:spec") or {}))
    return max(owners, key=lambda one: one.get("time") or "", default={})


def _another_cluster(promise: Promise, now: Now) -> Iterator[str]:
    was, here = promise.cluster, now.cluster
    if was.uid and here.uid and was.uid != here.uid:
        yield f"this is another cluster: its UID is {here.uid}, that of the plan's {was.uid}"


def _another_deployment(promise: Promise, now: Now) -> Iterator[str]:
    """Tell a Deployment that is gone, or is another one of the same name.

    Where the UID of kube-system is not known to both, that of the Deployment says as much: no two are the same.
    """
    was, here, there = promise.cluster, now.cluster, now.deployment
    same = (was.uid and here.uid) or was.server == here.server
    where = "" if same else "; the API server has another authority, so this may be another cluster"
    if there is None:
        workload = promise.spec["spec"]["workload"]
        kind = STATEFUL_SET if "statefulSet" in workload else DEPLOYMENT
        yield f"{kind} {promise.deployment.name} is gone{where}"
    elif there["metadata"]["uid"] != promise.deployment.uid:
        yield f"{kind_of(there)} {promise.deployment.name} is another one: it was deleted and made anew{where}"


def _of_deployment(promise: Promise, now: Now) -> Iterator[str]:
    there, ground = now.deployment, promise.deployment
    if there is None:
        return
    yield from _of_template(ground, there, now)
    own = now.memory.own if now.memory else Settings.of(there)
    for where, old, new in unlike(msgspec.to_builtins(ground.own), msgspec.to_builtins(own), "spec"):
        yield f"{kind_of(there)} {ground.name}: {where}: {shown(old)} -> {shown(new)}, by {_author(there, where.split('.')[1])}"
    replicas = there["spec"].get("replicas", 1)
    if replicas != ground.replicas and not autoscaled(there):
        yield f"{kind_of(there)} {ground.name}: spec.replicas: {ground.replicas} -> {replicas}, by {_author(there, 'replicas')}"


def _of_template(ground: Ground, there: Json, now: Now) -> Iterator[str]:
    live = there["spec"]["template"]
    if (now.memory.stable if now.memory else digest(live)) == ground.stable:
        return
    author = f"{kind_of(there)} {ground.name}: {_author(there, 'template')} wrote"
    owner = replica_set(now.replica_sets, ground.stable)
    told = changes(bare(template_in(owner)), live) if owner else ()
    yield from (f"{author} {text}" for text in told or ("another pod template",))


def _of_services(promise: Promise, now: Now) -> Iterator[str]:
    for name, selector in promise.services.items():
        there = now.services.get(name)
        if there is None:
            yield f"Service {name} is gone"
        elif selector_of(there) != selector:
            yield f"Service {name}: selector: {shown(selector)} -> {shown(selector_of(there))}, by {_author(there, 'selector')}"


def _of_releases(promise: Promise, now: Now, preview: str) -> Iterator[str]:
    """Tell a release in between: one that is on, or one that has ended, whatever it left."""
    held, last = now.memory, now.last
    if held:
        yield f"another release is in flight, begun by {words.who(held.by)} at {held.at}"
    elif last and last.id != promise.last_release and not _died_at_once(promise, last, preview):
        ended = f"{last.outcome} at {last.ended}" if last.outcome else "its end was not written down"
        given = next((one.reason for one in last.words if one.reason), last.reason)
        why = f": {harmless(given)}" if given else ""
        yield f"another release in between: {last.id} by {words.who(last.by)} at {last.started}, {ended}{why}"


def _died_at_once(promise: Promise, last: Entry, preview: str) -> bool:
    """Say whether a release of this plan died before its first write: the record is all that it left."""
    return not last.outcome and (last.stable, last.preview) == (promise.deployment.stable, preview)
