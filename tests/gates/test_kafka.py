"""The kafka gate on a real cluster of three brokers, well and in trouble."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import NewTopic

from deployctl.gates.kafka import Group, Kafka
from deployctl.gates.peers import Peer
from tests.gates.asking import fails, measured, nobody_listens, passes, read, speaking, unknown
from tests.servers import kafka
from tests.servers.running import eventually, scratch

pytestmark = pytest.mark.gates


@pytest.fixture(scope="module")
def at():
    with scratch("kafka") as folder:
        yield folder


@pytest.fixture(scope="module")
def brokers(at):
    with kafka.brokers(at, 3) as several:
        client = kafka.admin(*several)
        made = client.create_topics(
            [
                NewTopic("bets", 2, 3, config={"min.insync.replicas": "2"}),
                NewTopic("payouts", 1, 1),
                NewTopic("fresh", 1, 1),
            ]
        )
        for one in made.values():
            one.result(20)
        publish(several, "bets", 10)
        consumed(several, "settlement", "bets", 10)
        yield several


def where(brokers):
    return ",".join(one.address for one in brokers)


def publish(brokers, topic, count, age_seconds=0.0):
    sends = Producer({"bootstrap.servers": where(brokers), "linger.ms": 0})
    for n in range(count):
        sends.produce(
            topic,
            b"bet",
            partition=n % 2 if topic == "bets" else 0,
            timestamp=int((time.time() - age_seconds) * 1000),
        )
    assert sends.flush(20) == 0


def consumed(brokers, group, topic, count):
    """Consume events, commit them, and leave."""
    with member(brokers, group, topic) as one:
        for _ in range(count):
            assert one.poll(20) is not None
        one.commit(asynchronous=False)


@contextmanager
def member(brokers, group, topic):
    settings = {
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 6000,
    }
    one = Consumer({"bootstrap.servers": where(brokers), **settings})
    one.subscribe([topic])
    try:
        yield one
    finally:
        one.close()


@contextmanager
def idle_member(brokers, group="settlement", topic="bets"):
    """A member that keeps its place in the group and commits nothing."""
    over = threading.Event()
    with member(brokers, group, topic) as one:

        def stay():
            while not over.is_set():
                one.poll(0.1)

        deadline = time.monotonic() + 60
        while not one.assignment():  # no client is asked by two threads at once
            assert time.monotonic() < deadline
            one.poll(0.2)
        staying = threading.Thread(target=stay)
        staying.start()
        try:
            yield one
        finally:
            over.set()
            staying.join()


@pytest.fixture
def gate(brokers):
    client = kafka.admin(*brokers)
    eventually(lambda: _whole(client.list_topics(timeout=5)), 60)
    return Kafka(
        tuple(Peer("127.0.0.1", one.port) for one in brokers), tls="off", topics=("bets",), window_seconds=1.0
    )


def _whole(seen):
    partitions = [one for name in ("bets", "payouts") for one in seen.topics[name].partitions.values()]
    return len(seen.brokers) == 3 and all(len(one.isrs) == len(one.replicas) for one in partitions)


@pytest.fixture
def settling(gate):
    """The gate that looks into the group of the settlement, too."""
    return replace(gate, groups=(Group("settlement", topics=("bets",)),))


def test_a_cluster_that_is_well_passes(settling, brokers):
    assert passes(replace(settling, groups=())).startswith("1 topics, 0 groups: ")
    with idle_member(brokers):
        assert passes(settling).endswith("settlement: 0 events behind")
    passes(replace(settling, topics=(), groups=()))


def test_nobody_listening_is_no_answer_in_time(gate):
    evidence = unknown(replace(gate, brokers=(Peer("127.0.0.1", nobody_listens()),)), timeout_seconds=2.0)
    assert "Connection refused" in evidence


@pytest.mark.parametrize(
    ("first", "answer", "every"),
    [(b"", b"", None), (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None), (b"-ERR unknown\r\n", b"", None), (b"", b"\0", 0.1)],
    ids=["silent", "http", "redis", "a byte now and then"],
)  # fmt: skip
def test_what_is_no_kafka_is_no_answer_in_time(gate, first, answer, every):
    with speaking(first, answer, every) as port:
        unknown(replace(gate, brokers=(Peer("127.0.0.1", port),)), timeout_seconds=2.0)


def test_a_login_that_the_broker_does_not_know_is_no_answer(gate, monkeypatch):
    monkeypatch.setenv("KAFKA_PASSWORD", "hunter2-and-more")
    from deployctl.gates.credential import Credential

    login = replace(gate, user="gate", password=Credential(env="KAFKA_PASSWORD"), mechanism="PLAIN")
    unknown(login, timeout_seconds=3.0)


def test_without_tls_at_the_broker_a_gate_that_verifies_has_no_answer(gate):
    unknown(replace(gate, tls="verify"), timeout_seconds=3.0)
    assert "ca" in unknown(replace(gate, tls="verify", ca="/no/such/file"), timeout_seconds=3.0)


def test_without_its_driver_the_gate_says_what_to_install(gate, monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    what = "the driver confluent_kafka is not installed; install it with: pip install 'deployctl[kafka]'"
    assert unknown(gate) == what


def test_a_topic_that_is_not_there_is_told(gate):
    assert fails(replace(gate, topics=("bests",))) == "topics: there is no topic bests, expected one"


def test_a_group_whose_topic_is_not_there_is_no_answer(settling, brokers):
    with idle_member(brokers):
        assert unknown(replace(settling, groups=(Group("settlement", ("bests",)),))) == (
            "group: settlement: there is no topic bests"
        )


def test_a_group_without_members_is_told(settling):
    evidence = fails(settling)
    assert evidence.startswith(
        "group: settlement: it is EMPTY, expected STABLE; members: settlement: 0 members"
    )


def test_a_group_that_is_not_there_is_told(gate):
    evidence = fails(replace(gate, groups=(Group("nobody"),)))
    assert "group: nobody: it is DEAD, expected STABLE" in evidence


def test_the_members_of_a_group_are_counted(settling, brokers):
    with idle_member(brokers):
        assert fails(replace(settling, groups=(Group("settlement", members=2),))).startswith(
            "members: settlement: 1 members, expected 2"
        )
        passes(replace(settling, groups=(Group("settlement", members=1),)))


def test_events_that_are_not_consumed_are_counted_and_aged(settling, brokers):
    old = replace(settling, groups=(Group("settlement", lag=5, age_seconds=30.0),))
    with idle_member(brokers):
        assert "is 0.0s old" in passes(old)
        publish(brokers, "bets", 4, age_seconds=20)
        assert "is 2" in passes(old)
        publish(brokers, "bets", 4)
        assert fails(old).startswith("lag: settlement: 8 events behind, expected at most 5")
        aged = replace(settling, groups=(Group("settlement", age_seconds=5.0),))
        assert "age: settlement: the oldest event that it has not consumed is 2" in fails(aged)
    consumed(brokers, "settlement", "bets", 8)


def test_a_lag_that_grows_is_told(settling, brokers):
    grows = replace(settling, groups=(Group("settlement", growth=1.0),))
    over, sent = threading.Event(), []

    def flood():
        while not over.is_set():
            publish(brokers, "bets", 10)
            sent.append(10)

    with idle_member(brokers):
        assert "events behind each second" in passes(grows)
        flooding = threading.Thread(target=flood)
        flooding.start()
        evidence = fails(grows)
        over.set()
        flooding.join()
    assert "growth: settlement: +" in evidence
    consumed(brokers, "settlement", "bets", sum(sent))


def test_a_topic_that_a_group_has_never_read_counts_from_its_first_event(settling, brokers):
    publish(brokers, "fresh", 3)
    both = replace(settling, groups=(Group("settlement", ("bets", "fresh"), lag=2),))
    with idle_member(brokers):
        assert fails(both).startswith("lag: settlement: 3 events behind, expected at most 2")


def test_a_broker_that_was_killed_leaves_partitions_under_replicated(gate, brokers):
    def seen():
        return kafka.admin(*brokers).list_topics("bets", timeout=5)

    three = replace(gate, topics=("bets", "payouts"))
    passes(three)
    brokers[2].server.kill()
    try:
        eventually(lambda: "replicas: 2 partitions are under-replicated" in measured(three)[1])
        eventually(lambda: "brokers: 2 of 3 brokers are there, expected 3" in measured(three)[1])
        evidence = fails(three)
        assert "replicas: 2 partitions are under-replicated: bets/0, bets/1, expected none" in evidence
        assert "in sync" not in evidence
        strict = kafka.admin(*brokers[:2])
        from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

        def least(count):
            entry = ConfigEntry("min.insync.replicas", count, incremental_operation=AlterConfigOpType.SET)
            changed = ConfigResource(ResourceType.TOPIC, "bets", incremental_configs=[entry])
            for one in strict.incremental_alter_configs([changed]).values():
                one.result(10)

        least("3")
        text = (
            "in sync: 2 partitions have fewer in sync than min.insync.replicas: bets/0, bets/1, expected none"
        )
        eventually(lambda: text in measured(three)[1])
        least("2")
    finally:
        brokers[2].server.start()
        eventually(lambda: all(len(one.isrs) == 3 for one in seen().topics["bets"].partitions.values()), 60)


def test_a_partition_whose_only_broker_is_gone_is_offline(gate, brokers):
    leader = kafka.admin(*brokers).list_topics("payouts", timeout=5).topics["payouts"].partitions[0].leader
    gone = next(one for one in brokers if one.number == leader)
    one = replace(gate, topics=("payouts",))
    gone.server.kill()
    try:
        text = "offline: 1 partitions have no leader: payouts/0, expected none"
        eventually(lambda: text in measured(one)[1])
    finally:
        gone.server.start()


def test_a_cluster_that_freezes_is_no_answer_in_time(gate, brokers):
    for one in brokers:
        one.server.freeze()
    try:
        unknown(gate, timeout_seconds=1.5)
    finally:
        for one in brokers:
            one.server.thaw()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "brokers: missing; expected a list"),
        ("{brokers: [{host: k}], mechanism: GSSAPI}", "mechanism: got GSSAPI; expected one of PLAIN"),
        ("{brokers: [{host: k}], groups: [{name: a}, {name: a}]}", "groups[1].name: a again"),
    ],
)
def test_options_that_cannot_be_are_refused(text, problem):
    with pytest.raises(Exception, match=r"wallet\.yaml:1") as told:
        read(Kafka, text)
    assert problem in str(told.value)
