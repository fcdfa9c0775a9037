"""Kafka without ZooKeeper: brokers that are their own controllers."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.servers import packages
from tests.servers.running import Server, folder, free_port, once

JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


@dataclass
class Broker:
    """One broker, reached by tests with the official client."""

    server: Server
    number: int
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


def admin(*brokers: Broker) -> AdminClient:
    where = ",".join(one.address for one in brokers)
    return AdminClient({"bootstrap.servers": where, "log_level": 0, "socket.timeout.ms": 5000})


@contextmanager
def brokers(at: Path, count: int, listener: str = "", **settings: str) -> Iterator[list[Broker]]:
    """Give the brokers of one cluster, every one of them registered; with one listener more, where it is one broker."""
    identity = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    ports = [(free_port(), free_port()) for _ in range(count)]
    voters = ",".join(f"{n + 1}@127.0.0.1:{controller}" for n, (_, controller) in enumerate(ports))
    made = [_broker(at, n + 1, ports[n], voters, identity, settings, listener) for n in range(count)]
    try:
        for one in made[:-1]:  # none is ready before most of them are there
            one.server.ready = lambda: True
            one.server.start()
        made[-1].server.ready = lambda: _all_there(made)
        made[-1].server.failures = (KafkaException, OSError)
        made[-1].server.start()
        for one in made:
            one.server.ready = lambda: _all_there(made)
            one.server.failures = (KafkaException, OSError)
        yield made
    finally:
        for one in made:
            one.server.kill()


def _all_there(made: list[Broker]) -> bool:
    return len(admin(*made).list_topics(timeout=3).brokers) == len(made)


def _broker(
    at: Path,
    number: int,
    ports: tuple[int, int],
    voters: str,
    identity: str,
    settings: dict[str, str],
    listener: str,
) -> Broker:
    home = folder(at / f"broker{number}")
    more = f",{listener}" if listener else ""
    whole = {
        "process.roles": "broker,controller", "node.id": str(number), "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://127.0.0.1:{ports[0]},CONTROLLER://127.0.0.1:{ports[1]}{more}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{ports[0]}{more}", "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT", "log.dirs": str(home / "logs"), "num.network.threads": "1",
        "num.io.threads": "2", "offsets.topic.num.partitions": "1", "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1", "share.coordinator.state.topic.replication.factor": "1",
        "group.initial.rebalance.delay.ms": "0", "log.flush.interval.messages": "1000000", "replica.lag.time.max.ms": "30000",
        "broker.session.timeout.ms": "4000", "broker.heartbeat.interval.ms": "500", "auto.create.topics.enable": "false",
        "controlled.shutdown.enable": "false", "group.min.session.timeout.ms": "500", **settings,
    }  # fmt: skip
    file = home / "server.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in whole.items()))
    java = [packages.program("java"), *JAVA, "-cp", f"{packages.jars()}/libs/*"]
    formatting = [*java, "-Xmx128m", "kafka.tools.StorageTool", "format", "-t", identity, "-c", str(file)]
    once(formatting, home, seconds=300)
    words = [*java, "-Xmx256m", "kafka.Kafka", str(file)]
    return Broker(Server(f"broker{number}", words, home, lambda: True), number, ports[0])
