"""What a person sees of a real release, and that the way back by hand works with kubectl alone.

The commands are those that `status` prints, run by a plain sh under load; the stages are those in which a
release can be found after its process died.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, until

VIEWER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
  - {apiGroups: [apps], resources: [deployments, replicasets], verbs: [get, list]}
  - {apiGroups: [""], resources: [pods, services, configmaps], verbs: [get, list]}
  - {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list]}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list]}
"""


@pytest.fixture
def balances(balances: App) -> App:
    """Installed: the old revision serves."""
    return balances.install()


@pytest.fixture
def sessions(sessions: App) -> App:
    """Installed: the old revision serves."""
    return sessions.install()


def document(app: App, *args: str) -> dict[str, Any]:
    told = app.run(*args, "-o", "json")
    assert told.returncode in {0, 2}, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def killed_at(app: App, text: str, times: int = 1) -> None:
    """Start a release and kill it where its story says `text` for the n-th time."""
    running = app.start("release", str(app.spec))
    for _ in range(times):
        until(running, text)
    running.kill()
    running.communicate()


def by_hand(app: App) -> subprocess.CompletedProcess[str]:
    """Run the commands that `status` prints, as an admin who has kubectl and no deployctl."""
    commands = "\n".join(document(app, "status", app.name)["byHand"])
    return app.cluster.run(["sh", "-ec", commands], timeout=120)


def goes_back(app: App) -> None:
    """Go back by hand; everything is as it was, and nothing of the new revision serves."""
    done = by_hand(app)
    assert done.returncode == 0, done.stdout + done.stderr
    assert app.live_revisions() == {"r1": 6}
    assert app.settings() == app.before
    assert app.leftovers() == []
    assert document(app, "status", app.name)["release"] is None


def slow(app: App, stage: str) -> None:
    """Let the gates of a stage take so long that the release can be killed while they are asked."""

    def change(spec: dict[str, Any]) -> None:
        spec["spec"]["gates"][stage][0].update(count=600, interval="1s")

    app.edit("deployctl.yaml", change)


def template(app: App) -> dict[str, Any]:
    found: dict[str, Any] = app.get("deployment")["spec"]["template"]
    return found


def test_a_waiting_preview_is_left_by_hand(balances: App) -> None:
    """Blue-green before the flip."""
    was = template(balances)
    balances.env(REVISION="r2")
    with balances.load() as load:
        assert balances.release("--promote", "manual").returncode == 4
        goes_back(balances)
    assert (load.report.failed, load.report.answers("r2")) == (0, 0), load.report
    assert template(balances) == was


def test_a_shifted_release_is_left_by_hand(balances: App) -> None:
    """Blue-green after the flip: the selector goes back first."""
    was = template(balances)
    slow(balances, "after")
    balances.env(REVISION="r2")
    with balances.load() as load:
        killed_at(balances, "asking the gates after")
        time.sleep(2)  # kube-proxy programs the shift
        goes_back(balances)
    assert load.report.failed == 0, load.report
    assert load.report.answers("r2") > 0
    assert template(balances) == was


def test_a_dark_batch_is_left_by_hand(sessions: App) -> None:
    """Rolling with the valve on: the second batch is dark, the first one serves."""
    was = template(sessions)
    sessions.env(REVISION="r2")
    with sessions.load() as load:
        killed_at(sessions, "asking the gates before", times=2)
        assert document(sessions, "status", sessions.name)["traffic"][0]["valve"] is True
        goes_back(sessions)
    assert load.report.failed == 0, load.report
    assert template(sessions) == was


def test_a_rolling_release_at_rest_is_left_by_hand(sessions: App) -> None:
    """Rolling between two batches, the valve off."""
    was = template(sessions)
    slow(sessions, "during")
    sessions.env(REVISION="r2")
    with sessions.load() as load:
        killed_at(sessions, "asking the gates during")
        assert document(sessions, "status", sessions.name)["traffic"][0]["valve"] is False
        goes_back(sessions)
    assert load.report.failed == 0, load.report
    assert template(sessions) == was


def test_who_may_only_read_sees_the_whole_status(cluster: Cluster, balances: App) -> None:
    """get and list of six kinds are enough for status, why and the list."""
    balances.env(REVISION="r2")
    assert balances.release("--promote", "manual").returncode == 4
    cluster.apply(VIEWER, balances.namespace)
    cluster.kubectl(
        "-n", balances.namespace, "create", "rolebinding", "reader", "--role=reader", "--user=viewer"
    )
    balances.user = "viewer"
    told = document(balances, "status", balances.name)
    assert told["release"]["waitsFor"].endswith("waits for a person to promote it")
    assert told["traffic"][0]["endpoints"] == {told["release"]["stable"]: 6}
    assert told["release"]["gates"] == ["before smoke passed: /healthz: 200 from 5 of 5 pods"]
    assert balances.run("status").stdout.splitlines()[1].startswith("balances   trying")
    assert "waits for a person to promote it." in balances.run("why", balances.name).stdout


def test_why_names_who_wrote_meanwhile(balances: App) -> None:
    """Somebody's `kubectl set env` during a hold is told with its manager and its fields."""
    balances.env(REVISION="r2")
    assert balances.release("--promote", "manual").returncode == 4
    balances.kubectl("set", "env", "deployment/balances", "REVISION=r9")
    assert "Kubectl-set wrote template of the Deployment" in balances.run("why", balances.name).stdout


def test_plan_is_a_function_of_its_inputs_and_touches_nothing(balances: App) -> None:
    """Two plans are byte for byte equal, and the objects keep their resourceVersion."""
    before = balances.get("deployment")["metadata"]["resourceVersion"]
    balances.env(REVISION="r2")
    once, twice = (
        balances.run("plan", str(balances.spec), "-o", "json", "--detailed-exitcode") for _ in "ab"
    )
    assert (once.returncode, once.stdout) == (2, twice.stdout)
    assert balances.get("deployment")["metadata"]["resourceVersion"] == before


def test_plan_shows_what_would_refuse_the_release(balances: App) -> None:
    """A Service that selects the pods and is not listed: the plan stands, and the exit code is the refusal's."""
    balances.env(REVISION="r2")
    other = balances.get("service")
    other["metadata"] = {"name": "other"}
    other["spec"] = {"ports": other["spec"]["ports"], "selector": other["spec"]["selector"]}
    balances.cluster.apply(json.dumps(other), balances.namespace)
    told = balances.run("plan", str(balances.spec))
    assert told.returncode == 2
    assert "shift 100% of balances" in told.stdout
    assert "Service other selects the pods of balances and is not listed" in told.stdout


def test_plan_of_what_is_live_has_nothing_to_do(balances: App) -> None:
    """After the release, the same files plan nothing."""
    balances.env(REVISION="r2")
    assert balances.release().returncode == 0
    told = balances.run("plan", str(balances.spec), "--detailed-exitcode")
    assert (told.returncode, "nothing to do" in told.stdout) == (0, True)


@pytest.mark.parametrize("command", ["status", "why"])
def test_what_was_never_released_is_said_to_be_unknown(balances: App, command: str) -> None:
    """No record and no Deployment of that name is a usage error, not an empty answer."""
    told = balances.run(command, "nope")
    assert (told.returncode, "not found" in told.stderr) == (2, True)
