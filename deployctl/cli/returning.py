"""What `rollback` does: turn a running release round, or bring an earlier revision back."""

from __future__ import annotations

import sys

import typer

from deployctl.cli.flags import Flags
from deployctl.cli.session import carry_out, connect, show, story
from deployctl.cli.steering import located, turn_back
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


def rollback(flags: Flags, app: str, to: str, *, fast: bool, yes: bool) -> int:
    """Go back; give the exit code."""
    name = app or _latest(flags, yes=yes)
    api, there, kept = located(flags, name)
    if there.memory and to:
        raise UsageError(
            f"a release of {name} is in flight: --to has to wait", advice=f"deployctl rollback {name}"
        )
    if there.memory:
        return turn_back(flags, api, there, kept, fast=fast)
    target = bare(_target(there, to)["spec"]["template"])
    if digest(target) == digest(there.deployment["spec"]["template"]):
        text = f"{name}: already on that revision; nothing to do"
        show(flags, {"app": name, "outcome": "unchanged"}, text)
        return 0
    plan = back_at_rest(there, target, f"rolled back by {holder()}")
    return carry_out(flags, Run(api, plan, story(flags, name), Orders(fast=fast), force=True), back=True)


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
        raise UsageError("nothing was done")
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
