"""Whatever is wrong with whom it asks, a gate that asks an address says unknown in time, why, and no secret."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import pytest

from deployctl.gates import About, Asked
from deployctl.gates.credential import Credential, SecretKey
from deployctl.gates.field import Field
from deployctl.gates.grpc import Grpc
from deployctl.gates.http import Http
from deployctl.gates.prometheus import Compare, Prometheus
from deployctl.gates.stage import measured
from deployctl.gates.tcp import Tcp
from deployctl.gates.tls import Tls
from deployctl.gates.webhook import Webhook
from strategies.analysis import Answer
from tests.gates.speaking import BAD, NOBODY, speaking
from tests.objects import service
from tests.run import gate

SECRET = "hunter2-token"
TOKEN = Credential(env="GATE_TOKEN")
ASKED = Asked(
    (), service(), lambda *_: (200, b""), timeout_seconds=0.4, about=About("wallet", "igaming", "old", "new")
)
FIELD = Field("data.ok")
GATES = {
    "http": lambda at: Http(url=f"http://ann:{SECRET}@{at}/ready?key={SECRET}", field=FIELD),
    "http with a token": lambda at: Http(url=f"http://{at}/ready", token=TOKEN, field=FIELD),
    "grpc": lambda at: Grpc(address=at),
    "grpc over tls": lambda at: Grpc(address=at, tls=True),
    "webhook like argo": lambda at: Webhook(url=f"http://{at}/", like="argo", token=TOKEN),
    "prometheus": lambda at: Prometheus(url=f"http://{at}", query="up", min=1, token=TOKEN),
    "prometheus compares": lambda at: Prometheus(
        url=f"http://{at}", compare=Compare("up", "up"), token=TOKEN
    ),
    "tls": lambda at: Tls(address=at, names=("wallet.example",)),
}


def unknown(one, asked=ASKED):
    began = time.monotonic()
    answer = one.measure(asked)
    assert time.monotonic() - began < 2.0
    assert answer.answer is Answer.UNKNOWN, answer
    assert answer.evidence
    assert SECRET not in answer.evidence
    assert "hunter2" not in answer.evidence
    assert "Traceback" not in answer.evidence
    return answer.evidence


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("GATE_TOKEN", SECRET)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("bad", BAD)
def test_a_server_that_is_none_is_no_answer(kind, bad):
    with speaking(BAD[bad]) as at:
        unknown(GATES[kind](at))


@pytest.mark.parametrize("kind", GATES)
def test_a_server_that_cannot_be_reached_is_no_answer(kind):
    unknown(GATES[kind](NOBODY))


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize(
    "host", ["metrics.example:80", "169.254.169.254:80", "[fd00:ec2::254]:80", "10.1.2.3:80"]
)
def test_a_host_that_is_not_allowed_is_not_asked(kind, host):
    told = unknown(GATES[kind](host))
    assert "no gate may ask it" in told or "is not among the hosts" in told


@pytest.mark.parametrize("kind", [one for one in GATES if "token" in one or "prometheus" in one])
def test_a_token_that_is_not_there_is_no_answer(kind, monkeypatch):
    monkeypatch.delenv("GATE_TOKEN")
    assert "GATE_TOKEN is empty or not set" in unknown(GATES[kind](NOBODY))


def test_a_secret_that_cannot_be_read_is_no_answer():
    token = Credential(secret=SecretKey("metrics", "token"))
    assert "cannot be read here" in unknown(
        Prometheus(url="http://127.0.0.1:1", query="up", min=1, token=token)
    )


def test_a_wrong_password_is_no_answer():
    def denies(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    with speaking(denies) as at:
        told = unknown(Prometheus(url=f"http://{at}", query="up", min=1, token=TOKEN))
    assert told == f"http://{at}: HTTP 401: the token is missing, or is not accepted"


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"null", b"{}", b'{"status": "success"}', b'{"status": "success", "data": {"result": 3}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{}]}}',
        b'{"status": "success", "data": {"resultType": "string", "result": [1, "x"]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "many"]}]}}',
        b'{"status": "error", "errorType": "bad_data", "error": "parse error"}',
    ],
)  # fmt: skip
def test_json_that_is_no_answer_of_a_prometheus_is_no_answer(body):
    def says(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with speaking(says) as at:
        unknown(Prometheus(url=f"http://{at}", query="up", min=1))


def test_no_prometheus_is_named():
    assert (
        unknown(Prometheus(query="up", min=1)) == "no Prometheus is named: neither url nor spec.gates.metrics"
    )


def test_an_extra_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    assert unknown(Grpc(address=NOBODY)) == (
        "grpc is not installed; install it with: pip install 'deployctl[grpc]'"
    )


def test_the_extra_of_secrets_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    told = unknown(Tls(secret="wallet-tls", names=("wallet.example",)))
    assert told == "cryptography is not installed; install it with: pip install 'deployctl[tls]'"


@pytest.mark.parametrize("one", [Tcp(), Grpc(), Tls(names=("wallet.example",)), Http()], ids=str)
def test_no_pod_is_no_answer(one):
    assert unknown(one) == "there is no pod to ask"


PODS = (
    {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
    },
)


@pytest.mark.parametrize("one", [Tcp(), Grpc(), Tls(names=("wallet.example",))], ids=str)
def test_no_way_to_a_pod_is_no_answer(one):
    assert unknown(one, replace(ASKED, pods=PODS)) == "there is no way to port 8080 of a here"


@pytest.mark.parametrize("kind", GATES)
def test_a_gate_that_asks_an_address_has_one_time_for_all(kind):
    assert not getattr(GATES[kind](NOBODY), "pod_wise", False)


@pytest.mark.parametrize("kind", GATES)
def test_a_header_that_never_ends_is_given_up_in_time(kind):
    """Which a library's own time-out does not see: it is counted anew with every byte."""

    def header(connection):
        connection.recv(65536)
        for _ in range(60):
            connection.sendall(b"H")
            time.sleep(0.05)

    with speaking(header) as at:
        began = time.monotonic()
        asked = gate(GATES[kind](at), timeout_seconds=0.4)
        one = measured(asked, ASKED, 0.5)
    assert time.monotonic() - began < 2.0
    assert one.answer is Answer.UNKNOWN
