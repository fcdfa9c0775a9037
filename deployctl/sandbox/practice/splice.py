"""Joins connections two by two in one thread: bytes, ends and resets go over as they came."""

from __future__ import annotations

import errno
import heapq
import itertools
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable

CHUNK_BYTES = 256 * 1024
MOST_WAITING_BYTES = 1024 * 1024
NOT_YET = {errno.EAGAIN, errno.ENOTCONN}  # the buffer is full; the connection is not up yet
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close() sends RST
Work = Callable[[], None]


class Loop:
    """One thread that waits for sockets, for what others give it to do, and for moments."""

    def __init__(self) -> None:
        self._poll = selectors.DefaultSelector()
        self._bell, self._rope = socket.socketpair()
        self._later: list[tuple[float, int, Work]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self.joined: set[socket.socket] = set()
        self._ends = False
        self.wait_for(self._bell, selectors.EVENT_READ, self._answer)
        self._thread = threading.Thread(target=self._run, name="splice", daemon=True)
        self._thread.start()

    def call(self, work: Work, after_seconds: float = 0.0) -> None:
        """Have the thread do something, now or in a while; from any thread."""
        with self._lock:
            heapq.heappush(self._later, (time.monotonic() + after_seconds, next(self._order), work))
        self._rope.send(b"1")

    def wait_for(self, sock: socket.socket, events: int, work: Work) -> None:
        """Do something whenever a socket is ready for any of these events; for none, never again."""
        is_known = sock.fileno() in self._poll.get_map()
        if not events:
            if is_known:
                self._poll.unregister(sock)
        elif is_known:
            self._poll.modify(sock, events, work)
        else:
            self._poll.register(sock, events, work)

    def close(self) -> None:
        """Stop the thread and end every connection."""
        self.call(self._end)
        self._thread.join()
        for sock in (*self.joined, self._bell, self._rope):
            sock.close()
        self._poll.close()

    def _run(self) -> None:
        while not self._ends:
            for key, _ in self._poll.select(self._patience_seconds()):
                key.data()
            while work := self._due():
                work()

    def _patience_seconds(self) -> float | None:
        with self._lock:
            return max(0.0, self._later[0][0] - time.monotonic()) if self._later else None

    def _due(self) -> Work | None:
        with self._lock:
            if self._later and self._later[0][0] <= time.monotonic():
                return heapq.heappop(self._later)[2]
            return None

    def _answer(self) -> None:
        self._bell.recv(CHUNK_BYTES)

    def _end(self) -> None:
        self._ends = True


class Side:
    """One end of a joined pair: what it reads goes out at the other."""

    other: Side

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        self.loop, self.sock = loop, sock
        self.outbox = bytearray()
        self.reads = True  # until its peer has sent its end
        self.ends = self.has_ended = False  # once the outbox is empty its peer is told the end
        self.is_open = True
        self._events = 0

    def turn(self) -> None:
        """Write what waits, then read what came."""
        if self.is_open and self.waits():
            self.send(b"")
        if self.is_open and self.reads and self.other.has_room():
            self._read()

    def has_room(self) -> bool:
        return len(self.outbox) < MOST_WAITING_BYTES

    def send(self, chunk: bytes) -> None:
        """Send now what goes now, keep the rest, and pass on the end after it."""
        self.outbox += chunk
        try:
            if self.outbox:
                del self.outbox[: self.sock.send(self.outbox)]
            if self.waits() and not self.outbox:
                self.sock.shutdown(socket.SHUT_WR)
                self.has_ended = True
        except OSError as error:
            if error.errno not in NOT_YET:
                self.reset()
                return
        self._settle()

    def reset(self) -> None:
        """End both at once, as a peer that crashed does."""
        for side in (self, self.other):
            if side.is_open:
                side.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                side.close()

    def close(self) -> None:
        self.is_open = False
        self.loop.joined.discard(self.sock)
        self.loop.wait_for(self.sock, 0, self.turn)
        self.sock.close()

    def watch(self) -> None:
        """Wait for what can be done at all."""
        can_read = self.reads and self.other.has_room()
        events = can_read * selectors.EVENT_READ | self.waits() * selectors.EVENT_WRITE
        if self.is_open and events != self._events:
            self._events = events
            self.loop.wait_for(self.sock, events, self.turn)

    def waits(self) -> bool:
        return bool(self.outbox) or (self.ends and not self.has_ended)

    def _read(self) -> None:
        try:
            chunk = self.sock.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.reset()
            return
        if not chunk:
            self.reads, self.other.ends = False, True
        self.other.send(chunk)

    def _settle(self) -> None:
        if any(side.reads or side.waits() for side in (self, self.other)):
            self.watch()
            self.other.watch()
            return
        for side in (self, self.other):
            side.close()


def join(loop: Loop, client: socket.socket, port: int) -> None:
    """Join a client with whoever listens on a port of the loopback; in the loop's thread."""
    server = socket.socket()
    server.setblocking(False)
    loop.joined |= {client, server}
    for sock in (client, server):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.connect_ex(("127.0.0.1", port))  # a refusal is read like a reset
    one, two = Side(loop, client), Side(loop, server)
    one.other, two.other = two, one
    two.watch()
    one.watch()
    one.turn()  # what is asked has mostly arrived with the connection


def reset(client: socket.socket) -> None:
    """Send a client away as a host does where nobody listens any more."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()
