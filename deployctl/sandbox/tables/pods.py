"""The cells of `kubectl get pods`: what a pod's status comes to in one word."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deployctl.sandbox.tables.ages import age

Json = dict[str, Any]
NONE = "<none>"


@dataclass
class _Summary:
    """What the containers seen so far come to."""

    word: str
    ready: int = 0
    restarts: int = 0
    restarted: list[str] = field(default_factory=list)  # moments
    initializing: bool = False

    def count(self, container: Json) -> None:
        self.restarts += container.get("restartCount", 0)
        ended = (container.get("lastState") or {}).get("terminated") or {}
        if ended.get("finishedAt"):
            self.restarted.append(ended["finishedAt"])


def pod(one: Json, now: float) -> list[Any]:
    spec, status = one["spec"], one.get("status") or {}
    summary = _summary(one)
    restarts = str(summary.restarts)
    if summary.restarts and summary.restarted:
        restarts += f" ({age(max(summary.restarted), now)} ago)"
    addresses = status.get("podIPs") or []
    return [
        one["metadata"]["name"],
        f"{summary.ready}/{_wanted(spec)}",
        _word(one, summary.word),
        restarts,
        age(one["metadata"].get("creationTimestamp"), now),
        addresses[0]["ip"] if addresses else NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(spec, status),
    ]


def _wanted(spec: Json) -> int:
    return len(spec.get("containers") or []) + sum(map(_sidecar, spec.get("initContainers") or []))


def _sidecar(container: Json) -> bool:
    return container.get("restartPolicy") == "Always"


def _word(one: Json, word: str) -> str:
    status = one.get("status") or {}
    if "deletionTimestamp" not in one["metadata"]:
        return word
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return word if status.get("phase") in {"Succeeded", "Failed"} else "Terminating"


def _gates(spec: Json, status: Json) -> str:
    gates = [gate["conditionType"] for gate in spec.get("readinessGates") or []]
    true = {it["type"] for it in status.get("conditions") or [] if it.get("status") == "True"}
    return f"{sum(gate in true for gate in gates)}/{len(gates)}" if gates else NONE


def _summary(one: Json) -> _Summary:
    spec, status = one["spec"], one.get("status") or {}
    conditions = status.get("conditions") or []
    summary = _Summary(status.get("reason") or status.get("phase", ""))
    if any(it["type"] == "PodScheduled" and it.get("reason") == "SchedulingGated" for it in conditions):
        summary.word = "SchedulingGated"
    sidecars = _of_init_containers(spec, status, summary)
    initialized = any(it["type"] == "Initialized" and it.get("status") == "True" for it in conditions)
    if not summary.initializing or initialized:
        summary.restarts, summary.restarted = sidecars.restarts, sidecars.restarted
        _of_containers(status, conditions, summary)
    return summary


def _of_init_containers(spec: Json, status: Json, summary: _Summary) -> _Summary:
    """Look at the init containers in turn until one is not done; give what restarted of those that stay."""
    sidecars = _Summary("")
    kinds = {one["name"]: one for one in spec.get("initContainers") or []}
    for at, container in enumerate(status.get("initContainerStatuses") or []):
        summary.count(container)
        if stays := _sidecar(kinds.get(container["name"], {})):
            sidecars.count(container)
        ended = (container.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode") == 0:
            continue
        if stays and container.get("started"):
            summary.ready += bool(container.get("ready"))
            continue
        summary.word, summary.initializing = "Init:" + _unfinished(container, f"{at}/{len(kinds)}"), True
        break
    return sidecars


def _unfinished(container: Json, progress: str) -> str:
    state = container.get("state") or {}
    if "terminated" in state:
        return _ended(state["terminated"])
    reason = str((state.get("waiting") or {}).get("reason", ""))
    return reason if reason and reason != "PodInitializing" else progress


def _ended(state: Json) -> str:
    if state.get("reason"):
        return str(state["reason"])
    return f"Signal:{state['signal']}" if state.get("signal") else f"ExitCode:{state.get('exitCode', 0)}"


def _of_containers(status: Json, conditions: list[Json], summary: _Summary) -> None:
    running, failure = False, ""
    for container in reversed(status.get("containerStatuses") or []):
        summary.count(container)
        state = container.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            summary.word = state["waiting"]["reason"]
        elif "terminated" in state:
            summary.word = _ended(state["terminated"])
            failure = summary.word if state["terminated"].get("exitCode") else failure
        elif container.get("ready") and "running" in state:
            running = True
            summary.ready += 1
    if summary.word == "Completed":
        ready = any(it["type"] == "Ready" and it.get("status") == "True" for it in conditions)
        summary.word = "Running" if running and ready else failure or ("NotReady" if running else "Completed")
