"""The ways to whom a gate asks over a connection: an address, or each pod through the API server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.hosts import resolved
from deployctl.gates.http import port_of
from strategies.analysis import Answer, Measurement

Address = Annotated[
    str,
    Meta(
        pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$",
        max_length=260,
        extra={"expected": "a host and its port such as wallet.igaming.svc:8443"},
    ),
]
Socket = tuple[str, int]
Way = Callable[[], AbstractContextManager[Socket]]


def parted(address: str) -> Socket:
    """Take an address apart: `[::1]:80` is ::1 and 80."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def check_address(address: str | None) -> None:
    """Raise ValueError, as a class of options does, where the port is none."""
    if address and not 0 < parted(address)[1] < 65536:
        raise ValueError(f"address: {parted(address)[1]} is no port; expected one from 1 to 65535")


def ways(asked: Asked, address: str | None, port: int | str | None) -> Iterator[tuple[str, Way]]:
    """List whom a gate asks, each with what leads there as an address to connect to; raise DeployctlError."""
    if address:
        yield address, lambda: _to(asked, address)
        return
    for pod in asked.pods:
        name = pod["metadata"]["name"]
        number = port_of(pod, asked.service, port)
        if number is None:
            raise DeployctlError(f"{name} has no port named {port or 'by the Service'}")
        yield f"{name}:{number}", lambda name=name, number=number: asked.tunnel(name, number)  # type: ignore[misc]


@contextmanager
def _to(asked: Asked, address: str) -> Iterator[Socket]:
    host, port = parted(address)
    yield resolved(host, port, asked.hosts)[0], port


def each(
    asked: Asked, address: str | None, port: int | str | None, ask: Callable[[str, Socket], Measurement]
) -> Measurement:
    """Ask one after the other; the first that does not pass decides."""
    passed = []
    try:
        for where, way in ways(asked, address, port):
            with way() as found:
                one = ask(where, found)
            if one.answer is not Answer.PASS:
                return one
            passed.append(one)
    except DeployctlError as error:
        return Measurement(Answer.UNKNOWN, str(error))
    if not passed:
        return Measurement(Answer.UNKNOWN, "there is no pod to ask")
    more = f", and so do all {len(passed)}" if len(passed) > 1 else ""
    return Measurement(Answer.PASS, f"{passed[0].evidence}{more}")
