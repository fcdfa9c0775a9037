"""What a local process does in the place of a container."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from deployctl.sandbox.pods import containers
from deployctl.sandbox.pods.imagined import Imagined
from deployctl.sandbox.pods.processes import Processes
from tests.sandbox.real import PATIENCE_SECONDS, alive, pod, refused, until

READY = {"httpGet": {"path": "/readyz", "port": "http"}}


@pytest.fixture
def runtime() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.close()


def begin(runtime: Processes, one: dict) -> int:
    """Start a pod and give the port that it listens on here."""
    runtime.start(one)
    return until(lambda: runtime.address(one["metadata"]["uid"], 8080))


def probed(runtime: Processes, one: dict, probe: dict) -> str:
    answers = [runtime.probe(one, one["spec"]["containers"][0], probe)]
    until(
        lambda: (
            answers.append(runtime.probe(one, one["spec"]["containers"][0], probe)) or answers[-1] is not None
        )
    )
    return answers[-1]


def ended(runtime: Processes, one: dict) -> int | None:
    until(lambda: not runtime.running(one))
    return runtime.exit_code(one)


def test_a_pod_answers_under_its_own_name_and_revision(runtime):
    one = pod("a-1", SERVICE="balances", REVISION="r7")
    begin(runtime, one)
    status, body, kind = runtime.ask(one, 8080, "/", "http", 1.0)
    assert (status, kind) == (200, "application/json")
    assert body == b'{"service": "balances", "revision": "r7", "pod": "a-1"}\n'


def test_a_pod_runs_from_its_start_and_has_not_ended(runtime):
    one = pod("a-1")
    runtime.start(one)
    assert (runtime.running(one), runtime.exit_code(one)) == (True, None)


def test_a_pod_that_was_never_started_does_not_run(runtime):
    one = pod("a-1")
    assert (runtime.running(one), runtime.exit_code(one), runtime.log(one)) == (False, None, "")


def test_nobody_answers_on_a_port_where_the_app_does_not_listen(runtime):
    one = pod("a-1")
    begin(runtime, one)
    assert runtime.ask(one, 9090, "/", "http", 1.0) is None


def test_the_app_listens_where_PORT_says(runtime):
    one = pod("a-1", PORT="9090")
    runtime.start(one)
    assert until(lambda: runtime.ask(one, 9090, "/healthz", "http", 1.0))[0] == 200
    assert runtime.ask(one, 8080, "/healthz", "http", 1.0) is None


def test_six_pods_are_up_together_in_no_time(runtime):
    pods = [pod(f"a-{number}") for number in range(6)]
    began = time.monotonic()
    for one in pods:
        runtime.start(one)
    until(lambda: all(runtime.address(one["metadata"]["uid"], 8080) for one in pods))
    assert time.monotonic() - began < 2.0  # 0.1 s on an idle machine


def test_a_probe_is_answered_later_and_once(runtime):
    one = pod("a-1")
    begin(runtime, one)
    box = one["spec"]["containers"][0]
    assert runtime.probe(one, box, READY) is None
    assert until(lambda: runtime.probe(one, box, READY) is not None)


def test_a_probe_passes_where_the_app_is_ready(runtime):
    one = pod("a-1")
    begin(runtime, one)
    assert probed(runtime, one, READY) == ""


def test_a_probe_tells_the_status_it_got(runtime):
    one = pod("a-1", NEVER_READY="1")
    begin(runtime, one)
    assert probed(runtime, one, READY) == "HTTP probe failed with statuscode: 503"


def test_a_probe_of_a_port_where_nobody_listens_is_refused(runtime):
    one = pod("a-1")
    begin(runtime, one)
    refused = "dial tcp 10.244.0.9:81: connect: connection refused"
    assert probed(runtime, one, {"tcpSocket": {"port": 81}}) == refused
    assert (
        probed(runtime, one, {"httpGet": {"path": "/x", "port": 81}})
        == f'Get "http://10.244.0.9:81/x": {refused}'
    )


def test_a_probe_that_takes_too_long_times_out(runtime):
    one = pod("a-1")
    begin(runtime, one)
    slow = {"httpGet": {"path": "/?hold_ms=5000", "port": 8080}, "timeoutSeconds": 0.1}
    assert probed(runtime, one, slow) == (
        'Get "http://10.244.0.9:8080/?hold_ms=5000": '
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    )


HEALTH = {"grpc": {"port": 9090, "service": ""}, "timeoutSeconds": 1}
NOBODY = 'timeout: failed to connect service "10.244.0.9:9090" within 1s: context deadline exceeded'
UNKNOWN = "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
UNHEALTHY = 'service unhealthy (responded with "NOT_SERVING")'


@pytest.mark.parametrize(
    ("env", "service", "told"),
    [
        ({"SERVICE": "odds"}, "", ""),
        ({"SERVICE": "odds"}, "Odds", ""),
        ({"SERVICE": "odds", "NEVER_READY": "1"}, "", UNHEALTHY),
        ({"SERVICE": "odds"}, "Wallet", UNKNOWN),
        ({"SERVICE": "odds", "GRPC_PORT": "9091"}, "", NOBODY),
        ({"SERVICE": "balances"}, "", NOBODY),
    ],
)
def test_a_probe_by_grpc_is_answered_for_odds_by_its_readyz_and_for_nobody_else(runtime, env, service, told):
    one, probe = pod("a-1", **env), {**HEALTH, "grpc": {"port": 9090, "service": service}}
    begin(runtime, one)
    imagined = Imagined(time.monotonic)
    imagined.start(one)
    one = {**one, "status": {"podIP": "10.244.0.9"}}
    assert probed(runtime, one, probe) == imagined.probe(one, {}, probe) == told


def test_a_page_at_the_port_of_a_probe_by_grpc_is_no_answer(runtime):
    one = pod("a-1", SERVICE="balances", PORT="9090")
    runtime.start(one)
    until(lambda: runtime.address(one["metadata"]["uid"], 9090))
    assert probed(runtime, one, HEALTH) == NOBODY


def test_a_probe_by_grpc_of_an_app_that_has_ended_reaches_nobody(runtime):
    one = pod("a-1", SERVICE="odds")
    begin(runtime, one)
    runtime.crash(one)
    ended(runtime, one)
    assert probed(runtime, one, HEALTH) == NOBODY


def test_a_pod_finds_what_lies_beside_its_app(runtime):
    one = pod("a-1", SERVICE="payments", BALANCES_URL="http://127.0.0.1:9")
    port = begin(runtime, one)
    body = b'{"transaction": "t1", "kind": "deposit", "player": "p1", "cents": 5}'
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"POST /payments HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert sock.recv(1000).startswith(b"HTTP/1.1 502 Bad Gateway")


def test_an_answered_probe_and_an_end_are_told(runtime):
    told: list[str] = []
    runtime.changed = told.append
    one = pod("a-1")
    begin(runtime, one)
    probed(runtime, one, READY)
    until(lambda: told == ["uid-a-1"])
    runtime.crash(one)
    until(lambda: told == ["uid-a-1", "uid-a-1"])


def test_an_app_that_crashes_has_ended_with_its_code(runtime):
    one = pod("a-1", CRASH_AFTER="0s")
    runtime.start(one)
    assert ended(runtime, one) == 1
    assert runtime.log(one) == "crashing as CRASH_AFTER asks\n"


def test_a_killed_container_ends_with_137(runtime):
    one = pod("a-1")
    begin(runtime, one)
    runtime.crash(one)
    assert ended(runtime, one) == 137


def test_a_started_again_pod_keeps_the_log_of_its_run_before(runtime):
    one = pod("a-1", CRASH_AFTER="0s")
    runtime.start(one)
    ended(runtime, one)
    runtime.start(one)
    ended(runtime, one)
    assert runtime.log(one, previous=True) == "crashing as CRASH_AFTER asks\n"


def test_sigterm_ends_an_app_at_once_that_exits_on_it(runtime):
    one = pod("a-1")
    begin(runtime, one)
    began = time.monotonic()
    runtime.stop(one, 30)
    assert ended(runtime, one) == 0
    assert time.monotonic() - began < 1.0


def test_an_app_that_drains_finishes_what_was_asked(runtime):
    one = pod("a-1", ON_SIGTERM="drain")
    port = begin(runtime, one)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as sock:
        sock.sendall(b"GET /?hold_ms=300 HTTP/1.1\r\n\r\n")
        time.sleep(0.1)  # it must have been read before the signal
        runtime.stop(one, 30)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    assert ended(runtime, one) == 0


def test_it_serves_through_preStop_and_gets_sigterm_after_it(runtime):
    one = pod("a-1", lifecycle={"preStop": {"sleep": {"seconds": 1}}})
    begin(runtime, one)
    began = time.monotonic()
    runtime.stop(one, 30)
    assert runtime.ask(one, 8080, "/", "http", 1.0)[0] == 200
    assert ended(runtime, one) == 0
    assert 0.9 < time.monotonic() - began < 3.0


def test_a_preStop_longer_than_the_grace_is_cut_off(runtime):
    one = pod("a-1", lifecycle={"preStop": {"sleep": {"seconds": 60}}})
    begin(runtime, one)
    runtime.stop(one, 0.2)
    assert ended(runtime, one) == 0


def test_an_app_that_does_not_end_is_killed(runtime):
    one = pod("a-1", ON_SIGTERM="drain")
    port = begin(runtime, one)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as sock:
        sock.sendall(b"GET /?hold_ms=60000 HTTP/1.1\r\n\r\n")
        time.sleep(0.1)  # it must have been read before the signal
        runtime.stop(one, 0.1)
        assert ended(runtime, one) == 137


def test_a_preStop_command_is_not_run_and_the_log_says_so(runtime):
    one = pod("a-1", lifecycle={"preStop": {"exec": {"command": ["sleep", "5"]}}})
    begin(runtime, one)
    runtime.stop(one, 30)
    ended(runtime, one)
    assert "preStop exec is not run here" in runtime.log(one)


def test_no_pod_outlives_the_runtime():
    runtime = Processes()
    one = pod("a-1")
    port = begin(runtime, one)
    runtime.close()
    until(lambda: refused(port))


OWNER = """
import sys, time
from deployctl.sandbox.pods.processes import Processes
from tests.sandbox.real import pod, until
runtime = Processes()
runtime.start(pod("a-1"))
port = until(lambda: runtime.address("uid-a-1", 8080))
print(port, runtime._nursery.pid, flush=True)
time.sleep(60)
"""


def test_no_pod_outlives_an_owner_that_is_killed():
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    port, nursery = map(int, owner.stdout.readline().split())
    owner.kill()
    owner.communicate()
    until(lambda: not alive(nursery))
    until(lambda: refused(port))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_pods_of_a_killed_nursery_have_ended_and_new_ones_start(runtime):
    one = pod("a-1")
    begin(runtime, one)
    os.kill(runtime._nursery.pid, signal.SIGKILL)
    assert ended(runtime, one) == 137
    assert begin(runtime, one)


def test_the_environment_knows_fields_of_the_pod_and_variables_before():
    one = pod("a-1", A="1", B="$(A)-$(NONE)-$$(A)")
    one["spec"]["nodeName"] = "node-1"
    ref = {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    tier = {"name": "TIER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['tier']"}}}
    one["spec"]["containers"][0]["env"] += [ref, tier]
    assert containers.environment(one) == {
        "HOSTNAME": "a-1",
        "A": "1",
        "B": "1-$(NONE)-$(A)",
        "NODE": "node-1",
        "TIER": "web",
    }
