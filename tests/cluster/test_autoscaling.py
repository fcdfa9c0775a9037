"""Releases while the real HorizontalPodAutoscaler scales the app up, on metrics of the real metrics server."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployctl.sandbox.load import Load
from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.layout import REPOSITORY
from tests.cluster.platform import ROLE, App, example, grant, until
from tests.cluster.small import small

Json = dict[str, Any]
REACTION_SECONDS = 25.0  # an autoscaler's sync, a pod's start, its first metrics
LONG = {"balances": {"keepOld": "100s"}, "game-sessions": {"bake": "20s"}}
SCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: {name}, annotations: {{owner: payments-team}}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
  minReplicas: 2
  maxReplicas: 8
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: AverageValue, averageValue: 6m}}}}}}]
  behavior: {{scaleDown: {{stabilizationWindowSeconds: 5}}}}
"""


@pytest.fixture(scope="module")
def metrics(cluster: Cluster) -> Iterator[None]:
    """Let autoscalers see what pods use, for as long as these tests run; no other process turns that off meanwhile."""
    with (cluster.at.cache / "metrics.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for word in ("on", "off"):
            command = [sys.executable, "-m", "tests.cluster.bed", "metrics", word]
            subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
            if word == "on":
                yield


ROLLING = pytest.param("game-sessions", marks=pytest.mark.proof)


@pytest.fixture(params=["balances", ROLLING], ids=["blueGreen", "rolling"])
def app(
    request: pytest.FixtureRequest, metrics: None, cluster: Cluster, namespace: str, tmp_path: Path
) -> App:
    del metrics
    grant(cluster, namespace)
    found = example(cluster, namespace, request.param, tmp_path)
    found.user = "releaser"
    found.edit("deployment.yaml", lambda one: one["spec"].update(replicas=2))
    found.strategy(**LONG[request.param])
    found.install()
    cluster.apply(SCALER.format(name=found.name), namespace)
    return found


class Watch:
    """What the autoscaler wanted and what served, twice a second."""

    def __init__(self, app: App) -> None:
        self.app, self.seen = app, []  # type: App, list[tuple[float, int, int, int, str]]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def _follow(self) -> None:
        while not self._over.wait(0.5):
            scaler = self.app.get("hpa")
            wish = int(scaler.get("status", {}).get("desiredReplicas", 0))
            down = scaler["spec"]["behavior"]["scaleDown"].get("selectPolicy", "")
            serving = len(self.app.endpoints())
            self.seen.append((time.monotonic(), wish, serving, scaler["spec"]["minReplicas"], down))

    def short(self) -> list[tuple[float, int, int]]:
        """List when fewer served than the autoscaler had wanted for longer than it takes to react."""
        return [
            (at, serving, lasting)
            for at, _, serving, _, _ in self.seen
            if serving < (lasting := self._lasting(at))
        ]

    def while_held(self) -> list[int]:
        """List the sizes that it wanted while it was held."""
        return [wish for _, wish, _, _, down in self.seen if down == "Disabled"]

    def _lasting(self, at: float) -> int:
        wishes = [wish for then, wish, *_ in self.seen if at - REACTION_SECONDS <= then <= at]
        whole = at - self.seen[0][0] > REACTION_SECONDS
        return min(wishes) if whole else 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def users(app: App) -> Json:
    """Give all of the autoscaler that is the user's."""
    one = app.get("hpa")
    return {
        "spec": one["spec"],
        **{key: one["metadata"].get(key) for key in ("annotations", "labels", "finalizers")},
    }


@contextmanager
def rising(app: App) -> Iterator[tuple[list[Load], Callable[[], None]]]:
    """Send 40 requests a second, and 60 more at each call."""
    with ExitStack() as loads:
        started = [loads.enter_context(app.load(rate=40))]
        yield started, lambda: started.append(loads.enter_context(app.load(rate=60)))


def wait_for_size(app: App, least: int) -> None:
    app.cluster.wait(
        lambda: app.get("deployment")["spec"]["replicas"] >= least, 120, f"{least} replicas of {app.name}"
    )


def test_a_release_while_the_autoscaler_scales_up_drops_nothing_and_leaves_it_as_it_was(app: App) -> None:
    before = users(app)
    with rising(app) as (started, more), Watch(app) as watch:
        wait_for_size(app, 3)
        more()
        app.env(REVISION="r2")
        running = app.start("release", str(app.spec))
        time.sleep(8)
        more()
        _, told = running.communicate(timeout=300)
        assert running.returncode == 0, told
        time.sleep(5)
    for load in started:
        print(f"\n{app.name}: {load.report}")
    sizes = [(wish, serving, floor) for _, wish, serving, floor, _ in watch.seen]
    print(f"wish, serving, floor: {sizes[:: max(1, len(sizes) // 40)]}")
    assert [load.report.failed for load in started] == [0, 0, 0]
    assert "is held: no scaling down" in told
    assert "Disabled" in {down for *_, down in watch.seen}
    assert watch.short() == []
    assert max(watch.while_held()) > 3  # it grew in mid-release
    assert users(app) == before
    assert app.leftovers() == []


def test_killed_in_mid_release_it_stays_able_to_grow_and_the_next_command_puts_it_back(app: App) -> None:
    before = users(app)
    app.env(REVISION="r2")
    running = app.start("release", str(app.spec))
    until(running, "is held: no scaling down")
    running.kill()
    running.communicate()
    held = app.get("hpa")["spec"]
    assert held["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"
    assert held["behavior"]["scaleUp"]["selectPolicy"] == "Max"
    status = app.run("status", app.name)
    assert "HorizontalPodAutoscaler" in status.stdout, status.stderr
    back = app.run("abort", app.name)
    assert back.returncode == 0, back.stderr
    assert users(app) == before


def test_without_the_right_to_hold_it_a_release_warns_first_and_goes_on(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    role = yaml.safe_load(ROLE.read_text())
    role["rules"] = [one for one in role["rules"] if one["apiGroups"] != ["autoscaling"]]
    reading = {
        "apiGroups": ["autoscaling"],
        "resources": ["horizontalpodautoscalers"],
        "verbs": ["get", "list"],
    }
    role["rules"].append(reading)
    (tmp_path / "role.yaml").write_text(yaml.safe_dump(role))
    grant(cluster, namespace, role=tmp_path / "role.yaml")
    app = small(cluster, namespace, tmp_path).install()
    cluster.apply(SCALER.format(name=app.name), namespace)
    before = users(app)
    app.env(REVISION="r2")
    done = app.release()
    assert (done.returncode, app.live_revisions()) == (0, {"r2": 2}), done.stderr
    warned = "warning: the autoscaler of balances cannot be held, and may scale down in mid-release"
    assert 0 <= done.stderr.find(warned) < done.stderr.find("pause the Deployment")
    assert "watch horizontalpodautoscalers, patch horizontalpodautoscalers" in done.stderr
    assert users(app) == before
