"""`promote`, `pause`, `resume`, `abort`, `finish`: a person's word to a release in flight."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import msgspec
import typer

from deployctl.cli.flags import Flags, shared, span
from deployctl.cli.release import keep_seconds
from deployctl.cli.session import Subject, carry_out, recorded, show, story, tell
from deployctl.cli.session import connect as reach
from deployctl.cluster.api import Api
from deployctl.errors import UsageError
from deployctl.lock import Lock, fresh, holder_of
from deployctl.prepare import Found, find, guess, names_of
from deployctl.record import Intent, Kept, Record, now
from deployctl.releases import Run, holder, in_flight
from deployctl.rollout import Orders
from strategies.model import Wish

App = Annotated[str, typer.Argument(metavar="APP", help="The app's name, as in its spec file.")]
Timeout = Annotated[str, typer.Option(envvar="DEPLOYCTL_TIMEOUT", help="Until promoted, such as 30m.")]
Fast = Annotated[bool, typer.Option("--fast", help="Do not wait for traffic to drain off the preview.")]
PAUSE_SECONDS = 60.0


@shared
def promote(flags: Flags, app: App, *, timeout: Timeout = "30m") -> None:
    """Let the waiting preview have the traffic, and see the release to its end.

    Where another process runs the release, the wish is left for it. Example: deployctl promote balances
    """
    raise typer.Exit(_go_on(flags, app, timeout, Wish.PROMOTE))


@shared
def finish(flags: Flags, app: App, *, timeout: Timeout = "30m") -> None:
    """Retire the old side now, without waiting for keepOld.

    Example: deployctl finish balances
    """
    raise typer.Exit(_go_on(flags, app, timeout, Wish.FINISH))


@shared
def resume(flags: Flags, app: App, *, timeout: Timeout = "30m") -> None:
    """Go on with a release that was paused or whose process died.

    A dead process's lock ends after ten seconds; that is waited for. Example: deployctl resume balances
    """
    raise typer.Exit(_go_on(flags, app, timeout, None))


@shared
def pause(flags: Flags, app: App) -> None:
    """Stop the running release at its next safe point; its process ends with exit code 4.

    What stands then stands until somebody acts. Example: deployctl pause balances
    """
    api, there, _ = located(flags, app)
    lock = _lock(api, there)
    if there.memory is None or not _alive(lock):
        text = f"{app}: no process runs a release; nothing to pause"
        return show(flags, {"app": app, "paused": False}, text)
    _leave(api, there, "pause")
    until = time.monotonic() + PAUSE_SECONDS
    while _alive(lock) and time.monotonic() < until:
        time.sleep(0.3)
    if _alive(lock):
        tell(f"{app}: asked to pause; the running process has not come to a safe point yet")
        raise typer.Exit(5)
    return show(flags, {"app": app, "paused": True}, f"{app}: paused; go on with `deployctl resume {app}`")


@shared
def abort(flags: Flags, app: App, *, fast: Fast = False) -> None:
    """Turn the release round and return to stable, now, whoever runs it.

    Traffic goes back first. Needs nothing but the Kubernetes API. Example: deployctl abort balances
    """
    api, there, kept = located(flags, app)
    if there.memory is None:
        return show(
            flags, {"app": app, "outcome": "unchanged"}, f"{app}: no release is in flight; nothing to abort"
        )
    raise typer.Exit(turn_back(flags, api, there, kept, fast=fast))


def turn_back(flags: Flags, api: Api, there: Found, kept: Kept, *, fast: bool) -> int:
    """Take the release over at once and go back."""
    plan = in_flight(there, None, kept.template)
    plan = replace(plan, memory=msgspec.structs.replace(plan.memory, why=f"aborted by {holder()}"))
    run = Run(api, plan, story(flags, there.names.app), Orders(fast=fast), force=True)
    return carry_out(flags, run, back=True)


def located(flags: Flags, name: str) -> tuple[Api, Found, Kept]:
    """Find an app by name; without a readable record by its Deployment and the Services that select it."""
    api = reach(flags)
    kept = Record(api, api.namespace, name).read()
    try:
        names = names_of(recorded(api, name).app, api.namespace)
    except UsageError:
        names = guess(api, name)
    return api, find(api, names), kept


def _go_on(flags: Flags, name: str, timeout: str, wish: Wish | None) -> int:
    """Run the release to its end, or leave the wish for the process that runs it."""
    api, there, kept = located(flags, name)
    if there.memory is None:
        show(flags, {"app": name, "outcome": "unchanged"}, f"{name}: no release is in flight; nothing to do")
        return 0
    if wish and _alive(_lock(api, there)):
        _leave(api, there, wish.value)
        text = f"{name}: left for the running process; follow it with `deployctl status {name} -w`"
        show(flags, {"app": name, "outcome": "left"}, text)
        return 0
    found = _spec(api, name)
    orders = Orders(span("--timeout", timeout), wish=wish, keep_seconds=keep_seconds(found.app))
    plan = in_flight(there, found.app, kept.template)
    run = Run(api, plan, story(flags, name), orders, waiting=_outliving(name))
    return carry_out(flags, run)


def _spec(api: Api, name: str) -> Subject:
    """Read the spec from the record: without it there are no gates, and without gates no way forward."""
    return recorded(api, name)


def _outliving(name: str) -> Callable[[str, float], None]:
    """Tell once that a dead holder's lease is waited for."""
    told: list[str] = []

    def tell_once(other: str, left: float) -> None:
        if not told:
            told.append(other)
            tell(f"{name}: waiting up to {left:.0f}s for the lock of {other} to end")

    return tell_once


def _lock(api: Api, there: Found) -> Lock:
    return Lock(api, there.names.namespace, there.names.app, holder())


def _alive(lock: Lock) -> bool:
    lease = lock.look()
    return bool(lease and holder_of(lease) and fresh(lease))


def _leave(api: Api, there: Found, wish: str) -> None:
    if there.memory:
        names = there.names
        Record(api, names.namespace, names.app).leave(Intent(there.memory.id, wish, holder(), now()))
