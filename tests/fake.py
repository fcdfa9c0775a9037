"""A Kubernetes API in memory, as far as a release uses it: raw objects, real conflicts, and their controllers.

Every write takes a resourceVersion, a changed spec a generation; a JSON patch whose test fails is a 422 without
causes, a stale merge patch or PUT a 409. The Deployment controller's arithmetic is the simulator's. Time passes
only in `Cluster.tick`: no pod becomes ready and no controller acts between a write and the next tick.
"""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from deployctl.cluster.api import MERGE_PATCH, Request, Unreachable, failure
from deployctl.cluster.view import Names
from deployctl.memory import ANNOTATION, COST, HASH, HELD_SECONDS
from deployctl.observe import Snapshot, live, owned_by, ready
from deployctl.template import digest
from strategies.model import Pod, Side, Template
from strategies.quantities import Amount
from strategies.simulator import Settings, World
from tests.objects import NAMES, Json, deployment, hash_of, pod, replica_set, service, template

BEGAN = dt.datetime(2026, 11, 23, 12, 0, 0, tzinfo=dt.UTC)
MOST_TICKS, MOST_WRITES = 20_000, 1_000
KINDS = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "controllerrevisions": "ControllerRevision",
    "pods": "Pod",
    "services": "Service",
    "endpointslices": "EndpointSlice",
    "configmaps": "ConfigMap",
    "leases": "Lease",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "scaledobjects": "ScaledObject",
}


@dataclass
class Cluster:
    """The objects, the writes so far, and what shall happen right before or after the next write."""

    objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    version: int = 1000
    now: float = 0.0
    ready_seconds: float = 3.0
    broken: frozenset[str] = frozenset()  # images whose pods never become ready
    writes: list[Request] = field(default_factory=list)
    meanwhile: list[Callable[[Cluster], None]] = field(default_factory=list)
    answers: list[Exception | None] = field(default_factory=list)  # of the next calls; None lets one through
    scaled_for: tuple[int, int] = (0, 0)
    eager: bool = False  # run the controllers after every write, pods ready at once
    closed: threading.Event = field(default_factory=threading.Event)
    restarted: list[str] = field(default_factory=list)
    gone: list[tuple[str, Json]] = field(default_factory=list)  # what was deleted, with the version of that
    lock: Any = field(default_factory=threading.RLock, repr=False)
    history: list[Counter[str]] = field(default_factory=list)  # who served, tick by tick

    @classmethod
    def running(cls, pod_template: Json | None = None, replicas: int = 6, **spec: Any) -> Cluster:
        """Give a cluster with the app wallet at rest: its Deployment, its pods, its Service."""
        made = cls()
        chosen = pod_template or template()
        made.put("deployments", deployment(chosen, replicas, **spec))
        made.put("services", service())
        made.put("replicasets", replica_set(chosen, 0))
        made.tick(10.0)
        made.tick(10.0)
        made.history.clear()
        return made

    def put(self, resource: str, one: Json) -> Json:
        """Store an object as anybody's write would: with a new version, a new generation where its spec changed."""
        with self.lock:
            return self._put(resource, copy.deepcopy(one))

    def _put(self, resource: str, one: Json) -> Json:
        self.version += 1
        before = self.objects.get((resource, one["metadata"]["name"]))
        one["kind"] = KINDS[resource]
        one["metadata"].setdefault("namespace", NAMES.namespace)
        one["metadata"].setdefault("uid", f"uid-{one['metadata']['name']}")
        if before is not None and before["spec" if "spec" in before else "kind"] != one.get(
            "spec", one["kind"]
        ):
            one["metadata"]["generation"] = one["metadata"].get("generation", 1) + 1
        one["metadata"]["resourceVersion"] = str(self.version)
        self.objects[resource, one["metadata"]["name"]] = one
        return one

    def edit(self, resource: str, name: str, **spec: Any) -> Json:
        """Write fields of somebody's spec."""
        one = copy.deepcopy(self.objects[resource, name])
        one["spec"].update(spec)
        return self.put(resource, _defaulted(one))

    def drop(self, resource: str, name: str) -> None:
        with self.lock:
            self.version += 1
            one = self.objects.pop((resource, name))
            last = {**one["metadata"], "resourceVersion": str(self.version)}
            self.gone.append((resource, {**one, "metadata": last}))

    def all(self, resource: str) -> list[Json]:
        with self.lock:
            return [one for (kind, _), one in self.objects.items() if kind == resource]

    def since(self, version: int, resource: str, query: Any) -> list[Json]:
        """Give the events of a watch after a version, in order."""
        there = [{"type": "MODIFIED", "object": one} for one in self.all(resource)]
        gone = [{"type": "DELETED", "object": one} for kind, one in self.gone if kind == resource]
        new = (one for one in (*there, *gone) if _version(one["object"]) > version)
        return sorted((one for one in new if _selected(one["object"], query)), key=_moment)

    def restart(self, image: str, *, after: float = 0.0) -> None:
        """Let one pod of an image fail its probe for a while, once, when it is late enough."""
        if self.now < after or image in self.restarted:
            return
        self.restarted.append(image)
        one = next(one for one in self.all("pods") if one["spec"]["containers"][0]["image"] == image)
        self.put("pods", {**one, "born": self.now, "status": {"phase": "Running", "conditions": []}})

    @property
    def deployment(self) -> Json:
        return self.objects["deployments", "wallet"]

    def serving(self, name: str = "wallet") -> Counter[str]:
        """Count the ready endpoints of a Service by image."""
        names = {one["targetRef"]["name"] for one in self.objects["endpointslices", f"{name}-x"]["endpoints"]}
        pods = (self.objects["pods", one] for one in names)
        return Counter(one["spec"]["containers"][0]["image"] for one in pods)

    def least(self) -> int:
        """Count the ready endpoints when there were fewest."""
        return min(sum(one.values()) for one in self.history)

    def served(self) -> set[str]:
        """Name the images that had traffic at any time."""
        return {image for one in self.history for image in one}

    def sizes(self) -> dict[str, int]:
        return {
            one["spec"]["template"]["spec"]["containers"][0]["image"]: one["spec"]["replicas"]
            for one in self.all("replicasets")
        }

    def leftovers(self) -> list[str]:
        """List everything of ours on the user's objects."""
        kinds = ("deployments", "replicasets", "pods", "services")
        return [
            f"{kind}/{name}" for (kind, name), one in self.objects.items() if kind in kinds and _ours(one)
        ]

    # -- the API -------------------------------------------------------------------------------------------

    def call(self, request: Request) -> Json:
        """Answer one call as the API server does."""
        answer = self.answers.pop(0) if self.answers and request.method != "GET" else None
        if answer:
            raise answer
        parts = request.path.partition("/namespaces/igaming/")[2].split("/")
        resource, name = parts[0], parts[1] if len(parts) > 1 else ""
        if request.method == "GET":
            return copy.deepcopy(self._read(request, resource, name))
        if self.meanwhile and threading.current_thread() is threading.main_thread():
            self.meanwhile.pop(0)(self)  # a lease that is renewed by the clock on the wall counts for nothing
        written = self._write(request, resource, name)
        self.writes.append(request)
        assert len(self.writes) < MOST_WRITES, "this release never ends"
        if self.eager:
            self.settle()
        return copy.deepcopy(written)

    def _read(self, request: Request, resource: str, name: str) -> Json:
        if not name:
            return {
                "kind": f"{KINDS[resource]}List",
                "metadata": {"resourceVersion": str(self.version)},
                "items": [one for one in self.all(resource) if _selected(one, request.query)],
            }
        return self._known(request, resource, name)

    def _known(self, request: Request, resource: str, name: str) -> Json:
        found = self.objects.get((resource, name))
        if found is None:
            raise _refusal(request, 404, f"{resource} {name!r} not found")
        return found

    def _write(self, request: Request, resource: str, name: str) -> Json:
        if request.method == "POST":
            if (resource, request.body["metadata"]["name"]) in self.objects:
                raise _refusal(request, 409, "already exists")
            return self.put(resource, request.body)
        held = self._known(request, resource, name)
        if request.method == "DELETE":
            return self._deleted(request, held)
        if request.method == "PUT":
            changed = copy.deepcopy(request.body)
        elif request.content_type == MERGE_PATCH:
            changed = merged(held, request.body)
        else:
            changed = self._patched(request, held)
        if changed["metadata"].get("resourceVersion") != held["metadata"]["resourceVersion"]:
            raise _refusal(request, 409, "the object has been modified")
        changed = _defaulted(changed)
        invalid = _invalid(changed) if resource == "deployments" else ""
        if invalid:
            raise _refusal(request, 422, invalid, causes=[{"message": invalid}])
        return held if changed == held else self.put(resource, changed)

    def _deleted(self, request: Request, held: Json) -> Json:
        """Delete what the preconditions name, and what of it goes with it."""
        meta, wanted = held["metadata"], (request.body or {}).get("preconditions") or {}
        if any(meta.get(key) != value for key, value in wanted.items()):
            raise _refusal(request, 409, "the precondition does not match the object")
        self.drop(request.resource, meta["name"])
        if request.resource == "services":
            self.drop("endpointslices", f"{meta['name']}-x")
        return {"kind": "Status", "status": "Success", "metadata": {}}

    def _patched(self, request: Request, held: Json) -> Json:
        try:
            return json_patched(held, request.body)
        except LookupError:
            raise _refusal(request, 422, "the server rejected our request due to an error in it") from None

    # -- the controllers -----------------------------------------------------------------------------------

    def tick(self, seconds: float) -> None:
        """Let time pass, pods become ready and every controller act."""
        assert len(self.history) < MOST_TICKS, "this release never ends"
        self.now += seconds
        self._probe()
        self._deploy()
        self._publish()
        self.history.append(self.serving())

    def settle(self) -> None:
        for _ in range(3):
            self.tick(self.ready_seconds)

    def _probe(self) -> None:
        for one in self.all("pods"):
            healthy = one["spec"]["containers"][0]["image"] not in self.broken
            if healthy and not ready(one) and self.now - one["born"] >= self.ready_seconds:
                at = (BEGAN + dt.timedelta(seconds=self.now)).isoformat()
                condition = {"type": "Ready", "status": "True", "lastTransitionTime": at}
                runs = [
                    {"name": box["name"], "imageID": _digest_of(box["image"])}
                    for box in one["spec"]["containers"]
                ]
                status = {"phase": "Running", "conditions": [condition], "containerStatuses": runs}
                self.put("pods", {**one, "status": status})

    def _deploy(self) -> None:
        thing = self.deployment
        new = self._new_set(thing)
        others = [one for one in self.all("replicasets") if new is None or not _same(one, new)]
        old = max(others, key=lambda one: one["spec"]["replicas"], default=None)
        world = self._world(thing, old, new).controllers()
        self.scaled_for = world.scaled_for
        for one, side in ((old, world.stable), (new, world.preview)):
            if one is not None:
                self._staff(one, side.desired)
        status = {
            "observedGeneration": thing["metadata"]["generation"],
            "readyReplicas": sum(map(ready, self.all("pods"))),
            "updatedReplicas": world.preview.desired,
        }
        if status != thing.get("status"):
            self.put("deployments", {**self.deployment, "status": status})

    def _new_set(self, thing: Json) -> Json | None:
        """Find the ReplicaSet of the Deployment's template; make it unless the Deployment is paused."""
        wanted = digest(thing["spec"]["template"])
        found = next(
            (one for one in self.all("replicasets") if digest(one["spec"]["template"]) == wanted), None
        )
        if found is None and not thing["spec"].get("paused"):
            revision = len(self.all("replicasets")) + 1
            found = self.put("replicasets", replica_set(thing["spec"]["template"], 0, revision))
        kept = (thing["metadata"].get("annotations") or {}).get(ANNOTATION)
        if found is not None and kept and found["metadata"]["annotations"].get(ANNOTATION) != kept:
            found = self.put("replicasets", merged(found, {"metadata": {"annotations": {ANNOTATION: kept}}}))
        return found

    def _world(self, thing: Json, old: Json | None, new: Json | None) -> World:
        spec = thing["spec"]
        rolling = spec["strategy"].get("rollingUpdate") or {}
        settings = Settings(
            held=spec.get("minReadySeconds", 0) >= HELD_SECONDS,
            unavailable=Amount.parse(str(rolling.get("maxUnavailable", "25%"))),
            surge=Amount.parse(str(rolling.get("maxSurge", "25%"))),
            paused=bool(spec.get("paused")),
        )
        return World(
            replicas=spec["replicas"],
            stable=self._side(old),
            preview=self._side(new),
            template=Template.PREVIEW,
            settings=settings,
            scaled_for=self.scaled_for,
        )

    def _side(self, owner: Json | None) -> Side:
        if owner is None:
            return Side("")
        pods = tuple(Pod(one["metadata"]["name"], ready(one)) for one in self._pods(owner))
        return Side(hash_of(owner["spec"]["template"]), owner["spec"]["replicas"], pods)

    def _pods(self, owner: Json) -> list[Json]:
        return [one for one in self.all("pods") if owned_by(one, owner) and live(one)]

    def _staff(self, owner: Json, size: int) -> None:
        """Be the ReplicaSet controller: not ready first, then by deletion cost, then the youngest."""
        owner = self.objects["replicasets", owner["metadata"]["name"]]
        if owner["spec"]["replicas"] != size:
            owner = self.put("replicasets", {**owner, "spec": {**owner["spec"], "replicas": size}})
        pods = self._pods(owner)
        doomed = sorted(pods, key=lambda one: (ready(one), _cost(one), -one["born"]))[
            : max(0, len(pods) - size)
        ]
        for one in doomed:
            self.drop("pods", one["metadata"]["name"])
        for _ in range(size - len(pods)):
            fresh = pod(owner, f"{owner['metadata']['name']}-{self.version}", ready=False)
            self.put("pods", {**fresh, "born": self.now})

    def _publish(self) -> None:
        """Be the EndpointSlice controller."""
        for one in self.all("services"):
            name, selector = one["metadata"]["name"], one["spec"]["selector"].items()
            names = [
                each["metadata"]["name"]
                for each in self.all("pods")
                if ready(each) and selector <= each["metadata"]["labels"].items()
            ]
            endpoints = [
                {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": n}} for n in names
            ]
            meta = {"name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}}
            held = self.objects.get(("endpointslices", f"{name}-x"))
            if held is None or held["endpoints"] != endpoints:
                self.put("endpointslices", {"metadata": meta, "endpoints": endpoints})


class Api:
    """Stands where `deployctl.cluster.api.Api` stands. `page` is what every pod answers through the proxy."""

    host = "https://fake"
    namespace = NAMES.namespace
    context = "fake"

    def __init__(self, cluster: Cluster, page: tuple[int, bytes] = (200, b"ok")) -> None:
        self.cluster, self.page = cluster, page
        self.proxied: list[str] = []

    def get(self, where: str, **query: str) -> Json:
        return self.send(Request("GET", where, query=query))

    def post(self, where: str, body: Json) -> Json:
        return self.send(Request("POST", where, body))

    def send(self, request: Request) -> Json:
        with self.cluster.lock:
            return self.cluster.call(request)

    def raw(self, request: Request, timeout_seconds: float) -> tuple[int, bytes]:
        del timeout_seconds
        self.proxied.append(request.path.rpartition("/pods/")[2])
        return self.page

    def now(self) -> dt.datetime:
        return BEGAN + dt.timedelta(seconds=self.cluster.now)

    def lines(self, request: Request, silence_seconds: float) -> Iterator[Json]:
        """Watch from a version on."""
        del silence_seconds
        cluster, resource = self.cluster, request.path.rpartition("/")[2]
        version = int(request.query["resourceVersion"])
        while not cluster.closed.wait(0.005):
            with cluster.lock:
                events = copy.deepcopy(cluster.since(version, resource, request.query))
                version = cluster.version
            yield from events


class Signal:
    """Lets virtual time pass where the real one waits; a gate that is being asked gets real time to answer."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._event = cluster, threading.Event()
        self._others = set(threading.enumerate())

    def ring(self) -> None:
        self._event.set()

    def wait(self, seconds: float | None) -> None:
        if any(
            one.name.startswith(("gate ", "flag "))
            for one in threading.enumerate()
            if one not in self._others
        ):
            self._event.wait(1.0)
        self._event.clear()
        self._cluster.tick(max(seconds or 0.0, 0.01))


class View:
    """Stands where `deployctl.cluster.view.View` stands, and is never late."""

    def __init__(self, api: Api, names: Names = NAMES) -> None:
        self.api, self.names, self.signal = api, names, Signal(api.cluster)
        self.followed: list[tuple[str, str]] = []

    def follow(self, resource: str, name: str) -> None:
        self.followed.append((resource, name))

    def look(self) -> Snapshot:
        cluster = self.api.cluster
        return copy.deepcopy(
            Snapshot(
                deployment=cluster.deployment,
                replica_sets=tuple(cluster.all(self.names.revisions)),
                pods=tuple(cluster.all("pods")),
                services=tuple(cluster.objects["services", name] for name in self.names.services),
                slices=tuple(one for one in cluster.all("endpointslices") if _behind(one, self.names)),
                others=tuple(
                    one
                    for one in cluster.all("services")
                    if one["metadata"]["name"] not in self.names.services
                ),
                scalers=tuple(cluster.objects[key] for key in self.followed if key in cluster.objects),
            )
        )

    def record(self) -> Json | None:
        return self.api.cluster.objects.get(("configmaps", self.names.record))

    def services(self) -> tuple[Json, ...]:
        return tuple(self.api.cluster.all("services"))

    def absorb(self, resource: str, one: Json) -> None:
        """Nothing to do: the next look has it."""

    def reread(self, request: Request) -> None:
        """Nothing to do: the next look has it."""

    def forget(self, resource: str, name: str) -> None:
        """Nothing to do: the next look has it."""


def _behind(endpoint_slice: Json, names: Names) -> bool:
    return endpoint_slice["metadata"]["labels"]["kubernetes.io/service-name"] in names.services


def silence() -> Unreachable:
    """What a call ends in while the API does not answer."""
    return Unreachable("https://fake does not answer")


def merged(held: Any, change: Any) -> Any:
    """Apply a merge patch (RFC 7386)."""
    if not isinstance(change, dict):
        return change
    whole = dict(held) if isinstance(held, dict) else {}
    for key, value in change.items():
        whole[key] = merged(whole.get(key), value)
    return {key: value for key, value in whole.items() if value is not None}


def json_patched(held: Json, ops: list[Json]) -> Json:
    """Apply a JSON patch (RFC 6902: test, add, remove); raise LookupError where it does not apply."""
    whole = copy.deepcopy(held)
    for op in ops:
        *parents, last = (one.replace("~1", "/").replace("~0", "~") for one in op["path"][1:].split("/"))
        where = whole
        for one in parents:
            where = where[one]
        if op["op"] == "add":
            where[last] = copy.deepcopy(op["value"])
        elif op["op"] == "remove":
            del where[last]
        elif where.get(last) != op["value"]:
            raise LookupError(op["path"])
    return whole


def _refusal(request: Request, status: int, message: str, **details: Any) -> Exception:
    return failure(request, status, json.dumps({"message": message, "details": details}).encode(), {})


def _defaulted(one: Json) -> Json:
    """Leave out what the API server leaves out: a false pause, no minReadySeconds, empty annotations."""
    spec = {
        key: value
        for key, value in one.get("spec", {}).items()
        if not (key in {"paused", "minReadySeconds"} and not value)
    }
    meta = {key: value for key, value in one["metadata"].items() if key != "annotations" or value}
    return {**one, "metadata": meta, **({"spec": spec} if "spec" in one else {})}


def _invalid(thing: Json) -> str:
    """Say what the API server finds invalid in a Deployment."""
    spec, rolling = thing["spec"], thing["spec"]["strategy"].get("rollingUpdate") or {}
    if {str(one).removesuffix("%") for one in rolling.values()} == {"0"}:
        return "maxUnavailable may not be 0 when maxSurge is 0"
    if spec.get("minReadySeconds", 0) >= spec["progressDeadlineSeconds"]:
        return "progressDeadlineSeconds must be greater than minReadySeconds"
    return ""


def _selected(one: Json, query: Any) -> bool:
    """Say whether a list or watch with these selectors holds an object: `a=b` and `a in (b,c)`."""
    labels, wanted = one["metadata"].get("labels", {}), query.get("labelSelector", "")
    named = query.get("fieldSelector", "").removeprefix("metadata.name=")
    if " in (" in wanted:
        key, _, values = wanted.removesuffix(")").partition(" in (")
        return labels.get(key) in values.split(",")
    pairs = (pair.partition("=") for pair in wanted.split(",") if pair)
    return named in ("", one["metadata"]["name"]) and all(labels.get(k) == v for k, _, v in pairs)


def _digest_of(image: str) -> str:
    """Give what a node says it runs for an image, until its tag moves."""
    return f"{image.partition(':')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _version(one: Json) -> int:
    return int(one["metadata"]["resourceVersion"])


def _moment(event: Json) -> int:
    return _version(event["object"])


def _same(one: Json, other: Json) -> bool:
    return bool(one["metadata"]["name"] == other["metadata"]["name"])


def _cost(one: Json) -> int:
    return int((one["metadata"].get("annotations") or {}).get(COST, 0))


def _ours(one: Json) -> bool:
    meta = one["metadata"]
    marks = (*(meta.get("labels") or {}), *(meta.get("annotations") or {}), *_selectors(one))
    return any("deployctl" in mark for mark in marks) or COST in marks or HASH in _selectors(one)


def _selectors(one: Json) -> tuple[str, ...]:
    selector = one.get("spec", {}).get("selector") or {}
    return () if one["kind"] != "Service" else tuple(selector)
