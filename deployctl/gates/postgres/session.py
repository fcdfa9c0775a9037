"""One session at a PostgreSQL server: read-only, limited in time, one statement at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deployctl.errors import DeployctlError
from deployctl.gates.deadline import Deadline
from deployctl.gates.hosts import resolved
from deployctl.gates.peers import Login

if TYPE_CHECKING:
    from psycopg import Connection

Row = tuple[Any, ...]
READ_ONLY = "SELECT setting, source FROM pg_settings WHERE name = 'default_transaction_read_only'"


class Refused(DeployctlError):
    """The server did not carry out a statement, and says why."""


@dataclass(frozen=True, slots=True)
class Session:
    """An open session. `called` is how messages call the server."""

    called: str
    connection: Connection[Any]
    login: Login
    deadline: Deadline

    def only_reads(self) -> bool:
        """Say whether the server takes no writes from anybody; what is set for our own role says nothing of that."""
        setting, source = self.row(READ_ONLY)
        return bool(setting == "on" and source != "user")

    def never_write(self) -> None:
        self.connection.execute("SET default_transaction_read_only = on")

    def declared(self, query: str, *values: Any) -> list[Row]:
        """Ask what the spec says, in a transaction that cannot be made to write by any statement."""
        with self._refusals():
            self.connection.execute("BEGIN READ ONLY")
        try:
            return self.rows(query, *values)
        finally:
            with self._refusals():
                self.connection.execute("ROLLBACK")

    def rows(self, query: str, *values: Any) -> list[Row]:
        """Ask one query, its values bound as $1, $2; raise DeployctlError where it is not answered."""
        import psycopg

        self.deadline.left()
        with self._refusals(), psycopg.RawCursor(self.connection) as cursor:
            return cursor.execute(query.encode(), values, prepare=True).fetchall()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise Refused(_told(self.called, error, self.login)) from None  # the driver's own holds the login

    def row(self, query: str, *values: Any) -> Row:
        """Ask for the one row of a query."""
        rows = self.rows(query, *values)
        if len(rows) != 1:
            raise DeployctlError(
                f"{self.called}: {len(rows)} rows instead of one of {' '.join(query.split())[:80]}"
            )
        return rows[0]


@contextmanager
def session(called: str, where: tuple[str, int, str], login: Login, deadline: Deadline) -> Iterator[Session]:
    """Open a read-only session at (host, port, database), and close it; raise DeployctlError where it cannot be."""
    connection = connect(called, where, login, deadline, options=_limits(deadline.seconds))
    try:
        yield Session(called, connection, login, deadline)
    finally:
        connection.close()


def connect(
    called: str, where: tuple[str, int, str], login: Login, deadline: Deadline, **more: str
) -> Connection[Any]:
    """Connect to one of the checked addresses of a host; the deadline may cut the connection."""
    import psycopg

    host, port, database = where
    deadline.at = called
    found = resolved(host, port, login.hosts)
    options: dict[str, Any] = {**_asked(login), **more, "dbname": database, "port": port}
    try:
        connection = psycopg.connect(
            host=",".join([host] * len(found)),
            hostaddr=",".join(found),
            connect_timeout=math.ceil(deadline.left()),
            autocommit=True,
            **options,
        )
    except psycopg.Error as error:
        raise DeployctlError(_told(called, error, login)) from None
    deadline.watch(connection.fileno())
    return connection


def _asked(login: Login) -> dict[str, Any]:
    protected = {"sslmode": "verify-full", "sslrootcert": login.ca or "system"}
    return {
        "user": login.user,
        "password": login.password.plain,
        "application_name": "deployctl",
        **(protected if login.tls == "verify" else {"sslmode": "disable"}),
    }


def _limits(seconds: float) -> str:
    """Bound what the server does for us, also where nobody listens any more."""
    milliseconds = max(1, math.ceil(seconds * 1000))
    limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    return " ".join(f"-c {one}={milliseconds}" for one in limits)


def _told(called: str, error: Exception, login: Login) -> str:
    lines = login.password.scrub(str(error)).split("\n")
    words = " ".join(one.strip() for one in lines if one.strip() and not one.startswith(("CONTEXT", "LINE")))
    return f"{called}: {words or type(error).__name__}"
