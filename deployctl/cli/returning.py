"""What `rollback` does: turn a running release round, or bring an earlier revision back."""

from __future__ import annotations

import sys
from dataclasses import replace

import typer

from deployctl.cli.flags import Flags
from deployctl.cli.session import carry_out, connect, outliving, show, story
from deployctl.cli.steering import drain_of, located, turn_back
from deployctl.cluster.api import Api
from deployctl.cluster.paths import path
from deployctl.errors import UsageError
from deployctl.observe import replica_set, revision
from deployctl.prepare import Found, Json
from deployctl.record import Kept, parse, refused
from deployctl.releases import ROLLBACK, Run, back_at_rest, holder, in_flight
from deployctl.rollout import Orders
from deployctl.template import bare, digest
from deployctl.workload import hash_of, template_in


def rollback(flags: Flags, app: str, to: str, *, fast: bool, yes: bool) -> int:
    """Go back; give the exit code."""
    name = app or _latest(flags, yes=yes)
    api, there, kept = located(flags, name)
    if there.memory and to:
        raise UsageError(
            f"a release of {name} is in flight: --to has to wait", advice=f"deployctl rollback {name}"
        )
    if there.memory and there.memory.strategy == ROLLBACK:
        return _go_on(flags, api, there, kept, fast=fast)
    if there.memory:
        return turn_back(flags, api, there, kept, fast=fast)
    target = bare(template_in(_target(there, to, kept)))
    if digest(target) == digest(there.deployment["spec"]["template"]):
        text = f"{name}: already on that revision; nothing to do"
        show(flags, {"app": name, "outcome": "unchanged"}, text)
        return 0
    plan = replace(back_at_rest(there, target, f"rolled back by {holder()}"), drain=drain_of(kept))
    return carry_out(flags, Run(api, plan, story(flags, name), Orders(fast=fast), force=True), back=True)


def _go_on(flags: Flags, api: Api, there: Found, kept: Kept, *, fast: bool) -> int:
    """Go on with a rollback whose process died, the way it was going."""
    plan, name = replace(in_flight(there, None, kept.template), drain=drain_of(kept)), there.names.app
    run = Run(api, plan, story(flags, name), Orders(fast=fast), waiting=outliving(name))
    return carry_out(flags, run, back=True)


def _target(there: Found, to: str, kept: Kept) -> Json:
    """Find the revision to go back to: the one that is named, else the newest good one before the live one."""
    sets = sorted(there.replica_sets, key=revision, reverse=True)
    return _named(sets, to) if to else _earlier(there, sets, refused(kept.releases))


def _named(sets: list[Json], to: str) -> Json:
    named = [one for one in sets if to in (str(revision(one)), hash_of(one))]
    if not named:
        raise UsageError(f"--to {to}: no such revision; there are {_listed(sets)}")
    return named[0]


def _earlier(there: Found, sets: list[Json], bad: frozenset[str]) -> Json:
    """Pass over revisions that were refused or left: kubectl's numbers put a refused one right before the live one."""
    live = replica_set(sets, digest(there.deployment["spec"]["template"]))
    older = [one for one in sets if live is None or revision(one) < revision(live)]
    good = [one for one in older if digest(template_in(one)) not in bad]
    if not good:
        passed = f"; refused or left before: {_listed(older)}" if older else ""
        advice = "name one with --to" if older else "release an earlier manifest"
        raise UsageError(f"{there.names.app} has no earlier revision to go back to{passed}", advice=advice)
    return good[0]


def _listed(sets: list[Json]) -> str:
    return ", ".join(f"{revision(one)} ({hash_of(one)})" for one in sets) or "none"


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
