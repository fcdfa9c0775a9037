"""`rollback`: what the on-call engineer runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.flags import Flags, shared
from deployctl.cli.session import carry_out, connect, show, story, tell
from deployctl.cli.steer import Fast, located, turn_back
from deployctl.cluster.api import Api
from deployctl.cluster.paths import path
from deployctl.errors import UsageError
from deployctl.memory import HASH
from deployctl.observe import replica_set, revision
from deployctl.prepare import Found, Json
from deployctl.record import parse
from deployctl.releases import Run, back_at_rest, holder
from deployctl.rollout import Orders
from deployctl.template import bare, digest

App = Annotated[str, typer.Argument(metavar="[APP]", help="Without it, the app that was released last.")]
To = Annotated[str, typer.Option(metavar="REV", help="kubectl's revision number or a pod-template-hash.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@shared
def rollback(flags: Flags, app: App = "", *, to: To = "", fast: Fast = False, yes: Yes = False) -> None:
    """Go back: out of a running release, or to the revision before the live one.

    Traffic moves first. Needs nothing but the Kubernetes API: no gates, no metrics, no health of the bad
    revision, no readable record. Example: deployctl rollback balances
    """
    name = app or _latest(flags, yes=yes)
    api, there, kept = located(flags, name)
    if there.memory and not to:
        raise typer.Exit(turn_back(flags, api, there, kept, fast=fast))
    if there.memory:
        raise UsageError(
            f"a release of {name} is in flight: --to has to wait", advice=f"deployctl rollback {name}"
        )
    current = there.deployment["spec"]["template"]
    target = bare(_target(there, to)["spec"]["template"])
    if digest(target) == digest(current):
        return show(
            flags, {"app": name, "outcome": "unchanged"}, f"{name}: already on that revision; nothing to do"
        )
    plan = back_at_rest(there, target, f"rolled back by {holder()}")
    raise typer.Exit(
        carry_out(flags, Run(api, plan, story(flags, name), Orders(fast=fast), force=True), back=True)
    )


def _target(there: Found, to: str) -> Json:
    """Find the ReplicaSet to go back to: the one that is named, else the newest before the live one."""
    sets = sorted(there.replica_sets, key=revision, reverse=True)
    if to:
        named = [one for one in sets if to in (str(revision(one)), one["metadata"]["labels"][HASH])]
        if not named:
            raise UsageError(f"--to {to}: no such revision; there are {_listed(sets)}")
        return named[0]
    live = replica_set(sets, digest(there.deployment["spec"]["template"]))
    older = [one for one in sets if live is None or revision(one) < revision(live)]
    if not older:
        raise UsageError(f"{there.names.app} has no earlier revision to go back to")
    return older[0]


def _listed(sets: list[Json]) -> str:
    return ", ".join(f"{revision(one)} ({one['metadata']['labels'][HASH]})" for one in sets) or "none"


def _latest(flags: Flags, *, yes: bool) -> str:
    """Propose the app that was released last in the namespace, and ask once."""
    api = connect(flags)
    name = _last_released(api)
    if yes:
        return name
    if flags.no_input or not sys.stdin.isatty():
        raise UsageError(
            f"rollback of which app? {name} was released last", advice=f"deployctl rollback {name}"
        )
    if not typer.confirm(f"roll back {name} in namespace {api.namespace} (context {api.context})?", err=True):
        tell("nothing was done")
        raise typer.Exit(0)
    return name


def _last_released(api: Api) -> str:
    where = path(api.namespace, "configmaps")
    maps = api.get(where, labelSelector="app.kubernetes.io/managed-by=deployctl")["items"]
    begun: list[tuple[str, str]] = [
        (kept.releases[0].started, one["metadata"]["name"].removeprefix("deployctl-"))
        for one in maps
        if (kept := parse(one)).releases
    ]
    if not begun:
        raise UsageError(f"nothing was released in namespace {api.namespace}", advice="name the app")
    return max(begun)[1]
