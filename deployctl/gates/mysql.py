"""One session at a MySQL or MariaDB server: read-only, limited in time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployctl.errors import DeployctlError
from deployctl.gates.deadline import Deadline
from deployctl.gates.peers import Login, context, dial

if TYPE_CHECKING:
    from pymysql import Connection

PORT = 3306


@dataclass(frozen=True, slots=True)
class Session:
    """An open session. `called` is how messages call the server."""

    called: str
    connection: Connection[Any]
    login: Login
    deadline: Deadline

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask one query, its values bound; raise DeployctlError where it is not answered."""
        from pymysql.cursors import DictCursor

        self.deadline.left()
        self.deadline.at = self.called
        with _telling(self.called, self.login), self.connection.cursor(DictCursor) as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def named(self, query: str, names: tuple[str, ...]) -> dict[str, str]:
        """Ask for variables or status by name; those that the server does not know are left out."""
        rows = self.rows(f"{query} WHERE Variable_name IN ({', '.join(['%s'] * len(names))})", *names)
        return {str(row["Variable_name"]).lower(): str(row["Value"]) for row in rows}


@contextmanager
def session(called: str, where: tuple[str, int], login: Login, deadline: Deadline) -> Iterator[Session]:
    """Open a read-only session at (host, port), and close it; raise DeployctlError where it cannot be."""
    with _telling(called, login):
        connection = _connect(called, where, login, deadline)
    try:
        one = Session(called, connection, login, deadline)
        one.rows("SET SESSION TRANSACTION READ ONLY")
        yield one
    finally:
        if connection.open:
            with _telling(called, login):
                connection.close()


def _connect(called: str, where: tuple[str, int], login: Login, deadline: Deadline) -> Connection[Any]:
    """Connect over a socket of our own: to an address that was checked, by the name that the certificate has."""
    import pymysql

    protected = {"ssl": context(login.ca)} if login.tls == "verify" else {"ssl_disabled": True}
    line = dial(called, where, login.hosts, deadline)
    made = pymysql.connect(
        host=where[0],
        port=where[1],
        user=login.user,
        password=login.password.plain,
        read_timeout=deadline.left(),
        write_timeout=deadline.left(),
        autocommit=True,
        program_name="deployctl",
        defer_connect=True,
        **protected,
    )
    try:
        made.connect(line)
    finally:
        if not made.open:
            line.close()
    return made


@contextmanager
def _telling(called: str, login: Login) -> Iterator[None]:
    """Turn what the driver raises into ours, without the login. What is no MySQL makes it stumble in many ways."""
    import pymysql

    try:
        yield
    except pymysql.Error as error:
        words = login.password.scrub(str(error.args[-1] if error.args else error))
        raise DeployctlError(f"{called}: {words or type(error).__name__}") from None
    except (OSError, struct.error, LookupError, ValueError, AssertionError) as error:
        raise DeployctlError(f"{called}: it does not speak MySQL ({type(error).__name__})") from None
