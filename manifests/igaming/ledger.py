"""Keeps bets, bookings and rounds in PostgreSQL, where every pod of every revision finds them.

app.py imports it where LEDGER is set; psycopg2 has to be there, and the tables of ledger.sql. Without it a pod keeps
them in its own memory.

    LEDGER=                 where PostgreSQL is: `host=10.0.0.5 dbname=ledger user=wallet`
    LEDGER_CONNECTIONS=2    so many statements at once

What is told twice with the same transaction is done once: the transaction is the key of its row, and the row and the
money move in one transaction of the database. An answer goes out after the commit and never before it.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import local
from typing import NamedTuple

import psycopg2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

Fields = dict[str, object]
Answer = tuple[int, Fields]

ACCOUNT = "INSERT INTO accounts VALUES (%s, 0) ON CONFLICT DO NOTHING"
ENTRY = """
INSERT INTO entries (kind, transaction, player, cents, round, revision, pod) VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING RETURNING transaction"""
MONEY = "UPDATE accounts SET cents = cents + %s WHERE player = %s"
OPEN = "INSERT INTO rounds (name, opened_by) VALUES (%s, %s) ON CONFLICT DO NOTHING"
IS_OPEN = "SELECT closed_by IS NULL FROM rounds WHERE name = %s FOR SHARE"
CLOSE = "UPDATE rounds SET closed_by = coalesce(closed_by, %s) WHERE name = %s RETURNING name"


class Entry(NamedTuple):
    """Cents that a player pays or gets, in a round or not; `kind` is what it is called."""

    kind: str
    transaction: str
    player: str
    cents: int
    round: str | None = None


class Ledger:
    """Answers what app.py would answer from memory; each answer comes from a thread with a connection of its own."""

    def __init__(self, where: str, connections: int, revision: str, pod: str) -> None:
        self.where, self.who = where, (revision, pod)
        self.threads, self.kept = ThreadPoolExecutor(connections), local()

    def bet(self, transaction: str, player: str, stake: int, name: object) -> Future[Answer]:
        """Take a stake once; in a round that is closed or unknown not at all."""
        entry = Entry("bet", transaction, player, -stake, None if name is None else str(name))
        return self.threads.submit(self.answered, self._book, entry)

    def booking(self, transaction: str, player: str, cents: int) -> Future[Answer]:
        """Book cents once."""
        return self.threads.submit(self.answered, self._book, Entry("booking", transaction, player, cents))

    def open_round(self, name: str) -> Future[Answer]:
        return self.threads.submit(self.answered, self._open, name)

    def round(self, name: str) -> Future[Answer]:
        return self.threads.submit(self.answered, self._round, name)

    def close_round(self, name: str) -> Future[Answer]:
        """Close a round, whichever pod has opened it; twice is once."""
        return self.threads.submit(self.answered, self._close, name)

    def answered(self, deed: Callable[..., Answer], *args: object) -> Answer:
        """Do it in one transaction; on a connection that turned out closed, once more on a new one."""
        is_kept = hasattr(self.kept, "connection")
        try:
            return self._committed(deed, *args)
        except psycopg2.Error as problem:
            vars(self.kept).pop("connection", None)
            if is_kept and isinstance(problem, psycopg2.OperationalError | psycopg2.InterfaceError):
                return self.answered(deed, *args)
            return 503, {"error": f"the ledger: {problem}"}

    def _committed(self, deed: Callable[..., Answer], *args: object) -> Answer:
        if not hasattr(self.kept, "connection"):
            self.kept.connection = psycopg2.connect(self.where, connect_timeout=3)
        with self.kept.connection as connection, connection.cursor() as cursor:
            return deed(cursor, *args)

    def _book(self, cursor: psycopg2.extensions.cursor, entry: Entry) -> Answer:
        if refusal := entry.round is not None and self._refusal(cursor, entry):
            return 409, {"error": refusal}
        cursor.execute(ACCOUNT, (entry.player,))
        cursor.execute(ENTRY, (*entry, *self.who))
        name = f"{entry.kind}-{entry.transaction}"
        booked: Fields = {
            entry.kind: name,
            "player": entry.player,
            "cents": entry.cents,
            "round": entry.round,
        }
        if not cursor.fetchone():
            return 200, booked
        cursor.execute(MONEY, (entry.cents, entry.player))
        return 201, booked

    def _refusal(self, cursor: psycopg2.extensions.cursor, entry: Entry) -> str:
        """Say what speaks against a bet that is told for the first time; nothing where its round is open."""
        cursor.execute(IS_OPEN, (entry.round,))
        is_open = cursor.fetchone()
        cursor.execute("SELECT 1 FROM entries WHERE transaction = %s", (entry.transaction,))
        if cursor.fetchone() or (is_open and is_open[0]):
            return ""
        return f"round {entry.round} is {'closed' if is_open else 'unknown'}"

    def _open(self, cursor: psycopg2.extensions.cursor, name: str) -> Answer:
        cursor.execute(OPEN, (name, self.who[1]))
        return 201, {"round": name, "state": "open"}

    def _round(self, cursor: psycopg2.extensions.cursor, name: str) -> Answer:
        cursor.execute("SELECT closed_by IS NULL FROM rounds WHERE name = %s", (name,))
        found = cursor.fetchone()
        if not found:
            return 404, {"error": f"there is no round {name}"}
        return 200, {"round": name, "state": "open" if found[0] else "closed"}

    def _close(self, cursor: psycopg2.extensions.cursor, name: str) -> Answer:
        cursor.execute(CLOSE, (self.who[1], name))
        if not cursor.fetchone():
            return 404, {"error": f"there is no round {name}"}
        return 200, {"round": name, "state": "closed"}
