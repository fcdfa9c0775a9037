"""A release moves the members of a real Kafka group: pods of a sandbox, one consumer each, old and new."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from tests.sandbox.practice import Practice
from tests.sandbox.test_consumers_in_a_release import Queue, made
from tests.servers import kafka
from tests.servers.running import scratch

pytestmark = pytest.mark.gates
RUNS = ("deployctl/consumers.py", "strategies/consuming.py", "manifests/igaming/consuming.py")
GROUP, MODES = "settlement", ("pauseUntilPromote", "handOver")


@pytest.fixture(scope="module")
def broker() -> Iterator[kafka.Broker]:
    with scratch("kafka") as folder, kafka.brokers(folder, 1) as several:
        client = kafka.admin(*several)
        for one in client.create_topics([NewTopic(mode, 4, 1) for mode in MODES]).values():
            one.result(20)
        yield several[0]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = Practice(tmp_path_factory.mktemp("sandbox"))
    yield practice
    practice.close()


class Topic(Queue):
    """A topic of the broker; what was handled is told as of any queue."""

    broker: kafka.Broker
    name: str

    def _send(self) -> None:
        sends = Producer({"bootstrap.servers": self.broker.address, "linger.ms": 0})
        over: threading.Event = self._over
        while not over.wait(0.02):
            sends.produce(self.name, f"{self.sent:06}".encode(), partition=self.sent % 4)
            sends.poll(0)
            self.sent += 1
        assert sends.flush(20) == 0


@pytest.mark.parametrize("mode", MODES)
def test_the_members_of_a_group_go_over_with_the_release_and_back(sandbox, broker, tmp_path: Path, mode):
    packages = str(Path(confluent_kafka.__file__).parent.parent)
    where = {"BROKER": f"{broker.address}/{mode}/{GROUP}", "PACKAGES": packages, "EVENT_TAKES": "1ms"}
    topic = Topic(tmp_path / "queue")
    topic.broker, topic.name = broker, mode
    app = made(sandbox, tmp_path, "balances", mode, topic, **where)
    app.strategy(keepOld="60s")
    with topic.busy():
        app.cluster.wait(lambda: topic.turns() == ["r1"], what="stable to consume")
        waits = app.release("--promote", "manual")
        assert waits.returncode == 4, waits.stderr
        assert topic.turns() == ["r1"]
        promoting = app.start("promote", app.name)
        app.cluster.wait(lambda: topic.turns() == ["r1", "r2"], what="the preview to consume")
        back = app.run("rollback", app.name, "--yes")
        promoting.communicate(timeout=60)
        app.cluster.wait(lambda: topic.turns() == ["r1", "r2", "r1"], what="stable to consume again")
    handled = Counter(revision for _, revision in topic.handled())
    print(f"\n{mode}: {topic.sent} events, {handled}")
    assert back.returncode == 0, back.stderr
    assert (topic.turns(), topic.wrong()) == (["r1", "r2", "r1"], {"lost": 0, "twice": 0})
