"""RabbitMQ with its management plugin: one node, or several of one cluster."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.servers.packages import environment, root
from tests.servers.running import Server, _as_nobody, folder, free_port, own, running, scratch

USER, PASSWORD = "tests", "tests"
COOKIE = "DEPLOYCTLTESTS"
# The server is a child of its script, and would outlive it: what ends the one ends the whole group.
LEASH = 'trap "kill -KILL 0" TERM; "$@" & wait'


@dataclass
class Node:
    """One node, reached by tests over its management API."""

    server: Server
    name: str
    port: int
    amqp: int
    environment: dict[str, str] = field(repr=False)

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        where = f"http://127.0.0.1:{self.port}/api{path}"
        return httpx.request(method, where, json=body, auth=(USER, PASSWORD), timeout=10)

    def answers(self) -> bool:
        return self.ask("GET", "/overview").status_code == 200

    def ctl(self, *words: str) -> str:
        """Run rabbitmqctl beside the node."""
        done = subprocess.run(
            [program_of("rabbitmqctl"), "-n", self.name, *words],
            env={**environment(), **self.environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=self.server.at,
            **_as_nobody(),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def publish(self, queue: str, count: int = 1, **properties: Any) -> None:
        body = {
            "properties": properties,
            "routing_key": queue,
            "payload": "bet",
            "payload_encoding": "string",
        }
        for _ in range(count):
            self.ask("POST", "/exchanges/%2F/amq.default/publish", body).raise_for_status()


def program_of(name: str) -> str:
    """Name a script of RabbitMQ's own: those on the PATH switch to a user that is not there."""
    return str(next(root().glob(f"usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/{name}")))


@contextmanager
def names() -> Iterator[int]:
    """Give the port of an epmd, in which nodes find each other."""
    port = free_port()
    epmd = str(next((root() / "usr/lib/erlang").glob("erts-*/bin/epmd")))
    with scratch("epmd") as at:

        def ready() -> bool:
            return (
                subprocess.run(
                    [epmd, "-port", str(port), "-names"], capture_output=True, check=False
                ).returncode
                == 0
            )

        words = [epmd, "-port", str(port), "-address", "127.0.0.1"]
        with running(Server("epmd", words, at, ready)):
            yield port


@contextmanager
def node(at: Path, known_at: int, name: str = "rabbit", *more: str) -> Iterator[Node]:
    """Give a node of its own, known to the epmd at that port; with more lines of configuration."""
    home = folder(at / name)
    port, amqp = free_port(), free_port()
    cookie = home / ".erlang.cookie"
    cookie.write_text(COOKIE)
    cookie.chmod(0o400)
    own(cookie)
    (home / "rabbitmq.conf").write_text(
        f"listeners.tcp.default = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\n"
        f"default_user = {USER}\ndefault_pass = {PASSWORD}\ncollect_statistics_interval = 500\n"
        "disk_free_limit.absolute = 1MB\nlog.console = true\nlog.file = false\n"
        + "".join(f"{one}\n" for one in more)
    )
    (home / "plugins").write_text("[rabbitmq_management].\n")
    settings = {
        "RABBITMQ_NODENAME": f"{name}@localhost", "RABBITMQ_MNESIA_BASE": str(home), "RABBITMQ_LOG_BASE": str(home),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"), "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_DIST_PORT": str(free_port()), "HOME": str(home),
        "ERL_EPMD_PORT": str(known_at), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_MAX_PORTS": "1024",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +S 2:2", "RABBITMQ_CTL_DIST_PORT_MIN": "40000", "RABBITMQ_CTL_DIST_PORT_MAX": "49000",
    }  # fmt: skip
    for one in ("rabbitmq.conf", "plugins"):
        own(home / one)
    words = ["/bin/sh", "-c", LEASH, "sh", program_of("rabbitmq-server")]
    server = Server(name, words, home, lambda: False, settings, failures=(httpx.HTTPError,))
    server.orphaned = signal.SIGTERM
    made = Node(server, f"{name}@localhost", port, amqp, settings)
    server.ready = made.answers
    with running(server):
        yield made
