"""What the tests of real processes share: a pod's object, a wait with an end, a question over HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 8.0


def pod(name: str, *, lifecycle: Any = None, **env: str) -> dict[str, Any]:
    box: dict[str, Any] = {
        "name": "app",
        "image": "any/image:1",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": key, "value": value} for key, value in env.items()],
    }
    if lifecycle:
        box["lifecycle"] = lifecycle
    meta = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "labels": {"tier": "web"}}
    return {"metadata": meta, "spec": {"containers": [box]}, "status": {"podIP": "10.244.0.9"}}


def until(true: Callable[[], object]) -> Any:
    """Wait until something is true and give it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := true()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be buried does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return not stat.startswith("Z") and stat != ""


def asked(address: str, path: str = "/") -> str:
    """Ask over a connection of its own; give the whole answer."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode()


def refused(port: int) -> bool:
    """Whether nobody takes a connection at a port of the loopback."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0
