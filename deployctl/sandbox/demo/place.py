"""Where a story happens: a sandbox of its own, a copy of the manifests, and customers that never stop."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from deployctl.errors import DeployctlError
from deployctl.sandbox.calls import MERGE_PATCH
from deployctl.sandbox.load import Load
from deployctl.sandbox.practice.client import Client, checked
from deployctl.sandbox.practice.home import Home, State
from deployctl.sandbox.practice.launching import start, stop
from deployctl.sandbox.practice.looking import look
from deployctl.sandbox.practice.platform import NAMESPACE, example

RATE = 40.0  # requests a second on new connections and as many on kept ones
READY_SECONDS = 60.0
LOOK_SECONDS = 0.1
PATHS = {"balances": "/balances/{player}", "game-sessions": "/"}


def manifests(folder: Path) -> Path:
    """Copy the example platform, as a user's own repository."""
    shutil.copytree(example(), folder / "igaming", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@contextmanager
def sandbox(home: Home, tell: Callable[[str], None]) -> Iterator[Home]:
    """Keep a sandbox of its own for the length of the story, its example platform ready."""
    began = time.monotonic()
    try:
        client = Client(start(home))
        while not _settled(client, state := _state(home)):
            if time.monotonic() - began > READY_SECONDS:
                raise DeployctlError(
                    "the example platform did not get ready", advice="deployctl sandbox up tells more"
                )
            time.sleep(LOOK_SECONDS)
        took = time.monotonic() - began
        tell(f"The practice cluster is up after {took:.1f} s, on port {state.port}.\n")
        yield home
    finally:
        stop(home)


def _settled(client: Client, state: State) -> bool:
    """Say whether both services are there, and all their pods serve."""
    doors = {f"{NAMESPACE}/{app}:80" for app in PATHS}
    return doors <= state.services.keys() and look(client, state).is_settled


def _state(home: Home) -> State:
    found = home.state()
    if found is None:
        raise DeployctlError("the sandbox has ended", advice="deployctl sandbox up tells more")
    return found


def loads(going: ExitStack, home: Home, app: str) -> list[Load]:
    """Start the customers of one app: some connect anew each time, some keep their connections."""
    address = _state(home).services[f"{NAMESPACE}/{app}:80"]
    url = f"http://{address}{PATHS[app]}"
    return [
        going.enter_context(
            Load(url, rate=RATE, keepalive=kept, post_share=0.0 if kept else 0.1, popen=_apart)
        )
        for kept in (False, True)
    ]


def _apart(*args: Any, **given: Any) -> subprocess.Popen[str]:
    """Start a process that a Ctrl-C at our terminal does not reach: we end it ourselves."""
    return subprocess.Popen(*args, **given, start_new_session=True)


def scale(home: Home, app: str, pods: int) -> None:
    """Do what `kubectl scale` does."""
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{app}/scale"
    checked(*Client(_state(home)).send("PATCH", path, {"spec": {"replicas": pods}}, MERGE_PATCH))
