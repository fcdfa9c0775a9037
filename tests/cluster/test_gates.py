"""Gates that go through the API server, asked of real pods: port-forward, headers, restarts, Jobs, Secrets."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, example, grant

Json = dict[str, Any]
CRON_JOB = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: smoke}
spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: smoke
              image: localhost/igaming-odds:1
              imagePullPolicy: IfNotPresent
              command: [python3, -c, "import os; os._exit(int(os.environ['CODE']))"]
"""


@pytest.fixture(scope="module")
def odds(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> App:
    app = example(cluster, shared_namespace, "odds", tmp_path_factory.mktemp("odds"))
    app.edit("deployment.yaml", lambda one: one["spec"].update(replicas=2))
    return app.install()


def asked(app: App, *gates: Json, more: tuple[str, ...] = ()) -> tuple[int, dict[str, Json]]:
    """Ask gates through the command line; give the exit code, and what each said by its name."""
    app.edit("deployctl.yaml", lambda one: one["spec"].update(gates={"before": list(gates)}))
    done = app.run("gate", "run", str(app.spec), "-o", "json", *more)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout, done.stderr
    return done.returncode, {one["name"]: one for one in json.loads(done.stdout)["gates"]}


def test_pods_are_asked_through_the_api_server_in_every_way(odds: App) -> None:
    code, said = asked(
        odds,
        {"name": "page", "http": {"path": "/healthz", "port": "http", "headers": {"Content-Type": "/"}}},
        {"name": "quick", "http": {"path": "/healthz", "port": "http", "requests": 5, "within": "2s"}},
        {"name": "health", "grpc": {"port": "grpc"}},
        {"name": "one-service", "grpc": {"port": "grpc", "service": "no.such.Service"}},
        {"name": "port", "tcp": {"port": "grpc"}},
        {"name": "nobody", "timeout": "3s", "tcp": {"port": 9, "expect": "hello"}},
        {"name": "refused", "tcp": {"port": 9}},
        {"name": "restarts", "restarts": {}},
        {"name": "no-tls", "timeout": "3s", "tls": {"port": "http", "names": ["odds"]}},
    )
    answers = {name: one["answer"] for name, one in said.items()}
    assert answers == {
        "page": "pass", "quick": "pass", "health": "pass", "one-service": "unknown", "port": "pass",
        "nobody": "fail", "refused": "fail", "restarts": "pass", "no-tls": "unknown",
    }, {name: one["evidence"] for name, one in said.items()}  # fmt: skip
    assert said["quick"]["samples"] == 10
    assert "and so do all 2" in said["health"]["evidence"]
    assert code == 3


@pytest.mark.parametrize(("code", "answer", "exits"), [("0", "pass", 0), ("4", "fail", 3)])
def test_a_job_of_a_cron_jobs_template_runs_and_leaves_nothing(
    odds: App, code: str, answer: str, exits: int
) -> None:
    manifest = yaml.safe_load(CRON_JOB)
    container = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "CODE", "value": code}]
    odds.cluster.kubectl("-n", odds.namespace, "apply", "-f", "-", input=yaml.safe_dump(manifest))
    got, said = asked(odds, {"name": "smoke", "timeout": "60s", "job": {"cronJob": "smoke"}})
    assert (said["smoke"]["answer"], got) == (answer, exits), said
    assert ("Complete" in said["smoke"]["evidence"]) is (answer == "pass")
    until = time.monotonic() + 20
    while odds.kubectl("get", "jobs", "-o", "name").strip() and time.monotonic() < until:
        time.sleep(0.5)
    assert odds.kubectl("get", "jobs", "-o", "name").strip() == ""


def test_a_certificate_in_a_secret_is_judged_and_not_shown(odds: App, tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("odds.example")
    chain, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    odds.kubectl("create", "secret", "tls", "odds-tls", f"--cert={chain}", f"--key={key}")
    code, said = asked(odds, {"name": "cert", "tls": {"secret": "odds-tls", "names": ["odds.example"]}})
    assert (said["cert"]["answer"], code) == ("pass", 0), said
    assert key.read_text().splitlines()[1] not in json.dumps(said)


def test_cert_manager_that_is_not_installed_is_no_answer(odds: App) -> None:
    code, said = asked(odds, {"name": "cert", "tls": {"certificate": "odds"}})
    assert (said["cert"]["answer"], code) == ("unknown", 3)


def test_who_may_not_forward_ports_is_told_so(odds: App, cluster: Cluster) -> None:
    grant(cluster, odds.namespace)
    odds.user = "releaser"
    try:
        code, said = asked(odds, {"name": "port", "tcp": {"port": "grpc"}})
    finally:
        odds.user = "admin"
    assert (said["port"]["answer"], code) == ("unknown", 3)
    assert "may you create and get pods/portforward?" in said["port"]["evidence"]


def test_a_person_sees_a_table_and_the_story_of_a_watch(odds: App) -> None:
    gate = {"name": "page", "count": 3, "interval": "100ms", "http": {"path": "/healthz", "port": "http"}}
    odds.edit("deployctl.yaml", lambda one: one["spec"].update(gates={"before": [gate]}))
    done = odds.run("gate", "run", str(odds.spec), "--watch")
    assert done.returncode == 0
    assert done.stderr.count("before page: pass: /healthz: 200 from 2 of 2 pods") == 3
    assert done.stdout.splitlines()[1].split() == [
        "before", "page", "pass", *["/healthz:", "200", "from", "2", "of", "2", "pods", "(3", "measurements,", "3", "pass)"],
    ]  # fmt: skip


def test_a_gate_that_is_not_there_is_named(odds: App) -> None:
    done = odds.run("gate", "run", str(odds.spec), "--name", "gone")
    assert done.returncode == 2
    assert "no such gate of odds; it has" in done.stderr


SEVERAL = """
import socket, sys
from deployctl.cluster.api import Api
from deployctl.cluster.login import Target
from deployctl.cluster.tunnel import through

namespace, pod = sys.argv[1:]
with through(Api(Target(namespace=namespace)), namespace)(pod, 8080) as at:
    held = socket.create_connection(at, timeout=5)
    for _ in range(5):
        with socket.create_connection(at, timeout=5) as one:
            one.sendall(b"GET /healthz HTTP/1.0\\r\\n\\r\\n")
            print(one.recv(4096).split()[1].decode())
    held.close()
"""


def test_several_connections_go_through_one_tunnel(odds: App) -> None:
    """As a client makes them that asks again while it still holds the first."""
    pod = odds.pods()[0]["metadata"]["name"]
    done = odds.cluster.run([sys.executable, "-c", SEVERAL, odds.namespace, pod], timeout=60)
    assert done.stdout.split() == ["200"] * 5, done.stderr
