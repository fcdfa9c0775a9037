"""What `release` does: check, plan, ask where the context is protected, and run."""

from __future__ import annotations

import datetime as dt
import fnmatch
import os
import sys
from dataclasses import dataclass, replace

import typer

from deployctl.cli.flags import Flags, span
from deployctl.cli.session import Subject, carry_out, outliving, show, story, subject, tell
from deployctl.cluster import access
from deployctl.cluster.api import Api
from deployctl.errors import Conflict, UsageError
from deployctl.prepare import Found, Prepared, Wanted, find, names_of, prepare, refuse, supported
from deployctl.releases import Plan, Run, finished_by_itself, forget_copies, fresh, in_flight
from deployctl.rollout import Orders
from deployctl.spec import App, digest
from deployctl.template import digest as template_digest
from strategies.model import Wish

PROTECTED = "DEPLOYCTL_PROTECTED_CONTEXTS"


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `release` as they were given."""

    image: list[str]
    restart: bool
    promote: str
    wait: str
    timeout: str
    on_timeout: str
    accept_sync: bool
    reason: str
    yes: bool
    plan: str = ""


def release(flags: Flags, target: str, ask: Asked) -> int:
    """Release an app; give the exit code."""
    one_of("--wait", ask.wait or "finished", ("finished", "promoted"))
    one_of("--on-timeout", ask.on_timeout, ("abort", "hold"))
    api, found = subject(flags, target, able)
    able_to_show(api, found.app)
    there = tidy(flags, api, found)
    at = dt.datetime.now(dt.UTC).isoformat() if ask.restart else ""
    found = replace(found, app=promoting(found.app, ask.promote))
    ready = ready_to_go(api, found, Wanted(images(ask.image), at, ask.accept_sync), there)
    if ready.nothing_to_do:
        return unchanged(flags, found.app.name)
    plan = planned(api, found, ready, accept_sync=ask.accept_sync, why=ask.reason)
    return go(flags, api, plan, found.app, ask)


def unchanged(flags: Flags, app: str) -> int:
    show(flags, {"app": app, "outcome": "unchanged"}, f"{app}: nothing to do, this template is live")
    return 0


def go(flags: Flags, api: Api, plan: Plan, app: App, ask: Asked) -> int:
    """Ask where the context is protected, and run to the end."""
    seconds = span("--timeout", ask.timeout)
    orders = Orders(seconds, ask.on_timeout, ask.wait == "promoted", keep_seconds(app))
    allowed(flags, api, f"release {app.name}", yes=ask.yes)
    return carry_out(flags, Run(api, plan, story(flags, app.name), orders, waiting=outliving(app.name)))


def tidy(flags: Flags, api: Api, found: Subject) -> Found | None:
    """Finish the release before, where its process died or Kubernetes has retired its old side by itself.

    Gives the app as it is there, or None where that has changed it.
    """
    there = find(api, names_of(found.app, api.namespace))
    forget_copies(api, there)
    if not finished_by_itself(there):
        return there
    tell(f"{found.app.name}: finishing the release before, whose old side Kubernetes has retired")
    plan = in_flight(there, found.app, found.kept.template)
    Run(api, plan, story(flags, found.app.name), Orders(wish=Wish.FINISH)).run()
    return None


def allowed(flags: Flags, api: Api, what: str, *, yes: bool) -> None:
    """Ask once where the context matches DEPLOYCTL_PROTECTED_CONTEXTS (patterns, comma-separated)."""
    patterns = os.environ.get(PROTECTED, "").split(",")
    if yes or not any(fnmatch.fnmatch(api.context, one.strip()) for one in patterns):
        return
    if flags.no_input or not sys.stdin.isatty():
        raise UsageError(f"context {api.context} is protected ({PROTECTED})", advice="pass --yes to go on")
    if not typer.confirm(f"{what} in namespace {api.namespace} (protected context {api.context})?", err=True):
        raise UsageError("nothing was done")


def one_of(flag: str, given: str, expected: tuple[str, ...]) -> None:
    if given not in expected:
        raise UsageError(f"{flag} {given}: unknown; expected one of {', '.join(expected)}")


def images(given: list[str]) -> dict[str, str]:
    """Read `--image`: CONTAINER=REF, or REF alone for the only container."""
    pairs = (one.partition("=") for one in given)
    return {name if sep else "": ref if sep else name for name, sep, ref in pairs}


def promoting(app: App, promote: str) -> App:
    """Let `--promote` stand in for the spec's word."""
    if not promote:
        return app
    one_of("--promote", promote, ("auto", "manual"))
    chosen = app.spec.strategy
    if not hasattr(chosen.options, "promote"):
        raise UsageError(
            f"--promote: strategy {chosen.kind} has no promotion", advice="use `deployctl pause`"
        )
    import msgspec

    strategy = msgspec.structs.replace(chosen, options=replace(chosen.options, promote=promote))
    return msgspec.structs.replace(app, spec=msgspec.structs.replace(app.spec, strategy=strategy))


def keep_seconds(app: App) -> float:
    return float(getattr(app.spec.strategy.options, "keep_old_seconds", 0.0))


def able(api: Api) -> None:
    """Check the server's version and our rights before anything else is asked of it."""
    supported(api)
    access.check(api, api.namespace)


def able_to_show(api: Api, app: App) -> None:
    """Check the rights that only a preview Service needs."""
    if app.preview_service:
        access.check(api, api.namespace, access.PREVIEW_SERVICE)


def ready_to_go(api: Api, found: Subject, wanted: Wanted, there: Found | None) -> Prepared:
    """Find the app, unless that was done, and complete its template; nothing is touched."""
    ready = prepare(api, found.app, found.objects, wanted, there)
    for warning in ready.warnings:
        tell(f"warning: {warning}")
    return ready


def planned(  # noqa: PLR0913 - what a plan is made of
    api: Api, found: Subject, ready: Prepared, *, accept_sync: bool, why: str, content: str = ""
) -> Plan:
    """Plan to begin, or to go on where the same release stands."""
    if ready.memory is None:
        refuse(api, ready, found.app, accept_sync=accept_sync)
        return fresh(ready, found.app, content=content or digest(found.app, found.objects), why=why)
    if ready.memory.preview != template_digest(ready.preview):
        app = found.app.name
        raise Conflict(
            f"another release of {app} is in flight, begun by {ready.memory.by} at {ready.memory.at}",
            advice=f"`deployctl resume {app}` goes on with it, `deployctl abort {app}` turns it round",
        )
    return in_flight(ready, found.app, ready.preview)
