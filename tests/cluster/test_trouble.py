"""A preview that cannot come up: the cluster's own words are told, and the old revision serves throughout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, grant
from tests.cluster.small import refused, small, told

Json = dict[str, Any]


@pytest.fixture(scope="module")
def installed(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> App:
    """One small app to which every trouble here comes, and which serves the same revision after each."""
    grant(cluster, shared_namespace)
    return small(cluster, shared_namespace, tmp_path_factory.mktemp("installed")).install()


@pytest.fixture
def app(installed: App, cluster: Cluster, tmp_path: Path) -> App:
    found = small(cluster, installed.namespace, tmp_path)
    found.env(REVISION="r2")
    found.before = installed.before
    return found


def container(app: App, **fields: Any) -> None:
    """Set fields of the app's container in the manifest."""
    app.edit("deployment.yaml", lambda one: one["spec"]["template"]["spec"]["containers"][0].update(fields))


def aborted(app: App, *says: str) -> str:
    """Release, to be aborted by itself; all must be as before."""
    said = told(app.release(), 3, f"{app.name}: back on ", *says)
    assert app.live_revisions() == {"r1": 2}
    assert app.settings() == app.before
    assert app.leftovers() == []
    return said


@contextmanager
def applied(app: App, manifest: Json) -> Iterator[None]:
    """Add an object for a while."""
    app.cluster.apply(json.dumps(manifest), app.namespace)
    try:
        yield
    finally:
        app.kubectl("delete", manifest["kind"], manifest["metadata"]["name"], "--wait=true")


def quota(pods: int) -> Json:
    spec = {"hard": {"pods": str(pods)}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": spec}


def counted(app: App) -> bool:
    used = app.get("resourcequota", "few").get("status", {}).get("used", {})
    return bool(used.get("pods") == "2")


def test_a_quota_that_leaves_no_room_is_told_at_once(app: App) -> None:
    with applied(app, quota(2)):
        app.cluster.wait(lambda: counted(app), what="the quota to count")
        refused(
            app, 2, "a pod of the new template is refused", "exceeded quota: few", "used: pods=2", "next: "
        )


def test_a_quota_that_leaves_too_little_room_aborts(app: App) -> None:
    with applied(app, quota(3)):
        app.cluster.wait(lambda: counted(app), what="the quota to count")
        aborted(app, "exceeded quota: few")


def test_a_limit_range_is_told_at_once(app: App) -> None:
    limits = [{"type": "Container", "max": {"memory": "64Mi"}, "default": {"memory": "64Mi"}}]
    meta = {"name": "small"}
    with applied(
        app, {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": limits}}
    ):
        container(app, resources={"limits": {"memory": "1Gi"}})
        refused(app, 2, "maximum memory usage per Container is 64Mi", "next: ")


DENIAL = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAME}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations:
    - expression: "!object.spec.containers.exists(c, has(c.env) && c.env.exists(e, e.name == 'UNSIGNED'))"
      message: "only signed images run here"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAME}
spec:
  policyName: NAME
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}}
"""
PROBE = "kubectl run probe --image=localhost/igaming:1 --env=UNSIGNED=1 --dry-run=server -n"


@pytest.fixture
def unsigned_denied(app: App) -> Iterator[None]:
    """Deny pods with a variable UNSIGNED in this namespace, as an image policy would."""
    text = DENIAL.replace("NAME", app.namespace)
    app.cluster.apply(text, app.namespace)
    try:
        app.cluster.wait(
            lambda: app.cluster.run([*PROBE.split(), app.namespace]).returncode,
            what="the policy to be in force",
        )
        yield
    finally:
        app.cluster.kubectl("delete", "-f", "-", input=text)


@pytest.mark.usefixtures("unsigned_denied")
def test_a_denial_by_admission_is_told_at_once(app: App) -> None:
    app.env(UNSIGNED="1")
    refused(app, 2, "a pod of the new template is refused", "only signed images run here", "next: ")


def test_a_template_that_the_server_refuses_is_told_at_once(app: App) -> None:
    container(app, imagePullPolicy="Sometimes")
    refused(app, 2, "the server refuses the pod template", 'Unsupported value: "Sometimes"', "next: ")


def test_an_unknown_field_of_the_template_is_told_at_once(app: App) -> None:
    container(app, imagePullPolice="Never")
    refused(app, 2, "the server refuses the pod template", "imagePullPolice", "next: ")


def test_an_image_that_is_not_there_aborts(app: App) -> None:
    container(app, image="localhost/igaming:nope", imagePullPolicy="Never")
    aborted(app, "ErrImageNeverPull", "localhost/igaming:nope")


def test_a_crash_loop_aborts_and_tells_the_last_words(app: App) -> None:
    words = "for n in range(1, 7): print(f'\\033[2Jline {n}')\nraise SystemExit(3)"
    container(app, command=["python3", "-S", "-c", words], readinessProbe=None, livenessProbe=None)
    said = aborted(app, "CrashLoopBackOff", "app crashed; its log ends:", "[2Jline 2", "[2Jline 6")
    assert "line 1\n" not in said
    assert "\x1b" not in said


def test_a_wrong_config_aborts(app: App) -> None:
    container(app, envFrom=[{"secretRef": {"name": "not-there"}}])
    aborted(app, "CreateContainerConfigError", 'secret "not-there" not found')
