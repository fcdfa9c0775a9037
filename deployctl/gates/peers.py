"""What gates that ask a server have in common: where it is, how the way to it is protected, which driver it needs."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates.hosts import resolved

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

EVERY = ("*",)  # but what gives out a machine's credentials


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


def addresses(host: str, port: int) -> tuple[str, ...]:
    """Give the addresses to connect to, each checked; raise DeployctlError where none may be."""
    return resolved(host, port, EVERY)


def need(module: str, extra: str) -> None:
    """Raise DeployctlError, which says what to install, where a gate's driver is missing."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        what = f"the driver {module} is not installed; install it with: pip install 'deployctl[{extra}]'"
        raise DeployctlError(what) from error
