"""One practice cluster as a process: its API, its controllers, its pods and its Services, until SIGTERM."""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from deployctl._version import __version__
from deployctl.sandbox.api.apiserver import ApiServer
from deployctl.sandbox.api.wire import serve
from deployctl.sandbox.calls import Answer, Call
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.controllers import employ_all
from deployctl.sandbox.faults import Fault, Faults
from deployctl.sandbox.pods.processes import Processes
from deployctl.sandbox.practice.front import PROPAGATION_SECONDS, Front
from deployctl.sandbox.practice.home import Home, State
from deployctl.sandbox.practice.platform import NAMESPACE, objects, remembering, where
from deployctl.sandbox.store import Event

Json = dict[str, Any]
LOOK_SECONDS = 0.1
ENOUGH_FILES = 10_240  # more is refused by macOS


class Sandbox:
    """A whole cluster of this process, in real time."""

    def __init__(
        self,
        port: int = 0,
        token: str = "",
        propagation_seconds: float = PROPAGATION_SECONDS,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.cluster = Cluster(steady(), seed=secrets.randbits(32))
        self.runtime = Processes()
        employ_all(self.cluster, self.runtime)
        self.cluster.store.listeners.append(self._heard)
        self.server = ApiServer(self.cluster, self.runtime)
        self.front = Front(self.cluster.store, self.runtime.address, propagation_seconds)
        self.faults = Faults(self.cluster, faults)
        self.wire = serve(self.server, "127.0.0.1", port, token, self.faults.around)

    def install(self, pods: int | None = None) -> None:
        """Create the example platform, with so many pods for each service."""
        self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        for one in objects(pods):
            self._create(remembering(one))

    def services(self) -> dict[str, str]:
        """Say where each port of each Service is found."""
        found = self.front.addresses().items()
        return {f"{namespace}/{name}:{port}": address for (namespace, name, port), address in found}

    def close(self) -> None:
        """End everything; no pod is left."""
        self.wire.close()
        self.front.close()
        self.runtime.close()

    def _create(self, one: Json) -> None:
        answer = self.server.call(Call("POST", where(one), body=one, agent="deployctl"))
        if isinstance(answer, Answer) and answer.status >= 300:
            raise RuntimeError(f"{one['kind']} {one['metadata']['name']}: {answer.body!r}")

    def _heard(self, event: Event) -> None:
        if event.resource == "pods" and event.change == "DELETED":
            self.runtime.forget(event.object)


def steady() -> Callable[[], float]:
    """Give a clock that starts with the time of day and never jumps."""
    offset = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset


def main() -> int:
    """Run until SIGTERM; exit code 2 where the port or the folder is taken."""
    args = parser().parse_args()
    home = Home(args.state)
    if not home.take():
        return _refuse(f"another sandbox holds {home.folder}")
    allow_many_connections()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ends = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ends.set())
    token = secrets.token_hex(16)
    try:
        sandbox = Sandbox(args.port, token, args.propagation, args.faults)
    except OSError as error:
        return _refuse(f"port {args.port}: {os.strerror(error.errno or 0)}")
    state = State(os.getpid(), time.time(), sandbox.wire.port, token, __version__)
    home.write(state)
    if args.pods != 0:
        sandbox.install(args.pods)
    keep(sandbox, home, state, ends)
    return 0


def keep(sandbox: Sandbox, home: Home, state: State, ends: threading.Event) -> None:
    """Say where the Services are found as they come and go, until the end."""
    while not ends.wait(LOOK_SECONDS if state.installed else 0):
        now = replace(state, installed=True, services=sandbox.services())
        if now != state:
            home.write(now)
        state = now
    sandbox.close()
    home.clear()


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deployctl.sandbox.practice.daemon", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the folder of the kubeconfig")
    parser.add_argument("--port", type=int, default=0, help="of the API; 0 takes a free one")
    parser.add_argument("--pods", type=int, help="of each example service; 0 installs none")
    parser.add_argument(
        "--propagation",
        type=float,
        default=PROPAGATION_SECONDS,
        help="seconds until a Service's port hears of its endpoints",
    )
    parser.add_argument(
        "--faults", type=planned, default=(), metavar="FILE", help="a JSON list of faults that befall calls"
    )
    return parser


def planned(file: str) -> list[Fault]:
    """Read a plan of faults: `[{"kind": "dropAfter", "method": "PATCH", "call": 2}]`."""
    try:
        return msgspec.json.decode(Path(file).read_bytes(), type=list[Fault])
    except (OSError, msgspec.MsgspecError) as error:
        raise argparse.ArgumentTypeError(f"{file}: {error}") from error


def allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = ENOUGH_FILES if most == resource.RLIM_INFINITY else min(most, ENOUGH_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))


def _refuse(why: str) -> int:
    print(f"error: {why}", file=sys.stderr, flush=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
