"""Starts a sandbox that outlives its terminal, and ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from deployctl.errors import DeployctlError, UsageError
from deployctl.sandbox.practice.home import Home, State

START_SECONDS = 20.0
END_SECONDS = 10.0
LOOK_SECONDS = 0.02
_children: dict[int, subprocess.Popen[bytes]] = {}  # of this process, to bury them when they are ended here


def start(home: Home, port: int = 0, pods: int | None = None) -> State:
    """Start a sandbox; its API answers when this returns, its pods are still coming up."""
    home.make()
    options = ["--state", str(home.folder), "--port", str(port)]
    options += [] if pods is None else ["--pods", str(pods)]
    with home.log.open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "deployctl.sandbox.practice.daemon", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _children[daemon.pid] = daemon
    return _started(home, daemon)


def _started(home: Home, daemon: subprocess.Popen[bytes]) -> State:
    """Wait for its word; a start that fails or is interrupted leaves no process."""
    state = None
    try:
        state = _awaited(home, daemon)
    finally:
        if state is None:
            daemon.kill()
            _children.pop(daemon.pid).wait()
    return state


def _awaited(home: Home, daemon: subprocess.Popen[bytes]) -> State:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        state = home.state()
        if state and state.pid == daemon.pid:
            return state
        if daemon.poll() is not None:
            raise _died(home, daemon.returncode)
        time.sleep(LOOK_SECONDS)
    raise DeployctlError(f"the sandbox did not come up in {START_SECONDS:.0f} s", advice=f"see {home.log}")


def _died(home: Home, code: int) -> DeployctlError:
    """Say why it did not start: it refused in one line, or something broke."""
    lines = home.log.read_text(errors="replace").strip().splitlines() or ["it wrote nothing"]
    if code == 2:
        return UsageError(lines[-1].removeprefix("error: "))
    return DeployctlError(f"the sandbox ended while it started: {lines[-1]}", advice=f"see {home.log}")


def stop(home: Home) -> bool:
    """End the sandbox and wait until it is gone; False where none ran."""
    state = home.state()
    if not home.is_held():
        home.clear()
        return False
    if state is None:
        raise DeployctlError(f"{home.folder} is held by a sandbox that is only starting", advice="try again")
    _signal(state.pid, signal.SIGTERM)
    if not _gone(home):
        _signal(state.pid, signal.SIGKILL)
        _gone(home)
    if state.pid in _children:
        _children.pop(state.pid).wait()
    home.clear()
    return True


def _signal(pid: int, number: int) -> None:
    """Signal the process that holds the folder's lock: while it is held, its pid is nobody else's."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _gone(home: Home) -> bool:
    until = time.monotonic() + END_SECONDS
    while home.is_held():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_SECONDS)
    return True
