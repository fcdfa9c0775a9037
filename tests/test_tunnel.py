"""A way to a port of a pod: what is said arrives whole, both ways at once, and everything ends with it."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest
import trustme

from deployctl.cluster import tunnel
from tests.answering import eventually

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PORT = struct.pack("<H", 8080)


class Line:
    """The API server's side of one WebSocket."""

    def __init__(self, sock):
        self.sock, self.file = sock, sock.makefile("rb")

    def shake(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.file.readline()
        key = next(
            one.split(b": ")[1] for one in head.split(b"\r\n") if one.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
        self.sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {tunnel.PROTOCOL}\r\n\r\n".encode()
        )

    def tell(self, message):
        size = len(message)
        head = bytes([size]) if size < 126 else b"\x7f" + struct.pack(">Q", size)
        self.sock.sendall(b"\x82" + head + message)

    def hear(self):
        """Give one message; nothing at the end."""
        head = self.file.read(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return b""
        size = head[1] & 127
        more = {126: (">H", 2), 127: (">Q", 8)}.get(size)
        size = struct.unpack(more[0], self.file.read(more[1]))[0] if more else size
        mask, body = self.file.read(4), self.file.read(size)
        return bytes(byte ^ mask[at % 4] for at, byte in enumerate(body))


def echo(line):
    """Be a pod that says back what it hears."""
    line.tell(b"\x00" + PORT)
    line.tell(b"\x01" + PORT)
    while message := line.hear():
        line.tell(message)


def answered(line):
    """Be a pod that speaks first, in the same breath as the ports, and hangs up."""
    both = b"\x00" + PORT, b"\x01" + PORT, b"\x00hello"
    line.sock.sendall(b"".join(b"\x82" + bytes([len(one)]) + one for one in both))


def refusing(line):
    """Be a kubelet that cannot reach the port."""
    line.tell(b"\x00" + PORT)
    line.tell(b"\x01" + PORT)
    line.tell(b"\x01connection refused")
    line.hear()


@contextmanager
def api(pod) -> Iterator[SimpleNamespace]:
    """An API over TLS, which forwards to such a pod; `lines` counts the WebSockets that are open."""
    authority = trustme.CA()
    seal = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(seal)
    lines: list[int] = []

    def serve(plain):
        with suppress(OSError, ValueError), seal.wrap_socket(plain, server_side=True) as sock:
            line = Line(sock)
            lines.append(1)
            try:
                line.shake()
                pod(line)
            finally:
                line.file.close()
                lines.pop()

    def accept():
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening, authority.cert_pem.tempfile() as ca:
        threading.Thread(target=accept, daemon=True).start()
        where = f"wss://localhost:{listening.getsockname()[1]}"
        yield SimpleNamespace(
            dialled=lambda path: (where + path, [], {"ca_certs": ca}),
            target=SimpleNamespace(timeout_seconds=10.0),
            lines=lines,
        )
        listening.shutdown(socket.SHUT_RDWR)


@contextmanager
def connected(to) -> Iterator[socket.socket]:
    with (
        tunnel.through(to, "igaming")("wallet-1", 8080) as where,
        socket.create_connection(where, 10) as sock,
    ):
        yield sock


def heard(sock, size):
    text = b""
    while len(text) < size and (more := sock.recv(65536)):
        text += more
    return text


@pytest.mark.parametrize("_again", range(5))
def test_what_is_said_both_ways_at_once_arrives_whole(_again):
    said = b"".join(b"%07d;" % number for number in range(20000))

    def say(sock):
        for at in range(0, len(said), 64):
            sock.sendall(said[at : at + 64])

    with api(echo) as there, connected(there) as sock:
        saying = threading.Thread(target=say, args=(sock,))
        saying.start()
        assert heard(sock, len(said)) == said
        saying.join()


def test_what_a_pod_says_first_arrives_though_it_hangs_up():
    with api(answered) as there, connected(there) as sock:
        assert heard(sock, 100) == b"hello"


def test_an_answer_still_comes_to_a_gate_that_has_said_all():
    with api(echo) as there, connected(there) as sock:
        sock.sendall(b"ping")
        sock.shutdown(socket.SHUT_WR)
        assert heard(sock, 4) == b"ping"


def test_a_port_that_refuses_hangs_up():
    with api(refusing) as there, connected(there) as sock:
        assert heard(sock, 1) == b""


def test_a_second_connection_has_a_way_of_its_own():
    with (
        api(echo) as there,
        tunnel.through(there, "igaming")("wallet-1", 8080) as where,
        socket.create_connection(where, 10) as one,
        socket.create_connection(where, 10) as other,
    ):
        one.sendall(b"one")
        other.sendall(b"other")
        assert (heard(other, 5), heard(one, 3)) == (b"other", b"one")


@pytest.mark.parametrize("connections", [0, 1, 2])
def test_nothing_is_left_open_at_the_end(connections):
    with api(echo) as there:
        with tunnel.through(there, "igaming")("wallet-1", 8080) as where:
            socks = [socket.create_connection(where, 10) for _ in range(connections)]
            for sock in socks:
                sock.sendall(b"ping")
                assert heard(sock, 4) == b"ping"
        eventually(lambda: not there.lines)
        assert [heard(sock, 1) for sock in socks] == [b""] * connections
        for sock in socks:
            sock.close()
