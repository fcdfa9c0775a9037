"""Takes deposits and withdrawals, and books each on balances over connections that are kept.

app.py imports it where BALANCES_URL is set. Durations are as there:

    BALANCES_URL=             http://HOST[:PORT] of balances
    BALANCES_CONNECTIONS=8    at most so many, each kept for as long as balances keeps it
    BALANCES_TIMEOUT=2s       for one answer of balances

Kept connections stay with the pods that they were opened to: after a release of balances, payments speaks to the
old pods until those close. A kept connection may turn out closed in the very moment it is used. Such a request
goes once more, on a new connection: balances books a transaction once, however often it is told.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from threading import Lock

Fields = dict[str, object]
Answer = tuple[int, Fields]

PAYMENTS_KEPT = 10_000
JSON = {"Content-Type": "application/json"}
KINDS = ("deposit", "withdraw")


class Pool:
    """Connections to one upstream; as many as are in use at once, and none is closed for its age."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        scheme, _, rest = url.partition("://")
        host, _, port = rest.rstrip("/").partition(":")
        if scheme != "http" or not host or not (port or "80").isdecimal():
            raise ValueError(f"BALANCES_URL={url}: expected http://HOST[:PORT]")
        self.host, self.port, self.timeout_seconds = host, int(port or 80), timeout_seconds
        self.idle: deque[HTTPConnection] = deque()
        self.lock = Lock()
        self.opened = self.retries = 0

    def post(self, path: str, fields: Fields) -> Answer:
        """Send once, and once more where a connection that was idle turns out closed."""
        try:
            connection = self.idle.popleft()
        except IndexError:
            return self.exchange(self.fresh(), path, fields)
        try:
            return self.exchange(connection, path, fields)
        except ConnectionError:
            with self.lock:
                self.retries += 1
        return self.exchange(self.fresh(), path, fields)

    def fresh(self) -> HTTPConnection:
        with self.lock:
            self.opened += 1
        return HTTPConnection(self.host, self.port, timeout=self.timeout_seconds)

    def exchange(self, connection: HTTPConnection, path: str, fields: Fields) -> Answer:
        try:
            connection.request("POST", path, json.dumps(fields), JSON)
            response = connection.getresponse()
            answer = response.status, json_object(response.read())
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # http.client closes where the upstream said so
            self.idle.append(connection)
        return answer


def json_object(text: bytes) -> Fields:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("its answer is not a JSON object")  # noqa: TRY004 the upstream's mistake
    return found


class Payments:
    """What was paid; each payment waits for balances in a thread, of which there are as many as connections."""

    def __init__(self, url: str, connections: int, timeout_seconds: float) -> None:
        self.pool = Pool(url, timeout_seconds)
        self.threads = ThreadPoolExecutor(connections)
        self.lock = Lock()
        self.paid: dict[str, Fields] = {}
        self.count_by_answer: Counter[tuple[str, str]] = Counter()

    def pay(self, fields: Fields) -> Answer | Future[Answer]:
        """Give the first answer again for a transaction seen before; ValueError where fields make no sense."""
        kind, player, cents, transaction = (
            fields.get(name) for name in ("kind", "player", "cents", "transaction")
        )
        if kind not in KINDS or not isinstance(player, str) or not isinstance(transaction, str):
            raise ValueError("a payment needs a transaction, a player, and deposit or withdraw as its kind")
        if not isinstance(cents, int) or cents <= 0:
            raise ValueError("a payment needs cents over 0")
        if transaction in self.paid:
            return 200, self.paid[transaction]
        payment: Fields = {"transaction": transaction, "kind": kind, "player": player, "cents": cents}
        return self.threads.submit(self.book, payment)

    def book(self, payment: Fields) -> Answer:
        """Ask balances; 502 with the reason where it does not book."""
        cents = payment["cents"] if payment["kind"] == "deposit" else -int(str(payment["cents"]))
        entry = {"transaction": payment["transaction"], "player": payment["player"], "cents": cents}
        try:
            status, booked = self.pool.post("/bookings", entry)
        except (OSError, HTTPException, ValueError) as problem:
            self.count("", "none")
            return 502, {"error": f"balances: {str(problem) or type(problem).__name__}"}
        self.count(str(booked.get("revision", "")), str(status))
        if status not in {200, 201}:
            return 502, {"error": f"balances answered {status}", "balances": booked}
        return 201, self.remember(
            {"payment": f"payment-{entry['transaction']}", **payment, "balances": booked}
        )

    def count(self, revision: str, code: str) -> None:
        with self.lock:
            self.count_by_answer[revision, code] += 1

    def remember(self, payment: Fields) -> Fields:
        """Keep the newest payments only."""
        with self.lock:
            self.paid[str(payment["transaction"])] = payment
            if len(self.paid) > PAYMENTS_KEPT:
                del self.paid[next(iter(self.paid))]
        return payment

    def metrics(self, who: str) -> list[str]:
        """Tell in Prometheus text which revision of balances answered what."""
        upstream = f'{who},upstream="balances"'
        return [
            "# TYPE upstream_requests_total counter",
            *(
                f'upstream_requests_total{{{upstream},upstream_revision="{revision}",code="{code}"}} {n}'
                for (revision, code), n in list(self.count_by_answer.items())
            ),
            "# TYPE upstream_connections_opened_total counter",
            f"upstream_connections_opened_total{{{upstream}}} {self.pool.opened}",
            "# TYPE upstream_stale_retries_total counter",
            f"upstream_stale_retries_total{{{upstream}}} {self.pool.retries}",
        ]
