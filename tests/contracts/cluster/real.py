"""The real cluster of tests/cluster as a backend: raw HTTP by sockets that are born inside its network."""

from __future__ import annotations

import ctypes
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster.bed import network
from tests.cluster.bed.cluster import Cluster

_PORT = 6443
_CLONE_NEWNET = 0x40000000


@contextmanager
def _inside() -> Iterator[None]:
    """Have the calling thread, and no other, in the cluster's network: a socket stays where it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as here, network.PATH.open() as there:
        if libc.setns(there.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "cannot enter the cluster's network")
        try:
            yield
        finally:
            libc.setns(here.fileno(), _CLONE_NEWNET)


class _Connection(http.client.HTTPSConnection):
    def connect(self) -> None:
        with _inside():
            raw = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host)


class Follower:
    """Reads the lines of a watch in a thread of its own."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.lines: list[str] = []
        self.ended = False
        self.status = response.status
        self._connection, self._socket = connection, connection.sock
        self._reader = threading.Thread(target=self._read, args=[response], daemon=True)
        self._reader.start()

    def _read(self, response: http.client.HTTPResponse) -> None:
        try:
            while line := response.readline():
                self.lines.append(line.decode())
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            return
        finally:
            self.ended = True
            response.close()

    def close(self) -> None:
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._connection.close()


def exchanged(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    body: bytes | None,
    headers: dict[str, str],
) -> tuple[int, dict[str, str], bytes]:
    """Send one call and close."""
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
    finally:
        connection.close()


class Real:
    """The cluster that is up, as the administrator unless the headers say otherwise."""

    name = "real"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._trusted = ssl.create_default_context(cafile=str(cluster.at.state / "pki" / "ca.crt"))

    def exchange(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"Authorization": "Bearer admin-token", **headers}
        return exchanged(self._connect(), method, target, body, sent)

    def _connect(self) -> _Connection:
        return _Connection("127.0.0.1", _PORT, timeout=60, context=self._trusted)

    def stream(self, target: str) -> Follower:
        connection = self._connect()
        connection.request("GET", target, headers={"Authorization": "Bearer admin-token"})
        return Follower(connection, connection.getresponse())

    def kubectl(self, args: Sequence[str], given: str | None) -> tuple[int, str, str]:
        command = [self._cluster.at.state / "bin" / "kubectl", *args]
        done = self._cluster.run(command, input=given, env={"KUBECTL_KUBERC": "false"})
        return done.returncode, done.stdout, done.stderr

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def moment(self) -> float:
        return time.monotonic()

    def namespace(self, name: str) -> None:
        """Make a namespace in which pods can start at once."""
        self._cluster.kubectl("create", "namespace", name)
        made = ("serviceaccount/default", "configmap/kube-root-ca.crt")
        self._cluster.wait(
            lambda: self._cluster.run(["kubectl", "get", "-n", name, *made]).returncode == 0,
            timeout=60,
            what=f"the default ServiceAccount of {name}",
        )

    def close(self, name: str) -> None:
        self._cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)
