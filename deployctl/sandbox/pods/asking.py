"""Asks a local process over a plain socket, as a kubelet asks a pod."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request."""

    status: int
    body: bytes
    content_type: str


def get(port: int, path: str, timeout_seconds: float) -> Reply:
    """Ask for a path on the loopback; OSError where nobody answers in time, EOFError where not to the end."""
    path = path if path.startswith("/") else f"/{path}"
    head = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: kube-probe/1.35\r\nConnection: close\r\n\r\n"
    )
    return _exchanged(port, head.encode(), timeout_seconds)


def post(port: int, path: str, body: Any, timeout_seconds: float) -> Reply:
    """Post JSON to a path on the loopback; fails as `get` does."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return _exchanged(port, head.encode() + content, timeout_seconds)


def _exchanged(port: int, request: bytes, timeout_seconds: float) -> Reply:
    with socket.create_connection(("127.0.0.1", port), timeout_seconds) as sock:
        sock.sendall(request)
        return _parse(_everything(sock))


def touch(port: int, timeout_seconds: float) -> None:
    """Open a connection and close it; OSError where nobody takes it."""
    socket.create_connection(("127.0.0.1", port), timeout_seconds).close()


def _everything(sock: socket.socket) -> bytes:
    whole = b""
    while chunk := sock.recv(CHUNK_BYTES):
        whole += chunk
    return whole


def _parse(whole: bytes) -> Reply:
    head, blank, body = whole.partition(b"\r\n\r\n")
    if not blank:
        raise EOFError
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
    return Reply(int(first.split(" ")[1]), body, headers.get("content-type", ""))
