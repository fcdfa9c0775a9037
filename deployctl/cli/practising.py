"""What the `sandbox` commands do, and what they say."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployctl.errors import DeployctlError, UsageError
from deployctl.sandbox.practice import launching
from deployctl.sandbox.practice.client import Client
from deployctl.sandbox.practice.home import Home, State, described
from deployctl.sandbox.practice.looking import Look, look
from deployctl.sandbox.practice.platform import example

Json = dict[str, Any]
AGAIN = "`deployctl sandbox up` starts a new one"
READY_SECONDS = 60.0
LOOK_SECONDS = 0.1


def form(output: str) -> str:
    """Check --output."""
    if output not in {"table", "json"}:
        raise UsageError(f"--output {output}: unknown; expected one of table, json")
    return output


def up(port: int, pods: int | None, output: str) -> None:
    home = Home()
    state = home.state() if home.is_held() else None
    if state and port not in {0, state.port}:
        raise UsageError(
            f"the sandbox runs already on port {state.port}, since {state.since}",
            advice="`deployctl sandbox down` ends it",
        )
    if state:
        tell(f"The sandbox runs already, since {state.since}.")
    else:
        state = begun(home, port, pods)
    show(output, {**described(state, home)}, lambda: story(state, home))


def begun(home: Home, port: int, pods: int | None) -> State:
    """Start it and wait for its pods, saying how far they are."""
    if before := home.state():
        tell(f"{died(before)}; a new one starts.")
    began = time.monotonic()
    state = launching.start(home, port, pods)
    tell(f"The sandbox answers on http://127.0.0.1:{state.port} after {time.monotonic() - began:.1f} s.")
    seen = awaited(home, state, began)
    tell(f"{seen.ready} of {seen.wanted} pods are ready after {time.monotonic() - began:.1f} s.")
    return home.state() or state


def awaited(home: Home, state: State, began: float) -> Look:
    """Wait until every pod that is wanted is ready and each Service has its address."""
    while True:
        with Client(state) as client:
            seen = look(client, home.state() or state)
        if seen.is_settled:
            return seen
        if time.monotonic() - began > READY_SECONDS:
            raise DeployctlError(
                f"only {seen.ready} of {seen.wanted} pods are ready after {READY_SECONDS:.0f} s",
                advice="`deployctl sandbox status` shows them",
            )
        if sys.stderr.isatty():
            print(f"{seen.ready} of {seen.wanted} pods are ready", end="\r", file=sys.stderr, flush=True)
        time.sleep(LOOK_SECONDS)


def story(state: State, home: Home) -> str:
    services = [f"  {name:28} http://{address}" for name, address in sorted(state.services.items())]
    return "\n".join(
        (
            "Services on this machine:",
            *(services or ["  none"]),
            "",
            "Next:",
            f"  export KUBECONFIG={shlex.quote(str(home.kubeconfig))}",
            f"  deployctl release {shlex.quote(_near(example('balances')))} --image any/image:2 --wait promoted",
            "  deployctl status balances",
        )
    )


def _near(path: Path) -> str:
    """Write a path as one would type it here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def down(output: str) -> None:
    home = Home()
    was = launching.stop(home)
    show(output, {"ended": was}, lambda: "The sandbox has ended." if was else "No sandbox runs.")


def status(output: str) -> int:
    home = Home()
    state = home.state()
    if not home.is_held() or state is None:
        ended = died(state) if state else "No sandbox runs"
        show(output, {"running": False, "reason": ended}, lambda: f"{ended}; {AGAIN}")
        return 1
    with Client(state) as client:
        seen = look(client, state)
    show(output, {"running": True, **described(state, home), **seen.told()}, lambda: seen.text(state))
    return 0


def died(state: State) -> str:
    return f"the sandbox of {state.since} (pid {state.pid}) died; its state is gone"


def running(home: Home) -> State:
    """Give the sandbox that runs, or say that there is none."""
    state = home.state()
    if home.is_held() and state:
        return state
    raise DeployctlError(died(state) if state else "no sandbox runs", advice=AGAIN)


def kubeconfig(*, path: bool) -> None:
    home = Home()
    running(home)
    print(home.kubeconfig if path else home.kubeconfig.read_text(), end="\n" if path else "")


def apply(files: list[str], namespace: str) -> None:
    from deployctl.sandbox.practice.applying import apply_all

    with Client(running(Home())) as client:
        for line in apply_all(client, files, namespace):
            print(line, flush=True)


def stories(output: str) -> None:
    from deployctl.sandbox.demo.run import SCENARIOS

    show(output, dict(SCENARIOS), lambda: "\n".join(f"{name:16} {text}" for name, text in SCENARIOS.items()))


def demo(scenario: str, output: str, out: str, color: str) -> int:
    from deployctl.sandbox.demo import run as told

    if scenario and scenario not in told.SCENARIOS:
        expected = ", ".join(sorted(told.SCENARIOS))
        raise UsageError(f"--scenario {scenario}: unknown; expected one of {expected}")
    return told.demo(scenario or None, output, Path(out), color)


def show(output: str, whole: Json, text: Callable[[], str]) -> None:
    print(json.dumps(whole, indent=2) if output == "json" else text(), flush=True)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
