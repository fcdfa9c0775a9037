"""Asks a container's probes and acts on what they say."""

from __future__ import annotations

from deployctl.sandbox.pods.machine import NEVER, Machine, first
from deployctl.sandbox.pods.podstatus import Life
from deployctl.sandbox.pods.probes import Probing


def check(machine: Machine, life: Life, now: float) -> float:
    """Ask the probes that are due: startup alone until it passes, then the others."""
    known = machine.runtime.due(life.pod)
    waits = [NEVER if known is None else known]
    startup = life.probes.get("startup")
    for each in list(life.probes.values()):
        starts = each.kind == "startup"
        if (starts and each.passes) or (not starts and startup is not None and not startup.passes):
            continue
        waits.append(ask(machine, life, each, now, known or 0.0))
        if each.kind != "readiness" and each.passes is False:
            return _restart(machine, life, each)
        if starts and each.passes and "readiness" in life.probes:
            life.probes["readiness"].next_at = now
    return min(waits)


def ask(machine: Machine, life: Life, each: Probing, now: float, steady_seconds: float) -> float:
    """Ask one probe where it is time; tell what was wrong, and give the seconds until the next look."""
    pod = {
        **life.pod,
        "status": {**life.pod.get("status", {}), "podIP": life.ip},
    }  # its status may lag behind
    wait, wrong = each.look(now, lambda: machine.runtime.probe(pod, first(life), each.spec), steady_seconds)
    if wrong:
        machine.tell(life, "Unhealthy", f"{each.kind.capitalize()} probe failed: {wrong}", warns=True)
    return wait


def _restart(machine: Machine, life: Life, failed: Probing) -> float:
    """End a container that fails its liveness or startup probe; it is started again when it has."""
    name, spec = first(life)["name"], life.pod["spec"]
    message = f"Container {name} failed {failed.kind} probe, will be restarted"
    machine.tell(life, "Killing", message)
    grace: float = spec.get("terminationGracePeriodSeconds", 30)
    keep_readiness(machine, life)
    machine.runtime.stop(life.pod, failed.spec.get("terminationGracePeriodSeconds", grace))
    return machine.until_change(life)


def keep_readiness(machine: Machine, life: Life) -> None:
    """Ask a container that is to end only whether it is ready."""
    life.probes = {kind: each for kind, each in life.probes.items() if kind == "readiness"}
    for each in life.probes.values():
        each.wake(machine.store.clock())
