"""`release`: from the first check to the last write."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Annotated

import typer

from deployctl.cli.flags import Flags, shared, span
from deployctl.cli.session import Subject, carry_out, show, story, subject, tell
from deployctl.cluster import access
from deployctl.cluster.api import Api
from deployctl.errors import Conflict, UsageError
from deployctl.prepare import Prepared, Wanted, prepare, refuse, supported
from deployctl.releases import Plan, Run, fresh, in_flight
from deployctl.rollout import Orders
from deployctl.spec import App, digest
from deployctl.template import digest as template_digest

Subjects = Annotated[
    str, typer.Argument(metavar="FILE|APP", help="A spec file, its folder, or an app's name.")
]
Image = Annotated[list[str], typer.Option(metavar="[CONTAINER=]REF", help="Release this image; repeatable.")]
Restart = Annotated[bool, typer.Option("--restart", help="Release the same template with new pods.")]
Promote = Annotated[str, typer.Option(metavar="auto|manual", help="Instead of the spec's.")]
Wait = Annotated[
    str, typer.Option(metavar="finished|promoted", help="Return when the old side is gone, or before.")
]
Timeout = Annotated[str, typer.Option(envvar="DEPLOYCTL_TIMEOUT", help="Until promoted, such as 30m.")]
OnTimeout = Annotated[str, typer.Option(metavar="abort|hold", help="What to do at the time-out.")]
AcceptSync = Annotated[
    bool, typer.Option("--accept-sync", help="Go on although a GitOps sync may interfere.")
]
Reason = Annotated[str, typer.Option(help="Kept in the record.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@shared
def release(  # noqa: PLR0913 - one parameter a flag
    flags: Flags,
    target: Subjects,
    *,
    image: Image = [],  # noqa: B006 - typer's way
    restart: Restart = False,
    promote: Promote = "",
    wait: Wait = "finished",
    timeout: Timeout = "30m",
    on_timeout: OnTimeout = "abort",
    accept_sync: AcceptSync = False,
    reason: Reason = "",
    yes: Yes = False,
) -> None:
    """Release FILE or APP: bring up, gate, shift, keep, finish.

    Run it again to go on where an earlier run was interrupted. Exit codes: 0 done, 3 a gate said no and the old
    version serves, 4 waiting for a person, 5 time ran out, 6 somebody else is at it, 7 not allowed.
    """
    del yes
    one_of("--wait", wait, ("finished", "promoted"))
    one_of("--on-timeout", on_timeout, ("abort", "hold"))
    wanted = Wanted(images(image), dt.datetime.now(dt.UTC).isoformat() if restart else "", accept_sync)
    api, found = subject(flags, target)
    found = replace(found, app=promoting(found.app, promote))
    ready = ready_to_go(api, found, wanted)
    if ready.nothing_to_do:
        return show(
            flags, {"outcome": "unchanged"}, f"{found.app.name}: nothing to do, this template is live"
        )
    orders = Orders(span("--timeout", timeout), on_timeout, wait == "promoted", keep_seconds(found.app))
    plan = planned(api, found, ready, accept_sync=accept_sync, why=reason)
    raise typer.Exit(carry_out(flags, Run(api, plan, story(flags, found.app.name), orders)))


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


def ready_to_go(api: Api, found: Subject, wanted: Wanted) -> Prepared:
    """Check the server, our rights and the app; nothing is touched."""
    supported(api)
    access.check(api, api.namespace)
    ready = prepare(api, found.app, found.objects, wanted)
    for warning in ready.warnings:
        tell(f"warning: {warning}")
    return ready


def planned(api: Api, found: Subject, ready: Prepared, *, accept_sync: bool, why: str) -> Plan:
    """Plan to begin, or to go on where the same release stands."""
    if ready.memory is None:
        refuse(api, ready, accept_sync=accept_sync)
        return fresh(ready, found.app, content=digest(found.app, found.objects), why=why)
    if ready.memory.preview != template_digest(ready.preview):
        app = found.app.name
        raise Conflict(
            f"another release of {app} is in flight, begun by {ready.memory.by} at {ready.memory.at}",
            advice=f"`deployctl resume {app}` goes on with it, `deployctl abort {app}` turns it round",
        )
    return in_flight(ready, found.app, found.kept.template)
