"""fast-feature, from PyPI in an environment of its own: an OFREP server that nobody of deployctl wrote."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import packages
from tests.servers.running import Server, free_port, running

WANTED = "fast-feature[standalone,admin]==0.0.2"


@dataclass
class FastFeature:
    """One server with its own flags in memory."""

    server: Server
    url: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read() or b"{}")

    def make(self, key: str, default: str = "off", state: str = "ENABLED", **variants: Any) -> None:
        body = {"key": key, "state": state, "default_variant": default, "variants": variants}
        self.call("POST", "/admin/api/flags", body)

    def turn(self, key: str, default: str, **variants: Any) -> None:
        self.call("PUT", f"/admin/api/flags/{key}", {"default_variant": default, "variants": variants})

    def answers(self) -> bool:
        return isinstance(self.call("GET", "/admin/api/flags"), list | dict)


@contextmanager
def fast_feature(at: Path, name: str) -> Iterator[FastFeature]:
    port = free_port()
    words = [
        str(packages.python(WANTED) / "bin/fast-feature"),
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    made = FastFeature(Server(name, words, at, lambda: False), f"http://127.0.0.1:{port}")
    made.server.ready = made.answers
    made.server.environment = {"FAST_FEATURE_ADMIN": "true", "FAST_FEATURE_BACKEND": "inmemory"}
    with running(made.server):
        yield made
