"""Serves one role of an example iGaming platform over HTTP: bets, rounds, balances and payments.

One thread, one selector and the standard library, because many pods start at once on few cores:
asyncio takes twice as long to start, and `http.server` costs several times as much for a new connection.
What only some pods need lies beside this file and is imported there: rounds over WebSocket (rounds.py), payments
(payments.py), a ledger in PostgreSQL (ledger.py), events (consuming.py). odds.py serves these pages beside gRPC.

Set by the environment (durations are `3s`, `500ms`, `1m`):

    PORT=8080 HOST=0.0.0.0      where it listens; port 0 takes a free one and names it in the first line
    SERVICE=igaming REVISION=r1 who it says it is, beside HOSTNAME
    READY_AFTER=0s NEVER_READY= /readyz answers 503 until then, or for ever
    FAIL_RATE=0                 that share of domain requests answers 500, evenly: 0.25 is every fourth
    HEALTHZ_STATUS=200          what /healthz answers
    CRASH_AFTER=                exits 1 that long after its start; 0s is at once
    ON_SIGTERM=exit             or `drain`: accepts nothing more, finishes what was asked, and stays until the
                                last WebSocket round has ended; what comes first, that or the pod's grace
    KEEPALIVE_TIMEOUT=75s       closes a connection idle that long, a silent WebSocket too; 0s closes each
                                after its answer
    BALANCES_URL=               takes payments and books them there, see payments.py
    LEDGER=                     keeps bets, bookings and rounds in PostgreSQL, see ledger.py
    EVENTS=                     a folder that it takes events from, see consuming.py
    ROUNDS_LIE=                 /internal/rounds says that none is open
    ROUNDS_COUNT_UP=            ... says one more each time it is asked
    ROUNDS_HANG=                ... never answers
    ROUNDS_MISSING=             ... is 404

Any request may ask to take a while: `?hold_ms=1500`.
"""

import json
import os
import selectors
import signal
import socket
import sys
import time

TYPE_CHECKING = False  # `typing` costs a tenth of the start-up, `__future__` a fiftieth
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from consuming import Consumer
    from ledger import Ledger
    from payments import Payments
    from rounds import Round

BACKLOG = 1024
INBOX_LIMIT_BYTES = 64 * 1024
DRAIN_SECONDS = 5.0
ENTRIES_KEPT = 10_000
LATENCY_BOUNDS_SECONDS = (0.001, 0.01, 0.1, 1.0, 10.0)
NEVER = float("inf")
REASONS = {101: "Switching Protocols", 200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found"}
REASONS |= {409: "Conflict", 426: "Upgrade Required"}
REASONS |= {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}
TERM, ANSWERED = b"t", b"a"  # what rings the server's bell
DOMAIN = {"balances", "bets", "bookings", "payments", "rounds"}
ROUNDS_MOODS = ("LIE", "COUNT_UP", "HANG", "MISSING")

Fields = dict[str, object]


def seconds(text: str) -> float:
    """`500ms`, `3s`, `1m` or a bare number of seconds."""
    for suffix, scale in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * scale
    return float(text)


class Settings:
    """What the environment asks for."""

    def __init__(self, env: dict[str, str]) -> None:
        self.address = (env.get("HOST", "0.0.0.0"), int(env.get("PORT", "8080")))
        self.service = env.get("SERVICE", "igaming")
        self.revision = env.get("REVISION", "r1")
        self.pod = env.get("HOSTNAME") or socket.gethostname()
        self.ready_after_seconds = NEVER if env.get("NEVER_READY") else seconds(env.get("READY_AFTER", "0s"))
        self.fail_rate = float(env.get("FAIL_RATE", "0"))
        self.healthz_status = int(env.get("HEALTHZ_STATUS", "200"))
        self.crash_after_seconds = seconds(env.get("CRASH_AFTER") or "inf")
        self.drains = env.get("ON_SIGTERM", "exit") == "drain"
        self.keepalive_seconds = seconds(env.get("KEEPALIVE_TIMEOUT", "75s"))
        self.rounds_moods = {mood for mood in ROUNDS_MOODS if env.get(f"ROUNDS_{mood}")}
        self.ledger, self.ledger_connections = env.get("LEDGER", ""), int(env.get("LEDGER_CONNECTIONS", "2"))
        self.balances_url = env.get("BALANCES_URL", "")
        self.balances_connections = int(env.get("BALANCES_CONNECTIONS", "8"))
        self.balances_timeout_seconds = seconds(env.get("BALANCES_TIMEOUT", "2s"))


class Request:
    """One request; ValueError if it is malformed."""

    def __init__(self, head: bytes) -> None:
        line, *lines = head.decode("latin-1").split("\r\n")
        self.method, target, version = line.split(" ")
        path, _, query = target.partition("?")
        self.segments = [segment for segment in path.split("/") if segment]
        hold_ms = dict(pair.partition("=")[::2] for pair in query.split("&")).get("hold_ms", "0")
        self.hold_seconds = int(hold_ms) / 1000
        self.headers = {
            name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
        }
        length, coding = self.headers.get("content-length", "0"), self.headers.get("transfer-encoding", "")
        if coding not in ("", "chunked") or not length.isdecimal() or (coding and length != "0"):
            raise ValueError("the body needs a Content-Length, or comes in chunks")
        self.is_chunked, self.body_bytes = bool(coding), int(length)
        wish = self.headers.get("connection", "").lower()
        self.keepalive = wish == "keep-alive" if version == "HTTP/1.0" else wish != "close"
        self.body = b""

    @property
    def is_domain(self) -> bool:
        """Whether a player asks, not the platform: only these fail on demand and are counted."""
        return not self.segments or self.segments[0] in DOMAIN

    def handshake(self) -> tuple[int, Fields]:
        """Answer one who wants to speak WebSocket from here on with 101 (RFC 6455, 4.2.1)."""
        if self.headers.get("upgrade", "").lower() != "websocket":
            return 426, {"error": "this is a WebSocket"}
        if self.headers.get("sec-websocket-version") != "13" or "sec-websocket-key" not in self.headers:
            return 400, {"error": "a WebSocket needs Sec-WebSocket-Version: 13 and a Sec-WebSocket-Key"}
        return 101, {}

    def fields(self) -> Fields:
        """Read the JSON object in the body; {} where there is none."""
        fields = json.loads(self.body or b"{}")
        if not isinstance(fields, dict):
            raise ValueError("the body is not a JSON object")  # noqa: TRY004 a client's mistake, not ours
        return fields


def take_request(inbox: bytearray) -> Request | None:
    """Take the first request out of `inbox`, or None until it is whole."""
    head, blank, rest = bytes(inbox).partition(b"\r\n\r\n")
    request = Request(head) if blank else None
    if request:
        body, used = joined(rest) if request.is_chunked else (rest[: request.body_bytes], request.body_bytes)
        if 0 <= used <= len(rest):
            request.body = body
            inbox[:] = rest[used:]
            return request
    if len(inbox) > INBOX_LIMIT_BYTES:
        raise ValueError("the request is too long")
    return None


def joined(rest: bytes) -> tuple[bytes, int]:
    """Join a body's chunks (RFC 9112, 7.1), and say how many bytes it took: -1 until it is whole.

    `kubectl create --raw` sends one, for it does not know how long what it reads will be.
    """
    body, at = b"", 0
    while (end := rest.find(b"\r\n", at)) >= 0:
        size = int(rest[at:end].partition(b";")[0], 16)
        if size < 0:
            raise ValueError("a chunk has a size")
        chunk, at = rest[end + 2 : end + 2 + size], end + 2 + size + 2
        if at > len(rest):
            break
        if rest[at - 2 : at] != b"\r\n":
            raise ValueError("a chunk is longer than its size; trailers are not taken")
        if not size:
            return body, at
        body += chunk
    return b"", -1


class Platform:
    """The domain: what is asked and what is answered, with no word about connections."""

    def __init__(self, settings: Settings, in_flight: "Callable[[], int]") -> None:
        self.settings, self.in_flight = settings, in_flight
        self.started = time.monotonic()
        self.bets: dict[str, Fields] = {}
        self.bookings: dict[str, Fields] = {}
        self.payments, self.ledger = payments(settings), ledger(settings)
        self.consumer = consumer(settings)
        self.open_rounds: dict[str, float] = {}
        self.closed_rounds: dict[str, Fields] = {}
        self.rounds_opened = self.rounds_asked = self.asked = 0
        self.latency_sum_seconds = 0.0
        self.count_by_status: dict[int, int] = {}
        self.count_by_bound = dict.fromkeys((*LATENCY_BOUNDS_SECONDS, NEVER), 0)

    def answer(self, request: Request) -> "tuple[int, Fields | str] | Future[tuple[int, Fields]] | None":
        """Give the status and the body for a request, or who will have them; None where it is never answered."""
        if request.is_domain and self.fails_now():
            return 500, {"error": "failing as FAIL_RATE asks"}
        try:
            return self.route(request)
        except (ValueError, RecursionError) as problem:
            return 400, {"error": str(problem)}

    def fails_now(self) -> bool:
        """Whether this one is of the failing share: at 0.4, of five requests the third and the fifth."""
        self.asked += 1
        rate = self.settings.fail_rate
        return int(self.asked * rate + 1e-9) > int((self.asked - 1) * rate + 1e-9)

    def route(  # noqa: C901, PLR0912 - one line a path
        self, request: Request
    ) -> "tuple[int, Fields | str] | Future[tuple[int, Fields]] | None":
        match request.method, request.segments:
            case "GET", []:
                return 200, {"service": self.settings.service}
            case "GET", ["balances", player]:
                return 200, {"player": player, "balance": balance(player)}
            case "POST", ["bets"]:
                return self.place_bet(request.fields())
            case "POST", ["bookings"]:
                return self.book(request.fields())
            case "POST", ["payments"] if self.payments:
                return self.payments.pay(request.fields())
            case "POST", ["rounds"]:
                return self.begin_round(request.fields())
            case "GET", ["rounds", "ws"]:
                return request.handshake()
            case "GET", ["rounds", name]:
                return self.ledger.round(name) if self.ledger else self.round(name)
            case "POST", ["rounds", name, "close"]:
                return self.ledger.close_round(name) if self.ledger else self.close_round(name)
            case "GET", ["internal", "rounds"]:
                return self.rounds_page()
            case "GET", ["internal", "consume"] if self.consumer:
                return self.consumer.page()
            case "POST", ["internal", "consume"] if self.consumer:
                return self.consumer.tell(request.fields())
            case "GET", ["healthz"]:
                return self.settings.healthz_status, {}
            case "GET", ["readyz"]:
                return self.readiness(), {}
            case "GET", ["metrics"]:
                return 200, self.metrics()
        return 404, {"error": "no such path or method"}

    def readiness(self) -> int:
        return 200 if time.monotonic() - self.started >= self.settings.ready_after_seconds else 503

    def place_bet(self, fields: Fields) -> "tuple[int, Fields] | Future[tuple[int, Fields]]":
        """Give the first answer again for a transaction seen before; the bet's id is the same in every pod."""
        player, stake, name = fields.get("player"), fields.get("stake"), fields.get("round")
        if not isinstance(player, str) or not isinstance(stake, int | float) or stake <= 0:
            raise ValueError("a bet needs a player and a stake over 0")
        transaction = str(fields.get("transaction") or f"{self.settings.pod}-{self.asked}")
        if self.ledger:
            return self.ledger.bet(transaction, player, int(stake), name)
        if transaction in self.bets:
            return 200, self.bets[transaction]
        if str(name) in self.closed_rounds:
            return 409, {"error": f"round {name} is closed"}
        bet = {"bet": f"bet-{transaction}", "player": player, "stake": stake, "round": name}
        remember(self.bets, transaction, bet)
        return 201, bet

    def book(self, fields: Fields) -> "tuple[int, Fields] | Future[tuple[int, Fields]]":
        """Book a player's cents once for a transaction; the booking's id is the same in every pod."""
        player, cents, transaction = fields.get("player"), fields.get("cents"), fields.get("transaction")
        if not isinstance(player, str) or not isinstance(cents, int) or not isinstance(transaction, str):
            raise ValueError("a booking needs a transaction, a player and cents")  # noqa: TRY004 as above
        if self.ledger:
            return self.ledger.booking(transaction, player, cents)
        if transaction in self.bookings:
            return 200, self.bookings[transaction]
        booking: Fields = {"booking": f"booking-{transaction}", "player": player, "cents": cents}
        remember(self.bookings, transaction, booking)
        return 201, booking

    def rounds_page(self) -> tuple[int, Fields] | None:
        """Tell how many rounds are open and how old the oldest is, unless it is told to be in another mood."""
        moods = self.settings.rounds_moods
        self.rounds_asked += 1
        if "MISSING" in moods:
            return 404, {"error": "no such path, as ROUNDS_MISSING asks"}
        if "HANG" in moods:
            return None
        count, oldest_seconds = len(self.open_rounds), self.oldest_seconds()
        if "LIE" in moods:
            count, oldest_seconds = 0, 0.0
        if "COUNT_UP" in moods:
            count += self.rounds_asked
        return 200, {"open": count, "oldestSeconds": oldest_seconds, "oldest_seconds": oldest_seconds}

    def begin_round(self, fields: Fields) -> "tuple[int, Fields] | Future[tuple[int, Fields]]":
        """Open a round; with a ledger one that any pod can close, once for the name that a player gives it."""
        if self.ledger:
            self.rounds_opened += 1
            return self.ledger.open_round(
                str(fields.get("round") or f"{self.settings.pod}-{self.rounds_opened}")
            )
        return 201, self.open_round()

    def open_round(self) -> Fields:
        self.rounds_opened += 1
        name = f"{self.settings.pod}-{self.rounds_opened}"
        self.open_rounds[name] = time.monotonic()
        return {"round": name, "state": "open"}

    def round(self, name: str) -> tuple[int, Fields]:
        if name in self.open_rounds:
            return 200, {"round": name, "state": "open"}
        if name in self.closed_rounds:
            return 200, self.closed_rounds[name]
        return 404, {"error": f"round {name} is not of this pod"}

    def close_round(self, name: str) -> tuple[int, Fields]:
        """Close a round; twice is once."""
        if self.open_rounds.pop(name, None) is not None:
            remember(self.closed_rounds, name, {"round": name, "state": "closed"})
        return self.round(name)

    def oldest_seconds(self) -> float:
        now = time.monotonic()
        return round(now - min(self.open_rounds.values(), default=now), 3)

    def count(self, status: int, took_seconds: float) -> None:
        self.count_by_status[status] = self.count_by_status.get(status, 0) + 1
        self.latency_sum_seconds += took_seconds
        for bound in self.count_by_bound:
            self.count_by_bound[bound] += took_seconds <= bound

    def metrics(self) -> str:
        """Prometheus text; of domain requests only, so that probes do not dilute an error rate."""
        who = f'service="{self.settings.service}",revision="{self.settings.revision}"'
        latency = "request_duration_seconds"
        return "\n".join(
            (
                "# TYPE requests_total counter",
                *(f'requests_total{{{who},code="{code}"}} {n}' for code, n in self.count_by_status.items()),
                "# TYPE open_rounds gauge",
                f"open_rounds{{{who}}} {len(self.open_rounds)}",
                "# TYPE requests_in_flight gauge",
                f"requests_in_flight{{{who}}} {self.in_flight()}",
                f"# TYPE {latency} histogram",
                *(
                    f'{latency}_bucket{{{who},le="{str(b).replace("inf", "+Inf")}"}} {n}'
                    for b, n in self.count_by_bound.items()
                ),
                f"{latency}_sum{{{who}}} {self.latency_sum_seconds:.6f}",
                f"{latency}_count{{{who}}} {self.count_by_bound[NEVER]}",
                *(self.payments.metrics(who) if self.payments else ()),
                "",
            )
        )


def payments(settings: Settings) -> "Payments | None":
    """Give what takes payments, where there is somewhere to book them."""
    if not settings.balances_url:
        return None
    from payments import Payments

    return Payments(settings.balances_url, settings.balances_connections, settings.balances_timeout_seconds)


def ledger(settings: Settings) -> "Ledger | None":
    """Give what keeps the books for all pods, where there is one."""
    if not settings.ledger:
        return None
    from ledger import Ledger

    return Ledger(settings.ledger, settings.ledger_connections, settings.revision, settings.pod)


def consumer(settings: Settings) -> "Consumer | None":
    """Give what takes events, where there is a queue."""
    if not os.environ.get("EVENTS"):
        return None
    from consuming import Consumer

    return Consumer(settings, dict(os.environ), seconds(os.environ.get("EVENT_TAKES", "5ms")))


def balance(player: str) -> int:
    """In cents, the same in every pod and at every time."""
    return int.from_bytes(player.encode()) % 1_000_003


def remember(entries: dict[str, Fields], key: str, entry: Fields) -> None:
    """Keep the newest entries only, so that a pod under load for days does not grow."""
    entries[key] = entry
    if len(entries) > ENTRIES_KEPT:
        del entries[next(iter(entries))]


class Connection:
    """One client, and when it is due: its held answer, or its end by idleness.

    It `waits` while somebody else has its answer; with a `round` it speaks WebSocket.
    """

    def __init__(self, sock: socket.socket, due: float) -> None:
        self.sock, self.fd, self.due = sock, sock.fileno(), due
        self.inbox, self.outbox = bytearray(), b""
        self.ends = self.served = self.waits = False
        self.round: Round | None = None


class Server:
    """The connections: every byte in and out goes through here, in one thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.platform = Platform(settings, self.in_flight)
        self.connections: dict[int, Connection] = {}
        self.draining = False
        self.late: list[tuple[Connection, Request, float, tuple[int, Fields]]] = []
        self.bell, self.rope = socket.socketpair()
        self.listener = listen(settings.address)
        self.poll = selectors.DefaultSelector()
        self.poll.register(self.bell, selectors.EVENT_READ)
        self.poll.register(self.listener, selectors.EVENT_READ)

    def in_flight(self) -> int:
        return sum(each.outbox != b"" or each.waits for each in self.connections.values())

    def serve(self) -> None:
        """Until a drain is through."""
        while self.connections or not self.draining:
            for key, _ in self.poll.select(self.patience_seconds()):
                self.step(key.fd)
            self.expire(time.monotonic())

    def patience_seconds(self) -> float | None:
        due = min((each.due for each in self.connections.values()), default=NEVER)
        return None if due == NEVER else max(0.0, due - time.monotonic())

    def step(self, fd: int) -> None:
        if connection := self.connections.get(fd):
            self.read(connection)
        elif fd == self.bell.fileno():
            self.hear()
        elif not self.draining:
            self.accept()

    def expire(self, now: float) -> None:
        for connection in [each for each in self.connections.values() if each.due <= now]:
            if connection.outbox:
                self.send(connection)
                self.advance(connection)
            else:
                self.close(connection, is_idle=True)

    def hear(self) -> None:
        """Send the answers that others had, and drain on SIGTERM."""
        told = self.bell.recv(64)
        while self.late:
            connection, request, began, answer = self.late.pop(0)
            if self.connections.get(connection.fd) is connection:
                connection.waits = False
                self.deliver(connection, request, began, answer)
                self.advance(connection)
        if TERM in told and not self.draining:
            self.drain()

    def drain(self) -> None:
        """Take what the backlog holds, stop listening, and leave the idle connections; rounds go on."""
        self.draining = True
        self.accept()
        self.poll.unregister(self.listener)
        self.listener.close()
        for connection in list(self.connections.values()):
            self.read(connection)
            if not connection.outbox and not connection.round:
                is_idle = connection.served and not connection.inbox and not connection.waits
                connection.due = 0.0 if is_idle else time.monotonic() + DRAIN_SECONDS

    def accept(self) -> None:
        """Take everything in the backlog; what is asked has mostly arrived with it."""
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:  # nothing is left, or no descriptor is free
                return
            sock.setblocking(False)
            patience_seconds = max(self.settings.keepalive_seconds, DRAIN_SECONDS)
            connection = Connection(sock, time.monotonic() + patience_seconds)
            self.connections[connection.fd] = connection
            self.poll.register(connection.fd, selectors.EVENT_READ)
            self.read(connection)

    def read(self, connection: Connection) -> None:
        try:
            chunk = connection.sock.recv(INBOX_LIMIT_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if chunk:
            connection.inbox += chunk
            self.advance(connection)
        else:
            self.close(connection)

    def advance(self, connection: Connection) -> None:
        """Answer what is whole in the inbox, in its order, up to one that is held or waited for."""
        if connection.round:
            connection.round.play()
            return
        while connection.fd in self.connections and not connection.outbox and not connection.waits:
            try:
                request = take_request(connection.inbox)
            except ValueError as problem:
                self.compose(connection, 400, {"error": str(problem)}, ends=True)
                self.send(connection)
                return
            if request is None:
                return
            self.answer(connection, request)
            if connection.round:
                return

    def answer(self, connection: Connection, request: Request) -> None:
        began = time.monotonic()
        answer = self.platform.answer(request)
        if isinstance(answer, tuple):
            self.deliver(connection, request, began, answer)
            return
        connection.waits, connection.due = True, NEVER
        if answer is not None:
            answer.add_done_callback(lambda done: self.ring(connection, request, began, done.result()))

    def ring(
        self, connection: Connection, request: Request, began: float, answer: tuple[int, Fields]
    ) -> None:
        """Take an answer from the thread that has it to the one that sends."""
        self.late.append((connection, request, began, answer))
        self.rope.send(ANSWERED)

    def deliver(
        self, connection: Connection, request: Request, began: float, answer: tuple[int, Fields | str]
    ) -> None:
        status, body = answer
        if status == 101:
            from rounds import begin

            begin(self, connection, request.headers)
            return
        ends = self.draining or not request.keepalive or not self.settings.keepalive_seconds
        self.compose(connection, status, body, ends=ends)
        connection.due = began + request.hold_seconds
        if request.is_domain:
            self.platform.count(status, time.monotonic() - began + request.hold_seconds)
        if not request.hold_seconds:
            self.send(connection)

    def compose(self, connection: Connection, status: int, body: Fields | str, *, ends: bool) -> None:
        revision, pod = self.settings.revision, self.settings.pod
        kind, content = "text/plain; version=0.0.4", body
        if not isinstance(body, str):
            kind, content = "application/json", json.dumps({**body, "revision": revision, "pod": pod}) + "\n"
        payload = str(content).encode()
        head = (
            f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(payload)}\r\n"
            f"X-Revision: {revision}\r\nX-Pod: {pod}\r\n"
            f"Connection: {'close' if ends else 'keep-alive'}\r\n\r\n"
        )
        connection.outbox, connection.ends = head.encode() + payload, ends

    def send(self, connection: Connection) -> None:
        """Cut off a client that left so many answers unread that this one does not fit."""
        outbox, connection.outbox = connection.outbox, b""
        try:
            is_sent = connection.sock.send(outbox) == len(outbox)
        except OSError:
            is_sent = False
        connection.served, connection.due = True, time.monotonic() + self.settings.keepalive_seconds
        if connection.ends or self.draining or not is_sent:
            self.close(connection)

    def close(self, connection: Connection, *, is_idle: bool = False) -> None:
        if connection.round:
            connection.round.end(is_idle=is_idle)
        del self.connections[connection.fd]
        self.poll.unregister(connection.fd)
        connection.sock.close()


def listen(address: tuple[str, int]) -> socket.socket:
    """Let accepted connections inherit TCP_NODELAY; create_server sets SO_REUSEADDR."""
    listener = socket.create_server(address, backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    return listener


def crash(*_: object) -> None:
    print("crashing as CRASH_AFTER asks", file=sys.stderr, flush=True)
    os._exit(1)


def begin() -> Server:
    """Listen as the environment asks, end on SIGTERM as it asks, and say where."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    settings = Settings(dict(os.environ))
    if settings.crash_after_seconds == 0:
        crash()
    server = Server(settings)
    if settings.drains:
        signal.signal(signal.SIGTERM, lambda *_: server.rope.send(TERM))
    if settings.crash_after_seconds < NEVER:
        signal.signal(signal.SIGALRM, crash)
        signal.setitimer(signal.ITIMER_REAL, settings.crash_after_seconds)
    host, port = server.listener.getsockname()
    print(f"{settings.service} {settings.revision} listens on {host}:{port}", flush=True)
    return server


def main() -> None:
    begin().serve()


if __name__ == "__main__":
    main()
