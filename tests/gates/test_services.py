"""The gates of services: gRPC, TCP, webhooks, jobs, restarts."""

from __future__ import annotations

import json
import time
from concurrent import futures
from contextlib import contextmanager
from dataclasses import replace

import grpc
import pytest

from deployctl.errors import DeployctlError
from deployctl.gates import About, Asked
from deployctl.gates.field import Field
from deployctl.gates.grpc import METHOD, Grpc, status_of
from deployctl.gates.job import Job
from deployctl.gates.restarts import Restarts
from deployctl.gates.tcp import Tcp
from deployctl.gates.webhook import Webhook
from strategies.analysis import Answer
from tests.answering import Reply, serving
from tests.gates.speaking import NOBODY, redis, speaking
from tests.objects import service

ABOUT = About("wallet", "igaming", "old", "new")
ASKED = Asked((), service(), lambda *_: (200, b""), timeout_seconds=2.0, about=ABOUT)
POD = {
    "metadata": {"name": "a"},
    "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
}


def measured(gate, asked=ASKED):
    one = gate.measure(asked)
    return one.answer, one.evidence


# gRPC


class Health(grpc.GenericRpcHandler):
    """grpc.health.v1 as the wire has it: a service by its name is in one state."""

    def __init__(self, **states):
        self.states, self.asked = states, []

    def service(self, details):
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(self._check)

    def _check(self, request, context):
        name = request[2:].decode()
        self.asked.append(name)
        if name not in self.states:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([0x08, self.states[name]])


@contextmanager
def serving_grpc(handler, credentials=None):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    where = "127.0.0.1:0"
    port = server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.mark.parametrize(
    ("state", "answer", "told"),
    [(1, Answer.PASS, "SERVING"), (2, Answer.FAIL, "NOT_SERVING"), (0, Answer.UNKNOWN, "UNKNOWN"), (3, Answer.UNKNOWN, "SERVICE_UNKNOWN")],
)  # fmt: skip
def test_the_health_of_a_grpc_server(state, answer, told):
    with serving_grpc(Health(**{"": state})) as at:
        assert measured(Grpc(address=at)) == (answer, f"{at}: {told}")


def test_the_health_of_one_service_of_it():
    health = Health(**{"wallet.v1.Wallet": 1})
    with serving_grpc(health) as at:
        assert measured(Grpc(address=at, service="wallet.v1.Wallet")) == (
            Answer.PASS, f"{at}: wallet.v1.Wallet is SERVING",
        )  # fmt: skip
        assert measured(Grpc(address=at, service="odds"))[0] is Answer.UNKNOWN
    assert health.asked == ["wallet.v1.Wallet", "odds"]


def test_a_grpc_server_without_a_health_service_is_no_answer():
    class Other(Health):
        def service(self, details):
            return None

    with serving_grpc(Other()) as at:
        assert measured(Grpc(address=at)) == (
            Answer.UNKNOWN, f"{at}: it has no health service (grpc.health.v1)",
        )  # fmt: skip


def test_every_pod_is_asked_through_its_tunnel():
    @contextmanager
    def tunnel(pod, port):
        assert (pod, port) == ("a", 8080)
        host, _, number = at.rpartition(":")
        yield host, int(number)

    with serving_grpc(Health(**{"": 1})) as at:
        asked = replace(ASKED, pods=(POD,), tunnel=tunnel)
        assert measured(Grpc(), asked) == (Answer.PASS, "a:8080: SERVING")


def test_a_default_is_not_on_the_wire():
    assert [status_of(one) for one in (b"", b"\x08\x01", b"\x08\x02")] == [0, 1, 2]


# TCP


def test_a_connection_is_enough():
    with speaking(lambda one: one.recv(1)) as at:
        assert measured(Tcp(address=at)) == (Answer.PASS, f"{at}: connected")


def test_what_is_said_may_be_expected():
    with speaking(redis) as at:
        assert measured(Tcp(address=at, send="PING\r\n", expect="-ERR"))[0] is Answer.PASS
        answer, told = measured(Tcp(address=at, send="PING\r\n", expect="+PONG"))
    assert (answer, told) == (Answer.FAIL, f"{at}: it said '-ERR unknown command', expected '+PONG'")


def test_who_refuses_a_connection_says_no():
    assert measured(Tcp(address=NOBODY)) == (Answer.FAIL, "127.0.0.1:1: the connection was refused")


def test_who_accepts_and_says_nothing_is_no_answer():
    with speaking(lambda one: time.sleep(1)) as at:
        asked = replace(ASKED, timeout_seconds=0.2)
        assert measured(Tcp(address=at, expect="+OK"), asked)[0] is Answer.UNKNOWN


@pytest.mark.parametrize("address", ["wallet:0", "wallet:65536"])
def test_a_port_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match=r"address: \d+ is no port"):
        Tcp(address=address)


# webhooks


@pytest.mark.parametrize(
    ("status", "answer"), [(200, Answer.PASS), (202, Answer.PASS), (412, Answer.FAIL), (500, Answer.FAIL), (302, Answer.UNKNOWN)]
)  # fmt: skip
def test_flagger_reads_the_status(status, answer):
    with serving(lambda _: Reply(status, b"{}")) as server:
        assert measured(Webhook(url=f"{server.url}/gate"))[0] is answer


def test_flagger_posts_what_is_released():
    with serving(lambda _: Reply(200, b"")) as server:
        measured(Webhook(url=f"{server.url}/gate", metadata={"team": "payments"}, headers={"X-Team": "pay"}))
    call = server.calls[0]
    body = json.loads(call.body)
    assert (call.method, call.headers["X-Team"]) == ("POST", "pay")
    assert {key: body[key] for key in ("name", "namespace", "phase")} == {
        "name": "wallet", "namespace": "igaming", "phase": "Progressing",
    }  # fmt: skip
    assert body["metadata"] == {"stable": "old", "preview": "new", "team": "payments"}
    assert len(body["checksum"]) == 10


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (True, Answer.PASS), (False, Answer.FAIL), ({"ok": True}, Answer.PASS), ({"ok": False}, Answer.FAIL),
        ({"fine": True}, Answer.UNKNOWN), ("true", Answer.UNKNOWN), (3, Answer.UNKNOWN), (b"no json", Answer.UNKNOWN),
    ],
)  # fmt: skip
def test_argo_reads_the_answer(body, answer):
    with serving(lambda _: Reply(200, body)) as server:
        assert measured(Webhook(url=server.url, like="argo"))[0] is answer
    assert server.calls[0].method == "GET"


def test_argo_reads_a_field_of_it():
    with serving(lambda _: Reply(200, {"data": {"errorRate": 0.02}})) as server:
        gate = Webhook(url=server.url, like="argo", field=Field("{$.data.errorRate}", max=0.01))
        answer, told = measured(gate)
    assert (answer, told) == (
        Answer.FAIL,
        f"{server.url}: {{$.data.errorRate}} is 0.02, expected at most 0.01",
    )


def test_a_failure_of_argos_service_is_no_answer():
    with serving(lambda _: Reply(500, {"ok": True})) as server:
        assert measured(Webhook(url=server.url, like="argo"))[0] is Answer.UNKNOWN


# jobs


@pytest.fixture
def allowed(monkeypatch):
    monkeypatch.setenv("DEPLOYCTL_ALLOW_COMMANDS", "1")


@pytest.fixture
def script(tmp_path):
    """Write a program of the shell, and give its path."""

    def write(text: str) -> str:
        path = tmp_path / "smoke"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_a_command_is_off_unless_this_machine_allows_it(script, tmp_path):
    one = measured(Job(command=(script(f"touch {tmp_path}/ran"),)))
    assert one == (
        Answer.UNKNOWN,
        "smoke was not run: commands run only where DEPLOYCTL_ALLOW_COMMANDS=1 is set",
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "answer", "told"),
    [
        ("echo all is well", Answer.PASS, "smoke ended with 0: all is well"),
        ("echo one; echo two >&2; exit 3", Answer.FAIL, "smoke ended with 3: two"),
        ("exit 75", Answer.UNKNOWN, "smoke ended with 75"),
        ("kill -9 $$", Answer.UNKNOWN, "smoke ended with -9"),
        ("yes | head -c 5000000; echo done", Answer.PASS, "smoke ended with 0: done"),
    ],
)
def test_a_command_is_judged_by_how_it_ended(allowed, script, text, answer, told):
    assert measured(Job(command=(script(text),))) == (answer, told)


def test_a_command_sees_what_is_released_and_nothing_else(allowed, script, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("WALLET_URL", "http://wallet")
    gate = Job(command=(script("echo $(env | cut -d= -f1 | sort)"),), env=("WALLET_URL",))
    told = measured(gate)[1]
    assert "AWS" not in told
    assert {
        "DEPLOYCTL_APP",
        "DEPLOYCTL_NAMESPACE",
        "DEPLOYCTL_PREVIEW",
        "DEPLOYCTL_STABLE",
        "WALLET_URL",
    } <= set(told.split())


def test_what_is_passed_on_is_told_nowhere(allowed, script, monkeypatch):
    monkeypatch.setenv("WALLET_TOKEN", "hunter2-token")
    told = measured(
        Job(command=(script("echo token $WALLET_TOKEN is wrong; exit 1"),), env=("WALLET_TOKEN",))
    )
    assert told == (Answer.FAIL, "smoke ended with 1: token (hidden) is wrong")


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(allowed, script, tmp_path):
    mark = tmp_path / "alive"
    path = script(f"(while :; do date +%N > {mark}; sleep 0.02; done) & sleep 60")
    began = time.monotonic()
    one = measured(Job(command=(path,)), replace(ASKED, timeout_seconds=0.3))
    assert one == (Answer.UNKNOWN, "smoke did not end within 0.3s")
    assert time.monotonic() - began < 3
    time.sleep(0.1)
    before = mark.read_text()
    time.sleep(0.2)
    assert mark.read_text() == before


@pytest.mark.parametrize("path", ["/no/such/program", "/etc/hostname"])
def test_a_program_that_cannot_be_run_is_no_answer(allowed, path):
    assert measured(Job(command=(path,)))[0] is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "expected exactly one of command and cronJob"),
        ({"command": ("true",), "cron_job": "smoke"}, "expected exactly one of command and cronJob"),
        ({"command": ("smoke",)}, "command: smoke is no whole path"),
    ],
)
def test_a_job_is_one_of_two(options, why):
    with pytest.raises(ValueError, match=why):
        Job(**options)


class Jobs:
    """A cluster with one CronJob, whose Jobs end as a test tells."""

    def __init__(self, *conditions):
        self.conditions, self.made, self.deleted = list(conditions), [], []

    def get(self, path):
        if path == "/apis/batch/v1/namespaces/igaming/cronjobs/smoke":
            return {
                "metadata": {"name": "smoke"},
                "spec": {"jobTemplate": {"spec": {"template": {"spec": {}}}}},
            }
        if "cronjobs" in path:
            raise DeployctlError("there is no CronJob")
        return {"status": {"conditions": self.conditions.pop(0) if self.conditions else []}}

    def post(self, path, body):
        assert path == "/apis/batch/v1/namespaces/igaming/jobs"
        self.made.append(body)
        return body

    def delete(self, path):
        self.deleted.append(path.rpartition("/")[2])


def done(kind, **more):
    return [{"type": kind, "status": "True", **more}]


@pytest.mark.parametrize(
    ("condition", "answer", "told"),
    [
        (done("Complete"), Answer.PASS, "Complete"),
        (done("Failed", reason="BackoffLimitExceeded"), Answer.FAIL, "Failed (BackoffLimitExceeded)"),
    ],
)
def test_a_job_of_the_cluster_is_judged_by_its_end_and_deleted(condition, answer, told):
    jobs = Jobs([], condition)
    one = Job(cron_job="smoke").measure(replace(ASKED, cluster=jobs))
    name = jobs.made[0]["metadata"]["name"]
    assert (one.answer, one.evidence) == (answer, f"Job {name}: {told}")
    assert jobs.deleted == [name]


def test_a_job_that_does_not_end_is_no_answer_and_deleted():
    jobs = Jobs()
    one = Job(cron_job="smoke").measure(replace(ASKED, cluster=jobs, timeout_seconds=0.2))
    assert one.answer is Answer.UNKNOWN
    assert jobs.deleted == [jobs.made[0]["metadata"]["name"]]


def test_a_cron_job_that_is_not_there_is_no_answer():
    assert measured(Job(cron_job="gone"), replace(ASKED, cluster=Jobs())) == (
        Answer.UNKNOWN, "there is no CronJob",
    )  # fmt: skip


# restarts


def pod(name="a", restarts=0, ended="", container="app"):
    last = {"terminated": {"reason": ended}} if ended else {}
    status = {"name": container, "restartCount": restarts, "state": {}, "lastState": last}
    return {"metadata": {"name": name}, "status": {"containerStatuses": [status]}}


@pytest.mark.parametrize(
    ("pods", "options", "answer", "told"),
    [
        ((pod(), pod("b")), {}, Answer.PASS, "0 restarts of 2 pods, at most 0"),
        ((pod(), pod("b", 2, "Error")), {}, Answer.FAIL,
         "b/app restarted 2 times (Error), 2 restarts in all, at most 0"),
        ((pod(restarts=1), pod("b", 2)), {"max": 3}, Answer.PASS, "3 restarts of 2 pods, at most 3"),
        ((pod(restarts=1, ended="OOMKilled"),), {"max": 3}, Answer.FAIL,
         "a/app was killed for want of memory, 1 in all, at most 0"),
        ((pod(container="proxy", restarts=5),), {"containers": ("app",)}, Answer.UNKNOWN, "a has no status of app yet"),
        ((), {}, Answer.UNKNOWN, "there is no pod to look at"),
        (({"metadata": {"name": "a"}},), {}, Answer.UNKNOWN, "a has no status of its containers yet"),
    ],
)  # fmt: skip
def test_restarts_are_counted_of_the_new_pods(pods, options, answer, told):
    assert measured(Restarts(**options), replace(ASKED, pods=pods)) == (answer, told)
