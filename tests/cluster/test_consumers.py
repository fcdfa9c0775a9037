"""Pods are told to consume, and to stop, through the proxy of a real API server, with the rights of the Role alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, grant
from tests.cluster.small import small, told

PAGE = "/internal/consume"
CONSUMES = {"mode": "pauseUntilPromote", "path": PAGE, "atStart": "paused", "timeout": "20s"}


@pytest.fixture
def app(cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    """Two pods that take events from an empty folder of their own, once they are told to."""
    grant(cluster, namespace)
    found = small(cluster, namespace, tmp_path)
    found.env(EVENTS="/tmp/queue")
    found.edit("deployctl.yaml", lambda one: one["spec"].update(consumes=CONSUMES))
    found.strategy(keepOld="1s")
    return found.install()


def by_hand(app: App, pod: dict[str, Any]) -> dict[str, Any]:
    """Tell a pod to consume as docs/consumers.md shows it."""
    where = f"/api/v1/namespaces/{app.namespace}/pods/{pod['metadata']['name']}:8080/proxy{PAGE}"
    order = json.dumps({"consume": True})
    answer: dict[str, Any] = json.loads(
        app.cluster.kubectl("create", "--raw", where, "-f", "-", user=app.user, input=order)
    )
    return answer


def consuming(app: App) -> list[bool]:
    return [json.loads(app.page(pod, PAGE))["consuming"] for pod in app.pods()]


def counted(app: App) -> list[tuple[str, int, int]]:
    """Give what `status` says of each side: how many pods consume, and how many do not."""
    document = json.loads(app.run("status", app.name, "-o", "json").stdout)
    sides = document["release"]["consumers"]["sides"]
    return [(one["role"], one["consuming"], one["paused"]) for one in sides]


def test_the_consumers_go_over_by_orders_through_the_api_server(app: App) -> None:
    assert consuming(app) == [False, False]
    assert [by_hand(app, pod)["consuming"] for pod in app.pods()] == [True, True]
    app.env(REVISION="r2")
    told(app.release("--promote", "manual"), 4)
    assert counted(app) == [("stable", 2, 0), ("preview", 0, 1)]
    told(app.run("promote", app.name), 0, " to consume no more", " to consume\n")
    app.cluster.wait(lambda: app.live_revisions() == {"r2": 2}, what="the old pods to be gone")
    assert consuming(app) == [True, True]
