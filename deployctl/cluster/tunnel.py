"""A way to a port of a pod through the API server, as `kubectl port-forward` has it: a loopback address that leads there.

The protocol is v4.channel.k8s.io over a WebSocket: each message begins with a byte that names its channel, 0 for
what goes to and from the port and 1 for what went wrong; the first message of each only repeats the port.
"""

from __future__ import annotations

import contextlib
import selectors
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
END_SECONDS = 1.0

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
        self._open, self._over = socket.socketpair()  # closing the one is what each pump sees at the other
        self._pumps: list[threading.Thread] = []
        self._taken: list[
            socket.socket
        ] = []  # closed at the end only: closing over unread words resets the line

    def run(self) -> None:
        with contextlib.suppress(OSError):  # the end of the context closes what listens
            while True:
                self._carry(self._listening.accept()[0])
        if self._first:
            self._first.shutdown()
        for one in self._pumps:
            one.join()
        for near in (*self._taken, self._over):
            near.close()

    def _carry(self, near: socket.socket) -> None:
        """Carry one connection; it is hung up where there is no way on."""
        try:
            far, self._first = self._first or self._again(), None
        except DeployctlError:
            near.close()
            return
        self._taken.append(near)
        carried = (near, far, self._over)
        self._pumps.append(threading.Thread(target=_pump, args=carried, name="port-forward", daemon=True))
        self._pumps[-1].start()

    def end(self) -> None:
        """End everything; each thread closes what is its own, and none is left but one amid a message that stops."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._open.close()
        self.join(END_SECONDS)


def _pump(near: socket.socket, far: Any, over: socket.socket) -> None:
    """Carry both ways until either side has hung up.

    In one thread: a TLS connection that one thread reads and another writes at the same time breaks now and then,
    for OpenSSL leaves it to its user to keep the two apart.
    """
    import websocket

    near.settimeout(far.gettimeout())
    with contextlib.suppress(OSError, websocket.WebSocketException), selectors.DefaultSelector() as ready:
        for one in (near, far.sock, over):
            ready.register(one, selectors.EVENT_READ)
        _carried(near, far, over, ready)
    with contextlib.suppress(OSError):
        near.shutdown(socket.SHUT_RDWR)
    far.shutdown()


def _carried(near: socket.socket, far: Any, over: socket.socket, ready: selectors.BaseSelector) -> None:
    """Carry what comes. The gate may have said all that it says, and still wait for the answer."""
    begun: set[int] = set()
    while True:
        waiting = {one.fileobj for one, _ in ready.select(0 if _pending(far) else None)}
        if over in waiting:
            return
        if (_pending(far) or far.sock in waiting) and not _down(near, far, begun):
            return
        if near in waiting:
            if more := near.recv(MOST_BYTES):
                far.send_binary(bytes([DATA]) + more)
            else:
                ready.unregister(near)


def _pending(far: Any) -> bool:
    """Say whether TLS has read more than it has given: no selector sees that."""
    return bool(getattr(far.sock, "pending", int)())


def _down(near: socket.socket, far: Any, begun: set[int]) -> bool:
    """Carry one message of the pod to the gate, unless it is the first of its channel; say whether there may be more."""
    message = far.recv()
    if not message:
        return False
    channel, told = message[0], message[1:]
    if channel not in begun:
        begun.add(channel)
        return True
    if channel == DATA:
        near.sendall(told)
    return not (channel == ERROR and told)
