"""The galera gate asks every node of a cluster itself: what a balancer shows is the node that is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.credential import Credential, FilePath, revealed
from deployctl.gates.deadline import Deadline, within
from deployctl.gates.extra import need
from deployctl.gates.findings import Finding, failed, folded, judged, passed, unknown
from deployctl.gates.mysql import PORT, Session, session
from deployctl.gates.peers import Connections, Login, NotNegative, Peer, Share, Tls, Word
from deployctl.gates.scaling import RIGHT, sized
from strategies.analysis import Measurement

STATUS = (
    "wsrep_cluster_conf_id", "wsrep_cluster_size", "wsrep_cluster_state_uuid", "wsrep_cluster_status", "wsrep_connected",
    "wsrep_flow_control_paused_ns", "wsrep_gcomm_uuid", "wsrep_local_bf_aborts", "wsrep_local_cert_failures",
    "wsrep_local_recv_queue", "wsrep_local_state_comment", "wsrep_ready", "threads_connected",
)  # fmt: skip
SETTINGS = ("max_connections", "read_only")
OTHERS = """
SELECT COUNT(*) AS seen, SUM(USER <> %s AND ID <> CONNECTION_ID()) AS others
FROM information_schema.PROCESSLIST WHERE USER <> 'system user'"""

Status = dict[str, str]


@dataclass(frozen=True, slots=True)
class Node:
    """What one node said at the beginning of the window and at its end."""

    asks: Session
    before: Status
    after: Status
    settings: Status

    @property
    def name(self) -> str:
        return self.asks.called

    def grew(self, name: str) -> int:
        return int(self.after[name]) - int(self.before[name])


@dataclass(frozen=True)
class Galera:
    """Ask every node of a Galera cluster whether the cluster can bear a new revision now.

    nodes: every node by its own address, never the balancer's
    user: asked as this user
    password: where its password is
    tls: verify the server's certificate and name, or go without TLS (off)
    ca: file of the certificate authority; the system's unless it is given
    size: how many nodes the cluster has; as many as are listed unless it is given
    survives: how many nodes may be lost at once with the rest still a cluster
    window: how long counters are watched
    paused: the share of the window in which flow control may have stood
    queue: how many write sets may wait to be applied on a node
    conflicts: how many certification failures and aborted transactions there may be in a second of the window
    used: the share of a node's connections that may be in use
    connections: the budget of connections of both revisions, on each node; not held unless it is given
    replicas: asynchronous replicas of the cluster
    lag: how far such a replica may be behind
    """

    EXTRA: ClassVar = "mysql"
    RIGHTS: ClassVar = (
        "a user of its own, without any right, for the status of a node",
        "connections: GRANT PROCESS ON *.*",
        "replicas: GRANT SLAVE MONITOR ON *.* (MySQL: REPLICATION CLIENT)",
        RIGHT,
    )
    UNKNOWNS: ClassVar = (
        "a node that cannot be asked, a wrong password, no answer in time",
        "a server that is no node of Galera",
        "a user that may not see the connections of others, where `connections` is given",
        "a number of pods that neither `connections` nor the cluster tells",
    )

    nodes: Annotated[tuple[Peer, ...], Meta(min_length=1)]
    user: Word
    password: Credential | None = None
    tls: Tls = "verify"
    ca: FilePath | None = None
    size: Annotated[int, Meta(ge=1)] | None = None
    survives: NotNegative = 1
    window_seconds: float = 2.0
    paused: Share = 0.05
    queue: NotNegative = 10
    conflicts: Annotated[float, Meta(ge=0)] = 1.0
    used: Share = 0.8
    connections: Connections | None = None
    replicas: tuple[Peer, ...] = ()
    lag_seconds: float = 5.0

    def measure(self, asked: Asked) -> Measurement:
        """Ask every node twice, a window apart; every check that says no is told, and of which node."""
        return within(asked.timeout_seconds, lambda deadline: self._sized(asked).ask(asked, deadline))

    def _sized(self, asked: Asked) -> Galera:
        """Give the gate with the number of pods that its budget is for."""
        return replace(self, connections=sized(self.connections, asked))

    def ask(self, asked: Asked, deadline: Deadline) -> Measurement:
        need("pymysql", "mysql", "the driver pymysql")
        login = Login(self.user, revealed(self.password, asked), self.tls, self.ca, asked.hosts)
        with ExitStack() as open_sessions:
            silent: list[Finding] = []
            sessions = list(self._opened(self.nodes, login, deadline, silent, open_sessions))
            nodes = self._watched(sessions, deadline, silent)
            findings = [*silent, *self._judged(nodes), *self._replicas(login, deadline)]
        return folded("", findings, total=f"{len(nodes)} nodes, size {self._expected()}")

    def _opened(
        self,
        peers: tuple[Peer, ...],
        login: Login,
        deadline: Deadline,
        silent: list[Finding],
        into: ExitStack,
    ) -> Iterator[Session]:
        """Open a session at each; one that cannot be asked is told, and the others are asked all the same."""
        for one in peers:
            try:
                where = (one.host, one.port or PORT)
                yield into.enter_context(session(one.called(PORT), where, login, deadline))
            except DeployctlError as error:
                silent.append(unknown("node", str(error)))

    def _watched(self, nodes: list[Session], deadline: Deadline, silent: list[Finding]) -> list[Node]:
        """Read every node's counters, let the window pass, and read them again."""
        before = [(one, said) for one in nodes if (said := _status(one, silent))]
        if before:
            deadline.pause(self.window_seconds)
        after = [(one, was, said) for one, was in before if (said := _status(one, silent))]
        return [
            Node(one, was, said, one.named("SHOW GLOBAL VARIABLES", SETTINGS)) for one, was, said in after
        ]

    def _expected(self) -> int:
        return self.size or len(self.nodes)

    def _judged(self, nodes: list[Node]) -> Iterator[Finding]:
        yield from _one_cluster(nodes)
        yield self._quorum()
        for node in nodes:
            yield from (found.of(node.name) for found in self._node(node))

    def _quorum(self) -> Finding:
        """Count what a loss leaves: more than half must be there, so that 3 nodes survive one and 2 survive none."""
        size = self._expected()
        left = size - self.survives
        text = f"of {size} nodes {max(left, 0)} are left after the loss of {self.survives}"
        return judged("survives", text, fine=2 * left > size, expected=f"at least {size // 2 + 1}")

    def _node(self, node: Node) -> Iterator[Finding]:
        said = node.after
        for name, expected in (
            ("wsrep_cluster_status", "Primary"),
            ("wsrep_ready", "ON"),
            ("wsrep_connected", "ON"),
            ("wsrep_local_state_comment", "Synced"),
            ("wsrep_cluster_size", str(self._expected())),
        ):
            yield judged(
                _word(name), f"{name} is {said[name]}", fine=said[name] == expected, expected=expected
            )
        read_only = node.settings["read_only"]
        yield judged("target", f"read_only is {read_only}", fine=read_only in {"OFF", "0"}, expected="OFF")
        yield from self._window(node)
        yield from self._room(node)

    def _window(self, node: Node) -> Iterator[Finding]:
        share = node.grew("wsrep_flow_control_paused_ns") / 1e9 / self.window_seconds
        text = f"flow control stood for {share:.0%} of {self.window_seconds:g}s"
        yield judged("flow", text, fine=share <= self.paused, expected=f"at most {self.paused:.0%}")
        queue = min(int(one["wsrep_local_recv_queue"]) for one in (node.before, node.after))
        yield judged(
            "queue", f"{queue} write sets wait", fine=queue <= self.queue, expected=f"at most {self.queue}"
        )
        rate = (
            node.grew("wsrep_local_cert_failures") + node.grew("wsrep_local_bf_aborts")
        ) / self.window_seconds
        text = f"{rate:.1f} conflicts a second"
        yield judged("conflicts", text, fine=rate <= self.conflicts, expected=f"at most {self.conflicts:g}")

    def _room(self, node: Node) -> Iterator[Finding]:
        """Hold the connections of a node against what it takes: balanced or not, each may get all of them."""
        most, used = int(node.settings["max_connections"]), int(node.after["threads_connected"])
        room = int(self.used * most)
        yield judged(
            "connections", f"{used} of {most} connections", fine=used <= room, expected=f"at most {room}"
        )
        if self.connections:
            yield self._budget(node, self.connections, most)

    def _budget(self, node: Node, wanted: Connections, most: int) -> Finding:
        row = node.asks.rows(OTHERS, wanted.user)[0]
        seen, others = int(row["seen"]), int(row["others"] or 0)
        if seen < int(node.after["threads_connected"]) - 1:
            how = f"GRANT PROCESS ON *.* TO '{self.user}'"
            return unknown("rights", f"{self.user} may not see the connections of others; {how}")
        need_all, room = wanted.pool * wanted.pods + others, int(wanted.share * most)
        text = f"{wanted.pods} pods x {wanted.pool} + {others} others = {need_all} connections"
        expected = f"at most {room} ({wanted.share:g} of {most})"
        return judged("connections", text, fine=need_all <= room, expected=expected)

    def _replicas(self, login: Login, deadline: Deadline) -> Iterator[Finding]:
        with ExitStack() as open_sessions:
            silent: list[Finding] = []
            for asks in self._opened(self.replicas, login, deadline, silent, open_sessions):
                yield from (found.of(asks.called) for found in self._replica(asks))
            yield from silent

    def _replica(self, asks: Session) -> Iterator[Finding]:
        try:
            rows = asks.rows("SHOW SLAVE STATUS")
        except DeployctlError as error:
            yield unknown("replica", f"{error}; GRANT SLAVE MONITOR ON *.* TO '{self.user}'")
            return
        if not rows:
            yield failed("replica", "it replicates from nobody")
        for row in rows:
            yield from self._stream(row)

    def _stream(self, row: dict[str, Any]) -> Iterator[Finding]:
        running = f"IO {row['Slave_IO_Running']}, SQL {row['Slave_SQL_Running']}"
        yield judged(
            "replica", f"its threads run: {running}", fine=running == "IO Yes, SQL Yes", expected="Yes"
        )
        behind = row["Seconds_Behind_Master"]
        if behind is None:
            yield unknown("lag", "it does not say how far it is behind")
        else:
            fine = float(behind) <= self.lag_seconds
            yield judged(
                "lag", f"it is {behind}s behind", fine=fine, expected=f"at most {self.lag_seconds:g}s"
            )


def _word(name: str) -> str:
    return name.removeprefix("wsrep_").removesuffix("_comment").replace("_", " ")


def _status(asks: Session, silent: list[Finding]) -> Status:
    """Read a node's status; one that cannot be read, or is of no cluster, is told."""
    try:
        said = asks.named("SHOW GLOBAL STATUS", STATUS)
    except DeployctlError as error:
        silent.append(unknown("node", str(error)))
        return {}
    if missing := [one for one in STATUS if one not in said]:
        silent.append(unknown("node", f"{asks.called} is no node of Galera: it has no {missing[0]}"))
        return {}
    return said


def _one_cluster(nodes: list[Node]) -> Iterator[Finding]:
    """Compare what all nodes of one cluster must say alike, and find addresses that lead to one node."""
    ids = Counter(node.after["wsrep_gcomm_uuid"] for node in nodes)
    for node in nodes:
        if node.after["wsrep_connected"] == "ON" and ids[node.after["wsrep_gcomm_uuid"]] > 1:
            yield failed(
                "nodes", f"{node.name} is a node that has another address in the list, expected each once"
            )
    for name in ("wsrep_cluster_state_uuid", "wsrep_cluster_conf_id"):
        told = Counter(node.after[name] for node in nodes)
        if len(told) > 1:
            parts = ", ".join(f"{node.name} has {node.after[name]}" for node in nodes)
            yield failed("cluster", f"{name} differs: {parts}, expected the same on every node")
        elif told:
            yield passed("cluster", f"{name} {next(iter(told))}")
