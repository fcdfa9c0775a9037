"""MariaDB with Galera: nodes of one cluster, and a server of its own as an asynchronous replica."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from tests.servers.packages import program, root
from tests.servers.running import NOBODY, Server, folder, free_port, once, running

PROVIDER = "usr/lib/galera/libgalera_smm.so"


@dataclass
class Node:
    """One node, reached by tests as its superuser over its socket."""

    server: Server
    port: int
    cluster_port: int
    socket: Path

    def connect(self, **options: Any) -> pymysql.Connection[Any]:
        made: pymysql.Connection[Any] = pymysql.connect(
            **{"user": "root", "autocommit": True, "ssl_disabled": True, **options}, defer_connect=True
        )
        made.connect(self._line())
        return made

    def _line(self) -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(str(self.socket))
        except OSError:
            line.close()
            raise
        return line

    def do(self, *statements: str) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            for one in statements:
                cursor.execute(one)

    def status(self, name: str) -> str:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE %s", (name,))
            row = cursor.fetchone()
        return str(row[1]) if row else ""

    def synced(self) -> bool:
        return self.status("wsrep_local_state_comment") == "Synced" and self.status("wsrep_ready") == "ON"

    def answers(self) -> bool:
        return bool(self.status("Uptime"))


def _data(at: Path, name: str) -> Path:
    """Make a data folder that the user of the server owns itself: the copy from another node is refused otherwise."""
    data = folder(at / name)
    (at / f"{name}-tmp").mkdir(mode=0o1777)
    (at / f"{name}-tmp").chmod(0o1777)
    words = [program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", f"--basedir={root()}/usr", "--auth-root-authentication-method=normal", "--skip-test-db"]  # fmt: skip
    once(words + ([f"--user={_user()}"] if os.geteuid() == 0 else []), at)
    return data


def _user() -> str:
    import pwd

    return pwd.getpwuid(NOBODY).pw_name


def _server(at: Path, name: str, data: Path, *options: str) -> Node:
    port, cluster_port, where = free_port(), free_port(), Path(f"{at}/{name}.sock")
    words = [
        program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--basedir={root()}/usr", f"--port={port}",
        "--bind-address=127.0.0.1", f"--socket={where}", f"--tmpdir={at}/{name}-tmp", f"--pid-file={at}/{name}.pid",
        "--skip-name-resolve", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--max-connections=20",
        "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF", "--binlog-format=ROW", "--default-storage-engine=InnoDB",
        "--innodb-autoinc-lock-mode=2", f"--lc-messages-dir={root()}/usr/share/mysql", f"--plugin-dir={root()}/usr/lib/mysql/plugin",
        *(one.replace("@PORT@", str(cluster_port)) for one in options),
    ]  # fmt: skip
    made = Node(Server(name, words, at, lambda: False), port, cluster_port, where)
    made.server.failures = (pymysql.Error, OSError)
    made.server.ready = made.answers
    return made


@contextmanager
def nodes(at: Path, count: int, cluster: str = "deployctl", *more: str) -> Iterator[list[Node]]:
    """Give the nodes of one cluster, all of them synced; each joins by a copy of the first."""
    made: list[Node] = []
    with _ended(made):
        for number in range(count):
            members = "" if number == 0 else f"127.0.0.1:{made[0].cluster_port}"
            made.append(_node(at, f"{cluster}{number}", cluster, members, more))
            made[-1].server.ready = made[-1].synced
            made[-1].server.start()
        yield made


@contextmanager
def _ended(made: list[Node]) -> Iterator[None]:
    try:
        yield
    finally:
        for one in reversed(made):
            one.server.stop()


def _node(at: Path, name: str, cluster: str, members: str, more: tuple[str, ...]) -> Node:
    copies = free_port()
    provider = (
        "base_host=127.0.0.1", "base_port=@PORT@", "gmcast.listen_addr=tcp://127.0.0.1:@PORT@",
        f"ist.recv_addr=127.0.0.1:{free_port()}",  # the next port unless it is said, and that may be taken
        "gcache.size=16M", "gcs.fc_limit=4", "gcs.fc_factor=0.5", "evs.suspect_timeout=PT1S", "evs.inactive_timeout=PT3S",
        "evs.keepalive_period=PT0.3S", "evs.inactive_check_period=PT0.3S",
    )  # fmt: skip
    options = (
        "--wsrep-on=ON",
        f"--wsrep-provider={root()}/{PROVIDER}",
        f"--wsrep-cluster-name={cluster}",
        f"--wsrep-cluster-address=gcomm://{members}",
        f"--wsrep-node-name={name}",
        "--wsrep-node-address=127.0.0.1:@PORT@",
        f"--wsrep-sst-receive-address=127.0.0.1:{copies}",
        "--wsrep-sst-method=rsync",
        f"--wsrep-provider-options={';'.join(provider)}",
        f"--log-bin={name}-bin",
        "--log-slave-updates",
        "--server-id=1",
    )
    return _server(at, name, _data(at, name), *options, *more)


@contextmanager
def replica(at: Path, of: Node, name: str = "async") -> Iterator[Node]:
    """Give an asynchronous replica of a server."""
    one = _server(at, name, _data(at, name), "--server-id=99", "--relay-log=relay")
    with running(one.server):
        one.do(
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={of.port}, MASTER_USER='copy', "
            "MASTER_PASSWORD='copy', MASTER_CONNECT_RETRY=1",
            "START SLAVE",
        )
        yield one
