"""PostgreSQL: a primary, its streaming replica, and PgBouncer before it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.servers.packages import program
from tests.servers.running import Server, folder, free_port, once, own, running

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "max_connections": "20",
    "superuser_reserved_connections": "3",
    "max_prepared_transactions": "5",
    "max_wal_senders": "5",
    "wal_keep_size": "64MB",
    "shared_buffers": "16MB",
    "jit": "off",
    "autovacuum": "off",
    "max_worker_processes": "2",
    "hot_standby_feedback": "on",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
    "password_encryption": "scram-sha-256",
    "checkpoint_timeout": "1h",
}
HBA = """\
local all all trust
host all postgres 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""


@dataclass
class Postgres:
    """One instance, reached by tests as its superuser."""

    server: Server
    port: int
    data: Path

    def connect(self, database: str = "postgres", **options: Any) -> psycopg.Connection[Any]:
        where = {"host": "127.0.0.1", "port": self.port, "user": "postgres", "dbname": database}
        return psycopg.connect(**{**where, "autocommit": True, "connect_timeout": 3, **options})

    def do(self, *statements: str, database: str = "postgres") -> None:
        with self.connect(database) as connection:
            for one in statements:
                connection.execute(one)

    def one(self, query: str, database: str = "postgres") -> Any:
        with self.connect(database) as connection:
            row = connection.execute(query).fetchone()
        return row[0] if row else None

    def answers(self) -> bool:
        return bool(self.one("SELECT 1"))


def _server(at: Path, name: str, data: Path, port: int, **settings: str) -> Postgres:
    words = [program("postgres"), "-D", str(data), "-k", str(at), "-p", str(port)]
    words += [f"-c{key}={value}" for key, value in {**SETTINGS, **settings}.items()]
    made = Postgres(Server(name, words, at, lambda: False, end_signal=signal.SIGINT), port, data)
    made.server.ready, made.server.failures = made.answers, (psycopg.OperationalError,)
    return made


@contextmanager
def primary(at: Path, name: str = "primary", hosts: str = "", **settings: str) -> Iterator[Postgres]:
    """Give a primary with a data folder of its own; `hosts` are more lines of pg_hba.conf."""
    data = at / name
    once([program("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions"], at)  # fmt: skip
    (data / "pg_hba.conf").write_text(HBA + hosts)
    one = _server(at, name, data, free_port(), **settings)
    with running(one.server):
        yield one


@contextmanager
def replica(at: Path, of: Postgres, name: str = "replica", **settings: str) -> Iterator[Postgres]:
    """Give a streaming replica that has a slot of its name on its primary."""
    data = folder(at / name)
    where = f"host=127.0.0.1 port={of.port} user=postgres application_name={name}"
    once([program("pg_basebackup"), "-D", str(data), "-R", "-c", "fast", "-C", "-S", name, "--no-sync", "-d", where], at)  # fmt: skip
    one = _server(at, name, data, free_port(), **settings)
    with running(one.server):
        yield one


@contextmanager
def bouncer(
    at: Path, of: Postgres, users: dict[str, str], pool: int = 5, clients: int = 100
) -> Iterator[int]:
    """Give the port of a PgBouncer before an instance; its users may all see its statistics."""
    port, ini, known = free_port(), at / "pgbouncer.ini", at / "users.txt"
    known.write_text("".join(f'"{name}" "{password}"\n' for name, password in users.items()))
    ini.write_text(
        f"[databases]\n* = host=127.0.0.1 port={of.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {known}\n"
        f"stats_users = {', '.join(users)}\npool_mode = transaction\ndefault_pool_size = {pool}\nmax_client_conn = {clients}\n"
    )
    own(known)

    def ready() -> bool:
        name, password = next(iter(users.items()))
        login = {"user": name, "password": password, "dbname": "pgbouncer", "autocommit": True}
        with psycopg.connect(host="127.0.0.1", port=port, **login) as connection:
            return bool(connection.execute("SHOW VERSION").fetchone())

    words = [program("pgbouncer"), str(ini)]
    with running(Server("pgbouncer", words, at, ready, failures=(psycopg.Error,))):
        yield port
