"""What every test of this folder relies on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.layout import NODE, REPOSITORY, BedError

APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: wallet}
spec:
  replicas: 2
  selector: {matchLabels: {app: wallet}}
  template:
    metadata: {labels: {app: wallet}}
    spec:
      containers:
        - name: wallet
          image: localhost/igaming:1
          readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: wallet}
spec: {selector: {app: wallet}, ports: [{port: 80, targetPort: 8080}]}
"""
ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).status)"


def bed(verb: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.cluster.bed", verb]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def ready_replicas(cluster: Cluster, namespace: str) -> int:
    status = cluster.json("get", "deployment", "wallet", "-n", namespace)["status"]
    return int(status.get("readyReplicas", 0))


def deploy(cluster: Cluster, namespace: str) -> None:
    cluster.apply(APP, namespace)
    cluster.wait(lambda: ready_replicas(cluster, namespace) == 2, timeout=60, what="two ready pods")


def test_the_node_is_ready(cluster: Cluster) -> None:
    conditions = cluster.json("get", "node", NODE)["status"]["conditions"]
    assert [c["status"] for c in conditions if c["type"] == "Ready"] == ["True"]


def test_the_node_runs_the_version_that_was_asked_for(cluster: Cluster) -> None:
    assert cluster.json("version")["serverVersion"]["gitVersion"] == f"v{cluster.at.version}"


def test_a_deployment_answers_through_its_service(cluster: Cluster, namespace: str) -> None:
    deploy(cluster, namespace)
    address = cluster.json("get", "service", "wallet", "-n", namespace)["spec"]["clusterIP"]
    answered = cluster.wait(
        lambda: cluster.run([sys.executable, "-c", ASK, f"http://{address}/readyz"]).stdout,
        timeout=10,
        what="an answer of the Service",
    )
    assert answered.strip() == "200"


def test_the_second_image_is_another_one(cluster: Cluster, namespace: str) -> None:
    deploy(cluster, namespace)
    cluster.kubectl("set", "image", "deployment/wallet", "wallet=localhost/igaming:2", "-n", namespace)
    cluster.kubectl("rollout", "status", "deployment/wallet", "-n", namespace, "--timeout=60s")
    images = cluster.json("get", "node", NODE)["status"]["images"]
    ours = [image["names"] for image in images if "localhost/igaming:2" in (image["names"] or ())]
    assert ["localhost/igaming:1" in names for names in ours] == [False]


def test_logs_and_exec_reach_a_pod(cluster: Cluster, namespace: str) -> None:
    deploy(cluster, namespace)
    said = cluster.kubectl(
        "exec", "deploy/wallet", "-n", namespace, "--", "python3", "-S", "-c", "print(6 * 7)"
    )
    assert said == "42\n"
    assert cluster.kubectl("logs", "deploy/wallet", "-n", namespace)


def test_a_user_may_do_nothing_without_a_role(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(BedError, match='User "releaser" cannot list resource "pods"'):
        cluster.kubectl("get", "pods", "-n", namespace, user="releaser")


def test_a_role_in_one_namespace_gives_nothing_in_another(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "rolebinding", "look", "--clusterrole=view", "--user=viewer", "-n", namespace)
    seen = cluster.wait(
        lambda: cluster.run(["kubectl", "get", "pods", "-n", namespace], user="viewer").returncode == 0,
        timeout=10,
        what="the Role to count",
    )
    assert seen
    with pytest.raises(BedError, match='"viewer" cannot list resource "pods"'):
        cluster.kubectl("get", "pods", "-n", "default", user="viewer")


def test_a_service_account_token_is_a_user(cluster: Cluster, namespace: str) -> None:
    token = cluster.kubectl("create", "token", "default", "-n", namespace, "--duration=10m").strip()
    server = cluster.json("config", "view")["clusters"][0]["cluster"]
    asked = cluster.kubectl(
        f"--server={server['server']}", f"--certificate-authority={server['certificate-authority']}",
        f"--token={token}", "--kubeconfig=/dev/null", "auth", "whoami",
    )  # fmt: skip
    assert f"system:serviceaccount:{namespace}:default" in asked


def test_the_api_server_is_out_of_reach_from_outside(cluster: Cluster) -> None:
    asked = [
        str(cluster.at.state / "bin" / "kubectl"),
        "--kubeconfig",
        str(cluster.kubeconfig),
        "get",
        "--raw",
        "/",
    ]
    outside = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert "refused" in outside.stderr


def test_up_leaves_a_healthy_cluster_as_it_is(cluster: Cluster) -> None:
    before = cluster.json("get", "node", NODE)["metadata"]["uid"]
    again = bed("up")
    assert again.returncode == 0
    assert "is up already" in again.stdout
    assert cluster.json("get", "node", NODE)["metadata"]["uid"] == before
