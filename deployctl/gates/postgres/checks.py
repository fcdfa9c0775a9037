"""What is asked of one PostgreSQL server, check by check: the query, what it means, what was expected.

Each was tried on a server in trouble: a stopped replica has no row at all, `replay_lag` stands still while replay is
paused and nothing is written, and a role that may not see other sessions sees none that waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deployctl.gates.findings import Finding, failed, judged, passed, shown, size_bytes, unknown
from deployctl.gates.postgres.session import Row, Session

if TYPE_CHECKING:
    from deployctl.gates.postgres import Postgres

RIGHTS = "SELECT pg_has_role('pg_read_all_stats', 'USAGE')"
WAL = "SELECT pg_current_wal_lsn()::text, (SELECT system_identifier::text FROM pg_control_system())"
STANDBYS = """
SELECT coalesce(nullif(application_name, ''), client_addr::text, pid::text), state,
       coalesce(extract(epoch FROM replay_lag), 0)::float8,
       pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8
FROM pg_stat_replication ORDER BY 1"""
REPLICA = """
SELECT (SELECT system_identifier::text FROM pg_control_system()),
       coalesce((SELECT status FROM pg_stat_wal_receiver), 'disconnected'),
       pg_is_wal_replay_paused(),
       CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8,
       pg_wal_lsn_diff(goal.lsn, pg_last_wal_replay_lsn())::float8, goal.lsn::text
FROM (SELECT coalesce($1::text::pg_lsn, pg_last_wal_receive_lsn()) AS lsn) goal"""
REACHED = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"
SECOND_LOOK_SECONDS = 0.2
TRANSACTIONS = """
SELECT pid, usename, application_name, state, extract(epoch FROM clock_timestamp() - xact_start)::float8,
       extract(epoch FROM clock_timestamp() - state_change)::float8
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY xact_start"""
BLOCKED = """
SELECT pid, pg_blocking_pids(pid), coalesce(nullif(application_name, ''), usename),
       extract(epoch FROM clock_timestamp() - query_start)::float8
FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0 ORDER BY query_start"""
PREPARED = """
SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts ORDER BY prepared"""
INDEXES = """
SELECT c.oid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE (NOT i.indisvalid OR NOT i.indisready) AND c.relkind = 'i'
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) ORDER BY 1"""
BUILDS = "SELECT coalesce(relid::regclass::text, '?'), phase FROM pg_stat_progress_create_index ORDER BY 1"
CONSTRAINTS = """
SELECT conrelid::regclass::text || '.' || conname FROM pg_constraint WHERE NOT convalidated ORDER BY 1"""
SLOTS = """
SELECT slot_name, active, coalesce(wal_status, 'unknown'), pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8
FROM pg_replication_slots WHERE NOT temporary ORDER BY 1"""
AGE = "SELECT datname, age(datfrozenxid) FROM pg_database ORDER BY 2 DESC LIMIT 1"
XID_WARNING = 500_000_000


def rights(asks: Session) -> Iterator[Finding]:
    """Tell where our role sees only its own sessions: then nothing of the others can be told."""
    if not asks.row(RIGHTS)[0]:
        how = f'GRANT pg_monitor TO "{asks.login.user}"'
        yield unknown("rights", f"{asks.login.user} may not see other sessions; {how}")


def target(asks: Session, gate: Postgres, *, recovering: bool) -> Iterator[Finding]:
    """Tell whether this is what the app writes to, or reads from."""
    found = "a replica" if recovering else "a primary"
    if not recovering and gate.role == "primary" and asks.only_reads():
        found = "read-only (default_transaction_read_only is on)"
    yield judged("target", f"it is {found}", fine=found == f"a {gate.role}", expected=f"a {gate.role}")


def standbys(asks: Session, gate: Postgres) -> Iterator[Finding]:
    """Count the replicas that stream, and hold each one's lag in seconds and in bytes against the limits."""
    rows = asks.rows(STANDBYS)
    streaming = [row for row in rows if row[1] == "streaming"]
    others = "".join(f", {name} is in {state}" for name, state, *_ in rows if state != "streaming")
    if gate.standbys is not None:
        text = f"{len(streaming)} of {gate.standbys} replicas are streaming{others}"
        yield judged(
            "standbys", text, fine=len(streaming) >= gate.standbys, expected=f"at least {gate.standbys}"
        )
    for name, _, seconds, behind in streaming:
        yield _lag(f"replica {name}", seconds, behind, gate)


def _lag(name: str, seconds: float | None, behind: float | None, gate: Postgres) -> Finding:
    if behind is None or seconds is None:
        return unknown("lag", f"{name} does not say how far it has replayed")
    text = f"{name} is {seconds:.1f}s and {shown(max(behind, 0))} behind"
    most = size_bytes(gate.lag_size)
    fine = behind <= most and (seconds <= gate.lag_seconds or behind <= 0)
    return judged("lag", text, fine=fine, expected=f"at most {gate.lag_seconds:g}s and {gate.lag_size}")


def replica(asks: Session, gate: Postgres, primary: Row | None) -> Iterator[Finding]:
    """Ask a replica itself: is it of this primary, is it connected, does it replay, and how far behind is it."""
    where, cluster = primary or (None, None)
    own, status, paused, seconds, behind, goal = asks.row(REPLICA, where)
    if cluster is not None and own != cluster:
        yield failed("target", "it is a replica of another server")
        return
    if status is None:
        yield unknown("streaming", "it does not tell whether it streams")
    else:
        yield judged("streaming", f"it is {status}", fine=status == "streaming", expected="streaming")
    if paused:
        yield failed("replay", "its replay is paused")
    elif (behind or 0) > 0 and (seconds is None or seconds > gate.lag_seconds):
        seconds = _second_look(asks, goal, seconds)
    yield _lag("it", seconds, behind, gate)


def _second_look(asks: Session, goal: str, seconds: float | None) -> float | None:
    """Give how far behind it is in time. Its clock is the last transaction it replayed.

    After an hour without one it seems an hour behind for the moment in which it replays the next; and a replica
    that has replayed none since its start cannot tell.
    """
    asks.deadline.pause(SECOND_LOOK_SECONDS)
    return SECOND_LOOK_SECONDS if asks.row(REACHED, goal)[0] else seconds


def transactions(asks: Session, gate: Postgres) -> Iterator[Finding]:
    """Find sessions whose transaction is old: a migration queues behind them, and everybody behind the migration."""
    rows = asks.rows(TRANSACTIONS)
    idle = [row for row in rows if str(row[3]).startswith("idle in") and row[5] > gate.idle_seconds]
    old = [row for row in rows if row[4] > gate.transaction_seconds and row not in idle]
    yield _sessions("idle", "idle in a transaction", idle, 5, gate.idle_seconds)
    yield _sessions("transactions", "in one transaction", old, 4, gate.transaction_seconds)


def _sessions(check: str, what: str, rows: list[Row], age: int, most: float) -> Finding:
    if not rows:
        return passed(check, f"no session {what} for over {most:g}s")
    pid, user, program = rows[0][:3]
    first = f"pid {pid} of {user}{f' ({program})' * bool(program)}: {rows[0][age]:.0f}s"
    return failed(check, f"{len(rows)} {what} for over {most:g}s, {first}, expected none")


def blocked(asks: Session, gate: Postgres) -> Iterator[Finding]:
    """Find sessions that wait for a lock, and who is at the head of the queue."""
    rows = asks.rows(BLOCKED)
    long = [row for row in rows if row[3] > gate.blocked_seconds]
    if not long:
        yield passed("blocked", f"no session waits for a lock for over {gate.blocked_seconds:g}s")
        return
    waiting = {row[0] for row in rows}
    heads = sorted({pid for row in rows for pid in row[1] if pid not in waiting})
    chain = " -> ".join(f"{pid} ({program})" for pid, _, program, _ in rows[:5])
    behind = f"behind pid {', '.join(map(str, heads))}" if heads else "in a ring"
    most = f"{long[0][3]:.1f}s, expected none over {gate.blocked_seconds:g}s"
    yield failed("blocked", f"{len(rows)} wait for locks {behind}: {chain}, the longest for {most}")


def prepared(asks: Session, gate: Postgres) -> Iterator[Finding]:
    """Find prepared transactions that nobody ended: they hold their locks for ever."""
    rows = [row for row in asks.rows(PREPARED) if row[1] > gate.prepared_seconds]
    first = "".join(f", the oldest {gid!r}: {age:.0f}s" for gid, age in rows[:1])
    text = f"{len(rows)} prepared transactions are older than {gate.prepared_seconds:g}s{first}"
    yield judged("prepared", text, fine=not rows, expected="none")


def indexes(asks: Session, gate: Postgres) -> Iterator[Finding]:
    """Find what a failed CREATE INDEX CONCURRENTLY left behind."""
    del gate
    names = [str(row[0]) for row in asks.rows(INDEXES)]
    yield judged("indexes", _listed("invalid indexes", names), fine=not names, expected="none")


def builds(asks: Session, gate: Postgres) -> Iterator[Finding]:
    """Find indexes that are being built just now."""
    del gate
    names = [f"{table} ({phase})" for table, phase in asks.rows(BUILDS)]
    yield judged("builds", _listed("indexes being built", names), fine=not names, expected="none")


def constraints(asks: Session, gate: Postgres) -> Iterator[Finding]:
    """Find constraints that old rows may break; they are told, and refused only where the spec says so."""
    names = [str(row[0]) for row in asks.rows(CONSTRAINTS)]
    fine = not names or gate.unvalidated == "tell"
    yield judged("constraints", _listed("unvalidated constraints", names), fine=fine, expected="none")


def _listed(what: str, names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} {what}" + (f": {', '.join(names[:3])}{more}" if names else "")


def slots(asks: Session, gate: Postgres) -> Iterator[Finding]:
    """Find replication slots that nobody reads, that have lost WAL, or that keep too much of it."""
    rows = [row for row in asks.rows(SLOTS) if row[0] not in gate.idle_slots]
    bad = [why for row in rows if (why := _slot(row, size_bytes(gate.slot_size)))]
    text = "; ".join(bad) or f"{len(rows)} slots are read"
    yield judged("slots", text, fine=not bad, expected=f"active, at most {gate.slot_size} kept")


def _slot(row: Row, most: int) -> str:
    name, active, status, kept = row
    if status not in {"reserved", "extended"}:
        return f"slot {name} is {status}"
    if not active:
        return f"slot {name} is read by nobody and keeps {shown(kept or 0)}"
    return f"slot {name} keeps {shown(kept)}" if (kept or 0) > most else ""


def wraparound(asks: Session, gate: Postgres) -> Iterator[Finding]:
    """Tell the age of the oldest transaction id: the vacuum that must end it blocks migrations."""
    name, age = asks.row(AGE)
    note = ", which is high" if age > XID_WARNING else ""
    text = f"{name} is {age} transactions old{note}"
    yield judged("wraparound", text, fine=age <= gate.xid_age, expected=f"at most {gate.xid_age}")
