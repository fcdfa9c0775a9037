"""Raw objects of a small cluster, as the API server gives them, for tests that need no cluster."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from deployctl.memory import HELD_SECONDS, LABEL, LABEL_VALUE, NO_DEADLINE, Memory, Settings, rolling_update
from deployctl.observe import Snapshot
from deployctl.template import digest

Json = dict[str, Any]
BEGUN = "2026-05-04T10:00:00Z"
OWN = Settings(0, 600, rolling_update(0, "25%"))
HELD = Settings(HELD_SECONDS, NO_DEADLINE, rolling_update(0, "83%"), paused=True)
OLD, NEW = "5f94844648", "7f9c4d6b88"


def template(image: str) -> Json:
    return {
        "metadata": {"labels": {"app": "wallet"}},
        "spec": {
            "containers": [{"name": "app", "image": image, "env": [{"name": "MODE", "value": "plain"}]}]
        },
    }


R1, R2 = template("wallet:1"), template("wallet:2")


def deployment(carries: Json = R2, settings: Settings = HELD, memory: Memory | None = None) -> Json:
    written = memory or in_flight()
    annotations = {} if settings == OWN else {"deployctl.dev/release": written.dump()}
    return {
        "kind": "Deployment",
        "metadata": {
            "name": "wallet",
            "namespace": "igaming",
            "uid": "d",
            "generation": 7,
            "annotations": annotations,
            "managedFields": [
                {
                    "manager": "deployctl",
                    "operation": "Update",
                    "time": "2026-05-04T10:00:30Z",
                    "fieldsV1": {},
                }
            ],
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "wallet"}},
            "minReadySeconds": settings.min_ready_seconds,
            "progressDeadlineSeconds": settings.progress_deadline_seconds,
            "strategy": settings.strategy,
            "paused": settings.paused,
            "template": carries,
        },
        "status": {"observedGeneration": 7, "readyReplicas": 3, "updatedReplicas": 3},
    }


def in_flight(phase: str = "trying", strategy: str = "blueGreen", wrote: Settings = HELD) -> Memory:
    return Memory(
        id="4711", app="wallet", strategy=strategy, phase=phase, stable=digest(R1), preview=digest(R2),
        own=OWN, services=("wallet",), replicas=3, wrote=wrote, by="ann@build-7/4711", at=BEGUN,
    )  # fmt: skip


def replica_set(of: Json, name: str, size: int, number: int) -> Json:
    kept = copy.deepcopy(of)
    kept["metadata"]["labels"]["pod-template-hash"] = name
    return {
        "metadata": {
            "name": f"wallet-{name}",
            "uid": name,
            "labels": {"app": "wallet", "pod-template-hash": name},
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "creationTimestamp": "2026-05-04T09:00:00Z",
            "ownerReferences": [{"uid": "d"}],
        },
        "spec": {"replicas": size, "template": kept},
    }


def pod(owner: str, number: int, *, ready: bool = True, labelled: bool = False) -> Json:
    labels = {"app": "wallet", "pod-template-hash": owner, **({LABEL: LABEL_VALUE} if labelled else {})}
    return {
        "metadata": {
            "name": f"wallet-{owner}-{number}",
            "uid": f"{owner}-{number}",
            "labels": labels,
            "creationTimestamp": "2026-05-04T10:00:00Z",
            "ownerReferences": [{"uid": owner}],
        },
        "status": {
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True" if ready else "False",
                    "lastTransitionTime": "2026-05-04T10:00:04Z",
                }
            ]
        },
    }


def pods(owner: str, count: int, *, ready: bool = True, labelled: bool = False) -> tuple[Json, ...]:
    return tuple(pod(owner, number, ready=ready, labelled=labelled) for number in range(count))


def service(**selector: str) -> Json:
    narrowed = {
        key.replace("_", "-") if key != "serving" else LABEL: value for key, value in selector.items()
    }
    return {
        "metadata": {"name": "wallet", "namespace": "igaming"},
        "spec": {"selector": {"app": "wallet", **narrowed}},
    }


def endpoints(serving: Iterable[Json]) -> Json:
    return {
        "metadata": {"name": "wallet-x", "labels": {"kubernetes.io/service-name": "wallet"}},
        "endpoints": [
            {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": one["metadata"]["name"]}}
            for one in serving
        ],
    }


def waiting() -> Snapshot:
    """Blue-green before the flip: 3 stable, 2 preview, the Service pinned to stable."""
    old, new = pods(OLD, 3), pods(NEW, 2)
    return Snapshot(
        deployment(),
        (replica_set(R1, OLD, 3, 4), replica_set(R2, NEW, 2, 5)),
        (*old, *new),
        (service(pod_template_hash=OLD),),
        (endpoints(old),),
    )


def shifted() -> Snapshot:
    """Blue-green after the flip: 3 and 3, the Service pinned to the preview."""
    old, new = pods(OLD, 3), pods(NEW, 3)
    return Snapshot(
        deployment(memory=in_flight("promoting")),
        (replica_set(R1, OLD, 3, 4), replica_set(R2, NEW, 3, 5)),
        (*old, *new),
        (service(pod_template_hash=NEW),),
        (endpoints(new),),
    )


def dark() -> Snapshot:
    """Rolling with the valve on: 3 labelled stable pods serve, 1 preview pod is dark."""
    old, new = pods(OLD, 3, labelled=True), pods(NEW, 1)
    return Snapshot(
        deployment(memory=in_flight(strategy="rolling")),
        (replica_set(R1, OLD, 3, 4), replica_set(R2, NEW, 1, 5)),
        (*old, *new),
        (service(serving=LABEL_VALUE),),
        (endpoints(old),),
    )


def at_rest() -> Snapshot:
    """No release in flight: 3 pods of the first template."""
    old = pods(OLD, 3)
    return Snapshot(
        deployment(R1, OWN),
        (replica_set(R1, OLD, 3, 4), replica_set(R2, NEW, 0, 3)),
        old,
        (service(),),
        (endpoints(old),),
    )
