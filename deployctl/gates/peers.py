"""What gates that ask a server have in common: where it is, how the way to it is protected, which driver it needs."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates.credential import Revealed
from deployctl.gates.deadline import Deadline
from deployctl.gates.hosts import resolved
from strategies.quantities import WHOLE, Amount

Host = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.:\[\]-]+$",
        max_length=253,
        extra={"expected": "a host such as db.igaming.svc"},
    ),
]
Port = Annotated[int, Meta(ge=1, le=65535, extra={"expected": "a port from 1 to 65535"})]
Word = Annotated[str, Meta(pattern=r"^[^\x00-\x1f]+$", max_length=253, extra={"expected": "a name"})]
Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1, extra={"expected": "a share from 0 to 1 such as 0.8"})]
Tls = Literal["verify", "off"]


@dataclass(frozen=True)
class Peer:
    """One server by its own address, never a balancer's.

    host: name or address
    port: the server's usual one unless it is given
    name: how the gate calls it; host and port unless it is given
    """

    host: Host
    port: Port | None = None
    name: Word | None = None

    def called(self, port: int) -> str:
        return self.name or f"{self.host}:{self.port or port}"


@dataclass(frozen=True)
class Connections:
    """What both revisions may open together, held against what the server has.

    pool: the most connections that one pod opens: its pool, and what it opens beside it
    maxReplicas: the most pods of the app; unless it is given, maxReplicas of its live autoscaler, else its replicas
    surge: how many pods of the new revision stand beside them; 100% for blueGreen, the batch for rolling
    user: the role that the app logs in as; its sessions are not counted among the others
    share: how much of what the server has may be used
    """

    pool: Positive
    user: Word
    max_replicas: Positive | None = None
    surge: Amount = WHOLE
    share: Share = 0.8

    @property
    def pods(self) -> int:
        """Count the pods of both revisions: 6 and a surge of 25% are 8. `scaling.sized` has filled in the most."""
        most = self.max_replicas or 0
        return most + self.surge.of(most)


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks, how the way is protected, and which hosts may be asked."""

    user: str
    password: Revealed
    tls: Tls = "verify"
    ca: str | None = None
    hosts: tuple[str, ...] = ()


def dial(called: str, where: tuple[str, int], hosts: tuple[str, ...], deadline: Deadline) -> socket.socket:
    """Connect to one of the checked addresses of a host; the deadline may cut the connection.

    Raise DeployctlError where none of them takes it.
    """
    deadline.at, last = called, "it has no address"
    for address in resolved(*where, hosts):
        try:
            made = socket.create_connection((address, where[1]), deadline.left())
        except OSError as error:
            last = error.strerror or str(error)
            continue
        deadline.watch(made.fileno())
        return made
    raise DeployctlError(f"{called}: {last}")


def context(ca: str | None) -> ssl.SSLContext:
    """Give what verifies a server's certificate and name; raise DeployctlError where its authority is no file."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise DeployctlError(f"ca: {ca}: {getattr(error, 'strerror', None) or error}") from error
