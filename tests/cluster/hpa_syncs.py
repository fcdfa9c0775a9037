"""Records what the real HPA decided, and on what: `python -m tests.cluster.hpa_syncs OUT.json [SECONDS]`.

Several small apps burn CPU in waves of their own, each under an autoscaler of another kind. A sync that changes an
autoscaler's status is one record: the status, and the pods and their metrics as they were read right before it.
Needs a bed that is up, with `python -m tests.cluster.bed metrics on`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from deployctl.autoscaling.arithmetic import SOURCES, pods_seen, policy_of, thousandths
from strategies.autoscale import Now, average
from tests.cluster.bed import images
from tests.cluster.bed.cluster import Cluster

Json = dict[str, Any]
NAMESPACE = "deployctl-test-syncs"
POLL_SECONDS = 0.25
KEEP_SECONDS = 6.0  # a sync is every five seconds, and uses what its caches held then
BURN = """
import math, os, time
base, period = float(os.environ["SHARE"]), float(os.environ["PERIOD"])
while True:
    share = base * (1 + 0.9 * math.sin(2 * math.pi * time.time() / period))
    end = time.perf_counter() + 0.1 * share
    while time.perf_counter() < end:
        pass
    time.sleep(max(0.0, 0.1 * (1 - share)))
"""


def cpu(**target: Any) -> Json:
    kind = "Utilization" if "averageUtilization" in target else "AverageValue"
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": kind, **target}}}


def boxed(share: int) -> Json:
    target = {"type": "Utilization", "averageUtilization": share}
    return {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "container": "app", "target": target},
    }


MEMORY = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "9Mi"}},
}
QUICK = {"scaleDown": {"stabilizationWindowSeconds": 0}}
SLOW = {
    "scaleUp": {
        "stabilizationWindowSeconds": 10,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}],
    },
    "scaleDown": {
        "stabilizationWindowSeconds": 15,
        "policies": [{"type": "Percent", "value": 50, "periodSeconds": 15}],
    },
}
KINDS: dict[
    str, tuple[Json, float, float]
] = {  # the spec, the share of a core a pod burns, the wave in seconds
    "share": ({"metrics": [cpu(averageUtilization=60)], "behavior": QUICK}, 0.05, 90),
    "amount": ({"metrics": [cpu(averageValue="40m")], "behavior": QUICK}, 0.05, 70),
    "plain": ({"metrics": [cpu(averageUtilization=70)]}, 0.05, 110),
    "slow": ({"metrics": [cpu(averageUtilization=60)], "behavior": SLOW}, 0.06, 100),
    "boxed": ({"metrics": [boxed(50)], "behavior": QUICK}, 0.04, 80),
    "several": ({"metrics": [cpu(averageUtilization=80), MEMORY], "behavior": QUICK}, 0.05, 120),
}


def objects(name: str) -> list[Json]:
    spec, share, period = KINDS[name]
    labels = {"app": name}
    env = [{"name": "SHARE", "value": str(share)}, {"name": "PERIOD", "value": str(period)}]
    box = {
        "name": "app",
        "image": images.current("localhost/igaming"),
        "command": ["python3", "-c", BURN],
        "env": env,
        "resources": {"requests": {"cpu": "50m", "memory": "8Mi"}},
    }
    pod = {"terminationGracePeriodSeconds": 0, "containers": [box]}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    deployment = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    scaler = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5, **spec}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": deployment},
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name},
            "spec": scaler,
        },
    ]


def record(cluster: Cluster, out: Path, seconds: float) -> None:
    """Run the apps and write what was seen."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    try:
        cluster.apply(yaml.safe_dump_all([one for name in KINDS for one in objects(name)]), NAMESPACE)
        watcher = [sys.executable, "-m", "tests.cluster.hpa_syncs", "--inside", str(out), str(seconds)]
        cluster.run(watcher, check=True, capture_output=False)
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def inside(out: Path, seconds: float) -> None:
    """Poll from within the cluster's network; keep, for each change of a status, what was read before it."""
    from deployctl.cluster.api import Api
    from deployctl.cluster.login import Target

    api = Api(Target(None, None, NAMESPACE, None, 15.0))
    read: list[Json] = []
    syncs: list[Json] = []
    versions: dict[str, Json] = {}
    end = time.time() + seconds
    while time.time() < end:
        at = time.time()
        scalers = api.get(f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers")["items"]
        for one in scalers:
            name, status = one["metadata"]["name"], one.get("status") or {}
            if status != versions.get(name) and status.get("currentMetrics"):
                syncs.append(_sync(one, at, read))
            versions[name] = status
        usage = api.get(f"/apis/metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/pods")["items"]
        pods = api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
        read = [
            *(one for one in read if one["at"] > at - KEEP_SECONDS),
            {"at": at, "pods": pods, "usage": usage},
        ]
        time.sleep(POLL_SECONDS)
    lines = (json.dumps(one, separators=(",", ":")) for one in syncs)
    out.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(syncs)} syncs in {out}")


def _sync(scaler: Json, at: float, read: list[Json]) -> Json:
    """Keep what the decision is about, of this app alone.

    Its caches held a reading of before: the newest whose averages are those of the status, and in which there is no
    pod yet that this very sync has made.
    """
    name, status = scaler["metadata"]["name"], scaler["status"]
    readings = [_reading(one, name) for one in reversed(read)]
    chosen = next((one for one in readings if _held(scaler, one, at)), None)
    told = {key: status.get(key) for key in ("currentReplicas", "desiredReplicas", "currentMetrics")}
    told["reasons"] = {one["type"]: one["reason"] for one in status["conditions"]}
    spec = {key: one for key, one in scaler["spec"].items() if key != "scaleTargetRef"}
    return {"name": name, "at": round(at, 3), "spec": spec, "status": told, "reading": chosen}


def _reading(one: Json, name: str) -> Json:
    return {
        "pods": [_pod(each) for each in one["pods"] if each["metadata"]["labels"]["app"] == name],
        "usage": [_usage(each) for each in one["usage"] if each["metadata"]["labels"]["app"] == name],
    }


def _held(scaler: Json, reading: Json, at: float) -> bool:
    """Say whether a reading can be what the autoscaler held: by its averages and the number of pods."""
    pods = pods_seen(scaler, reading["pods"], {one["name"]: one for one in reading["usage"]})
    now = Now(len(pods), pods, seconds=at)
    size = scaler["status"]["currentReplicas"]
    return averages(scaler, now) == shown(scaler) and sum(not one.leaving for one in pods) <= size


def averages(scaler: Json, now: Now) -> list[int | None]:
    return [average(one, now) for one in policy_of(scaler).metrics]


def shown(scaler: Json) -> list[int | None]:
    """Read the averages that the autoscaler shows."""
    told = scaler["status"]["currentMetrics"]
    return [_amount(one) for one in told]


def _amount(one: Json) -> int | None:
    return thousandths(one[SOURCES[one["type"]]]["current"]["averageValue"]) if one["type"] else None


def _pod(pod: Json) -> Json:
    status = pod.get("status", {})
    ready = [one for one in status.get("conditions") or () if one["type"] == "Ready"]
    conditions = [{key: one[key] for key in ("type", "status", "lastTransitionTime")} for one in ready]
    meta = {key: pod["metadata"][key] for key in ("name", "deletionTimestamp") if key in pod["metadata"]}
    kept = {key: status[key] for key in ("phase", "startTime") if key in status}
    boxes = [{"name": one["name"], "resources": one["resources"]} for one in pod["spec"]["containers"]]
    return {"metadata": meta, "spec": {"containers": boxes}, "status": {**kept, "conditions": conditions}}


def _usage(one: Json) -> Json:
    return {
        "name": one["metadata"]["name"],
        **{key: one[key] for key in ("timestamp", "window", "containers")},
    }


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--inside", out, seconds]:
            inside(Path(out), float(seconds))
        case [out, *seconds]:
            record(Cluster(), Path(out), float(*seconds or ["240"]))
