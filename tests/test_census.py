"""Where the requests of a release in flight really go: pods' own counters, and who answers at the front door."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deployctl.census import Counted, counted
from deployctl.cluster.api import Unreachable
from deployctl.errors import SpecError
from deployctl.gates import Asked
from deployctl.published import Moved
from deployctl.render.status import _moved
from deployctl.spec import Census, FrontDoor, Requests, from_canonical
from tests.objects import service

OLD, NEW = "7d61", "5c9f"


def pod(name):
    port = {"name": "http", "containerPort": 8080}
    return {
        "metadata": {"name": name, "uid": f"uid of {name}"},
        "spec": {"containers": [{"name": "app", "ports": [port]}]},
    }


SIDES = {OLD: (pod("old-1"), pod("old-2")), NEW: (pod("new-1"),)}


class Pods:
    """Pods whose counters go up by a rate each time that a second passes."""

    def __init__(self, says='requests_total{{code="200"}} {}\n', **rates):
        self.says, self.rates, self.seconds = says, rates, 0

    def proxy(self, name, port, scheme, page, timeout):
        count = 100 + self.rates.get(name.replace("-", "_"), 0) * self.seconds
        if count < 0:
            raise Unreachable("no answer")
        return 200, self.says.format(count).encode()

    def sleep(self, seconds):
        self.seconds += seconds


def count(pods, **where):
    requests = Requests(**(where or {"metric": "requests_total"}))
    return counted(Census(requests=requests), Asked((), service(), pods.proxy), SIDES, pods.sleep)


def test_each_pods_counter_is_read_twice_and_its_rate_is_the_difference():
    found = count(Pods(old_1=30, old_2=0, new_1=10))
    rates = {name: round(rate) for name, rate in found.rates.items()}
    assert rates == {"uid of old-1": 30, "uid of old-2": 0, "uid of new-1": 10}
    assert found.problems == ()


def test_a_counter_is_added_up_over_its_labels_and_no_other_metric_with_it():
    says = 'requests_total{{code="2 }}00"}} {0}\nrequests_total {0} 1395066363000\nrequests_total_bad 7\n# requests_total 9\n'
    assert round(count(Pods(says, new_1=5)).rates["uid of new-1"]) == 10


def test_a_counter_that_began_anew_counts_what_it_says_now():
    assert round(count(Pods(old_1=-60)).rates["uid of old-1"]) == 40


def test_a_field_of_a_json_page_will_do():
    assert round(count(Pods('{{"requests": {}}}', new_1=4), field="requests").rates["uid of new-1"]) == 4


@pytest.mark.parametrize("says", ["", "requests 1", "requests_total x", "requests_total", "\xff"])
def test_a_page_that_does_not_tell_is_a_problem_and_no_zero(says):
    found = count(Pods(says))
    assert found.rates == {}
    assert found.problems[0] == "old-1: /metrics does not tell requests_total"


def test_a_counter_that_only_some_pods_have_is_none_on_the_others():
    """With labels it appears with its first request."""
    pods = Pods(new_1=7)
    told = pods.proxy

    def proxy(name, *rest):
        return told(name, *rest) if name == "new-1" else (200, b"# nothing yet")

    found = counted(
        Census(requests=Requests(metric="requests_total")), Asked((), service(), proxy), SIDES, pods.sleep
    )
    assert {name: round(rate) for name, rate in found.rates.items()} == {
        "uid of old-1": 0,
        "uid of old-2": 0,
        "uid of new-1": 7,
    }


def test_a_pod_that_does_not_answer_is_a_problem_and_the_others_are_counted():
    found = count(Pods(old_1=-300, new_1=3))
    assert set(found.rates) == {"uid of old-2", "uid of new-1"}
    assert found.problems == ("old-1: no answer",)


class Door(BaseHTTPRequestHandler):
    """Answers in turn with what it was given."""

    answers: list[object]
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        status = answer if isinstance(answer, int) else 200
        body = json.dumps({"revision": answer}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def door() -> Iterator[str]:
    Door.answers = ["r2"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/version"
    server.shutdown()
    server.server_close()


def saying(**revisions):
    def proxy(name, port, scheme, page, timeout):
        assert page == "/version"
        return 200, json.dumps({"revision": revisions[name.partition("-")[0]]}).encode()

    return proxy


def at(door, requests=8, **revisions):
    front = FrontDoor(url=door, field="revision", requests=requests)
    return counted(Census(front_door=front), Asked((), service(), saying(**revisions)), SIDES)


def test_the_front_door_is_asked_and_each_answer_counts_for_the_revision_whose_pods_say_the_same(door):
    Door.answers = ["r1", "r2", "r1", "r3", 503, "r2"]
    found = at(door, old="r1", new="r2")
    assert found == Counted({}, {OLD: 2, NEW: 4, "other": 1, "failed": 1}, ())


def test_revisions_that_say_the_same_cannot_be_told_apart(door):
    assert at(door, old="1.0", new="1.0").problems == ("front door: every revision says revision '1.0'",)


def test_a_front_door_that_does_not_answer_is_counted_as_that():
    assert at("http://127.0.0.1:9/version", requests=2, old="r1", new="r2").answers == {"failed": 2}


def test_a_front_door_that_no_gate_may_ask_is_not_asked_here_either():
    assert at("http://169.254.169.254/version", requests=1, old="r1", new="r2").answers == {"failed": 1}


def test_exactly_one_of_metric_and_field_is_given():
    app = {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "App",
        "metadata": {"name": "wallet"},
        "spec": {
            "workload": {"deployment": "wallet", "services": ["wallet"]},
            "strategy": {"rolling": {}},
            "census": {"requests": {"path": "/metrics"}},
        },
    }
    with pytest.raises(SpecError, match="expected exactly one of metric and field"):
        from_canonical(app)


def test_status_says_it_in_a_line_each():
    moved = Moved({OLD: 20.0, NEW: 60.0}, {NEW: 19, "failed": 1}, ("old-1: no answer",))
    assert list(_moved(moved)) == [
        "",
        f"requests: 25% {OLD}, 75% {NEW}, of 80/s, kept connections and all",
        f"front door: 19 {NEW}, 1 failed, of 20 new connections",
        "old-1: no answer",
    ]
    assert list(_moved(Moved({OLD: 0.0}, {}))) == ["", "requests: none in the last second"]


def test_a_front_door_whose_address_can_be_none_is_refused_with_the_spec():
    with pytest.raises(ValueError, match=r"url: .*expected one such as https://wallet.example/ready"):
        FrontDoor(url="http://wallet.example:99999/version", field="version")
