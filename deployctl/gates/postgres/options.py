"""The options of the postgres gate that are mappings of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from deployctl.gates.credential import Credential
from deployctl.gates.peers import Peer, Port, Positive, Word

PORT, BOUNCER_PORT = 5432, 6432
Sql = Annotated[str, Meta(min_length=1, max_length=20000, extra={"expected": "one SQL query"})]


@dataclass(frozen=True)
class Shard(Peer):
    """One shard: its primary, and its replicas.

    host: of its primary
    port: 5432 unless it is given
    name: how the gate calls it; host and port unless it is given
    database: the gate's own unless it is given
    replicas: replicas of it that are asked themselves
    """

    database: Word | None = None
    replicas: tuple[Peer, ...] = ()


@dataclass(frozen=True)
class PgBouncer:
    """The admin console of a PgBouncer before the server; its user must be one of `stats_users`.

    host: of PgBouncer
    port: 6432 unless it is given
    name: how the gate calls it
    user: asked as this user; the gate's own unless it is given
    password: of that user; the gate's own unless it is given
    maxWait: the longest that a client may have waited for a connection
    waiting: how many clients may wait for one
    """

    host: Word
    port: Port | None = None
    name: Word | None = None
    user: Word | None = None
    password: Credential | None = None
    max_wait_seconds: float = 1.0
    waiting: Annotated[int, Meta(ge=0)] = 0


@dataclass(frozen=True)
class Plan:
    """A query that must stay cheap; it is planned, and never run.

    name: how the gate calls it
    query: one statement, with $1, $2 for its values
    values: of its parameters, as text
    cost: its total cost as it was recorded; not compared unless it is given
    ratio: how many times the recorded cost it may cost
    rows: a table with more rows than this may not be read whole
    scans: tables that may be read whole, however many rows they have
    """

    name: Word
    query: Sql
    values: tuple[str, ...] = ()
    cost: Annotated[float, Meta(ge=0)] | None = None
    ratio: Annotated[float, Meta(ge=1)] = 3.0
    rows: Positive = 10000
    scans: tuple[Word, ...] = ()
