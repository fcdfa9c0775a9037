"""Planted credentials reach no byte of output, and no object of ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, grant, until
from tests.cluster.small import small, told

PASSWORD = "hunter2-3f9c1e"
NEWER = "hunter3-77ab20"
PLUGIN = """
import json, sys
print("plugin debug: handed out", file=sys.stderr)
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {"token": sys.argv[1]}}))
"""
SENSITIVE = ("DB_PASSWORD", "API_TOKEN", "CLIENT_SECRET", "SIGNING_KEY", "SENTRY_DSN", "AWS_CREDENTIALS")


@pytest.fixture(scope="module")
def installed(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> App:
    """A small app with passwords in its template."""
    grant(cluster, shared_namespace)
    found = small(cluster, shared_namespace, tmp_path_factory.mktemp("installed"))
    found.env(**dict.fromkeys(SENSITIVE, PASSWORD))
    return found.install()


@pytest.fixture
def app(installed: App, cluster: Cluster, tmp_path: Path) -> App:
    """The same app with files of the test's own, in which other passwords wait to be released."""
    found = small(cluster, installed.namespace, tmp_path)
    found.env(REVISION="r2", **dict.fromkeys(SENSITIVE, NEWER))
    return found


@pytest.fixture
def env(app: App) -> dict[str, str]:
    """Log in as the releaser through a plugin that hands out the token."""
    folder = app.folder
    (folder / "plugin.py").write_text(PLUGIN)
    whole = yaml.safe_load(app.cluster.kubeconfig_for("releaser").read_text())
    args = [str(folder / "plugin.py"), "releaser-token"]
    version = "client.authentication.k8s.io/v1"
    whole["users"][0]["user"] = {"exec": {"apiVersion": version, "command": sys.executable, "args": args}}
    (folder / "kubeconfig").write_text(yaml.safe_dump(whole))
    return {"KUBECONFIG": str(folder / "kubeconfig")}


def planted(text: str) -> list[str]:
    return [one for one in (PASSWORD, NEWER, "releaser-token") if one in text]


def test_no_output_and_no_record_holds_a_credential(app: App, env: dict[str, str]) -> None:
    """Through a plan, a release that is refused, one that ends and the way back, in every form of output."""
    file = str(app.spec)
    commands = [
        ("plan", file),
        ("plan", file, "-o", "json"),
        ("plan", file, "-o", "yaml"),
        ("release", file, "-v", "--image", "nobody=x"),
        ("release", file, "-v", "-o", "json"),
        ("status", app.name),
        ("status", app.name, "-o", "json"),
        ("why", app.name),
        ("rollback", app.name, "-v", "-o", "jsonl"),
        ("release", file, "-v", "-o", "jsonl"),
        ("release", file, "-v", "--as", "ann"),
    ]
    done = [app.run(*command, env=env) for command in commands]
    app.run("rollback", app.name)
    assert [(one.returncode, one.stderr) for one in done if one.returncode not in {0, 2, 7}] == []
    assert [(one.args, one.stdout + one.stderr) for one in done if planted(one.stdout + one.stderr)] == []


def test_the_record_of_a_release_in_flight_holds_no_password(app: App, env: dict[str, str]) -> None:
    held = app.run("release", str(app.spec), "--promote", "manual", env=env)
    assert held.returncode == 4, held.stderr
    records = app.kubectl("get", "configmaps,leases", "-o", "json")
    assert planted(records) == []
    assert app.run("abort", app.name, env=env).returncode == 0


def test_a_release_that_died_before_its_template_was_written_goes_on_from_its_file(
    app: App, env: dict[str, str]
) -> None:
    running = app.start("release", str(app.spec), env=env)
    until(running, "pause the Deployment")
    running.kill()
    running.communicate()
    told(app.release(), 0, "promoted")
    told(app.run("rollback", app.name), 0, "rolled back to ")


def test_a_template_that_is_refused_is_not_quoted(app: App, env: dict[str, str]) -> None:
    app.edit(
        "deployment.yaml",
        lambda one: one["spec"]["template"]["spec"]["containers"][0].update(imagePullPolice="Never"),
    )
    done = app.run("release", str(app.spec), env=env)
    assert (done.returncode, planted(done.stdout + done.stderr)) == (2, [])
