"""Measurements on the real cluster, beside `kubectl apply` and `kubectl rollout status` in the same run.

Printed, never asserted: a shared machine is no stopwatch. `make bench` runs it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, example, grant, until

pytestmark = pytest.mark.bench


class Births:
    """Notes, on this machine's clock, when each pod was first seen and when it was first Ready."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.ready: dict[str, float] = {}

    def take(self, pod: dict[str, Any], at: float) -> None:
        name = pod["metadata"]["name"]
        self.seen.setdefault(name, at)
        conditions = pod.get("status", {}).get("conditions") or []
        if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
            self.ready.setdefault(name, at)

    def waiting(self, since: float) -> float:
        """Add up the time in which at least one pod that was born since then was not yet Ready."""
        spans = sorted(
            (at, self.ready[name]) for name, at in self.seen.items() if at >= since and name in self.ready
        )
        total, reached = 0.0, since
        for born, ready in spans:
            total += max(0.0, ready - max(born, reached))
            reached = max(reached, ready)
        return total


@contextmanager
def births(app: App) -> Iterator[Births]:
    """Follow the app's pods through a watch of kubectl."""
    found = Births()
    command = ["kubectl", "get", "pods", "-n", app.namespace, "-l", app.selector, "-w", "-o", "json"]
    watch = app.cluster.popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def follow() -> None:
        decoder, text = json.JSONDecoder(), ""
        assert watch.stdout
        for line in watch.stdout:
            text += line
            if line == "}\n":
                found.take(decoder.decode(text), time.monotonic())
                text = ""

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(1)
    try:
        yield found
    finally:
        watch.terminate()
        thread.join()
        watch.wait()
        assert watch.stdout
        watch.stdout.close()


@contextmanager
def elsewhere(cluster: Cluster) -> Iterator[str]:
    """A second namespace: what dies unanswered behind a Service haunts its address for two minutes.

    A SYN to a pod that is gone leaves a conntrack entry in SYN_SENT; the next connection from the same client
    port to the same Service is sent to the dead pod again.
    """
    name = "deployctl-test-beside"
    cluster.kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def ready_app(cluster: Cluster, namespace: str, name: str, folder: Path) -> App:
    app = example(cluster, namespace, name, folder)
    app.user = "releaser"
    return app.install()


def test_release_beside_kubectl(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    grant(cluster, namespace)
    app = ready_app(cluster, namespace, "balances", tmp_path / "ours")
    rows = [blue_green_row(app), *rollback_rows(app)]
    rows.append(rolling_row(ready_app(cluster, namespace, "game-sessions", tmp_path / "ours")))
    with elsewhere(cluster) as other:
        rows.append(kubectl_row(ready_app(cluster, other, "balances", tmp_path / "theirs")))
    rows.append(("deployctl --help", f"{help_cpu() * 1000:.0f} ms CPU", ""))
    print("\n" + "\n".join(f"{what:<58} {value:>22}  {more}" for what, value, more in rows))


Row = tuple[str, str, str]


def kubectl_row(app: App) -> Row:
    app.env(REVISION="k2")
    with app.load(rate=200) as load:
        began = time.monotonic()
        app.cluster.apply(app.folder / "deployment.yaml", app.namespace)
        app.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=120s")
        took = time.monotonic() - began
        time.sleep(3)
    return "kubectl apply + rollout status, 6 pods", f"{took:.2f} s", str(load.report)


def blue_green_row(app: App) -> Row:
    app.env(REVISION="r2")
    app.strategy(keepOld="3s")
    app.edit("deployctl.yaml", lambda spec: spec["spec"]["gates"]["after"][0].update(count=1))
    with births(app) as pods, app.load(rate=200) as load:
        began = time.monotonic()
        running = app.start("release", str(app.spec), "-o", "json")
        until(running, "keepOld")
        promoted = time.monotonic()
        out, _ = running.communicate()
    beyond = promoted - began - pods.waiting(began)
    writes = json.loads(out)["writes"]
    print(f"\nwrites of one blue-green: {writes}")
    total = f"{promoted - began:.2f} s, {beyond:.2f} beyond"
    return "deployctl release to promoted (blue-green), 6 pods", total, str(load.report)


def rollback_rows(app: App) -> list[Row]:
    app.env(REVISION="r3")
    app.strategy(keepOld="5m")
    with app.load(rate=200) as load:
        running = app.start("release", str(app.spec))
        until(running, "keepOld")
        time.sleep(2)
        began = time.time()
        app.run("rollback", app.name)
        running.communicate()
        took = time.time() - began
    last = load.report.last_answer("r3") - began
    return [
        ("deployctl rollback inside keepOld: last answer of the bad", f"{last:.2f} s", str(load.report)),
        ("deployctl rollback inside keepOld: all done", f"{took:.2f} s", ""),
    ]


def rolling_row(app: App) -> Row:
    """Release in three batches, with nothing to bake and no rounds to wait for: what is left is the tool's own."""
    app.env(REVISION="r2")
    app.strategy(bake="0s")
    app.edit("deployctl.yaml", lambda spec: spec["spec"]["gates"].pop("during"))
    app.edit(
        "deployctl.yaml",
        lambda spec: spec["spec"].update(drain={"preStop": spec["spec"]["drain"]["preStop"]}),
    )
    first = app.release()
    assert first.returncode == 0, first.stderr
    app.env(REVISION="r3")
    with births(app) as pods, app.load("/balances/{player}", rate=200) as load:
        began = time.monotonic()
        running = app.start("release", str(app.spec), "-o", "json")
        until(running, "pause the Deployment")
        begun = time.monotonic()
        until(running, "retire the old side")
        promoted = time.monotonic()
        out, _ = running.communicate()
        took = time.monotonic() - began
    print(f"writes of one rolling in 3 batches: {json.loads(out)['writes']}")
    total = f"{promoted - began:.2f} s, {promoted - began - pods.waiting(began):.2f} beyond"
    print(f"rolling: first write after {begun - began:.2f} s, all tidied up after {took:.2f} s")
    return "deployctl release to promoted (rolling, 3 batches), 6 pods", total, str(load.report)


def help_cpu() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(5):
        subprocess.run([sys.executable, "-m", "deployctl", "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 5
