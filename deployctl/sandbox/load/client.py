"""Sends requests at a fixed rate, however slow the answers are, and counts each one that fails.

Open loop: request i is due at start + i/rate. A late answer delays no other request, and latency counts from
the moment a request was due, so that an outage shows in full.

    python -m deployctl.sandbox.load --url http://127.0.0.1:8080/balances/{player} --rate 150 --seconds 60 --out FILE

Only a 2xx is an answer; everything else is a failure with its kind. A connection of the pool that turns out
closed before any byte of the answer came is what HTTP clients meet every day: a GET on it goes once more on a
new connection (RFC 9110, 9.2.2) and counts as a stale retry, not as a failure.

Beside it: rounds over WebSocket (rounds.py), prices over gRPC (streams.py).
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import os
import resource
import secrets
import signal
import socket
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 5.0
POOL_SIZE = 16
PLAYERS = 100
LOOK_SECONDS = 0.1
ENOUGH_FILES = 10_240  # more is refused by macOS
CHUNK_BYTES = 64 * 1024
POSTED: dict[str, dict[str, Any]] = {"bets": {"stake": 1}, "payments": {"kind": "deposit", "cents": 100}}


class ClosedEarlyError(ConnectionError):
    """The peer closed before the answer was whole."""


class StatusError(Exception):
    """An answer came, and it is not a 2xx."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: a GET asks for `path`, a POST places a bet or pays."""

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Target:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"{url}: expected http://ADDRESS[:PORT]/PATH")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname, parts.port or 80, path)

    def get(self, number: int, *, keepalive: bool) -> bytes:
        path = self.path.replace("{player}", f"p{number % PLAYERS}")
        return self._head("GET", path, keepalive=keepalive) + b"\r\n"

    def post(self, what: str, number: int, run: str) -> bytes:
        who = {"player": f"p{number % PLAYERS}", "transaction": f"{run}-{number}"}
        body = json.dumps({**who, **POSTED[what]}).encode()
        head = self._head("POST", f"/{what}", keepalive=False)
        return head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def _head(self, method: str, path: str, *, keepalive: bool) -> bytes:
        connection = "keep-alive" if keepalive else "close"
        return f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: {connection}\r\n".encode()


def refusal(host: str, *, in_namespace: bool, has_own_network: bool) -> str | None:
    """Say why no load may go to `host`: only to this machine, or to a cluster in a network of its own."""
    try:
        address = ip_address(host)
    except ValueError:
        return f"{host}: expected an IP address, not a name"
    if address.is_loopback:
        return None
    if not in_namespace:
        return f"{host}: not a loopback address; --in-namespace allows private ones"
    if not has_own_network:
        return "--in-namespace: this process shares the network of the machine"
    if not address.is_private or address.is_link_local or address.is_unspecified:
        return f"{host}: not a private address"
    return None


def has_own_network() -> bool:
    """Whether the network namespace is another than that of process 1, or of the parent where 1 hides its own."""
    own = network("self")
    return own != (network("1") or network(str(os.getppid())) or own)


def network(process: str) -> Path | None:
    """Name the network namespace of a process; None where that may not be read."""
    try:
        return Path("/proc", process, "ns", "net").readlink()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a whole answer."""

    status: int
    headers: dict[str, str]

    @property
    def revision(self) -> str:
        return self.headers.get("x-revision", "")

    @property
    def keepalive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


def parse_head(head: bytes) -> Answer:
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
    return Answer(int(line.split(" ")[1]), headers)


class Connection:
    """One connection, which knows how many bytes of the present answer have come."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loop = asyncio.get_running_loop()
        self.is_reused = False
        self.inbox = b""

    async def open(self, target: Target) -> None:
        await self.loop.sock_connect(self.sock, (target.host, target.port))

    async def exchange(self, request: bytes) -> Answer:
        """Send one request and read its answer whole."""
        self.inbox = b""
        await self.loop.sock_sendall(self.sock, request)
        while b"\r\n\r\n" not in self.inbox:
            await self._receive()
        head, _, body = self.inbox.partition(b"\r\n\r\n")
        answer = parse_head(head)
        end_bytes = len(self.inbox) - len(body) + int(answer.headers["content-length"])
        while len(self.inbox) < end_bytes:
            await self._receive()
        return answer

    async def _receive(self) -> None:
        chunk = await self.loop.sock_recv(self.sock, CHUNK_BYTES)
        if not chunk:
            raise ClosedEarlyError("closed early")
        self.inbox += chunk

    def is_quiet(self) -> bool:
        """Whether an idle connection is still open with nothing to read."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        self.sock.close()


class Pool:
    """Up to POOL_SIZE open connections in turn, more while all are busy, as HTTP clients do."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.idle: deque[Connection] = deque()
        self.open = 0
        self.opened = 0

    async def take(self) -> Connection:
        while self.idle and self.open >= POOL_SIZE:
            connection = self.idle.popleft()
            if connection.is_quiet():
                connection.is_reused = True
                return connection
            self.drop(connection)
        return await self.fresh()

    async def fresh(self) -> Connection:
        connection = Connection()
        self.open += 1
        self.opened += 1
        is_open = False
        try:
            await connection.open(self.target)
            is_open = True
        finally:
            if not is_open:
                self.drop(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        if self.open > POOL_SIZE:
            self.drop(connection)
        else:
            self.idle.append(connection)

    def close(self) -> None:
        while self.idle:
            self.drop(self.idle.popleft())

    def drop(self, connection: Connection) -> None:
        self.open -= 1
        connection.close()


@dataclass(slots=True)
class Answers:
    """What one revision answered, and when: seconds since the start, and on the wall clock."""

    count: int = 0
    first_seconds: float = 0.0
    last_seconds: float = 0.0
    first_at: float = 0.0
    last_at: float = 0.0
    pods: dict[str, int] = field(default_factory=dict)


class Tally:
    """Every request once: answered or failed."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.started_at = time.time()
        self.failures: list[dict[str, Any]] = []
        self.revisions: dict[str, Answers] = {}
        self.statuses: Counter[str] = Counter()
        self.by_tenth: dict[str, list[int]] = {}
        self.latencies_seconds: list[float] = []
        self.stale_retries = 0
        self.late_seconds = 0.0

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def answered(self, method: str, answer: Answer, due_seconds: float) -> None:
        now = self.seconds()
        self.latencies_seconds.append(now - due_seconds)
        self.statuses[str(answer.status)] += 1
        seen = self.revisions.setdefault(answer.revision, Answers(0, now, now, self.started_at + now))
        seen.count += 1
        seen.last_seconds, seen.last_at = now, self.started_at + now
        self._count_tenth(answer.revision, int(10 * now))
        pod = answer.headers.get("x-pod", "")
        seen.pods[pod] = seen.pods.get(pod, 0) + 1
        if not 200 <= answer.status < 300:
            self.failed(method, StatusError(f"{answer.status} from {answer.revision or 'no revision'}"))

    def _count_tenth(self, revision: str, tenth: int) -> None:
        counts = self.by_tenth.setdefault(revision, [])
        counts.extend([0] * (tenth + 1 - len(counts)))
        counts[tenth] += 1

    def failed(self, method: str, problem: Exception) -> None:
        now = self.seconds()
        where = {"seconds": round(now, 3), "at": round(self.started_at + now, 3)}
        self.failures.append({"kind": kind(problem), **where, "method": method, "detail": str(problem)})

    def document(self, requests: int) -> dict[str, Any]:
        return {
            "started_at": self.started_at,
            "seconds": round(self.seconds(), 3),
            "requests": requests,
            "failed": len(self.failures),
            "failures": self.failures,
            "statuses": self.statuses,
            "revisions": {name: asdict(seen) for name, seen in self.revisions.items()},
            "by_tenth": self.by_tenth,
            "stale_retries": self.stale_retries,
            "latency_ms": percentiles_ms(self.latencies_seconds),
            "took_ms": Counter(f"{1000 * one:.2g}" for one in self.latencies_seconds),
            "late_ms": round(self.late_seconds * 1000, 1),
            "cpu_seconds": round(time.process_time(), 3),
        }


def percentiles_ms(spans_seconds: list[float]) -> dict[str, float]:
    """p50, p99 and the maximum, from the moment a request was due; {} without an answer."""
    ordered = sorted(spans_seconds)
    last = len(ordered) - 1
    places = {"p50": last // 2, "p99": last * 99 // 100, "max": last}
    return {name: round(ordered[place] * 1000, 2) for name, place in places.items() if ordered}


def kind(problem: Exception) -> str:
    match problem:
        case ConnectionRefusedError():
            return "refused"
        case ClosedEarlyError():
            return "closed early"
        case ConnectionError():
            return "reset"
        case TimeoutError():
            return "timeout"
        case StatusError():
            return "status"
        case OSError():
            return f"network {errno.errorcode.get(problem.errno or 0, '')}".strip()
        case _:
            return "malformed"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, how fast and until when."""

    target: Target
    rate: float
    seconds: float
    keepalive: bool
    post_share: float
    until: Path | None
    post: str = "bets"

    def is_post(self, number: int) -> bool:
        """Spread the bets evenly: at 0.1 requests 9, 19, 29 and so on."""
        return int((number + 1) * self.post_share + 1e-9) > int(number * self.post_share + 1e-9)


class Client:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.pool = Pool(plan.target)
        self.tally = Tally()
        self.run_id = secrets.token_hex(4)
        self.is_stopping = False
        self.tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        self.is_stopping = True

    async def run(self) -> dict[str, Any]:
        """Send until the plan ends or someone stops it, wait for the last answers, and give the document."""
        number = 0
        while await self._comes_due(number):
            task = asyncio.create_task(self._request(number))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            number += 1
        await asyncio.gather(*self.tasks)
        self.pool.close()
        return {**self.tally.document(number), "connections_opened": self.pool.opened}

    async def _comes_due(self, number: int) -> bool:
        """Wait for the moment of this request; False where the run is over before."""
        due_seconds = number / self.plan.rate
        while not self._is_over(due_seconds):
            wait_seconds = due_seconds - self.tally.seconds()
            if wait_seconds <= 0:
                self.tally.late_seconds = max(self.tally.late_seconds, -wait_seconds)
                return True
            await asyncio.sleep(min(wait_seconds, LOOK_SECONDS))
        return False

    def _is_over(self, due_seconds: float) -> bool:
        return (
            self.is_stopping
            or due_seconds >= self.plan.seconds
            or (self.plan.until is not None and self.plan.until.exists())
        )

    async def _request(self, number: int) -> None:
        method = "POST" if self.plan.is_post(number) else "GET"
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await (self._get(number) if method == "GET" else self._post(number))
        except (OSError, ValueError, LookupError) as problem:
            self.tally.failed(method, problem)
        else:
            self.tally.answered(method, answer, number / self.plan.rate)

    async def _post(self, number: int) -> Answer:
        return await self._exchange(
            await self.pool.fresh(), self.plan.target.post(self.plan.post, number, self.run_id)
        )

    async def _get(self, number: int) -> Answer:
        request = self.plan.target.get(number, keepalive=self.plan.keepalive)
        connection = await (self.pool.take() if self.plan.keepalive else self.pool.fresh())
        try:
            return await self._exchange(connection, request)
        except ConnectionError:
            if not connection.is_reused or connection.inbox:
                raise
        self.tally.stale_retries += 1
        return await self._exchange(await self.pool.fresh(), request)

    async def _exchange(self, connection: Connection, request: bytes) -> Answer:
        answer = None
        try:
            answer = await connection.exchange(request)
        finally:
            if answer and answer.keepalive and self.plan.keepalive:
                self.pool.give_back(connection)
            else:
                self.pool.drop(connection)
        return answer


def allow_many_connections() -> None:
    """Let a slow server hold 5 s of requests open, each with a connection."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = ENOUGH_FILES if most == resource.RLIM_INFINITY else min(most, ENOUGH_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deployctl.sandbox.load", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--url", type=Target.parse, required=True, dest="target", help="{player} is p0 to p99"
    )
    parser.add_argument("--rate", type=float, default=150.0, help="requests a second (150)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--until", type=Path, help="stop when this file appears")
    parser.add_argument("--keepalive", choices=["on", "off"], default="off", help="pool connections (off)")
    parser.add_argument("--post-share", type=float, default=0.0, help="share of POST requests (0)")
    parser.add_argument("--post", choices=list(POSTED), default="bets", help="what they do (bets)")
    parser.add_argument(
        "--in-namespace", action="store_true", help="allow private addresses, in a network of its own"
    )
    parser.add_argument("--out", type=Path, required=True, help="where the JSON document goes")
    return parser


async def run(plan: Plan) -> dict[str, Any]:
    client = Client(plan)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, client.stop)
    print(
        f"sending {plan.rate:g} requests/s to {plan.target.host}:{plan.target.port}",
        file=sys.stderr,
        flush=True,
    )
    return await client.run()


def write(document: dict[str, Any], out: Path) -> None:
    """Write the document so that it is there whole or not at all."""
    partial = out.with_name(f"{out.name}.{os.getpid()}")
    partial.write_text(json.dumps(document, indent=1) + "\n")
    partial.replace(out)


def main() -> int:
    args = parser().parse_args()
    problem = refusal(args.target.host, in_namespace=args.in_namespace, has_own_network=has_own_network())
    if problem:
        print(problem, file=sys.stderr)
        return 2
    allow_many_connections()
    keepalive = args.keepalive == "on"
    plan = Plan(args.target, args.rate, args.seconds, keepalive, args.post_share, args.until, args.post)
    document = asyncio.run(run(plan))
    write(document, args.out)
    print(f"{document['requests']} requests, {document['failed']} failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
