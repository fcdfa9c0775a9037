"""The rabbitmq gate on real nodes, well and in trouble."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pika
import pytest

from deployctl.gates.credential import Credential, SecretKey
from deployctl.gates.peers import Peer
from deployctl.gates.rabbitmq import Queue, Rabbitmq
from strategies.analysis import Answer
from tests.gates.asking import PASSWORD, fails, measured, nobody_listens, passes, read, speaking, unknown
from tests.servers import rabbitmq
from tests.servers.running import eventually, scratch

pytestmark = pytest.mark.gates
WHERE = Credential(secret=SecretKey("mq", "password"))


@pytest.fixture(scope="module")
def at():
    with scratch("rabbitmq") as folder:
        yield folder


@pytest.fixture(scope="module")
def names():
    with rabbitmq.names() as port:
        yield port


@pytest.fixture(scope="module")
def node(at, names):
    with rabbitmq.node(at, names) as one:
        for user, tags in (("gate", "monitoring"), ("blind", "")):
            one.ask("PUT", f"/users/{user}", {"password": PASSWORD, "tags": tags}).raise_for_status()
        one.ask(
            "PUT", "/permissions/%2F/gate", {"configure": "^$", "write": "^$", "read": ".*"}
        ).raise_for_status()
        one.ask("PUT", "/vhosts/other").raise_for_status()
        one.ask("PUT", "/queues/%2F/bets", {"durable": True}).raise_for_status()
        eventually(lambda: "mem_used" in one.ask("GET", "/nodes").json()[0])
        eventually(lambda: "messages_ready" in one.ask("GET", "/queues/%2F/bets").json())
        yield one


@pytest.fixture
def gate(node):
    return Rabbitmq(
        (Peer("127.0.0.1", node.port, "rabbit"),), user="gate", password=WHERE, tls="off", listener=node.amqp
    )


def depth(node, queue="bets"):
    return node.ask("GET", f"/queues/%2F/{queue}").json().get("messages_ready", 0)


@pytest.fixture
def bets(node, gate):
    """The gate that looks into the queue `bets`, which nobody consumes here."""
    yield replace(gate, queues=(Queue("bets", consumers=0),))
    node.ask("DELETE", "/queues/%2F/bets/contents")
    eventually(lambda: depth(node) == 0)


def test_a_node_that_is_well_passes(bets):
    assert passes(bets).startswith("1 nodes, 1 queues: ")


def test_the_password_may_be_wrong_and_the_user_without_the_right(gate):
    assert "node: rabbit: 401" in unknown(replace(gate, password=Credential(env="PATH")))
    assert "node: rabbit: 401" in unknown(replace(gate, user="blind"))


def test_nobody_listening_is_no_answer(gate):
    evidence = unknown(
        replace(gate, nodes=(*gate.nodes, Peer("127.0.0.1", nobody_listens(), "gone")), size=1)
    )
    assert evidence == "node: gone: [Errno 111] Connection refused"


@pytest.mark.parametrize(
    ("first", "answer", "every"),
    [(b"", b"", None), (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", None), (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", None), (b"", b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", None), (b"AMQP\0\0\x09\x01", b"", None), (b"", b"H", 0.1), (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.1)],
    ids=["silent", "no JSON", "other JSON", "a redirect", "amqp", "a byte now and then", "an answer without an end"],
)  # fmt: skip
def test_what_is_no_management_api_is_no_answer_in_time(gate, first, answer, every):
    with speaking(first, answer, every) as port:
        unknown(replace(gate, nodes=(Peer("127.0.0.1", port),)), timeout_seconds=1.5)


def test_a_node_that_freezes_is_no_answer_in_time(gate, node):
    node.server.freeze()
    try:
        assert "rabbit" in unknown(gate, timeout_seconds=1.0)
    finally:
        node.server.thaw()
    eventually(lambda: not any("asking" in one.name for one in threading.enumerate()), 10)


def test_without_tls_at_the_server_a_gate_that_verifies_has_no_answer(gate):
    assert "node: rabbit: " in unknown(replace(gate, tls="verify"))


def test_a_memory_alarm_blocks_publishers_and_is_told(gate, node):
    node.ctl("set_vm_memory_high_watermark", "0.00001")
    try:
        eventually(lambda: node.ask("GET", "/health/checks/alarms").status_code == 503)
        evidence = fails(gate)
    finally:
        node.ctl("set_vm_memory_high_watermark", "0.4")
        eventually(lambda: node.ask("GET", "/health/checks/alarms").status_code == 200)
    assert "alarms: rabbit: There are alarms in effect in the cluster" in evidence


def test_memory_disk_and_sockets_must_have_room(gate):
    assert "memory used, expected at most 0%" in fails(replace(gate, memory=0.0))
    assert "of disk free, expected 1e+09 x " in fails(replace(gate, disk=1e9))
    assert "sockets with 1000000 more, expected at most 80%" in fails(replace(gate, more=1_000_000))


def test_a_port_that_nobody_listens_at_is_told(gate):
    assert "listener: rabbit: No active listener" in fails(replace(gate, listener=1))


def test_a_queue_that_is_not_there_is_told(gate):
    assert fails(replace(gate, queues=(Queue("bests"),))) == "queue: there is no queue bests, expected one"
    assert "queue: rabbit: 401" in unknown(replace(gate, queues=(Queue("bets", vhost="other"),)))


def test_a_queue_without_consumers_is_told(gate):
    assert (
        fails(replace(gate, queues=(Queue("bets"),))) == "consumers: bets: 0 consumers, expected at least 1"
    )


def test_messages_that_wait_are_counted(bets, node):
    node.publish("bets", 5)
    eventually(lambda: depth(node) == 5)
    few = replace(bets, queues=(replace(bets.queues[0], ready=4),))
    assert fails(few) == "ready: bets: 5 messages wait, expected at most 4"
    passes(bets)


def test_messages_that_nobody_acknowledges_are_counted(bets, node):
    node.publish("bets", 3)
    where = pika.ConnectionParameters(
        "127.0.0.1", node.amqp, credentials=pika.PlainCredentials("tests", "tests")
    )
    with pika.BlockingConnection(where) as line:
        line.channel().basic_consume("bets", lambda *_: None)
        line.process_data_events(1)
        eventually(lambda: node.ask("GET", "/queues/%2F/bets").json().get("messages_unacknowledged") == 3)
        most = replace(bets, queues=(Queue("bets", unacknowledged=2),))
        assert fails(most) == "unacknowledged: bets: 3 messages are not acknowledged, expected at most 2"


def test_the_age_of_the_oldest_message_is_told(bets, node):
    old = replace(bets, queues=(replace(bets.queues[0], age_seconds=5.0),))
    passes(old)
    node.publish("bets", timestamp=int(time.time()) - 60)
    eventually(lambda: depth(node) == 1)
    assert "age: bets: the oldest message is 6" in fails(old)
    node.ask("DELETE", "/queues/%2F/bets/contents")
    node.publish("bets")
    eventually(lambda: node.ask("GET", "/queues/%2F/bets").json().get("head_message_timestamp") in {None, ""})
    assert "age: bets: 1 messages wait, and the oldest has no timestamp" in unknown(old)


def test_a_queue_that_grows_is_told(bets, node):
    grows = replace(bets, queues=(replace(bets.queues[0], growth=0.0),))
    passes(grows)
    over = threading.Event()

    def publish():
        while not over.is_set():
            node.publish("bets", 5)

    publishing = threading.Thread(target=publish)
    publishing.start()
    try:
        eventually(lambda: measured(grows)[0] is Answer.FAIL)
    finally:
        over.set()
        publishing.join()


def test_a_cluster_that_lost_a_node_and_a_queue_that_would_lose_its_majority_are_told(at, names, node, gate):
    with rabbitmq.node(at, names, "second") as second:
        for words in (("stop_app",), ("join_cluster", node.name), ("start_app",)):
            second.ctl(*words)
        pair = replace(gate, nodes=(*gate.nodes, Peer("127.0.0.1", second.port, "second")), listener=None)
        eventually(lambda: ["mem_used" in one for one in node.ask("GET", "/nodes").json()] == [True, True])
        passes(pair)
        quorum = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
        node.ask("PUT", "/queues/%2F/payouts", quorum).raise_for_status()
        eventually(lambda: node.ask("GET", "/health/checks/node-is-quorum-critical").status_code == 503)
        assert "quorum: rabbit: " in fails(pair)
        passes(replace(pair, quorum=False))
        second.server.kill()
        eventually(lambda: not all(one.get("running") for one in node.ask("GET", "/nodes").json()))
        evidence = fails(replace(pair, quorum=False))
    assert "size: 1 of 2 nodes run, second@localhost is down, expected 2" in evidence
    node.ask("DELETE", "/queues/%2F/payouts")
    node.ctl("forget_cluster_node", "second@localhost")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{user: gate, password: {env: A}}", "nodes: missing; expected a list"),
        ("{user: gate, nodes: [{host: mq}]}", "password: missing; expected a mapping"),
        (
            "{user: gate, nodes: [{host: mq}], password: {env: A}, queues: [{name: q, age: 5}]}",
            "queues[0].age: got 5",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(text, problem):
    with pytest.raises(Exception, match=r"wallet\.yaml:1") as told:
        read(Rabbitmq, text)
    assert problem in str(told.value)
