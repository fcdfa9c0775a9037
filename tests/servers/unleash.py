"""Unleash, from npm, on a PostgreSQL of its own."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import packages, postgres
from tests.servers.running import Server, free_port, running

VERSION = "8.2.0"
ADMIN, CLIENT, FRONTEND = "*:*.admin-of-the-test", "default:development.client", "default:development.page"
SETTINGS = {
    "DATABASE_SSL": "false",
    "HTTP_HOST": "127.0.0.1",
    "INIT_ADMIN_API_TOKENS": ADMIN,
    "INIT_BACKEND_API_TOKENS": CLIENT,
    "INIT_FRONTEND_API_TOKENS": FRONTEND,
    "CHECK_VERSION": "false",
    "SEND_TELEMETRY": "false",
    "LOG_LEVEL": "warn",
}


@dataclass
class Unleash:
    """One server; calls go as its admin."""

    server: Server
    url: str

    def call(self, method: str, path: str, body: Any = None, token: str = ADMIN) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": token, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def make(self, name: str) -> str:
        """Make a flag that is off everywhere."""
        self.call("POST", "/api/admin/projects/default/features", {"name": name, "type": "release"})
        return f"/api/admin/projects/default/features/{name}/environments/development"

    def answers(self) -> bool:
        return bool(self.call("GET", "/health")["health"] == "GOOD")


@contextmanager
def unleash(at: Path) -> Iterator[Unleash]:
    program, node = packages.npm("unleash-server", VERSION), shutil.which("node")
    if node is None:
        raise packages.NotToBeHad("node is not on this machine")
    with postgres.primary(at) as database:
        database.do("CREATE DATABASE unleash")
        port = free_port()
        where = f"postgres://postgres@127.0.0.1:{database.port}/unleash"
        words = [node, str(program / "node_modules/unleash-server/dist/server.js")]
        made = Unleash(Server("unleash", words, at, lambda: False), f"http://127.0.0.1:{port}")
        made.server.ready = made.answers
        made.server.environment = {**SETTINGS, "DATABASE_URL": where, "HTTP_PORT": str(port)}
        with running(made.server):
            yield made
