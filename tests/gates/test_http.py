"""The http gate asks every pod on trial, and says what decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.cluster.api import Unreachable
from deployctl.gates import Asked
from deployctl.gates.http import Http
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
