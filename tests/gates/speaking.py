"""Servers on loopback that are not what a gate expects: they refuse, say nothing, hang up, or speak something else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Talk = Callable[[socket.socket], object]


@contextmanager
def speaking(talk: Talk) -> Iterator[str]:
    """Listen on loopback, and do with each connection what a test tells; gives host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=_one, args=(connection, talk), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def _one(connection: socket.socket, talk: Talk) -> None:
    with connection, suppress(OSError):  # it hangs up
        talk(connection)


def silent(connection: socket.socket) -> None:
    """Accept, and never answer: a half-open connection."""
    connection.recv(65536)
    time.sleep(3.0)


def hangs_up(connection: socket.socket) -> None:
    connection.recv(10)


def redis(connection: socket.socket) -> None:
    """Answer as another server behind the port would."""
    connection.recv(65536)
    connection.sendall(b"-ERR unknown command\r\n")


def html(connection: socket.socket) -> None:
    """Answer as a login page in between would."""
    connection.recv(65536)
    body = b"<html>Please log in, hunter2</html>"
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def drips(connection: socket.socket) -> None:
    """Send a byte now and then, for ever."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100):
        time.sleep(0.05)
        connection.sendall(b" ")


BAD = {"silent": silent, "hangs up": hangs_up, "another server": redis, "a login page": html, "drips": drips}
NOBODY = "127.0.0.1:1"
