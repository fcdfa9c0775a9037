"""The API server on the loopback: who is let in, how bodies are read, how streams go and end."""

from __future__ import annotations

import http.client
import json

import pytest

from deployctl.sandbox.api.apiserver import ApiServer
from deployctl.sandbox.api.wire import serve
from deployctl.sandbox.calls import Answer, Call
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.faults import NoAnswer, Torn
from tests.sandbox.calling import BEGAN, CONFIGMAPS, configmap

KNOWN = {"Authorization": "Bearer secret"}


class Talk:
    """A wire of its own, and a client with one connection that stays."""

    def __init__(self, around=None):
        self.server = ApiServer(Cluster(lambda: BEGAN))
        self.server.call(Call("POST", "/api/v1/namespaces", body={"metadata": {"name": "shop"}}))
        self.server.call(Call("POST", CONFIGMAPS, body=configmap("one")))
        self.wire = serve(self.server, token="secret", **({"around": around} if around else {}))
        self.connection = http.client.HTTPConnection("127.0.0.1", self.wire.port, timeout=5)

    def ask(self, method, path, body=None, **headers):
        self.connection.request(method, path, body, {**KNOWN, **headers})
        return self.connection.getresponse()

    def read(self, method, path, body=None, **headers):
        answer = self.ask(method, path, body, **headers)
        return answer.status, json.loads(answer.read())

    def close(self):
        self.connection.close()
        self.wire.close()


@pytest.fixture
def talk():
    made = Talk()
    yield made
    made.close()


def test_a_call_without_the_token_is_unauthorized(talk):
    status, body = talk.read("GET", CONFIGMAPS, Authorization="Bearer other")
    assert (status, body["message"], body["reason"]) == (401, "Unauthorized", "Unauthorized")


def test_the_token_may_be_the_head_of_the_path(talk):
    assert talk.wire.url == f"http://127.0.0.1:{talk.wire.port}/secret"
    assert talk.read("GET", f"/secret{CONFIGMAPS}", Authorization="")[0] == 200


def test_its_health_is_open_to_all(talk):
    talk.connection.request("GET", "/readyz")
    assert talk.connection.getresponse().read() == b"ok"


def test_one_connection_carries_call_after_call(talk):
    answer = talk.ask("GET", f"{CONFIGMAPS}/one")
    body = answer.read()
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Content-Length"]) == len(body)
    assert answer.headers["Date"]
    assert talk.read("POST", CONFIGMAPS, json.dumps(configmap("two")))[0] == 201
    assert talk.read("DELETE", f"{CONFIGMAPS}/two")[1]["status"] == "Success"


def test_a_body_may_be_yaml(talk):
    told = b"metadata: {name: three}\ndata: {a: b}\n"
    assert talk.read("POST", CONFIGMAPS, told, **{"Content-Type": "application/yaml"})[0] == 201


def test_a_body_may_be_protobuf_as_kubectl_sends_it(talk):
    kind = b"\x0a\x0f\x0a\x02v1\x12\x09Namespace"
    raw = b"\x12\x08\x0a\x06\x0a\x04demo"
    sent = b"k8s\0" + kind + raw
    kinds = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    status, body = talk.read("POST", "/api/v1/namespaces", sent, **kinds)
    assert (status, body["metadata"]["name"]) == (201, "demo")


def test_a_body_that_is_nothing_is_refused(talk):
    status, body = talk.read("POST", CONFIGMAPS, b"{not json")
    assert (status, body["reason"]) == (400, "BadRequest")


def test_somebody_else_may_be_impersonated(talk):
    status, body = talk.read("GET", CONFIGMAPS, **{"Impersonate-User": "bob"})
    assert (status, 'User "bob" cannot list resource "configmaps"' in body["message"]) == (403, True)


def test_a_watch_tells_what_comes_as_it_comes_and_ends_when_all_is_closed(talk):
    stream = talk.ask("GET", f"{CONFIGMAPS}?watch=1")
    assert json.loads(stream.readline())["object"]["metadata"]["name"] == "one"
    talk.server.call(Call("POST", CONFIGMAPS, body=configmap("two")))
    assert json.loads(stream.readline())["object"]["metadata"]["name"] == "two"
    talk.wire.close()
    assert stream.read() == b""


def test_a_port_that_is_taken_is_an_error(talk):
    with pytest.raises(OSError, match="in use"):
        serve(talk.server, port=talk.wire.port)


def test_what_stands_around_a_call_may_answer_in_its_place():
    talk = Talk(lambda call, go: go() if call.path == CONFIGMAPS else Answer(503, {"code": 503}))
    assert [talk.read("GET", CONFIGMAPS)[0], talk.read("GET", "/version")[0]] == [200, 503]
    talk.close()


def unheard(call, go):
    go()
    raise NoAnswer


def test_a_lost_answer_is_a_closed_connection():
    talk = Talk(unheard)
    with pytest.raises(http.client.RemoteDisconnected):
        talk.ask("POST", CONFIGMAPS, json.dumps(configmap("two")))
    assert talk.server.cluster.store.get("configmaps", "shop", "two")
    talk.close()


def test_a_torn_watch_breaks_off_within_a_line():
    talk = Talk(lambda call, go: Torn(go()) if "watch" in call.query else go())
    stream = talk.ask("GET", f"{CONFIGMAPS}?watch=1")
    with pytest.raises(http.client.IncompleteRead) as torn:
        stream.read()
    assert torn.value.partial.startswith(b'{"type":"ADDED"')
    assert b"\n" not in torn.value.partial
    talk.close()


def test_a_field_that_is_named_twice_is_told(talk):
    told = b'{"metadata": {"name": "two"}, "data": {"a": "1", "a": "2"}}'
    answer = talk.ask("POST", CONFIGMAPS, told)
    assert (answer.status, answer.headers["Warning"]) == (201, '299 - "duplicate field \\"data.a\\""')
    assert json.loads(answer.read())["data"] == {"a": "2"}
