"""A server on loopback that answers as a test tells it, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request as the server got it."""

    method: str
    path: str
    query: dict[str, str]
    token: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def watching(self) -> bool:
        return self.query.get("watch") == "true"


@dataclass(frozen=True)
class Reply:
    """A whole body; or `lines`, streamed, then silence, then the end (cut off where `cut`)."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    lines: tuple[Any, ...] | None = None
    silent_seconds: float = 0.0
    cut: bool = False

    def text(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answer = Callable[[Call], Reply]


class Server(ThreadingHTTPServer):
    """Listens from the moment it is made."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.calls = answer, list[Call]()
        self.closing = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Bear a client that hangs up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def watches(self) -> list[Call]:
        return [one for one in self.calls if one.watching]

    def lists(self) -> list[Call]:
        return [one for one in self.calls if not one.watching]

    def kubeconfig(self, folder: Path, user: Json | None = None, server: str = "") -> str:
        """Write a kubeconfig that leads here."""
        user = {"token": "good"} if user is None else user
        return write_kubeconfig(folder, server or self.url, user)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        call = Call(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query)),
            token,
            dict(self.headers),
            self.rfile.read(size),
        )
        self.server.calls.append(call)
        reply = self.server.answer(call)
        self._stream(reply) if reply.lines is not None else self._whole(reply)

    do_GET = do_POST = do_PATCH = do_PUT = _serve

    def _whole(self, reply: Reply) -> None:
        text = reply.text()
        self._head(reply, {"Content-Length": str(len(text))})
        self.wfile.write(text)

    def _stream(self, reply: Reply) -> None:
        self._head(reply, {"Transfer-Encoding": "chunked"})
        for line in reply.lines or ():
            text = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.wfile.flush()
        self.server.closing.wait(reply.silent_seconds)
        self.close_connection = True
        if not reply.cut:
            self.wfile.write(b"0\r\n\r\n")

    def _head(self, reply: Reply, more: dict[str, str]) -> None:
        self.send_response(reply.status)
        for key, value in {"Content-Type": "application/json", **more, **reply.headers}.items():
            self.send_header(key, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    server = Server(answer)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def write_kubeconfig(folder: Path, server: str, user: Json, context: str = "here") -> str:
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u", "namespace": "igaming"}}],
        "current-context": context,
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(whole))
    return str(file)


def status(code: int, message: str, reason: str = "", **details: Any) -> Json:
    """Build the Status that Kubernetes answers with."""
    whole = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return {**whole, "details": details} if details else whole


def eventually(claim: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Say whether a claim comes true in time."""
    deadline = time.monotonic() + seconds
    while not (true := claim()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return true
