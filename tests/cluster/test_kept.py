"""An old side that is kept for hours, with no process of ours alive: what others do to it costs no request.

After `--wait promoted` the Deployment is paused and armed, its Service pinned; the way back stands ready all the time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.cluster.bed.layout import REPOSITORY
from tests.cluster.platform import App
from tests.cluster.running import under_load

SETTLES_SECONDS = 3.0

VERBS: dict[str, Callable[[App], object]] = {
    "annotate": lambda app: app.kubectl("annotate", "deployment", app.name, "team=wallet"),
    "label": lambda app: app.kubectl("label", "deployment", app.name, "team=wallet"),
    "set image": lambda app: app.kubectl(
        "set", "image", f"deployment/{app.name}", "app=localhost/igaming:none"
    ),
    "set env": lambda app: app.kubectl("set", "env", f"deployment/{app.name}", "REVISION=foreign"),
    "rollout restart": lambda app: app.kubectl("rollout", "restart", f"deployment/{app.name}", check=False),
    "rollout undo": lambda app: app.kubectl("rollout", "undo", f"deployment/{app.name}", check=False),
    "patch": lambda app: app.kubectl(
        "patch", "deployment", app.name, "-p", '{"spec":{"revisionHistoryLimit":9}}'
    ),
    "scale up": lambda app: app.kubectl("scale", f"deployment/{app.name}", "--replicas=7"),
    "scale down": lambda app: app.kubectl("scale", f"deployment/{app.name}", "--replicas=6"),
    "delete an old pod": lambda app: app.kubectl("delete", "pod", pod_of(app, "r1"), "--wait=false"),
    "delete a new pod": lambda app: app.kubectl("delete", "pod", pod_of(app, "r2"), "--wait=false"),
    "evict an old pod": lambda app: evict(app, pod_of(app, "r1")),
    "evict a new pod": lambda app: evict(app, pod_of(app, "r2")),
    "cordon": lambda app: (app.kubectl("cordon", "node0"), app.kubectl("uncordon", "node0")),
    "autoscale": lambda app: (
        app.kubectl("autoscale", f"deployment/{app.name}", "--min=6", "--max=9", "--cpu=50%"),
        app.kubectl("delete", "hpa", app.name),
    ),
    "restart the controllers": lambda app: restart("controllers"),
    "restart the scheduler": lambda app: restart("scheduler"),
    "restart kube-proxy": lambda app: restart("proxy"),
    "restart the kubelet": lambda app: restart("kubelet"),
}


def pod_of(app: App, revision: str) -> str:
    mine = (one for one in app.pods() if {"name": "REVISION", "value": revision} in variables(one))
    return str(next(mine)["metadata"]["name"])


def variables(pod: dict[str, object]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = pod["spec"]["containers"][0]["env"]  # type: ignore[index]
    return found


def evict(app: App, pod: str) -> None:
    """Evict a pod as `kubectl drain` does: the PodDisruptionBudget is asked."""
    meta = {"name": pod, "namespace": app.namespace}
    body = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta})
    where = f"/api/v1/namespaces/{app.namespace}/pods/{pod}/eviction"
    app.cluster.kubectl("create", "--raw", where, "-f", "-", input=body)


def restart(part: str) -> None:
    command = [sys.executable, "-m", "tests.cluster.bed", "restart", part, "1"]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)


def whole(app: App, size: int) -> None:
    """Wait until the new side serves at its full size, and nothing else does."""

    def serves() -> bool:
        names = app.endpoints()
        mine = [one for one in app.pods() if one["metadata"]["name"] in names]
        new = [one for one in mine if {"name": "REVISION", "value": "r2"} in variables(one)]
        return len(new) == len(names) == size

    app.cluster.wait(serves, timeout=40, what=f"{size} new pods behind the Service, and no other")


@pytest.mark.proof
def test_while_the_old_side_is_kept_nothing_that_others_do_costs_a_request(balances: App) -> None:
    app = balances
    app.strategy(keepOld="2h")
    app.install()
    app.env(REVISION="r2")
    promoted = app.release("--wait", "promoted")
    assert promoted.returncode == 0, promoted.stderr
    size = 6
    budget = app.get("pdb")["status"]
    assert (budget["currentHealthy"], budget["disruptionsAllowed"]) == (12, 7), "it counts both sides"
    with under_load(app):
        for verb, do in VERBS.items():
            do(app)
            time.sleep(SETTLES_SECONDS)
            size = {"scale up": 7, "scale down": 6}.get(verb, size)
            whole(app, size)
            print(f"\n{verb}: {app.live_revisions()}", end="")
            assert app.live_revisions()["r1"] >= size - 1, f"{verb}: the way back is not there any more"
        back = app.run("rollback", app.name, "-y")
        assert back.returncode == 0, back.stderr
        app.cluster.wait(lambda: app.live_revisions() == {"r1": 6}, what="the old side alone")
    assert app.leftovers() == []


def test_a_later_command_tidies_up_what_is_due(balances: App) -> None:
    """Kubernetes retired the old side by itself; `status` says so, and the next release finishes first."""
    app = balances
    app.strategy(keepOld="3s")
    app.install()
    app.env(REVISION="r2")
    with under_load(app):
        assert app.release("--wait", "promoted").returncode == 0
        app.cluster.wait(lambda: app.live_revisions() == {"r2": 6}, timeout=60, what="the old side to go")
        assert "deployctl finish balances" in app.run("status", "balances").stdout
        app.env(REVISION="r3")
        again = app.release()
    assert (again.returncode, app.live_revisions()) == (0, {"r3": 6}), again.stderr
    assert app.settings() == app.before
    assert app.leftovers() == []
