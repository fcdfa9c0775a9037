"""The oracles: what must always hold (ARCHITECTURE.md), watched at every change of a cluster in virtual time."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployctl.memory import LABEL, Memory, Settings, annotation, load
from deployctl.observe import live, ready, ready_endpoints
from deployctl.rollout import TRUST_SECONDS
from deployctl.sandbox.calls import Answer, Call
from deployctl.sandbox.store import Event
from deployctl.workload import HASH, hash_in
from tests.faults.scenarios import APP, KEEP_SECONDS, OLD, SECRET, Scenario
from tests.faults.stage import CRASHED, KILLED, NAMESPACE, WORKLOADS, Process, Stage

Json = dict[str, Any]
DATA_PLANE_SECONDS = (
    1.0  # from an EndpointSlice to the last node that sends by it (kube-proxy's iptables sync)
)
KEPT = ("deployments", "statefulsets", "services", "replicasets", "controllerrevisions")
USERS = (*KEPT, "pods", "poddisruptionbudgets", "horizontalpodautoscalers")
WRITTEN = frozenset({*WORKLOADS, "services", "pods", "horizontalpodautoscalers"})
UNFENCED = frozenset({"services", "horizontalpodautoscalers"})  # a write that was on its way arrives
PROXY = re.compile(r"/pods/(?:https?:)?([^/:]+)[^/]*/proxy/healthz")
CONSUMER = re.compile(r"/pods/(?:https?:)?([^/:]+)[^/]*/proxy/internal/consume")
REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True)
class Violation:
    invariant: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


class Witness:
    """Watches one stage; `violations` are what did not hold, each kind once."""

    def __init__(self, stage: Stage, scenario: Scenario) -> None:
        self.stage, self.scenario = stage, scenario
        self.store = stage.world.cluster.store
        self.found: dict[tuple[str, str], Violation] = {}
        self.left: dict[tuple[str, str], float] = {}  # when a pod left the endpoints of a Service
        self.behind: dict[str, frozenset[str]] = {name: self._slices(name) for name in scenario.services}
        self.began_with = {self._hash(one) for one in self.all("pods")}
        self.asked: dict[str, set[str]] = defaultdict(
            set
        )  # the pods of a revision that passed their gate, by uid
        self.fenced: dict[int, float] = {}  # since when a process may write no more, by its number
        self.calls_when_fenced: dict[
            int, int
        ] = {}  # the call that it was about to send in that moment counts
        self.scaled_unseen: set[str] = (
            set()
        )  # Services that are short of pods since nobody lived to let them in
        self.late_labels: set[str] = set()  # pods that a process has labelled which was taken over from
        self.last_writer: dict[str, Process] = {}  # to the Deployment, by the release
        self.shifted_at: float | None = None
        self.kept = True  # keepOld has to pass
        self.rest = self.settings()
        self.store.listeners.append(self._heard)
        stage.heard.append(self._answered)
        stage.world.runtime.ending = self._ending  # type: ignore[attr-defined]
        stage.world.runtime.heeded = self._heeded  # type: ignore[attr-defined]

    @property
    def violations(self) -> list[Violation]:
        return list(self.found.values())

    def say(self, invariant: str, kind: str, text: str) -> None:
        at = self.stage.world.now - self.began
        self.found.setdefault(
            (invariant, kind), Violation(invariant, f"{text} ({at:.3f}s, {self._last_call()})")
        )

    began = 0.0

    @property
    def _scales(self) -> bool:
        return bool(self.scenario.scaled or self.scenario.load)

    def _last_call(self) -> str:
        on = self.stage.now_on
        last = f" {on.calls[-1].method} {on.calls[-1].path.rpartition('/namespaces/')[2]}" if on.calls else ""
        return f"{on.command} #{len(on.calls)}{last}" if on is not self.stage.nobody else "nobody"

    def all(self, resource: str) -> list[Json]:
        return self.store.list(resource, NAMESPACE)

    def deployment(self) -> Json:
        one = self.store.get(self.scenario.resource, NAMESPACE, APP)
        assert one
        return one

    def memory(self) -> Memory | None:
        return load(annotation(self.deployment()))

    def _hash(self, pod: Json) -> str:
        return hash_in(pod["metadata"]["labels"])

    def _pod(self, name: str) -> Json | None:
        return self.store.get("pods", NAMESPACE, name)

    # What happens

    def _heard(self, event: Event) -> None:
        match event.resource:
            case "endpointslices":
                self._endpoints_changed(event)
            case "pods":
                self._pod_changed(event)
            case "deployments" | "statefulsets":
                self._deployment_changed(event)
        if self.stage.writing and event.resource in WRITTEN:
            self._written_by(self.stage.writing, event)

    def _answered(self, _process: Process, call: Call, answer: Any) -> None:
        asked = PROXY.search(call.path)
        if asked and isinstance(answer, Answer) and answer.status == 200:
            pod = self._pod(asked[1])
            if pod:
                self.asked[self._hash(pod)].add(_uid(pod))

    def _slices(self, service: str) -> frozenset[str]:
        behind = "kubernetes.io/service-name"
        mine = (one for one in self.all("endpointslices") if one["metadata"]["labels"][behind] == service)
        return frozenset(name for one in mine for name in ready_endpoints(one))

    def _endpoints_changed(self, event: Event) -> None:
        service = event.object["metadata"]["labels"]["kubernetes.io/service-name"]
        if service not in self.behind:
            return
        before, after = self.behind[service], self._slices(service)
        self.behind[service] = after
        for name in before - after:
            self.left[service, name] = self.stage.world.now
        for name in sorted(after - before):
            self._admitted(service, name)
        self._capacity()
        self._shift()

    def _admitted(self, service: str, name: str) -> None:
        """I3: what takes traffic was asked before, or served when all began."""
        pod = self._pod(name)
        if pod is None or (revision := self._hash(pod)) in self.began_with:
            return
        if self.scenario.rolling and not self._scales:
            if _uid(pod) not in self.asked[revision]:
                self.say("I3", "pod", f"{name} is behind {service}, and its gate did not say yes")
        elif len(self.asked[revision]) < (1 if self.scenario.rolling else max(1, self.scenario.size - 1)):
            self.say(
                "I3", "revision", f"{name} is behind {service} after {len(self.asked[revision])} answers"
            )

    def _capacity(self) -> None:
        """I1, I2: enough pods that run are behind every Service."""
        for service, names in self.behind.items():
            serving = sum(self._runs(name) for name in names)
            if not serving and not self._late(names):
                self.say("I1", service, f"nothing is behind {service}")
            elif serving + self._late(names) >= self.scenario.least:
                self.scaled_unseen.discard(service)
            elif not self._scaled_unseen(service):
                self.say("I2", service, f"only {serving} of {self.scenario.least} are behind {service}")

    def _scaled_unseen(self, service: str) -> bool:
        """Say whether somebody may have scaled while the valve is on and no process lives: the one limit of I2.

        Pods that are born then stay dark, and of those that serve some go with the next scaling down; what is short
        then is so until another process has let them in.
        """
        one = self.store.get("services", NAMESPACE, service)
        valve = LABEL in ((one or {}).get("spec", {}).get("selector") or {})
        if valve and self._scales and self.stage.now_on is self.stage.nobody:
            self.scaled_unseen.add(service)
        return service in self.scaled_unseen

    def _late(self, names: frozenset[str]) -> int:
        """Count pods that a late label has taken out, until whoever took over lets them in again."""
        return sum(self._runs(name) for name in self.late_labels - names)

    def _runs(self, name: str) -> bool:
        pod = self._pod(name)
        return pod is not None and self.stage.world.runtime.running(pod)

    def _shift(self) -> None:
        serving = {name for names in self.behind.values() for name in names}
        pods = [pod for name in serving if (pod := self._pod(name))]
        new = bool(pods) and all(self._hash(pod) not in self.began_with for pod in pods)
        if new and self.shifted_at is None:
            self.shifted_at = self.stage.world.now
        elif not new:
            self.shifted_at = None

    def _pod_changed(self, event: Event) -> None:
        going = "deletionTimestamp" in event.object["metadata"] or event.change == "DELETED"
        was = event.before and "deletionTimestamp" not in event.before["metadata"]
        if going and was:
            self._deleted(event.object)

    def _deleted(self, pod: Json) -> None:
        """I7, I10: the old side goes after the shift, and after keepOld."""
        name, memory = pod["metadata"]["name"], self.memory()
        old = self._hash(pod) in self.began_with
        if not old or memory is None or memory.phase == "returning" or memory.strategy == "rollback":
            return
        behind = [service for service, names in self.behind.items() if name in names]
        if behind and not self._scales:
            self.say("I7", "behind", f"{name} of stable goes while it is behind {', '.join(behind)}")
        if self.scenario.rolling or self._scales or not self.kept:
            return
        if self.shifted_at is None or self.stage.world.now - self.shifted_at < KEEP_SECONDS:
            since = "no" if self.shifted_at is None else f"{self.stage.world.now - self.shifted_at:.1f}s of"
            self.say("I10", "keepOld", f"{name} of stable goes after {since} keepOld")

    def _ending(self, pod: Json, ends: float) -> None:
        """Look at the moment at which a process will end."""
        if ends < float("inf"):
            self.stage.world.at(max(0.0, ends - self.stage.world.now), lambda: self._ended(pod, ends))

    def _ended(self, pod: Json, ends: float) -> None:
        """I12: no node sends to a pod that has ended, and no round was open on it."""
        name = pod["metadata"]["name"]
        for service, names in self.behind.items():
            since = ends - self.left.get((service, name), float("-inf"))
            if name in names or since < DATA_PLANE_SECONDS:
                self.say(
                    "I12", "request", f"{name} ended {min(since, 0) or since:.2f}s after it left {service}"
                )
        if self.stage.world.runtime.rounds(pod["metadata"]["uid"]):  # type: ignore[attr-defined]
            self.say("I12", "round", f"a round was open on {name} when it ended")

    def stable_told(self, path: str) -> bool:
        """Say whether a call asks a pod of stable about its consumers: of the new version nothing is needed."""
        asked = CONSUMER.search(path)
        pod = self._pod(asked[1]) if asked else None
        return pod is not None and self._hash(pod) in self.began_with

    def _heeded(self, pod: Json) -> None:
        """C: one revision consumes, the new one only with all the traffic, and nobody tells who was taken over from."""
        consuming = [one for one in self.all("pods") if self.stage.world.runtime.consumes(one)]  # type: ignore[attr-defined]
        old = [one for one in consuming if self._hash(one) in self.began_with]
        shared = self.scenario.consumes == "pauseUntilPromote" and self.stage.mute
        if old and len(old) < len(consuming) and not shared:
            names = ", ".join(one["metadata"]["name"] for one in consuming)
            self.say("C", "both", f"{names} consume, of both revisions")
        memory = self.memory()
        trying = memory is not None and memory.phase == "trying" and memory.strategy != "rollback"
        if trying and len(old) < len(consuming) and not self.scenario.rolling:
            self.say("C", "early", f"{pod['metadata']['name']} consumes before the shift")
        writer = self.stage.writing
        if writer and writer.number in self.fenced and not self._on_its_way(writer):
            self.say("I4", "tell", f"{writer.command} told {pod['metadata']['name']}, fenced")

    def _on_its_way(self, writer: Process) -> bool:
        """Say whether a call of a process that was taken over from was sent, or trusted its lock, before that."""
        since = self.fenced[writer.number]
        trusted = self.stage.world.now - writer.asked_lock_at <= TRUST_SECONDS
        first = self.calls_when_fenced[writer.number] == len(writer.calls)
        return first or (writer.asked_lock_at <= since and trusted)

    def _deployment_changed(self, event: Event) -> None:
        writer, before, after = self.stage.writing, event.before, event.object
        if writer is None or before is None:
            return
        memory = load(annotation(after))
        if before["spec"] != after["spec"]:
            self._remembered(before, after, memory)
        known = memory or load(annotation(before))
        if known:
            self._one_writer(writer, known.id)

    def _remembered(self, before: Json, after: Json, memory: Memory | None) -> None:
        """I5: the memory of a write is in the write; the last leaves the user's own settings."""
        now = Settings.of(after)
        if memory is None:
            last = load(annotation(before))
            wanted, what = (last.own if last else now), "the user's own settings"
        else:
            wanted, what = memory.wrote, "what its memory says"
        if now != wanted:
            self.say("I5", "memory", f"a write left {now} in the Deployment, and not {what}")

    def _one_writer(self, writer: Process, release: str) -> None:
        """I4: once another process has written to the Deployment of a release, who wrote before writes no more."""
        before = self.last_writer.get(release)
        self.last_writer[release] = writer
        if before and before is not writer:
            self._fence_off(before)

    def taken_over(self, release: str) -> None:
        """Note that somebody whom the stage does not know has taken a release over in this moment."""
        if release in self.last_writer:
            self._fence_off(self.last_writer[release])
            self.last_writer[release] = self.stage.nobody

    def _fence_off(self, process: Process) -> None:
        self.fenced.setdefault(process.number, self.stage.world.now)
        self.calls_when_fenced.setdefault(process.number, len(process.calls))

    def _written_by(self, writer: Process, event: Event) -> None:
        """I4: who was taken over from writes no more to a Deployment or a Service, which are guarded.

        A pod is not: a label that was on its way, or follows within the moment for which the lock counts as ours,
        still arrives, and so does the delete of a pod without traffic. It moves no traffic by itself, for the Services are the other's by then. So does one write to
        an autoscaler that was on its way; whoever ends the release, or the next command, gives back what it holds.
        """
        since = self.fenced.get(writer.number)
        if since is None:
            return
        trusted = (
            writer.asked_lock_at <= since and self.stage.world.now - writer.asked_lock_at <= TRUST_SECONDS
        )
        first = self.calls_when_fenced[writer.number] == len(writer.calls)
        if event.resource == "pods" and (first or trusted) and not self._serves(event):
            self.late_labels |= set() if "deletionTimestamp" in event.object["metadata"] else {event.name}
        elif not (first and not self.marked(event) and event.resource in UNFENCED):
            self.say("I4", event.resource, f"{writer.command} wrote {event.resource}/{event.name}, fenced")

    def _serves(self, event: Event) -> bool:
        """Say whether a pod that is deleted was behind a Service: a late delete names the very pod that had left them."""
        leaving = "deletionTimestamp" in event.object["metadata"]
        return leaving and any(event.name in names for names in self.behind.values())

    def marked(self, event: Event) -> bool:
        """Say whether who took over had marked a Service before this write to it: then it had to be refused."""
        copy = load(annotation(event.before)) if event.before else None
        last = self.last_writer.get(copy.id) if copy else None
        return copy is not None and last is not None and copy.by == last.name

    # What is left

    def settings(self) -> Json:
        """Give everything of the user's that a release leaves as it was."""
        deployment = self.deployment()
        spec = {key: one for key, one in deployment["spec"].items() if key not in {"template", "replicas"}}
        others = ("services", "poddisruptionbudgets", "horizontalpodautoscalers")
        kept = {name: [_own(one) for one in self.all(name)] for name in others}
        return {"spec": spec, **kept, "meta": _own(deployment)["metadata"]}

    def serving(self) -> dict[str, dict[str, int]]:
        """Count what is behind each Service, by image."""
        counted: dict[str, dict[str, int]] = {}
        for service, names in self.behind.items():
            images = [_image(pod) for name in names if (pod := self._pod(name))]
            counted[service] = {image: images.count(image) for image in set(images)}
        return counted

    def at_the_end(self) -> None:
        """I6, I13: all new or all old, with nothing of ours left and everything of the user's as it was."""
        deployment = self.deployment()
        image, size = _image(deployment["spec"]["template"]), deployment["spec"]["replicas"]
        for service, counts in self.serving().items():
            if counts != {image: size}:
                self.say("I6", "serving", f"behind {service} are {counts}, not {size} of {image}")
        others = [one for one in self.all("pods") if live(one) and not (ready(one) and _image(one) == image)]
        if others:
            self.say("I6", "pods", f"{len(others)} pods are there besides")
        idle = [
            one["metadata"]["name"]
            for one in self.all("pods")
            if self.scenario.consumes and live(one) and not self.stage.world.runtime.consumes(one)  # type: ignore[attr-defined]
        ]
        if idle:
            self.say("C", "idle", f"{', '.join(idle)} consume nothing")
        left = [name for resource in USERS for name in self._marked(resource)]
        if left:
            self.say("I6", "leftovers", f"ours is left on {', '.join(left)}")
        now = self.settings()
        for key, before in self.rest.items():
            if now[key] != before:
                self.say("I13", key, f"{key} is not as it was: {_difference(before, now[key])}")

    def flags_at_the_end(self, last: Process) -> None:
        """No flag stays on whose code is gone, unless who went back said so; a promoted release has all of its own."""
        new = _image(self.deployment()["spec"]["template"]) != OLD
        for key, one in self._flags().items():
            told = f"flag {key} may still be on" in last.words.getvalue()
            if (one["defaultVariant"] == "on") != new and not told:
                self.say(
                    "flags",
                    key,
                    f"{key} is {one['defaultVariant']}, and {'new' if new else 'old'} code serves",
                )

    def _flags(self) -> Json:
        one = self.store.get("configmaps", NAMESPACE, "flags")
        found: Json = json.loads(one["data"]["flags.json"])["flags"] if one else {}
        return found

    def _marked(self, resource: str) -> Iterator[str]:
        for one in self.all(resource):
            meta, selector = one["metadata"], one.get("spec", {}).get("selector") or {}
            marks = (*(meta.get("labels") or {}), *(meta.get("annotations") or {}))
            if resource == "pods" and meta["name"] in self.late_labels:
                continue
            ours = any("deployctl" in mark or "deletion-cost" in mark for mark in marks)
            if ours or (resource == "services" and (HASH in selector or "deployctl" in str(selector))):
                yield f"{resource}/{meta['name']}"

    def spoke(self, process: Process, exits: frozenset[int]) -> None:
        """I9 and the exit codes: what a command said, and how it ended."""
        if SECRET in process.words.getvalue():
            self.say("I9", "words", f"{process.command} told a secret")
        if process.code == CRASHED:
            last = process.broke.strip().splitlines()[-1]
            self.say("broke", process.command, f"{process.command} broke: {last}")
        elif process.code not in exits | {KILLED}:
            said = process.words.getvalue().strip().splitlines()[-2:]
            self.say("exit", process.command, f"{process.command} ended with {process.code}: {said}")

    def told_nobody(self) -> None:
        """I9: nothing that we wrote holds the secret."""
        kept = [*self.all("configmaps"), *self.all("leases")]
        notes = (annotation(one) for name in KEPT for one in self.all(name))
        if SECRET in str(kept) or any(SECRET in one for one in notes):
            self.say("I9", "objects", "an object of ours holds a secret")


def _own(one: Json) -> Json:
    """Give an object without what the server counts and the status."""
    counted = {"resourceVersion", "generation", "managedFields"}
    meta = {key: value for key, value in one["metadata"].items() if key not in counted}
    notes = {key: value for key, value in (meta.get("annotations") or {}).items() if key != REVISION}
    spec = {} if one.get("kind") == "Deployment" else {"spec": one.get("spec")}
    return {"metadata": {**meta, "annotations": notes}, **spec}


def _uid(pod: Json) -> str:
    """Name this very pod: a StatefulSet's come back under their names."""
    return str(pod["metadata"]["uid"])


def _image(pod: Json) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return ", ".join(f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys)[:400]
    return f"{before} -> {after}"[:400]


__all__ = ["OLD", "Violation", "Witness"]
