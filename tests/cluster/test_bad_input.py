"""What a release refuses to begin on: said with what it is and what to do next, and nothing is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, grant
from tests.cluster.small import refused, small

Json = dict[str, Any]
ELSEWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def installed(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> App:
    """One small app that every test here finds and leaves at rest."""
    grant(cluster, shared_namespace)
    return small(cluster, shared_namespace, tmp_path_factory.mktemp("installed")).install()


@pytest.fixture
def app(installed: App, cluster: Cluster, tmp_path: Path) -> App:
    """The same app with files of the test's own, in which a new revision waits to be released."""
    found = small(cluster, installed.namespace, tmp_path)
    found.env(REVISION="r2")
    return found


@contextmanager
def patched(app: App, kind: str, name: str, patch: Json, back: Json) -> Iterator[None]:
    """Change a live object for a while, as somebody else does."""
    app.kubectl("patch", kind, name, "-p", json.dumps(patch))
    try:
        yield
    finally:
        app.kubectl("patch", kind, name, "-p", json.dumps(back))
        app.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=60s")


WRONG = """\
apiVersion: deployctl.dev/v1alpha1
kind: App
metadata: {name: balances}
spec:
  workload: {manifests: [deployment.yaml], deployment: balances, services: [balances]}
  strategy:
    rolling: {bach: 25%, batch: on}
  drain: {preStop: 1.10}
  drain: {preStop: 5s}
"""


def test_every_error_of_a_spec_is_told_at_its_place(app: App) -> None:
    app.spec.write_text(WRONG)
    refused(
        app,
        2,
        "deployctl.yaml:7:15: spec.strategy.rolling.bach: unknown; expected one of batch",
        "deployctl.yaml:7:33: spec.strategy.rolling.batch: got on; expected a count",
        "deployctl.yaml:8:20: spec.drain.preStop: got 1.10; expected a duration",
        "deployctl.yaml:9:3: spec.drain: given twice, first at 8:3",
    )


def test_a_missing_deployment_is_named(app: App) -> None:
    app.edit("deployctl.yaml", lambda one: one["spec"]["workload"].update(deployment="wallet", manifests=[]))
    refused(app, 2, f"Deployment wallet not found in namespace {app.namespace}", "next: kubectl apply")


def test_a_missing_service_is_named(app: App) -> None:
    app.edit("deployctl.yaml", lambda one: one["spec"]["workload"].update(services=["balances", "wallet"]))
    refused(app, 2, f"Service wallet not found in namespace {app.namespace}", "next: kubectl apply")


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: SELECTOR, ports: [{port: 80, targetPort: 8080}]}
"""


@contextmanager
def service(app: App, name: str, selector: Json | None) -> Iterator[None]:
    """Add a Service for a while."""
    text = SERVICE.replace("NAME", name).replace("SELECTOR", json.dumps(selector))
    app.cluster.apply(text, app.namespace)
    try:
        yield
    finally:
        app.kubectl("delete", "service", name)


@pytest.mark.parametrize(
    ("selector", "says"),
    [({"app.kubernetes.io/name": "wallet"}, "app.kubernetes.io/name"), (None, "selects nothing")],
    ids=["of another app", "none"],
)
def test_a_service_that_selects_no_pod_of_the_app_is_refused(
    app: App, selector: Json | None, says: str
) -> None:
    app.edit("deployctl.yaml", lambda one: one["spec"]["workload"].update(services=["balances", "other"]))
    with service(app, "other", selector):
        refused(app, 2, "Service other selects", says)


def test_an_unlisted_service_that_selects_the_pods_is_named(app: App) -> None:
    with service(app, "side-door", {"app.kubernetes.io/name": "balances"}):
        refused(app, 2, "Service side-door", "is not listed", "next: add it to spec.workload.services")


STATES: list[Any] = [
    pytest.param({"paused": True}, {"paused": None}, 6, ["is paused", "kubectl rollout resume"], id="paused"),
    pytest.param(
        {"minReadySeconds": 1_000_000_000, "progressDeadlineSeconds": 2_147_483_647},
        {"minReadySeconds": 0, "progressDeadlineSeconds": 600},
        6,
        ["minReadySeconds is 1000000000", "next: "],
        id="held by a stranger",
    ),
    pytest.param({"replicas": 0}, {"replicas": 2}, 2, ["0 replicas", "kubectl apply"], id="0 replicas"),
    pytest.param(
        {"strategy": {"type": "Recreate", "rollingUpdate": None}},
        {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}},
        2,
        ["strategy Recreate", "RollingUpdate", "next: "],
        id="Recreate",
    ),
]


@pytest.mark.parametrize(("spec", "back", "code", "says"), STATES)
def test_a_deployment_that_cannot_be_held_is_refused(
    app: App, spec: Json, back: Json, code: int, says: list[str]
) -> None:
    with patched(app, "deployment", app.name, {"spec": spec}, {"spec": back}):
        refused(app, code, f"Deployment {app.name}", *says)


def test_a_rollout_by_somebody_else_is_left_alone(app: App) -> None:
    try:
        app.kubectl("set", "env", f"deployment/{app.name}", "NEVER_READY=1")
        app.cluster.wait(lambda: len(app.pods()) == 3, what="the pod that never comes")
        refused(app, 6, "in the middle of a rollout by kubectl-set", "next: ", "kubectl rollout undo")
    finally:
        app.kubectl("rollout", "undo", f"deployment/{app.name}")
        app.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=60s")


def test_a_service_that_somebody_pinned_is_named(app: App) -> None:
    hashed = app.pods()[0]["metadata"]["labels"]["pod-template-hash"]
    pin = {"spec": {"selector": {"pod-template-hash": hashed}}}
    with patched(app, "service", app.name, pin, {"spec": {"selector": {"pod-template-hash": None}}}):
        refused(app, 6, f"Service {app.name} is pinned", "pod-template-hash", "next: kubectl")


@pytest.fixture
def named_cluster(app: App) -> Iterator[None]:
    """Let the releaser read the one namespace whose UID names the cluster."""
    rule = ("--verb=get", "--resource=namespaces", "--resource-name=kube-system")
    app.kubectl("create", "clusterrole", app.namespace, *rule)
    app.kubectl(
        "create", "clusterrolebinding", app.namespace, f"--clusterrole={app.namespace}", "--user=releaser"
    )
    yield
    app.kubectl("delete", "clusterrole,clusterrolebinding", app.namespace)


@pytest.mark.usefixtures("named_cluster")
def test_the_wrong_cluster_is_refused(app: App) -> None:
    app.edit("deployctl.yaml", lambda one: one["metadata"].update(cluster=ELSEWHERE))
    refused(app, 2, "metadata.cluster says 00000000", "next: choose the right cluster with --context")


@pytest.mark.usefixtures("named_cluster")
def test_the_right_cluster_passes(app: App) -> None:
    uid = app.cluster.json("get", "namespace", "kube-system")["metadata"]["uid"]
    app.edit("deployctl.yaml", lambda one: one["metadata"].update(cluster=uid))
    done = app.run("release", str(app.spec), "--image", "nobody=x")
    assert "no such container" in done.stderr  # the next thing that is looked at


def test_a_cluster_that_may_not_be_looked_at_is_told_with_the_rule_that_helps(app: App) -> None:
    app.user = "user1"
    app.kubectl("create", "rolebinding", "user1", "--role=deployctl", "--user=user1")
    app.edit("deployctl.yaml", lambda one: one["metadata"].update(cluster=ELSEWHERE))
    refused(app, 7, "metadata.cluster", "get namespaces", "kube-system", "next: ")


def test_a_file_for_another_namespace_than_the_flag_is_refused(app: App) -> None:
    app.edit("deployctl.yaml", lambda one: one["metadata"].update(namespace="elsewhere"))
    refused(app, 2, "metadata.namespace is elsewhere", f"--namespace {app.namespace}")
