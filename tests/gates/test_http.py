"""The http gate asks every pod on trial, and says what decided."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest

from deployctl.cluster.api import Unreachable
from deployctl.gates import Asked, Page
from deployctl.gates.credential import Credential
from deployctl.gates.field import Field
from deployctl.gates.http import Http, nearest
from strategies.analysis import Answer
from tests.answering import Reply, serving, status
from tests.objects import pod, replica_set, service, template

OWNER = replica_set(template("wallet:2"), 2)
PODS = (pod(OWNER, "a"), pod(OWNER, "b"))


class Proxy:
    """Answers for every pod, or for the named ones, and remembers what it was asked."""

    def __init__(self, answer=(200, b"ok"), **named):
        self.answer, self.named, self.asked = answer, named, []

    def __call__(self, *question):
        self.asked.append(question)
        return self.named.get(question[0], self.answer)


def measured(proxy=None, pods=PODS, service_object=None, **options):
    one = Http(**options).measure(Asked(pods, service_object or service(), proxy or Proxy()))
    return one.answer, one.evidence


def test_every_pod_is_asked_for_the_page():
    proxy = Proxy()
    assert measured(proxy, path="/healthz") == (Answer.PASS, "/healthz: 200 from 2 of 2 pods")
    assert proxy.asked == [("a", 8080, "http", "/healthz", 5.0), ("b", 8080, "http", "/healthz", 5.0)]


def test_one_pod_that_answers_otherwise_is_a_failure():
    proxy = Proxy(b=(500, b"broken"))
    assert measured(proxy, path="/healthz") == (Answer.FAIL, "b/healthz: 500, expected 200")


def test_any_of_several_statuses_will_do():
    assert measured(Proxy((204, b"")), expect=(200, 204))[0] is Answer.PASS
    assert measured(Proxy((500, b"")), expect=(200, 204)) == (Answer.FAIL, "a/: 500, expected 200 or 204")


def test_a_redirect_is_not_what_was_expected():
    assert measured(Proxy((302, b"")))[0] is Answer.FAIL


def test_an_answer_must_hold_the_text():
    assert measured(Proxy((200, b"all is well")), contains="well")[0] is Answer.PASS
    assert measured(Proxy((200, b"no")), contains="well") == (Answer.FAIL, "a/: the answer lacks 'well'")


def test_no_pod_to_ask_is_no_answer():
    assert measured(pods=()) == (Answer.UNKNOWN, "there is no pod to ask")


def test_an_api_that_does_not_answer_is_no_answer_of_the_pod():
    def silent(*_):
        raise Unreachable("https://fake does not answer")

    assert measured(silent) == (Answer.UNKNOWN, "a/: https://fake does not answer")


def test_what_the_api_server_answers_in_the_pods_place_is_no_answer_of_the_pod():
    refusal = b'{"kind":"Status","apiVersion":"v1","message":"error trying to reach service","code":503}'
    assert measured(Proxy((503, refusal))) == (Answer.UNKNOWN, "a/: error trying to reach service")


@pytest.mark.parametrize(
    "body",
    [b"busy", b'{"kind": "Status"}', b'["Status"]', b'{"message": "Status"', b'{"kind":"Status","code":503}'],
)
def test_a_503_of_the_pod_itself_is_a_failure(body):
    assert measured(Proxy((503, body)))[0] is Answer.FAIL


@pytest.mark.parametrize(("port", "expected"), [(9090, 9090), ("http", 8080), (None, 8080)])
def test_the_port_is_the_gates_or_where_the_service_leads(port, expected):
    proxy = Proxy()
    measured(proxy, port=port)
    assert proxy.asked[0][1] == expected


def test_a_service_without_a_target_port_leads_to_its_own():
    proxy, plain = Proxy(), service()
    plain["spec"]["ports"] = [{"port": 80}]
    measured(proxy, service_object=plain)
    assert proxy.asked[0][1] == 80


def test_a_port_may_be_a_sidecars_as_a_service_finds_it():
    proxy, one = Proxy(), pod(OWNER, "a")
    front = [{"name": "front", "containerPort": 8090}]
    boxes = [{"name": "init", "ports": [{"name": "front", "containerPort": 1}]}]
    boxes.append({"name": "proxy", "restartPolicy": "Always", "ports": front})
    measured(proxy, pods=({**one, "spec": {**one["spec"], "initContainers": boxes}},), port="front")
    assert proxy.asked[0][1] == 8090


def test_a_port_that_no_container_names_is_no_answer():
    assert measured(port="admin") == (Answer.UNKNOWN, "a has no port named admin")


def test_a_service_without_ports_is_no_answer():
    headless = service()
    del headless["spec"]["ports"]
    assert measured(service_object=headless) == (Answer.UNKNOWN, "a has no port named by the Service")


def test_the_time_of_the_gate_is_the_time_of_each_call():
    proxy = Proxy()
    Http().measure(replace(Asked(PODS, service(), proxy), timeout_seconds=1.5))
    assert proxy.asked[0][4] == 1.5


def test_an_address_is_asked_instead_of_the_pods():
    proxy = Proxy()
    with serving(lambda call: Reply(200, status(200, call.path))) as server:
        answer = measured(proxy, url=f"{server.url}/ready?token=hunter2")
    assert (answer, proxy.asked) == ((Answer.PASS, f"{server.url}/ready: 200"), [])


def test_an_address_that_does_not_answer_is_no_answer():
    assert measured(url="http://127.0.0.1:1/ready")[0] is Answer.UNKNOWN


def test_what_may_be_secret_in_an_address_is_not_told():
    told = measured(url="http://ann:hunter2@127.0.0.1:1/ready?token=hunter2")[1]
    assert told.startswith("http://127.0.0.1:1/ready: ")
    assert "hunter2" not in told


@pytest.mark.parametrize("url", ["http://[::1/", "http://wallet:http/"])
def test_an_address_that_cannot_be_one_is_refused(url):
    with pytest.raises(ValueError, match=r"url: .*; expected one such as https://wallet.example/ready"):
        Http(url=url)


# a field, a header, a quantile

READY = b'{"data": {"ok": true, "lag": 2.5, "checks": [{"name": "db", "state": "up"}]}}'


@pytest.mark.parametrize(
    ("field", "answer", "told"),
    [
        (Field("data.ok"), Answer.PASS, "/: 200 from 2 of 2 pods"),
        (Field("{$.data.ok}"), Answer.PASS, "/: 200 from 2 of 2 pods"),
        (Field("data.checks[0].state", equals="up"), Answer.PASS, "/: 200 from 2 of 2 pods"),
        (Field("data.checks[0].state", equals="down"), Answer.FAIL, "a/: data.checks[0].state is up, expected down"),
        (Field("data.lag", max=1), Answer.FAIL, "a/: data.lag is 2.5, expected at most 1"),
        (Field("data.ok", max=1), Answer.UNKNOWN, "a/: data.ok is true, which is no number"),
        (Field("data.gone"), Answer.UNKNOWN, "a/: the answer has no data.gone"),
        (Field("data.checks[7].state"), Answer.UNKNOWN, "a/: the answer has no data.checks[7].state"),
    ],
)  # fmt: skip
def test_a_field_of_the_answer_is_judged(field, answer, told):
    assert measured(Proxy((200, READY)), field=field) == (answer, told)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_is_not_json_is_no_answer(body):
    assert measured(Proxy((200, body)), field=Field("data.ok")) == (
        Answer.UNKNOWN,
        "a/: the answer is not JSON",
    )


def with_headers(**headers):
    return replace(Asked(PODS, service(), Proxy()), page=lambda *_: Page(200, headers, b""))


def test_a_header_must_hold_the_text():
    gate = Http(headers={"Cache-Control": "no-store"})
    assert gate.measure(with_headers(**{"cache-control": "private, No-Store"})).answer is Answer.PASS
    bad = gate.measure(with_headers(age="7"))
    assert (bad.answer, bad.evidence) == (Answer.FAIL, "a/: the header Cache-Control lacks 'no-store'")


def test_a_quantile_of_the_answers_must_be_in_time():
    pauses = itertools.cycle([0.0] * 9 + [0.05])

    def slow(*_):
        time.sleep(next(pauses))
        return 200, b""

    asked = Asked(PODS[:1], service(), slow)
    fast = Http(requests=10, within_seconds=0.04, quantile=0.9).measure(asked)
    assert (fast.answer, fast.samples) == (Answer.PASS, 10)
    late = Http(requests=10, within_seconds=0.04, quantile=1).measure(asked)
    assert (late.answer, late.samples) == (Answer.FAIL, 10)
    assert late.evidence.startswith("a/: p100 of 10 is 0.05")


def test_answers_that_do_not_fit_into_the_time_are_no_answer():
    def slow(*_):
        time.sleep(0.03)
        return 200, b""

    asked = replace(Asked(PODS[:1], service(), slow), timeout_seconds=0.05)
    one = Http(requests=100, within_seconds=0.04).measure(asked)
    assert (one.answer, one.evidence) == (Answer.UNKNOWN, "a/: 2 of 100 answers in 0.05s")


def test_the_nearest_rank_of_a_quantile():
    assert [nearest(range(1, 21), one) for one in (0, 0.5, 0.95, 1)] == [1, 10, 19, 20]


def test_a_token_is_sent_and_told_nowhere(monkeypatch):
    monkeypatch.setenv("GATE_TOKEN", "hunter2-token")
    with serving(lambda call: Reply(200, call.headers.get("Authorization", ""))) as server:
        url = f"{server.url}/ready"
        answer, told = measured(url=url, token=Credential(env="GATE_TOKEN"), contains="Bearer hunter2-token")
        refused = measured(url=url, token=Credential(env="GATE_TOKEN"), contains="another")
    assert answer is Answer.PASS
    assert "hunter2" not in told + refused[1]


def test_a_token_for_pods_is_refused():
    with pytest.raises(ValueError, match="token: pods are asked with the API server's own login"):
        Http(token=Credential(env="GATE_TOKEN"))


def test_a_token_that_is_not_there_is_no_answer():
    told = measured(url="http://127.0.0.1:1/ready", token=Credential(env="NO_SUCH_VARIABLE"))
    assert told == (Answer.UNKNOWN, "the environment variable NO_SUCH_VARIABLE is empty or not set")
