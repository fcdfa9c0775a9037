"""Is a workload ready to be released without losing a request? Every weakness, with the patch that mends it.

Pure: the objects go in as the API gives them, findings come out in the order in which a person would look.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from deployctl.memory import LABEL, Settings
from deployctl.room import for_release, told
from deployctl.secrecy import masked
from deployctl.template import lacking_pre_stop
from deployctl.workload import HASH, REVISION_HASH, governs, kind_of, stateful
from strategies.quantities import Amount
from strategies.room import Need, Room

Json = dict[str, Any]
Level = Literal["ok", "warning", "error"]
AFTER_SLEEP_SECONDS = 10  # what an app should have between SIGTERM and SIGKILL
SHORTEST_AFTER_SLEEP_SECONDS = 5
SLEEP = re.compile(r"\bsleep\s+(\d+(?:\.\d+)?)")
HOST = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `fix` is a command, and `restarts` says that it makes all pods anew, ungated."""

    check: str
    level: Level
    message: str
    fix: str = ""
    restarts: bool = False


@dataclass(frozen=True, slots=True)
class Patient:
    """A workload with all that the checks look at; None is what could not be read.

    `listed` are the Services of the spec, None without a spec; `pre_stop_seconds` is the sleep that a release adds
    to a container without a preStop, None where it adds none; `own` are the settings that a running release gives back.
    """

    workload: Json
    own: Settings
    services: tuple[Json, ...]
    pods: tuple[Json, ...]
    budgets: tuple[Json, ...] | None
    autoscalers: tuple[Json, ...] | None
    listed: tuple[str, ...] | None
    pre_stop_seconds: float | None
    kubectl: str
    room: Room | None = None
    more: Need = field(default_factory=Need)  # pods at the peak of a release
    strategy: str = "blueGreen"

    @property
    def name(self) -> str:
        return str(self.workload["metadata"]["name"])

    @property
    def ref(self) -> str:
        return f"{kind_of(self.workload).lower()}/{self.name}"

    @property
    def replicas(self) -> int:
        return int(self.workload["spec"].get("replicas", 1))

    @property
    def template(self) -> Json:
        found: Json = self.workload["spec"]["template"]
        return found

    @property
    def labels(self) -> Json:
        return self.template["metadata"].get("labels") or {}

    @property
    def containers(self) -> list[Json]:
        found: list[Json] = self.template["spec"]["containers"]
        return found

    @property
    def grace(self) -> int:
        return int(self.template["spec"].get("terminationGracePeriodSeconds", 30))

    def patch(self, ref: str, spec: Json) -> str:
        """Write the command that patches an object's spec."""
        return (
            f"{self.kubectl} patch {ref} -p {shlex.quote(json.dumps({'spec': spec}, separators=(',', ':')))}"
        )

    def anew(self, pod: Json) -> str:
        """Write the command that patches the pod's part of the workload."""
        return self.patch(self.ref, {"template": {"spec": pod}})


def findings(patient: Patient) -> tuple[Finding, ...]:
    """Give what every check found; a check that found nothing wrong says so."""
    return tuple(found for check in CHECKS for found in check(patient))


def readiness(patient: Patient) -> Iterator[Finding]:
    """Look for a readiness probe: a pod without one takes traffic the moment its process exists."""
    without = [one for one in patient.containers if "readinessProbe" not in one]
    if len(without) < len(patient.containers):
        return (yield Finding("readiness", "ok", "a readiness probe says when a pod may have traffic"))
    first = next((one for one in without if one.get("ports")), None)
    said = "no container has a readinessProbe: a pod has traffic before the app listens"
    if first is None:
        return (yield Finding("readiness", "error", f"{said}; nor does one name a port"))
    probe = {"periodSeconds": 2, "failureThreshold": 3, **_asked(first)}
    fix = patient.anew({"containers": [{"name": first["name"], "readinessProbe": probe}]})
    yield Finding("readiness", "error", said, fix, restarts=True)


def _asked(container: Json) -> Json:
    """Ask as the liveness probe does, else whether the first port is open."""
    known = container.get("livenessProbe") or {}
    handler = {key: known[key] for key in ("httpGet", "grpc", "tcpSocket", "exec") if key in known}
    port = container["ports"][0]
    plain = handler if masked(handler) == handler else {}  # a header or an argument may be a secret
    return plain or {"tcpSocket": {"port": port.get("name") or port["containerPort"]}}


def pre_stop(patient: Patient) -> Iterator[Finding]:
    """Look for a preStop: endpoint removal and SIGTERM start together."""
    lacking = [one["name"] for one in lacking_pre_stop(patient.template)]
    if not lacking:
        return (yield Finding("preStop", "ok", "every container waits before SIGTERM (preStop)"))
    seconds = patient.pre_stop_seconds
    sleep = {"preStop": {"sleep": {"seconds": math.ceil(seconds or 5)}}}
    fix = patient.anew({"containers": [{"name": one, "lifecycle": sleep} for one in lacking]})
    said = f"{', '.join(lacking)} has no preStop: it gets SIGTERM while requests still come"
    if seconds is None:
        return (yield Finding("preStop", "error", f"{said}, and drain.preStop is keep", fix, restarts=True))
    helped = f"a release adds {seconds:g}s, but drained nodes and scaling down do without until then"
    yield Finding("preStop", "warning", f"{said}; {helped}", fix, restarts=True)


def grace(patient: Patient) -> Iterator[Finding]:
    """Count what is left to the app: the sleep of preStop is a part of terminationGracePeriodSeconds."""
    asleep = max(_asleep(one, patient.pre_stop_seconds or 0.0) for one in patient.containers)
    left = patient.grace - asleep
    said = f"terminationGracePeriodSeconds is {patient.grace}, {asleep:g}s of it preStop"
    if left >= SHORTEST_AFTER_SLEEP_SECONDS:
        return (yield Finding("grace", "ok", f"{said}: the app has {left:g}s to end after SIGTERM"))
    fix = patient.anew({"terminationGracePeriodSeconds": math.ceil(asleep) + AFTER_SLEEP_SECONDS})
    if left > 0:
        tight = f"{said}: the app has {left:g}s between SIGTERM and SIGKILL"
        return (yield Finding("grace", "warning", tight, fix, restarts=True))
    yield Finding("grace", "error", f"{said}: the app is killed before it may end", fix, restarts=True)


def _asleep(container: Json, added: float) -> float:
    """Tell how long a container's preStop sleeps: 10 of `sh -c "sleep 10"`; what a release adds where it has none."""
    hook = (container.get("lifecycle") or {}).get("preStop")
    if hook is None:
        return added
    said = SLEEP.search(" ".join((hook.get("exec") or {}).get("command") or []))
    return float((hook.get("sleep") or {}).get("seconds") or (said[1] if said else 0))


def rollout(patient: Patient) -> Iterator[Finding]:
    """Tell what kubectl, or anybody but deployctl, does with the Deployment's own strategy."""
    if stateful(patient.workload):
        return
    strategy = patient.own.strategy
    if strategy.get("type") == "Recreate":
        fix = patient.patch(patient.ref, {"strategy": {"type": "RollingUpdate"}})
        return (yield Finding("strategy", "error", "strategy Recreate stops everything first", fix))
    rolling = strategy.get("rollingUpdate") or {}
    down = _down(str(rolling.get("maxUnavailable", "25%")), patient.replicas)
    if not down:
        return (yield Finding("maxUnavailable", "ok", "a rollout takes no pod before a new one is ready"))
    surge = {"maxSurge": "25%"} if str(rolling.get("maxSurge", "25%")).rstrip("%") == "0" else {}
    fix = patient.patch(patient.ref, {"strategy": {"rollingUpdate": {"maxUnavailable": 0, **surge}}})
    said = (
        f"maxUnavailable is {rolling.get('maxUnavailable', '25%')}: `kubectl rollout restart` takes {down} of"
    )
    yield Finding(
        "maxUnavailable", "warning", f"{said} {patient.replicas} pods before new ones are ready", fix
    )


def _down(text: str, replicas: int) -> int:
    """Count the pods that may be down; Kubernetes rounds maxUnavailable down: 25% of 6 is 1."""
    amount = Amount.parse(text)
    return replicas * amount.value // 100 if amount.percent else min(amount.value, replicas)


def singleton(patient: Patient) -> Iterator[Finding]:
    """Look for a second pod: one is none while its node goes."""
    scaled = next(iter(patient.autoscalers or ()), None)
    least = int(scaled["spec"].get("minReplicas", 1)) if scaled else patient.replicas
    if least > 1:
        return (yield Finding("singleton", "ok", f"{patient.replicas} pods, never under {least}"))
    fix = f"{patient.kubectl} scale {patient.ref} --replicas=2"
    if scaled:
        fix = patient.patch(f"hpa/{scaled['metadata']['name']}", {"minReplicas": 2})
    which = "its autoscaler may go down to one pod" if scaled else f"it has {least} pod{'s' * (least != 1)}"
    yield Finding("singleton", "warning", f"{which}: nothing serves while that one's node goes", fix)


def spread(patient: Patient) -> Iterator[Finding]:
    """Look at the nodes: pods that share one go with it."""
    nodes = {one["spec"]["nodeName"] for one in patient.pods if one["spec"].get("nodeName")}
    if patient.replicas < 2 or len(nodes) > 1:
        return (yield Finding("spread", "ok", f"pods on {len(nodes)} nodes" if nodes else "no pod is placed"))
    if not nodes:
        return
    said = f"all its pods are on node {nodes.pop()}: they go with it"
    if _spreads(patient.template["spec"]):
        return (yield Finding("spread", "warning", f"{said}; the template asks for better, but got none"))
    wish = {
        "maxSkew": 1,
        "topologyKey": HOST,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": patient.workload["spec"]["selector"].get("matchLabels") or {}},
        "matchLabelKeys": [REVISION_HASH if stateful(patient.workload) else HASH],
    }
    yield Finding(
        "spread", "warning", said, patient.anew({"topologySpreadConstraints": [wish]}), restarts=True
    )


def _spreads(pod: Json) -> bool:
    return bool(pod.get("topologySpreadConstraints") or (pod.get("affinity") or {}).get("podAntiAffinity"))


def budget(patient: Patient) -> Iterator[Finding]:
    """Look for one budget: without, a node drain may take all pods at once; with two no pod can be evicted."""
    if patient.budgets is None:
        said = "PodDisruptionBudgets cannot be listed: not checked"
        return (yield Finding("budget", "warning", said))
    mine = [one for one in patient.budgets if _selects(one["spec"].get("selector"), patient.labels)]
    names = ", ".join(one["metadata"]["name"] for one in mine)
    if not mine:
        return (yield Finding("budget", "warning", *_unbudgeted(patient)))
    if len(mine) > 1:
        fix = f"{patient.kubectl} delete poddisruptionbudget {mine[-1]['metadata']['name']}"
        return (
            yield Finding("budget", "error", f"{names} select the same pods: no eviction is allowed", fix)
        )
    if _frozen(mine[0]["spec"], patient.replicas):
        change = {"maxUnavailable": 1, "minAvailable": None}
        fix = patient.patch(f"poddisruptionbudget/{names} --type=merge", change)
        return (yield Finding("budget", "warning", f"{names} allows no eviction: a node drain hangs", fix))
    yield Finding("budget", "ok", f"PodDisruptionBudget {names}")


def _unbudgeted(patient: Patient) -> tuple[str, str]:
    chosen = patient.workload["spec"]["selector"].get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in chosen.items())
    make = f"create poddisruptionbudget {patient.name} --selector={selector} --max-unavailable=1"
    return "no PodDisruptionBudget: a node drain may take all pods at once", f"{patient.kubectl} {make}"


def _frozen(spec: Json, replicas: int) -> bool:
    """Say whether a budget allows no pod to go while all are healthy; a percentage of it is rounded up."""
    if spec.get("maxUnavailable") is not None:
        return Amount.parse(str(spec["maxUnavailable"])).of(replicas) == 0
    return Amount.parse(str(spec.get("minAvailable", 0))).of(replicas) >= replicas


def _selects(selector: Json | None, labels: Json) -> bool:
    """Say whether a budget's selector takes pods with these labels: an empty one takes all, none takes none."""
    if selector is None:
        return False
    plain = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return plain and all(_meets(one, labels) for one in selector.get("matchExpressions") or [])


def _meets(wish: Json, labels: Json) -> bool:
    value, values = labels.get(wish["key"]), wish.get("values") or []
    answers = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return answers[wish["operator"]]


def traffic(patient: Patient) -> Iterator[Finding]:
    """Find every Service that selects the pods: one that is not moved would send traffic past the gates."""
    taking = [one for one in patient.services if _takes(one, patient)]
    names = [one["metadata"]["name"] for one in taking]
    if not names:
        make = f"{patient.kubectl} expose {patient.ref} --port=80"
        return (yield Finding("services", "error", "no Service selects its pods: there is no traffic", make))
    for one in taking:
        yield from _early(one, patient)
    unlisted = [one for one in names if patient.listed is not None and one not in patient.listed]
    if unlisted:
        wish = f"spec.workload.services: [{', '.join((*(patient.listed or ()), *unlisted))}]"
        said = f"{', '.join(unlisted)} selects the pods and is not listed: traffic before the gates"
        return (yield Finding("services", "error", said, f"in the spec file: {wish}"))
    yield Finding("services", "ok", f"traffic by {', '.join(names)}")


def _takes(service: Json, patient: Patient) -> bool:
    """Say whether a Service selects the pods, apart from what a release in flight has put into its selector."""
    selector = {
        key: one for key, one in (service["spec"].get("selector") or {}).items() if key not in (HASH, LABEL)
    }
    mine = bool(selector) and all(patient.labels.get(key) == value for key, value in selector.items())
    return mine and not governs(service, patient.workload)


def _early(service: Json, patient: Patient) -> Iterator[Finding]:
    if service["spec"].get("publishNotReadyAddresses"):
        name = service["metadata"]["name"]
        fix = patient.patch(f"service/{name}", {"publishNotReadyAddresses": False})
        said = f"{name} has publishNotReadyAddresses: requests go to pods that are not ready"
        yield Finding("services", "warning", said, fix)


def requests(patient: Patient) -> Iterator[Finding]:
    """Look for requests: without, the scheduler counts a pod as nothing, and a preview may starve live ones."""
    lacking = {one["name"]: more for one in patient.containers if (more := _unasked(one))}
    for name, more in lacking.items():
        fix = f"{patient.kubectl} set resources {patient.ref} -c {name} --requests={more}"
        said = f"{name} requests no {' and no '.join(one.partition('=')[0] for one in more.split(','))}"
        guess = "a preview may starve the pods that serve (the figures of the patch are a start: measure)"
        yield Finding("requests", "warning", f"{said}: {guess}", fix, restarts=True)
    if not lacking:
        yield Finding("requests", "ok", "every container requests CPU and memory")


def _unasked(container: Json) -> str:
    """Name what a container requests nothing of, with a figure to begin with; a limit counts as a request."""
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return ",".join(
        f"{kind}={some}" for kind, some in (("cpu", "100m"), ("memory", "128Mi")) if kind not in asked
    )


def kept_revisions(patient: Patient) -> Iterator[Finding]:
    """Count the revisions that are kept: to others there is no way back."""
    if patient.workload["spec"].get("revisionHistoryLimit", 10) < 2:
        fix = patient.patch(patient.ref, {"revisionHistoryLimit": 10})
        yield Finding("history", "warning", "revisionHistoryLimit is under 2: there may be no way back", fix)


def room_for_more(patient: Patient) -> Iterator[Finding]:
    """Look whether the pods that a release brings up beside those that run have a place."""
    if patient.room is None:
        return
    lacking = tuple(for_release(patient.room, patient.strategy, patient.more))
    yield from (Finding("room", "warning", one) for one in lacking)
    if patient.more.places and not lacking:
        unknown = told(patient.room)
        fits = f"room for the {patient.more.places} pods more of a release"
        yield Finding("room", "ok", f"{fits}: {unknown}" if unknown else fits)


CHECKS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
    readiness,
    pre_stop,
    grace,
    rollout,
    singleton,
    spread,
    budget,
    traffic,
    requests,
    room_for_more,
    kept_revisions,
)
