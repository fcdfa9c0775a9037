"""Writes a pod's status as a kubelet does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from deployctl.sandbox.api.admission import quality
from deployctl.sandbox.controllers import HOST
from deployctl.sandbox.controllers.conditions import condition, updated
from deployctl.sandbox.pods.probes import Probing
from deployctl.sandbox.store import stamp

Json = dict[str, Any]
Stage = Literal["creating", "waiting", "running", "crashed", "ending", "over"]


@dataclass
class Life:
    """What a kubelet knows of a pod that it runs; all containers of a pod live and die together here."""

    pod: Json
    ip: str
    born: float
    until: float  # the next thing happens then: the start, another try
    stage: Stage = "creating"
    waiting: Json = field(default_factory=lambda: {"reason": "ContainerCreating"})
    housed: bool = False  # its network is there
    identity: str = ""  # of the container: 64 hexadecimal digits
    started: float = 0.0
    restarts: int = 0
    ended: Json | None = None  # how it ended last
    probes: dict[str, Probing] = field(default_factory=dict)
    backoff: tuple[float, float] = (0.0, 0.0)  # seconds, and since when
    crashed: float = 0.0
    told: float = 0.0  # when the last back-off was told
    grace: float | None = None
    gone: bool = False

    @property
    def runs(self) -> bool:
        return self.stage in {"running", "ending"}

    @property
    def is_started(self) -> bool:
        startup = self.probes.get("startup")
        return self.runs and (startup is None or bool(startup.passes))

    @property
    def is_ready(self) -> bool:
        readiness = self.probes.get("readiness")
        return self.is_started and (readiness is None or bool(readiness.passes))


def phase_of(life: Life) -> str:
    if life.stage == "over":
        return "Failed" if (life.ended or {}).get("exitCode") else "Succeeded"
    return "Running" if life.identity and (life.runs or life.ended) else "Pending"


def status_of(pod: Json, life: Life, now: float) -> Json:
    """Give the whole status; conditions of others stay."""
    held, generation = pod.get("status", {}), pod["metadata"].get("generation", 1)
    conditions = list(held.get("conditions") or ())
    for kind, wrong in _conditions(pod, life):
        new = {"type": kind, "observedGeneration": generation, "lastProbeTime": None}
        shown = {**new, "status": "False", **wrong} if wrong else {**new, "status": "True"}
        conditions = updated(conditions, shown, stamp(now))
    shown_ip = {"podIP": life.ip, "podIPs": [{"ip": life.ip}]} if life.housed else {}
    return {
        **held,
        "observedGeneration": generation,
        "phase": phase_of(life),
        "conditions": sorted(conditions, key=_place),
        "hostIP": HOST,
        "hostIPs": [{"ip": HOST}],
        **shown_ip,
        "startTime": stamp(life.born),
        "containerStatuses": [_container(one, life) for one in pod["spec"]["containers"]],
        "qosClass": held.get("qosClass") or quality(pod["spec"]),
    }


ORDER = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def _place(one: Json) -> int:
    return ORDER.index(one["type"]) if one["type"] in ORDER else -1


def _conditions(pod: Json, life: Life) -> list[tuple[str, Json | None]]:
    """Give each condition's type with what is wrong; None where nothing is."""
    phase, reason = phase_of(life), ""
    if phase == "Failed":
        reason = "PodFailed"
    elif phase == "Succeeded":
        reason = "PodCompleted"
    unready: Json | None = {"reason": reason} if reason else None
    if not reason and not life.is_ready:
        names = " ".join(one["name"] for one in pod["spec"]["containers"])
        message = f"containers with unready status: [{names}]"
        unready = {"reason": "ContainersNotReady", "message": message}
    sandbox: Json | None = None if life.housed and life.stage != "over" else {"status": "False"}
    initialized: Json | None = {"status": "True", "reason": reason} if reason == "PodCompleted" else None
    return [
        ("PodReadyToStartContainers", sandbox),
        ("Initialized", initialized),
        ("Ready", unready or _gated(pod)),
        ("ContainersReady", unready),
        ("PodScheduled", None),
    ]


def _gated(pod: Json) -> Json | None:
    """Tell which readiness gate keeps a pod from being ready."""
    messages = []
    for gate in pod["spec"].get("readinessGates") or ():
        kind = gate["conditionType"]
        held = condition(pod, kind)
        if held is None:
            messages.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif held["status"] != "True":
            messages.append(f'the status of pod readiness gate "{kind}" is not "True", but {held["status"]}')
    return {"reason": "ReadinessGatesNotReady", "message": ", ".join(messages)} if messages else None


def _container(one: Json, life: Life) -> Json:
    image = canonical(one.get("image", ""))
    shown = {
        "name": one["name"],
        "state": _state(life),
        "lastState": {"terminated": life.ended}
        if life.ended and life.stage not in {"crashed", "over"}
        else {},
        "ready": life.is_ready,
        "restartCount": life.restarts,
        "image": image if life.identity else one.get("image", ""),
        "imageID": f"{image.rpartition(':')[0]}@sha256:{_digest(image)}" if life.identity else "",
        "started": life.is_started,
        "resources": one.get("resources") or {},
    }
    if life.identity:
        shown["containerID"] = f"containerd://{life.identity}"
    if requests := shown["resources"].get("requests"):
        shown["allocatedResources"] = requests
    if mounts := one.get("volumeMounts"):
        shown["volumeMounts"] = [_mount(each) for each in mounts]
    return shown


def _mount(one: Json) -> Json:
    shown = {key: value for key, value in one.items() if key in {"mountPath", "name", "readOnly"}}
    return {**shown, "recursiveReadOnly": "Disabled"} if one.get("readOnly") else shown


def _state(life: Life) -> Json:
    if life.runs:
        return {"running": {"startedAt": stamp(life.started)}}
    if life.stage in {"crashed", "over"} and life.ended:
        return {"terminated": life.ended}
    return {"waiting": life.waiting}


def canonical(image: str) -> str:
    """Give an image's full name: `app:1` is `docker.io/library/app:1`."""
    first, slash, _ = image.partition("/")
    if not slash:
        image = f"docker.io/library/{image}"
    elif "." not in first and ":" not in first and first != "localhost":
        image = f"docker.io/{image}"
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"


@cache
def _digest(image: str) -> str:
    return hashlib.sha256(image.encode()).hexdigest()
