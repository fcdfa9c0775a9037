"""Makes words of autoscalers: what a policy changes, what one is held by, what is to come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from deployctl.autoscaling import held, obligations
from deployctl.autoscaling.applying import Change
from deployctl.autoscaling.arithmetic import SOURCES, named
from deployctl.autoscaling.outlook import pods
from deployctl.autoscaling.through import RELEASE, called, troubled

Json = dict[str, Any]


def stamp(at: dt.datetime) -> str:
    """Write a moment as Kubernetes does: 2026-04-11T15:00:00Z."""
    return at.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


GROUPS = {
    "HorizontalPodAutoscaler": "autoscaling",
    "ScaledObject": "keda.sh",
    "PodDisruptionBudget": "policy",
}


def name(kind: str, called_so: str) -> str:
    """Name an object as kubectl does: horizontalpodautoscaler.autoscaling/balances."""
    return f"{kind.lower()}.{GROUPS[kind]}/{called_so}"


def plan(whole: Json, told: tuple[Change, ...]) -> str:
    """Write a plan."""
    lines = [f"{whole['app']} in {whole['namespace']}", ""]
    lines += [line for one in told for line in one.lines]
    lines += ["", "now", *(f"  {one}" for one in whole["now"])]
    lines += [f"  room on the nodes: {whole['room']}"] if whole["room"] else []
    if whole["peaks"]:
        lines += ["", "peaks", *map(_peak, whole["peaks"]), *map(_overlap, whole["overlaps"])]
    lines += [f"warning: {one}" for one in whole["warnings"]]
    return "\n".join(lines)


def _peak(one: Json) -> str:
    when = f"from {one['from']}, whole until {one['whole']}, gone by {one['until']}"
    return f"  {one['name']}: at least {one['floor']} {when}"


def _overlap(one: Json) -> str:
    """Tell of events that overlap how the floor goes: the higher one wins."""
    course = ", ".join(f"{each['floor'] or 'none'} from {each['from']}" for each in one["floor"])
    return f"  {' and '.join(one['events'])} overlap, and the higher floor wins: {course}"


def applied(app: str, told: tuple[Change, ...], *, dry: bool) -> str:
    """Say in one line what was done."""
    done = [f"{one.verb} {one.kind} {one.name}" for one in told if one.request]
    said = "; ".join(done) or "nothing to do"
    return f"{app}: {said}{' (dry run: nothing was written)' if dry and done else ''}"


def described(scaler: Json, now: dt.datetime) -> Json:
    """Give one autoscaler as a document: its size and wish, its bounds, who holds it, what is to come."""
    to_come = [one for one in obligations.peaks(scaler) if one.course.begins > now.timestamp()]
    following = to_come[0] if to_come else None
    return {
        "scaler": called(scaler),
        "target": scaler["spec"]["scaleTargetRef"]["name"],
        **sized(scaler),
        "holds": [_hold(one) for one in held.holds(scaler)],
        "nextPeak": following and {"name": following.name, "at": stamp(following.begins)},
        "trouble": troubled(scaler),
    }


def sized(scaler: Json) -> Json:
    """Give its size and its wish, its own bounds and the floor that is in force, and its metrics."""
    own, status = held.own(scaler), scaler.get("status", {})
    return {
        "replicas": status.get("currentReplicas"),
        "wants": status.get("desiredReplicas"),
        "min": own.floor if own.floor is not None else 0 if held.keda(scaler) else 1,
        "floor": held.values(scaler).floor,
        "max": held.ceiling(scaler),
        "metrics": list(_metrics(scaler)),
    }


def _metrics(scaler: Json) -> Iterator[Json]:
    """Give each metric of a HorizontalPodAutoscaler with what it was last measured at, and its target."""
    if held.keda(scaler):
        return
    status = scaler.get("status", {}).get("currentMetrics") or ()
    known = {named(one): one[SOURCES[one["type"]]]["current"] for one in status if one.get("type")}
    for one in scaler["spec"].get("metrics") or ():
        target = one[SOURCES[one["type"]]]["target"]
        key = next(each for each in ("averageUtilization", "averageValue", "value") if each in target)
        now = known.get(named(one), {}).get(key)
        unit = "%" if key == "averageUtilization" else ""
        yield {
            "name": named(one),
            "now": None if now is None else f"{now}{unit}",
            "target": f"{target[key]}{unit}",
        }


def _hold(one: held.Hold) -> Json:
    return {"holder": one.holder, "floor": one.floor, "by": one.by, "until": one.until, "why": one.why}


def described_text(one: Json) -> str:
    """Write one autoscaler: `held at 20 by surge of ann until 23:00`."""
    lines = [f"{one['scaler']} of {one['target']}: {_size(one)}; {one['min']} to {one['max']}"]
    lines += [
        f"  {each['name']}: {each['now'] or 'not measured'}, aimed at {each['target']}"
        for each in one["metrics"]
    ]
    lines += [f"  held at {each['floor']} by {_who(each)}" for each in one["holds"]]
    if one["nextPeak"]:
        lines.append(f"  next peak: {one['nextPeak']['name']} at {one['nextPeak']['at']}")
    if one["trouble"]:
        lines.append(f"  cannot scale: {one['trouble']}")
    return "\n".join(lines)


def _size(one: Json) -> str:
    """Say what runs and what is wished; one that could not work out a wish has 0 there."""
    if one["replicas"] is None:
        return "not measured yet"
    return f"{pods(one['replicas'])}" + (f", wants {one['wants']}" if one["wants"] else "")


def _who(one: Json) -> str:
    by = f" of {one['by']}" if one["by"] else ""
    over = "it is over" if one["holder"].startswith(RELEASE) else "it gives it back"
    return f"{one['holder']}{by} until {one['until'] or over}" + (f": {one['why']}" if one["why"] else "")


def cron_job(namespace: str, image: str, minutes: int, account: str) -> Json:
    """Give a CronJob that carries out what is due, one at a time, as a user without rights on its node."""
    safe = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    box = {
        "name": "deployctl",
        "image": image,
        "args": ["autoscale", "restore", "--due", "-n", namespace],
        "command": ["deployctl"],
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": safe,
    }
    pod = {
        "serviceAccountName": account,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [box],
    }
    job = {"backoffLimit": 0, "activeDeadlineSeconds": 120, "template": {"spec": pod}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "deployctl-autoscale", "namespace": namespace},
        "spec": {
            "schedule": f"*/{minutes} * * * *",
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"spec": job},
        },
    }
