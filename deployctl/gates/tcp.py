"""The tcp gate connects to every pod on trial, or to one address."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import ClassVar

from deployctl.foreign import printable
from deployctl.gates import Asked
from deployctl.gates.fetch import cut
from deployctl.gates.http import Port, PortName
from deployctl.gates.reach import Address, Socket, check_address, each
from strategies.analysis import Answer, Measurement

MOST_BYTES = 65536
LINGER_SECONDS = 0.5


@dataclass(frozen=True)
class Tcp:
    """Connect to every pod on trial through the API server, or to one address.

    address: host and port, instead of the pods; its host must be among spec.gates.hosts
    port: number or name of the pods' port; the targetPort of the first listed Service unless it is given
    send: text that is sent once connected
    expect: text that must come
    """

    RIGHTS: ClassVar = ("create and get pods/portforward, unless `address` is given",)
    UNKNOWNS: ClassVar = ("no pod, no way to it, a connection that is accepted and then silent",)

    address: Address | None = None
    port: Port | PortName | None = None
    send: str = ""
    expect: str = ""

    def __post_init__(self) -> None:
        check_address(self.address)

    @property
    def pod_wise(self) -> bool:
        return not self.address

    def measure(self, asked: Asked) -> Measurement:
        """Connect to one after the other; who refuses decides."""
        return each(
            asked, self.address, self.port, lambda where, at: self._ask(where, at, asked.timeout_seconds)
        )

    def _ask(self, where: str, at: Socket, seconds: float) -> Measurement:
        end = time.monotonic() + seconds
        try:
            with socket.create_connection(at, timeout=seconds) as connection:
                return self._talk(where, connection, end)
        except TimeoutError:
            return Measurement(Answer.UNKNOWN, f"{where}: no answer within {seconds:g}s")
        except ConnectionRefusedError:
            return Measurement(Answer.FAIL, f"{where}: the connection was refused")
        except OSError as error:
            return Measurement(Answer.UNKNOWN, f"{where}: {error.strerror or error}")

    def _talk(self, where: str, connection: socket.socket, end: float) -> Measurement:
        connection.sendall(self.send.encode())
        heard = b""
        while self.expect.encode() not in heard:
            connection.settimeout(max(0.001, end - time.monotonic()))
            more = connection.recv(4096)
            heard += more
            if not more or len(heard) > MOST_BYTES:
                said = cut(printable(heard[:80].decode(errors="replace")))
                return Measurement(Answer.FAIL, f"{where}: it said {said!r}, expected {self.expect!r}")
        if not self.expect and not self.address and _hung_up(connection, end):
            return Measurement(Answer.FAIL, f"{where}: the connection was refused, or hung up at once")
        said = f", said {self.expect!r}" if self.expect else ""
        return Measurement(Answer.PASS, f"{where}: connected{said}")


def _hung_up(connection: socket.socket, end: float) -> bool:
    """Wait a moment for the end: a port-forward is there before it is known whether anybody listens behind it."""
    connection.settimeout(max(0.001, min(LINGER_SECONDS, end - time.monotonic())))
    try:
        return not connection.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True
