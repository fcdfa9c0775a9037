"""The way back needs the Kubernetes API and nothing else: no record, no gate that answers, no healthy preview."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import ROLE, App, grant, until
from tests.cluster.small import small, told

Json = dict[str, Any]
DEAD = {"name": "dead", "http": {"url": "http://127.0.0.1:9/"}, "interval": "1s", "consecutiveErrorLimit": 99}


@pytest.fixture(scope="module")
def installed(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> App:
    """One small app; `user1` has the Role without the record, `user2` may read it and not write."""
    grant(cluster, shared_namespace)
    for user, verbs in {"user1": [], "user2": ["get", "list", "watch"]}.items():
        cluster.apply(role_with(user, verbs), shared_namespace)
        bound = (f"--role={user}", f"--user={user}")
        cluster.kubectl("-n", shared_namespace, "create", "rolebinding", user, *bound)
    return small(cluster, shared_namespace, tmp_path_factory.mktemp("installed")).install()


def role_with(name: str, verbs: list[str]) -> str:
    """Write the Role with these verbs of ConfigMaps and no others."""
    role = yaml.safe_load(ROLE.read_text())
    role["metadata"]["name"] = name
    others = [one for one in role["rules"] if one["resources"] != ["configmaps"]]
    ours = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}] if verbs else []
    role["rules"] = others + ours
    return str(yaml.safe_dump(role))


@pytest.fixture
def app(installed: App, cluster: Cluster, tmp_path: Path) -> App:
    """The same app with files of the test's own, and a gate whose target is dead."""
    found = small(cluster, installed.namespace, tmp_path)
    found.edit("deployctl.yaml", lambda one: one["spec"]["gates"].update(before=[DEAD]))
    found.env(REVISION="r2")
    found.before = installed.before
    return found


def record(app: App) -> str:
    return f"configmap/deployctl-{app.name}"


def garbage(app: App) -> None:
    spoilt = dict.fromkeys(("spec", "template", "releases", "intent"), "{]")
    app.kubectl("patch", record(app), "--type=merge", "-p", json.dumps({"data": spoilt}))


def nonsense(app: App) -> None:
    spoilt = {"spec": '{"kind": 7}', "template": '{"spec": []}', "releases": "[{}]", "intent": "{}"}
    app.kubectl("patch", record(app), "--type=merge", "-p", json.dumps({"data": spoilt}))


def deleted(app: App) -> None:
    app.kubectl("delete", record(app))


def unreadable(app: App) -> None:
    app.user = "user1"


def read_only(app: App) -> None:
    app.user = "user2"


def dead_at(app: App, text: str) -> None:
    """Start a release and kill it where its story says `text`."""
    running = app.start("release", str(app.spec))
    until(running, text)
    running.kill()
    running.communicate()


def is_back(app: App, *command: str, says: str = "back on ") -> str:
    """Run a command that goes back, and find all as before."""
    said = told(app.run(*command), 0, f"{app.name}: {says}")
    assert app.live_revisions() == {"r1": 2}
    assert app.settings() == app.before
    assert app.leftovers() == []
    return said


@pytest.mark.parametrize(
    ("command", "broken"),
    [
        ("abort", garbage),
        ("rollback", nonsense),
        ("abort", deleted),
        ("rollback", unreadable),
        ("abort", read_only),
    ],
)
def test_a_release_in_flight_goes_back_without_its_record(app: App, command: str, broken: Any) -> None:
    dead_at(app, "asking the gates before")
    broken(app)
    is_back(app, command, app.name)


@pytest.mark.parametrize("broken", [deleted, unreadable])
def test_a_release_that_had_only_begun_goes_back_without_its_record(app: App, broken: Any) -> None:
    dead_at(app, "pause the Deployment")
    broken(app)
    is_back(app, "abort", app.name)


def test_a_preview_that_crashes_is_left(app: App) -> None:
    crash = {"command": ["python3", "-S", "-c", "raise SystemExit(3)"]}
    app.edit("deployment.yaml", lambda one: one["spec"]["template"]["spec"]["containers"][0].update(crash))
    dead_at(app, "hold 2 stable and 1 preview")
    app.cluster.wait(lambda: len(app.pods()) == 3, what="the pod that crashes")
    is_back(app, "rollback", app.name)


@pytest.mark.parametrize("broken", [nonsense, unreadable])
def test_a_finished_release_goes_back_without_its_record(app: App, broken: Any) -> None:
    app.edit("deployctl.yaml", lambda one: one["spec"].pop("gates"))
    told(app.release(), 0, "promoted")
    broken(app)
    is_back(app, "rollback", app.name, says="rolled back to ")
