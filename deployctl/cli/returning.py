"""What `rollback` does: turn a running release round, or bring an earlier revision back."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import msgspec
import typer

from deployctl.cli.flags import Flags
from deployctl.cli.session import (
    carry_out,
    connect,
    consumes_of,
    drain_of,
    flags_of,
    outliving,
    show,
    story,
    tell,
    word,
)
from deployctl.cli.steering import Located, located, turn_back
from deployctl.cluster.api import Api
from deployctl.cluster.paths import path
from deployctl.errors import UsageError
from deployctl.prepare import Found, Json
from deployctl.record import Entry, Kept, Word, parse
from deployctl.releases import ROLLBACK, Run, back_at_rest, in_flight
from deployctl.render import words
from deployctl.revisions import before, called, earlier, left, listed, named
from deployctl.rollout import Orders
from deployctl.spoken import because
from deployctl.template import bare, digest
from deployctl.workload import template_in


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `rollback` as they were given."""

    to: str
    reason: str
    fast: bool
    yes: bool


def rollback(flags: Flags, app: str, ask: Asked) -> int:
    """Go back; give the exit code."""
    name = app or _latest(flags, yes=ask.yes)
    at = located(flags, name)
    api, there, kept = at
    said = word("rollback", ask.reason)
    if there.memory and ask.to:
        raise UsageError(
            f"a release of {name} is in flight: --to has to wait", advice=f"deployctl rollback {name}"
        )
    if there.memory and there.memory.strategy == ROLLBACK:
        return _go_on(flags, at, said, fast=ask.fast)
    if there.memory:
        return turn_back(flags, at, said, fast=ask.fast)
    target = bare(template_in(_target(there, ask.to, kept)))
    if digest(target) == digest(there.deployment["spec"]["template"]):
        text = f"{name}: already on that revision; nothing to do"
        show(flags, {"app": name, "outcome": "unchanged"}, text)
        return 0
    plan = back_at_rest(there, target, because(f"rolled back by {said.by}", said.reason))
    memory = msgspec.structs.replace(plan.memory, consumes=consumes_of(kept))
    plan = replace(plan, memory=memory, drain=drain_of(kept), flags=flags_of(kept))
    run = Run(api, plan, story(flags, name), Orders(fast=ask.fast), force=True, word=said)
    return carry_out(flags, run, back=True)


def _go_on(flags: Flags, at: Located, said: Word, *, fast: bool) -> int:
    """Go on with a rollback whose process died, the way it was going."""
    api, there, kept = at
    plan, name = in_flight(there, None, kept.template), there.names.app
    plan = replace(plan, drain=drain_of(kept), flags=flags_of(kept))
    run = Run(api, plan, story(flags, name), Orders(fast=fast), waiting=outliving(name), word=said)
    return carry_out(flags, run, back=True)


def _target(there: Found, to: str, kept: Kept) -> Json:
    """Find the revision to go back to; where it was refused or left before, it has to be named, and is told of."""
    if not to:
        found = earlier(there.deployment, there.replica_sets, kept.releases)
        return found or _nowhere(there)
    chosen = named(there.deployment, there.replica_sets, to, kept.releases)
    if (bad := left(chosen, kept.releases)) is not None:
        tell(f"{there.names.app}: {called(chosen)} {_told(bad)}; it is named, so that is where this goes")
    return chosen


def _told(bad: Entry) -> str:
    """Say how a revision was left."""
    if not bad.outcome:
        return f"was on trial in a release of which no end is known, begun by {words.who(bad.by)} at {bad.started}"
    how = "was left by a rollback" if bad.outcome == "rolledBack" else f"was on trial and was {bad.outcome}"
    return because(f"{how} at {bad.ended}, begun by {words.who(bad.by)}", bad.reason)


def _nowhere(there: Found) -> Json:
    older = before(there.deployment, there.replica_sets)
    passed = f"; refused or left before: {listed(older)}" if older else ""
    advice = "name one with --to" if older else "release an earlier manifest"
    raise UsageError(f"{there.names.app} has no earlier revision to go back to{passed}", advice=advice)


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
    records = {one["metadata"]["name"].removeprefix("deployctl-"): parse(one) for one in maps}
    unknown = [name for name, kept in records.items() if kept.unknown]
    if unknown:
        raise UsageError(
            f"rollback of which app? The record of {', '.join(unknown)} has a format that is not known here",
            advice="name the app",
        )
    begun: list[tuple[str, str]] = [
        (kept.releases[0].started, name) for name, kept in records.items() if kept.releases
    ]
    if not begun:
        raise UsageError(f"nothing was released in namespace {api.namespace}", advice="name the app")
    return max(begun)[1]
