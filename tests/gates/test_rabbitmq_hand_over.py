"""A release moves the consumers of a queue of a real RabbitMQ: pods of a sandbox, one consumer each, old and new."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.gates.asking import PASSWORD
from tests.sandbox.practice import Practice
from tests.sandbox.test_consumers_in_a_release import Queue, made
from tests.servers import rabbitmq
from tests.servers.running import scratch

pytestmark = pytest.mark.gates
RUNS = ("deployctl/consumers.py", "strategies/consuming.py", "manifests/igaming/consuming.py")
MODES = {"pauseUntilPromote": {}, "handOver": {"HOLDS": "1"}}
PODS, PREFETCHED = 3, 1
LONGEST_GAP_SECONDS = 8.0  # up to 1.7 where it was measured; a machine that does other work too takes longer
USER = "consumers"


@pytest.fixture(scope="module")
def node() -> Iterator[rabbitmq.Node]:
    with scratch("rabbitmq") as folder, rabbitmq.names() as port, rabbitmq.node(folder, port) as one:
        one.ask("PUT", f"/users/{USER}", {"password": PASSWORD, "tags": ""}).raise_for_status()
        rights = dict.fromkeys(("configure", "write", "read"), ".*")
        one.ask("PUT", f"/permissions/%2F/{USER}", rights).raise_for_status()
        yield one


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = Practice(tmp_path_factory.mktemp("sandbox"))
    yield practice
    practice.close()


class Messages(Queue):
    """Messages to a queue of the node, or to an exchange, each confirmed; what was handled is told as of any queue."""

    node: rabbitmq.Node
    name: str
    exchange: str = ""

    @property
    def env(self) -> dict[str, str]:
        packages = str(Path(pika.__file__).parent.parent)
        address = f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.node.amqp}/{self.name}"
        return {"AMQP": address, "FANOUT": self.exchange, "PACKAGES": packages, "EVENT_TAKES": "1ms"}

    def _send(self) -> None:
        login = pika.PlainCredentials(rabbitmq.USER, rabbitmq.PASSWORD)
        over: threading.Event = self._over
        where = pika.ConnectionParameters("127.0.0.1", self.node.amqp, credentials=login)
        with pika.BlockingConnection(where) as line:
            channel = line.channel()
            channel.confirm_delivery()
            while not over.wait(0.01):
                channel.basic_publish(self.exchange, self.name, f"{self.sent:06}".encode())
                self.sent += 1

    def redelivered(self) -> int:
        """Count the events that were in another pod's hands first, which had not begun on them."""
        return (self.folder / "handled").read_text().count(" redelivered")


def sent_to(node: rabbitmq.Node, folder: Path, name: str, exchange: str = "") -> Messages:
    messages = Messages(folder)
    messages.node, messages.name, messages.exchange = node, name, exchange
    return messages


@pytest.mark.parametrize("mode", MODES)
def test_the_consumers_of_a_queue_go_over_with_the_release_and_back(sandbox, node, tmp_path: Path, mode):
    """Under handOver the one consumer is exclusive: RabbitMQ itself would refuse another beside it."""
    node.ask("PUT", f"/queues/%2F/{mode}", {"durable": True}).raise_for_status()
    queue = sent_to(node, tmp_path / "queue", mode)
    app = made(sandbox, tmp_path, "balances", mode, queue, PODS, **queue.env, **MODES[mode])
    app.strategy(keepOld="60s")
    with queue.busy():
        app.cluster.wait(lambda: queue.turns() == ["r1"], what="stable to consume")
        waits = app.release("--promote", "manual")
        assert waits.returncode == 4, waits.stderr
        assert queue.turns() == ["r1"]
        promoting = app.start("promote", app.name)
        app.cluster.wait(lambda: queue.turns() == ["r1", "r2"], what="the preview to consume")
        back = app.run("rollback", app.name, "--yes")
        promoting.communicate(timeout=60)
        app.cluster.wait(lambda: queue.turns() == ["r1", "r2", "r1"], what="stable to consume again")
    handled = Counter(revision for _, revision in queue.handled())
    again = queue.redelivered()
    print(
        f"\n{mode}: {queue.sent} events, {handled}, {again} redelivered, none taken for {queue.gap():.2f} s"
    )
    assert back.returncode == 0, back.stderr
    assert (queue.turns(), queue.wrong()) == (["r1", "r2", "r1"], {"lost": 0, "twice": 0})
    assert again <= 2 * PODS * PREFETCHED
    assert queue.gap() < LONGEST_GAP_SECONDS


def test_a_queue_of_each_revisions_own_gets_every_event_and_none_is_lost(sandbox, node, tmp_path: Path):
    fanout: dict[str, Any] = {"type": "fanout", "durable": True}
    node.ask("PUT", "/exchanges/%2F/settled", fanout).raise_for_status()
    queue = sent_to(node, tmp_path / "queue", "settlement", "settled")
    app = made(
        sandbox, tmp_path, "balances", "pauseUntilPromote", queue, PODS, CONSUMES="consuming", **queue.env
    )
    app.edit(
        "deployctl.yaml",
        lambda spec: spec["spec"].update(
            consumes={"mode": "separateGroup", "group": "settlement-${preview}"}
        ),
    )
    app.strategy(keepOld="1s")
    with queue.busy():
        app.cluster.wait(lambda: queue.turns() == ["r1"], what="stable to consume")
        done = app.release()
    assert done.returncode == 0, done.stderr
    lost = queue.sent - len({event for event, _ in queue.handled()})
    twice = [pair for pair, times in Counter(queue.handled()).items() if times > 1]
    by = {revision: {event for event, who in queue.handled() if who == revision} for revision in ("r1", "r2")}
    print(f"\n{queue.sent} events, {len(by['r1'] & by['r2'])} handled by both, {len(twice)} twice by one")
    assert lost == 0
    assert by["r2"] >= {event for event, _ in queue.handled() if event >= min(by["r2"])}
    assert by["r1"] & by["r2"]
    assert not twice
