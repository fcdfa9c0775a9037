"""The kafka gate asks a cluster for its partitions, and how far its consumer groups are behind."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import About, Asked
from deployctl.gates.credential import Credential, FilePath, revealed
from deployctl.gates.deadline import Deadline, within
from deployctl.gates.extra import need
from deployctl.gates.findings import Finding, failed, folded, judged, unknown
from deployctl.gates.hosts import resolved
from deployctl.gates.peers import Login, NotNegative, Peer, Positive, Tls, Word
from strategies.analysis import Measurement

if TYPE_CHECKING:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

PORT = 9092
MOST_NAMED = 3
SHARE_OF_TIME = 0.8  # for the first answer: what is left then tells why there was none
QUIET = logging.getLogger("deployctl.gates.kafka")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False

Partition = tuple[str, int]


@dataclass(frozen=True)
class Group:
    """A consumer group, and how far it may be behind.

    name: of the group; ${preview} and ${stable} are the hashes of the revisions
    topics: topics that it must consume, also where it never did; those that it has committed are always counted
    members: exactly so many members; at least one unless it is given
    lag: how many events it may be behind, over all its partitions
    growth: how many events more it may be behind each second of the window
    age: how old the oldest event may be that it has not consumed; not held unless it is given
    """

    name: Word
    topics: tuple[Word, ...] = ()
    members: NotNegative | None = None
    lag: NotNegative = 10000
    growth: Annotated[float, Meta(ge=0)] | None = None
    age_seconds: float | None = None


@dataclass(frozen=True)
class Kafka:
    """Ask a Kafka cluster whether its partitions are safe and its consumer groups keep up.

    brokers: brokers to begin with
    user: SASL user; no login unless it is given
    password: where its password is
    mechanism: how SASL logs in
    tls: verify the brokers' certificates and names, or go without TLS (off)
    ca: file of the certificate authority; the system's unless it is given
    size: how many brokers must be there; as many as are listed unless it is given
    topics: topics that are looked into; all of them unless they are given
    groups: consumer groups that are looked into
    window: how long the lag is watched where `growth` is given
    """

    EXTRA: ClassVar = "kafka"
    RIGHTS: ClassVar = (
        "Describe and DescribeConfigs on the topics, Describe on the groups",
        "age: Read on the topics; nothing is committed, and no group is joined",
    )
    UNKNOWNS: ClassVar = (
        "brokers that cannot be asked, a wrong password, no answer in time",
        "a group that has never committed, unless its topics are named",
        "an oldest event that could not be read in time",
    )

    brokers: Annotated[tuple[Peer, ...], Meta(min_length=1)]
    user: Word | None = None
    password: Credential | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    tls: Tls = "verify"
    ca: FilePath | None = None
    size: Positive | None = None
    topics: tuple[Word, ...] = ()
    groups: Annotated[tuple[Group, ...], Meta(extra={"unique": "name"})] = ()
    window_seconds: float = 2.0

    def measure(self, asked: Asked) -> Measurement:
        """Ask the cluster once, and the lag twice where it must not grow; every check that says no is told."""
        return within(asked.timeout_seconds, lambda deadline: self._asked(asked, deadline))

    def _asked(self, asked: Asked, deadline: Deadline) -> Measurement:
        need("confluent_kafka", "kafka", "the driver confluent_kafka")
        login = Login(self.user or "", revealed(self.password, asked), self.tls, self.ca, asked.hosts)
        cluster = Cluster(self, login, deadline)
        topics = cluster.topics(self.topics)
        findings = [self._brokers(cluster.brokers), *_partitions(cluster, topics, self.topics)]
        for one in (_named(group, asked.about) for group in self.groups):
            findings += (found.of(one.name) for found in self._group(cluster, one))
        return folded("", findings, total=f"{len(topics)} topics, {len(self.groups)} groups")

    def _brokers(self, there: int) -> Finding:
        size = self.size or len(self.brokers)
        return judged(
            "brokers", f"{there} of {size} brokers are there", fine=there >= size, expected=f"{size}"
        )

    def _group(self, cluster: Cluster, group: Group) -> Iterator[Finding]:
        try:
            state, members = cluster.group(group.name)
            yield judged("group", f"it is {state}", fine=state == "STABLE", expected="STABLE")
            fine = members == group.members if group.members is not None else members > 0
            wanted = "at least 1" if group.members is None else str(group.members)
            yield judged("members", f"{members} members", fine=fine, expected=wanted)
            yield from self._lag(cluster, group)
        except DeployctlError as error:
            yield unknown("group", str(error))

    def _lag(self, cluster: Cluster, group: Group) -> Iterator[Finding]:
        behind = cluster.behind(group)
        lag = sum(behind.values())
        yield judged("lag", f"{lag} events behind", fine=lag <= group.lag, expected=f"at most {group.lag}")
        if group.growth is not None:
            began = time.monotonic()
            cluster.deadline.pause(self.window_seconds)
            rate = (sum(cluster.behind(group).values()) - lag) / (time.monotonic() - began)
            text = f"{rate:+.1f} events behind each second"
            yield judged("growth", text, fine=rate <= group.growth, expected=f"at most {group.growth:g}")
        if group.age_seconds is not None:
            yield self._age(cluster, group, group.age_seconds)

    def _age(self, cluster: Cluster, group: Group, most: float) -> Finding:
        age = cluster.oldest_seconds(group)
        if age is None:
            return unknown("age", "the oldest event that it has not consumed could not be read")
        text = f"the oldest event that it has not consumed is {age:.1f}s old"
        return judged("age", text, fine=age <= most, expected=f"at most {most:g}s")


def _named(group: Group, about: About) -> Group:
    """Fill the hashes of the revisions in where a group is named by one."""
    name = group.name.replace("${preview}", about.preview).replace("${stable}", about.stable)
    return replace(group, name=name)


@dataclass
class Cluster:
    """A cluster as the official client sees it."""

    gate: Kafka
    login: Login
    deadline: Deadline
    brokers: int = 0
    _reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        from confluent_kafka.admin import AdminClient

        self.deadline.at = self._bootstrap()
        with self._telling():
            self._admin: AdminClient = AdminClient(self._settings())

    def _bootstrap(self) -> str:
        return ",".join(f"{one.host}:{one.port or PORT}" for one in self.gate.brokers)

    def _settings(self) -> dict[str, Any]:
        for one in self.gate.brokers:
            resolved(one.host, one.port or PORT, self.login.hosts)  # refuses what no gate may ask
        protocol = ("SASL_" if self.gate.user else "") + ("SSL" if self.gate.tls == "verify" else "PLAINTEXT")
        return {
            "bootstrap.servers": self._bootstrap(),
            "client.id": "deployctl",
            "security.protocol": protocol,
            "socket.timeout.ms": int(self.deadline.seconds * 1000) + 10,
            "error_cb": lambda error: self._reasons.append(str(error.str())),
            "logger": QUIET,
            "log_level": 0,
            **({"ssl.ca.location": self.gate.ca} if self.gate.ca else {}),
            **self._login(),
        }

    def _login(self) -> dict[str, str]:
        if not self.gate.user:
            return {}
        return {
            "sasl.mechanism": self.gate.mechanism,
            "sasl.username": self.gate.user,
            "sasl.password": self.login.password.plain,
        }

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn what the client raises into ours, with the reason that it gave by the way."""
        from confluent_kafka import KafkaException

        try:
            yield
        except (KafkaException, NotInTime, ValueError) as error:
            if hasattr(self, "_admin"):
                self._admin.poll(0)
            told = self._reasons[0] if self._reasons else _words(error)
            raise DeployctlError(self.login.password.scrub(f"{self.deadline.at}: {told}")) from None

    def _timeout(self) -> dict[str, float]:
        return {"request_timeout": self.deadline.left()}

    def topics(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Give the topics as the cluster has them, and count its brokers."""
        with self._telling():
            seen = self._admin.list_topics(timeout=self.deadline.left() * SHARE_OF_TIME)
        self.brokers = len(seen.brokers)
        own = {name: one for name, one in seen.topics.items() if not name.startswith("__")}
        return {
            name: one for name, one in (seen.topics if names else own).items() if not names or name in names
        }

    def least_in_sync(self, names: list[str]) -> dict[str, int]:
        """Ask each topic's min.insync.replicas."""
        from confluent_kafka.admin import ConfigResource, ResourceType

        asked = [ConfigResource(ResourceType.TOPIC, one) for one in names]
        with self._telling():
            answers = self._admin.describe_configs(asked, **self._timeout()) if asked else {}
            found = {one.name: answer.result(self.deadline.left()) for one, answer in answers.items()}
        return {name: int(one["min.insync.replicas"].value) for name, one in found.items()}

    def group(self, name: str) -> tuple[str, int]:
        """Ask for the state of a group and the number of its members."""
        with self._telling():
            answer = self._admin.describe_consumer_groups([name], **self._timeout())[name]
            found = answer.result(self.deadline.left())
        return str(found.state.name), len(found.members)

    def _committed(self, group: Group) -> dict[Partition, int]:
        """Ask how far a group has come; where it has never come to, from the first event on."""
        from confluent_kafka import ConsumerGroupTopicPartitions
        from confluent_kafka.admin import OffsetSpec

        with self._telling():
            asked = [ConsumerGroupTopicPartitions(group.name)]
            answer = self._admin.list_consumer_group_offsets(asked, **self._timeout())[group.name]
            come = {
                (one.topic, one.partition): one.offset
                for one in answer.result(self.deadline.left()).topic_partitions
            }
        known = self.topics(group.topics) if group.topics else {}
        if missing := [one for one in group.topics if one not in known]:
            raise DeployctlError(f"there is no topic {missing[0]}")
        every = {(name, number) for name, one in known.items() for number in one.partitions}
        new = sorted(each for each in {*every, *come} if come.get(each, -1) < 0)
        return {**come, **self._offsets(new, OffsetSpec.earliest())}

    def _offsets(self, partitions: list[Partition], spec: Any) -> dict[Partition, int]:
        from confluent_kafka import TopicPartition

        asked = {TopicPartition(*one): spec for one in partitions}
        with self._telling():
            answers = self._admin.list_offsets(asked, **self._timeout()) if asked else {}
            return {
                (one.topic, one.partition): answer.result(self.deadline.left()).offset
                for one, answer in answers.items()
            }

    def behind(self, group: Group) -> dict[Partition, int]:
        """Count, for each partition, the events that a group has not consumed."""
        from confluent_kafka.admin import OffsetSpec

        come = self._committed(group)
        if not come:
            raise DeployctlError("it has consumed nothing yet; name its topics")
        ends = self._offsets(sorted(come), OffsetSpec.latest())
        return {one: max(0, end - come[one]) for one, end in ends.items()}

    def oldest_seconds(self, group: Group) -> float | None:
        """Read the first event of each partition that a group has not consumed, and give the age of the oldest.

        Nothing is committed, and the group itself is not joined. 0 where it has consumed all; None without an answer.
        """
        from confluent_kafka import TopicPartition

        come, behind = self._committed(group), self.behind(group)
        asked = [TopicPartition(*one, come[one]) for one, count in behind.items() if count]
        if not asked:
            return 0.0
        times = self._times(asked)
        return max(0.0, time.time() - min(times) / 1000) if len(times) == len(asked) else None

    def _times(self, asked: list[TopicPartition]) -> list[int]:
        """Read one event of each partition from an offset on, and give when each was written, in milliseconds."""
        from confluent_kafka import Consumer

        reader = Consumer({**self._settings(), "group.id": "deployctl", "enable.auto.commit": False})
        found: dict[Partition, int] = {}
        try:
            reader.assign(asked)
            while len(found) < len(asked):
                event = reader.poll(self.deadline.left() * SHARE_OF_TIME / 2)
                if event is None or event.error():
                    break
                found.setdefault((str(event.topic()), int(event.partition() or 0)), event.timestamp()[1])
        finally:
            reader.close()
        return list(found.values())


def _partitions(cluster: Cluster, topics: dict[str, Any], wanted: tuple[str, ...]) -> Iterator[Finding]:
    """Find partitions without a leader, with fewer replicas in sync than they have, and with too few to be written."""
    for name in wanted:
        if name not in topics or topics[name].error:
            yield failed("topics", f"there is no topic {name}, expected one")
    every = [
        (f"{name}/{n}", name, one) for name, topic in topics.items() for n, one in topic.partitions.items()
    ]
    yield _none("offline", "partitions have no leader", [mark for mark, _, one in every if one.leader < 0])
    under = [mark for mark, _, one in every if len(one.isrs) < len(one.replicas)]
    yield _none("replicas", "partitions are under-replicated", under)
    try:
        least = cluster.least_in_sync(sorted({name for _, name, _ in every}))
    except DeployctlError as error:
        yield unknown("in sync", str(error))
        return
    few = [mark for mark, name, one in every if len(one.isrs) < least[name]]
    yield _none("in sync", "partitions have fewer in sync than min.insync.replicas", few)


def _none(check: str, what: str, marks: list[str]) -> Finding:
    more = f" and {len(marks) - MOST_NAMED} more" if len(marks) > MOST_NAMED else ""
    named = f": {', '.join(marks[:MOST_NAMED])}{more}" if marks else ""
    return judged(check, f"{len(marks)} {what}{named}", fine=not marks, expected="none")


def _words(error: BaseException) -> str:
    first = error.args[0] if error.args else error
    text = first.str() if hasattr(first, "str") else str(first)
    return text or "no answer in time"
