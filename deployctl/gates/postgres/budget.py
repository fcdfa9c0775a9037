"""Connections: what both revisions may open at the most, against what the server has left for them.

A blue-green release doubles the pods, and with them the pools; slots that run out stop the old revision, too.
Through PgBouncer the server sees PgBouncer's pools, and the pods must fit into what PgBouncer takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployctl.errors import DeployctlError
from deployctl.gates.deadline import Deadline
from deployctl.gates.findings import Finding, failed, judged
from deployctl.gates.peers import Connections, Login
from deployctl.gates.postgres.options import BOUNCER_PORT, PgBouncer
from deployctl.gates.postgres.session import Session, connect

SLOTS = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0),
       count(*) FILTER (WHERE usename <> $1),
       count(*) FILTER (WHERE usename <> $1 AND datname = current_database()),
       count(*) FILTER (WHERE usename = $1)
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""
LIMITS = """
SELECT (SELECT rolconnlimit FROM pg_roles WHERE rolname = $1),
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database())"""
CONSOLE = "pgbouncer"  # the name of PgBouncer's own database


@dataclass(frozen=True, slots=True)
class Bounced:
    """What a PgBouncer shows: who waits, what it may open, and what it takes."""

    waiting: int
    longest_seconds: float
    opens: int  # connections to servers, of all its pools together
    takes: int  # clients at once


def connections(asks: Session, wanted: Connections, bounced: Bounced | None) -> Iterator[Finding]:
    """Hold what may be opened against the server's slots, and the limits of the app's role and its database."""
    usable, others, here, own = asks.row(SLOTS, wanted.user)
    pods = wanted.pool * wanted.pods
    need = bounced.opens if bounced else pods
    of = f"PgBouncer's pools of {need}" if bounced else f"{wanted.pods} pods x {wanted.pool}"
    room = int(wanted.share * usable)
    expected = f"at most {room} ({wanted.share:g} of {usable} slots; {wanted.user} holds {own} now)"
    text = f"{of} + {others} others = {need + others} connections"
    yield judged("connections", text, fine=need + others <= room, expected=expected)
    if bounced:
        taken = f"{pods} connections of {wanted.pods} pods to PgBouncer"
        yield judged("connections", taken, fine=pods <= bounced.takes, expected=f"at most {bounced.takes}")
    yield from _limits(asks, wanted.user, need, here)


def _limits(asks: Session, user: str, need: int, here: int) -> Iterator[Finding]:
    role, database = asks.row(LIMITS, user)
    if role is None:
        yield failed("connections", f"there is no role {user}, expected the one that the app logs in as")
    elif 0 <= role < need:
        yield failed("connections", f"role {user} may open {role}, expected at least {need}")
    if 0 <= database < need + here:
        yield failed("connections", f"the database takes {database}, expected at least {need + here}")


def waiting(asked: PgBouncer, bounced: Bounced) -> Finding:
    """Tell whether clients of PgBouncer wait for a connection, and for how long."""
    text = f"{bounced.waiting} clients wait for PgBouncer, the longest for {bounced.longest_seconds:.1f}s"
    fine = bounced.waiting <= asked.waiting and bounced.longest_seconds <= asked.max_wait_seconds
    return judged(
        "pgbouncer", text, fine=fine, expected=f"at most {asked.waiting} and {asked.max_wait_seconds:g}s"
    )


def bounced(asked: PgBouncer, login: Login, deadline: Deadline) -> Bounced:
    """Ask the admin console of a PgBouncer, which knows no prepared statements."""
    import psycopg

    port = asked.port or BOUNCER_PORT
    called = asked.name or f"PgBouncer {asked.host}:{port}"
    connection = connect(called, (asked.host, port, CONSOLE), login, deadline)
    try:
        show = {what: _show(connection, what) for what in ("POOLS", "DATABASES", "CONFIG")}
    except psycopg.Error as error:
        raise DeployctlError(f"{called}: {login.password.scrub(str(error)).strip()}") from None
    finally:
        connection.close()
    return _read(show["POOLS"], show["DATABASES"], show["CONFIG"])


def _show(connection: Any, what: str) -> list[dict[str, Any]]:
    import psycopg
    from psycopg.rows import dict_row

    with psycopg.ClientCursor(connection, row_factory=dict_row) as cursor:
        found: list[dict[str, Any]] = cursor.execute(f"SHOW {what}").fetchall()
    return found


def _read(
    pools: list[dict[str, Any]], databases: list[dict[str, Any]], config: list[dict[str, Any]]
) -> Bounced:
    """Sum it up. A database has a pool for each user that came, and one for who comes first."""
    clients = [one for one in pools if one["database"] != CONSOLE]
    users = {one["name"]: sum(pool["database"] == one["name"] for pool in clients) for one in databases}
    own = [one for one in databases if one["name"] != CONSOLE]
    longest = (int(one["maxwait"]) + int(one.get("maxwait_us", 0)) / 1e6 for one in clients)
    opens = sum(
        (int(one["pool_size"]) + int(one["reserve_pool"])) * max(1, users[one["name"]]) for one in own
    )
    takes = next(int(one["value"]) for one in config if one["key"] == "max_client_conn")
    return Bounced(sum(int(one["cl_waiting"]) for one in clients), max(longest, default=0.0), opens, takes)
