"""Starts a pod's containers, again after a crash, and backs off from what fails again and again."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.pods.health import check
from deployctl.sandbox.pods.machine import NEVER, Machine, first
from deployctl.sandbox.pods.podstatus import Life
from deployctl.sandbox.pods.probes import probings
from deployctl.sandbox.pods.pulling import Missing, missing
from deployctl.sandbox.store import stamp

Json = dict[str, Any]

FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS = 10.0, 300.0
TOLD_SECONDS = 12.0  # between two Events about the same back-off
CRASH_LOOP = "CrashLoopBackOff"


def live(machine: Machine, life: Life, now: float) -> float:
    """Do what is due for a pod that is to run; give the seconds until the next look."""
    match life.stage:
        case "running" if machine.runtime.running(life.pod):
            return check(machine, life, now)
        case "running":
            return _crash(machine, life, now)
        case "creating" | "waiting" | "crashed" if now < life.until:
            return _wait(machine, life, now)
        case "creating" | "waiting":
            return _start(machine, life, now)
        case "crashed":
            return _start_again(machine, life, now)
    return NEVER


def _start(machine: Machine, life: Life, now: float) -> float:
    """Start the containers, where their image can be had."""
    life.housed = True
    if why := missing(machine, life):
        return _fail(machine, life, why, now)
    image = first(life).get("image", "")
    message = f'Container image "{image}" already present on machine and can be accessed by the pod'
    machine.tell(life, "Pulled", message)
    machine.tell(life, "Created", "Container created")
    machine.runtime.start(life.pod)
    machine.tell(life, "Started", "Container started")
    if life.identity:
        life.restarts += 1
        _next_backoff(life, now)
    life.identity = f"{machine.store.chance.getrandbits(256):064x}"
    life.stage, life.started = "running", now
    life.probes = probings(first(life), life.born, now)
    return live(machine, life, now)  # it may have ended already


def _fail(machine: Machine, life: Life, why: Missing, now: float) -> float:
    """Wait for an image: at first as it failed, then backing off; each pull doubles the wait."""
    life.stage = "waiting"
    if why.reason == "ErrImagePull" and life.waiting["reason"] == why.reason:
        message = f'Back-off pulling image "{first(life)["image"]}"'
        life.waiting = {"reason": "ImagePullBackOff", "message": f"{message}: ErrImagePull: {why.message}"}
        life.until = now + _next_backoff(life, now)
        machine.tell(life, "BackOff", message)
        machine.tell(life, "Failed", "Error: ImagePullBackOff", warns=True)
        return life.until - now
    if why.reason == "ErrImagePull":
        image = first(life)["image"]
        machine.tell(life, "Pulling", f'Pulling image "{image}"')
        machine.tell(life, "Failed", f'Failed to pull image "{image}": {why.message}', warns=True)
    else:
        machine.tell(life, why.event, why.message, warns=True)
    machine.tell(life, "Failed", f"Error: {why.reason}", warns=True)
    life.waiting = {"reason": why.reason, "message": why.message}
    pause = 1.0 if why.reason == "ErrImagePull" else TOLD_SECONDS
    life.until = now + pause
    return pause


def _next_backoff(life: Life, now: float) -> float:
    """Give 10 s, and twice the last one up to 5 min; anew where 10 min have passed since."""
    seconds, since = life.backoff
    expired = not seconds or now - since > 2 * LAST_BACKOFF_SECONDS
    seconds = FIRST_BACKOFF_SECONDS if expired else min(2 * seconds, LAST_BACKOFF_SECONDS)
    life.backoff = (seconds, now)
    return seconds


def _wait(machine: Machine, life: Life, now: float) -> float:
    """Tell of a crash loop again and again, as every sync of the pod does."""
    if life.waiting["reason"] != CRASH_LOOP:
        return life.until - now
    if now - life.told >= TOLD_SECONDS:
        life.told = now
        meta = life.pod["metadata"]
        who = f"{first(life)['name']} in pod {meta['name']}_{meta['namespace']}({meta['uid']})"
        machine.tell(life, "BackOff", f"Back-off restarting failed container {who}", warns=True)
    return min(life.until - now, TOLD_SECONDS)


def _crash(machine: Machine, life: Life, now: float) -> float:
    """Note how the containers ended; restart them unless the pod's policy says no."""
    note_end(machine, life, now)
    policy = life.pod["spec"].get("restartPolicy", "Always")
    failed = bool((life.ended or {}).get("exitCode"))
    if policy == "Never" or (policy == "OnFailure" and not failed):
        life.stage = "over"
        return NEVER
    pause = machine.creating_seconds[1]
    life.stage, life.until, life.crashed = "crashed", now + pause, now
    life.told = now - TOLD_SECONDS
    return pause


def note_end(machine: Machine, life: Life, now: float) -> None:
    """Remember how the containers ended."""
    code = machine.runtime.exit_code(life.pod) or 0
    life.probes = {}
    life.ended = {
        "exitCode": code,
        "reason": "Error" if code else "Completed",
        "startedAt": stamp(life.started),
        "finishedAt": stamp(now),
        "containerID": f"containerd://{life.identity}",
    }


def _start_again(machine: Machine, life: Life, now: float) -> float:
    """Restart at once after the first crash, after a back-off when it crashes again."""
    seconds, since = life.backoff
    left = life.crashed + seconds - now
    if left <= 0 or now - since > 2 * LAST_BACKOFF_SECONDS:
        return _start(machine, life, now)
    meta = life.pod["metadata"]
    who = f"{first(life)['name']} pod={meta['name']}_{meta['namespace']}({meta['uid']})"
    message = f"back-off {_duration(seconds)} restarting failed container={who}"
    life.waiting = {"reason": CRASH_LOOP, "message": message}
    life.stage, life.until = "waiting", now + left
    return _wait(machine, life, now)


def _duration(seconds: float) -> str:
    """Write `10s`, `1m20s` as Go does."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
