"""Of several who release one app, one does; the others are told who, since when, and what they can do."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, grant, until
from tests.cluster.small import small, told

SLOW = {"name": "slow", "http": {"url": "http://127.0.0.1:9/"}, "interval": "1s", "consecutiveErrorLimit": 99}


@pytest.fixture(scope="module")
def installed(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> App:
    grant(cluster, shared_namespace)
    return small(cluster, shared_namespace, tmp_path_factory.mktemp("installed")).install()


@pytest.fixture
def app(installed: App, cluster: Cluster, tmp_path: Path) -> App:
    """The app with files of the test's own, whose gate takes its time."""
    found = small(cluster, installed.namespace, tmp_path)
    found.edit("deployctl.yaml", lambda one: one["spec"]["gates"].update(before=[SLOW]))
    found.env(REVISION="r2")
    found.before = installed.before
    return found


@pytest.fixture
def running(app: App) -> Iterator[subprocess.Popen[str]]:
    """A release in flight, which is aborted in the end."""
    process = app.start("release", str(app.spec))
    until(process, "asking the gates before")
    yield process
    app.run("abort", app.name)
    process.communicate(timeout=30)
    assert app.settings() == app.before


def test_a_second_release_of_the_same_is_told_who_is_at_it(app: App, running: subprocess.Popen[str]) -> None:
    said = told(app.release(), 6, f"next: watch it with `deployctl status {app.name} -w`")
    assert re.search(rf"error: \S+@\S+/{running.pid} holds the lock of balances since 20\d\d-", said)
    assert running.poll() is None


def test_a_second_release_of_something_else_is_told_who_is_at_it(
    app: App, running: subprocess.Popen[str]
) -> None:
    app.env(REVISION="r3")
    said = told(app.release(), 6, "another release of balances is in flight", "next: `deployctl resume")
    assert re.search(rf"begun by \S+@\S+/{running.pid} at 20\d\d-", said)
    assert running.poll() is None


def test_two_that_begin_in_the_same_moment_do_not_meet(app: App) -> None:
    both = [app.start("release", str(app.spec)) for _ in range(2)]
    app.cluster.wait(lambda: any(one.poll() is not None for one in both), what="one to give way")
    loser, winner = sorted(both, key=lambda one: one.poll() is None)
    _, said = loser.communicate()
    assert (loser.returncode, f"/{winner.pid} " in said) == (6, True), said
    told(app.run("abort", app.name), 0, "back on ")
    assert winner.wait(30) == 6
    winner.communicate()


def test_the_same_release_goes_on_after_the_first_has_died(app: App, running: subprocess.Popen[str]) -> None:
    running.kill()
    app.edit("deployctl.yaml", lambda one: one["spec"].pop("gates"))
    told(app.release(), 0, "for the lock of", "promoted")
    assert app.live_revisions() == {"r2": 2}
    told(app.run("rollback", app.name), 0, "rolled back to ")


def test_a_lease_that_is_garbage_is_nobodys(app: App) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "deployctl-balances"},
    }
    app.kubectl("delete", "lease", "deployctl-balances", "--ignore-not-found")
    app.cluster.apply(json.dumps(lease), app.namespace)
    app.edit("deployctl.yaml", lambda one: one["spec"].pop("gates"))
    told(app.release(), 0, "promoted")
    told(app.run("rollback", app.name), 0, "rolled back to ")
