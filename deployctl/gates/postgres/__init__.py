"""The postgres gate asks a server, its replicas and its shards whether they can bear a new revision now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.credential import Credential, FilePath, revealed
from deployctl.gates.deadline import Deadline, within
from deployctl.gates.extra import need
from deployctl.gates.findings import Finding, Size, failed, folded, judged, passed, unknown
from deployctl.gates.peers import Connections, Host, Login, NotNegative, Peer, Port, Positive, Tls, Word
from deployctl.gates.postgres import budget, checks
from deployctl.gates.postgres.options import PORT, PgBouncer, Plan, Shard, Sql
from deployctl.gates.postgres.plans import plans
from deployctl.gates.postgres.session import Row, Session, session
from deployctl.gates.scaling import RIGHT, sized
from strategies.analysis import Measurement

Check = Literal[
    "target", "standbys", "transactions", "blocked", "prepared", "indexes", "builds", "constraints", "slots", "wraparound"
]  # fmt: skip

VERSION = "schema version"
EVERYWHERE: dict[str, Callable[[Session, Postgres], Iterator[Finding]]] = {
    "transactions": checks.transactions,
    "blocked": checks.blocked,
    "indexes": checks.indexes,
    "constraints": checks.constraints,
}
AT_A_PRIMARY: dict[str, Callable[[Session, Postgres], Iterator[Finding]]] = {
    "standbys": checks.standbys,
    "prepared": checks.prepared,
    "builds": checks.builds,
    "slots": checks.slots,
    "wraparound": checks.wraparound,
}


@dataclass(frozen=True)
class Postgres:
    """Ask a PostgreSQL server, its replicas and every shard whether they can bear a new revision now.

    host: of the primary, or of what `role` says; not given beside shards
    port: of it
    shards: instead of host: every shard; all are asked the same, and the first that is not well is named
    database: which one is looked into
    user: asked as this role
    password: where its password is
    tls: verify the server's certificate and name, or go without TLS (off)
    ca: file of the certificate authority; the system's unless it is given
    role: what host must be: a primary that takes writes, or a replica
    replicas: replicas that are asked themselves for their lag
    standbys: at least so many replicas must be streaming from the primary; not counted unless it is given
    lag: how far a replica may be behind; 1s where it serves balances
    lagSize: how many bytes it may be behind; both are held, for either alone can stand still
    transaction: the longest that a session may be in one transaction
    idle: the longest that a session may be idle in one
    blocked: the longest that a session may wait for a lock
    prepared: the longest that a prepared transaction may stand
    unvalidated: tell constraints that were not validated, or refuse them
    slotSize: how much WAL a replication slot may keep
    idleSlots: slots that nobody has to read
    xidAge: the age of the oldest transaction id from which on the vacuum that ends it blocks others
    connections: the budget of connections of both revisions; not held unless it is given
    pgbouncer: the PgBouncer that the app connects through
    plans: queries that must stay cheap; planned on the primary, never run
    schemaVersion: a query of one value that must be the same on every shard
    skip: checks that are not made
    """

    EXTRA: ClassVar = "postgres"
    RIGHTS: ClassVar = (
        "GRANT pg_monitor TO the role, and CONNECT on the database",
        "SELECT on the tables of declared queries; no right to write anything",
        RIGHT,
    )
    UNKNOWNS: ClassVar = (
        "a server or a replica that cannot be asked, a wrong password, no answer in time",
        "a role without pg_monitor, for it sees no session but its own",
        "a table that was never analyzed, a declared query that cannot be planned",
        "a number of pods that neither `connections` nor the cluster tells",
    )

    user: Word
    host: Host | None = None
    port: Port = PORT
    shards: Annotated[tuple[Shard, ...], Meta(extra={"unique": "name"})] = ()
    database: Word = "postgres"
    password: Credential | None = None
    tls: Tls = "verify"
    ca: FilePath | None = None
    role: Literal["primary", "replica"] = "primary"
    replicas: tuple[Peer, ...] = ()
    standbys: NotNegative | None = None
    lag_seconds: float = 5.0
    lag_size: Size = "16Mi"
    transaction_seconds: float = 30.0
    idle_seconds: float = 10.0
    blocked_seconds: float = 1.0
    prepared_seconds: float = 60.0
    unvalidated: Literal["tell", "refuse"] = "tell"
    slot_size: Size = "10Gi"
    idle_slots: tuple[Word, ...] = ()
    xid_age: Positive = 1_500_000_000
    connections: Connections | None = None
    pgbouncer: PgBouncer | None = None
    plans: Annotated[tuple[Plan, ...], Meta(extra={"unique": "name"})] = ()
    schema_version: Sql | None = None
    skip: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.host) == bool(self.shards):
            raise ValueError(f"{'both' if self.host else 'none'} given; expected exactly one of host, shards")
        if self.shards and self.replicas:
            raise ValueError("replicas: given beside shards; expected in each shard")

    def measure(self, asked: Asked) -> Measurement:
        """Ask every server once; every check that says no is told, and of which shard."""
        return within(asked.timeout_seconds, lambda deadline: self._sized(asked).ask(asked, deadline))

    def _sized(self, asked: Asked) -> Postgres:
        """Give the gate with the number of pods that its budget is for."""
        return replace(self, connections=sized(self.connections, asked))

    def ask(self, asked: Asked, deadline: Deadline) -> Measurement:
        need("psycopg", "postgres", "the driver psycopg")
        login = Login(self.user, revealed(self.password, asked), self.tls, self.ca, asked.hosts)
        bounced = self._bounced(asked, login, deadline)
        found = [(one, tuple(self._shard(one, login, deadline, bounced))) for one in self._shards()]
        every = [finding for _, findings in found for finding in findings]
        if self.pgbouncer and bounced:
            every.append(budget.waiting(self.pgbouncer, bounced))
        if not self.shards:
            return folded(found[0][0].called(PORT), every)
        named = [_of(finding, one.called(PORT)) for one, findings in found for finding in findings]
        versions = _versions({one.called(PORT): findings for one, findings in found})
        return folded("", (*named, *every[len(named) :], *versions), total=f"{len(found)} shards")

    def _shards(self) -> tuple[Shard, ...]:
        return self.shards or (Shard(self.host or "", self.port, replicas=self.replicas),)

    def _bounced(self, asked: Asked, login: Login, deadline: Deadline) -> budget.Bounced | None:
        one = self.pgbouncer
        if one is None:
            return None
        password = one.password.reveal(asked) if one.password else login.password
        return budget.bounced(one, replace(login, user=one.user or self.user, password=password), deadline)

    def _shard(
        self, one: Shard, login: Login, deadline: Deadline, bounced: budget.Bounced | None
    ) -> Iterator[Finding]:
        """Ask one server and its replicas. What cannot be asked is unknown, and the others are asked all the same."""
        where = (one.host, one.port or PORT, one.database or self.database)
        try:
            with session(one.called(PORT), where, login, deadline) as asks:
                yield from self._server(asks, one, bounced)
        except DeployctlError as error:
            yield unknown("server", str(error))

    def _server(self, asks: Session, one: Shard, bounced: budget.Bounced | None) -> Iterator[Finding]:
        recovering = bool(asks.row("SELECT pg_is_in_recovery()")[0])
        if "target" not in self.skip:
            yield from checks.target(asks, self, recovering=recovering)
        asks.never_write()
        yield from checks.rights(asks)
        yield from self._checks(asks, recovering=recovering)
        if self.connections:
            yield from budget.connections(asks, self.connections, bounced)
        yield from plans(asks, self.plans)
        if self.schema_version:
            yield passed(VERSION, str(_only(asks.declared(self.schema_version))))
        primary = None if recovering else asks.row(checks.WAL)
        for each in one.replicas:
            yield from self._replica(each, asks, primary)

    def _checks(self, asks: Session, *, recovering: bool) -> Iterator[Finding]:
        if recovering and self.role == "replica":
            yield from checks.replica(asks, self, None)
        for name, check in (EVERYWHERE if recovering else AT_A_PRIMARY | EVERYWHERE).items():
            if name not in self.skip:
                yield from check(asks, self)

    def _replica(self, one: Peer, primary: Session, wal: Row | None) -> Iterator[Finding]:
        """Ask a replica itself."""
        where = (one.host, one.port or PORT, primary.connection.info.dbname)
        called = one.called(PORT)
        try:
            with session(called, where, primary.login, primary.deadline) as asks:
                asks.never_write()
                yield from (found.of(called) for found in self._as_a_replica(asks, wal))
        except DeployctlError as error:
            yield unknown("server", str(error))

    def _as_a_replica(self, asks: Session, wal: Row | None) -> Iterator[Finding]:
        if asks.row("SELECT pg_is_in_recovery()")[0]:
            yield from checks.replica(asks, self, wal)
        else:
            yield failed("target", "it is a primary, expected a replica")


def _of(finding: Finding, shard: str) -> Finding:
    return finding if finding.check == "server" else finding.of(shard)


def _only(rows: list[Row]) -> object:
    if len(rows) != 1 or len(rows[0]) != 1:
        raise DeployctlError(f"schemaVersion gives {len(rows)} rows; expected one value")
    return rows[0][0]


def _versions(found: dict[str, tuple[Finding, ...]]) -> Iterator[Finding]:
    """Compare the schema versions; the shard that differs from most is named."""
    told = {shard: one.text for shard, each in found.items() for one in each if one.check == VERSION}
    if not told:
        return
    usual = max(told.values(), key=list(told.values()).count)
    odd = [f"{shard} has {version}" for shard, version in told.items() if version != usual]
    yield judged(VERSION, "; ".join(odd) or usual, fine=not odd, expected=f"{usual} as on the others")
