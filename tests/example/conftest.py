"""Starts the example app as a local process, on a free port of the loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

APP = Path(__file__).parents[2] / "manifests" / "igaming" / "app.py"
ODDS = APP.with_name("odds.py")
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class App:
    """One running app; `ask` takes a connection of its own, `connect` gives one to keep."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def dial(self, text: str) -> socket.socket:
        """Send these bytes on a new connection."""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        sock.sendall(text.encode())
        return sock

    def ask(self, method: str, path: str, fields: object = None) -> Reply:
        connection = self.connect()
        connection.request(method, path, None if fields is None else json.dumps(fields))
        try:
            return reply(connection.getresponse())
        finally:
            connection.close()

    def ended(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)


def reply(response: HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read().decode())


def everything(sock: socket.socket) -> str:
    """Read what the peer sends until it closes."""
    with sock, sock.makefile("rb") as stream:
        return stream.read().decode()


Start = Callable[..., App]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start an app with these settings; all of them end with the test."""
    with ExitStack() as stack:
        yield lambda **env: stack.enter_context(_running(env))


@dataclass(frozen=True, slots=True)
class Odds:
    """One running odds: its pages, and the port of its gRPC."""

    app: App
    grpc_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.grpc_port}"


@pytest.fixture
def start_odds() -> Iterator[Callable[..., Odds]]:
    """Start an odds with these settings; all of them end with the test."""
    with ExitStack() as stack:
        yield lambda **env: _speaking(stack.enter_context(_running({"GRPC_PORT": "0", **env}, ODDS)))


def _speaking(app: App) -> Odds:
    assert app.process.stdout
    return Odds(app, int(app.process.stdout.readline().rpartition(":")[2]))


class _running:
    """An app from its first line to its end."""

    def __init__(self, env: dict[str, str], file: Path = APP) -> None:
        self.file = file
        self.env = {**os.environ, "HOST": "127.0.0.1", "PORT": "0", "HOSTNAME": "pod-1", **env}

    def __enter__(self) -> App:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, str(self.file)], env=self.env, stdout=pipe, stderr=pipe, text=True
        )
        assert self.process.stdout
        port = self.process.stdout.readline().rpartition(":")[2]
        return App(self.process, int(port or 0))

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
