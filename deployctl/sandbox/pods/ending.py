"""Ends a pod that was deleted: preStop, SIGTERM, the grace, SIGKILL, and it is gone."""

from __future__ import annotations

from deployctl.sandbox.pods.health import ask, keep_readiness
from deployctl.sandbox.pods.machine import NEVER, Machine
from deployctl.sandbox.pods.podstatus import Life
from deployctl.sandbox.pods.starting import note_end

GONE_SECONDS = 0.05  # from a pod's last status to its removal


def end(machine: Machine, life: Life, now: float) -> float:
    """Do what is due for a pod that is to end; give the seconds until the next look."""
    if life.stage == "running":
        for container in life.pod["spec"]["containers"]:
            machine.tell(life, "Killing", f"Stopping container {container['name']}")
        keep_readiness(machine, life)
        life.stage = "ending"
    if life.stage == "ending":
        return _stop(machine, life, now)
    if life.stage != "over":
        life.stage, life.ended = "over", life.ended or {"exitCode": 0, "reason": "Completed"}
        return GONE_SECONDS
    meta = life.pod["metadata"]
    if not meta.get("finalizers"):
        life.gone = True
        machine.store.remove("pods", meta["namespace"], meta["name"])
    return NEVER


def _stop(machine: Machine, life: Life, now: float) -> float:
    """Stop the containers once, or sooner where the grace was shortened since; readiness is still asked."""
    grace = float(life.pod["metadata"].get("deletionGracePeriodSeconds", 30))
    if life.grace is None or grace < life.grace:
        life.grace = grace
        machine.runtime.stop(life.pod, max(grace, 1.0))
    if machine.runtime.running(life.pod):
        waits = [ask(machine, life, each, now, 0.0) for each in life.probes.values()]
        return min([machine.until_change(life), *waits])
    note_end(machine, life, now)
    life.stage = "over"
    return GONE_SECONDS
