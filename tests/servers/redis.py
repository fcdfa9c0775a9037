"""Redis and memcached: small servers, up in a moment."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.packages import program
from tests.servers.running import Server, folder, free_port, running


@dataclass
class Redis:
    """One instance, reached by tests over the wire."""

    server: Server
    port: int
    password: str

    def do(self, *words: str) -> Any:
        """Carry out one command with the official client."""
        import redis

        line = redis.Redis(host="127.0.0.1", port=self.port, password=self.password, socket_timeout=5)
        try:
            return line.execute_command(*words)
        finally:
            line.close()

    def answers(self) -> bool:
        return bool(self.do("PING"))


@contextmanager
def redis(at: Path, name: str, *settings: str, password: str = "hunter2") -> Iterator[Redis]:
    """Give an instance with a folder of its own; settings as on its command line."""
    from redis.exceptions import RedisError

    port = free_port()
    data = folder(at / name)
    words = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(data), "--save", "", "--requirepass", password, "--masterauth", password]  # fmt: skip
    words += ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", *settings]
    one = Redis(Server(name, words, at, lambda: False, failures=(RedisError, OSError)), port, password)
    one.server.ready = one.answers
    with running(one.server):
        yield one


@contextmanager
def memcached(at: Path, name: str, *settings: str) -> Iterator[tuple[int, Server]]:
    """Give the port of a memcached, and its process."""
    port = free_port()
    words = [program("memcached"), "-l", "127.0.0.1", "-p", str(port), "-U", "0", *settings]
    words += ["-u", "nobody"] if os.geteuid() == 0 else []
    server = Server(name, words, at, lambda: b"VERSION" in say(port, b"version\r\n"))
    with running(server):
        yield port, server


def say(port: int, words: bytes) -> bytes:
    """Say something to a memcached, and give what it says."""
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(words)
        return line.recv(65536)
