"""The body of `plan`: what is there, what is wanted, what stands against it, as one document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import msgspec

from deployctl.autoscaling.coming import coming
from deployctl.autoscaling.through import scalers_of, unheld
from deployctl.cli.flags import Flags, span
from deployctl.cli.looking import plain, reaching
from deployctl.cli.releasing import able_besides, images, one_of, promoting
from deployctl.cli.session import Subject, show, subject
from deployctl.cluster import access
from deployctl.cluster.api import Api, Denied, Json
from deployctl.cluster.paths import path
from deployctl.errors import Conflict, DeployctlError, UsageError
from deployctl.fitting import fitted
from deployctl.identity import cluster_of
from deployctl.planfile import PlanFile, made, write
from deployctl.planning import Around
from deployctl.planning import plan as walked
from deployctl.prepare import Prepared, Wanted, find, names_of, prepare, refuse, selector_of, supported
from deployctl.promise import AT_RELEASE, Given, promise
from deployctl.promise import Flags as Shaping
from deployctl.published import Plan, Saved
from deployctl.releases import as_finished, finished_by_itself
from deployctl.render import plan as render
from deployctl.render.terminal import colors
from deployctl.room import room
from deployctl.spec import App, digest


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `plan` as they were given."""

    image: list[str]
    restart: bool
    promote: str
    wait: str
    accept_sync: bool = False
    detailed_exitcode: bool = False
    out: str = ""
    expires: str = "1h"
    fit: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what it was made of."""

    api: Api
    found: Subject
    ready: Prepared
    plan: Plan


def plan(flags: Flags, target: str, ask: Asked) -> int:
    """Print the plan, and write it where --out says; give the exit code."""
    one_of("--wait", ask.wait, ("finished", "promoted"))
    try:
        return _plan(flags, target, ask)
    except DeployctlError as error:
        if ask.detailed_exitcode:
            error.exit_code = 1
        raise


def _plan(flags: Flags, target: str, ask: Asked) -> int:
    lives_seconds = span("--expires", ask.expires)
    if lives_seconds <= 0:
        raise UsageError(f"--expires {ask.expires}: no time at all; expected a duration above 0s")
    whole = _planned(flags, target, ask)
    one = whole.plan
    if ask.out and not one.problems and not one.in_flight:
        one = _saved(flags, whole, ask, lives_seconds)
    show(flags, plain(one), render.text(one, _paint(flags)), f"deployctl/{one.app}")
    if ask.out and not one.saved:
        _not_saved(whole, ask.out)
    return _code(one, detailed=ask.detailed_exitcode)


def _planned(flags: Flags, target: str, ask: Asked) -> Planned:
    api, found = subject(flags, target)
    supported(api)
    return planned(api, replace(found, app=promoting(found.app, ask.promote)), ask)


def planned(api: Api, found: Subject, ask: Asked) -> Planned:
    """Plan for an app that was found; nothing is touched."""
    wanted = Wanted(images(ask.image), AT_RELEASE if ask.restart else "")
    there = find(api, names_of(found.app, api.namespace))
    if finished_by_itself(there):  # a release finishes that first
        there = as_finished(there)
    ready = prepare(api, found.app, found.objects, wanted, there)
    scalers = _autoscalers(api, ready)
    found_room = room(api, ready.names, ready.preview) if ready.memory is None else None
    sized = fitted(ready, found.app, found_room) if ask.fit and found_room else None
    if sized:
        found = replace(found, app=sized.app)
    around = Around(
        context=api.context,
        pods=tuple(_pods(api, ready)),
        autoscalers=scalers,
        unheld=tuple(unheld(api, ready.names, ready.deployment)),
        problems=tuple(_problems(api, ready, found.app, accept_sync=ask.accept_sync)),
        until_promoted=ask.wait == "promoted",
        coming=tuple(coming(scalers, ready.deployment["spec"].get("replicas", 1), api.now())),
        room=found_room,
        fit=sized.taken if sized else "",
        lacking=sized.lacking if sized else None,
    )
    return Planned(api, found, ready, walked(ready, found.app, around))


def _saved(flags: Flags, whole: Planned, ask: Asked, lives_seconds: float) -> Plan:
    """Write the plan file; give the plan with where it is and what to run next."""
    file = kept(whole, ask, lives_seconds)
    write(file, ask.out)
    command = reaching(flags, "deployctl", "release", "--plan", ask.out)
    saved = Saved(ask.out, file.digest, file.expires, command)
    return msgspec.structs.replace(whole.plan, saved=saved)


def kept(whole: Planned, ask: Asked, lives_seconds: float) -> PlanFile:
    """Make the file of a plan."""
    app, releases = whole.found.app, whole.found.kept.releases
    given = Given(
        cluster=cluster_of(whole.api),
        content=digest(app, whole.found.objects),
        last_release=releases[0].id if releases else "",
        flags=Shaping(images(ask.image), ask.restart, ask.promote, ask.wait, ask.accept_sync),  # type: ignore[arg-type]  # one_of has seen it
    )
    one = promise(whole.ready, app, whole.plan, given)
    generation = whole.ready.deployment["metadata"]["generation"]
    return made(one, whole.plan, whole.api.now(), lives_seconds, generation)


def _not_saved(whole: Planned, out: str) -> None:
    """Say why there is no file; a release in flight is an error, for a job that comes next would miss the file."""
    app = whole.plan.app
    if whole.plan.problems:
        print(f"{out} was not written: a release would be refused", file=sys.stderr)
        return
    raise Conflict(
        f"{out} was not written: a release of {app} is in flight, and how it ends is not known",
        advice=f"`deployctl resume {app}` or `deployctl finish {app}` ends it, `deployctl abort {app}` turns it"
        " round; then plan again",
    )


def _code(one: Plan, *, detailed: bool) -> int:
    if one.problems:
        return 1 if detailed else one.problems[0].exit_code
    return 2 if detailed and (one.changes or one.in_flight) else 0


def _paint(flags: Flags) -> render.Paint:
    return render.colored if colors(flags.color, sys.stdout) else render.uncolored


def _pods(api: Api, ready: Prepared) -> list[Json]:
    where = path(ready.names.namespace, "pods")
    pods: list[Json] = api.get(where, labelSelector=selector_of(ready.deployment))["items"]
    return pods


def _autoscalers(api: Api, ready: Prepared) -> tuple[Json, ...]:
    """Find who scales the workload; without the right to look nobody is found."""
    try:
        return scalers_of(api, ready.names)
    except Denied:
        return ()


def _problems(api: Api, ready: Prepared, app: App, *, accept_sync: bool) -> Iterator[DeployctlError]:
    """Find what stands against a release now: a right that is missing, then what `release` refuses."""
    checks: list[Callable[[], None]] = [
        lambda: access.check(api, api.namespace, access.rights(ready.names.kind)),
        lambda: able_besides(api, app),
    ]
    if ready.memory is None:
        checks.append(lambda: refuse(api, ready, app, accept_sync=accept_sync))
    for check in checks:
        try:
            check()
        except DeployctlError as error:
            yield error
