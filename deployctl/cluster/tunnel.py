"""A way to a port of a pod through the API server, as `kubectl port-forward` has it: a loopback address that leads there.

The protocol is v4.channel.k8s.io over a WebSocket: each message begins with a byte that names its channel, 0 for
what goes to and from the port and 1 for what went wrong; the first message of each only repeats the port.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from deployctl.cluster.api import Api
from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError
from deployctl.foreign import printable

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
MOST_BYTES = 65536

Tunnel = Callable[[str, int], AbstractContextManager[tuple[str, int]]]


def through(api: Api, namespace: str) -> Tunnel:
    """Give what opens a way: (pod, port) -> a context with the loopback address that leads there."""

    @contextmanager
    def tunnel(pod: str, port: int) -> Iterator[tuple[str, int]]:
        first = _open(api, namespace, pod, port)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            forward = _Forward(listening, first, lambda: _open(api, namespace, pod, port))
            forward.start()
            try:
                yield listening.getsockname()[:2]
            finally:
                forward.end()

    return tunnel


def _open(api: Api, namespace: str, pod: str, port: int) -> Any:
    """Open one WebSocket to a port of a pod; raise DeployctlError where the API server refuses."""
    import websocket

    where = f"{path(namespace, 'pods', pod, 'portforward')}?ports={port}"
    url, headers, trust = api.dialled(where)
    try:
        return websocket.create_connection(
            url,
            timeout=api.target.timeout_seconds,
            subprotocols=[PROTOCOL],
            header=headers,
            sslopt=trust,
            suppress_origin=True,
            http_no_proxy=["*"],
        )
    except (websocket.WebSocketException, OSError) as error:
        told = printable(str(error)).partition("\n")[0][:200]
        status = getattr(error, "status_code", 0)
        said = f"HTTP {status}: may you create and get pods/portforward?" if status in (401, 403) else told
        raise DeployctlError(f"{pod}:{port} cannot be reached through the API server: {said}") from None


class _Forward(threading.Thread):
    """Takes connections on loopback, one WebSocket each; the first is open already."""

    def __init__(self, listening: socket.socket, first: Any, again: Callable[[], Any]) -> None:
        super().__init__(name="port-forward", daemon=True)
        self._listening, self._first, self._again = listening, first, again
        self._open: list[Any] = [first]

    def run(self) -> None:
        with contextlib.suppress(OSError):  # the end of the context closes what listens
            while True:
                self._carry(self._listening.accept()[0])

    def _carry(self, near: socket.socket) -> None:
        """Carry one connection; it is hung up where there is no way on."""
        try:
            far, self._first = self._first or self._again(), None
        except DeployctlError:
            near.close()
            return
        self._open += [near, far]
        for pump in (_up, _down):
            threading.Thread(target=pump, args=(near, far), name="port-forward", daemon=True).start()

    def end(self) -> None:
        """Close everything, so that no thread is left waiting."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for one in self._open:
            with contextlib.suppress(OSError):
                (one.shutdown(socket.SHUT_RDWR) if isinstance(one, socket.socket) else one.shutdown())
            if isinstance(one, socket.socket):
                one.close()


def _up(near: socket.socket, far: Any) -> None:
    """Carry what the gate says to the pod."""
    import websocket

    with contextlib.suppress(OSError, websocket.WebSocketException):
        while more := near.recv(MOST_BYTES):
            far.send_binary(bytes([DATA]) + more)


def _down(near: socket.socket, far: Any) -> None:
    """Carry what the pod says to the gate, without the first message of each channel."""
    import websocket

    begun: set[int] = set()
    with contextlib.suppress(OSError, websocket.WebSocketException, IndexError):
        while message := far.recv():
            channel = message[0]
            if channel in begun and channel == DATA:
                near.sendall(message[1:])
            if channel in begun and channel == ERROR and len(message) > 1:
                break
            begun.add(channel)
    with contextlib.suppress(OSError):
        near.shutdown(socket.SHUT_RDWR)
