"""What is tried: an app at rest, what has happened before, and the commands that the faults befall."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from deployctl.cli import releasing, returning, steering
from deployctl.memory import LABEL
from deployctl.sandbox.faults import Fault
from deployctl.sandbox.pods.imagined import CONSUME
from deployctl.sandbox.store import Event
from tests.faults.pods import Playing
from tests.faults.stage import FLAGS, NAMESPACE, Stage

Json = dict[str, Any]
EXAMPLE = Path(__file__).parent.parent.parent / "manifests" / "igaming"
APP = "balances"
OLD, NEW, NEWER = (f"localhost/igaming:{number}" for number in (1, 2, 3))
SECRET = "s3cr3t-4nd-n0b0dys"
KEEP_SECONDS = 20.0
SETTLE_SECONDS = 10.0
LATE_ROUND_SECONDS = 20.0  # longer than any preStop

SMOKE = {"name": "smoke", "http": {"path": "/healthz", "expect": 200}}
READS = {"name": "reads", "http": {"path": "/balances/canary", "expect": 200}}
BLUE_GREEN = {"blueGreen": {"promote": "auto", "keepOld": f"{KEEP_SECONDS:g}s"}}
ROLLING = {"rolling": {"batch": 1, "bake": "5s"}}
BY_PAIRS = {"rolling": {"batch": 2, "bake": "5s"}}
AFTER_BEGIN = Fault("killAfter", call=1, method="PATCH", resource="deployments")


def dies(number: int, resource: str = "deployments") -> Fault:
    """Let a process die right before it sends the patch of this number."""
    return Fault("killBefore", call=number, method="PATCH", resource=resource)


@dataclass(frozen=True)
class Scenario:
    """`before` are commands that have run already, each with the fault that ended it; `act` are those on trial."""

    name: str
    strategy: Mapping[str, Any]
    act: tuple[str, ...] = ("release",)
    before: tuple[tuple[str, Fault | None], ...] = ()
    ends: str = NEW  # the image that serves after `act`, when nothing goes wrong
    exits: tuple[int, ...] = (0,)
    size: int = 3
    floor: int | None = None  # the fewest that may serve; as many as there are
    services: tuple[str, ...] = (APP,)
    env: Mapping[str, str] = field(default_factory=dict)  # of the new template
    lasting: bool = False  # the old pods have a preStop, too
    pre_stop: str = "5s"
    rounds_seconds: float = 0.0  # how long a round is open on the old pods
    late_seconds: float = (
        0.0  # from an old pod's being told to leave to a round on it: a node has not heard yet
    )
    consumes: str = ""  # how its consumers go over
    quota: int | None = None  # pods that the namespace has room for
    scaled: tuple[tuple[float, int], ...] = ()  # seconds after the act begins, and to how many
    latency: tuple[float, float] | None = None  # of the controllers
    autoscaled: bool = False
    load: tuple[
        tuple[float, int], ...
    ] = ()  # seconds after the act begins, and how many mCPU all its pods use
    again: str = "resume"  # goes on with what was begun
    flags: Mapping[str, Any] = field(default_factory=dict)  # moves of the flags that a ConfigMap keeps
    policy: str = ""  # of a StatefulSet: how it manages its pods

    @property
    def rolling(self) -> bool:
        return "rolling" in self.strategy

    @property
    def resource(self) -> str:
        return "statefulsets" if self.policy else "deployments"

    @property
    def onward(self) -> str:
        """Name the image that serves when the release itself is gone on with."""
        return NEW if self.act[-1] in {"abort", "rollback"} else self.ends

    @property
    def least(self) -> int:
        return self.size if self.floor is None else self.floor

    def document(self) -> Json:
        """Write the app's spec file."""
        gates: Json = {"before": [SMOKE]}
        gates["during" if self.rolling else "after"] = [READS]
        drain: Json = {"preStop": self.pre_stop}
        if self.rounds_seconds or self.late_seconds:
            drain |= {"rounds": {"path": "/internal/rounds"}, "timeout": "10m"}
        kind = "statefulSet" if self.policy else "deployment"
        workload = {"manifests": ["app.yaml"], kind: APP, "services": list(self.services)}
        spec = {"workload": workload, "strategy": self.strategy, "drain": drain, "gates": gates}
        if self.consumes:
            spec["consumes"] = {"mode": self.consumes, "path": CONSUME, "atStart": "paused"}
        if self.flags:
            spec["flags"] = {"provider": {"configMap": {"name": "flags", "key": "flags.json"}}, **self.flags}
        return {
            "apiVersion": "deployctl.dev/v1alpha1",
            "kind": "App",
            "metadata": {"name": APP},
            "spec": spec,
        }

    def workload(self, image: str, env: Mapping[str, str]) -> Json:
        one = self.deployment(image, env)
        return _ranked(one, self.policy) if self.policy else one

    def deployment(self, image: str, env: Mapping[str, str]) -> Json:
        one = _example("deployment")
        box = one["spec"]["template"]["spec"]["containers"][0]
        box["image"] = image
        events = {"EVENTS": "/queue"} if self.consumes else {}
        box["env"] += [{"name": key, "value": value} for key, value in {**env, **events}.items()]
        if self.lasting:
            box["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
        one["spec"]["replicas"] = self.size
        one["metadata"]["annotations"] = {"owner": "payments-team"}
        return one

    def service(self, name: str) -> Json:
        one = _example("service")
        one["metadata"] |= {"name": name, "annotations": {"owner": "payments-team"}}
        return one

    def objects(self) -> list[Json]:
        """List what is in the cluster before anything is released."""
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "room"}}
        room = [{**quota, "spec": {"hard": {"pods": str(self.quota)}}}] if self.quota else []
        scaler = [_example("hpa")] if self.autoscaled else []
        services = [self.service(name) for name in self.services]
        flags = [_flags(self.flags)] if self.flags else []
        peers = [_peers()] if self.policy else []
        return [self.workload(OLD, {}), *services, *peers, _example("pdb"), *scaler, *room, *flags]

    def at_rest(self, seed: int) -> Stage:
        """Give a stage on which the app has been up for a while."""
        stage = Stage(seed, Playing)
        if self.latency:
            stage.world.cluster.latency_seconds = self.latency
        for one in self.objects():
            stage.api.create(one)
        stage.world.pass_time(SETTLE_SECONDS + 20 * max(self.latency or (0,)))
        for pod in stage.world.cluster.store.list("pods", NAMESPACE) if self.consumes else ():
            stage.world.runtime.employ(pod)  # type: ignore[attr-defined]
        return stage

    def meanwhile(self, stage: Stage) -> None:
        """Begin what goes on beside the act: rounds are played, somebody scales."""
        store = stage.world.cluster.store
        if self.rounds_seconds:
            for number, pod in enumerate(store.list("pods", NAMESPACE)):
                stage.world.runtime.play(pod, self.rounds_seconds * (number + 1))  # type: ignore[attr-defined]
        if self.late_seconds:
            old = frozenset(pod["metadata"]["uid"] for pod in store.list("pods", NAMESPACE))
            store.listeners.append(partial(self._open_late, stage, old))
        for seconds, size in self.scaled:
            stage.world.at(seconds, partial(_scale, stage, size))
        for seconds, amount in self.load:
            stage.world.at(seconds, partial(_load, stage, amount))

    def _open_late(self, stage: Stage, old: frozenset[str], event: Event) -> None:
        """Open a round on an old pod that has just lost the label by which the Services choose."""
        if event.before is None or event.object["metadata"].get("uid") not in old:
            return
        before, after = (one["metadata"].get("labels") or {} for one in (event.before, event.object))
        if LABEL in before and LABEL not in after:
            play = partial(stage.world.runtime.play, event.object, LATE_ROUND_SECONDS)  # type: ignore[attr-defined]
            stage.world.at(self.late_seconds, play)

    def body(self, command: str) -> Callable[[], int]:
        """Give what a command does: `release promote=manual wait=promoted`."""
        verb, *words = command.split()
        return partial(VERBS[verb], folder(self), dict(one.split("=") for one in words))


def _ranked(deployment: Json, policy: str) -> Json:
    """Make a StatefulSet of a Deployment."""
    spec = {key: deployment["spec"][key] for key in ("replicas", "selector", "template")}
    more = {"serviceName": f"{APP}-peers", "podManagementPolicy": policy}
    return {**deployment, "kind": "StatefulSet", "spec": {**spec, **more}}


def _peers() -> Json:
    """Give the headless Service that names the pods of a StatefulSet."""
    one = _example("service")
    one["metadata"]["name"] = f"{APP}-peers"
    one["spec"] |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    return one


def _flags(moves: Mapping[str, Any]) -> Json:
    """Keep every flag that is moved, each off."""
    keys = {key for each in moves.values() for key in each}
    one = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
    kept = json.dumps({"flags": dict.fromkeys(sorted(keys), one)})
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags"}, "data": {"flags.json": kept}
    }  # fmt: skip


def _scale(stage: Stage, size: int) -> None:
    one = stage.get("deployments", APP)
    assert one
    stage.update("deployments", {**one, "spec": {**one["spec"], "replicas": size}})


def _load(stage: Stage, amount: int) -> None:
    """Let the pods with traffic share a load, as the metrics of the autoscaler tell it."""
    store = stage.world.cluster.store

    def uses(pod: Json) -> dict[str, str]:
        ends = [end for one in store.list("endpointslices", NAMESPACE) for end in one["endpoints"] or ()]
        names = {end["targetRef"]["name"] for end in ends}
        return {"cpu": f"{amount // len(names)}m" if pod["metadata"]["name"] in names else "1m"}

    stage.world.cluster.controllers["autoscaler"].metrics = uses  # type: ignore[attr-defined]


def _release(path: str, words: dict[str, str]) -> int:
    image = [words["image"]] if "image" in words else []
    ask = releasing.Asked(
        image,
        False,
        words.get("promote", ""),
        words.get("wait", "finished"),
        "30m",
        "abort",
        False,
        "replace" in words,
        "",
        True,
    )
    return releasing.release(FLAGS, path, ask)


def _go_on(wish: str) -> Callable[[str, dict[str, str]], int]:
    return lambda _path, _words: steering.go_on(FLAGS, APP, "30m", wish, "", proceed=False)


def _abort(_path: str, _words: dict[str, str]) -> int:
    return steering.abort(FLAGS, APP, "", fast=False)


def _rollback(_path: str, _words: dict[str, str]) -> int:
    return returning.rollback(FLAGS, APP, returning.Asked("", "", fast=False, yes=True))


VERBS: dict[str, Callable[[str, dict[str, str]], int]] = {
    "release": _release,
    "resume": _go_on(""),
    "promote": _go_on("promote"),
    "finish": _go_on("finish"),
    "abort": _abort,
    "rollback": _rollback,
    "pause": lambda _path, _words: steering.pause(FLAGS, APP, ""),
}


@cache
def _read(name: str) -> str:
    return json.dumps(yaml.safe_load((EXAMPLE / APP / f"{name}.yaml").read_text()))


def _example(name: str) -> Json:
    made: Json = json.loads(_read(name))
    return made


KEPT = tempfile.TemporaryDirectory(prefix="deployctl-faults-")


@cache
def _folder(name: str) -> Path:
    made = Path(KEPT.name) / name
    made.mkdir(exist_ok=True)
    return made


def folder(scenario: Scenario) -> str:
    """Give the folder of a scenario's spec file and manifests, which name the new image."""
    made = _folder(scenario.name)
    if not (made / "deployctl.yaml").exists():
        objects = [
            scenario.workload(NEW, {**scenario.env}),
            *map(scenario.service, scenario.services),
        ]
        (made / "app.yaml").write_text("---\n".join(f"{json.dumps(one)}\n" for one in objects))
        (made / "deployctl.yaml").write_text(json.dumps(scenario.document()))
    return str(made)


def _blue_green(name: str, **fields: Any) -> Scenario:
    return Scenario(f"blue-green-{name}", fields.pop("strategy", BLUE_GREEN), **fields)


def _rolling(name: str, **fields: Any) -> Scenario:
    return Scenario(f"rolling-{name}", fields.pop("strategy", ROLLING), **fields)


def _stateful(name: str, **fields: Any) -> Scenario:
    """Release a StatefulSet: of its pods one is always being made anew."""
    policy, size = fields.pop("policy", "OrderedReady"), fields.pop("size", 3)
    floor = fields.pop("floor", size - 1)
    strategy = fields.pop("strategy", ROLLING)
    return Scenario(f"stateful-{name}", strategy, policy=policy, size=size, floor=floor, **fields)


def lowered(number: int) -> tuple[tuple[str, Fault], ...]:
    """Let a release of a StatefulSet have died right before its patch of this number."""
    return (("release", dies(number, "statefulsets")),)


RELEASED = (("release", None),)
WAITS = (("release promote=manual", None),)
PAIR = (APP, f"{APP}-2")
FRONT = {"blueGreen": {**BLUE_GREEN["blueGreen"], "previewService": f"{APP}-preview"}}
BAD = {"HEALTHZ_STATUS": "500"}
SLOW = (0.2, 1.2)
AFTER = {"after": {"new-wallet": True}}

SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        _blue_green("release"),
        _rolling("release"),
        _blue_green("two-services", services=PAIR),
        _rolling("two-services", services=PAIR),
        _blue_green("resume", before=(("release", dies(3)),), act=("resume",)),
        _blue_green("resume-after-shift", before=(("release", dies(7)),), act=("resume",)),
        _rolling("resume", before=(("release", dies(4)),), act=("resume",)),
        _blue_green("abort", before=WAITS, act=("abort",), ends=OLD),
        _blue_green("rollback-in-keep-old", before=(("release", dies(7)),), act=("rollback",), ends=OLD),
        _rolling("abort", before=(("release", dies(4)),), act=("abort",), ends=OLD),
        _rolling("abort-detached", before=(("release", dies(7, "pods")),), act=("abort",), ends=OLD),
        _rolling("abort-last-batch", before=(("release", dies(7, "services")),), act=("abort",), ends=OLD),
        _rolling("abort-finishing", before=(("release", dies(9, "services")),), act=("abort",), ends=OLD),
        _blue_green("rollback", before=RELEASED, act=("rollback",), ends=OLD),
        _blue_green("rollback-no-pre-stop", before=RELEASED, act=("rollback",), ends=OLD, pre_stop="keep"),
        _rolling("rollback", before=RELEASED, act=("rollback",), ends=OLD),
        _blue_green("promote", before=WAITS, act=("promote",)),
        _blue_green("wait-promoted", act=("release wait=promoted", "finish")),
        _blue_green("preview-service", strategy=FRONT),
        _blue_green("no-pre-stop", pre_stop="keep"),
        _rolling("no-pre-stop", pre_stop="keep"),
        _rolling("rounds", rounds_seconds=15.0),
        _rolling("abort-rounds", before=(("release", dies(4)),), act=("abort",), ends=OLD, rounds_seconds=40),
        _rolling(
            "abort-half-way",
            before=(("release", dies(6, "services")),),
            act=("abort",),
            ends=OLD,
            rounds_seconds=9,
        ),
        _rolling("late-rounds", late_seconds=0.9, lasting=True),
        _blue_green("rounds", rounds_seconds=20.0),
        _rolling("no-room", strategy={"rolling": {"batch": 1, "surge": 0, "bake": "5s"}}, floor=2),
        _blue_green("quota", quota=4, ends=OLD, exits=(3,)),
        _rolling("quota", quota=3, ends=OLD, exits=(2,)),
        _blue_green("gate-says-no", env=BAD, ends=OLD, exits=(3,)),
        _rolling("gate-says-no", env=BAD, ends=OLD, exits=(3,)),
        _blue_green("gate-after-says-no", env={"FAIL_RATE": "1"}, ends=OLD, exits=(3,)),
        _rolling("gate-during-says-no", env={"FAIL_RATE": "1"}, ends=OLD, exits=(3,)),
        _blue_green("secret", env={"DB_PASSWORD": SECRET}, again="release"),
        _blue_green("scaled", scaled=((4.0, 5), (14.0, 4)), lasting=True, autoscaled=True),
        _rolling("scaled", scaled=((4.0, 5), (24.0, 4)), lasting=True, autoscaled=True),
        _blue_green("grows", load=((0.0, 60), (1.0, 150)), lasting=True, autoscaled=True),
        _rolling("grows", load=((0.0, 60), (1.0, 150)), lasting=True, autoscaled=True),
        _blue_green("flags", flags=AFTER),
        _rolling("flags", flags={"before": {"wide-log": True}, **AFTER}),
        _blue_green("flags-abort", before=(("release", dies(7)),), act=("abort",), ends=OLD, flags=AFTER),
        _blue_green("flags-say-no", env={"FAIL_RATE": "1"}, ends=OLD, exits=(3,), flags=AFTER),
        _blue_green("slow", latency=SLOW),
        _rolling("slow", latency=SLOW),
        _blue_green("consumers", consumes="pauseUntilPromote"),
        _rolling("consumers", consumes="pauseUntilPromote"),
        _blue_green("holder", consumes="handOver"),
        _rolling("holder", consumes="handOver"),
        _blue_green("holder-of-1", consumes="handOver", size=1),
        _blue_green("rollback-holder", before=RELEASED, act=("rollback",), ends=OLD, consumes="handOver"),
        _blue_green(
            "rollback-consumers", before=RELEASED, act=("rollback",), ends=OLD, consumes="pauseUntilPromote"
        ),
        _blue_green(
            "abort-holder", before=(("release", dies(7)),), act=("abort",), ends=OLD, consumes="handOver"
        ),
        _rolling(
            "abort-holder",
            before=(("release", dies(9, "services")),),
            act=("abort",),
            ends=OLD,
            consumes="handOver",
        ),
        _blue_green("of-1", size=1),
        _rolling("of-1", size=1),
        _blue_green("of-6", size=6),
        _rolling("of-6", size=6, strategy=BY_PAIRS),
        _stateful("release"),
        _stateful("two-services", services=PAIR),
        _stateful("no-pre-stop", pre_stop="keep"),
        _stateful("resume", before=lowered(4), act=("resume",)),
        _stateful("abort", before=lowered(5), act=("abort",), ends=OLD),
        _stateful("abort-dark", before=lowered(6), act=("abort",), ends=OLD),
        _stateful("abort-last-batch", before=lowered(8), act=("abort",), ends=OLD),
        _stateful("rollback", before=RELEASED, act=("rollback",), ends=OLD),
        _stateful("gate-says-no", env=BAD, ends=OLD, exits=(3,)),
        _stateful("gate-during-says-no", env={"FAIL_RATE": "1"}, ends=OLD, exits=(3,)),
        _stateful("never-ready", env={"NEVER_READY": "1"}, ends=OLD, exits=(3,)),
        _stateful("rounds", rounds_seconds=15.0),
        _stateful("secret", env={"DB_PASSWORD": SECRET}, again="release"),
        _stateful("of-4-parallel", policy="Parallel", size=4, floor=2, strategy=BY_PAIRS),
    )
}
