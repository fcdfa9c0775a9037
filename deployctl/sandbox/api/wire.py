"""The API server on the loopback: HTTP/1.1 in front of its calls, and the thread that lets the cluster act."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any

from deployctl.sandbox.api.apiserver import ApiServer
from deployctl.sandbox.api.connection import Connection, shut
from deployctl.sandbox.calls import Call

Around = Callable[[Call, Callable[[], Any]], Any]

LONGEST_WAIT_SECONDS = 0.2  # without a look at what is due
LAST_WORDS_SECONDS = 1.0  # in which streams end cleanly when all is closed


def directly(call: Call, go: Callable[[], Any]) -> Any:
    """Carry out a call with nothing between."""
    del call
    return go()


class Wire:
    """An API server that listens, until it is closed."""

    def __init__(self, server: ApiServer, listener: Listener) -> None:
        self.cluster = server.cluster
        self._listener = listener
        self._threads = [
            threading.Thread(target=listener.serve_forever, args=(0.05,), name="sandbox wire", daemon=True),
            threading.Thread(target=self._drive, name="sandbox controllers", daemon=True),
        ]
        for one in self._threads:
            one.start()

    @property
    def port(self) -> int:
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """Where clients find it. Go clients send no token without TLS, so that it is the head of the path, too."""
        secret = f"/{self._listener.token}" if self._listener.token else ""
        return f"http://{self._listener.host}:{self.port}{secret}"

    def close(self) -> None:
        """End every stream and every thread."""
        self._listener.closing.set()
        with self.cluster.changed:
            self.cluster.changed.notify_all()
        self._listener.shutdown()
        self._listener.server_close()
        for one in self._threads:
            one.join()
        self._listener.hang_up()

    def _drive(self) -> None:
        """Let the controllers act whenever something is due."""
        cluster = self.cluster
        while not self._listener.closing.is_set():
            with cluster.changed:
                due = cluster.run()
                wait = LONGEST_WAIT_SECONDS if due is None else due - cluster.clock()
                cluster.changed.wait(min(max(wait, 0.0), LONGEST_WAIT_SECONDS))


def serve(
    server: ApiServer,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str = "",
    around: Around = directly,
) -> Wire:
    """Listen; `around` stands around every call, an empty `token` lets everybody in. OSError where the port is taken."""
    return Wire(server, Listener((host, port), server, token, around))


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], server: ApiServer, token: str, around: Around) -> None:
        self.api, self.token, self.around, self.host = server, token, around, address[0]
        self.closing = threading.Event()
        self.connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, Connection)

    def server_bind(self) -> None:
        """Bind without asking a name server who we are, as the base class does."""
        socket.setdefaulttimeout(None)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def hang_up(self) -> None:
        """Close what is still open, after the streams have had a moment to end."""
        for connection, thread in list(self.connections.items()):
            if not getattr(thread, "streams", False):
                shut(connection)
            thread.join(LAST_WORDS_SECONDS)
            shut(connection)
