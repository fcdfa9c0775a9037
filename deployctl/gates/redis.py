"""The redis gate asks every instance itself: a replica that only just came is counted by its primary already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.credential import Credential, FilePath, revealed
from deployctl.gates.deadline import Deadline, within
from deployctl.gates.findings import Finding, Size, failed, folded, judged, passed, shown, size_bytes, unknown
from deployctl.gates.peers import Login, NotNegative, Peer, Share, Tls, Word
from deployctl.gates.resp import Line, line
from deployctl.gates.warmth import Warmth, warmth
from strategies.analysis import Measurement

PORT = 6379
SLOTS = 16384
SILENT_SECONDS = 15  # a primary pings its replicas every 10 s unless it is set otherwise
Policy = Literal[
    "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"
]  # fmt: skip
Info = dict[str, str]


@dataclass(frozen=True, slots=True)
class Watched:
    """What one instance said at the beginning of the window and at its end."""

    name: str
    before: Info
    after: Info
    cluster: Info

    def grew(self, field: str) -> int:
        return int(self.after[field]) - int(self.before[field])

    def number(self, field: str) -> int:
        return int(self.after[field])


@dataclass(frozen=True)
class Redis:
    """Ask every Redis instance whether it can bear a new revision now.

    servers: every instance by its own address
    user: asked as this user of its ACL; the default user unless it is given
    password: where its password is
    tls: verify the server's certificate and name, or go without TLS (off)
    ca: file of the certificate authority; the system's unless it is given
    role: what the instances must be: all primaries, all replicas, or either
    replicas: so many replicas of each primary must be online; not counted unless it is given
    lagSize: how many bytes a replica may be behind
    memory: the share of maxmemory that may be used
    policy: what maxmemory-policy must be: noeviction for sessions; not compared unless it is given
    limitless: let an instance without maxmemory pass; its memory is unknown otherwise
    window: how long counters are watched
    evicted: how many keys may be evicted in the window; unlimited for a cache that lives so
    rejected: how many connections may be rejected in the window
    clients: the share of maxclients that may be connected
    more: how many connections the new revision opens beside today's: its pool times its most pods
    persistence: hold that what is saved to disk was saved
    cluster: hold that the instances are of a cluster that serves every slot
    hits: how warm a cache must be; not measured unless it is given
    """

    RIGHTS: ClassVar = (
        "ACL SETUSER deployctl on >PASSWORD resetchannels +info +cluster|info; no key is read",
    )
    UNKNOWNS: ClassVar = (
        "an instance that cannot be asked, a wrong password, no answer in time",
        "an instance without maxmemory, unless `limitless` is set",
        "fewer look-ups in the window than `hits.lookups`",
        "an instance that was started anew in the window",
    )

    servers: Annotated[tuple[Peer, ...], Meta(min_length=1)]
    user: Word | None = None
    password: Credential | None = None
    tls: Tls = "verify"
    ca: FilePath | None = None
    role: Literal["primary", "replica", "any"] = "any"
    replicas: NotNegative | None = None
    lag_size: Size = "1Mi"
    memory: Share = 0.85
    policy: Policy | None = None
    limitless: bool = False
    window_seconds: float = 2.0
    evicted: NotNegative | None = 0
    rejected: NotNegative = 0
    clients: Share = 0.9
    more: NotNegative = 0
    persistence: bool = True
    cluster: bool = False
    hits: Warmth | None = None

    def measure(self, asked: Asked) -> Measurement:
        """Ask every instance twice, a window apart; every check that says no is told, and of which instance."""
        return within(asked.timeout_seconds, lambda deadline: self._asked(asked, deadline))

    def _asked(self, asked: Asked, deadline: Deadline) -> Measurement:
        login = Login(self.user or "", revealed(self.password, asked), self.tls, self.ca, asked.hosts)
        silent: list[Finding] = []
        with ExitStack() as into:
            lines = list(self._opened(login, deadline, into, silent))
            watched = self._watched(lines, deadline, silent)
        findings = [finding.of(one.name) for one in watched for finding in self._judged(one)]
        if self.hits and watched:
            hits, misses = (
                sum(one.grew(f"keyspace_{what}") for one in watched) for what in ("hits", "misses")
            )
            findings.append(warmth(self.hits, hits, misses, self.window_seconds))
        return folded("", [*silent, *findings], total=f"{len(watched)} instances")

    def _opened(
        self, login: Login, deadline: Deadline, into: ExitStack, silent: list[Finding]
    ) -> Iterator[tuple[Line, Info]]:
        """Open a line to each and read its counters; one that cannot be asked is told, and the others are asked."""
        for one in self.servers:
            try:
                opened = into.enter_context(
                    line(one.called(PORT), (one.host, one.port or PORT), login, deadline)
                )
                yield opened, _info(opened)
            except DeployctlError as error:
                silent.append(unknown("instance", str(error)))

    def _watched(
        self, lines: list[tuple[Line, Info]], deadline: Deadline, silent: list[Finding]
    ) -> list[Watched]:
        if lines:
            deadline.pause(self.window_seconds)
        watched = []
        for one, before in lines:
            try:
                member = self.cluster and before.get("cluster_enabled") == "1"
                cluster = one.fields("CLUSTER", "INFO") if member else {}
                watched.append(Watched(one.called, before, _info(one), cluster))
            except DeployctlError as error:
                silent.append(unknown("instance", str(error)))
        return watched

    def _judged(self, one: Watched) -> Iterator[Finding]:
        if one.after["run_id"] != one.before["run_id"]:
            yield unknown("instance", "it was started anew in the window")
            return
        yield from self._role(one)
        yield from self._memory(one)
        yield from self._clients(one)
        if self.persistence:
            yield from _saved(one.after)
        if self.cluster:
            yield from _slots(one.after, one.cluster)

    def _role(self, one: Watched) -> Iterator[Finding]:
        role = {"master": "primary", "slave": "replica"}.get(one.after["role"], one.after["role"])
        fine = self.role in {"any", role}
        yield judged("role", f"it is a {role}", fine=fine, expected=f"a {self.role}")
        if role == "replica":
            yield from _link(one.after)
        elif self.replicas is not None:
            yield from self._followers(one.after)

    def _followers(self, said: Info) -> Iterator[Finding]:
        """Count the replicas that are online: one that is still being filled is in connected_slaves, too."""
        rows = [
            _pairs(said[f"slave{n}"]) for n in range(int(said["connected_slaves"])) if f"slave{n}" in said
        ]
        online = [row for row in rows if row.get("state") == "online"]
        others = "".join(f", one is in {row.get('state')}" for row in rows if row.get("state") != "online")
        text = f"{len(online)} of {self.replicas} replicas are online{others}"
        fine = len(online) >= (self.replicas or 0)
        yield judged("replicas", text, fine=fine, expected=f"at least {self.replicas}")
        for row in online:
            behind = int(said["master_repl_offset"]) - int(row["offset"])
            text = f"replica {row['ip']}:{row['port']} is {shown(max(behind, 0))} behind"
            yield judged(
                "lag", text, fine=behind <= size_bytes(self.lag_size), expected=f"at most {self.lag_size}"
            )

    def _memory(self, one: Watched) -> Iterator[Finding]:
        policy = one.after["maxmemory_policy"]
        if self.policy:
            yield judged(
                "policy", f"maxmemory-policy is {policy}", fine=policy == self.policy, expected=self.policy
            )
        used, most = one.number("used_memory"), one.number("maxmemory")
        if most:
            text = f"{shown(used)} of {shown(most)} used"
            yield judged(
                "memory", text, fine=used <= self.memory * most, expected=f"at most {self.memory:.0%}"
            )
        else:
            text = f"{shown(used)} used, and it has no maxmemory"
            yield passed("memory", text) if self.limitless else unknown("memory", text)
        gone = one.grew("evicted_keys")
        if self.evicted is not None:
            text = f"{gone} keys evicted in {self.window_seconds:g}s"
            yield judged("evicted", text, fine=gone <= self.evicted, expected=f"at most {self.evicted}")

    def _clients(self, one: Watched) -> Iterator[Finding]:
        refused = one.grew("rejected_connections")
        text = f"{refused} connections rejected in {self.window_seconds:g}s"
        yield judged("rejected", text, fine=refused <= self.rejected, expected=f"at most {self.rejected}")
        used, most = one.number("connected_clients") + self.more, one.number("maxclients")
        more = f" with {self.more} more" if self.more else ""
        text = f"{used} of {most} clients{more}"
        yield judged(
            "clients", text, fine=used <= self.clients * most, expected=f"at most {self.clients:.0%}"
        )


def _info(one: Line) -> Info:
    """Read what an instance says of itself, and refuse what is none."""
    said = one.fields("INFO")
    needed = ("run_id", "role", "used_memory", "maxmemory", "maxmemory_policy", "connected_clients", "maxclients", "evicted_keys", "rejected_connections", "keyspace_hits", "keyspace_misses", "loading")  # fmt: skip
    if missing := [name for name in needed if name not in said]:
        raise DeployctlError(f"{one.called} does not tell its {missing[0]}, as Redis from 6.2 on does")
    return said


def _link(said: Info) -> Iterator[Finding]:
    """Judge a replica by its link: what it has is as old as the last word of its primary."""
    up, syncing = said["master_link_status"], said["master_sync_in_progress"]
    text = f"its link to the primary is {up}" + (", and it is being filled" if syncing != "0" else "")
    yield judged("link", text, fine=(up, syncing) == ("up", "0"), expected="up")
    silent = int(said["master_last_io_seconds_ago"])
    text = f"its primary said something {silent}s ago"
    if up == "up":
        yield judged("link", text, fine=0 <= silent <= SILENT_SECONDS, expected=f"at most {SILENT_SECONDS}s")


def _saved(said: Info) -> Iterator[Finding]:
    yield judged("loading", f"loading is {said['loading']}", fine=said["loading"] == "0", expected="0")
    for name in ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status"):
        if name in said:
            yield judged("persistence", f"{name} is {said[name]}", fine=said[name] == "ok", expected="ok")


def _slots(said: Info, cluster: Info) -> Iterator[Finding]:
    if said.get("cluster_enabled") != "1":
        yield failed("cluster", "it is of no cluster, expected one")
        return
    state, fine = cluster.get("cluster_state", ""), cluster.get("cluster_slots_ok", "0")
    text = f"the cluster is {state}, {fine} of {SLOTS} slots served"
    yield judged("cluster", text, fine=(state, fine) == ("ok", str(SLOTS)), expected="ok and all")


def _pairs(text: str) -> Info:
    """Read `ip=127.0.0.1,port=6380,state=online`."""
    return {name: value for name, _, value in (one.partition("=") for one in text.split(","))}
