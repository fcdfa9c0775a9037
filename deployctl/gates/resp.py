"""The protocol of Redis, as far as two questions need it: a login, and what an instance says of itself."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from deployctl.errors import DeployctlError
from deployctl.gates.deadline import Deadline
from deployctl.gates.peers import Login, context, dial

MOST_BYTES = 2**20  # of one answer: INFO is some kilobytes


@dataclass(frozen=True, slots=True)
class Line:
    """An open connection to one instance."""

    called: str
    stream: BinaryIO
    login: Login
    deadline: Deadline

    def ask(self, *words: str) -> str:
        """Ask for one text; raise DeployctlError where there is none, with the reason that the server gives."""
        self.deadline.left()
        self.deadline.at = self.called
        try:
            self.stream.write(_written(words))
            self.stream.flush()
            return self._answer(self.stream.readline(MOST_BYTES))
        except OSError as error:
            raise DeployctlError(f"{self.called}: {error.strerror or error}") from None

    def _answer(self, first: bytes) -> str:
        kind, rest = first[:1], first[1:].rstrip(b"\r\n")
        if kind == b"-":
            raise DeployctlError(f"{self.called}: {self.login.password.scrub(rest.decode(errors='replace'))}")
        if kind == b"+":
            return rest.decode(errors="replace")
        if kind == b"$" and rest.isdigit() and int(rest) <= MOST_BYTES:
            return self.stream.read(int(rest) + 2)[:-2].decode(errors="replace")
        what = "it closed the connection" if not first else "it does not speak Redis"
        raise DeployctlError(f"{self.called}: {what}")

    def fields(self, *words: str) -> dict[str, str]:
        """Ask for lines of `field:value`."""
        lines = (one.partition(":") for one in self.ask(*words).splitlines() if ":" in one)
        return {name: value for name, _, value in lines}


@contextmanager
def line(called: str, where: tuple[str, int], login: Login, deadline: Deadline) -> Iterator[Line]:
    """Open a connection, log in, and close it; raise DeployctlError where that cannot be."""
    protection = context(login.ca) if login.tls == "verify" else None
    raw = dial(called, where, login.hosts, deadline)
    try:
        deadline.at = called + " for TLS" * bool(protection)
        made = protection.wrap_socket(raw, server_hostname=where[0]) if protection else raw
    except (OSError, ssl.SSLError) as error:
        raw.close()
        why = getattr(error, "verify_message", "")
        told = f"certificate verify failed: {why}" if why else getattr(error, "reason", None) or error
        raise DeployctlError(f"{called}: TLS: {told}") from None
    with made, cast("BinaryIO", made.makefile("rwb")) as stream:
        one = Line(called, stream, login, deadline)
        if login.password.plain:
            one.ask("AUTH", *((login.user,) if login.user else ()), login.password.plain)
        yield one


def _written(words: tuple[str, ...]) -> bytes:
    parts = (one.encode() for one in words)
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts)
