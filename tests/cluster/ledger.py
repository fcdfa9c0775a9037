"""A real PostgreSQL inside the bed's network, the books in it, and players whose every answer is held against them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.network import ADDRESS, inside
from tests.cluster.platform import EXAMPLE
from tests.servers.postgres import Postgres, primary
from tests.servers.running import scratch

HOSTS = f"host ledger wallet {ADDRESS}/8 trust\n"
PLAY = (sys.executable, "-m", "tests.cluster.players")


@dataclass
class Ledger:
    """The books, in the bed's network."""

    server: Postgres

    @property
    def where(self) -> str:
        """Tell a pod where it is."""
        return f"host={ADDRESS} port={self.server.port} dbname=ledger user=wallet"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with inside(), self.server.connect("ledger") as connection:
            return connection.execute(query.encode()).fetchall()

    def empty(self) -> None:
        with inside():
            self.server.do("TRUNCATE accounts, rounds, entries", database="ledger")


@contextmanager
def ledger() -> Iterator[Ledger]:
    """Give the books in a PostgreSQL that listens inside the bed's network only."""
    listens = {"listen_addresses": f"127.0.0.1,{ADDRESS}", "max_connections": "100"}
    with ExitStack() as stack:
        with inside():
            at = stack.enter_context(scratch("ledger"))
            server = stack.enter_context(primary(at, hosts=HOSTS, **listens))
            server.do("CREATE USER wallet", "CREATE DATABASE ledger OWNER wallet")
            server.do("SET ROLE wallet", (EXAMPLE / "ledger.sql").read_text(), database="ledger")
        yield Ledger(server)


@dataclass
class Played:
    """What the players were answered, beside what the books say; empty where they agree."""

    books: Ledger
    players: dict[str, Any] = field(default_factory=dict)

    def sum(self, key: str) -> int:
        """Add up a number, or the lengths of what is listed, over all players."""
        found = (one[key] for one in self.players.values())
        return sum(one if isinstance(one, int) else len(one) for one in found)

    @property
    def answered(self) -> dict[str, int]:
        return {name: cents for one in self.players.values() for name, cents in one["answered"].items()}

    @property
    def revisions(self) -> Counter[str]:
        return sum((Counter(one["by_revision"]) for one in self.players.values()), Counter())

    def differences(self) -> dict[str, Any]:
        """Name what the players say and the books do not, and the other way round."""
        booked = Counter(dict.fromkeys(self.answered, 0))
        booked.update(one for (one,) in self.books.rows("SELECT transaction FROM entries"))
        money = dict(self.books.rows("SELECT player, cents FROM accounts"))
        meant = {name: sum(one["answered"].values()) for name, one in self.players.items()}
        closed = {name for (name,) in self.books.rows("SELECT name FROM rounds WHERE closed_by IS NOT NULL")}
        opened = {name for (name,) in self.books.rows("SELECT name FROM rounds")}
        ended = {name for one in self.players.values() for name in one["rounds"]}
        found = {
            "lost": [name for name, times in booked.items() if not times],
            "booked twice": [name for name, times in booked.items() if times > 1],
            "booked and never answered": sorted(set(booked) - set(self.answered)),
            "money": {
                name: (money.get(name), cents) for name, cents in meant.items() if money.get(name) != cents
            },
            "rounds cut": sorted((opened - closed) | (opened ^ ended)),
            "wrong": [line for one in self.players.values() for line in one["wrong"]],
        }
        return {name: what for name, what in found.items() if what}

    def counted(self) -> dict[str, int]:
        """Count what is told of it in docs/reliability.md."""
        found = self.differences()
        return {
            "told": self.sum("told"),
            "transactions": len(self.answered),
            "rounds": self.sum("rounds"),
            "unanswered": self.sum("lost"),
            "lost": len(found.get("lost", ())),
            "twice": len(found.get("booked twice", ())),
            "cut": len(found.get("rounds cut", ())),
            "sums": len(found.get("money", ())),
        }

    def __str__(self) -> str:
        return (
            f"{self.sum('told')} told, {len(self.answered)} transactions, {self.sum('rounds')} rounds, "
            f"{self.sum('stale')} told again on a kept connection that had closed, {self.sum('lost')} without an answer; by {dict(sorted(self.revisions.items()))}"
        )


@contextmanager
def players(cluster: Cluster, books: Ledger, url: str, count: int = 8) -> Iterator[Played]:
    """Let players play at an address of the bed, and take what they were told when they have ended their rounds."""
    played = Played(books)
    process = cluster.popen([*PLAY, url, str(count)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        time.sleep(2)
        yield played
        time.sleep(1)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            told, problem = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            told, problem = process.communicate()
    assert process.returncode == 0, problem
    played.players = json.loads(told)
