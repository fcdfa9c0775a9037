"""Players of the example platform whose money is counted: `python -m tests.cluster.players URL COUNT`, until SIGTERM.

Each opens a round, bets in it a few times, deposits, and closes it, over and over. What has no answer is told again with the
same transaction, as a wallet has to: a kept connection may close in the moment it is used, and whoever uses it cannot
know whether that was before or after the booking. Every fifth is told again although it was answered, on a new connection, which is
likely to reach another pod. Writes what was answered to standard output as one JSON document; nothing but the
standard library, for it shares two cores with what it asks.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

STAKE, DEPOSIT, BETS, TWICE = 10, 100, 3, 5
TRIES, TIMEOUT_SECONDS, PAUSE_SECONDS = 20, 5.0, 0.02


class Player:
    """One player, who does one thing after the other; the odd ones keep their connection."""

    def __init__(self, number: int, where: tuple[str, int], over: threading.Event) -> None:
        self.name, self.where, self.over = f"player-{number}", where, over
        self.keeps, self.connection = bool(number % 2), self.fresh(where)
        self.told = self.stale = self.begun = 0
        self.answered: dict[str, int] = {}
        self.rounds: list[str] = []
        self.wrong: list[str] = []
        self.lost: list[str] = []
        self.by_revision: dict[str, int] = {}

    @staticmethod
    def fresh(where: tuple[str, int]) -> HTTPConnection:
        return HTTPConnection(*where, timeout=TIMEOUT_SECONDS)

    def play(self) -> None:
        while not self.over.is_set():
            self.round()

    def round(self) -> None:
        """Play one round to its end; one that was opened is closed even where time is over."""
        self.begun += 1
        name = f"{self.name}-round-{self.begun}"
        self.ask("/rounds", {"round": name})
        for _ in range(BETS):
            self.books("/bets", -STAKE, {"stake": STAKE, "round": name})
        self.books("/bookings", DEPOSIT, {"cents": DEPOSIT})
        status, closed = self.ask(f"/rounds/{name}/close", {})
        if (status, closed.get("state")) == (200, "closed"):
            self.rounds.append(name)
        else:
            self.wrong.append(f"closing {name}: {status} {closed}")

    def books(self, path: str, cents: int, fields: dict[str, Any]) -> None:
        transaction = f"{self.name}-{len(self.answered)}"
        whole = {"transaction": transaction, "player": self.name, **fields}
        status, _ = self.ask(path, whole)
        if status not in {200, 201}:
            self.wrong.append(f"{transaction}: {status}")
        if len(self.answered) % TWICE == 0:
            self.again(path, whole)
        self.answered[transaction] = cents

    def again(self, path: str, whole: dict[str, Any]) -> None:
        """Tell it again on another connection; it is not to be booked again."""
        kept, self.connection = self.connection, self.fresh(self.where)
        status, _ = self.ask(path, whole)
        self.connection.close()
        self.connection = kept
        if status != 200:
            self.wrong.append(f"{whole['transaction']} told twice: {status}")

    def ask(self, path: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask until there is an answer that is not the server's fault; each time there was none is written down."""
        for tries in range(TRIES):
            try:
                return self.exchange(path, fields)
            except (OSError, HTTPException, ValueError) as problem:
                self.connection.close()
                self.connection = self.fresh(self.where)
                if isinstance(problem, ConnectionError) and self.keeps and tries == 0:
                    self.stale += 1
                    continue
                self.lost.append(f"{time.time():.3f} {path}: {problem!r}")
                time.sleep(PAUSE_SECONDS * 2**tries)
        raise SystemExit(f"{self.name}: {path} had no answer in {TRIES} tries: {self.lost[-1]}")

    def exchange(self, path: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.told += 1
        head = {"Content-Type": "application/json", "Connection": "keep-alive" if self.keeps else "close"}
        self.connection.request("POST", path, json.dumps(fields), head)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= 500:
            raise ValueError(f"{response.status} {answer}")
        revision = str(answer.get("revision"))
        self.by_revision[revision] = self.by_revision.get(revision, 0) + 1
        time.sleep(PAUSE_SECONDS)
        return response.status, answer


def main(url: str, count: int) -> None:
    over, split = threading.Event(), urlsplit(url)
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    players = [Player(n, (str(split.hostname), split.port or 80), over) for n in range(count)]
    threads = [threading.Thread(target=one.play) for one in players]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # a signal is heard between two waits
            thread.join(0.1)
    keys = ("told", "stale", "answered", "rounds", "wrong", "lost", "by_revision")
    json.dump({one.name: {key: getattr(one, key) for key in keys} for one in players}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
